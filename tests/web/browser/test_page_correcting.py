"""Reading and correcting in a real browser: what the server is sent, and what survives."""

import itertools
import time

import pytest
from fake_world import World, finding, square
from screens import drag, on_screen
from test_page_viewing import WH, quarters, ready

pytestmark = pytest.mark.browser

SQUARE = square(20, 10, 50, 30)


@pytest.fixture
def world():
    made = World()
    made.add(
        "quarters",
        quarters(),
        [finding(0, "benign", 0.8, SQUARE), finding(1, "malignant", 0.5, square(80, 40, 110, 70))],
    )
    return made


def open_ready(serve, open_page, world, **options):
    page = open_page(serve(world), **options)
    ready(page)
    page.wait_for_selector("[data-testid=finding]")
    return page


def saved(page, until, world, count):
    """The last body, once ``count`` saves have come and the page says so."""
    until(page, lambda: len(world.puts) >= count)
    page.wait_for_selector("[data-testid=save][data-state=saved]")
    assert len(world.puts) == count
    return world.puts[-1]


def verdicts(body):
    return [(item["origin"], item["verdict"], item["class"]) for item in body["findings"]]


def test_verdicts_class_and_comments_are_saved_at_once_and_come_back(serve, open_page, world, until):
    page = open_ready(serve, open_page, world)
    page.keyboard.press("n")
    page.keyboard.press("a")
    first = saved(page, until, world, 1)
    assert first["revision"] == 0 and verdicts(first) == [(0, "accepted", "benign")]
    assert first["findings"][0]["outlines"] == [[list(point) for point in SQUARE]]
    page.keyboard.press("c")
    assert verdicts(saved(page, until, world, 2)) == [(0, "edited", "malignant")]
    page.keyboard.press("n")
    page.keyboard.press("x")
    assert verdicts(saved(page, until, world, 3)) == [(0, "edited", "malignant"), (1, "rejected", "malignant")]
    page.locator(".finding.chosen .comment").fill("not a lesion")
    body = saved(page, until, world, 4)
    assert (body["revision"], body["findings"][1]["comment"]) == (3, "not a lesion")
    page.locator("#image-name").click()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    assert saved(page, until, world, 5)["findings"][1]["comment"] == ""
    page.reload()
    page.wait_for_selector(".finding.edited")
    assert page.locator(".finding.rejected").count() == 1
    assert "read by A. Reader" in page.locator("#reviewed").inner_text()
    assert page.locator(".outline.edited .model").get_attribute("d")  # the model's own answer, dashed beside it


@pytest.mark.parametrize(("keys", "turned"), [("", {}), ("rh", {"turns": 3, "mirrored": True})])
def test_a_corner_is_dragged_added_and_removed(serve, open_page, world, until, keys, turned):
    page = open_ready(serve, open_page, world)
    page.keyboard.type(f"{keys}ne")
    drag(page, on_screen(page, WH, (20, 10), **turned), on_screen(page, WH, (10, 5), **turned))
    moved = saved(page, until, world, 1)["findings"][0]
    assert moved["verdict"] == "edited" and (corners := moved["outlines"][0])
    assert corners[0] == pytest.approx([10, 5], abs=0.3) and corners[1:] == [list(point) for point in SQUARE[1:]]
    drag(page, on_screen(page, WH, (50, 20), **turned), on_screen(page, WH, (56, 20), **turned))  # the middle of a side
    corners = saved(page, until, world, 2)["findings"][0]["outlines"][0]
    assert len(corners) == 5 and corners[2] == pytest.approx([56, 20], abs=0.3)
    page.keyboard.press("Delete")  # the corner that was dragged last
    assert len(saved(page, until, world, 3)["findings"][0]["outlines"][0]) == 4
    page.keyboard.press("n")
    page.keyboard.press("Shift+ArrowRight")
    saved(page, until, world, 4)
    page.mouse.move(*on_screen(page, WH, (50, 30), **turned))
    page.keyboard.down("Alt")
    page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Alt")
    assert len(saved(page, until, world, 5)["findings"][0]["outlines"][0]) == 3


def test_fingers_zoom_drag_a_corner_and_remove_one(serve, open_page, world, until):
    page = open_ready(serve, open_page, world, has_touch=True)
    screen = page.context.new_cdp_session(page)

    clock = itertools.count(time.time(), 0.05)  # a double tap is one however busy the machine is

    def touch(kind, *points):
        fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers, "timestamp": next(clock)})

    zoom = page.locator(".bottomright").first
    fitted = float(zoom.inner_text().split()[-2])
    page.keyboard.type("ne")
    x, y = on_screen(page, WH, (20, 10))
    touch("touchStart", (x, y))
    touch("touchMove", (x - 30, y - 12))
    touch("touchEnd")
    moved = saved(page, until, world, 1)["findings"][0]["outlines"][0]
    assert moved[0] == pytest.approx([20 - 30 / (fitted / 100), 10 - 12 / (fitted / 100)], abs=0.3)
    for _ in range(2):
        touch("touchStart", on_screen(page, WH, (50, 30)))
        touch("touchEnd")
    assert len(saved(page, until, world, 2)["findings"][0]["outlines"][0]) == 3
    touch("touchStart", (500, 450), (700, 450))
    touch("touchMove", (450, 450), (750, 450))
    touch("touchEnd")
    until(page, lambda: float(zoom.inner_text().split()[-2]) == pytest.approx(1.5 * fitted, rel=0.02))


def test_a_missed_lesion_is_drawn_by_clicks_freehand_and_keys_and_deleted(serve, open_page, world, until):
    page = open_ready(serve, open_page, world)
    page.keyboard.press("d")
    for point in ((60, 10), (75, 10), (75, 25)):
        page.mouse.click(*on_screen(page, WH, point))
    page.keyboard.press("Enter")
    drawn = saved(page, until, world, 1)["findings"][0]
    assert (drawn["origin"], drawn["verdict"], drawn["class"]) == (None, "drawn", "benign")
    assert [pytest.approx(point, abs=0.3) for point in drawn["outlines"][0]] == [[60, 10], [75, 10], [75, 25]]
    page.keyboard.press("d")
    path = [(20, 50), (40, 50), (40, 70), (20, 70), (20, 55)]
    page.mouse.move(*on_screen(page, WH, path[0]))
    page.mouse.down()
    for point in path[1:]:
        page.mouse.move(*on_screen(page, WH, point), steps=6)
    page.mouse.up()
    assert 4 <= len(saved(page, until, world, 2)["findings"][1]["outlines"][0]) <= 8
    page.keyboard.press("Shift+D")
    assert len(saved(page, until, world, 3)["findings"][2]["outlines"][0]) == 8
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    assert len(saved(page, until, world, 4)["findings"]) == 2


def test_nothing_is_lost_while_the_server_does_not_save(serve, open_page, world, until):
    world.refuse_puts = 1
    page = open_ready(serve, open_page, world)
    leaving = "(() => { const e = new Event('beforeunload', {cancelable: true}); return !window.dispatchEvent(e); })()"
    assert page.evaluate(leaving) is False
    page.keyboard.type("na")
    page.wait_for_selector("[data-testid=save][data-state=failed]")
    assert page.get_by_test_id("save").locator("span").inner_text() == "Not saved: The disk is full. Free some space."
    world.refuse_puts = 1
    assert page.evaluate(leaving) is True  # and tries once more
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("[data-testid=save][data-state=saved]")
    assert verdicts(world.images["i-0"]["review"]) == [(0, "accepted", "benign")]
    assert page.evaluate(leaving) is False


def test_two_readers_at_once_keep_both(serve, open_page, world, until):
    page = open_ready(serve, open_page, world)
    theirs = {
        "origin": 1,
        "verdict": "rejected",
        "class": "malignant",
        "outlines": [square(80, 40, 110, 70)],
        "comment": "",
    }
    world.images["i-0"]["review"] = {
        "revision": 1,
        "findings": [theirs],
        "comment": "",
        "user": "<b>B</b>",
        "saved": "2026-01-01T12:00:00Z",
    }
    page.keyboard.type("na")
    dialog = page.get_by_test_id("conflict-dialog")
    dialog.wait_for()
    assert "<b>B</b> saved another review" in dialog.inner_text() and "1 rejected" in dialog.inner_text()
    dialog.get_by_role("button", name="Keep both").click()
    body = saved(page, until, world, 2)
    assert body["revision"] == 1 and sorted(verdicts(body)) == [(0, "accepted", "benign"), (1, "rejected", "malignant")]


def test_the_name_is_asked_once_and_what_is_left_is_accepted(serve, open_page, world, until):
    world.add("without", quarters(), [finding(0, "benign", 0.2, SQUARE)])
    page = open_ready(serve, open_page, world, user=None)
    page.keyboard.type("nx")
    page.get_by_label("Your name", exact=True).fill("Žofie Ωmega")
    page.keyboard.press("Enter")
    saved(page, until, world, 1)
    assert world.images["i-0"]["review"]["user"] == "Žofie Ωmega"
    assert page.locator("#reviewed").inner_text().startswith("1 finding to judge; last change by Žofie")
    page.get_by_role("button", name="Accept the rest").click()
    assert verdicts(saved(page, until, world, 2)) == [(0, "rejected", "benign"), (1, "accepted", "malignant")]
    page.keyboard.press("j")
    page.get_by_role("button", name="Read, nothing to add").click()
    assert saved(page, until, world, 3) == {"revision": 0, "findings": [], "comment": ""}
    assert not page.get_by_test_id("name-dialog").is_visible()
