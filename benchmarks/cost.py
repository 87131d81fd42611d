"""What watching a city costs, worked out of measured figures and of prices that are assumed.

    python -m benchmarks.cost DIR/benchmarks.json [--write docs/cost.md] [--core-hour 0.25] ...

Every number of the table is a figure of the JSON, one of the assumptions, which the table lists,
or worked out of these as the table says. ``--write`` puts it between the markers of a page.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path

from benchmarks.figures import Results, read_json, rounded
from vision.errors import InputError

BEGIN, END = "<!-- cost: begin -->", "<!-- cost: end -->"
FLEETS = (1000, 100_000)
DAYS_A_MONTH = 30.4
GB = 1e9


@dataclass(frozen=True)
class Assumptions:
    """What was not measured; each is an option of the command.

    Attributes:
        cores: Cores of a machine.
        busy_share: Share of the cores that may be busy, so that peaks find room.
        memory_gb: Memory of a machine, in GB.
        core_hour: Price of a core for an hour, in yuan.
        gb_month: Price of a GB stored for a month, in yuan.
        core_w: Power that a busy core draws, its share of the machine included, in watts.
        kwh: Price of a kWh, in yuan.
        violations: Violations that a camera raises in a day.
        evidence_mb: Evidence of a violation (stills and clip), in MB.
        evidence_days: Days for which evidence is kept.
        archive_days: Days for which the archive of looks is kept.
        look_s: Seconds between looks at rest.
    """

    cores: int = 16
    busy_share: float = 0.7
    memory_gb: float = 64.0
    core_hour: float = 0.2
    gb_month: float = 0.12
    core_w: float = 8.0
    kwh: float = 0.7
    violations: float = 5.0
    evidence_mb: float = 6.0
    evidence_days: float = 90.0
    archive_days: float = 30.0
    look_s: float = 10.0


@dataclass(frozen=True)
class Bill:
    """What a number of cameras takes.

    Attributes:
        cameras: How many.
        machines: Machines that watch them.
        cores_busy: Cores that are busy at any time.
        stored_gb: Kept evidence and archive.
        power_kw: Power of the busy cores.
        month: Yuan a month: machines and storage.
        energy_month: Of what is spent on energy, yuan a month; part of a machine's price where
            that is rent.
    """

    cameras: int
    machines: int
    cores_busy: float
    stored_gb: float
    power_kw: float
    month: float
    energy_month: float


def main() -> None:
    """Print the table, or put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="benchmarks.json")
    parser.add_argument("--write", type=Path, help="page with the markers")
    for one in fields(Assumptions):
        parser.add_argument(
            f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default
        )
    options = parser.parse_args()
    assumed = replace(
        Assumptions(), **{one.name: getattr(options, one.name) for one in fields(Assumptions)}
    )
    text = page(read_json(options.results), assumed)
    if options.write is None:
        print(text)
    else:
        put(options.write, text)


def put(path: Path, text: str) -> None:
    """Replace what stands between the markers of a page.

    Raises:
        InputError: The page has no markers.
    """
    content = path.read_text("utf-8")
    if content.count(BEGIN) != 1 or content.count(END) != 1:
        raise InputError(f"{path}: needs one {BEGIN} and one {END}")
    before, rest = content.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}", "utf-8")


def bill(results: Results, assumed: Assumptions, cameras: int) -> Bill:
    """What so many cameras take.

    Raises:
        InputError: A figure that it needs was not measured.
    """
    a_core = _median(results, "live", "cameras a core")
    a_camera_gb = _median(results, "live", "memory a camera") * 2**20 / GB
    by_cores = a_core * assumed.cores * assumed.busy_share
    a_machine = max(1.0, min(by_cores, assumed.memory_gb * assumed.busy_share / a_camera_gb))
    machines = -int(-cameras // a_machine)
    cores_busy = cameras / a_core
    stored_gb = cameras * (
        archive_day_gb(results, assumed) * assumed.archive_days
        + evidence_day_gb(assumed) * assumed.evidence_days
    )
    hours = 24 * DAYS_A_MONTH
    power_kw = cores_busy * assumed.core_w / 1000
    return Bill(
        cameras=cameras,
        machines=machines,
        cores_busy=cores_busy,
        stored_gb=stored_gb,
        power_kw=power_kw,
        month=machines * assumed.cores * assumed.core_hour * hours + stored_gb * assumed.gb_month,
        energy_month=power_kw * hours * assumed.kwh,
    )


def archive_day_gb(results: Results, assumed: Assumptions) -> float:
    """GB that the archive of detections of a camera grows by in a day."""
    look = _median(results, "storage", "archive of detections, a look")
    return look * 86_400 / assumed.look_s / GB


def evidence_day_gb(assumed: Assumptions) -> float:
    """GB of evidence that a camera brings in a day."""
    return assumed.violations * assumed.evidence_mb / 1000


def page(results: Results, assumed: Assumptions) -> str:
    """The generated part of docs/cost.md."""
    bills = [bill(results, assumed, cameras) for cameras in FLEETS]
    per_core = _median(results, "live", "cameras a core")
    recorded = _median(results, "scan", "Jiexu, adaptive")
    cores = int(results.machine.rsplit(",", 1)[1].split()[0])
    archive_mb = 1000 * archive_day_gb(results, assumed)
    evidence_mb = 1000 * evidence_day_gb(assumed)
    rows: list[tuple[str, list[str]]] = [
        ("machines", [f"{one.machines:,}" for one in bills]),
        ("cores busy", [rounded(one.cores_busy) for one in bills]),
        ("stored, TB", [rounded(one.stored_gb / 1000) for one in bills]),
        ("power of the busy cores, kW", [rounded(one.power_kw) for one in bills]),
        ("yuan a month, machines and storage", [rounded(one.month) for one in bills]),
        ("yuan a camera and month", [rounded(one.month / one.cameras) for one in bills]),
        ("energy, yuan a month", [rounded(one.energy_month) for one in bills]),
    ]
    lines = [
        f"Measured: {results.machine}, {results.taken_at}"
        f"{', short form: rough' if results.quick else ''}.",
        "",
        "| measured | value | by |",
        "| --- | --- | --- |",
        f"| live cameras a core | {rounded(per_core)} | {_command(results, 'live')} |",
        f"| camera-days of recordings a core and day, adaptive | {rounded(recorded / cores)} "
        f"| {_command(results, 'scan')} |",
        f"| archive of looks, MB a camera-day at a look every {assumed.look_s:g} s "
        f"| {rounded(archive_mb)} | {_command(results, 'scan')} |",
        "",
        "| assumed | value |",
        "| --- | --- |",
        *(
            f"| `--{one.name.replace('_', '-')}` | {getattr(assumed, one.name):g} |"
            for one in fields(assumed)
        ),
        "",
        f"Evidence by these: {rounded(evidence_mb)} MB a camera-day.",
        "",
        f"| cameras | {' | '.join(f'{cameras:,}' for cameras in FLEETS)} |",
        f"| --- |{' --- |' * len(FLEETS)}",
        *(f"| {name} | {' | '.join(values)} |" for name, values in rows),
    ]
    return "\n".join(lines) + "\n"


def _median(results: Results, group: str, name: str) -> float:
    found = results.figure(group, name)
    if found is None:
        raise InputError(f"the results hold no figure {group!r}, {name!r}: measure it first")
    return found.median


def _command(results: Results, group: str) -> str:
    return f"`{next(one.command for one in results.figures if one.group == group)}`"


if __name__ == "__main__":
    main()
