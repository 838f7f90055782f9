"""The worklist in a real browser: uploads, files that are refused, hundreds of cases, keys, and how it looks."""

import io

import numpy as np
import pytest
from fake_world import World, finding, phantom_world, square
from PIL import Image
from test_page_viewing import quarters, ready

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror='window.broken = 1'>"


def png(shade=90):
    stream = io.BytesIO()
    Image.fromarray(np.full((60, 80), shade, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def upload(page, *files):
    page.locator("#files").set_input_files(
        [{"name": name, "mimeType": "", "buffer": content} for name, content in files]
    )


def test_an_upload_is_read_and_a_bad_file_is_named_as_text(serve, open_page, until):
    world = World()
    world.full_for, world.reading_seconds = 1, 0.3
    page = open_page(serve(world))
    until(page, lambda: "Drop radiographs" in page.locator("#no-cases-text").inner_text())
    upload(page, ("knee.png", png()), (f"{SCRIPT}.txt", b"no picture"))
    until(page, lambda: "queue is full" in page.locator("#upload-text").inner_text())
    page.wait_for_selector("[data-testid=finding]")
    assert page.get_by_test_id("refused").inner_text() == f"{SCRIPT}.txt is neither a picture nor a DICOM file"
    assert page.locator("#upload-text").inner_text() == "1 of 2 files received"
    assert page.get_by_test_id("summary").inner_text() == "1 finding at or above 0.37"
    upload(page, ("bad.png", b"no picture either"))
    until(page, lambda: page.get_by_test_id("refused").count() == 2)


def test_folders_are_dropped_with_all_that_is_in_them(serve, open_page):
    """Entries as the browser gives them for folders; a real drop cannot be made by a script."""
    page = open_page(serve(World()))
    names = page.evaluate("""async () => {
      const { filesOf } = await import("/static/dropped.js");
      const made = (path) => new File(["x"], path.split("/").pop());
      const file = (path) => ({ isFile: true, fullPath: path, file: (done) => done(made(path)) });
      const folder = (path, children) => ({ isFile: false, fullPath: path, createReader: () => {
        const parts = [children.slice(0, 1), children.slice(1), []];
        return { readEntries: (done) => done(parts.shift()) };
      } });
      const tree = folder("/a", [file("/a/10.png"), folder("/a/b", [file("/a/b/1.dcm")]), file("/a/2.png")]);
      const items = [tree, file("/z.zip")].map((entry) => ({ kind: "file", webkitGetAsEntry: () => entry }));
      return (await filesOf({ items, files: [] })).map((file) => file.name);
    }""")
    assert names == ["2.png", "10.png", "1.dcm", "z.zip"]


def test_hundreds_of_cases_are_paged_sorted_and_searched(serve, open_page, until):
    world = World()
    for i in range(230):
        world.add(f"case{i:03d}", quarters(), [finding(0, "benign", round(0.2 + i / 400, 3), square(20, 10, 50, 30))])
    page = open_page(serve(world))
    ready(page)
    rows, text = page.get_by_test_id("case"), page.locator("#page-text")
    assert rows.count() == 100 and text.inner_text() == "1–100 of 230"
    page.locator("#sort").select_option("malignant")
    until(page, lambda: "case229" in rows.first.inner_text())
    page.locator("#sort").select_option("arrival")
    until(page, lambda: "case000" in rows.first.inner_text())
    page.keyboard.press("j")
    page.wait_for_selector(".case:nth-child(2) [aria-current]")
    page.get_by_role("button", name="Next page").click()
    until(page, lambda: text.inner_text() == "101–200 of 230")
    page.keyboard.press("/")
    page.keyboard.type("case007")
    until(page, lambda: rows.count() == 1 and text.inner_text() == "1–1 of 1")
    assert "all (230)" in page.locator("#status option").first.inner_text()


def test_rows_that_stay_are_kept(serve, open_page, until):
    world = phantom_world(cases=3, size_px=64)
    page = open_page(serve(world))
    ready(page)
    page.evaluate("for (const row of document.querySelectorAll('.case')) row.mark = 1")
    world.add("another", quarters(), [], done=False)
    page.keyboard.type("xq")  # a save asks for the list again
    until(page, lambda: page.get_by_test_id("case").count() == 4)
    assert page.evaluate("[...document.querySelectorAll('.case')].map((row) => row.mark ?? 0)") == [1, 1, 1, 0]


def test_what_others_wrote_is_text(serve, open_page):
    world = World()
    found = finding(0, "benign", 0.8, square(20, 10, 50, 30))
    world.add(f"{SCRIPT}", quarters(), [found], notes=[{"code": "x", "text": SCRIPT}])
    world.images["i-0"].update(
        patient={"name": SCRIPT, "id": SCRIPT, "birth_date": ""}, spacing_mm=[1, 1], spacing_source=SCRIPT
    )
    judged = {"origin": 0, "verdict": "edited", "class": SCRIPT, "outlines": found["outlines"], "comment": SCRIPT}
    world.images["i-0"]["review"] = {
        "revision": 1,
        "findings": [judged],
        "comment": SCRIPT,
        "user": SCRIPT,
        "saved": "2026-01-01T12:00:00Z",
    }
    page = open_page(serve(world))
    ready(page)
    page.keyboard.press("n")
    for place in (
        "#image-name",
        ".case-name",
        ".note",
        ".finding-class",
        ".outlines text",
        ".topleft",
        "#facts",
        "#reviewed",
    ):
        assert SCRIPT in page.locator(place).first.text_content()
    assert page.evaluate("window.broken") is None and page.locator("img[src=x]").count() == 0


def test_every_key_does_something_and_is_explained(serve, open_page):
    page = open_page(serve(phantom_world(cases=1, size_px=64)))
    ready(page)
    commands = page.evaluate("import('/static/keys.js').then(({ KEYS }) => KEYS.map(([, command]) => command))")
    known = page.evaluate("import('/static/commands.js').then(({ COMMANDS }) => Object.keys(COMMANDS))")
    assert sorted(set(commands)) == sorted(known)
    page.keyboard.press("?")
    assert page.locator("#help dt").count() == len(commands)
    page.keyboard.press("Escape")
    page.locator("#search").focus()
    page.keyboard.type("x1")  # letters in a field are letters
    assert page.locator("#search").input_value() == "x1"


#: Lowest contrast of every text that is seen, against the nearest ground that is not transparent (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const channels = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(e).backgroundColor);
      if (a > 0.9) return [r, g, b];
    }
    return [0, 0, 0];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    const seen = element.checkVisibility({ visibilityProperty: true }) && !element.closest("svg, :disabled, option");
    if (!node.data.trim() || !seen) continue;
    const [p, q] = [light(channels(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    found.push([(p + 0.05) / (q + 0.05), node.data.trim().slice(0, 40)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


def test_text_has_contrast_and_controls_have_names(serve, open_page, until):
    world = phantom_world(cases=3, size_px=64)
    world.images["i-1"].update(status="failed", reason="The model failed.", reading=None)
    page = open_page(serve(world))
    ready(page)
    page.keyboard.press("j")
    page.wait_for_selector("[data-testid=finding]")
    page.keyboard.type("nag")
    page.wait_for_selector("[data-testid=save][data-state=saved]")
    upload(page, ("bad.png", b"no picture"))
    page.wait_for_selector("[data-testid=refused]")
    page.locator("#export-menu summary").click()
    seen = page.evaluate(CONTRAST)
    page.locator("#open-help").click()
    seen += page.evaluate(CONTRAST)
    assert len(seen) > 120 and [item for item in seen if item[0] < 4.5] == []
    unnamed = page.evaluate("""() => [...document.querySelectorAll("button, input, select, textarea, a")].filter((e) =>
      !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)""")
    assert unnamed == []
