"""Augmentation from a file of albumentations: lesions stay whole, files are data, runs repeat and resume."""

import json

import albumentations
import numpy as np
import pytest
import torch
import yaml

from segtumor.config import load_config
from segtumor.errors import ConfigError
from segtumor.models.weights import read_checkpoint
from segtumor.structures.masks import box_from_mask
from segtumor.training import train as training
from segtumor.training.batches.composed import ComposedAugmentation

pytestmark = pytest.mark.model

SIZE_HW = (64, 80)
#: (x0, y0, x1, y1) of a lesion in each corner but one, and gray values that tell them apart.
LESIONS, GRAY = ((4, 4, 16, 18), (60, 6, 78, 20), (10, 44, 30, 60)), (0.4, 0.7, 1.0)
MOVES = [
    albumentations.HorizontalFlip(p=0.5),
    albumentations.Affine(rotate=(-15, 15), translate_percent=(-0.4, 0.4), p=0.9),
]


def rectangle(box_xyxy):
    x0, y0, x1, y1 = box_xyxy
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


MASKS = np.array([rectangle(box) for box in LESIONS])
PIXELS = np.max([mask * np.float32(gray) for mask, gray in zip(MASKS, GRAY, strict=True)], axis=0)


@pytest.fixture
def saved(tmp_path):
    """Function of transforms -> path of their file."""

    def save(transforms, name="augmentation.json", **options):
        path, form = tmp_path / name, "json" if name.endswith("json") else "yaml"
        albumentations.save(albumentations.Compose(transforms, **options), path, data_format=form)
        return path

    return save


def augmented(path, seed, masks=MASKS):
    augmentation = ComposedAugmentation(path, trial_hw=(64, 64))
    return augmentation.augment(PIXELS, lambda motion: masks, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["moves.json", "moves.yaml", "moves.yml"])
def test_a_lesion_keeps_its_pixels_its_mask_and_its_number(saved, name):
    path, gone = saved(MOVES, name), 0
    for seed in range(20):
        pixels, masks = augmented(path, seed)
        assert pixels.shape == SIZE_HW and pixels.dtype == np.float32 and masks.shape == MASKS.shape
        for mask, gray in zip(masks, GRAY, strict=True):
            gone += not mask.any()
            # Gray between lesion and background is on the outline alone.
            inside = mask & (np.abs(pixels - gray) < 0.02)
            assert inside.sum() >= mask.sum() - 70
            assert not (mask & (pixels > gray + 0.02)).sum() > 20
    assert gone  # the shift takes some lesions out of the image, and they have no pixel left behind


def test_boxes_from_moved_masks_are_the_boxes_that_albumentations_moves(saved):
    flip = [albumentations.HorizontalFlip(p=1), albumentations.RandomCrop(40, 50, p=1)]
    pixels, masks = augmented(saved(flip), 3)
    compose = albumentations.Compose(flip, bbox_params=albumentations.BboxParams("pascal_voc", ["ids"], clip=True))
    compose.set_random_seed(int(np.random.default_rng(3).integers(2**31)))
    moved = compose(image=PIXELS[..., None], bboxes=np.array(LESIONS, dtype=np.float32), ids=np.arange(3.0))
    assert pixels.shape == masks.shape[1:] == (40, 50)
    expected = {int(number): tuple(box) for number, box in zip(moved["ids"], moved["bboxes"], strict=True)}
    assert expected and {n: box_from_mask(mask) for n, mask in enumerate(masks) if mask.any()} == expected


def test_a_lesion_whose_box_is_left_out_loses_its_mask(saved):
    """A third of the lesion stays in the image; the file wants half."""
    crop = [albumentations.Crop(x_min=12, y_min=0, x_max=60, y_max=64, p=1)]
    boxes = albumentations.BboxParams("coco", ["labels"], min_visibility=0.5)
    _, (first, second, third) = augmented(saved(crop, bbox_params=boxes), 0)
    assert not first.any() and not second.any() and third.sum() == 18 * 16
    _, masks = augmented(saved(crop), 0)
    assert masks[0].sum() == 4 * 14


def test_the_seed_alone_decides(saved):
    path = saved([*MOVES, albumentations.GaussNoise(p=1), albumentations.GaussianBlur(p=0.5)])
    first, again, other = (augmented(path, seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_a_normal_image_has_no_masks(saved):
    pixels, masks = augmented(saved(MOVES), 0, MASKS[:0])
    assert pixels.shape == SIZE_HW and masks.shape == (0, *SIZE_HW)


def compose(*transforms, **more):
    return {"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "transforms": transforms, **more}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "not a serialised Compose (got list)"),
        ({}, "not a serialised Compose (got NoneType)"),
        (
            {"transform": {"__class_fullname__": "HorizontalFlip", "p": 1}},
            "not a serialised Compose (got HorizontalFlip)",
        ),
        (compose({"__class_fullname__": "os.system", "p": 1}), "(got os.system)"),
        (compose({"__class_fullname__": "evil.HorizontalFlip", "p": 1}), "(got evil.HorizontalFlip)"),
        (compose({"__class_fullname__": "Lambda", "__name__": "f", "p": 1}), "(got Lambda)"),
        (compose({"__class_fullname__": "NoSuchThing", "p": 1}), "(got NoSuchThing)"),
        (compose({"__class_fullname__": "HorizontalFlip", "p": 7}), "albumentations refuses it"),
        (compose({"__class_fullname__": "Normalize", "p": 1}), "no gray image"),
        (compose({"__class_fullname__": "HorizontalFlip", "p": 1, "wild": 2}), "albumentations refuses it"),
        (compose({"__class_fullname__": "RandomCrop", "p": 1, "height": 90, "width": 90}), "a transform fails"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_line(tmp_path, document, message):
    path = tmp_path / "augmentation.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as caught:
        augmented(path, 0)
    assert message in str(caught.value)
    assert f"INPUT.AUGMENTATION, {path}" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[" * 100_000, "not JSON"), (None, "no such file")])
def test_no_json_and_no_file_are_said(tmp_path, text, message):
    path = tmp_path / "augmentation.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        augmented(path, 0)


def test_yaml_runs_no_code(tmp_path):
    path = tmp_path / "augmentation.yaml"
    path.write_text(f"transform: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(ConfigError):
        augmented(path, 0)
    assert not (tmp_path / "made").exists()


def test_a_file_is_found_beside_the_configuration_that_names_it(saved, tmp_path, tiny_config_file, monkeypatch):
    path = saved(MOVES)
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump({"_BASE_": str(tiny_config_file), "INPUT": {"AUGMENTATION": path.name}}))
    assert str(path) == load_config(config).INPUT.AUGMENTATION
    assert load_config(tiny_config_file, ["INPUT.AUGMENTATION", "light"]).INPUT.AUGMENTATION == "light"
    monkeypatch.chdir(tmp_path)
    assert str(path) == load_config(tiny_config_file, ["INPUT.AUGMENTATION", path.name]).INPUT.AUGMENTATION


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_repeats_and_a_resumed_one_is_the_same(phantoms, tiny_config, tmp_path, saved, workers):
    path = saved([*MOVES, albumentations.GaussNoise(p=1)])
    settings = {"DATASETS.VALIDATION": (), "DATASETS.TEST": (), "INPUT.AUGMENTATION": path}
    settings = {**settings, "DATALOADER.NUM_WORKERS": workers, "SOLVER.CHECKPOINT_PERIOD": 2}
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    training.train(tiny_config({**settings, "OUTPUT_DIR": whole}))
    with pytest.MonkeyPatch.context() as patch:
        step = training.Trainer.run_step
        patch.setattr(training.Trainer, "run_step", lambda trainer: 1 / 0 if trainer.iter == 2 else step(trainer))
        with pytest.raises(ZeroDivisionError):
            training.train(tiny_config({**settings, "OUTPUT_DIR": resumed}))
    training.train(tiny_config({**settings, "OUTPUT_DIR": resumed}), resume=True)
    first, second = (read_checkpoint(folder / "model_final.pth")["model"] for folder in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    stored = json.loads((whole / "run.json").read_text())["augmentation"]
    assert stored["file"] == str(path) and len(stored["sha256"]) == 64
    saved(MOVES)
    training.train(tiny_config({**settings, "OUTPUT_DIR": resumed, "SOLVER.MAX_ITER": 5}), resume=True)
    assert "(INPUT.AUGMENTATION) differs" in (resumed / "log.txt").read_text()
