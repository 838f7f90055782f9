"""One file of annotations, several models: a published study repeated, the two steps of a cascade, nine subtypes."""

import json

import pytest
from repository import ROOT

from segtumor import api
from segtumor.annotations.predictions.document import read_objects
from segtumor.commands import evaluate, train
from segtumor.commands.benchmark import reproduce
from segtumor.synthesis.phantoms import write_phantom_dataset
from segtumor.taxonomy import SUBTYPES

pytestmark = pytest.mark.model

SMALL = {
    "MODEL.CLASSIFIER.NAME": "shufflenet_v2_x0_5",
    "INPUT.MIN_SIZE_TRAIN": "[32]",
    "INPUT.MIN_SIZE_TEST": 32,
    "SOLVER.EPOCHS": 1,
    "SOLVER.IMS_PER_BATCH": 8,
    "DATALOADER.NUM_WORKERS": 0,
}
CLASSIFIER = str(ROOT / "configs" / "classifier_densenet121.yaml")


def options(settings):
    return [str(text) for pair in settings.items() for text in pair]


def data(name):
    parts = {"TRAIN": "train", "VALIDATION": "val", "TEST": "test"}
    return {f"DATASETS.{key}": f"[{name}_{part}]" for key, part in parts.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("schemes")
    write_phantom_dataset(root / "all", cases=20, seed=3, size_px=96, fractions=(1.0, 0.0, 0.0))
    write_phantom_dataset(root / "small", cases=14, seed=4, size_px=96, fractions=(0.5, 0.25, 0.25))
    for part in ("train", "val", "test"):  # the same with its subtypes as classes
        coco = json.loads((root / "small" / "annotations" / f"{part}.json").read_text())
        for annotation in coco["annotations"]:
            annotation["category_id"] = SUBTYPES.class_id(annotation["subtype"]) + 1
        path = root / "nine" / "annotations" / f"{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**coco, "categories": SUBTYPES.coco_categories()}))
    (root / "nine" / "images").symlink_to(root / "small" / "images")
    return root


@pytest.fixture(autouse=True)
def found_by_name(root, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(root))


@pytest.fixture(scope="module")
def reproduced(root):
    """A study repeated, with a smaller network."""
    argv = ["--study", "alrabai-2026", "--annotations", str(root / "all" / "annotations" / "train.json")]
    argv += ["--output", str(root / "alrabai"), "--config-file", CLASSIFIER, *options(SMALL)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(root))
        assert reproduce.main(argv) == 0
    return root / "alrabai", argv


def test_a_study_is_trained_by_image_and_by_case(reproduced):
    output, _ = reproduced
    page = (output / "reproduction.md").read_text()
    assert "| Alrabai 2026, DenseNet121 | classifier_densenet121, by image | classifier_densenet121, by case |" in page
    assert "| normal, precision | 0.749 |" in page and "| tumour, F1 | 0.752 |" in page and "| 0.8387 |" in page
    assert "LEAK" in page and "No case of the test part is in the training part" in page
    folder = output / "by-image" / "annotations"
    parts = [json.loads((folder / f"{part}.json").read_text())["images"] for part in ("train", "val", "test")]
    assert list(map(len, parts)) == pytest.approx([28, 8, 4], abs=1)
    assert (output / "roc.png").is_file() and (output / "confusion_3.png").is_file()


def test_the_same_command_trains_nothing_again(reproduced, capsys):
    output, argv = reproduced
    weights = output / "by-case-classifier_densenet121" / "model_best.pth"
    before, page = weights.stat().st_mtime_ns, (output / "reproduction.md").read_bytes()
    assert reproduce.main(argv) == 0
    assert weights.stat().st_mtime_ns == before and (output / "reproduction.md").read_bytes() == page
    assert reproduce.main([*argv[:-2], "SOLVER.EPOCHS", "2"]) == 2 and "another reproduction" in capsys.readouterr().err


def test_two_steps_from_one_file(reproduced, root, tmp_path):
    first, second = reproduced[0] / "by-case-classifier_densenet121", tmp_path / "which"
    settings = {**SMALL, **data("small"), "DATASETS.NORMAL": False, "SOLVER.BEST_METRIC": "image/macro_f1"}
    assert train.main(["--config-file", CLASSIFIER, *options({**settings, "OUTPUT_DIR": second})]) == 0
    tested = json.loads((second / "inference" / "small_test" / "metrics.json").read_text())
    assert tested["images"]["n_normal_images"] == 0 and tested["images"]["n_tumor_images"] > 0
    model = api.load(second, cascade=first)
    paths = sorted((root / "small" / "images").glob("*"))
    test = root / "small" / "annotations" / "test.json"
    names = {image["file_name"] for image in json.loads(test.read_text())["images"]}
    readings = model.read([str(path) for path in paths if path.name in names])
    alone = api.load(first).read([reading.source for reading in readings])
    for reading, one in zip(readings, alone, strict=True):
        assert reading.tumor_score == pytest.approx(one.tumor_score) and reading.class_names == ("benign", "malignant")
        assert sum(reading.image_probabilities) == pytest.approx(1)
    (tmp_path / "predictions.json").write_text(json.dumps(api.to_coco(readings)))
    argv = ["--annotations", str(test), "--predictions", str(tmp_path / "predictions.json"), "--resamples", "20"]
    assert evaluate.main([*argv, "--output", str(tmp_path / "evaluated"), "--no-examples"]) == 0
    table = (tmp_path / "evaluated" / "stages.csv").read_text()
    assert [line.split(",")[0] for line in table.splitlines()][:2] == ["stage", "tumour or not"]
    assert "Tumour or not, then which" in (tmp_path / "evaluated" / "report.html").read_text()


def test_nine_subtypes_are_classified(root, tmp_path):
    settings = {**SMALL, **data("nine"), "OUTPUT_DIR": tmp_path / "run"}
    config = str(ROOT / "configs" / "btxrd9_classifier_lite0.yaml")
    assert train.main(["--config-file", config, *options({**settings, "MODEL.PIXEL_MEAN": "[127, 127, 127]"})]) == 0
    images, _, names = read_objects(tmp_path / "run" / "inference" / "nine_test" / "predictions.json")
    assert tuple(names.values()) == SUBTYPES.names
    assert set(images[0]["image_probabilities"]) == {"normal", *SUBTYPES.names}


def test_nine_subtypes_are_detected(root, tmp_path, tiny_config_file, tiny_options):
    settings = {**data("nine"), "OUTPUT_DIR": tmp_path / "run", "SOLVER.MAX_ITER": 2, "TEST.EVAL_PERIOD": 2}
    assert train.main(["--config-file", str(tiny_config_file), *tiny_options(settings)]) == 0
    _, found, names = read_objects(tmp_path / "run" / "inference" / "nine_test" / "predictions.json")
    assert tuple(names.values()) == SUBTYPES.names and all(len(one["class_probabilities"]) == 9 for one in found)
