"""Detectron2's loaders over our records, from the configuration."""

from detectron2.data import build_detection_train_loader
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler

from segtumor.errors import ConfigError
from segtumor.loading.mapper import RadiographMapper


def build_train_loader(cfg, records):
    """Endless shuffled batches of ``SOLVER.IMS_PER_BATCH`` mapped records, normal images included.

    Raises:
        ConfigError: the sampler is unknown, or class weights and repeat-factor sampling would correct imbalance twice.
    """
    return build_detection_train_loader(
        dataset=records,
        mapper=RadiographMapper.from_config(cfg, is_train=True),
        sampler=_sampler(cfg, records),
        total_batch_size=cfg.SOLVER.IMS_PER_BATCH,
        aspect_ratio_grouping=cfg.DATALOADER.ASPECT_RATIO_GROUPING,
        num_workers=cfg.DATALOADER.NUM_WORKERS,
    )


def validation_batches(cfg, records):
    """Every record once, in order, as lists of at most ``SOLVER.IMS_PER_BATCH`` examples without augmentation."""
    mapper = RadiographMapper.from_config(cfg, is_train=False)
    size = cfg.SOLVER.IMS_PER_BATCH
    for start in range(0, len(records), size):
        yield [mapper(record) for record in records[start : start + size]]


def _sampler(cfg, records):
    name = cfg.DATALOADER.SAMPLER_TRAIN
    if name == "TrainingSampler":
        return TrainingSampler(len(records), seed=cfg.SEED)
    if name != "RepeatFactorTrainingSampler":
        raise ConfigError(
            "unknown sampler",
            where="DATALOADER.SAMPLER_TRAIN",
            got=name,
            expected="TrainingSampler or RepeatFactorTrainingSampler",
        )
    if cfg.DATALOADER.REPEAT_THRESHOLD <= 0:
        raise ConfigError(
            "repeat-factor sampling needs a threshold, the share of images below which a class is repeated",
            where="DATALOADER.REPEAT_THRESHOLD",
            got=cfg.DATALOADER.REPEAT_THRESHOLD,
            expected="above 0, e.g. 0.3",
        )
    if cfg.MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS:
        raise ConfigError(
            "class weights and repeat-factor sampling correct the same imbalance twice",
            where="DATALOADER.SAMPLER_TRAIN",
            remedy="Keep one of MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS and RepeatFactorTrainingSampler",
        )
    factors = RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
        records, cfg.DATALOADER.REPEAT_THRESHOLD
    )
    return RepeatFactorTrainingSampler(factors, seed=cfg.SEED)
