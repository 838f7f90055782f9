"""What a run folder holds, by name. Not here: writing it (``training.run_folder``)."""

from pathlib import Path

from segtumor.errors import ConfigError

BEST_WEIGHTS, FINAL_WEIGHTS, CONFIG = "model_best.pth", "model_final.pth", "config.yaml"


def find_run(folder):
    """Configuration and best weights of a finished or running training.

    Returns:
        (path of config.yaml, path of model_best.pth or, without one, model_final.pth).

    Raises:
        ConfigError: the folder is no run, or has no weights yet.
    """
    folder = Path(folder)
    config = folder / CONFIG
    if not config.is_file():
        raise ConfigError("not a training run", where=folder, expected=f"a folder with {CONFIG}")
    for name in (BEST_WEIGHTS, FINAL_WEIGHTS):
        if (folder / name).is_file():
            return config, folder / name
    raise ConfigError("the run has no weights yet", where=folder, expected=f"{BEST_WEIGHTS} or {FINAL_WEIGHTS}")
