"""Similar images beside readings: which they are, and where they are written."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from fake_detector import NAMES, FakeDetector, predictor_of
from indexes import MODEL, index_of
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.datasets.fingerprints import pixel_hash
from segtumor.errors import ConfigError
from segtumor.imaging import read_radiograph
from segtumor.inference.batch.options import Options
from segtumor.inference.batch.run import infer
from segtumor.inference.indexing import index_of as index_of_dataset
from segtumor.inference.load import InferenceModel, with_embedding
from segtumor.inference.similar import SimilarImages, model_identity
from segtumor.retrieval.index import write_index
from segtumor.runtime.networks import NetworkClassifier
from segtumor.runtime.reading_models import reading_model
from segtumor.structures.readings import Similar

pytestmark = pytest.mark.command

SETTINGS = {"confidence_threshold": 0.3, "short_edge_px": 32, "window_percentiles": (0.5, 99.5)}


class Seeing(FakeDetector):
    """Describes a window by the gray of its four quarters."""

    def read(self, windows, sizes_hw):
        readings = reading_model(FakeDetector(), NAMES)(windows, sizes_hw)
        return [_with_quarters(reading, window) for reading, window in zip(readings, windows, strict=True)]


def _with_quarters(reading, window):
    h, w = (edge // 2 for edge in window.shape)
    quarters = [window[:h, :w], window[:h, w:], window[h:, :w], window[h:, w:]]
    return dataclasses.replace(reading, embedding=np.array([part.mean() for part in quarters], dtype=np.float32))


@pytest.fixture
def corners(tmp_path):
    """Four pictures, each bright in another quarter, and the index that knows them; 0 and 1 are of one case."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        pixels = rng.integers(0, 60, (40, 40), dtype=np.uint8)
        pixels[20 * (i // 2) :, 20 * (i % 2) :][:20, :20] += 150
        Image.fromarray(pixels).save(folder / f"{i}.png")
    paths = [folder / f"{i}.png" for i in range(4)]
    predictor = predictor_of(Seeing())
    radiographs = [read_radiograph(path) for path in paths]
    index = index_of(
        [predictor.read(radiograph).embedding for radiograph in radiographs],
        ["normal", "benign", "malignant", "normal"],
        ["a", "a", "b", "c"],
        hashes=[pixel_hash(radiograph.pixels) for radiograph in radiographs],
        root=folder,
    )
    return paths, index


def work(paths, output, index, k=2, **options):
    similar = SimilarImages(index, k, settings={"k": k}, case_of=options.pop("case_of", None))
    given = Options(confidence_threshold=0.3, **options)
    infer(predictor_of(Seeing()), paths, output, given, settings=SETTINGS, model=MODEL, similar=similar)
    images = json.loads((output / "predictions.json").read_text())["images"]
    with (output / "similar.csv").open() as file:
        rows = list(csv.DictReader(file))
    return images, rows


def test_they_are_in_every_output_and_never_of_the_own_case(corners, tmp_path):
    paths, index = corners
    images, rows = work(paths, tmp_path / "found", index, k=5)
    cases = [[similar["case_id"] for similar in image["similar"]] for image in images]
    assert [set(found) for found in cases] == [{"b", "c"}, {"b", "c"}, {"a", "c"}, {"a", "b"}]
    assert [(row["file"], row["rank"], row["case_id"]) for row in rows] == [
        (image["file_name"], str(rank), case)
        for image, found in zip(images, cases, strict=True)
        for rank, case in enumerate(found, start=1)
    ]
    assert images[2]["similar"][0].keys() == {"file_name", "case_id", "label", "distance"}
    assert all(a["distance"] <= b["distance"] for image in images for a, b in [image["similar"][:2]])
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["settings"]["similar"] == {"k": 5}


def test_pictures_stand_beside_the_overlay(corners, tmp_path):
    paths, index = corners
    work(paths[:1], tmp_path / "with", index)
    infer(predictor_of(Seeing()), paths[:1], tmp_path / "without", Options(0.3), settings=SETTINGS, model=MODEL)
    with_strip, without = (
        np.asarray(Image.open(tmp_path / name / "overlays" / "0.png")) for name in ("with", "without")
    )
    assert len(with_strip) == len(without) and with_strip.shape[1] > without.shape[1]
    np.testing.assert_array_equal(with_strip[:, : without.shape[1]], without)


def test_a_known_case_is_left_out(corners, tmp_path):
    paths, index = corners
    other = tmp_path / "other.png"
    Image.fromarray(np.asarray(Image.open(paths[2])) + 1).save(other)  # no longer the same pixels
    images, _ = work([other], tmp_path / "unknown", index, with_overlays=False)
    assert images[0]["similar"][0]["case_id"] == "b"
    images, _ = work([other], tmp_path / "known", index, with_overlays=False, case_of={other: "b"})
    assert {similar["case_id"] for similar in images[0]["similar"]} == {"a", "c"}


def test_a_failed_input_has_its_row(corners, tmp_path):
    paths, index = corners
    paths[0].write_bytes(b"hello")
    _, rows = work(paths[:2], tmp_path / "found", index)
    assert [(row["status"], row["rank"]) for row in rows] == [("failed", ""), ("ok", "1"), ("ok", "2")]


def test_a_run_goes_on_with_the_same_index_only(corners, tmp_path):
    paths, index = corners
    output = tmp_path / "found"
    whole = work(paths, tmp_path / "whole", index)
    work(paths[:2], output, index)
    assert work(paths, output, index, continued=True) == whole
    with pytest.raises(ConfigError, match="different settings"):
        work(paths, output, index, k=1, continued=True)


def test_images_that_are_gone_leave_their_places_empty(corners):
    paths, index = corners
    similar = SimilarImages(index, 3, settings={})
    paths[2].unlink()
    reading = similar.found_for(predictor_of(Seeing()).read(read_radiograph(paths[3])), "unknown")
    shown = dict(zip([one.file_name for one in reading.similar], similar.thumbnails(reading), strict=True))
    assert {name: picture is not None for name, picture in shown.items() if name in ("2.png", "3.png")} == {
        "2.png": False,
        "3.png": True,
    }


def test_no_file_outside_the_folder_is_shown(corners, tmp_path):
    paths, index = corners
    Image.fromarray(np.full((9, 9), 9, dtype=np.uint8)).save(tmp_path / "secret.png")
    similar = SimilarImages(index, 1, settings={})
    reading = predictor_of(Seeing()).read(read_radiograph(paths[0]))
    reading = dataclasses.replace(reading, similar=(Similar("../secret.png", "a", "normal", 0.1),))
    assert similar.thumbnails(reading) == [None]


def test_an_index_of_another_model_is_refused(corners, tmp_path):
    _, index = corners
    write_index(tmp_path / "index.npz", index)
    ours = InferenceModel(predictor_of(Seeing()), SETTINGS, {"weights_sha256": "cd"}, 10**6)
    with pytest.raises(ConfigError, match="another model"):
        SimilarImages.open(tmp_path / "index.npz", ours, 5)
    with pytest.raises(ConfigError, match="--similar"):
        SimilarImages(index, 0, settings={})


def test_a_run_and_its_export_are_one_model_and_another_size_is_not():
    run = InferenceModel(predictor_of(Seeing()), SETTINGS, {"weights": "a.pth", "weights_sha256": "ab"}, 10**6)
    entry = {"folder": "e", "export_sha256": "ee", "weights_sha256": "ab"}
    export = InferenceModel(run.predictor, {**SETTINGS, "runtime": "onnx"}, entry, 10**6)
    large = InferenceModel(run.predictor, {**SETTINGS, "short_edge_px": 64}, entry, 10**6)
    assert model_identity(run) == model_identity(export) != model_identity(large)


def test_an_exported_network_has_no_embedding():
    model = InferenceModel(predictor_of(NetworkClassifier(None, None)), SETTINGS, {}, 10**6)
    with pytest.raises(ConfigError, match="gives no embedding"):
        with_embedding(model)


def test_a_data_set_becomes_an_index(datasets_root):
    dataset = load_coco(datasets_root / "phantoms" / "annotations" / "train.json")
    model = InferenceModel(predictor_of(Seeing()), SETTINGS, {"weights_sha256": "ab"}, 10**6)
    index = index_of_dataset(model, dataset)
    assert index.file_names == [image["file_name"] for image in dataset.images]
    assert index.cases == [image["case_id"] for image in dataset.images]
    assert index.labels == [image["image_label"] for image in dataset.images]
    assert set(index.calls) <= {"normal", *NAMES}
    first = read_radiograph(dataset.image_root / index.file_names[0])
    assert index.pixel_sha256[0] == pixel_hash(first.pixels)
    np.testing.assert_array_equal(index.embeddings[0], model.predictor.read(first).embedding)
