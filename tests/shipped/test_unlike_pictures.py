"""Pictures that are no radiographs, made here: what the shipped model says of each has a note."""

import cv2
import numpy as np
import pytest

import segtumor
from segtumor.shipped.registry import DEFAULT
from segtumor.structures.readings import UNLIKE_TRAINING

SIDE = 320
_Y, _X = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
_DISTANCE = np.hypot(_X - 0.5, _Y - 0.5)


def _noise(seed, coarse=1):
    noise = np.random.default_rng(seed).random((SIDE // coarse, SIDE // coarse), dtype=np.float32)
    return cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def _page(ink=0, paper=255):
    page = np.full((SIDE, SIDE), paper, dtype=np.uint8)
    for line in range(12):
        cv2.putText(page, "Findings: no tumour, 0123", (8, 24 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 1)
    return page.astype(np.float32) / 255


PICTURES = {
    "black": np.zeros((SIDE, SIDE), np.float32),
    "white": np.ones((SIDE, SIDE), np.float32),
    "gray": np.full((SIDE, SIDE), 0.5, np.float32),
    "noise": _noise(0),
    "other noise": _noise(1),
    "soft noise": _noise(2, coarse=4),
    "clouds": _noise(3, coarse=32),
    "to the right": _X,
    "downwards": _Y,
    "light in the middle": (1 - 1.4 * _DISTANCE).clip(0, 1),
    "dark in the middle": (1.4 * _DISTANCE).clip(0, 1),
    "chessboard": ((_X * 8).astype(int) + (_Y * 8).astype(int)) % 2 * np.float32(1),
    "stripes": (np.sin(60 * _X) / 2 + 0.5).astype(np.float32),
    "rings": (np.sin(80 * _DISTANCE) / 2 + 0.5).astype(np.float32),
    "disc": (_DISTANCE < 0.2).astype(np.float32),
    "a page of text": _page(),
    "white on black": _page(ink=255, paper=0),
    "a tiny picture": _noise(4)[:20, :20],
    "one line": _noise(5)[:1],
    "a huge picture": cv2.resize(_noise(6, coarse=8), (3000, 2500)),
    "a long strip": cv2.resize(_noise(7, coarse=4), (2000, 60)),
}


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("onnxruntime")
    return segtumor.load(DEFAULT)


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_noted(model, name):
    reading = model.read(PICTURES[name])
    # Two plain gray values look like nothing to the network, and the note is that there are only two.
    assert reading.notes if name == "disc" else reading.has_note(UNLIKE_TRAINING)
