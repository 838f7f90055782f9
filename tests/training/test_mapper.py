"""Records to training examples: what the model sees, and that boxes, masks and labels stay with their lesion."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.errors import BadImageError, ConfigError
from segtumor.imaging import read_radiograph
from segtumor.imaging.resizing import resize, resized_hw
from segtumor.models.detectron2_detector import image_tensor
from segtumor.models.kinds import IMAGE_HEAD_RCNN
from segtumor.runtime.predictor import Windowing
from segtumor.structures.masks import mask_from_rle, rle_from_mask, rle_from_segmentation
from segtumor.training.batches.augmentation import POLICIES, Augmentation, Motion
from segtumor.training.batches.mapper import RadiographMapper, draw_lesion

pytestmark = pytest.mark.model

SIZE_HW = (48, 64)
#: Gray value (0..255) of the lesion of each class; the background is 0, so that every policy keeps their order.
GRAY = (128, 178, 230)
#: One lesion per class: (x0, y0, x1, y1); the last one touches the border.
LESIONS = ((6, 6, 20, 20), (26, 22, 40, 38), (48, 2, 64, 16))


def rectangle(box_xyxy, size_hw=SIZE_HW):
    x0, y0, x1, y1 = box_xyxy
    mask = np.zeros(size_hw, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def polygon(box_xyxy):
    x0, y0, x1, y1 = box_xyxy
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def annotation(box_xyxy, class_id, segmentation=None, **more):
    x0, y0, x1, y1 = box_xyxy
    bbox = [x0, y0, x1 - x0, y1 - y0]
    segmentation = segmentation or rle_from_mask(rectangle(box_xyxy))
    return {"bbox": bbox, "bbox_mode": 1, "segmentation": segmentation, "category_id": class_id, "iscrowd": 0, **more}


@pytest.fixture
def record(tmp_path):
    """Three lesions, each of its own gray value, on black; one white pixel spans the range of gray values."""
    pixels = np.zeros(SIZE_HW, dtype=np.uint8)
    for box, gray in zip(LESIONS, GRAY, strict=True):
        pixels[rectangle(box)] = gray
    pixels[-1, 0] = 255
    path = tmp_path / "lesions.png"
    Image.fromarray(pixels).save(path)
    annotations = [annotation(box, class_id) for class_id, box in enumerate(LESIONS)]
    return {"file_name": str(path), "image_id": 7, "height": 48, "width": 64, "annotations": annotations, "age": 12}


def mapper(**settings):
    defaults = {
        "short_edges_px": [48],
        "max_long_edge_px": 64,
        "window_percentiles": [0, 100],
        "max_pixels": 10_000,
        "augmentation": "none",
        "min_lesion_area_px": 4,
    }
    return RadiographMapper(**{**defaults, **settings})


@pytest.mark.parametrize(
    ("size_hw", "short_edge_px", "max_long_edge_px", "expected"),
    [
        ((100, 100), 64, 128, (64, 64)),
        ((100, 200), 50, 128, (50, 100)),
        ((200, 100), 50, 128, (100, 50)),  # portrait
        ((100, 200), 100, 128, (64, 128)),  # the longer edge is the limit
        ((100, 400), 100, 200, (50, 200)),
        ((32, 48), 64, 512, (64, 96)),  # enlarged
        ((64, 96), 64, 96, (64, 96)),  # already right
        ((1, 5000), 64, 512, (1, 512)),  # never less than one pixel
        ((3, 4), 1, 100, (1, 1)),
    ],
)
def test_size_that_the_model_sees(size_hw, short_edge_px, max_long_edge_px, expected):
    assert resized_hw(size_hw, short_edge_px, max_long_edge_px) == expected


@pytest.mark.parametrize("size_hw", [(100, 100), (100, 300), (300, 100), (1, 5000)])
def test_squares_are_squares(size_hw):
    assert resized_hw(size_hw, 64, 80, square=True) == (64, 64)


def test_steps_are_those_of_inference(record):
    from segtumor.imaging import read_radiograph
    from segtumor.runtime.predictor import Windowing

    settings = {"short_edges_px": [40], "square": True, "steps": ["median", "clahe"]}
    image = mapper(**settings)(record)["image"][0].numpy() / 255
    windowing = Windowing(
        short_edge_px=40, max_long_edge_px=64, window_percentiles=(0, 100), square=True, steps=("median", "clahe")
    )
    np.testing.assert_allclose(image, windowing.window(read_radiograph(record["file_name"]).pixels), atol=1e-6)


def test_lesions_are_stretched_with_their_square(record):
    instances = mapper(square=True, short_edges_px=[96])(record)["instances"]
    assert instances.image_size == (96, 96)
    stretched = np.array(LESIONS) * (96 / 64, 96 / 48, 96 / 64, 96 / 48)
    assert instances.gt_boxes.tensor.numpy() == pytest.approx(stretched, abs=1)


def test_image_is_gray_three_times_in_0_to_255(record):
    example = mapper()(record)
    image = example["image"]
    assert image.shape == (3, *SIZE_HW) and image.dtype == torch.float32 and image.is_contiguous()
    assert torch.equal(image[0], image[1]) and torch.equal(image[0], image[2])
    assert (float(image.min()), float(image.max())) == (0.0, 255.0)
    for box, gray in zip(LESIONS, GRAY, strict=True):
        assert image[0].numpy()[rectangle(box)] == pytest.approx(gray, abs=1e-3)
    assert {key: example[key] for key in ("height", "width", "image_id")} == {"height": 48, "width": 64, "image_id": 7}
    assert example["file_name"] == record["file_name"]


def test_image_tensor_by_hand():
    tensor = image_tensor(np.array([[0.0, 0.5], [1.0, 0.2]], dtype=np.float32))
    assert tensor.shape == (3, 2, 2)
    assert tensor[2].flatten().tolist() == pytest.approx([0.0, 127.5, 255.0, 51.0])


def test_shrinking_averages_and_nothing_happens_at_the_right_size():
    checkers = np.tile(np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32), (4, 4))
    assert resize(checkers, (4, 4)) == pytest.approx(np.full((4, 4), 0.5))
    assert np.array_equal(resize(checkers, (8, 8)), checkers)
    assert resize(checkers, (16, 32)).shape == (16, 32)


def test_masks_boxes_and_classes_are_those_of_the_record(record):
    instances = mapper()(record)["instances"]
    assert instances.image_size == SIZE_HW and instances.gt_classes.tolist() == [0, 1, 2]
    assert instances.gt_boxes.tensor.tolist() == [list(map(float, box)) for box in LESIONS]
    for mask, box in zip(instances.gt_masks.tensor.numpy(), LESIONS, strict=True):
        assert np.array_equal(mask, rectangle(box))


@pytest.mark.parametrize("short_edge_px", [24, 48, 96])
def test_polygon_and_rle_give_the_same_mask(record, short_edge_px):
    settings = {"short_edges_px": [short_edge_px], "max_long_edge_px": 200}
    from_rle = mapper(**settings)(record)["instances"]
    record["annotations"] = [annotation(box, i, polygon(box)) for i, box in enumerate(LESIONS)]
    from_polygon = mapper(**settings)(record)["instances"]
    assert from_rle.image_size == (short_edge_px, short_edge_px * 64 // 48)
    assert torch.equal(from_rle.gt_masks.tensor, from_polygon.gt_masks.tensor)


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"none"}))
def test_polygons_and_rle_are_moved_alike(record, policy):
    augment = mapper(augmentation=policy, min_lesion_area_px=1)
    polygons = {**record, "annotations": [annotation(box, i, polygon(box)) for i, box in enumerate(LESIONS)]}
    for seed in range(15):
        np.random.seed(seed)
        from_rle = augment(record)
        np.random.seed(seed)
        from_polygon = augment(polygons)
        assert torch.equal(from_rle["image"], from_polygon["image"])
        first, second = (example["instances"] for example in (from_rle, from_polygon))
        assert first.gt_classes.tolist() == second.gt_classes.tolist()
        differing = (first.gt_masks.tensor != second.gt_masks.tensor).sum(dim=(1, 2))
        assert int(differing.max()) < 40, seed  # on outlines of 50 to 80 px
        assert float((first.gt_boxes.tensor - second.gt_boxes.tensor).abs().max()) <= 1.5


def mask_at_size(segmentation, size_hw, new_hw):
    canvas = np.zeros(new_hw, dtype=bool)
    draw_lesion(segmentation, size_hw, Augmentation("none").draw_motion(new_hw, np.random.default_rng(0)), canvas)
    return canvas


def test_uncompressed_rle_and_several_polygons_are_read():
    counts = {"size": [2, 3], "counts": [2, 2, 2]}  # column by column: the middle column
    assert mask_at_size(counts, (2, 3), (2, 3)).tolist() == [[False, True, False]] * 2
    two_squares = [*polygon((0, 0, 2, 2)), *polygon((4, 4, 6, 6))]
    mask = mask_at_size(two_squares, (8, 8), (8, 8))
    assert np.array_equal(mask, rectangle((0, 0, 2, 2), (8, 8)) | rectangle((4, 4, 6, 6), (8, 8)))


def medians_under_masks(example):
    image = example["image"][0].numpy()
    return [float(np.median(image[mask])) for mask in example["instances"].gt_masks.tensor.numpy()]


@pytest.mark.parametrize("policy", POLICIES)
def test_labels_and_masks_follow_their_lesion_through_augmentation(record, policy):
    augment = mapper(augmentation=policy, min_lesion_area_px=30)
    for seed in range(25):
        np.random.seed(seed)
        example = augment(record)
        instances, image = example["instances"], example["image"][0].numpy()
        masks = instances.gt_masks.tensor.numpy()
        classes, medians = instances.gt_classes.tolist(), medians_under_masks(example)
        assert classes == sorted(set(classes)), seed
        # Gray values that a policy pushes to white differ by its noise only; otherwise classes are 50 apart.
        assert all(second > first - 8 for first, second in itertools.pairwise(medians)), seed
        assert classes != [0, 1, 2] or medians[0] < medians[2], seed
        background = image[~masks.any(axis=0)]
        assert all(median > np.median(background) for median in medians), seed
        # The boxes hold every pixel of their mask, and each side touches one: Detectron2's own opinion.
        assert torch.equal(instances.gt_boxes.tensor, instances.gt_masks.get_bounding_boxes().tensor)
        assert float(image.min()) >= 0 and float(image.max()) <= 255


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"none"}))
def test_policies_change_the_image_and_flip_masks(record, policy):
    augment = mapper(augmentation=policy, min_lesion_area_px=30)
    first_is_left = set()
    for seed in range(25):
        np.random.seed(seed)
        instances = augment(record)["instances"]
        centers = dict(zip(instances.gt_classes.tolist(), instances.gt_boxes.get_centers()[:, 0].tolist(), strict=True))
        if {0, 1} <= set(centers):
            first_is_left.add(centers[0] < centers[1])
    assert first_is_left == {True, False}


def test_the_same_seed_gives_the_same_example_and_another_seed_another(record):
    augment = mapper(augmentation="strong", short_edges_px=[32, 40, 48])

    def example(seed):
        np.random.seed(seed)
        return augment(record)

    first, again, other = example(3), example(3), example(4)
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["instances"].gt_masks.tensor, again["instances"].gt_masks.tensor)
    assert torch.equal(first["instances"].gt_boxes.tensor, again["instances"].gt_boxes.tensor)
    assert first["image"].shape != other["image"].shape or not torch.equal(first["image"], other["image"])


def test_the_shorter_edge_is_drawn_from_all_sizes(record):
    augment = mapper(short_edges_px=[24, 48], max_long_edge_px=200)
    np.random.seed(0)
    assert {augment(record)["image"].shape[1] for _ in range(20)} == {24, 48}


def test_of_images_put_together_only_what_all_say_is_known(record):
    maps = mapper(context_fields=("view", "grade"))
    records = [{**record, "view": "ap", "grade": grade} for grade in ("low", "high")]
    assert maps(records[0], seed=0)["context"] == {"view": "ap", "grade": "low"}
    assert maps.mosaic(records * 2, seed=0)["context"] == {"view": "ap", "grade": None}
    assert maps.pasted(*records, seed=0)["context"] in ({"view": "ap", "grade": None}, {"view": "ap", "grade": "low"})


def test_a_remark_on_a_picture_is_logged_once(record, tmp_path, caplog):
    Image.fromarray(np.full(SIZE_HW, 255, dtype=np.uint8)).save(tmp_path / "white.png")
    maps = mapper()
    for _ in range(3):
        maps({**record, "file_name": str(tmp_path / "white.png")}, seed=0)
    assert len([line for line in caplog.messages if "white.png" in line]) == 1


def test_a_normal_image_has_empty_fields(record):
    instances = mapper(augmentation="strong")({**record, "annotations": []})["instances"]
    assert len(instances) == 0 and instances.gt_masks.tensor.shape == (0, *SIZE_HW)
    assert instances.gt_boxes.tensor.shape == (0, 4) and instances.gt_classes.dtype == torch.int64


def test_a_crowd_region_is_left_out(record):
    record["annotations"][1]["iscrowd"] = 1
    assert mapper()(record)["instances"].gt_classes.tolist() == [0, 2]


@pytest.mark.parametrize(("min_area_px", "kept"), [(1, [0, 1]), (4, [0, 1]), (5, [1]), (1000, [])])
def test_lesions_smaller_than_the_limit_are_left_out(record, min_area_px, kept):
    record["annotations"] = [annotation((0, 0, 2, 2), 0), annotation((10, 10, 20, 20), 1)]
    assert mapper(min_lesion_area_px=min_area_px)(record)["instances"].gt_classes.tolist() == kept


@pytest.mark.parametrize(("right_px", "kept", "image_class"), [(0, 2, 2), (40, 1, 2), (80, 0, -1)])
def test_an_image_whose_lesions_left_the_view_is_of_no_known_class(record, monkeypatch, right_px, kept, image_class):
    """The image is 64 px wide: both lesions, the left one, and neither are in view; too small ones are."""
    record["annotations"] = [annotation((0, 0, 12, 12), 0), annotation((30, 10, 40, 20), 1)]
    shift = Motion((48, 64), False, np.array([[1.0, 0, right_px], [0, 1, 0]]))
    monkeypatch.setattr(Augmentation, "draw_motion", lambda *_: shift)
    of_image = {"class_names": ("benign", "malignant"), "targets": IMAGE_HEAD_RCNN.targets}
    example = mapper(**of_image)(record)
    assert (len(example["instances"]), example["image_class"]) == (kept, image_class)
    small = mapper(min_lesion_area_px=1000, **of_image)(record)
    assert (len(small["instances"]), small["image_class"]) == (0, image_class)
    assert mapper(**of_image)({**record, "annotations": []})["image_class"] == 0


def test_a_normal_image_without_room_for_a_pasted_lesion_stays_normal(record, monkeypatch):
    def without_room(onto, donor, rng):
        return onto[0], np.concatenate([onto[1], np.zeros_like(donor[1])])

    monkeypatch.setattr("segtumor.training.batches.mapper.paste_lesion", without_room)
    of_image = {"class_names": ("benign", "malignant"), "targets": IMAGE_HEAD_RCNN.targets, "augmentation": "zoom"}
    normal, donor = ({**record, "annotations": lesions} for lesions in ([], [annotation((5, 5, 15, 15), 1)]))
    for seed in range(3):
        example = mapper(**of_image).pasted(normal, donor, seed)
        assert (len(example["instances"]), example["image_class"]) == (0, 0)


def test_a_lesion_of_one_pixel_and_two_that_overlap(record):
    record["annotations"] = [
        annotation((63, 47, 64, 48), 1),
        annotation((0, 0, 10, 10), 0),
        annotation((5, 5, 15, 15), 1),
    ]
    instances = mapper(min_lesion_area_px=1)(record)["instances"]
    assert instances.gt_boxes.tensor.tolist() == [[63, 47, 64, 48], [0, 0, 10, 10], [5, 5, 15, 15]]
    assert instances.gt_masks.tensor[1:].sum(dim=(1, 2)).tolist() == [100, 100]


def test_the_record_is_not_changed(record):
    before = repr(record)
    np.random.seed(0)
    mapper(augmentation="strong")(record)
    assert repr(record) == before


def test_an_unreadable_image_is_named(record, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"")
    with pytest.raises(BadImageError, match=r"broken\.png"):
        mapper()({**record, "file_name": str(path)})


def test_a_larger_image_than_allowed_is_refused(record):
    with pytest.raises(BadImageError, match=r"lesions\.png"):
        mapper(max_pixels=48 * 64 - 1)(record)


def test_from_config_augments_in_training_only(record, tiny_config):
    settings = {"INPUT.MIN_SIZE_TRAIN": [32], "INPUT.MIN_SIZE_TEST": 40, "INPUT.AUGMENTATION": "strong"}
    cfg = tiny_config(settings)
    training = RadiographMapper.from_config(cfg, is_train=True)
    testing = RadiographMapper.from_config(cfg, is_train=False)
    assert training(record)["image"].shape[1] == 32
    first, second = testing(record), testing(record)
    assert first["image"].shape[1] == 40 and torch.equal(first["image"], second["image"])


def test_outlines_of_phantoms_bend_with_their_picture(datasets_root, tmp_path):
    """The picture is the outline, drawn: what the model sees of it and the mask it learns must be one."""
    dataset = load_coco(datasets_root / "phantoms" / "annotations" / "train.json")
    records = [record for record in dataset.records if len(record["annotations"]) == 1]
    assert records
    bending = mapper(augmentation="elastic", short_edges_px=[96], max_long_edge_px=256)
    bending._augmentation.change_gray = lambda pixels, rng: pixels
    for record, seed in itertools.product(records[:2], range(12)):
        drawn = mask_from_rle(rle_from_segmentation(record["annotations"][0]["segmentation"], (96, record["width"])))
        Image.fromarray(drawn).save(tmp_path / "drawn.png")
        example = bending({**record, "file_name": str(tmp_path / "drawn.png")}, seed=seed)
        seen, (mask,) = example["image"][0].numpy() > 127, example["instances"].gt_masks.tensor.numpy()
        assert (seen & mask).sum() / (seen | mask).sum() > 0.85, seed
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert example["instances"].gt_boxes.tensor.tolist() == [box]


def test_a_class_can_have_a_policy_of_its_own(record):
    names = ("a", "b", "c")
    plain = mapper(class_names=names)
    by_class = mapper(class_names=names, augmentation_by_class=[["c", "elastic"], ["normal", "light"]])
    of_b = {**record, "annotations": record["annotations"][:2]}
    normal = {**record, "annotations": []}
    for seed in range(5):
        assert torch.equal(plain(of_b, seed=seed)["image"], by_class(of_b, seed=seed)["image"])
        for name, other in (("elastic", record), ("light", normal)):  # the gravest lesion is the image's class
            expected = mapper(class_names=names, augmentation=name)(other, seed=seed)
            assert torch.equal(expected["image"], by_class(other, seed=seed)["image"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [([["d", "strong"]], "unknown class.*expected normal, a, b, c"), ([["a", "wild"]], "unknown policy")],
)
def test_an_unknown_class_or_policy_is_refused(pairs, message):
    with pytest.raises(ConfigError, match=f"INPUT.AUGMENTATION_BY_CLASS: {message}"):
        mapper(class_names=("a", "b", "c"), augmentation_by_class=pairs)


def test_a_fixed_spacing_is_that_of_inference(record, tmp_path, monkeypatch):
    """Twice as high as wide in px, and as high as wide in mm."""
    radiograph = dataclasses.replace(
        read_radiograph(record["file_name"]), spacing_mm=(0.5, 0.25), spacing_source="mm (calibrated)"
    )
    monkeypatch.setattr("segtumor.training.batches.mapper.read_radiograph", lambda *_, **__: radiograph)
    example = mapper(spacing_mm=0.25, max_long_edge_px=96)(record, seed=0)
    windowing = Windowing(short_edge_px=48, max_long_edge_px=96, window_percentiles=[0, 100], spacing_mm=0.25)
    seen = windowing.window(radiograph.pixels, spacing_mm=radiograph.spacing_mm)
    assert seen.shape == (96, 64) and example["image"].shape[1:] == seen.shape
    np.testing.assert_allclose(example["image"][0] / 255, seen, atol=1e-6)
    boxes = example["instances"].gt_boxes.tensor.numpy()
    np.testing.assert_allclose(boxes, np.array(LESIONS) * [1, 2, 1, 2], atol=1)


@pytest.mark.parametrize("other", [{"square": True}, {"cache_folder": "cache"}])
def test_a_fixed_spacing_excludes_squares_and_the_cache(other):
    with pytest.raises(ConfigError, match="exclude each other"):
        mapper(spacing_mm=0.25, **other)


def test_a_radiograph_without_a_spacing_is_refused_where_it_is_required(record):
    mapper(spacing_mm=0.25)(record, seed=0)
    with pytest.raises(BadImageError, match="does not say its pixel spacing"):
        mapper(spacing_mm=0.25, spacing_required=True)(record, seed=0)
