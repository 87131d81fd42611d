"""The zone editor: drawn by mouse and by keyboard, judged as the API judges, never over others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from served_pages import ServedPages

from service.store.cameras import add_camera, camera_of, change_camera
from service.store.tables import CameraRow, Role
from vision.site import Camera
from vision.zones import Purpose, Zone

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BAYS = Zone(id="bays", purpose=Purpose.PARKING_BAY, points=((0.6, 0.6), (0.9, 0.6), (0.9, 0.9)))


@pytest.fixture
def editor(window: BrowserContext, pages: ServedPages, request: pytest.FixtureRequest) -> Page:
    """The editor of a new camera, before a picture from a file."""
    name = request.node.name.replace("test_", "")[:40]
    with pages.database.write() as session:
        add_camera(session, Camera(id=name, zones=(BAYS,)), datetime.now(UTC), enabled=False)
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto(f"/ui/zones?camera={name}")
    expect(page.locator("svg polygon")).to_have_count(1)
    return page


@pytest.fixture
def picture(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), np.full((480, 640, 3), 90, np.uint8))
    return path


def stored(page: Page, pages: ServedPages) -> Camera:
    with pages.database.read() as session:
        return camera_of(session.get_one(CameraRow, page.url.partition("camera=")[2]))


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    box = page.locator(".jx-canvas svg").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def choose_purpose(page: Page, name: str) -> None:
    page.get_by_role("button", name="Draw a zone").click()
    page.get_by_role("menuitem", name=name).or_(
        page.locator(".q-menu .q-item", has_text=name)
    ).first.click()
    expect(page.locator(".jx-canvas-draws")).to_be_visible()
    expect(page.locator(".q-menu")).to_have_count(0)


def test_a_polygon_is_drawn_and_moved_by_mouse_then_saved(
    editor: Page, pages: ServedPages, picture: Path
) -> None:
    editor.get_by_label("Picture from a file").set_input_files(picture)
    expect(editor.locator(".jx-canvas svg")).to_have_attribute("viewBox", "0 0 640 480")
    choose_purpose(editor, "Footway")
    for point in ((0.1, 0.2), (0.4, 0.2), (0.4, 0.5), (0.1, 0.5)):
        editor.mouse.click(*at(editor, *point), delay=30)
    editor.keyboard.press("Enter")
    card = editor.get_by_role("article").filter(has_text="footway")
    expect(card.get_by_label("Name")).to_have_value("footway")

    editor.mouse.move(*at(editor, 0.4, 0.5))
    editor.mouse.down()
    editor.mouse.move(*at(editor, 0.45, 0.6), steps=4)
    editor.mouse.up()
    editor.mouse.move(*at(editor, 0.25, 0.2))
    editor.mouse.down()
    editor.mouse.move(*at(editor, 0.25, 0.1), steps=4)
    editor.mouse.up()
    expect(editor.locator("[data-point]")).to_have_count(5)
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_text("hold from now on")).to_be_visible()
    zone = stored(editor, pages).zones[1]
    assert zone.purpose is Purpose.FOOTWAY
    assert np.allclose(
        zone.points, [(0.1, 0.2), (0.25, 0.1), (0.4, 0.2), (0.45, 0.6), (0.1, 0.5)], atol=0.01
    )


def test_everything_can_be_done_by_keyboard(editor: Page, pages: ServedPages) -> None:
    choose_purpose(editor, "Hoarding line")
    editor.get_by_role("button", name="Put one in the middle").press("Enter")
    editor.get_by_label("Length").fill("120")
    editor.get_by_label("Length").blur()
    point = editor.locator("[data-point='0']")
    point.focus()
    point.press("Shift+ArrowLeft")
    point.press("ArrowUp")
    point.press("Insert")
    expect(editor.locator("[data-point]")).to_have_count(3)
    editor.keyboard.press("Control+z")
    expect(editor.locator("[data-point]")).to_have_count(2)
    editor.keyboard.press("Control+Shift+z")
    expect(editor.locator("[data-point]")).to_have_count(3)
    editor.get_by_role("button", name="Save").press("Enter")
    expect(editor.get_by_text("hold from now on")).to_be_visible()
    zone = stored(editor, pages).zones[1]
    assert (zone.purpose, zone.length_m) == (Purpose.HOARDING_LINE, 120)
    assert zone.points[0] == (0.25, 0.495)


def test_no_stroke_of_many_in_a_row_is_lost(editor: Page, pages: ServedPages) -> None:
    choose_purpose(editor, "Footway")
    editor.get_by_role("button", name="Put one in the middle").press("Enter")
    point = editor.locator("[data-point='0']")
    point.focus()
    for _ in range(5):
        for _ in range(8):
            editor.keyboard.press("ArrowUp", delay=1)
            editor.keyboard.press("ArrowLeft")
        editor.wait_for_timeout(20)
    expect(point).to_have_attribute("aria-label", "Point 1: 15 %, 15 %")
    editor.get_by_role("button", name="Save").press("Enter")
    expect(editor.get_by_text("hold from now on")).to_be_visible()
    assert stored(editor, pages).zones[1].points[0] == (0.15, 0.15)


def test_a_zone_is_drawn_and_a_point_moved_by_touch(chromium: Browser, pages: ServedPages) -> None:
    with pages.database.write() as session:
        add_camera(session, Camera(id="tablet"), datetime.now(UTC), enabled=False)
    tablet = chromium.new_context(
        base_url=pages.url,
        locale="en-US",
        viewport={"width": 1024, "height": 768},
        has_touch=True,
    )
    pages.log_in(tablet, Role.SUPERVISOR)
    page = tablet.new_page()
    page.goto("/ui/zones?camera=tablet")
    choose_purpose(page, "Footway")
    for point in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6)):
        page.touchscreen.tap(*at(page, *point))
    page.get_by_role("button", name="Finish").tap()
    expect(page.locator("[data-point]")).to_have_count(3)
    finger = tablet.new_cdp_session(page)
    for kind, point in (("Start", (0.6, 0.6)), ("Move", (0.7, 0.7)), ("Move", (0.8, 0.8))):
        x, y = at(page, *point)
        event = {"type": f"touch{kind}", "touchPoints": [{"x": x, "y": y}]}
        finger.send("Input.dispatchTouchEvent", event)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("[data-point='2']")).to_have_attribute("aria-label", "Point 3: 80 %, 80 %")
    tablet.close()


def test_what_is_wrong_is_told_at_the_zone_and_cannot_be_saved(editor: Page) -> None:
    choose_purpose(editor, "Green")
    for point in ((0.1, 0.1), (0.4, 0.4), (0.4, 0.1), (0.1, 0.4)):
        editor.mouse.click(*at(editor, *point), delay=30)
    editor.keyboard.press("Enter")
    card = editor.get_by_role("article").filter(has_text="green")
    expect(card.get_by_role("alert")).to_have_text("It crosses itself.")
    expect(editor.get_by_role("button", name="Save")).to_be_disabled()
    name = card.get_by_label("Name")
    name.fill("bays")
    name.blur()
    expect(editor.get_by_text("Another zone has this name.")).to_have_count(2)
    editor.get_by_role("button", name="Undo").click()
    editor.get_by_role("button", name="Undo").click()
    expect(editor.get_by_role("article")).to_have_count(1)


def test_hours_and_permits_have_fields_with_what_is_wrong_beside_them(
    editor: Page, pages: ServedPages
) -> None:
    choose_purpose(editor, "Permitted vending")
    editor.get_by_role("button", name="Put one in the middle").click()
    card = editor.get_by_role("article").filter(has_text="permitted_vending")
    hours = card.get_by_role("group", name="When it holds")
    expect(hours).to_contain_text("At all hours.")
    hours.get_by_role("button", name="Add hours").click()
    for day in ("Sat", "Sun"):
        hours.get_by_role("button", name=day).click()
    fill(hours.get_by_label("From", exact=True).first, "17:30")
    fill(hours.get_by_label("To", exact=True), "25:00")
    expect(hours.get_by_role("alert")).to_have_text(
        "This is no time. Write it as 17:30, up to 24:00."
    )
    expect(editor.get_by_role("button", name="Save")).to_be_disabled()
    fill(hours.get_by_label("To", exact=True), "22:00")
    expect(hours.get_by_role("alert")).to_have_count(0)
    hours.get_by_role("button", name="Add special days").click()
    special = hours.get_by_role("group", name="Special days")
    fill(special.get_by_label("From", exact=True), "2026-10-01")
    fill(special.get_by_label("Until"), "2026-09-30")
    expect(special.get_by_role("alert")).to_have_text("The last day lies before the first.")
    fill(special.get_by_label("Until"), "2026-10-07")

    permits = card.get_by_role("group", name="Permits")
    permits.get_by_role("button", name="Add a permit").click()
    fill(permits.get_by_label("Holder"), "Zhang San")
    fill(permits.get_by_label("Last day"), "2026-12-31")
    permits.get_by_role("button", name="Add a permit").click()
    second = permits.get_by_role("group", name="Permit 2")
    fill(second.get_by_label("Number"), "P-1")
    expect(card.get_by_role("alert")).to_have_text("Two permits have the same number.")
    second.get_by_role("button", name="Take permit 2 away").click()
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_text("hold from now on")).to_be_visible()

    zone = stored(editor, pages).zones[1]
    assert zone.schedule is not None
    (window,) = zone.schedule.windows or ()
    assert window.days == ("mon", "tue", "wed", "thu", "fri")
    assert (window.opens, window.closes) == (17.5 * 3600, 22 * 3600)
    (days,) = zone.schedule.special_days
    assert (str(days.first), str(days.last), days.windows) == ("2026-10-01", "2026-10-07", ())
    (permit,) = zone.permits
    assert (permit.id, permit.holder, str(permit.last)) == ("P-1", "Zhang San", "2026-12-31")


def fill(field: Locator, text: str) -> None:
    field.fill(text)
    field.blur()


def test_what_someone_else_drew_is_not_lost(editor: Page, pages: ServedPages) -> None:
    choose_purpose(editor, "Green")
    editor.get_by_role("button", name="Put one in the middle").click()
    theirs = Zone(id="theirs", purpose=Purpose.SITE, points=BAYS.points)
    name = editor.url.partition("camera=")[2]
    with pages.database.write() as session:
        row = session.get_one(CameraRow, name)
        camera = camera_of(row).model_copy(update={"zones": (theirs,)})
        change_camera(row, camera, datetime.now(UTC), enabled=False)
    editor.get_by_role("button", name="Save").click()
    dialog = editor.get_by_role("dialog", name="Someone changed this camera meanwhile")
    dialog.get_by_role("button", name="Take theirs").click()
    expect(editor.get_by_role("article").filter(has_text="theirs")).to_be_visible()
    assert stored(editor, pages).zones == (theirs,)


def test_the_editor_goes_from_camera_to_camera(editor: Page, pages: ServedPages) -> None:
    with pages.database.write() as session:
        other = Camera(id="another", name="South gate")
        add_camera(session, other, datetime.now(UTC), enabled=False)
    editor.reload()
    editor.get_by_role("combobox", name="Camera").click()
    editor.get_by_role("option", name="South gate").click()
    editor.wait_for_url(f"{pages.url}/ui/zones?camera=another")
    expect(editor.get_by_text("No zone is drawn yet.")).to_be_visible()


def test_reviewers_draw_nothing(window: BrowserContext, pages: ServedPages) -> None:
    pages.log_in(window, Role.REVIEWER)
    answer = window.request.get("/ui/zones")
    assert answer.status == 403
