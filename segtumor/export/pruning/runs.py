"""A run with a VGG backbone to a narrower start for fine-tuning: weights, configuration and an account of both.

Pruned weights without further training are a start, not a result: their file has a name of its own, so that nothing
takes the folder for a finished run. Not here: what is removed and how (``export.pruning.channels``), the fine-tuning.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode

import segtumor
from segtumor.errors import ConfigError
from segtumor.export.pruning import channels as pruning
from segtumor.export.pruning.channels import Layer, Reader, State
from segtumor.files import sha256_of_file, write_json, write_text
from segtumor.models.backbones.vgg import stage_channels
from segtumor.models.build import create_model
from segtumor.models.weights import fit_weights, read_checkpoint, write_checkpoint
from segtumor.runs import CONFIG, PRUNED_WEIGHTS, PRUNING
from segtumor.system.locks import is_empty, lock_folder

SCOPES = ("layer", "global")
_PLAIN, _PYRAMID = "build_vgg_backbone", "build_vgg_fpn_backbone"
_GAMMA = "size of the batch normalisation's scale (Liu et al. 2017)"
_L1 = "sum of the absolute weights of a filter (Li et al. 2017)"


def prune_run(
    cfg: CfgNode,
    weights: str | Path,
    output: str | Path,
    *,
    fraction: float,
    scope: str = "layer",
    multiple: int = 8,
    fc_dim: int | None = None,
) -> dict[str, Any]:
    """Remove the least important channels of a run's VGG and write config.yaml, model_pruned.pth and pruning.json,
    whose content is returned.

    Args:
        fraction: proportion of the backbone's channels to remove, above 0 and below 1.
        scope: "layer" removes that proportion of each convolution, "global" of all together.
        multiple: every convolution keeps a multiple of this many channels.
        fc_dim: width to which the fully connected layers of the box head are cut as well; None leaves them.

    Raises:
        ConfigError: no VGG, a value out of range, or a folder that holds something.
        ModelError: the weights are unreadable or not those of the configuration.
        OutputError: the folder cannot be written.
    """
    settings: dict[str, Any] = {"fraction": fraction, "scope": scope, "multiple": multiple, "fc_dim": fc_dim}
    _check(cfg, **settings)
    with lock_folder(output) as folder:
        if not is_empty(folder):
            raise ConfigError("the folder already holds something", where=folder, remedy="Choose another --output")
        return _prune(cfg, weights, folder, settings)


def _prune(cfg: CfgNode, weights: str | Path, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    checkpoint = read_checkpoint(weights)
    state = checkpoint["model"]
    parameters = {"before": _check_fit(cfg, state, weights)}
    layers, kept = _choose(cfg, state, **settings)
    smaller = pruning.pruned(state, layers, kept)
    smaller_cfg = _smaller_config(cfg, smaller, settings["fc_dim"], folder)
    parameters["after"] = _check_fit(smaller_cfg, smaller, weights)
    names = checkpoint.get("class_names") or list(cfg.MODEL.CLASS_NAMES)
    extra = {"class_names": names, "segtumor_version": segtumor.__version__}
    extra["training_data"] = checkpoint.get("training_data")
    write_checkpoint(folder / PRUNED_WEIGHTS, {"model": smaller, **extra})
    report = {
        "schema_version": 1,
        "segtumor_version": segtumor.__version__,
        "notice": segtumor.NOTICE,
        "source": _file_entry(Path(weights)),
        "result": _file_entry(folder / PRUNED_WEIGHTS),
        "settings": settings,
        "importance": _GAMMA if layers[0].norm else _L1,
        "layers": [_layer_entry(state, layer, channels) for layer, channels in zip(layers, kept, strict=True)],
        "backbone": _backbone_entry(cfg, smaller_cfg),
        "model_parameters": parameters,
    }
    write_json(folder / PRUNING, report)
    write_text(folder / CONFIG, smaller_cfg.dump())
    return report


def _check(cfg: CfgNode, *, fraction: float, scope: str, multiple: int, fc_dim: int | None) -> None:
    backbone, norm = cfg.MODEL.BACKBONE.NAME, cfg.MODEL.VGG.NORM
    if backbone not in (_PLAIN, _PYRAMID):
        expected = f"{_PLAIN} or {_PYRAMID}"
        raise ConfigError("only VGG is pruned", where="MODEL.BACKBONE.NAME", got=backbone, expected=expected)
    if norm == "GN":
        raise ConfigError("pruning would mix the groups of group normalisation", where="MODEL.VGG.NORM", got=norm)
    if not 0 < fraction < 1:
        raise ConfigError("fraction out of range", got=fraction, expected="above 0 and below 1")
    if scope not in SCOPES:
        raise ConfigError("unknown scope", got=scope, expected=" or ".join(SCOPES))
    if multiple < 1:
        raise ConfigError("multiple out of range", got=multiple, expected="1 or more")
    now = cfg.MODEL.ROI_BOX_HEAD.FC_DIM
    if fc_dim is not None and not 1 <= fc_dim < now:
        raise ConfigError("fully connected width out of range", got=fc_dim, expected=f"1 to {now - 1}")


def _check_fit(cfg: CfgNode, state: State, path: str | Path) -> int:
    """Refuse weights that are not those of the configuration; returns the number of parameters."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "meta"  # shapes without memory
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no-op")  # that nothing is copied is meant
        model = create_model(cfg)
        fit_weights(model, state, path=path, strict=True)
    return sum(parameter.numel() for parameter in model.parameters())


def _choose(
    cfg: CfgNode, state: State, *, fraction: float, scope: str, multiple: int, fc_dim: int | None
) -> tuple[list[Layer], list[torch.Tensor]]:
    """Layers that become narrower and, for each, the indices of the channels that stay."""
    layers = pruning.vgg_layers(state, cfg.MODEL.VGG.DEPTH, _stage_readers(cfg, state))
    scores = [pruning.importance(state, layer) for layer in layers]
    if scope == "layer":
        kept = pruning.keep_in_each(scores, fraction, multiple)
    else:
        on_one_scale = scores if layers[0].norm else pruning.comparable(scores)
        kept = pruning.keep_overall(on_one_scale, fraction, multiple)
    if fc_dim:
        hidden = pruning.box_head_layers(state)
        kept += [pruning.keep_best(pruning.importance(state, layer), fc_dim) for layer in hidden]
        layers += hidden
    if all(len(channels) == len(state[f"{layer.name}.weight"]) for layer, channels in zip(layers, kept, strict=True)):
        remedy = "Take a larger --fraction or a smaller --multiple"
        raise ConfigError("no channel would go", got=f"fraction {fraction}, multiple {multiple}", remedy=remedy)
    return layers, kept


def _stage_readers(cfg: CfgNode, state: State) -> dict[int, tuple[Reader, ...]]:
    if cfg.MODEL.BACKBONE.NAME == _PYRAMID:
        return pruning.pyramid_readers(cfg.MODEL.FPN.IN_FEATURES)
    stage = _only_stage(cfg)
    channels = stage_channels(cfg.MODEL.VGG.DEPTH, cfg.MODEL.VGG.CHANNELS)[stage - 1][-1]
    return {stage: pruning.head_readers(state, channels)}


def _only_stage(cfg: CfgNode) -> int:
    names = sorted({*cfg.MODEL.RPN.IN_FEATURES, *cfg.MODEL.ROI_HEADS.IN_FEATURES})
    stages = {pruning.stage_of(name) for name in names}
    if len(stages) > 1:  # the heads share their weights over the maps, so that all would have to lose the same channels
        raise ConfigError(
            "without a pyramid, only a model on the map of one stage is pruned",
            where="MODEL.RPN.IN_FEATURES, MODEL.ROI_HEADS.IN_FEATURES",
            got=", ".join(names),
        )
    return stages.pop()


def _smaller_config(cfg: CfgNode, state: State, fc_dim: int | None, output: Path) -> CfgNode:
    """The configuration of the narrower weights ``state``."""
    smaller = cfg.clone()
    smaller.defrost()
    layers = pruning.vgg_layers(state, cfg.MODEL.VGG.DEPTH, {})
    smaller.MODEL.VGG.CHANNELS = [len(state[f"{layer.name}.weight"]) for layer in layers]
    if fc_dim:
        smaller.MODEL.ROI_BOX_HEAD.FC_DIM = fc_dim
    if cfg.MODEL.BACKBONE.NAME == _PLAIN:
        smaller.MODEL.RPN.CONV_DIMS = _proposal_widths(state)
    smaller.MODEL.WEIGHTS = ""
    smaller.OUTPUT_DIR = f"{Path(output)}_finetuned"  # not the run that the weights came from
    return smaller


def _proposal_widths(state: State) -> list[int]:
    """Output channels of the proposal head's convolutions, which -1 would tie to the number that comes in."""
    head = "proposal_generator.rpn_head.conv"
    if f"{head}.weight" in state:
        return [len(state[f"{head}.weight"])]
    count = sum(name.startswith(head) and name.endswith(".weight") for name in state)
    return [len(state[f"{head}.conv{number}.weight"]) for number in range(count)]


def _file_entry(path: Path) -> dict[str, str]:
    return {"weights": path.name, "weights_sha256": sha256_of_file(path)}


def _layer_entry(state: State, layer: Layer, channels: torch.Tensor) -> dict[str, Any]:
    return {"name": layer.label, "before": len(state[f"{layer.name}.weight"]), "after": len(channels)}


def _backbone_entry(cfg: CfgNode, smaller_cfg: CfgNode) -> dict[str, Any]:
    size_hw = (cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MIN_SIZE_TEST)
    before, after = (
        pruning.backbone_cost(c.MODEL.VGG.DEPTH, c.MODEL.VGG.CHANNELS, size_hw, norm=bool(c.MODEL.VGG.NORM))
        for c in (cfg, smaller_cfg)
    )
    return {
        "parameters": {"before": before.parameters, "after": after.parameters},
        "macs": {"before": before.macs, "after": after.macs},
        "image_size_hw": list(size_hw),
    }
