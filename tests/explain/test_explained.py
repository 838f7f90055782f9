"""Readings with heat maps, of every kind of model, from the module to the picture."""

import numpy as np
import pytest
import torch
from PIL import Image
from repository import ROOT

from segtumor.commands import infer
from segtumor.config import load_config
from segtumor.errors import ConfigError
from segtumor.explain.explained import MOST_FINDINGS, Explained
from segtumor.explain.heat import METHODS
from segtumor.inference.explaining import explainable_config, explaining
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.image_models import module_of
from segtumor.models.kinds import set_classes
from segtumor.runs import CONFIG
from segtumor.structures.masks import box_from_mask

pytestmark = pytest.mark.model

NAMES = ("benign", "malignant")
KINDS = {
    "detector": (),
    "image head": ("MODEL.META_ARCHITECTURE", "ImageHeadRCNN"),
    "classifier": ("MODEL.META_ARCHITECTURE", "ImageClassifier", "MODEL.CLASSIFIER.NAME", "shufflenet_v2_x0_5"),
    "unet": ("MODEL.META_ARCHITECTURE", "UNet", "MODEL.UNET.WIDTH", "8"),
}


def predictor(kind, tiny_options, method="gradcam", threshold=0.0):
    path = ROOT / "configs" / "tiny_phantoms.yaml"
    cfg = load_config(path, [*tiny_options({"MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0}), *KINDS[kind]])
    set_classes(cfg, NAMES)
    torch.manual_seed(2)
    module = create_model(cfg).eval()
    if kind == "unet":
        torch.nn.init.constant_(module.decoder.last.bias, 0.0)
        with torch.no_grad():
            module.decoder.last.bias[1] += 2.0  # everything is benign
    own = predictor_from_config(cfg, module, NAMES)
    options = {"method": method, "settings": own.settings, "threshold": threshold}
    return own, own.with_model(Explained(module, own.model, NAMES, **options))


def windows():
    rng = np.random.default_rng(0)
    return [rng.random((64, 80), dtype=np.float32)], [(96, 120)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_why(kind, method, tiny_options):
    own, explained = predictor(kind, tiny_options, method)
    (plain,), (reading,) = own.read_windows(*windows()), explained.read_windows(*windows())
    assert reading.findings == plain.findings and reading.image_probabilities == plain.image_probabilities
    found = [f"{method}, finding {n + 1}" for n in range(min(MOST_FINDINGS, len(plain.findings)))]
    assert list(reading.maps) == found + ([f"{method}, image"] if kind in ("classifier", "image head") else [])
    assert reading.maps, "nothing was explained"
    for heat in reading.maps.values():
        assert heat.shape == (96, 120) and heat.min() >= 0 and heat.max() <= 1


def test_the_map_of_a_box_stays_near_the_box(tiny_options):
    _, explained = predictor("detector", tiny_options, "gradcam")
    (reading,) = explained.read_windows(*windows())
    judged = 0
    for number, finding in enumerate(reading.findings[:MOST_FINDINGS], start=1):
        heat = reading.maps[f"gradcam, finding {number}"]
        if heat.max() == 0:  # nothing speaks for the finding: ReLU leaves no heat
            continue
        judged += 1
        left, top, right, bottom = box_from_mask(heat > 0.05)
        x0, y0, x1, y1 = finding.box_xyxy
        margin = 1.5 * 32  # a cell of the coarsest map, in px of the radiograph, and its interpolation
        assert left >= x0 - margin and top >= y0 - margin and right <= x1 + margin and bottom <= y1 + margin
    assert judged


def test_a_reading_without_findings_has_no_map(tiny_options):
    _, explained = predictor("detector", tiny_options, threshold=1.0)
    (reading,) = explained.read_windows(*windows())
    assert dict(reading.maps) == {}


def test_what_cannot_be_explained(tiny_options, tmp_path):
    with pytest.raises(ConfigError, match="no module of torch"):
        module_of(object())
    with pytest.raises(ConfigError, match="unknown explanation"):
        predictor("classifier", tiny_options, method="why")
    (tmp_path / "export.json").write_text("{}")
    with pytest.raises(ConfigError, match="no gradients"):
        explainable_config(tmp_path, None, ())


def test_the_model_that_is_shipped_has_gradients():
    from segtumor.shipped.registry import model_folder

    cfg = explainable_config(model_folder(), None, ("MODEL.ROI_HEADS.SCORE_THRESH_TEST", "0.0"))
    cfg.freeze()
    model = explaining(cfg, "layercam", threads=1)
    assert model.settings["explanation"] == "layercam" and model.predictor.class_names == NAMES


def test_the_command_draws_maps_beside_the_overlay(tiny_run, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (80, 64), dtype=np.uint8)).save(tmp_path / "scan.png")

    found = ("--opts", "MODEL.ROI_HEADS.SCORE_THRESH_TEST", "0.0")  # so little was learnt that all scores are low

    def width(name, *options):
        argv = ["--run", str(tiny_run), "--input", str(tmp_path / "scan.png"), "--output", str(tmp_path / name)]
        assert infer.main([*argv, "--confidence-threshold", "0", *options, *found]) == 0
        with Image.open(tmp_path / name / "overlays" / "scan.png") as picture:
            return picture.width

    assert (tiny_run / CONFIG).is_file()
    plain, explained = width("plain"), width("explained", "--explain", "layercam")
    assert explained % plain == 0 and explained // plain in range(2, 2 + MOST_FINDINGS)
    argv = ["--run", str(tiny_run), "--input", str(tmp_path / "scan.png"), "--output", str(tmp_path / "x")]
    assert infer.main([*argv, "--explain", "gradcam", "--tta"]) == 2
