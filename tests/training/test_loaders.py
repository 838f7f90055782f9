import itertools
from collections import Counter

import numpy as np
import pytest

from segtumor.errors import ConfigError
from segtumor.training.batches.catalog import load_datasets
from segtumor.training.batches.loaders import SOURCE_BALANCED, _sampler, build_train_loader, validation_batches
from segtumor.training.batches.order import BatchOrder

pytestmark = pytest.mark.model


@pytest.fixture
def records(phantoms):
    return load_datasets(["phantoms_train"])[0].records


def names(loader, batches):
    return [[example["file_name"] for example in batch] for batch in itertools.islice(loader, batches)]


def test_an_epoch_holds_every_image_once_normal_ones_included(records, tiny_config):
    assert any(not record["annotations"] for record in records)
    loader = build_train_loader(tiny_config(), [records])
    epoch = names(loader, 3)
    assert [len(batch) for batch in epoch] == [2, 2, 2]
    assert Counter(itertools.chain(*epoch)) == Counter(record["file_name"] for record in records)


def test_the_order_depends_on_the_seed_alone(records, tiny_config):
    first, again, other = (names(build_train_loader(tiny_config({"SEED": s}), [records]), 6) for s in (1, 1, 2))
    assert first == again != other


def test_validation_takes_every_record_once_in_order(records, tiny_config):
    batches = list(validation_batches(tiny_config({"SOLVER.IMS_PER_BATCH": 4}), records))
    assert [len(batch) for batch in batches] == [4, 2]
    assert [e["image_id"] for batch in batches for e in batch] == [record["image_id"] for record in records]


def test_mosaics_are_made_and_repeat(records, tiny_config):
    mosaics, again, plain = (
        [example for batch in itertools.islice(build_train_loader(tiny_config({"INPUT.MOSAIC": p}), [records]), 6)
         for example in batch]
        for p in (1.0, 1.0, 0.0)
    )  # fmt: skip
    for one, same, alone in zip(mosaics, again, plain, strict=True):
        assert one["file_name"] == same["file_name"] == alone["file_name"]
        np.testing.assert_array_equal(one["image"], same["image"])
        assert not np.array_equal(one["image"], alone["image"])
        masks, boxes = one["instances"].gt_masks.tensor, one["instances"].gt_boxes.tensor
        assert len(masks) == len(boxes) and masks.flatten(1).any(1).all()
    lesions = [sum(len(example["instances"]) for example in examples) for examples in (mosaics, plain)]
    assert lesions[0] > lesions[1]


def made_of_several(records, tiny_config, key, p):
    """The examples of six batches, of a model with an image head, with one way of joining images at a probability."""
    settings = {"MODEL.META_ARCHITECTURE": "ImageHeadRCNN", "MODEL.CLASS_NAMES": ["benign", "malignant"]}
    cfg = tiny_config({**settings, "INPUT.AUGMENTATION": "none", key: p})
    return [example for batch in itertools.islice(build_train_loader(cfg, [records]), 6) for example in batch]


def test_lesions_are_pasted_and_it_repeats(records, tiny_config):
    pasted, again, plain = (made_of_several(records, tiny_config, "INPUT.COPY_PASTE", p) for p in (1.0, 1.0, 0.0))
    more = 0
    for one, same, alone in zip(pasted, again, plain, strict=True):
        assert one["file_name"] == same["file_name"] == alone["file_name"]
        np.testing.assert_array_equal(one["image"], same["image"])
        more += len(one["instances"]) - len(alone["instances"])
        assert one["image_class"] != 0 or len(one["instances"]) == 0
        shown = {int(class_id) + 1 for class_id in one["instances"].gt_classes}
        assert one["image_class"] == (shown.pop() if len(shown) == 1 else -1 if shown else 0)
    assert more >= len(pasted) // 2


def test_images_shine_through_one_another_and_it_repeats(records, tiny_config):
    mixed, again, plain = (made_of_several(records, tiny_config, "INPUT.MIXUP", p) for p in (1.0, 1.0, 0.0))
    changed = 0
    for one, same, alone in zip(mixed, again, plain, strict=True):
        assert one["file_name"] == same["file_name"] == alone["file_name"]
        np.testing.assert_array_equal(one["image"], same["image"])
        changed += not np.array_equal(one["image"], alone["image"])  # the other may be the image itself
        assert len(one["instances"]) >= len(alone["instances"])
        shown = {int(class_id) + 1 for class_id in one["instances"].gt_classes}
        assert one["image_class"] == (shown.pop() if len(shown) == 1 else -1 if shown else 0)
    assert changed > len(mixed) // 2


@pytest.mark.parametrize("key", ["INPUT.MOSAIC", "INPUT.COPY_PASTE", "INPUT.MIXUP"])
def test_mosaics_of_whole_images_are_refused(key, records, tiny_config):
    with pytest.raises(ConfigError, match=f"{key}.*is of no class"):
        build_train_loader(tiny_config({key: 0.5, "MODEL.META_ARCHITECTURE": "ImageClassifier"}), [records])


def test_an_unknown_sampler_is_refused(records, tiny_config):
    with pytest.raises(ConfigError, match="RepeatFactorTrainingSampler"):
        build_train_loader(tiny_config({"DATALOADER.SAMPLER_TRAIN": "Lottery"}), [records])


def test_imbalance_is_not_corrected_twice(records, tiny_config):
    settings = {"DATALOADER.SAMPLER_TRAIN": "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD": 0.5}
    with pytest.raises(ConfigError, match="twice"):
        build_train_loader(tiny_config({**settings, "MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS": [1.0, 2.0, 1.0]}), [records])


def test_repeat_factor_sampling_shows_the_rare_class_more_often(records, tiny_config):
    malignant = [r for r in records if any(a["category_id"] == 1 for a in r["annotations"])]
    others = [r for r in records if r not in malignant]
    # One malignant image in nine; a threshold of 1 repeats it sqrt(1 / (1/9)) = 3 times per epoch (Gupta et al. 2019).
    chosen = [malignant[0], *(others * 2)]
    assert len(chosen) == 9
    settings = {"DATALOADER.SAMPLER_TRAIN": "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD": 1.0}
    sampler_order = itertools.chain(*names(build_train_loader(tiny_config(settings), [chosen]), 30))
    counts = Counter(sampler_order)
    assert counts[malignant[0]["file_name"]] / 60 > 1.5 / 9


def examples(batches, count):
    """What a model would see: names and pixels, batch by batch."""
    return [
        [(e["file_name"], e["image"].numpy().tobytes()) for e in batch] for batch in itertools.islice(batches, count)
    ]


REPEATED = {"DATALOADER.SAMPLER_TRAIN": "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD": 1.0}


BALANCED = {"DATALOADER.SAMPLER_TRAIN": SOURCE_BALANCED}


@pytest.mark.parametrize("settings", [{}, REPEATED, BALANCED, {"DATALOADER.ASPECT_RATIO_GROUPING": True}])
def test_examples_depend_on_neither_workers_nor_a_stop(records, tiny_config, settings):
    settings = {"INPUT.AUGMENTATION": "strong", **settings}
    sources = [records[:2], records[2:]]
    whole = examples(build_train_loader(tiny_config(settings), sources), 7)  # more than two epochs
    assert examples(build_train_loader(tiny_config(settings), sources).after(4), 3) == whole[4:]
    two = tiny_config({**settings, "DATALOADER.NUM_WORKERS": 2})
    assert examples(build_train_loader(two, sources).after(1), 4) == whole[1:5]
    assert len({pixels for batch in whole for _, pixels in batch}) == 14  # no augmentation twice


def test_images_alike_share_a_batch_and_none_is_lost():
    wide = [True, False, False, True, True, False]
    order = BatchOrder([0, 1, 2, 3, 4, 5], batch_size=2, seed=0, wide=wide)
    assert [[index for index, _ in batch] for batch in order] == [[1, 2], [0, 3]]
    in_order = BatchOrder([0, 1, 2, 3, 4, 5], batch_size=2, seed=0)
    assert [[index for index, _ in batch] for batch in in_order] == [[0, 1], [2, 3], [4, 5]]
    seeds = [seed for batch in in_order for _, seed in batch]
    assert seeds == np.random.RandomState(0).randint(2**31, size=6).tolist()  # as when the mapper drew them itself


def shares(sizes, tiny_config, passes=30):
    """Proportion of each source among the images that are shown in so many passes, and how often each image is."""
    sources = [[{"annotations": []}] * size for size in sizes]
    n = passes * len(sizes) * max(sizes)
    shown = Counter(itertools.islice(_sampler(tiny_config(BALANCED), sources), n))
    ends = np.cumsum([0, *sizes])
    return [sum(shown[i] for i in range(a, b)) / n for a, b in itertools.pairwise(ends)], shown


@pytest.mark.parametrize("sizes", [(4, 4), (3, 12), (1, 5, 10), (7, 10)])
def test_each_source_has_an_equal_share_and_each_image_of_it_too(sizes, tiny_config):
    found, shown = shares(sizes, tiny_config)
    assert found == pytest.approx([1 / len(sizes)] * len(sizes), abs=0.02)
    assert set(shown) == set(range(sum(sizes)))  # none is left out
    largest = np.argmax(sizes)
    start = sum(sizes[:largest])
    assert all(abs(shown[start + i] - 30) <= 1 for i in range(sizes[largest]))  # once in each pass


@pytest.mark.parametrize("sizes", [(5,), (5, 0)])
def test_one_source_leaves_nothing_to_balance(sizes, tiny_config):
    with pytest.raises(ConfigError, match="nothing to balance"):
        shares(sizes, tiny_config)


def test_crowds_make_no_image_worth_repeating(records, tiny_config):
    crowd = {"category_id": 1, "iscrowd": 1}
    chosen = [{**record, "annotations": [{"category_id": 0, "iscrowd": 0}]} for record in records]
    chosen[0]["annotations"].append(crowd)
    assert _sampler(tiny_config(REPEATED), [chosen])._int_part.tolist() == [1.0] * len(chosen)
    chosen[0]["annotations"][1] = {"category_id": 1, "iscrowd": 0}
    assert _sampler(tiny_config(REPEATED), [chosen])._int_part.tolist()[0] == 2.0
