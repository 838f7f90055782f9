"""Regions with iscrowd 1, through everything that measures: neither lesions nor false positives, counted apart."""

import json

import pytest

from segtumor.commands import compare as compare_command
from segtumor.commands import evaluate as evaluate_command
from segtumor.commands.benchmark import run as benchmark_run
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.headline import headline_table
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.study import study
from segtumor.reporting.files.evaluation_files import write_evaluation
from segtumor.reporting.words.summary import summary_sentences

NAMES = ("benign", "malignant")


@pytest.fixture
def crowded(build):
    """A lesion beside a crowd, a crowd alone that nothing finds, and a normal image; findings in and out of crowds."""
    lesion, crowd = build.lesion(0, 0, 0, 4, 4), build.lesion(1, 5, 5, 10, 10, crowd=True)
    hit, inside, outside = (
        build.finding(0, 0.9, 0, 0, 4, 4),
        build.finding(1, 0.8, 6, 6, 9, 9),
        build.finding(1, 0.7, 0, 6, 3, 9),
    )
    return [
        build.image([lesion, crowd], [hit, inside, outside], case_id="a"),
        build.image([build.lesion(0, 0, 0, 5, 5, crowd=True)], [], case_id="b"),
        build.image([], [], case_id="c"),
    ]


def test_crowds_are_counted_apart(crowded):
    metrics = evaluate(crowded, NAMES).metrics
    counts, images = metrics["counts"], metrics["images"]
    assert (counts["n_lesions"], counts["n_crowd_regions"], counts["n_images_with_crowds_only"]) == (1, 2, 1)
    assert (counts["n_findings_at_threshold"], counts["n_findings_in_crowds"]) == (3, 1)
    assert (metrics["lesions"]["true_positives"], metrics["lesions"]["false_positives"]) == (1, 1)
    assert metrics["lesions"]["missed"] == 0
    assert (images["n_tumor_images"], images["n_normal_images"], images["specificity"]) == (2, 1, 1.0)
    assert images["false_positives_per_normal_image"] == 0


def test_each_image_says_what_its_crowds_took(crowded, tmp_path, monkeypatch):
    monkeypatch.setattr("segtumor.reporting.files.evaluation_files.png_bytes", lambda draw: b"")
    evaluation = evaluate(crowded, NAMES)
    rows = [(r["n_lesions"], r["crowd_regions"], r["findings_in_crowds"]) for r in evaluation.per_image]
    assert rows == [(1, 1, 1), (0, 1, 0), (0, 0, 0)]
    assert len(evaluation.per_lesion) == 1
    write_evaluation(evaluation, tmp_path)
    assert "missed,crowd_regions,findings_in_crowds\n" in (tmp_path / "per_image.csv").read_text()


def test_findings_in_crowds_take_nothing_from_the_images_dice(build):
    pair = [build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4), build.finding(1, 0.8, 6, 6, 9, 9)]
    crowd = build.lesion(1, 5, 5, 10, 10, crowd=True)
    for crowds, dice in (([], 2 * 16 / (16 + 25)), ([crowd], 1.0)):
        found = study([build.image([*pair[0], *crowds], pair[1])], NAMES, StudySettings(n_resamples=1))
        assert found.per_image[0]["image_dice"] == pytest.approx(dice)


def test_report_and_log_say_so(crowded):
    found = study(crowded, NAMES, StudySettings(n_resamples=1))
    (remark,) = [text for text in found.remarks if "crowd" in text]
    assert remark.startswith("2 regions on 2 images are crowds (iscrowd 1)") and "1 findings that lie in them" in remark
    assert "1 images have crowds only; they are not normal" in remark
    assert "with 1 lesion and 2 crowd regions, which do not count, were evaluated" in summary_sentences(found)[0]
    assert "crowd regions" in headline_table(found.evaluation)


def test_without_crowds_nothing_is_said(three_images):
    found = study(three_images, NAMES, StudySettings(n_resamples=1))
    assert not any("crowd" in text for text in (*found.remarks, *summary_sentences(found)))
    assert "crowd" not in headline_table(found.evaluation)


@pytest.mark.command
@pytest.mark.parametrize("command", ["evaluate", "compare", "benchmark"])
def test_a_set_of_crowds_alone_is_refused_before_anything_is_written(tmp_path, capsys, command):
    box = {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]], "iscrowd": 1}
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "height": 10, "width": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **box}],
        "categories": [{"id": 1, "name": "benign"}],
    }
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "found.json").write_text("[]")
    files = ["--annotations", str(tmp_path / "gt.json"), "--predictions", str(tmp_path / "found.json")]
    more = {
        "evaluate": (evaluate_command.main, []),
        "compare": (compare_command.main, ["--against", str(tmp_path / "found.json")]),
        "benchmark": (benchmark_run.main, ["--protocol", "btxrd-grouped"]),
    }
    main, options = more[command]
    assert main([*files, "--output", str(tmp_path / "out"), *options]) == 5
    message = capsys.readouterr().err
    assert "all 1 regions, in 1 images, are crowds (iscrowd 1)" in message and "--fix" in message
    assert "--crowds-as-lesions" in message and not (tmp_path / "out").exists()


def test_a_label_of_a_tumor_counts_in_every_sensitivity(build):
    """An image labelled so without an outline: the plain metrics and those with intervals are of the same images."""
    unmarked = build.image([], [], image_label="malignant", case_id="a")
    marked = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4)], case_id="b")
    found = study([unmarked, marked, build.image(case_id="c")], NAMES, StudySettings(n_resamples=1))
    metrics = found.evaluation.metrics["images"]
    assert (metrics["sensitivity"], metrics["n_tumor_images"], metrics["n_normal_images"]) == (0.5, 2, 1)
    assert next(e for e in found.estimates if e.name == "image_sensitivity").value == 0.5
    assert [row["tumor_true"] for row in found.evaluation.per_image] == [True, True, False]
