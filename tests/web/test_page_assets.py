"""What the package serves to a browser: all of it is there, none from elsewhere, small, and fit for a strict policy."""

import hashlib
import re
from pathlib import Path

import pytest

import segtumor.web

FOLDER = Path(segtumor.web.__file__).parent
STATIC = FOLDER / "static"
PAGE = (FOLDER / "templates" / "page.html").read_text(encoding="utf-8")
OWN = sorted(path for path in STATIC.rglob("*") if path.suffix in (".js", ".css") and "vendor" not in path.parts)
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
TEXTS = {path: path.read_text(encoding="utf-8") for path in OWN}

each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())


def test_everything_together_is_below_a_megabyte():
    assert len(SCRIPTS) > 20
    assert sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file()) < 1_000_000


def test_what_the_page_names_exists():
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', PAGE)
    assert len(named) > 20 and [name for name in named if not (STATIC / name).is_file()] == []


def test_every_script_is_loaded_ahead():
    """Without this the browser learns of one floor of imports at a time."""
    ahead = re.findall(r'rel="modulepreload" href="/static/([^"]+)"', PAGE)
    assert ahead == [path.relative_to(STATIC).as_posix() for path in SCRIPTS]


@each_script
def test_scripts_import_what_exists(path):
    imported = re.findall(r'\bfrom "(\.[^"]+)"', TEXTS[path])
    assert [name for name in imported if not (path.parent / name).is_file()] == []


def test_nothing_comes_from_elsewhere_and_nothing_is_read_as_html_or_code():
    addresses = {address for text in (PAGE, *TEXTS.values()) for address in re.findall(r"\w+://[^\s\"'`)]+", text)}
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nothing fetches
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\bstyle=|javascript:"
    )
    assert {path.name: found for path, text in TEXTS.items() if (found := forbidden.findall(text))} == {}
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", PAGE)


def test_scripts_are_short():
    assert {
        path.name: n for path, text in TEXTS.items() if path.suffix == ".js" and (n := text.count("\n")) >= 300
    } == {}


def test_files_of_others_are_the_ones_that_are_listed():
    listed = dict(
        re.findall(
            r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$",
            (STATIC / "vendor" / "README.md").read_text("utf-8"),
            re.MULTILINE,
        )
    )
    files = [path for path in (STATIC / "vendor").rglob("*") if path.suffix in (".js", ".css", ".map")]
    found = {
        path.relative_to(STATIC / "vendor").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    assert found == listed and found
    assert all((path.parent / "LICENSE").is_file() and b"sourceMappingURL" not in path.read_bytes() for path in files)
