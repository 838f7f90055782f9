"""A classifier that takes age and sex beside the pixels, and learns the view: from training to what a reading says."""

import json

import numpy as np
import pytest
import torch
import torchvision.models
import yaml
from PIL import Image

import segtumor
from segtumor.commands import export, infer, train
from segtumor.config import load_config
from segtumor.errors import ConfigError, DataError
from segtumor.inference.batch.contexts import read_contexts
from segtumor.models.build import create_model
from segtumor.models.kinds import set_classes
from segtumor.models.weights import load_weights
from segtumor.structures.readings import ABOUT_TABLE
from segtumor.training.tables import complete_fitted

pytestmark = pytest.mark.model

SIDE_PX = 32
COLUMNS = [["age", "zscore", "median"], ["sex", "onehot"]]


def images(count, start):
    """The same noise in all. Older patients have the tumours, but for two of sixteen; stripes mark lateral views."""
    rng = np.random.default_rng(start)
    for number in range(start, start + count):
        tumor, surprising = number % 2 == 0, number % 16 < 2
        age = float(rng.integers(50, 80) if tumor != surprising else rng.integers(10, 40))
        view = ("frontal", "lateral")[number // 2 % 2]
        pixels = np.random.default_rng(0).integers(0, 200, (SIDE_PX, SIDE_PX), dtype=np.uint8)
        pixels[:, :: 2 if view == "lateral" else SIDE_PX] = 0
        entry = {"id": number, "file_name": f"{number}.png", "height": SIDE_PX, "width": SIDE_PX}
        label, sex = ("normal", "benign")[tumor], ("M", "F")[number // 4 % 2]
        yield pixels, {**entry, "image_label": label, "age": age, "sex": sex, "view": [view], "case_id": f"c{number}"}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "ages"
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for part, count, start in (("train", 48, 0), ("val", 16, 100), ("test", 16, 200)):
        entries = []
        for pixels, entry in images(count, start):
            Image.fromarray(pixels).save(folder / "images" / entry["file_name"])
            entries.append(entry)
        if part == "train":
            entries[3] = {**entries[3], "age": None}
        document = {"images": entries, "annotations": [], "categories": [{"id": 1, "name": "benign"}]}
        (folder / "annotations" / f"{part}.json").write_text(json.dumps(document))
    return folder.parent


@pytest.fixture(scope="module")
def config_file(data_root):
    path = data_root / "own.yaml"
    settings = {
        "_BASE_": "Base-classifier.yaml",
        "MODEL": {
            "CLASSIFIER": {"NAME": "resnet18"},
            "CLINICAL": {"COLUMNS": COLUMNS, "DROPOUT": 0.2},
            "AUXILIARY": {"TASKS": ["view"], "LOSS_WEIGHT": 1.0},
        },
        "INPUT": {"MIN_SIZE_TRAIN": [SIDE_PX], "MIN_SIZE_TEST": SIDE_PX, "AUGMENTATION": "none"},
        "DATALOADER": {"NUM_WORKERS": 0},
        "DATASETS": {"TRAIN": ["ages_train"], "VALIDATION": ["ages_val"], "TEST": ["ages_test"]},
        "SOLVER": {
            **{"BASE_LR": 0.005, "EPOCHS": 0, "MAX_ITER": 40, "IMS_PER_BATCH": 12, "PLATEAU_PATIENCE": 0},
            "THAW": [[0.0, name] for name in ("head", "table", "tasks")],  # what the pixels become stays as it is
        },
    }
    from repository import ROOT

    settings["_BASE_"] = str(ROOT / "configs" / settings["_BASE_"])
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(autouse=True)
def found_by_name(data_root, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(data_root))


@pytest.fixture(scope="module")
def run(data_root, config_file):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(data_root))
        folder = data_root / "run"
        assert train.main(["--config-file", str(config_file), "OUTPUT_DIR", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def model(run):
    return segtumor.load(run)


def predictions(folder):
    return {image["file_name"]: image for image in json.loads((folder / "predictions.json").read_text())["images"]}


def test_it_learns_what_the_table_says_and_what_else_is_in_the_picture(run):
    metrics = json.loads((run / "inference" / "ages_test" / "metrics.json").read_text())
    assert metrics["images"]["auc"] > 0.7  # of the pixels nothing can be learnt
    found = predictions(run / "inference" / "ages_test").values()
    lateral = [("frontal", "lateral")[int(image["file_name"].split(".")[0]) // 2 % 2] for image in found]
    right = [image["attributes"]["view"]["value"] == view for image, view in zip(found, lateral, strict=True)]
    assert np.mean(right) > 0.8


def test_the_older_the_more_likely_a_tumour(model, data_root):
    path = data_root / "ages" / "images" / "200.png"
    young, old = (model.read(path, context={"age": age, "sex": "M"}).tumor_score for age in (20, 70))
    assert young < old - 0.1


def test_what_was_fitted_is_stored_with_the_run_and_is_of_the_training_part(run, data_root):
    kept = yaml.safe_load((run / "config.yaml").read_text())["MODEL"]
    age, sex = kept["CLINICAL"]["FITTED"]
    records = json.loads((data_root / "ages" / "annotations" / "train.json").read_text())["images"]
    ages = [record["age"] for record in records if record["age"] is not None]
    assert age["fill"] == np.median(ages) and age["low"] == min(ages) and age["centre"] == pytest.approx(np.mean(ages))
    assert sex["categories"] == ["f", "m"] and kept["AUXILIARY"]["VALUES"] == [["frontal", "lateral"]]


def test_a_loaded_model_answers_as_it_did_and_says_what_is_missing(run, model, data_root):
    before = predictions(run / "inference" / "ages_test")
    assert model.context_columns == ("age", "sex")
    for _, entry in list(images(16, 200))[:4]:
        context = {"age": entry["age"], "sex": entry["sex"]}
        path = data_root / "ages" / "images" / entry["file_name"]
        reading = model.read(path, context=context)
        earlier = before[entry["file_name"]]["image_probabilities"]
        assert reading.image_probabilities == pytest.approx(tuple(earlier.values()), abs=1e-5)
        assert not reading.has_note(ABOUT_TABLE)
        bare = model.read(path)
        assert bare.note == "Not given, the usual value of the training set stands in: age, sex."
        assert bare.image_probabilities != reading.image_probabilities
        assert model.read([path], context=[context]) == [reading]
    with pytest.raises(ConfigError, match=r"unknown names in the context \(got agee; expected age, sex"):
        model.read(path, context={"agee": 3})
    with pytest.raises(ConfigError, match="not a context for each source"):
        model.read([path, path], context=[{}])


def test_infer_takes_a_table_and_cannot_go_on_with_another(run, data_root, tmp_path, capsys):
    entries = [entry for _, entry in images(16, 200)]
    table = tmp_path / "patients.csv"
    lines = [f"{entry['file_name']},{entry['age']},{entry['sex']}" for entry in entries]
    table.write_text("\n".join(["file_name,age,gender", *lines[:-2], "215.png,ninety,F"]))
    paths = [str(data_root / "ages" / "images" / entry["file_name"]) for entry in entries]
    common = ["--run", str(run), "--output", str(tmp_path / "found"), "--no-overlays"]
    assert infer.main([*common, "--input", *paths, "--clinical", str(table)]) == 0
    before, found = predictions(run / "inference" / "ages_test"), predictions(tmp_path / "found")
    for entry, path in zip(entries[:-2], paths, strict=False):
        earlier = before[entry["file_name"]]["image_probabilities"]
        assert found[path]["image_probabilities"] == pytest.approx(earlier, abs=1e-5)
        assert found[path]["attributes"].keys() == {"view"} and "notes" not in found[path]
    texts = [found[path]["notes"][0]["text"] for path in paths[-2:]]
    assert texts == [
        f"Not given, the usual value of the training set stands in: {what}." for what in ("age, sex", "age")
    ]
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["settings"]["table"]["file"] == str(table)
    table.write_text(table.read_text().replace("ninety", "90"))
    assert infer.main([*common, "--input", *paths, "--clinical", str(table), "--continue"]) == 2
    assert "settings.table.sha256 was" in capsys.readouterr().err


def test_infer_takes_the_fields_of_the_annotations(run, data_root, tmp_path):
    annotations = str(data_root / "ages" / "annotations" / "test.json")
    options = ["--annotations", annotations, "--output", str(tmp_path / "found"), "--no-overlays", "--tta"]
    assert infer.main(["--run", str(run), *options]) == 0
    assert all("notes" not in image for image in predictions(tmp_path / "found").values())


def test_what_was_fitted_is_found_beside_the_weights(run, config_file, tmp_path):
    cfg, whole = load_config(config_file), load_config(run / "config.yaml")
    with pytest.raises(ConfigError, match="what training has fitted is missing"):
        complete_fitted(cfg, tmp_path)
    complete_fitted(cfg, run)
    assert cfg.MODEL.CLINICAL == whole.MODEL.CLINICAL and cfg.MODEL.AUXILIARY == whole.MODEL.AUXILIARY


def test_an_export_takes_the_same_table(run, data_root, tmp_path, caplog):
    assert export.main(["--run", str(run), "--output", str(tmp_path / "export"), "--format", "onnx"]) == 0
    assert "what the model has learnt of view is left out of the export" in caplog.text
    annotations = str(data_root / "ages" / "annotations" / "test.json")
    options = ["--annotations", annotations, "--output", str(tmp_path / "found"), "--no-overlays"]
    assert infer.main(["--run", str(tmp_path / "export"), *options]) == 0
    before, found = predictions(run / "inference" / "ages_test"), predictions(tmp_path / "found")
    assert len(found) == len(before)
    for path, image in found.items():
        earlier = before[path.rpartition("/")[2]]["image_probabilities"]
        assert image["image_probabilities"] == pytest.approx(earlier, abs=1e-5) and "notes" not in image


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"MODEL.CLINICAL.COLUMNS": "[[subtype, onehot]]"}, "subtype: missing in 24 of 24 normal images and 0 of 24"),
        ({"MODEL.CLINICAL.COLUMNS": "[[grade, zscore]]"}, "no row has a number in this column"),
        ({"MODEL.CLINICAL.COLUMNS": "[[age, log]]"}, "unknown encoding"),
        ({"MODEL.AUXILIARY.TASKS": "[center]"}, "a task without two values"),
        ({"MODEL.META_ARCHITECTURE": "UNet"}, "this kind of model takes no table"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_before_training(settings, message, config_file, data_root, capsys):
    path = data_root / "ages" / "annotations" / "train.json"
    whole = path.read_text()
    document = json.loads(whole)
    for image in document["images"]:
        image.update({"subtype": "enchondroma"} if image["image_label"] == "benign" else {})
        image.update({"center": "1"})
    path.write_text(json.dumps(document))
    pairs = [text for pair in settings.items() for text in pair]
    try:
        output = ["OUTPUT_DIR", str(data_root / "refused")]
        assert train.main(["--config-file", str(config_file), *pairs, *output]) in (2, 5)
        assert message in capsys.readouterr().err
        assert not (data_root / "refused" / "config.yaml").exists()
    finally:
        path.write_text(whole)


def test_a_model_that_was_not_fitted_is_not_built(config_file):
    cfg = load_config(config_file)
    set_classes(cfg, ["benign"])
    with pytest.raises(ConfigError, match="the columns of the table are not fitted"):
        create_model(cfg)


def test_it_starts_from_the_weights_of_a_network_of_pixels(run, tmp_path):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    report = load_weights(create_model(load_config(run / "config.yaml")), tmp_path / "resnet18.pth", strict=False)
    assert {name.split(".")[0] for name in report.loaded} == {"network"}
    assert {name.split(".")[0] for name in report.initialised} == {"head", "table", "tasks"}


def test_rows_are_left_out_whole_and_in_training_alone(run):
    cfg = load_config(run / "config.yaml", ["MODEL.CLINICAL.DROPOUT", "0.5"])
    torch.manual_seed(0)
    table = create_model(cfg).table
    rows, folds = [{"age": 70.0, "sex": "M"}] * 40, [None] * 40
    alone, nothing = table.eval()(rows[:1], [None]), table([{}], [None])
    torch.testing.assert_close(table(rows, folds), alone.expand(40, -1))
    table.train()
    seen = table(rows, folds)
    is_alone, is_nothing = ((seen - other).abs().amax(dim=1) < 1e-6 for other in (alone, nothing))
    assert (is_alone ^ is_nothing).all() and 8 < is_nothing.sum() < 32


def test_a_table_of_other_files_is_refused(tmp_path):
    table = tmp_path / "patients.csv"
    table.write_text("file_name,age\nelse.png,3\n")
    with pytest.raises(DataError, match="no row is of a file that is read"):
        read_contexts(table, [tmp_path / "knee.png"], ["age"])


def test_a_model_of_pixels_takes_no_table(data_root, tmp_path, capsys):
    table = tmp_path / "patients.csv"
    table.write_text("file_name,age\n0.png,3\n")
    path = str(data_root / "ages" / "images" / "0.png")
    options = ["--input", path, "--output", str(tmp_path / "found"), "--clinical", str(table)]
    assert infer.main(options) == 2
    assert "the model takes no table" in capsys.readouterr().err
