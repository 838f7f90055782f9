"""How quick the page is in Chromium: first paint, a picture shown, zoom, pan and window in frames per second.

    python benchmarks/page.py
    python benchmarks/page.py --url http://127.0.0.1:8000/   # a server that runs, with the case that it opens on

Without --url a made-up server (tests/web/browser/fake_server.py) shows a noisy picture of --size with three findings:
what is measured is the page alone. Chromium runs without a window and, on a machine without a graphics processor, draws
in software. A frame is from one answer of requestAnimationFrame to the next, while every one of them brings a wheel
turn or a move of the pointer; 60 per second is the most that Chromium gives. An upload is a PNG of --size, until it is
seen and until its findings are listed; the server's own time for decoding, and of a real one the model's, is in it.
"""

import argparse
import io
import shutil
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from segtumor.texts import aligned_table

FAKE = Path(__file__).parent.parent / "tests" / "web" / "browser"
SCREENS = {"laptop": (1280, 720, 1), "reading room": (1920, 1080, 1), "fine screen": (1920, 1080, 2)}
#: Times in ms from frame to frame while a gesture goes on; the pointer is captured only where there is a real one.
MOVING = """async ([kind, frames]) => {
  const view = document.querySelector(".viewport");
  const box = view.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  Element.prototype.setPointerCapture = () => {};
  const send = (name, more) => view.dispatchEvent(new PointerEvent(name, { pointerId: 1, bubbles: true, ...more }));
  const button = kind === "window" ? 2 : 0;
  if (kind !== "zoom") send("pointerdown", { clientX: x, clientY: y, button });
  const times = [];
  let last = performance.now();
  for (let i = 0; i < frames; i++) {
    const wheel = { deltaY: i < frames / 2 ? -60 : 60, clientX: x + 50, clientY: y + 30, bubbles: true };
    if (kind === "zoom") view.dispatchEvent(new WheelEvent("wheel", wheel));
    else send("pointermove", { clientX: x + 120 * Math.sin(i / 9), clientY: y + 80 * (Math.cos(i / 7) - 1) });
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  if (kind !== "zoom") send("pointerup", { clientX: x, clientY: y, button });
  return times;
}"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main() -> None:
    arguments = _arguments()
    address = arguments.url or _made_up(_noise(*arguments.size))
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is not installed (Debian, Ubuntu: apt install chromium)")
    rows = []
    gray = _noise(*arguments.size)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (width, height, ratio) in SCREENS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=ratio)
            rows += _measured(name, context.new_page(), address, arguments.frames)
            context.close()
        rows += _uploaded(browser.new_page(viewport={"width": 1280, "height": 720}), address, gray)
        print(f"Chromium {browser.version}, {arguments.frames} frames of each gesture")
        browser.close()
    print(*aligned_table([["screen", "what", "median", "95 %", "frames per second"], *rows], "<<>"), sep="\n")


def _measured(screen: str, page: Page, address: str, frames: int) -> list[list[str]]:
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".viewport:not(.blank)")
    shown = time.perf_counter() - start
    rows = [
        [screen, "first paint", f"{page.evaluate(PAINT):.0f} ms", "", ""],
        [screen, "address to picture", f"{1000 * shown:.0f} ms", "", ""],
    ]
    page.wait_for_timeout(500)
    for kind in ("zoom", "pan", "window"):
        times = page.evaluate(MOVING, [kind, frames])
        slow = float(np.quantile(times, 0.95))
        rate = 1000 * len(times) / sum(times)
        rows.append([screen, kind, f"{statistics.median(times):.1f} ms", f"{slow:.1f} ms", f"{rate:.0f}"])
    return rows


def _uploaded(page: Page, address: str, gray: NDArray[np.uint16]) -> list[list[str]]:
    page.goto(address)
    page.wait_for_selector(".viewport:not(.blank)")
    stream = io.BytesIO()
    Image.fromarray((gray >> 8).astype(np.uint8)).save(stream, "PNG", compress_level=1)
    start = time.perf_counter()
    page.locator("#files").set_input_files([{"name": "fresh.png", "mimeType": "", "buffer": stream.getvalue()}])
    page.get_by_role("heading", name="fresh").wait_for()
    page.wait_for_selector(".viewport:not(.blank)")
    seen = time.perf_counter() - start
    page.locator("#summary", has_text="above").wait_for()
    found = time.perf_counter() - start
    times = {"upload to picture": seen, "upload to findings": found}
    return [["laptop", what, f"{1000 * seconds:.0f} ms", "", ""] for what, seconds in times.items()]


def _noise(width: int, height: int) -> NDArray[np.uint16]:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 900, (height, width))
    gray: NDArray[np.uint16] = (
        (32768 + 20000 * np.sin(x / 90) * np.cos(y / 70) + noise).clip(0, 65535).astype(np.uint16)
    )
    return gray


def _made_up(gray: NDArray[np.uint16]) -> str:
    sys.path.insert(0, str(FAKE))
    import fake_server
    import fake_world

    height, width = gray.shape
    world = fake_world.World()
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radii = [(0.15 + 0.04 * i) * min(width, height) for i in range(3)]
    outlines = [[(width / 2 + r * np.cos(a), height / 2 + r * np.sin(a)) for a in angles] for r in radii]
    world.add("large", gray, [fake_world.finding(i, "benign", 0.8, outline) for i, outline in enumerate(outlines)])
    return str(fake_server.serve(world)[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a page that is served already")
    parser.add_argument("--size", nargs=2, type=int, default=(2000, 2500), metavar=("W", "H"), help="px (2000 2500)")
    parser.add_argument("--frames", type=int, default=120)
    return parser.parse_args()


if __name__ == "__main__":
    main()
