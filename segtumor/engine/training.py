"""Putting a run together: data, model, validation, training, and the final evaluation."""

import contextlib
import logging
import resource
import time
from pathlib import Path

import torch
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from tqdm import tqdm

from segtumor import progress
from segtumor.engine.hooks import Validation
from segtumor.engine.model import create_model
from segtumor.engine.predictor import predictor_from_config
from segtumor.engine.run_folder import (
    BEST_WEIGHTS,
    CONFIG,
    FINAL_WEIGHTS,
    check_run_folder,
    find_run,
    log_file,
    prepare_run_folder,
    write_provenance,
)
from segtumor.engine.trainer import Trainer
from segtumor.engine.validation import predict_dataset
from segtumor.engine.weights import load_weights
from segtumor.errors import ConfigError
from segtumor.evaluation.study import StudySettings, study
from segtumor.files import write_json, write_text
from segtumor.imaging import read_radiograph
from segtumor.loading.catalog import check_image_sizes, load_datasets, shared_cases
from segtumor.loading.loaders import build_train_loader, validation_batches
from segtumor.locks import alone_in
from segtumor.reporting.evaluation_report import training_curves, write_evaluation
from segtumor.reporting.findings_files import InferenceOutcome, predictions_document
from segtumor.reporting.study_examples import choose_examples, draw_examples
from segtumor.reporting.study_files import write_study
from segtumor.reporting.study_provenance import study_provenance

logger = logging.getLogger(__name__)
_TIMED_STEPS = 3


def complete_config(cfg, datasets):
    """Take the classes from the data into ``cfg`` and freeze it.

    Raises:
        ConfigError: the configuration asks for other classes than the data has.
    """
    names = list(datasets[0].taxonomy.names)
    if cfg.MODEL.CLASS_NAMES and list(cfg.MODEL.CLASS_NAMES) != names:
        raise ConfigError("classes differ", where="MODEL.CLASS_NAMES", got=list(cfg.MODEL.CLASS_NAMES), expected=names)
    weights = cfg.MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS
    if weights and len(weights) != len(names) + 1:
        raise ConfigError(
            "one weight per class and, last, one for background",
            where="MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS",
            got=list(weights),
            expected=f"{len(names) + 1} numbers for {', '.join([*names, 'background'])}",
        )
    cfg.MODEL.CLASS_NAMES = names
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = len(names)
    cfg.freeze()


def train(cfg, *, resume=False, overwrite=False, init_from=None, files=None):
    """Train, validate, and evaluate the best model on the test sets.

    Args:
        cfg: configuration, not frozen; ``OUTPUT_DIR`` becomes the run folder.
        resume: continue the run in that folder.
        overwrite: replace the run in that folder.
        init_from: weights to start from; ``MODEL.WEIGHTS`` means the same.
        files: {name: (annotation file, image folder)} of data sets that are not found by their name.

    Returns:
        {test set name: Evaluation}; empty without test sets.

    Raises:
        SegtumorError: bad configuration, data or weights, a diverging loss, or a folder that cannot be written.
    """
    datasets = _load(cfg, files)
    with _alone_in(cfg.OUTPUT_DIR):
        return _train(cfg, datasets, resume=resume, overwrite=overwrite, init_from=init_from)


def _alone_in(folder):
    """The lock of the run folder; of several processes that train together the first holds it."""
    if not comm.is_main_process():
        return contextlib.nullcontext()
    return alone_in(folder, remedy="Wait for it, or choose another OUTPUT_DIR")


def _train(cfg, datasets, *, resume, overwrite, init_from):
    check_run_folder(cfg.OUTPUT_DIR, resume=resume, overwrite=overwrite)
    trainer, validation, weights = _build(cfg, datasets, init_from=init_from if resume else _initial(cfg, init_from))
    # Only now, when all that a user can get wrong is known to be right, may an old run be replaced.
    folder = Path(cfg.OUTPUT_DIR)
    if comm.is_main_process():
        prepare_run_folder(folder, resume=resume)
        write_text(folder / CONFIG, cfg.dump())
        write_provenance(folder, datasets=datasets, seed=cfg.SEED, resumed=resume)
    comm.synchronize()
    with log_file(folder):
        if not resume:  # a resumed run says itself which checkpoint it goes on from
            logger.info("Weights: %s", weights)
        trainer.add_hooks(validation)
        return _run(cfg, trainer, datasets, folder, resume=resume)


def _run(cfg, trainer, datasets, folder, *, resume):
    start_iter = trainer.resume() if resume else 0
    trainer.train(start_iter)
    if trainer.stop_reason:
        logger.info("Stopped early at iteration %d: %s", trainer.iter, trainer.stop_reason)
    if not comm.is_main_process():
        return {}
    trainer.checkpointer.save("model_final", iteration=trainer.iter - 1)
    if trainer.iter > start_iter:
        training_curves(folder)
    best = folder / BEST_WEIGHTS if (folder / BEST_WEIGHTS).is_file() else folder / FINAL_WEIGHTS
    load_weights(trainer.model, best, strict=True, class_names=cfg.MODEL.CLASS_NAMES)
    return _evaluate_sets(cfg, trainer.model, datasets["test"], folder, weights=best)


def evaluate_run(cfg, *, files=None):
    """Evaluate ``MODEL.WEIGHTS``, or the best weights in ``OUTPUT_DIR``, on ``DATASETS.TEST``; {set name: Evaluation}.

    Args:
        cfg: configuration, not frozen.
        files: as for ``train``.

    Raises:
        SegtumorError: no test set, weights that are missing or do not fit, or an ``OUTPUT_DIR`` that holds the run of
            other weights, whose evaluation would be replaced.
    """
    if not cfg.DATASETS.TEST:
        raise ConfigError("nothing to evaluate on", where="DATASETS.TEST", remedy="Name a data set, e.g. btxrd256_test")
    datasets = load_datasets(cfg.DATASETS.TEST, files=files)
    complete_config(cfg, datasets)
    weights, folder = Path(cfg.MODEL.WEIGHTS or find_run(cfg.OUTPUT_DIR)[1]), Path(cfg.OUTPUT_DIR)
    with _alone_in(folder):
        if weights.resolve().parent != folder.resolve():
            check_run_folder(folder, resume=False, overwrite=False)
        model = create_model(cfg)
        load_weights(model, weights, strict=True, class_names=cfg.MODEL.CLASS_NAMES)
        with log_file(folder):
            return _evaluate_sets(cfg, model, datasets, folder, weights=weights)


def dry_run(cfg, *, init_from=None):
    """Check data and configuration and take a few training steps, writing nothing.

    Returns:
        list of lines for people: data, steps, memory, expected time.
    """
    datasets = _load(cfg)
    trainer, _, weights = _build(cfg, datasets, init_from=_initial(cfg, init_from))
    seconds = trainer.time_steps(_TIMED_STEPS)
    duration = tqdm.format_interval(seconds * cfg.SOLVER.MAX_ITER)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    on_gpu = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the GPU" if cfg.MODEL.DEVICE != "cpu" else ""
    return [
        *(f"{part}: {_describe(sets)}" for part, sets in datasets.items()),
        f"weights: {weights}",
        f"parameters: {sum(p.numel() for p in trainer.model.parameters()):,}",
        f"memory: {peak_gib:.1f} GiB at most so far{on_gpu}",
        f"time: {seconds:.2f} s per iteration of {cfg.SOLVER.IMS_PER_BATCH} images, "
        f"{duration} for {cfg.SOLVER.MAX_ITER} iterations, validation not counted",
    ]


def _load(cfg, files=None):
    parts = {"train": cfg.DATASETS.TRAIN, "validation": cfg.DATASETS.VALIDATION, "test": cfg.DATASETS.TEST}
    if not cfg.DATASETS.TRAIN:
        raise ConfigError("nothing to train on", where="DATASETS.TRAIN", remedy="Name a data set, e.g. btxrd256_train")
    names = [name for part in parts.values() for name in part]
    loaded = dict(zip(names, load_datasets(names, files=files), strict=True))
    datasets = {part: [loaded[name] for name in part_names] for part, part_names in parts.items()}
    for dataset in loaded.values():
        check_image_sizes(dataset.records, max_pixels=cfg.INPUT.MAX_PIXELS)
    for first, second, cases in shared_cases(datasets):
        logger.warning(
            "%d cases are in the %s and in the %s part (%s): results will flatter the model",
            *(len(cases), first, second, ", ".join(cases[:3])),
        )
    if not any(record["annotations"] for record in _records(datasets["train"])):
        raise ConfigError("the training set has no lesion", where=", ".join(cfg.DATASETS.TRAIN))
    if cfg.SEED < 0:
        cfg.SEED = comm.shared_random_seed()
    complete_config(cfg, list(loaded.values()))
    seed_all_rng(cfg.SEED + comm.get_rank())
    return datasets


def _initial(cfg, init_from):
    return init_from or cfg.MODEL.WEIGHTS


def _build(cfg, datasets, *, init_from):
    """Trainer, validation hook, and a sentence on the weights; touches no file of the run."""
    trainer = Trainer.from_config(cfg, build_train_loader(cfg, _records(datasets["train"])))
    validation = _validation(cfg, datasets["validation"], trainer.model)
    if not init_from:
        return trainer, validation, "none, trained from scratch"
    return trainer, validation, f"{init_from}: {_load_initial(cfg, trainer.model, init_from)}"


def _load_initial(cfg, model, path):
    return load_weights(model, path, strict=False, class_names=cfg.MODEL.CLASS_NAMES).sentence()


def _validation(cfg, datasets, model):
    if not datasets:
        logger.warning("DATASETS.VALIDATION is empty: no best model is chosen, training does not stop early")
        return None
    if len(datasets) > 1:
        raise ConfigError("one validation set chooses the best model", where="DATASETS.VALIDATION", got=len(datasets))
    return Validation.from_config(
        cfg,
        dataset=datasets[0],
        predictor=predictor_from_config(cfg, model),
        loss_batches=lambda: validation_batches(cfg, datasets[0].records),
    )


def _evaluate_sets(cfg, model, datasets, folder, *, weights):
    logger.info("Evaluating %s", weights)
    evaluations = {}
    for name, dataset in zip(cfg.DATASETS.TEST, datasets, strict=True):
        evaluations[name] = _evaluate_set(cfg, model, dataset, folder / "inference" / name, weights)
    return evaluations


def _evaluate_set(cfg, model, dataset, folder, weights):
    started = time.perf_counter()
    results = predict_dataset(
        predictor_from_config(cfg, model),
        dataset,
        batch_size=cfg.SOLVER.IMS_PER_BATCH,
        max_pixels=cfg.INPUT.MAX_PIXELS,
        progress=lambda batches, total: progress.bar(batches, total, "evaluating"),
    )
    seconds = time.perf_counter() - started
    logger.info("%d images in %.1f s (%.3f s each)", len(results), seconds, seconds / max(1, len(results)))
    names = dataset.taxonomy.names
    outcomes = [InferenceOutcome(r.truth.file_name, r.truth.size_hw, r.findings) for r in results]
    document = predictions_document(outcomes, names)
    write_json(folder / "predictions.json", document)
    write_json(folder / "coco_instances_results.json", _coco_results(results, dataset.category_id_of_class))
    settings = StudySettings(score_threshold=cfg.TEST.CONFIDENCE_THRESHOLD, iou_threshold=cfg.TEST.HIT_IOU)
    found = study(results, names, settings)
    files = {"annotations": dataset.json_path, "predictions": folder / "predictions.json", "weights": weights}
    write_evaluation(found.evaluation, folder, study=found, **files)
    write_study(
        found,
        folder,
        provenance=study_provenance(**files, run_folder=cfg.OUTPUT_DIR),
        examples=draw_examples(found, choose_examples(found), _pixels_of(dataset, cfg.INPUT.MAX_PIXELS)),
        title=f"Evaluation on {folder.name}",
    )
    return found.evaluation


def _pixels_of(dataset, max_pixels):
    """Function of an image id that reads its pixels, for the report's examples."""
    paths = {record["image_id"]: record["file_name"] for record in dataset.records}
    return lambda image_id: read_radiograph(paths[image_id], max_pixels=max_pixels).pixels


def _coco_results(results, category_ids):
    """The plain COCO results list, with the annotation file's own ids."""
    return [
        {
            "image_id": result.truth.image_id,
            "category_id": category_ids[finding.class_id],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "score": finding.score,
            "segmentation": finding.rle,
        }
        for result in results
        for finding in result.findings
        for x0, y0, x1, y1 in [finding.box_xyxy]
    ]


def _records(datasets):
    return [record for dataset in datasets for record in dataset.records]


def _describe(datasets):
    records = _records(datasets)
    normal = sum(not record["annotations"] for record in records)
    lesions = sum(len(record["annotations"]) for record in records)
    return f"{len(records)} images ({normal} normal), {lesions} lesions"
