"""A model from a configuration, with what can be wrong in it said in a line."""

import torch
from detectron2.modeling import build_model

from segtumor.errors import ConfigError, InstallationError

#: Detectron2's and torch's ways to say that a name or a value is wrong.
_REFUSALS = (KeyError, AssertionError, ValueError, TypeError, IndexError, ZeroDivisionError, NotImplementedError)


def create_model(cfg):
    """Build the model that ``MODEL`` describes, on ``MODEL.DEVICE``, with fresh weights.

    Raises:
        InstallationError: a GPU is asked for and there is none that works.
        ConfigError: a name that no registry knows, or values that do not fit each other.
    """
    if torch.device(cfg.MODEL.DEVICE).type == "cuda" and not torch.cuda.is_available():
        raise InstallationError(
            "no usable GPU", where="MODEL.DEVICE", got=cfg.MODEL.DEVICE, remedy="Use --device cpu or MODEL.DEVICE cpu"
        )
    try:
        model = build_model(cfg)
    except _REFUSALS as error:
        reason = " ".join(str(error).strip("'\"").split()) or "a value that Detectron2 refuses"
        raise ConfigError(f"the model cannot be built: {reason:.200}", where="MODEL") from error
    return model.to(memory_format=torch.channels_last) if cfg.MODEL.CHANNELS_LAST else model
