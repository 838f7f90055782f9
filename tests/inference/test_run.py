"""A made-up detector on files: what is written, in which order, and what an interruption leaves."""

import contextlib
import csv
import json
import os

import numpy as np
import pydicom
import pytest
from fake_detector import MODEL, NAMES, SETTINGS, FakeDetector
from PIL import Image

import segtumor.inference.batch.drawing
from segtumor import files
from segtumor.annotations.predictions.writing import predictions_document
from segtumor.errors import ConfigError, OutputError
from segtumor.inference.batch.journal import JOURNAL_NAME
from segtumor.inference.batch.options import Options
from segtumor.reporting.files.findings_files import findings_columns, rows_of_one, summary_head
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.readings import Reading

pytestmark = pytest.mark.command


def interrupting(at_call):
    def raising(call, windows):
        if call == at_call:
            raise KeyboardInterrupt

    return raising


def overlays(folder):
    return {path.name: path.read_bytes() for path in (folder / "overlays").iterdir()}


def test_every_input_has_its_outcome_in_order(pictures, work, tables):
    result, folder = work(pictures, with_overlays=True)
    assert result.counts == {
        "inputs": 8,
        "ok": 7,
        "failed": 1,
        "not_reached": 0,
        "with_findings": 6,
        "without_findings": 1,
        "findings": 6,
    }
    assert "4.png" in result.first_failure and result.notes == 0
    summary, predictions, _ = tables(folder)
    assert [entry["file"] for entry in summary["inputs"]] == list(map(str, pictures))
    assert summary["settings"] == SETTINGS and summary["model"] == MODEL
    assert len(predictions["annotations"]) == 12  # the uncertain ones too
    written = {"overlays", "predictions.json", "findings.csv", "summary.json", JOURNAL_NAME}
    assert {path.name for path in folder.iterdir()} == written
    assert sorted(overlays(folder)) == [f"{number}.png" for number in range(8) if number != 4]


@pytest.mark.parametrize(("batch_size", "num_workers"), [(1, 0), (3, 0), (1, 2), (4, 3), (100, 1)])
def test_batches_and_threads_change_nothing(pictures, work, tables, batch_size, num_workers):
    _, plain = work(pictures, "plain", num_workers=0)
    detector = FakeDetector()
    _, folder = work(pictures, detector=detector, batch_size=batch_size, num_workers=num_workers)
    assert tables(folder) == tables(plain)
    assert max(map(len, detector.batches)) <= batch_size


def test_the_tables_are_those_of_the_whole_documents(pictures, work, tmp_path):
    _, folder = work(pictures[:4])
    document = json.loads((folder / "predictions.json").read_text())
    files.write_json(tmp_path / "again.json", document)
    assert (tmp_path / "again.json").read_bytes() == (folder / "predictions.json").read_bytes()
    files.write_json(tmp_path / "again.json", json.loads((folder / "summary.json").read_text()))
    assert (tmp_path / "again.json").read_bytes() == (folder / "summary.json").read_bytes()
    nothing = Reading(class_names=NAMES, size_hw=(1, 1))
    outcomes = [InferenceOutcome(image["file_name"], nothing) for image in document["images"]]
    assert list(document) == list(predictions_document(outcomes, NAMES))
    head = summary_head(settings={}, model={}, counts={})
    assert list(json.loads((folder / "summary.json").read_text())) == [*head, "note", "inputs", "left_out"]
    with (folder / "findings.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames) == findings_columns(NAMES)
    assert set(rows[0]) == set(rows_of_one(outcomes[0], NAMES)[0])


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("at_call", [1, 4, 7])
def test_an_interrupted_run_goes_on_to_the_same_tables(pictures, work, tables, at_call, num_workers):
    _, whole = work(pictures, "whole")
    with pytest.raises(KeyboardInterrupt):
        work(pictures, "parts", detector=FakeDetector(interrupting(at_call)), num_workers=num_workers)
    parts = whole.parent / "parts"
    summary, _, rows = tables(parts)
    statuses, counts = [entry["status"] for entry in summary["inputs"]], summary["counts"]
    readable = [path for number, path in enumerate(pictures) if number != 4]
    assert statuses.count("ok") == at_call - 1
    assert statuses[pictures.index(readable[at_call - 1])] == "not reached"
    assert rows.count("not reached") == counts["not_reached"] > 0 and counts["failed"] == (at_call > 4)
    detector = FakeDetector()
    work(pictures, "parts", detector=detector, continued=True)
    assert detector.calls == 7 - (at_call - 1)
    assert tables(parts) == tables(whole)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_overlays_of_an_interrupted_run_are_those_of_a_whole_one(pictures, work, num_workers):
    _, whole = work(pictures[:3], "whole", with_overlays=True)
    for detector in (FakeDetector(interrupting(2)), FakeDetector()):
        with contextlib.suppress(KeyboardInterrupt):
            work(pictures[:3], detector=detector, with_overlays=True, num_workers=num_workers, continued=True)
    assert overlays(whole.parent / "found") == overlays(whole)


@pytest.mark.parametrize("name", [os.fsdecode(b"kn\xff.png"), "n" * 251 + ".png"], ids=["not UTF-8", "long"])
def test_any_name_that_a_file_can_have_is_an_input(pictures, work, tables, name):
    path = pictures[0].rename(pictures[0].with_name(name))
    result, folder = work([path, pictures[1]], with_overlays=True)
    assert result.counts["ok"] == 2 and len(overlays(folder)) == 2
    assert tables(folder)[0]["inputs"][0]["file"] == str(path)
    assert folder.joinpath("findings.csv").read_bytes().count(str(path).encode(errors="backslashreplace")) == 1


def test_a_mistake_in_the_detector_keeps_what_is_done(pictures, work, tables, tmp_path):
    def raising(call, windows):
        if call == 3:
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        work(pictures, detector=FakeDetector(raising))
    assert tables(tmp_path / "found")[0]["counts"]["ok"] == 2
    assert (tmp_path / "found" / JOURNAL_NAME).exists()


def test_an_overlay_that_cannot_be_written_ends_the_run(pictures, work, tmp_path):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "overlays").touch()
    with pytest.raises(OutputError):
        work(pictures, with_overlays=True)


def test_without_overlays_none_are_drawn(pictures, work):
    _, folder = work(pictures[:2])
    assert not (folder / "overlays").exists()


def test_the_threshold_decides_what_is_listed_and_all_is_kept_for_average_precision(pictures, work):
    everything = []
    for threshold in (0.0, 0.3, 1.0):
        settings = {**SETTINGS, "confidence_threshold": threshold}
        _, folder = work(pictures[:2], str(threshold), settings=settings)
        scores = [a["score"] for a in json.loads((folder / "predictions.json").read_text())["annotations"]]
        with (folder / "findings.csv").open() as file:
            listed = [row for row in csv.DictReader(file) if row["score"]]
        assert len(listed) == sum(score >= threshold for score in scores)
        everything.append(scores)
    assert everything[0] == everything[1] == everything[2] != []


def test_what_must_be_known_of_the_model_stands_beside_every_input(pictures, work):
    result, folder = work(pictures[3:5], with_overlays=True, note="Trained on phantoms.")
    assert result.notes == 0 and json.loads((folder / "summary.json").read_text())["note"] == "Trained on phantoms."
    with (folder / "findings.csv").open() as file:
        assert {row["note"] for row in csv.DictReader(file)} == {"Trained on phantoms."}
    _, plain = work(pictures[3:5], "plain", with_overlays=True)
    assert (overlays(folder)["3.png"] != overlays(plain)["3.png"]) and "note" in (plain / "findings.csv").read_text()


def test_what_must_be_known_of_a_picture_is_its_note(pictures, work, caplog):
    Image.fromarray(np.full((40, 48), 7, np.uint8)).save(pictures[1])
    Image.fromarray(np.full((3, 3), 7, np.uint8)).save(pictures[2])
    result, folder = work(pictures[:3], with_overlays=True)
    notes = [entry["note"] for entry in json.loads((folder / "summary.json").read_text())["inputs"]]
    flat = "no contrast: every pixel has the same gray value"
    assert notes == [None, flat, f"a picture of only 3 x 3 px; {flat}"]
    assert result.notes == 2 and flat in result.first_note
    assert caplog.text.count("1.png: no contrast") == 1  # said once, by the reader or by the run
    with (folder / "findings.csv").open() as file:
        assert [row["note"] for row in csv.DictReader(file)][-1] == notes[2]


def test_a_picture_above_the_limit_fails_alone_and_names_the_option(pictures, work, tables):
    Image.fromarray(np.zeros((100, 90), dtype=np.uint8)).save(pictures[1])
    result, folder = work(pictures[:3], max_pixels=5000)
    assert (result.counts["ok"], result.counts["failed"]) == (2, 1)
    reason = tables(folder)[0]["inputs"][1]["reason"]
    assert "too large" in reason and "--max-pixels 9000" in reason
    assert work(pictures[:3], max_pixels=9000, overwrite=True)[0].counts["failed"] == 0


def write_frames(path, frames):
    """A DICOM file of several frames, (N, H, W) uint8."""
    header = pydicom.dataset.FileMetaDataset()
    header.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header.MediaStorageSOPClassUID = pydicom.uid.UltrasoundMultiFrameImageStorage
    header.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = pydicom.Dataset()
    dataset.file_meta = header
    dataset.SOPClassUID, dataset.SOPInstanceUID = header.MediaStorageSOPClassUID, "1.2.3"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = frames.tobytes()
    dataset.save_as(path, enforce_file_format=True)


def test_one_frame_of_a_file_with_several_is_read(pictures, work, tables, tmp_path):
    frames = np.random.default_rng(3).integers(0, 255, (2, 40, 48), dtype=np.uint8)
    frames[1, :, 4:] = 0  # on which nothing is found
    write_frames(tmp_path / "many.dcm", frames)
    result, _ = work([tmp_path / "many.dcm", pictures[0]], "none")
    assert result.counts["failed"] == 1 and "--frame 0" in result.first_failure
    found = []
    for frame in (0, 1):
        result, folder = work([tmp_path / "many.dcm"], "found", frame=frame, overwrite=True)
        summary = tables(folder)[0]
        assert result.counts["failed"] == 0 and summary["settings"]["frame"] == frame
        found.append(summary["inputs"][0]["n_findings"])
    assert found == [1, 0]
    write_frames(tmp_path / "single.dcm", frames[:1])
    result, _ = work([pictures[0], tmp_path / "single.dcm", tmp_path / "many.dcm"], "mixed", frame=1)
    assert result.counts["failed"] == 0  # the choice is among several
    with pytest.raises(ConfigError, match=r"settings\.frame was 1, is 0"):
        work([tmp_path / "many.dcm"], "found", frame=0, continued=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frame": -1}, "--frame"),
        ({"batch_size": 0}, "--batch-size"),
        ({"num_workers": -1}, "--num-workers"),
        ({"max_pixels": 0}, "--max-pixels"),
        ({"confidence_threshold": 1.5}, "0 to 1"),
        ({"confidence_threshold": float("nan")}, "0 to 1"),
    ],
)
def test_options_out_of_range(values, message):
    with pytest.raises(ConfigError, match=message):
        Options(**{"confidence_threshold": 0.5, **values})


def test_a_picture_that_cannot_be_drawn_for_memory_keeps_its_findings(pictures, work, monkeypatch):
    def draw(base, *arguments, **options):
        raise MemoryError

    monkeypatch.setattr(segtumor.inference.batch.drawing, "draw_reading", draw)
    result, folder = work(pictures[:2], with_overlays=True)
    assert result.counts["ok"] == result.notes == 2 and "no overlay" in result.first_note
    assert "no overlay" in (folder / "findings.csv").read_text()
