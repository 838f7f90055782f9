"""Several loaded models, or several looks of one, as one model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segtumor.errors import ConfigError
from segtumor.inference.load import InferenceModel, load_model, with_embedding
from segtumor.runtime.protocols import Classifier, ContextModel


def load_models(
    runs: Sequence[str | Path],
    *,
    tta: bool | Sequence[str] = False,
    fusion: str = "wbf",
    embedding: bool = False,
    **options: Any,
) -> InferenceModel:
    """Load one model or several as one (``combined.Ensemble``).

    Args:
        runs: folders of training runs and exports.
        tta: whether every model also looks at the mirrored picture; or names of ``combined.LOOKS``.
        fusion: "wbf" or "nms".
        embedding: whether readings hold the first model's embedding.
        options: of ``load_model``, for each.

    Raises:
        ConfigError: members that differ in classes, windows or post-processing; or as ``load_model``.
        ModelError, InstallationError: as ``load_model``.
    """
    members = [load_model(run=run, **options) for run in runs]
    members = [*map(with_embedding, members[:1]), *members[1:]] if embedding else members
    return combine(members, list(map(str, runs)), tta=tta, fusion=fusion)


def combine(
    members: Sequence[InferenceModel], names: Sequence[str], *, tta: bool | Sequence[str] = False, fusion: str = "wbf"
) -> InferenceModel:
    """Loaded models as one; see ``load_models``. ``names`` are those of the models, for messages."""
    from segtumor.inference.combined import FLIP, SCALE, Ensemble, check_members, looks_of

    first, looks = members[0], [FLIP] if tta is True else list(tta or ())
    if len(members) == 1 and not looks:
        return first
    if any("mc_dropout" in member.settings for member in members):
        what = "several passes of one look of one model are compared"
        raise ConfigError(what, where="--mc-dropout", remedy="Leave out --tta, and name one model")
    judges = isinstance(first.predictor.model, Classifier | ContextModel)
    if SCALE in looks and judges and first.predictor.windowing.square:
        raise ConfigError("the classifier takes pictures of one size", where="--tta scale", remedy="Use --tta flip")
    check_members([member.predictor for member in members], names)
    class_names = first.predictor.class_names
    models: list[Any] = [member.predictor.model for member in members]
    models += [look for model in models for look in looks_of(model, class_names, looks)]
    ensemble = Ensemble(models, class_names, fusion=fusion, settings=first.predictor.settings)
    predictor = first.predictor.with_model(ensemble)
    settings = {**first.settings, "tta": looks == [FLIP] or looks or False, "fusion": fusion}
    entry = {**first.entry, **({"others": [dict(other.entry) for other in members[1:]]} if members[1:] else {})}
    note = next((member.note for member in members if member.note), None)
    return InferenceModel(predictor, settings, entry, min(member.max_pixels for member in members), note)
