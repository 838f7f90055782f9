"""A model and two readers on eight patients, counted by hand; kappa as published for such a table."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from segtumor.annotations.reader_marks import BOXES, CASE_LABELS, IMAGE_LABELS, ReaderMarks, TimedReading
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.readers.raters import Panel, Rater, reader_rater
from segtumor.evaluation.readers.reader_study import ALL_READERS, ANY_READER, FALSE_ALARMS, MISSED, reader_study
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion

CLASSES = ("benign", "malignant")
HIT, ELSEWHERE = (2.0, 2.0, 8.0, 8.0), (10.0, 10.0, 18.0, 18.0)
#: One image a patient; patients 1 to 5 have a tumour (4 and 5 a malignant one), 6 to 8 are normal.
TRUTH = [
    AnnotatedImage(
        i, f"{i}.png", (20, 20), (Lesion(i, int(i > 3), HIT, None, 36.0),) if i < 6 else (), {"case_id": f"p{i}"}
    )
    for i in range(1, 9)
]
#           patient   1  2  3  4  5  6  7  8     b benign, m malignant, . normal, x marked elsewhere
MODEL, A, B = "b  b  .  m  .  .  b  .", "b  .  b  b  .  .  m  .", "x  .  b  m  m  m  .  ."


def findings(letter):
    boxes = {"b": (0, HIT), "m": (1, HIT), "x": (0, ELSEWHERE)}
    return (Finding(boxes[letter][0], 1.0, boxes[letter][1]),) if letter in boxes else ()


def rater(name, calls, *, is_model=False, **options):
    results = {t.image_id: ImageResult(t, findings(letter)) for t, letter in zip(TRUTH, calls.split(), strict=True)}
    return Rater(name=name, is_model=is_model, results=results, **options)


def found(*, settings=None, marks=(), seconds=None, raters=None):
    raters = raters or [rater("model", MODEL, is_model=True), rater("A", A), rater("B", B)]
    return reader_study(Panel(raters, CLASSES, settings or StudySettings()), marks, seconds or {})


def agreement(study, *names, of="tumour"):
    return next(row for row in study.agreement if (row.first, row.second) == names and row.of == of)


def errors(study, what, *names):
    row = next(row for row in study.errors if (row.what, row.first, row.second) == (what, *names))
    return row.n, row.both, row.first_only, row.second_only, row.neither


def test_agreement_between_readers_and_with_the_model():
    study = found()
    assert [(row.first, row.second) for row in study.agreement[::2]] == [("model", "A"), ("model", "B"), ("A", "B")]
    between = agreement(study, "A", "B")
    # Tumour or not: A calls 1 3 4 7, B calls 1 3 4 5 6; they agree on 1 2 3 4 8.
    assert (between.n, between.observed) == (8, 5 / 8)
    assert between.kappa == pytest.approx(cohen_kappa_score([1, 0, 1, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 1, 0, 0]))
    assert between.interval.low < between.kappa < between.interval.high
    of_class = agreement(study, "A", "B", of="class")
    classes = [1, 0, 1, 1, 0, 0, 2, 0], [1, 0, 1, 2, 2, 2, 0, 0]
    assert of_class.kappa == pytest.approx(cohen_kappa_score(*classes, weights="linear"))


def test_errors_of_two():
    study = found()
    # Missed tumours: the model 3 and 5, A 2 and 5, B 2 (its box of 1 is elsewhere, which counts where asked for).
    assert errors(study, MISSED, "model", "A") == (5, 1, 1, 1, 2)
    assert errors(study, MISSED, "model", "B") == (5, 0, 2, 1, 2)
    assert errors(study, MISSED, "A", "B") == (5, 1, 1, 0, 3)
    # False alarms: the model and A on 7, B on 6.
    assert errors(study, FALSE_ALARMS, "model", "A") == (3, 1, 0, 0, 2)
    assert errors(study, FALSE_ALARMS, "A", "B") == (3, 0, 1, 1, 1)
    assert study.errors[0].test.p_value == 1  # one discordant pair each way


def test_errors_of_the_model_and_all_readers():
    study = found()
    assert errors(study, MISSED, "model", ALL_READERS) == (5, 0, 2, 1, 2)
    assert errors(study, MISSED, "model", ANY_READER) == (5, 1, 1, 1, 2)
    without_model = found(raters=[rater("A", A), rater("B", B)])
    assert {row.second for row in without_model.errors} == {"B"}


def test_a_tumour_must_be_located_where_asked_for():
    study = found(settings=StudySettings(require_located=True))
    assert errors(study, MISSED, "A", "B") == (5, 1, 1, 1, 2)  # now B misses 1 and 2
    assert next(case for case in study.cases if case["case_id"] == "p1")["missed_by"] == ["B"]
    labels = [rater("A", A, with_boxes=False), rater("B", B)]
    with pytest.raises(ConfigError, match="labels of A"):
        found(raters=labels, settings=StudySettings(require_located=True))


def test_confusions_and_cases():
    study = found()
    tables = {(table.rater, table.of): table.counts.tolist() for table in study.confusions}
    assert tables["B", "tumour"] == [[2, 1], [1, 4]]
    assert tables["A", "class"] == [[2, 0, 1], [1, 2, 0], [1, 1, 0]]
    rows = {case["case_id"]: case for case in study.cases}
    assert rows["p5"]["missed_by"] == ["model", "A"] and rows["p7"]["false_alarm_by"] == ["model", "A"]
    assert rows["p8"]["called"] == {"model": False, "A": False, "B": False}


def test_without_classes_nothing_is_said_of_classes():
    study = found(raters=[rater("model", MODEL, is_model=True), rater("A", A, with_classes=False)])
    assert {row.of for row in study.agreement} == {"tumour"}
    assert {(t.rater, t.of) for t in study.confusions} == {("model", "tumour"), ("model", "class"), ("A", "tumour")}


def test_pairs_are_compared_on_what_both_read():
    model, first, second = rater("model", MODEL, is_model=True), rater("A", A), rater("B", B)
    half = Rater(name="B", is_model=False, results={i: second.results[i] for i in (1, 2, 6)})
    study = found(raters=[model, first, half])
    assert (study.n_common_images, agreement(study, "model", "A").n, agreement(study, "A", "B").n) == (3, 8, 3)
    assert errors(study, MISSED, "model", ALL_READERS)[0] == 2
    nothing = Rater(name="C", is_model=False, results={7: first.results[7]})
    assert {(row.first, row.second) for row in found(raters=[half, nothing]).agreement} == set()


def test_reading_times():
    times = (TimedReading((1,), 10.0), TimedReading((2,), 30.0), TimedReading((6,), 20.0))
    marks = [
        ReaderMarks("A", BOXES, True, False, {}, modality="alone", times=times),
        ReaderMarks("B", CASE_LABELS, True, False, {}, times=(TimedReading((1, 2), 7.0),)),
        ReaderMarks("C", IMAGE_LABELS, True, False, {}),
    ]
    rows = found(marks=marks, seconds={1: 0.5, 2: 1.5}).times
    assert [(row.rater, row.unit, row.n) for row in rows] == [
        ("model", "images", 2),
        ("A (alone)", "images", 3),
        ("B", "cases", 1),
    ]
    assert (rows[1].lower_quartile, rows[1].median, rows[1].upper_quartile, rows[1].total) == (15, 20, 25, 60)


def test_two_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two raters of one name"):
        found(raters=[rater("A", A), rater("A", B)])


def test_a_reader_from_marks_keeps_what_was_read():
    marks = ReaderMarks("A", BOXES, True, False, {1: findings("b"), 6: ()}, modality="with model")
    one = reader_rater(marks, [ImageResult(truth, ()) for truth in TRUTH])
    assert (one.name, sorted(one.results), one.with_boxes) == ("A (with model)", [1, 6], True)
    assert np.isclose(one.results[1].findings[0].score, 1.0)
