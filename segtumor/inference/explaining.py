"""A model ready to read radiographs with heat maps of what its answers depend on."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.errors import ConfigError
from segtumor.inference.load import InferenceModel, model_config, model_of_config
from segtumor.runs import CONFIG, EXPORT

if TYPE_CHECKING:
    from detectron2.config import CfgNode


def explaining(cfg: "CfgNode", method: str, *, threads: int | None = None) -> InferenceModel:
    """The model of ``MODEL.WEIGHTS`` with heat maps in its readings (``segtumor.explain``), computed by torch.

    Args:
        method: "gradcam", "layercam", "guided" or "occlusion".

    Raises:
        ConfigError: another method, or a kind of model that cannot be explained; else as ``load_model``.
    """
    from segtumor.explain.explained import Explained
    from segtumor.models.image_models import module_of

    loaded = model_of_config(cfg, runtime="detectron2", threads=threads)
    predictor = loaded.predictor
    explained = Explained(
        module_of(predictor.model),
        predictor.model,
        predictor.class_names,
        method=method,
        settings=predictor.settings,
        threshold=loaded.settings["confidence_threshold"],
    )
    settings = {**loaded.settings, "explanation": method}
    return dataclasses.replace(loaded, predictor=predictor.with_model(explained), settings=settings)


def explainable_config(run: str | Path | None, config_file: str | Path | None, opts: Sequence[str]) -> "CfgNode":
    """The configuration of a model that has gradients: a training run's, or that of a shipped model, whose weights are
    read from its export. Not frozen.

    Raises:
        ConfigError: another export, which holds no gradients.
    """
    if run is None or not (Path(run) / EXPORT).exists():
        return model_config(run=run, config_file=config_file, opts=opts)
    beside = Path(run).parent / CONFIG
    if not beside.is_file():
        remedy = "Give the training run that it was made of to --run"
        raise ConfigError("an export has no gradients to explain it by", where=run, remedy=remedy)
    return model_config(config_file=beside, opts=["MODEL.WEIGHTS", str(Path(run) / EXPORT), *opts])
