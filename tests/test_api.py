"""What ``import segtumor`` offers, on an export of a made-up segmenter: nothing here needs torch."""

import concurrent.futures
import inspect
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from dummy_models import BRIGHT, NAMES, write_export
from PIL import Image

import segtumor
from segtumor import api
from segtumor.errors import BadImageError, ConfigError, DataError
from segtumor.structures.readings import UNLIKE_TRAINING

PICTURE = np.random.default_rng(0).integers(40, 120, (64, 80), dtype=np.uint8)  # of the model's size
PICTURE[10:30, 20:45] = 255
PICTURE[0, :20] = 0
MASK = PICTURE == 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    write_export(folder / "segmenter", "threshold")
    write_export(folder / "classifier", "brightness", synthetic=True)
    Image.fromarray(PICTURE).save(folder / "knee.png")
    Image.fromarray(np.full((40, 40), 90, dtype=np.uint8)).save(folder / "normal.png")
    truth = {
        "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
        "images": [
            {"id": 1, "file_name": "knee.png", "height": 64, "width": 80},
            {"id": 2, "file_name": "normal.png", "height": 40, "width": 40},
        ],
        "annotations": [
            {
                **{"id": 1, "image_id": 1, "category_id": 2, "bbox": [20, 10, 25, 20], "area": 500, "iscrowd": 0},
                "segmentation": [[20, 10, 45, 10, 45, 30, 20, 30]],
            }
        ],
    }
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return segtumor.load(folder / "segmenter")


@pytest.fixture(scope="module")
def reading(model, folder):
    return model.read(folder / "knee.png")


def test_what_is_offered_is_listed_and_exists():
    assert len(set(segtumor.__all__)) == len(segtumor.__all__)
    modules = {name: getattr(value, "__module__", None) or "" for name, value in vars(api).items()}
    own = {name for name, module in modules.items() if module.startswith("segtumor.api")}
    public = {name for name in own if not name.startswith("_")}
    assert public <= set(api.__all__), "a public name of segtumor.api that is not in __all__"
    assert set(segtumor.__all__) == {*api.__all__, "NOTICE", "__version__"}
    for name in segtumor.__all__:
        assert getattr(segtumor, name) is not None
        assert name in dir(segtumor)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segtumor.nothing


def test_everything_offered_is_documented_and_typed():
    for name in api.__all__:
        value = getattr(segtumor, name)
        assert inspect.getdoc(value), name
        if inspect.isfunction(value) and value.__module__.startswith("segtumor.api"):
            signature = inspect.signature(value)
            assert signature.return_annotation is not inspect.Signature.empty
            assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


@pytest.mark.command
def test_importing_the_package_is_quick_and_loads_nothing():
    program = (
        "import sys, time; started = time.perf_counter(); import segtumor; seconds = time.perf_counter() - started\n"
        "heavy = sorted({'numpy', 'cv2', 'pandas', 'torch', 'matplotlib', 'PIL'} & set(sys.modules))\n"
        "print(seconds < 0.2, heavy, segtumor.__version__, 'load' in dir(segtumor))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["True", "[]", segtumor.__version__, "True"]


def test_a_file_is_read(reading, model):
    (finding, *others) = reading.findings
    assert not others
    assert finding.mask.dtype == bool and np.array_equal(finding.mask, MASK)
    assert (finding.class_id, model.class_names) == (1, NAMES)
    assert finding.score == pytest.approx(0.9)
    assert reading.size_hw == (64, 80) and reading.name == "knee.png"
    assert reading.maps["malignant"].shape == (64, 80)
    assert set(reading.timings_s) == {"prepare", "model"}
    assert reading.score_threshold == model.score_threshold == BRIGHT
    assert model.about["weights_sha256"] == "ab"
    assert repr(model) == "<segtumor.Model of benign, malignant>"


def test_files_arrays_and_radiographs_of_one_picture_are_read_alike(reading, model, folder):
    sources = [
        str(folder / "knee.png"),
        PICTURE,
        PICTURE.astype(np.uint16) * 257,
        PICTURE / np.float64(255),
        (PICTURE / 255).astype(np.float32),
        segtumor.read_radiograph(folder / "knee.png"),
    ]
    for found in model.read(sources):
        assert found.findings == reading.findings
    assert isinstance(model.read(tuple(sources)), list)
    assert model.read([]) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"shape \(4, 4, 3\); expected \(H, W\).*one gray channel"),
        (np.zeros((0, 4), np.uint8), r"not a gray picture"),
        (np.zeros((4, 4), np.int16), "int16; expected uint8, uint16, or floats"),
        (np.zeros((4, 4), bool), "bool; expected uint8, uint16, or floats"),
        (np.full((4, 4), 255.0), r"out of range \(got 255 to 255; expected 0 to 1\).*Divide"),
        (np.full((4, 4), -0.5), "out of range"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.array([[0.0, np.inf]]), "infinite"),
        (np.ma.masked_greater(PICTURE, 200), r"a masked array.*filled"),
        ("nowhere.png", r"nowhere\.png: there is no such file\. Check the path\.$"),
        ([["knee.png"]], r"list of str; expected a path"),
        (iter(["knee.png"]), r"iterator; expected a path.*list\(paths\)"),
        (Image.new("L", (4, 4)), r"Image; expected a path.*numpy\.asarray\(image"),
        (3, "int; expected a path"),
        (None, "NoneType; expected a path"),
    ],
)
def test_what_cannot_be_read_is_said(model, source, message):
    with pytest.raises(BadImageError, match=message):
        model.read(source)


def test_a_folder_is_no_radiograph(model, folder):
    with pytest.raises(DataError):
        model.read(folder)


def test_threads_read_as_one_does(model, folder):
    sources = [folder / "knee.png", folder / "normal.png", PICTURE, PICTURE[:40], PICTURE[:, 10:]] * 8
    expected = [model.read(source) for source in sources]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.read, sources)) == expected


def test_a_table_has_a_row_for_each_finding_and_one_where_there_is_none(reading, model, folder):
    frame = reading.to_frame()
    assert len(frame) == 1
    row = frame.iloc[0]
    assert (row["file"], row["finding"], row["class"]) == (str(folder / "knee.png"), 1, "malignant")
    assert (row["x0_px"], row["width_px"], row["area_px"]) == (20, 25, 500)
    assert np.isnan(row["width_mm"])
    empty = model.read(folder / "normal.png").to_frame()
    assert len(empty) == 1 and empty["finding"].isna().all() and empty["score"].isna().all()
    assert (empty.dtypes == frame.dtypes).all()
    assert reading.to_frame(0.95)["finding"].isna().all()
    assert reading.above(0.95).findings == ()


def test_coco_results_of_one_and_of_several(reading, model, folder):
    document = reading.to_coco()
    assert document["images"][0]["file_name"] == str(folder / "knee.png")
    assert document["annotations"][0]["bbox"] == [20, 10, 25, 20]
    json.dumps(document)
    several = segtumor.to_coco([reading, model.read(folder / "normal.png")])
    assert [image["image_id"] for image in several["images"]] == [1, 2]
    with pytest.raises(DataError, match="got none; expected a list of readings of one model"):
        segtumor.to_coco([])


@pytest.mark.parametrize("given", [None, {}, ["knee.png"], 3])
def test_what_is_no_list_of_readings_is_said(reading, folder, given):
    with pytest.raises(DataError, match="these are not readings"):
        segtumor.evaluate(folder / "truth.json", given)
    with pytest.raises(DataError, match="got Reading; expected a list of readings"):
        segtumor.to_coco(reading)
    with pytest.raises(ConfigError, match=r"got dict; expected segtumor\.StudySettings"):
        segtumor.evaluate(folder / "truth.json", [reading], {"n_resamples": 20})


@pytest.mark.parametrize("threshold", [2, -0.1, float("nan"), "0.5"])
def test_a_threshold_that_is_none_is_refused(reading, threshold):
    for call in (reading.draw, reading.to_frame, reading.above):
        with pytest.raises(ConfigError, match="threshold out of range"):
            call(threshold)


def test_a_blank_array_has_the_note_of_a_blank_file(model, folder):
    from_file, from_array = model.read([folder / "normal.png", np.full((40, 40), 90, np.uint8)])
    assert from_array.notes == from_file.notes != ()


def test_a_picture_is_drawn_and_can_be_saved(reading, tmp_path):
    reading.draw().save(tmp_path / "knee.png")
    with Image.open(tmp_path / "knee.png") as picture:
        assert picture.mode == "RGB" and max(picture.size) >= 768
    assert reading.draw(0.95).tobytes() != reading.draw().tobytes()


def test_a_notebook_shows_picture_and_table(reading, model):
    assert reading._repr_png_().startswith(b"\x89PNG")
    shown = reading._repr_html_()
    assert 'src="data:image/png;base64,' in shown and "malignant" in shown
    assert "<script>" not in model.read(
        segtumor.Radiograph((PICTURE / 255).astype(np.float32), None, None, "<script>.png", "uint8")
    )._repr_html_().replace("&lt;script&gt;", "")


def test_a_file_that_is_gone_or_another_one_is_not_drawn(model, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    found = model.read(tmp_path / "a.png")
    Image.fromarray(PICTURE[:20]).save(tmp_path / "a.png")
    with pytest.raises(BadImageError, match="no longer the one"):
        found.draw()
    (tmp_path / "a.png").unlink()
    with pytest.raises(BadImageError, match=r"a\.png"):
        found.draw()
    assert "a.png" in found._repr_html_()  # what is known is still shown


def test_a_classifier_says_what_it_thinks_of_the_image(folder):
    found = segtumor.load(folder / "classifier").read(folder / "knee.png")
    assert found.findings == () and len(found.image_probabilities) == 3
    assert found.has_note(UNLIKE_TRAINING)
    frame = found.to_frame()
    assert frame["image_probability_malignant"][0] == pytest.approx(found.image_probabilities[2], abs=1e-4)
    assert "synthetic" in frame["note"][0]
    found.draw()


def test_a_model_that_is_pickled_or_copied_is_loaded_again(folder, reading, monkeypatch):
    monkeypatch.chdir(folder)
    written = pickle.dumps(segtumor.load("segmenter", confidence_threshold=0.25))
    monkeypatch.chdir("/")
    again = pickle.loads(written)
    assert again.read(folder / "knee.png").findings == reading.findings and again.score_threshold == 0.25


def test_a_reading_can_be_pickled_and_compared(reading, model, folder):
    assert len({reading, model.read(folder / "knee.png")}) == 1
    unplaced = segtumor.Finding(0, 0.5)
    assert pickle.loads(pickle.dumps(unplaced)) == unplaced
    assert pickle.loads(pickle.dumps(reading)) == reading == model.read(folder / "knee.png")


def test_readings_are_evaluated_as_their_file_is(model, folder, tmp_path):
    readings = model.read([folder / "knee.png", folder / "normal.png"])
    (tmp_path / "predictions.json").write_text(json.dumps(segtumor.to_coco(readings)))
    settings = segtumor.StudySettings(n_resamples=20)
    direct = segtumor.evaluate(folder / "truth.json", readings, settings)
    from_file = segtumor.evaluate(str(folder / "truth.json"), tmp_path / "predictions.json", settings)
    values = [{e.name: e.value for e in study.estimates} for study in (direct, from_file)]
    assert values[0] == pytest.approx(values[1], nan_ok=True)
    assert values[0]["lesion_recall"] == 1
    with pytest.raises(DataError, match="absent"):
        segtumor.evaluate(folder / "truth.json", readings[:1], settings)
    assert segtumor.evaluate(folder / "truth.json", readings[:1], settings, allow_absent=True).estimates


def test_what_cannot_be_loaded_is_said(tmp_path, folder):
    with pytest.raises(ConfigError, match=r"bone-v1: no such folder, and no model of this name"):
        segtumor.load("bone-v1")
    with pytest.raises(ConfigError):
        segtumor.load(tmp_path)
    with pytest.raises(ConfigError, match="confidence threshold out of range"):
        segtumor.load(folder / "segmenter", confidence_threshold=1.5)
    with pytest.raises(ConfigError, match="as it was exported"):
        segtumor.load(folder / "segmenter", device="cpu")
    for threads in (0, -1, "2", 1.5):
        with pytest.raises(ConfigError, match="number of threads out of range"):
            segtumor.load(folder / "segmenter", threads=threads)
    for file in (folder / "knee.png", folder / "segmenter" / "export.json"):
        with pytest.raises(ConfigError, match=r"neither a training run nor an exported model.*the folder itself"):
            segtumor.load(file)
    assert (
        segtumor.load(folder / "segmenter", confidence_threshold=0.95)
        .read(folder / "knee.png")
        .to_frame()["finding"]
        .isna()
        .all()
    )
