"""What the tests of inference share: a folder of pictures and a way to run a made-up detector over it."""

import json

import numpy as np
import pytest
from fake_detector import MODEL, SETTINGS, FakeDetector, predictor_of
from PIL import Image

from segtumor.inference.batch.options import Options
from segtumor.inference.batch.run import infer


@pytest.fixture
def pictures(tmp_path):
    """Paths of eight pictures; the third is dark but for a corner, the fifth is damaged."""
    folder, rng = tmp_path / "scans", np.random.default_rng(0)
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        pixels = rng.integers(0, 255, (40 + 2 * number, 48), dtype=np.uint8)
        if number == 2:
            pixels[:, 4:] = 0
        Image.fromarray(pixels).save(path)
    paths[4].write_bytes(b"hello")
    return paths


@pytest.fixture
def work(tmp_path):
    """Function of paths, a folder's name and what differs from the usual -> Result, output folder; no overlays."""

    def work(paths, name="found", *, detector=None, settings=SETTINGS, model=MODEL, short_edge_px=32, **options):
        options = {"with_overlays": False, "confidence_threshold": settings["confidence_threshold"], **options}
        predictor = predictor_of(detector or FakeDetector(), short_edge_px)
        output = tmp_path / name
        result = infer(predictor, paths, output, Options(**options), settings=settings, model=model)
        return result, output

    return work


@pytest.fixture
def tables():
    """Function of an output folder -> its three tables without what depends on the clock."""

    def tables(folder):
        summary = json.loads((folder / "summary.json").read_text())
        for entry in summary["inputs"]:
            del entry["seconds"]
        return summary, json.loads((folder / "predictions.json").read_text()), (folder / "findings.csv").read_text()

    return tables
