"""The viewer in a real browser: pixels, outlines, windows, zoom, heat, distances."""

import numpy as np
import pytest
from fake_world import World, finding, phantom_world, square
from screens import colour, drag, on_screen, pixels, place

pytestmark = pytest.mark.browser

WH = (120, 80)
#: Four quarters of one gray each: top left, top right, bottom left, bottom right.
GRAYS = ((40, 90), (160, 220))


def quarters():
    gray = np.zeros((WH[1], WH[0]), dtype=np.uint16)
    for row, grays in enumerate(GRAYS):
        for column, value in enumerate(grays):
            gray[row * 40 : (row + 1) * 40, column * 60 : (column + 1) * 60] = 257 * value
    return gray


def world(findings=(), **more):
    made = World()
    made.add("quarters", quarters(), list(findings), **more)
    return made


def shown_grays(page, **turned):
    picture = pixels(page)
    middles = [[place(page, WH, (30 + 60 * c, 20 + 40 * r), **turned) for c in range(2)] for r in range(2)]
    return tuple(tuple(int(colour(picture, at)[0]) for at in row) for row in middles)


def ready(page):
    page.wait_for_selector(".viewport:not(.blank)")


def test_gray_values_are_shown_as_they_are_inverted_turned_and_mirrored(serve, open_page):
    page = open_page(serve(world()))
    ready(page)
    assert shown_grays(page) == GRAYS
    page.keyboard.press("i")
    assert shown_grays(page) == tuple(tuple(255 - value for value in row) for row in GRAYS)
    page.keyboard.press("0")
    page.keyboard.press("r")
    assert shown_grays(page, turns=1) == GRAYS
    page.keyboard.press("h")  # turned by 90 degrees, then left and right swapped: mirrored, then turned by 270
    assert shown_grays(page, turns=3, mirrored=True) == GRAYS
    page.keyboard.press("0")
    assert shown_grays(page) == GRAYS


def test_a_window_is_black_below_white_above_and_linear_between(serve, open_page):
    made = world()
    made.images["i-0"]["window"] = [257 * 90, 257 * 190]
    page = open_page(serve(made))
    ready(page)
    assert shown_grays(page) == ((0, 0), (179, 255))  # 70 of 100 steps are 178.5
    text = page.locator(".bottomright").first
    before = text.inner_text()
    drag(page, on_screen(page, WH, (60, 40)), on_screen(page, WH, (90, 40)), button="right")
    assert text.inner_text().split("L")[0] != before.split("L")[0]  # wider
    assert page.locator("#preset").input_value() == "own"
    page.keyboard.press("w")
    assert page.locator("#preset").input_value() == "auto"


def test_outlines_lie_where_they_belong(serve, open_page):
    page = open_page(serve(world([finding(0, "malignant", 0.8, square(20, 10, 50, 30))])))
    ready(page)
    page.keyboard.press("n")  # chosen, its line is wider than two pixels, so that one is all colour
    picture = pixels(page)
    for corner in ((35, 10), (35, 30), (20, 20), (50, 20)):
        x, y = place(page, WH, corner)
        near = picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].reshape(-1, 3)
        assert np.abs(near - [213, 94, 0]).sum(axis=1).min() < 12  # vermillion, the class's colour
    inside, outside = colour(picture, place(page, WH, (35, 20))), colour(picture, place(page, WH, (55, 35)))
    assert inside[0] - inside[2] > 15 and tuple(outside) == (40, 40, 40)
    page.keyboard.press("o")
    assert tuple(colour(pixels(page), place(page, WH, (35, 20)))) == (40, 40, 40)


def test_the_slider_filters_without_the_server_and_says_so_in_words(serve, open_page):
    made = world(
        [finding(i, "benign", score, square(5 + 20 * i, 5, 20 + 20 * i, 20)) for i, score in enumerate((0.9, 0.5, 0.1))]
    )
    page = open_page(serve(made))
    ready(page)
    page.wait_for_selector("[data-testid=finding]")
    asked = len(made.requests)
    findings, summary = page.get_by_test_id("finding"), page.get_by_test_id("summary")
    assert findings.count() == 2 and summary.inner_text() == "2 findings at or above 0.37"
    page.get_by_test_id("threshold").fill("0.05")
    assert findings.count() == 3 == page.locator(".outline").count()
    page.get_by_test_id("threshold").fill("0.95")
    assert findings.count() == 0 == page.locator(".outline").count()
    assert summary.inner_text() == "No finding above 0.95. The highest score is 0.90."
    page.get_by_role("button", name="specificity 0.71").click()
    assert findings.count() == 1 and page.get_by_test_id("threshold-value").inner_text() == "0.71"
    assert [request for request in made.requests[asked:] if "/cases" not in request[1]] == []


def test_the_wheel_zooms_about_the_pointer_and_a_drag_moves(serve, open_page):
    page = open_page(serve(world()))
    ready(page)
    at = on_screen(page, WH, (90.5, 20.5))  # in the top right quarter
    page.mouse.move(*at)
    where = page.locator(".bottomleft").first
    before = where.inner_text()
    for _ in range(4):
        page.mouse.wheel(0, -300)
    page.wait_for_timeout(50)
    page.mouse.move(at[0] + 0.5, at[1])
    assert where.inner_text().split("gray")[0].split() == before.split("gray")[0].split()
    box = page.get_by_test_id("viewport-first").bounding_box()
    assert np.ptp(pixels(page)[60:-60, 60:-60, 0]) == 0  # nothing but that quarter, enlarged; words are in the corners
    drag(page, at, (at[0] + 200, at[1]))
    page.keyboard.press("f")
    assert shown_grays(page) == GRAYS and box["width"] > 500


def test_distances_are_in_mm_where_the_spacing_is_known(serve, open_page):
    page = open_page(serve(world(spacing=[0.5, 0.2])))
    ready(page)
    page.keyboard.press("m")
    drag(page, on_screen(page, WH, (10, 40)), on_screen(page, WH, (110, 40)))
    assert float(page.get_by_test_id("distance").text_content().removesuffix(" mm")) == pytest.approx(
        100 * 0.2, abs=0.1
    )
    drag(page, on_screen(page, WH, (60, 10)), on_screen(page, WH, (60, 70)))
    assert float(page.get_by_test_id("distance").text_content().removesuffix(" mm")) == pytest.approx(60 * 0.5, abs=0.2)
    page.keyboard.press("Delete")
    assert page.get_by_test_id("distance").count() == 0


def test_two_views_heat_and_a_warning(serve, open_page, until):
    page = open_page(serve(phantom_world(cases=3, size_px=96)))
    ready(page)
    page.get_by_test_id("case").nth(2).get_by_role("button").click()
    page.wait_for_selector("[data-testid=note]")
    page.keyboard.press("t")
    until(page, lambda: page.locator(".viewport:not(.blank)").count() == 2)
    zooms = page.locator(".bottomright")
    fitted = zooms.nth(1).inner_text()
    page.keyboard.press("+")
    page.wait_for_timeout(60)
    assert zooms.nth(0).inner_text() == zooms.nth(1).inner_text() != fitted
    page.keyboard.press("g")
    until(page, lambda: page.locator("canvas.heat").count() == 2)
    assert page.locator(".legend").is_visible()
    picture = pixels(page, "second")
    assert int(np.ptp(colour(picture, (picture.shape[1] / 2, picture.shape[0] / 2)))) >= 40  # hot, and so not gray
