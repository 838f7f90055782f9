"""Which kind of model a configuration describes, where its name alone does not say."""

import dataclasses

import pytest

from segtumor.config import load_config
from segtumor.models import kinds

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "mask_rcnn"),
        ({"MODEL.MASK_ON": "False"}, "faster_rcnn"),
        ({"MODEL.META_ARCHITECTURE": "ImageHeadRCNN"}, "mask_rcnn_image_head"),
        ({"MODEL.META_ARCHITECTURE": "ImageHeadRCNN", "MODEL.MASK_ON": "False"}, "faster_rcnn_image_head"),
        ({"MODEL.META_ARCHITECTURE": "RetinaNet", "MODEL.MASK_ON": "False"}, "retinanet"),
        ({"MODEL.META_ARCHITECTURE": "YOLO", "MODEL.MASK_ON": "False"}, "one_stage"),
        ({"MODEL.META_ARCHITECTURE": "ImageClassifier"}, "classifier"),
        (
            {"MODEL.META_ARCHITECTURE": "ImageClassifier", "MODEL.CLINICAL.COLUMNS": "[[age, zscore]]"},
            "table_classifier",
        ),
        ({"MODEL.META_ARCHITECTURE": "HogClassifier"}, "classifier"),
    ],
)
def test_by_settings(settings, name, tiny_config_file):
    cfg = load_config(tiny_config_file, [text for pair in settings.items() for text in pair])
    assert kinds.kind_of(cfg).name == name


def test_a_registered_kind_keeps_its_own_without_masks(tiny_config_file, monkeypatch):
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
    own = dataclasses.replace(kinds.MASK_RCNN, finish=print, metrics=("dice",))
    kinds.register("Own", own)
    cfg = load_config(tiny_config_file, ["MODEL.MASK_ON", "False"])
    cfg.MODEL.META_ARCHITECTURE = "Own"
    assert kinds.kind_of(cfg) == dataclasses.replace(own, name="faster_rcnn")
