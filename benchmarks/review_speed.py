"""From key to next case painted: two reviewers at once, before a long queue, in real Chromium.

    python -m benchmarks.review_speed [--cases 10000] [--decisions 200] [--think 0.25]

Candidates are written into the store of a fresh ``jiexu serve`` with pictures of 1280x720. Each
reviewer logs in, then decides by keyboard alone. Time runs in the page: from the key event's own
time stamp until the next case's scene is decoded and the frame with it was handed to the screen.
At the end the decisions in the store are held against what was on the screens.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from playwright.async_api import Browser, Page, async_playwright
from sqlalchemy import insert, select

from benchmarks.served import served
from service.auth.users import add_user
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import (
    CaseRow,
    CaseState,
    DecisionRow,
    EvidenceRow,
    Role,
    Variant,
    ViolationRow,
)

PASSWORD = "a long way home"  # noqa: S105 - of the benchmark's own users
PICTURES = 400
SIZE = (1280, 720)
STRIP = 40
REVIEWERS = ("rev.one", "rev.two")
KEYS = ("c", "1", "3", "c", "5", "c")
WATCH = """
window.taken = [];
addEventListener("keydown", (event) => {
  const desk = document.querySelector(".jx-desk");
  const before = desk && desk.dataset.case;
  if (!before || !/^[c1-9]$/.test(event.key)) return;
  const begun = event.timeStamp;
  const seen = async () => {
    if (desk.dataset.case === before || !desk.dataset.case) return;
    watcher.disconnect();
    const picture = desk.querySelector(".jx-picture img");
    await picture.decode();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () =>
        window.taken.push([before, desk.dataset.case, performance.now() - begun]);
      channel.port2.postMessage(null);
    });
  };
  const watcher = new MutationObserver(seen);
  watcher.observe(desk, { attributes: true, attributeFilter: ["data-case"] });
}, true);
"""


def main() -> int:
    """Measure; exit code 1 if a case was on two screens or a decision was lost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--decisions", type=int, default=200, help="by both together")
    parser.add_argument("--think", type=float, default=0.25, help="seconds before each key")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jiexu-review-") as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'jiexu.db'}")
        upgrade(database)
        begun = time.perf_counter()
        fill(database, EvidenceFiles(folder / "evidence"), given.cases)
        print(f"{given.cases} candidates queued in {time.perf_counter() - begun:.0f} s")
        try:
            with served(folder) as url:
                taken = asyncio.run(review(url, given.decisions // len(REVIEWERS), given.think))
                return told(database, taken)
        finally:
            database.close()


def fill(database: Database, files: EvidenceFiles, count: int) -> None:
    """Put candidates into the queue, each with a scene and a crop."""
    scenes, crops = zip(*(drawn(files, number) for number in range(PICTURES)), strict=True)
    begin = datetime.now(UTC) - timedelta(days=3)
    with database.write() as session:
        for reviewer in REVIEWERS:
            add_user(session, reviewer, Role.REVIEWER, begin, password=PASSWORD)
        for first in range(0, count, 1000):
            cases, violations, evidence = [], [], []
            for number in range(first, min(first + 1000, count)):
                at = begin + timedelta(seconds=20 * number)
                case_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"case {number}"))
                common = {
                    "id": case_id,
                    "kind": "street_stall",
                    "camera_id": f"camera-{number % 50}",
                    "zone_id": f"zone-{number % 4}",
                    "raised_at": at,
                    "ended_at": None,
                    "created_at": at,
                    "updated_at": at,
                }
                cases.append(
                    {
                        **common,
                        "state": CaseState.CANDIDATE,
                        "confidence": 0.75,
                        "experimental": False,
                        "started_at": at - timedelta(minutes=5),
                    }
                )
                record = document(case_id, at, number)
                violations.append({**common, "case_id": case_id, "record": record})
                for role, pictures in (("scene", scenes), ("crop", crops)):
                    evidence.append(
                        {
                            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{role} {number}")),
                            "violation_id": case_id,
                            "case_id": case_id,
                            "role": role,
                            "variant": Variant.MASKED,
                            "media_type": "image/jpeg",
                            "taken_at": at,
                            "created_at": at,
                            "superseded_at": None,
                            "removed_at": None,
                            **pictures[number % PICTURES],
                        }
                    )
            session.execute(insert(CaseRow), cases)
            session.execute(insert(ViolationRow), violations)
            session.execute(insert(EvidenceRow), evidence)


def document(case_id: str, at: datetime, number: int) -> dict[str, Any]:
    """A violation as cameras tell of it."""
    started = at - timedelta(minutes=5)
    return {
        "schema_version": 1,
        "id": case_id,
        "kind": "street_stall",
        "camera_id": f"camera-{number % 50}",
        "zone_id": f"zone-{number % 4}",
        "box": box_of(number),
        "confidence": 0.75,
        "started_at": started.isoformat(),
        "last_seen_at": at.isoformat(),
        "ended_at": None,
        "start_s": 0,
        "last_seen_s": 300,
        "end_s": None,
        "frames_seen": 31,
        "signs": ["umbrella"],
        "evidence": {},
        "model": {"name": "jiexu-street", "sha256": "a" * 64},
        "rule": {"name": "street_stall", "settings": {"dwell_s": 300}},
        "source": {"name": "benchmark", "sha256": "b" * 64},
    }


def box_of(number: int) -> list[float]:
    """Where the thing of a number is, in pixels."""
    left, top = 100 + 37 * number % 900, 120 + 53 * number % 400
    return [left, top, left + 180, top + 140]


def drawn(files: EvidenceFiles, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A scene with as much in it as a street has, and its crop, as files of the store."""
    noise = np.random.default_rng(number)
    coarse = Image.fromarray(noise.integers(60, 200, (36, 64, 3), np.uint8))
    scene = Image.new("RGB", (SIZE[0], SIZE[1] + STRIP))
    fine = noise.normal(0, 12, (SIZE[1], SIZE[0], 3))
    street = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), np.float64) + fine
    scene.paste(Image.fromarray(np.clip(street, 0, 255).astype(np.uint8)), (0, 0))
    ImageDraw.Draw(scene).rectangle(box_of(number), outline=(156, 54, 181), width=4)
    left, top, right, bottom = box_of(number)
    crop = scene.crop((int(left) - 40, int(top) - 40, int(right) + 40, int(bottom) + 40))
    return kept(files, scene), kept(files, crop)


def kept(files: EvidenceFiles, picture: Image.Image) -> dict[str, Any]:
    """What a row says of a picture that lies in the store."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    data = file.getvalue()
    return {
        "key": files.keep(Variant.MASKED, data, "image/jpeg"),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "width": picture.width,
        "height": picture.height,
    }


async def review(url: str, decisions: int, think_s: float) -> list[list[Any]]:
    """All reviewers at once; what was on their screens, and how long the next one took."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        screens = [await screen_of(browser, url, name) for name in REVIEWERS]
        found = await asyncio.gather(*(work(page, decisions, think_s) for page in screens))
        await browser.close()
    return list(found)


async def screen_of(browser: Browser, url: str, name: str) -> Page:
    """The case screen of a reviewer."""
    context = await browser.new_context(
        base_url=url, locale="zh-CN", viewport={"width": 1280, "height": 720}
    )
    form = {"name": name, "password": PASSWORD}
    answer = await context.request.post("/api/v1/session", data=form)
    assert answer.status == 201, await answer.text()
    page = await context.new_page()
    await page.goto("/ui/review")
    await page.wait_for_selector(".jx-desk:not([data-case=''])")
    await page.evaluate(WATCH)
    return page


async def work(page: Page, decisions: int, think_s: float) -> list[Any]:
    """Decide by keyboard, one case after the other."""
    await asyncio.sleep(2)
    for number in range(decisions):
        await asyncio.sleep(think_s)
        await page.keyboard.press(KEYS[number % len(KEYS)])
        await page.wait_for_function(f"window.taken.length > {number}", polling=20)
    await asyncio.sleep(3)
    return list(await page.evaluate("window.taken"))


def told(database: Database, taken: list[list[Any]]) -> int:
    """Print the figures, and hold the decisions against the screens."""
    times = sorted(ms for one in taken for _, _, ms in one)
    shown = Counter(case_id for one in taken for case_id, _, _ in one)
    with database.read() as session:
        decided = Counter(session.scalars(select(DecisionRow.case_id)))
    p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
    print(
        f"{len(times)} decisions by {len(taken)} reviewers at once: from key to next case painted"
        f" median {statistics.median(times):.0f} ms, p95 {p95:.0f} ms, longest {times[-1]:.0f} ms"
    )
    twice = [one for one, count in shown.items() if count > 1]
    lost = set(shown) - set(decided)
    doubled = [one for one, count in decided.items() if count > 1]
    print(
        f"on two screens: {len(twice)}; decided twice: {len(doubled)}; decisions lost: {len(lost)}"
    )
    return 1 if twice or lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main())
