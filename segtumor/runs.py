"""What the folders of a model's life hold, by name: a training run, its evaluations, inference, an exported model.

One list, for those who write a file and those who look for it. Not here: writing them, and the folders of data sets and
of a cross-validation as a whole (``training.folds.folder``).
"""

from pathlib import Path

from segtumor.errors import ConfigError

#: A training run: its configuration, and what repeating it takes (one entry for each start).
CONFIG, RUN_RECORD = "config.yaml", "run.json"
#: Of a training run as it went: the log, a line of JSON with losses and metrics every few iterations, their curves.
TRAINING_LOG, TRAINING_METRICS, TRAINING_CURVES = "log.txt", "metrics.json", "training_curves.png"
#: Weights: those that validated best, those of the last iteration, and the newest while it trains.
BEST_WEIGHTS, FINAL_WEIGHTS, LAST_WEIGHTS = "model_best.pth", "model_final.pth", "model_last.pth"
#: All weights of a run, as a pattern; and the note that names the newest of them with the state of the training.
ALL_WEIGHTS, NEWEST_CHECKPOINT = "model_*.pth", "last_checkpoint"
#: In the place of a run, made from one by pruning: its weights, and the account.
PRUNED_WEIGHTS, PRUNING = "model_pruned.pth", "pruning.json"
#: Of a run or an export: thresholds that were chosen on its validation set.
OPERATING_POINTS = "operating_points.json"
#: In a training run: a folder that holds an evaluation of each test set.
EVALUATIONS = "inference"
#: An evaluation: all numbers, and the page that explains them.
METRICS, REPORT = "metrics.json", "report.html"
#: What inference writes: all findings, those above the threshold as a table, the account, and the pictures.
PREDICTIONS, FINDINGS, SUMMARY, OVERLAYS = "predictions.json", "findings.csv", "summary.json", "overlays"
#: Beside them, where DICOM objects were asked for: a folder of them.
DICOM_OBJECTS = "dicom"
#: Beside them, where similar images were asked for: which of an index are like each radiograph.
SIMILAR = "similar.csv"
#: What is written of a data set's embeddings: the index that similar images are looked up in.
INDEX = "index.npz"
#: An exported model: what it is and which files belong to it.
EXPORT = "export.json"


def best_weights(folder: Path) -> Path | None:
    """The weights of a run that validated best or, without any, the final ones; None where there are neither yet."""
    return next((folder / name for name in (BEST_WEIGHTS, FINAL_WEIGHTS) if (folder / name).is_file()), None)


def find_run(folder: str | Path) -> tuple[Path, Path]:
    """Configuration and best weights of a finished or running training.

    Returns:
        (path of config.yaml, path of model_best.pth or, without one, model_final.pth).

    Raises:
        ConfigError: the folder is not a run, or has no weights yet.
    """
    folder = Path(folder)
    config, weights = folder / CONFIG, best_weights(folder)
    if not config.is_file():
        raise ConfigError("not a training run", where=folder, expected=f"a folder with {CONFIG}")
    if weights is None:
        raise ConfigError("the run has no weights yet", where=folder, expected=f"{BEST_WEIGHTS} or {FINAL_WEIGHTS}")
    return config, weights
