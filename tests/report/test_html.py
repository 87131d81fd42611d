"""The report: one page, whole in itself, true to the run, harmless whatever names hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.runs import entry, failed, run_folder, violation
from vision.report.html import FULL_CARDS, SMALL_CARDS, write_report
from vision.report.strings import TEXT
from vision.report.summary import summary_from

VOID = {"meta", "img", "input", "br", "link", "hr", "stop", "line", "rect", "path"}
NASTY = """<img src=x onerror=alert(1)>"'</script><script>alert(2)</script>&amp;{{7*7}}"""


class Page(HTMLParser):
    """Elements and text of a page; fails on tags that do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"script", "style"}:
            self.texts.append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        wanted = {name.replace("_", "-").strip("-"): value for name, value in attributes.items()}
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in wanted.items())
        ]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def report(root: Path) -> Page:
    write_report(summary_from(root), root / "report.html")
    return Page((root / "report.html").read_text("utf-8"))


def test_the_page_tells_what_was_scanned_found_and_failed(tmp_path: Path) -> None:
    root = run_folder(
        tmp_path,
        [entry(camera_name="沿江三号门"), failed("empty.mp4", "the file is empty")],
        [violation(tmp_path, 0), violation(tmp_path, 1, end_s=60.0)],
    )
    page = report(root)
    assert "2 candidate violations" in page.text
    assert "1 min 40 s" in page.text
    assert "50.0 × real time" in page.text
    assert "empty.mp4 the file is empty" in page.text
    assert "沿江三号门" in page.text
    assert "2026-11-20 22:59:40 UTC+08:00" in page.text
    assert "from the file name" in page.text
    assert "50 % skipped by the change gate" in page.text
    assert "c" * 64 in page.text
    assert "dwell_s 30" in page.text
    assert "heap 0.25" in page.text
    cards = page.all("article", class_="card panel")
    assert [card["data-state"] for card in cards] == ["standing", "gone"]
    links = {link["href"] for link in page.all("a")}
    assert {f"#{card['id']}" for card in cards} <= links, "the timeline leads to every card"
    assert "./evidence/after.jpg" in links


def test_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    page = report(run_folder(tmp_path, [entry()], [violation(tmp_path, 0)]))
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "srcset", "poster", "action"):
            assert attributes.get(name, "#").startswith(("#", "./", "data:image/jpeg;base64,"))
    source = (tmp_path / "report.html").read_text("utf-8")
    assert "url(http" not in source
    assert "@import" not in source
    assert "'none'" in page.all("meta", http_equiv="Content-Security-Policy")[0]["content"]


def test_only_the_script_of_the_report_may_run(tmp_path: Path) -> None:
    page = report(run_folder(tmp_path, [entry()], [violation(tmp_path, 0)]))
    policy = page.all("meta", http_equiv="Content-Security-Policy")[0]["content"]
    source = (tmp_path / "report.html").read_text("utf-8")
    script = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    inputs = [
        entry(NASTY, NASTY, camera_name=NASTY, notes=[NASTY]),
        failed(NASTY, NASTY),
    ]
    inputs[0]["health_events"] = [{"kind": NASTY, "start_s": 1, "end_s": 5, "detail": NASTY}]
    found = violation(
        tmp_path,
        0,
        source=NASTY,
        camera_id=NASTY,
        kind=NASTY,
        zone_id=NASTY,
        signs=[NASTY],
        id=NASTY,
        rule={"name": NASTY, "settings": {NASTY: NASTY}},
    )
    root = run_folder(
        tmp_path, inputs, [found], settings={NASTY: NASTY, "rules": {NASTY: {NASTY: [NASTY]}}}
    )
    page = report(root)
    assert not page.all("img", src="x")
    assert len(page.all("script")) == 2
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert NASTY in page.text.replace("  ", " ")
    assert re.fullmatch(r"v-[\w-]+", page.all("article", data_kind=NASTY)[0]["id"], re.ASCII)


def test_evidence_names_with_odd_letters_are_linked_safely(tmp_path: Path) -> None:
    found = violation(tmp_path, 0)
    odd = "javascript:alert(1)/a b#c?.jpg"
    scene = found.evidence.scene
    assert scene is not None
    evidence = found.evidence.model_copy(
        update={"scene": scene.model_copy(update={"path": odd}), "before": None}
    )
    root = run_folder(tmp_path, [entry()], [found.model_copy(update={"evidence": evidence})])
    page = report(root)
    assert "./javascript%3Aalert%281%29/a%20b%23c%3F.jpg" in {a["href"] for a in page.all("a")}


def test_inputs_are_named_by_file_and_folder_with_what_was_decoded(tmp_path: Path) -> None:
    item = entry(
        "/data/2026/gate.mp4",
        container="mov,mp4,m4a",
        decoded={"packets_read": 900, "decoded_keyframe": 20, "decoded_full": 1200},
    )
    page = report(run_folder(tmp_path, [item, failed("/data/x.mp4", "the file is empty")]))
    assert page.all("b", title="/data/2026/gate.mp4")
    assert "gate.mp4 gate /data/2026" in page.text
    assert "h264 · mp4" in page.text
    assert "20 keyframes 1,200 all frames" in page.text
    assert "x.mp4 the file is empty" in page.text


def test_no_violations_is_said_plainly(tmp_path: Path) -> None:
    page = report(run_folder(tmp_path, [entry()]))
    assert "No violations found" in page.text
    assert not page.all("article", class_="card panel")


def test_a_run_in_which_nothing_could_be_judged_is_no_all_clear(tmp_path: Path) -> None:
    blind = entry(inspected=0, gated=0, unhealthy=20)
    blind["health_events"] = [{"kind": "black", "start_s": 0.0, "end_s": None, "detail": ""}]
    page = report(run_folder(tmp_path, [blind]))
    assert "this is no all-clear" in page.text
    assert "in order" not in page.text
    assert "Black picture" in page.text
    page = report(run_folder(tmp_path, [failed("a.mp4", "not a video")]))
    assert "this is no all-clear" in page.text
    assert "Every camera could see" not in page.text


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    page = report(run_folder(tmp_path, [entry()], status="interrupted"))
    assert "was interrupted" in page.text


def test_thousands_of_violations_stay_a_page(tmp_path: Path) -> None:
    found = [violation(tmp_path, n, start_s=n / 25, last_seen_s=n / 25 + 5) for n in range(2000)]
    page = report(run_folder(tmp_path, [entry()], found))
    assert len(page.all("article", class_="card panel")) == 2000
    embedded = [image for image in page.all("img") if image["src"].startswith("data:")]
    # All of the first cards, scene and close-up of the next, none after.
    assert len(embedded) == FULL_CARDS * 5 - FULL_CARDS * 1 + (SMALL_CARDS - FULL_CARDS) * 3
    assert (tmp_path / "report.html").stat().st_size < 14_000_000


def test_a_picture_that_is_gone_is_linked_all_the_same(tmp_path: Path) -> None:
    root = run_folder(tmp_path, [entry()], [violation(tmp_path, 0)])
    (tmp_path / "evidence" / "crop.jpg").unlink()
    (tmp_path / "evidence" / "before.jpg").write_bytes(b"no picture")
    page = report(root)
    assert {image["src"] for image in page.all("img")} >= {
        "./evidence/crop.jpg",
        "./evidence/before.jpg",
    }


def test_the_report_may_lie_elsewhere(tmp_path: Path) -> None:
    root = run_folder(tmp_path / "run", [entry()], [violation(tmp_path / "run", 0)])
    write_report(summary_from(root), tmp_path / "out" / "page.html")
    page = Page((tmp_path / "out" / "page.html").read_text("utf-8"))
    assert "./../run/evidence/scene.jpg" in {link["href"] for link in page.all("a")}


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    root = run_folder(tmp_path, [entry()], [violation(tmp_path, n) for n in range(3)])
    write_report(summary_from(root), tmp_path / "one.html")
    write_report(summary_from(root), tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_ids_are_unique_and_controls_are_labelled(tmp_path: Path) -> None:
    page = report(
        run_folder(tmp_path, [entry()], [violation(tmp_path, n, end_s=70.0) for n in range(4)])
    )
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert max(ids.values()) == 1
    for attributes in page.all("input"):
        assert attributes["data-t-label"] in TEXT
    assert all("alt" in image and image["data-t-alt"] in TEXT for image in page.all("img"))


def test_every_word_on_the_page_has_both_languages(tmp_path: Path) -> None:
    root = run_folder(
        tmp_path,
        [entry(), failed("a.mp4", "broken")],
        [violation(tmp_path, n, end_s=70.0 if n % 2 else None) for n in range(5)],
    )
    page = report(root)
    keys = {
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name.startswith("data-t") and name != "data-time"
    }
    assert len(keys) > 60
    assert keys <= TEXT.keys()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("query", "language", "words"),
    [
        ("?lang=zh", "zh-CN", ("件疑似问题", "废弃车辆", "1分40秒", "录像结束时仍存在")),
        ("?lang=en", "en", ("candidate violations", "Abandoned vehicle", "1 min 40 s")),
    ],
)
def test_a_browser_shows_it_in_either_language(
    tmp_path: Path, query: str, language: str, words: tuple[str, ...]
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    report(run_folder(tmp_path / "run", [entry()], [violation(tmp_path / "run", 0)]))
    shown = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--dump-dom",
            f"{(tmp_path / 'run' / 'report.html').as_uri()}{query}",
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert "CONSOLE" not in shown.stderr
    assert f'<html lang="{language}">' in shown.stdout
    text = Page(shown.stdout.replace("<!DOCTYPE html>", "")).text
    for word in words:
        assert word in text


def test_what_is_experimental_is_marked_and_explained(tmp_path: Path) -> None:
    composed = violation(
        tmp_path,
        1,
        basis="composition",
        class_names=["apple", "umbrella"],
        experimental=True,
        signs=["dwell", "seller", "canopy", "goods"],
    )
    root = run_folder(tmp_path, [entry()], [violation(tmp_path, 0), composed])
    run = json.loads((root / "run.json").read_text("utf-8"))
    run["models"][0]["experimental"] = ["heap"]
    (root / "run.json").write_text(json.dumps(run), "utf-8")
    page = report(root)
    # The legend, one card and the model's class.
    assert len([a for _, a in page.elements if a.get("class") == "trial"]) == 3
    assert "several things found together suggest it. Look twice." in page.text
    assert "things found together : apple, umbrella" in page.text
    assert "seller canopy goods" in page.text
    for key in ("experimental", "experimental_note", "basis.composition", "sign.seller"):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in TEXT[key][1])


def test_without_anything_experimental_nothing_is_marked(tmp_path: Path) -> None:
    page = report(run_folder(tmp_path, [entry()], [violation(tmp_path, 0)]))
    assert not [a for _, a in page.elements if a.get("class") == "trial"]
    assert "Look twice" not in page.text
