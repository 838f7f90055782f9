#!/usr/bin/env python
"""How the server of the page holds out: many clients, many uploads, a large radiograph.

A page is started as a user starts it, with the shipped model, on this machine alone. It prints: how long a large
radiograph takes from its sending to its pixels and to its findings, beside the model's own time; whether many clients
at once get answers without an error of the server that equal those given one by one; how much memory hundreds of
uploads cost. Bounded in requests and time; ends the page it started.
"""

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = """examples:
  python benchmarks/page_server.py
  python benchmarks/page_server.py --uploads 100 --clients 10
"""
_WAIT_S = 600


def main(argv=None):
    """Run all; returns 0, or 1 where something was not as it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50, metavar="N", help="at once, four requests each (default 50)")
    parser.add_argument("--uploads", type=int, default=500, metavar="N", help="small radiographs (default 500)")
    parser.add_argument("--large", type=int, nargs=2, default=(2500, 2000), metavar=("HEIGHT", "WIDTH"), help="px")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as data, served(data) as (process, address):
        sound = [
            large_radiograph(address, arguments.large),
            many_clients(address, arguments.clients),
            many_uploads(address, process, arguments.uploads),
        ]
    return 0 if all(sound) else 1


@contextlib.contextmanager
def served(data):
    """A page with the shipped model: its process and its address."""
    command = [sys.executable, "-m", "segtumor", "serve", "--data", data, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split(" at ")[1].split(" ")[0].rstrip("/")
        finally:
            process.terminate()


def large_radiograph(address, size_hw):
    """Time of one large radiograph, the median of five that differ."""
    shown, found, own = [], [], []
    for seed in range(5):
        content = picture(size_hw, seed)
        started = time.perf_counter()
        image = send(address, f"large{seed}.png", content)
        asked(f"{address}{image['pixels']}")
        shown.append(time.perf_counter() - started)
        image = waited(address, image["id"])
        found.append(time.perf_counter() - started)
        own.append(image["reading"]["seconds"])
    shown_s, found_s, own_s = map(statistics.median, (shown, found, own))
    print(
        f"{size_hw[1]} x {size_hw[0]} px, {len(content) / 1e6:.1f} MB: pixels sent back {shown_s:.2f} s after sending,"
    )
    print(f"  findings after {found_s:.2f} s, of which reading and model {own_s:.2f} s (medians of 5)")
    return shown_s < 1 and found_s < own_s + 0.5


def many_clients(address, count):
    """Four requests of each client, all at once and then one by one: equal answers, no error of the server."""
    image = waited(address, send(address, "client.png", picture((512, 512), 99))["id"])["id"]
    paths = [f"/api/v1/images/{image}", f"/api/v1/images/{image}/pixels", "/api/v1/cases", "/api/v1/about"]

    def client(_):
        return [status_and_body(address + path) for path in paths]

    started = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(client, range(count)))
    seconds = time.perf_counter() - started
    serial = client(0)
    errors = sum(status >= 500 for answer in answers for status, _ in answer)
    equal = all(answer == serial for answer in answers)
    print(
        f"{count} clients with 4 requests each: {seconds:.1f} s, {errors} errors of the server, equal answers: {equal}"
    )
    return errors == 0 and equal


def many_uploads(address, process, count):
    """Memory of the process before and after hundreds of uploads, all read."""
    last = None
    for number in range(20):  # what is loaded or cached once is no growth
        last = send(address, "warm.png", picture((256, 256), 1000 + number))
    waited(address, last["id"])
    before, started = resident_mb(process), time.perf_counter()
    for number in range(count):
        last = send(address, f"{number}.png", picture((256, 256), 2000 + number))
    waited(address, last["id"])
    seconds, after = time.perf_counter() - started, resident_mb(process)
    failed = json.loads(asked(f"{address}/api/v1/cases"))["counts"]["failed"]
    print(f"{count} uploads read in {seconds:.0f} s: memory {before:.0f} -> {after:.0f} MB, {failed} failed")
    return after - before < 100 and failed == 0


def picture(size_hw, seed):
    """A PNG of noise over a bright bar, as a radiograph is: hard to compress."""
    pixels = np.random.default_rng(seed).normal(60, 12, size_hw)
    pixels[:, size_hw[1] // 3 : size_hw[1] // 2] += 90
    written = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(written, "png", compress_level=1)
    return written.getvalue()


def send(address, name, content):
    """Send a file, again after a while where too many wait; the image."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + b"\r\n--x--\r\n"
    headers = {"X-Segtumor": "1", "Content-Type": "multipart/form-data; boundary=x"}
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        try:
            request = urllib.request.Request(f"{address}/api/v1/images", data=body, headers=headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["images"][0]
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 429:
                    raise
                time.sleep(int(error.headers["Retry-After"]))
    raise TimeoutError("the queue stays full")


def waited(address, image_id):
    """The image once it is read."""
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        image = json.loads(asked(f"{address}/api/v1/images/{image_id}"))
        if image["status"] in ("done", "failed"):
            return image
        time.sleep(0.02)
    raise TimeoutError("an image is not read")


def asked(url):
    """The bytes of an answer."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def status_and_body(url):
    """(status, bytes) of an answer, errors too."""
    try:
        return 200, asked(url)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def resident_mb(process):
    """Memory that a process occupies (Linux)."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
