"""Plots are the same whatever matplotlib's settings are outside, and leave these as they were."""

import hashlib
import os
import subprocess
import sys

import matplotlib
import pytest

from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.histograms import age_histogram_figure

AGES = [1.0, 2.0, 30.0, 40.5, 71.0]
#: Prints the hash of a plot, the variables that drawing it changed, and whether pyplot was imported.
PROGRAM = f"""
import hashlib, os, sys
before = dict(os.environ)
from segtumor.reporting.figures.histograms import age_histogram_figure
from segtumor.reporting.figures.canvas import png_bytes
print(hashlib.sha256(png_bytes(lambda: age_histogram_figure({AGES}))).hexdigest())
print(before == dict(os.environ), "matplotlib.pyplot" in sys.modules)
"""
ODD = b"text.usetex: True\nfont.family: None Such\nfigure.facecolor: red\nsavefig.bbox: tight\nno colon\n"
DAMAGED = b"\xff\xfe\x00"


def picture_hash():
    return hashlib.sha256(png_bytes(lambda: age_histogram_figure(AGES))).hexdigest()


@pytest.mark.command
@pytest.mark.parametrize(
    ("variables", "current_folder", "elsewhere"),
    [
        ({"MPLBACKEND": "module://none_such.backend_inline"}, None, ODD),
        ({"MPLBACKEND": "none such"}, None, DAMAGED),
        ({}, DAMAGED, None),
    ],
    ids=["a notebook's backend and odd settings", "an unknown backend and damaged settings", "damaged, current folder"],
)
def test_plots_are_the_same_in_any_environment(tmp_path, variables, current_folder, elsewhere):
    (tmp_path / "here").mkdir()
    for folder, content in ((tmp_path / "here", current_folder), (tmp_path, elsewhere)):
        if content is not None:
            (folder / "matplotlibrc").write_bytes(content)
    ours = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MATPLOTLIBRC": str(tmp_path)}
    environment = {**os.environ, **ours, **variables}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path / "here", capture_output=True, text=True
    )
    assert ended.stdout.split() == [picture_hash(), "True", "False"], ended.stderr


def test_a_program_that_draws_itself_keeps_its_settings():
    expected = picture_hash()
    own = {"text.usetex": True, "figure.facecolor": "red", "axes.grid": True}
    with matplotlib.rc_context(own):
        assert picture_hash() == expected
        assert {name: matplotlib.rcParams[name] for name in own} == own
