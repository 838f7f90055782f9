"""What is said, or refused, of the data and the schedule before the first step."""

import json
from types import SimpleNamespace

import pytest

from segtumor.errors import ConfigError
from segtumor.training import train as training
from segtumor.training.batches.catalog import load_datasets
from segtumor.training.data_identity import case_hashes, training_data
from segtumor.training.data_sets import check_schedule, load_training_sets

pytestmark = pytest.mark.model


@pytest.fixture
def other_set(phantoms):
    """Function of a change of phantoms_val -> the changed set's name."""
    path = phantoms / "annotations" / "other.json"

    def make(change):
        document = json.loads((phantoms / "annotations" / "val.json").read_text())
        change(document)
        path.write_text(json.dumps(document))
        return "phantoms_other"

    yield make
    path.unlink()


def all_normal(document):
    document["annotations"] = []
    for image in document["images"]:
        image["image_label"] = "normal"


def not_drawn(document):
    del document["info"]["synthetic"]


def one_of_another_shape(document):
    not_drawn(document)
    document["images"][0]["height"] += 8


def all_crowds(document):
    for annotation in document["annotations"]:
        annotation["iscrowd"] = 1


def all_benign(document):
    for annotation in document["annotations"]:
        annotation["category_id"] = 1


@pytest.mark.parametrize(
    ("change", "metric", "said", "chooses"),
    [
        (all_normal, "segm/AP50", "has no lesion, so that segm/AP50 is undefined on it", False),
        (all_normal, "dice", "so that dice is undefined on it: the last model is taken", False),
        (all_crowds, "bbox/AP", "has no lesion, so that bbox/AP is undefined on it", False),
        (all_normal, "loss", "", True),
        (all_benign, "segm/AP", "has no lesion of class malignant", True),
    ],
)
def test_a_metric_that_is_undefined_on_the_validation_set_is_said_and_chooses_nothing(
    other_set, tiny_config, tmp_path, caplog, monkeypatch, change, metric, said, chooses
):
    settings = {
        "DATASETS.VALIDATION": (other_set(change),),
        "SOLVER.BEST_METRIC": metric,
        "SOLVER.EARLY_STOPPING_PATIENCE": 1,
        "TEST.EVAL_PERIOD": 1,
        "SOLVER.MAX_ITER": 3,
    }
    lines = training.dry_run(tiny_config(settings))
    assert said in caplog.text and ("undefined" in said) == ("undefined" in caplog.text)
    assert ("crowd regions, not learnt from" in "".join(lines)) == (change is all_crowds)
    if metric in ("segm/AP50", "loss"):
        monkeypatch.setattr(training, "training_curves", lambda folder: None)  # as long as the training itself
        training.train(tiny_config({**settings, "DATASETS.TEST": (), "OUTPUT_DIR": tmp_path}))
        assert (tmp_path / "model_best.pth").exists() == chooses
        log = (tmp_path / "log.txt").read_text()
        assert chooses or ("validation at iteration 3" in log and "Stopped early" not in log)


def test_a_training_set_of_crowds_alone_is_refused(other_set, tiny_config, tmp_path):
    settings = {"DATASETS.TRAIN": (other_set(all_crowds),), "OUTPUT_DIR": tmp_path / "run"}
    for start in (training.train, training.dry_run):
        with pytest.raises(ConfigError, match=r"all crowds \(iscrowd 1\).*--crowds-as-lesions"):
            start(tiny_config(settings))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("warm_up", "iterations", "warned"), [(50, 50, True), (1000, 300, True), (51, 100, True), (50, 100, False)]
)
def test_a_warm_up_that_fills_the_schedule_is_warned_of(caplog, warm_up, iterations, warned):
    check_schedule(SimpleNamespace(SOLVER=SimpleNamespace(WARMUP_ITERS=warm_up, MAX_ITER=iterations)))
    assert (f"warms up during {min(warm_up, iterations)} of {iterations} iterations" in caplog.text) == warned


@pytest.mark.parametrize(
    ("synthetic", "earlier", "expected"),
    [
        ([True], None, {"datasets": ["own0"], "synthetic": True}),
        ([True, None], None, {"datasets": ["own0", "own1"], "synthetic": False}),
        ([None], None, {"datasets": ["own0"], "synthetic": False}),
        (["yes"], None, {"datasets": ["own0"], "synthetic": False}),
        ([True], {"datasets": ["btxrd"], "synthetic": False}, {"datasets": ["btxrd", "own0"], "synthetic": False}),
        ([None], {"datasets": ["own0"], "synthetic": True}, {"datasets": ["own0"], "synthetic": False}),
        ([True], {"datasets": 3}, {"datasets": ["own0"], "synthetic": True}),
    ],
)
def test_weights_know_phantoms_only_if_all_they_have_learnt_from_is_synthetic(synthetic, earlier, expected):
    datasets = [SimpleNamespace(info={"synthetic": value}) for value in synthetic]
    assert training_data([f"own{i}" for i in range(len(datasets))], datasets, earlier) == expected


def test_a_case_is_known_again_in_another_folder_and_an_image_without_one_by_name_and_size(tmp_path):
    records = []
    for folder, content in (("a", b"1"), ("b", b"1"), ("c", b"other")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(content)
        records.append({"file_name": str(tmp_path / folder / "1.png")})

    def hashes(*chosen):
        return case_hashes([SimpleNamespace(records=chosen)])

    assert hashes(records[0]) == hashes(records[1]) != hashes(records[2])
    assert hashes({**records[0], "case_id": 7}) == hashes({**records[2], "case_id": "7 "}) != hashes(records[0])
    assert len(hashes(*records)) == 2 and all(len(text) == 12 for text in hashes(*records))


def test_phantoms_are_synthetic(phantoms):
    assert training_data(["phantoms_train"], load_datasets(["phantoms_train"]))["synthetic"] is True


def nothing_outlined(document):
    document["annotations"] = []
    for image in document["images"]:
        image["image_label"] = "malignant"


@pytest.mark.parametrize(
    ("change", "settings", "warned"),
    [
        (lambda document: None, {}, False),  # phantoms were drawn as they are
        (not_drawn, {}, True),
        (not_drawn, {"INPUT.SQUARE": True}, False),
        (not_drawn, {"INPUT.SPACING_MM": 0.5}, False),
        (one_of_another_shape, {}, False),
    ],
)
def test_radiographs_that_were_scaled_to_squares_are_warned_of(
    other_set, tiny_config, caplog, monkeypatch, change, settings, warned
):
    monkeypatch.setattr("segtumor.training.data_sets.check_image_sizes", lambda *_, **__: None)
    load_training_sets(tiny_config({**settings, "DATASETS.TRAIN": f"['{other_set(change)}']"}))
    assert ("set INPUT.SQUARE True" in caplog.text) == warned


def test_tumours_that_nobody_outlined_do_not_train_a_detector(other_set, tiny_config):
    """Beside a set with lesions, too: there they would count as normal bone, in silence."""
    cfg = tiny_config({"DATASETS.TRAIN": f"['phantoms_train', '{other_set(nothing_outlined)}']"})
    with pytest.raises(ConfigError, match=r"train as normal bone.*nothing outlined.*classifier"):
        load_training_sets(cfg)


@pytest.mark.parametrize(
    ("change", "message"), [(all_normal, "of one class .got normal"), (nothing_outlined, "malignant")]
)
def test_a_classifier_needs_images_of_two_classes(change, message, other_set, tiny_config):
    settings = {"MODEL.META_ARCHITECTURE": "ImageClassifier", "SOLVER.BEST_METRIC": "loss"}
    cfg = tiny_config({**settings, "DATASETS.TRAIN": f"['{other_set(change)}']"})
    with pytest.raises(ConfigError, match=message):
        load_training_sets(cfg)


def test_a_classifier_learns_from_images_without_outlines(other_set, tiny_config):
    def sorted_into_classes(document):
        nothing_outlined(document)
        document["images"][0]["image_label"] = "normal"

    settings = {"MODEL.META_ARCHITECTURE": "ImageClassifier", "SOLVER.BEST_METRIC": "loss", "SOLVER.EPOCHS": 3}
    cfg = tiny_config({**settings, "DATASETS.TRAIN": f"['{other_set(sorted_into_classes)}']"})
    (dataset,) = load_training_sets(cfg)["train"]
    assert 3 * -(-len(dataset.records) // cfg.SOLVER.IMS_PER_BATCH) == cfg.SOLVER.MAX_ITER
