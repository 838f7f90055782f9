import itertools
from collections import Counter

import pytest

from segtumor.errors import ConfigError
from segtumor.loading.catalog import load_datasets
from segtumor.loading.loaders import build_train_loader, validation_batches

pytestmark = pytest.mark.model


@pytest.fixture
def records(phantoms):
    return load_datasets(["phantoms_train"])[0].records


def names(loader, batches):
    return [[example["file_name"] for example in batch] for batch in itertools.islice(loader, batches)]


def test_an_epoch_holds_every_image_once_normal_ones_included(records, tiny_config):
    assert any(not record["annotations"] for record in records)
    loader = build_train_loader(tiny_config(), records)
    epoch = names(loader, 3)
    assert [len(batch) for batch in epoch] == [2, 2, 2]
    assert Counter(itertools.chain(*epoch)) == Counter(record["file_name"] for record in records)


def test_the_order_depends_on_the_seed_alone(records, tiny_config):
    first, again, other = (names(build_train_loader(tiny_config({"SEED": s}), records), 6) for s in (1, 1, 2))
    assert first == again != other


def test_validation_takes_every_record_once_in_order(records, tiny_config):
    batches = list(validation_batches(tiny_config({"SOLVER.IMS_PER_BATCH": 4}), records))
    assert [len(batch) for batch in batches] == [4, 2]
    assert [e["image_id"] for batch in batches for e in batch] == [record["image_id"] for record in records]


def test_an_unknown_sampler_is_refused(records, tiny_config):
    with pytest.raises(ConfigError, match="RepeatFactorTrainingSampler"):
        build_train_loader(tiny_config({"DATALOADER.SAMPLER_TRAIN": "Lottery"}), records)


def test_imbalance_is_not_corrected_twice(records, tiny_config):
    settings = {"DATALOADER.SAMPLER_TRAIN": "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD": 0.5}
    with pytest.raises(ConfigError, match="twice"):
        build_train_loader(tiny_config({**settings, "MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS": [1.0, 2.0, 1.0]}), records)


def test_repeat_factor_sampling_shows_the_rare_class_more_often(records, tiny_config):
    malignant = [r for r in records if any(a["category_id"] == 1 for a in r["annotations"])]
    others = [r for r in records if r not in malignant]
    # One malignant image in nine; a threshold of 1 repeats it sqrt(1 / (1/9)) = 3 times per epoch (Gupta et al. 2019).
    chosen = [malignant[0], *(others * 2)]
    assert len(chosen) == 9
    settings = {"DATALOADER.SAMPLER_TRAIN": "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD": 1.0}
    sampler_order = itertools.chain(*names(build_train_loader(tiny_config(settings), chosen), 30))
    counts = Counter(sampler_order)
    assert counts[malignant[0]["file_name"]] / 60 > 1.5 / 9
