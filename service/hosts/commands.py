"""``jiexu hosts``: look at the hosts that share the cameras, and end them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer
from rich.table import Column, Table

from service.command_line import ConfigOption, settings_of
from vision.cli import console
from vision.errors import ConfigError

if TYPE_CHECKING:
    from service.settings import Hosts

hosts_app = typer.Typer(name="hosts", help="Hosts that share the cameras.", no_args_is_help=True)

ASK_S = 5.0


@hosts_app.command("list")
def list_hosts(config: ConfigOption = None) -> None:
    """List the hosts that answer, with what they watch."""
    hosts = _hosts(config)
    from service.hosts.actors import find_hosts, reports_of
    from service.hosts.cluster import join

    join(hosts.address)
    table = Table("machine", "cameras", "detectors", Column("host", overflow="fold"))
    for name, report in sorted(reports_of(find_hosts(), ASK_S).items()):
        states = Counter(health.state for health in report.cameras.values())
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        table.add_row(report.machine, told or "none", report.fault or "in order", name)
    console.print(table)


@hosts_app.command("stop")
def stop(config: ConfigOption = None) -> None:
    """End all hosts with what they remember saved; no camera is watched until the next serve."""
    hosts = _hosts(config)
    from service.hosts.cluster import find_coordinator, join, stop_all

    join(hosts.address)
    coordinator = find_coordinator()
    if coordinator is None:
        console.print("No hosts watch in this cluster.")
        return
    stop_all(coordinator)
    console.print("All hosts have ended.")


def _hosts(config: ConfigOption) -> Hosts:
    from service.hosts.start import need_ray

    hosts = settings_of(config).hosts
    if hosts is None:
        raise ConfigError("hosts: is not set: this service shares its cameras with no hosts")
    need_ray()
    return hosts
