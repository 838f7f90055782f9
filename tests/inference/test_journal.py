"""Which unfinished runs may go on, and from where."""

import contextlib
import json
import random
from pathlib import Path

import pytest
from fake_detector import MODEL, NAMES, SETTINGS, FakeDetector

import segtumor
from segtumor.errors import ConfigError
from segtumor.inference.batch.journal import JOURNAL_NAME, Journal, make_header
from segtumor.inference.batch.journal_lines import encoded
from segtumor.structures.lesions import Finding
from segtumor.structures.outcomes import InferenceOutcome, failed
from segtumor.structures.readings import Note, Reading

pytestmark = pytest.mark.command


@pytest.fixture
def unfinished(pictures, work, tmp_path):
    """Folder of a run that was stopped at the fourth detection."""
    with pytest.raises(KeyboardInterrupt):
        work(pictures, detector=stopped_at(4))
    return tmp_path / "found"


def test_an_unfinished_run_is_not_overwritten_in_silence(unfinished, pictures, work):
    before = {path.name: path.stat().st_mtime_ns for path in unfinished.iterdir()}
    with pytest.raises(ConfigError, match=r"--continue.*--overwrite"):
        work(pictures)
    assert before == {path.name: path.stat().st_mtime_ns for path in unfinished.iterdir()}
    with pytest.raises(ConfigError, match="exclude"):
        work(pictures, continued=True, overwrite=True)
    detector = FakeDetector()
    work(pictures, detector=detector, overwrite=True)
    assert detector.calls == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {**SETTINGS, "confidence_threshold": 0.4}}, r"confidence_threshold was 0\.3, is 0\.4"),
        ({"settings": {**SETTINGS, "more": 1}}, "settings.more was None, is 1"),
        ({"model": {**MODEL, "weights_sha256": "cd"}}, "model.weights_sha256 was ab, is cd"),
        ({"with_overlays": True}, "with_overlays was False, is True"),
        ({"note": "Phantom"}, "note was None, is Phantom"),
    ],
)
def test_a_run_begun_otherwise_is_not_continued(unfinished, pictures, work, change, message):
    before = (unfinished / JOURNAL_NAME).read_bytes()
    with pytest.raises(ConfigError, match=message):
        work(pictures, continued=True, **change)
    assert (unfinished / JOURNAL_NAME).read_bytes() == before


def test_a_model_may_have_moved(unfinished, pictures, work):
    result, _ = work(pictures, continued=True, model={**MODEL, "weights": "elsewhere/a.pth"})
    assert result.counts["ok"] == 7


def test_a_run_of_another_version_is_not_continued(unfinished, pictures, work, monkeypatch):
    monkeypatch.setattr(segtumor, "__version__", "99")
    with pytest.raises(ConfigError, match="segtumor_version"):
        work(pictures, continued=True)


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"hello\n", b"[]\n", b'{"schema_version": 99}\n', b"[" * 100_000 + b"\n", b'{"a":' * 100_000 + b"\n"),
        *(encoded({"schema_version": 3}), encoded({"schema_version": 99})),
    ],
    ids=range(8),
)
def test_a_file_that_is_no_journal_is_refused(unfinished, pictures, work, head):
    (unfinished / JOURNAL_NAME).write_bytes(head)
    with pytest.raises(ConfigError, match=r"damaged, or of another version.*--overwrite"):
        work(pictures, continued=True)


@pytest.mark.parametrize(("name", "value"), [("settings", "x"), ("model", None), ("class_names", 3), ("settings", [])])
def test_a_first_line_with_values_of_another_kind_is_damaged(unfinished, pictures, work, name, value):
    path = unfinished / JOURNAL_NAME
    head, *lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([json.dumps({**json.loads(head), name: value}).encode() + b"\n", *lines]))
    with pytest.raises(ConfigError, match="the first line is damaged"):
        work(pictures, continued=True)


def test_any_changed_byte_is_noticed(pictures, work, tables, tmp_path, caplog):
    """Each byte of a line of findings in turn, one of its bits changed: the line is left out."""
    work(pictures[:2])
    path = tmp_path / "found" / JOURNAL_NAME
    sound = path.read_bytes()
    *lines, last = sound.splitlines(keepends=True)
    header = make_header(
        settings={**SETTINGS, "with_overlays": False, "note": None}, model=MODEL, class_names=["a", "b"]
    )
    path.write_bytes(encoded(header) + b"".join(lines[1:]) + last)
    header_bytes = len(encoded(header))
    start = header_bytes + sum(map(len, lines[1:]))
    data = path.read_bytes()
    for place in range(start, len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with Journal(path, header, continued=True) as journal:
            assert journal.outcome(pictures[0]) and journal.outcome(pictures[1]) is None, place
            assert not journal.is_done(pictures[1])
    for place in range(header_bytes):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(ConfigError, match="first line is damaged"):
            Journal(path, header, continued=True)


def test_damaged_lines_are_counted_and_an_input_whose_own_line_is_damaged_keeps_its_findings(
    pictures, work, tables, caplog
):
    _, folder = work(pictures[:3])
    before, path = tables(folder), folder / JOURNAL_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"x" + lines[1], b"[" * 100_000 + b"\n", *lines[3:]]))
    detector = FakeDetector()
    work(pictures[2:3], detector=detector, continued=True)
    assert detector.calls == 0 and "2 damaged lines are left out" in caplog.text
    after = tables(folder)
    assert sorted(after[2].splitlines()) == sorted(before[2].splitlines())


def test_a_half_written_last_line_is_done_again(unfinished, pictures, work, tables):
    _, whole = work(pictures, "whole")
    path = unfinished / JOURNAL_NAME
    data = path.read_bytes()
    assert data.count(b"\n") == 1 + 8 + 3  # header, inputs, outcomes
    path.write_bytes(data[:-20])
    detector = FakeDetector()
    work(pictures, detector=detector, continued=True)
    assert detector.calls == 5 and tables(unfinished) == tables(whole)


@pytest.mark.parametrize("line", [b"\x00\xff rubbish", b"{}", b"[]", b'{"name": 3}', b'{"name": "0.png"}'])
def test_a_damaged_line_is_done_again(unfinished, pictures, work, tables, line):
    _, whole = work(pictures, "whole")
    path = unfinished / JOURNAL_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:9], line + b"\n", *lines[10:]]))
    detector = FakeDetector()
    work(pictures[7:], detector=detector, continued=True)  # though it is not named
    assert detector.calls == 5
    work(pictures, continued=True)
    assert tables(unfinished) == tables(whole)


@pytest.mark.parametrize(
    "damage",
    [
        {"status": "pk"},
        {"reason": "why"},
        {"size_hw": 3},
        {"size_hw": [1, 2, 3]},
        {"spacing_mm": ["a", "b"]},
        {"overlay": "../../mine.png"},
        {"key": 3},
        {"findings": [[7, 0.5, [0, 0, 1, 1], None, [0.5, 0.5]]]},
        {"findings": [[0, 0.5, [0, 0, 1], None, [0.5, 0.5]]]},
        {"findings": [[0, "x", [0, 0, 1, 1], None, [0.5, 0.5]]]},
        {"findings": [[0, 0.5, [0, 0, 1, 1], {"size": [4, 4]}, [0.5, 0.5]]]},
        {"findings": [[0, 0.5]]},
        {"findings": 3},
    ],
    ids=str,
)
def test_a_line_that_no_table_could_use_is_a_damaged_one(unfinished, pictures, work, tables, damage):
    _, whole = work(pictures, "whole")
    path = unfinished / JOURNAL_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    value = json.loads(lines[9])
    del value["check"]
    lines[9] = encoded({**value, **damage})
    path.write_bytes(b"".join(lines))
    detector = FakeDetector()
    work(pictures, detector=detector, continued=True)
    assert detector.calls == 5 and tables(unfinished) == tables(whole)


@pytest.mark.parametrize("place", [b'"findings":[[1,0.', b'"overlay":"', b'"size_hw":[', b'"status":"'])
def test_after_damage_the_tables_and_overlays_are_those_from_before(pictures, work, tables, place):
    _, folder = work(pictures[:4], with_overlays=True)
    before = tables(folder), {path.name: path.read_bytes() for path in (folder / "overlays").iterdir()}
    path = folder / JOURNAL_NAME
    data = bytearray(path.read_bytes())
    data[data.index(place) + len(place)] ^= 1
    path.write_bytes(data)
    detector = FakeDetector()
    work(pictures[:4], detector=detector, continued=True, with_overlays=True)
    assert detector.calls == 1
    assert before == (tables(folder), {path.name: path.read_bytes() for path in (folder / "overlays").iterdir()})


def test_failed_and_changed_inputs_are_tried_again_and_new_ones_added(pictures, work, tables, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(pictures[1:], detector=stopped_at(6))
    pictures[4].write_bytes(pictures[5].read_bytes())  # mended
    pictures[6].write_bytes(pictures[0].read_bytes())  # another picture by now
    detector = FakeDetector()
    _, folder = work(pictures, detector=detector, continued=True)
    _, whole = work(pictures, "whole")
    assert detector.calls == 4 and tables(folder) == tables(whole)


def test_a_picture_that_was_replaced_while_the_model_looked_at_it_is_done_again(pictures, work, tables):
    def raising(call, windows):
        if call == 1:
            pictures[0].write_bytes(pictures[2].read_bytes())
        if call == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(pictures[:2], detector=FakeDetector(raising))
    detector = FakeDetector()
    _, folder = work(pictures[:2], detector=detector, continued=True)
    _, whole = work(pictures[:2], "whole")
    assert detector.calls == 2 and tables(folder) == tables(whole)


def test_a_finished_run_takes_new_inputs_and_tries_again_what_failed(pictures, work, tables):
    _, folder = work(pictures[:6])
    detector = FakeDetector()
    result, _ = work(pictures[:6], detector=detector, continued=True)
    assert detector.calls == 0 and result.counts["failed"] == 1  # nothing is predicted twice
    pictures[4].write_bytes(pictures[5].read_bytes())  # mended
    work(pictures, detector=detector, continued=True)
    _, whole = work(pictures, "whole")
    assert detector.calls == 3 and tables(folder) == tables(whole)


def test_findings_of_files_that_have_changed_do_not_count_until_they_are_done_again(pictures, work, tables):
    _, folder = work(pictures[:3])
    for path in pictures[:2]:
        path.write_bytes(pictures[3].read_bytes())
    with pytest.raises(KeyboardInterrupt):
        work(pictures[:3], detector=stopped_at(1), continued=True)
    assert [entry["status"] for entry in tables(folder)[0]["inputs"]] == ["not reached", "not reached", "ok"]
    work(pictures[:3], continued=True)
    _, whole = work(pictures[:3], "whole")
    assert tables(folder) == tables(whole)


def test_a_failed_input_that_is_gone_is_left_out_with_a_word(pictures, work, tables, caplog):
    _, folder = work([pictures[0], pictures[4], pictures[5]])
    pictures[4].unlink()
    pictures[5].unlink()
    result, _ = work(pictures[1:2], continued=True)
    assert result.counts["failed"] == 0
    assert [entry["file"] for entry in tables(folder)[0]["inputs"]] == [str(pictures[n]) for n in (0, 5, 1)]
    assert f"1 input of the earlier run, gone without a result: left out, first: {pictures[4]}" in caplog.messages
    assert f"1 input of the earlier run, gone by now: their results stay, first: {pictures[5]}" in caplog.messages


def test_of_a_finished_run_nothing_is_lost_to_other_settings(pictures, work):
    _, folder = work(pictures[:2])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigError, match="a was None"):
        work(pictures[:2], settings={**SETTINGS, "a": 1}, continued=True)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_between_the_last_continuation_gives_the_tables_of_one_run(pictures, work, tables, seed):
    """Some inputs named, in any order; stopped anywhere or not; files replaced meanwhile; nothing asked for is lost."""
    rng, asked = random.Random(seed), set()
    for _ in range(4):
        chosen = rng.sample(pictures, rng.randint(1, 5))
        asked.update(map(str, chosen))
        with contextlib.suppress(KeyboardInterrupt):
            work(chosen, detector=stopped_at(rng.randint(1, 6)), continued=True, num_workers=rng.randint(0, 2))
        folder = pictures[0].parents[1] / "found"
        summary = tables(folder)[0]
        assert {entry["file"] for entry in summary["inputs"]} == asked
        pictures[rng.randrange(8)].write_bytes(pictures[rng.randrange(8)].read_bytes())
    work(pictures, continued=True)
    _, whole = work(pictures, "whole")
    assert tables(folder) == tables(whole)


def stopped_at(at_call):
    def raising(call, windows):
        if call == at_call:
            raise KeyboardInterrupt

    return FakeDetector(raising)


def test_nothing_to_continue_is_a_start(pictures, work):
    result, _ = work(pictures, continued=True)
    assert result.counts["ok"] == 7


def test_what_was_asked_for_before_is_done_though_it_is_not_named_now(unfinished, pictures, work, tables, caplog):
    detector = FakeDetector()
    with caplog.at_level("INFO", logger="segtumor"):
        result, folder = work(pictures[6:7], detector=detector, continued=True)
    assert f"continuing: 3 of 8 inputs are in {folder / JOURNAL_NAME}" in caplog.messages
    assert detector.calls == 4 and result.counts["ok"] == 7
    named = [entry["file"] for entry in tables(folder)[0]["inputs"]]
    assert named == [str(pictures[number]) for number in (0, 1, 2, 3, 4, 5, 7, 6)]


def test_an_input_is_known_by_any_path_to_its_folder(unfinished, pictures, work, tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("scans")
    typed = [Path("link") / path.name for path in pictures]
    detector = FakeDetector()
    _, folder = work(typed, detector=detector, continued=True)
    assert detector.calls == 4
    assert [entry["file"] for entry in tables(folder)[0]["inputs"]] == list(map(str, typed))


def test_of_settings_that_differ_only_those_are_named_and_hashes_are_cut(pictures, work):
    hashes, settings = ("ab" * 32, "cd" * 32), {**SETTINGS, "runtime": {"name": "onnx", "version": "1"}}
    with pytest.raises(KeyboardInterrupt):
        work(pictures, detector=stopped_at(1), settings=settings, model={"sha256": hashes[0]})
    other = {**settings, "runtime": {"name": "onnx", "version": "2"}}
    with pytest.raises(ConfigError) as refused:
        work(pictures, settings=other, model={"sha256": hashes[1]}, continued=True)
    assert "settings.runtime.version was 1, is 2; model.sha256 was abababababab..., is cdcdcdcdcdcd..." in str(
        refused.value
    )


def reading(name, size_hw, *findings, **fields):
    return Reading(class_names=NAMES, size_hw=size_hw, findings=findings, name=name, **fields)


def test_an_outcome_comes_back_as_it_was(tmp_path):
    finding = Finding(1, 0.1 + 0.2, (0.1, 2.0, 3.5, 4.0), {"size": [4, 6], "counts": "04`0"}, (0.25, float("nan")))
    spacing = {"spacing_mm": (0.1, 0.2), "spacing_source": "mm"}
    of_image = {
        "image_probabilities": (0.25, 0.5, 0.25),
        "marks_lesions": False,
        "uncertainty": 0.125,
        "notes": (Note("picture", "n"), Note("size_reduced", "m")),
        "timings_s": {"model": 0.5},
    }
    outcomes = [
        InferenceOutcome("ä b.dcm", reading("ä b.dcm", (4, 6), finding, **spacing), seconds=0.5),
        failed("b.png", "r", size_hw=(3, 2)),
        InferenceOutcome(
            "c.png", reading("c.png", (1, 1), Finding(0, 1.0, (0.0, 0.0, 1.0, 1.0), None)), overlay="c.png"
        ),
        InferenceOutcome("e.png", reading("e.png", (1, 1), Finding(0, 0.5, agreement=0.75), **of_image)),
    ]
    header = make_header(settings={"a": (1, 2)}, model={}, class_names=NAMES)
    with Journal(tmp_path / "j", header, continued=False) as journal:
        for outcome in outcomes:
            journal.append(outcome, None)
    with Journal(tmp_path / "j", header, continued=True) as journal:
        assert [repr(journal.outcome(outcome.file_name)) for outcome in outcomes] == list(map(repr, outcomes))
        assert journal.outcome("d.png") is None and journal.overlays == {journal.key_of("c.png"): "c.png"}
        assert [journal.is_done(outcome.file_name) for outcome in outcomes] == [True, False, True, True]
    assert json.loads((tmp_path / "j").read_text().splitlines()[0])["settings"] == {"a": [1, 2]}
