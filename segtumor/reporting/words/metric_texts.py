"""What each measure of a study means, in one sentence (``metrics.yaml``).

Not here: how it is computed (``segtumor.evaluation.measures.measure``) and how its interval is made (the study's
estimates).
"""

import functools
from collections.abc import Mapping

from segtumor.evaluation.measures.froc import FROC_RATES
from segtumor.reporting.words import load_words

_UNITS = {"image": "an image", "patient": "a patient"}


def metric_text(name: str, *, located: bool = False) -> str:
    """What a measure means, "" for an unknown one; ``located`` as ``require_located`` in StudySettings."""
    words = load_words("metrics")
    text = metric_texts().get(name, "")
    return f"{text} {words['located']}" if located and name in words["follow_located"] else text


@functools.cache
def metric_texts() -> Mapping[str, str]:
    """{name of a measure: what it means, a sentence}."""
    words = load_words("metrics")
    texts: dict[str, str] = dict(words["measures"])
    texts |= {f"froc_at_{rate:g}": words["froc_at"].format(rate=f"{rate:g}") for rate in FROC_RATES}
    for name, text in words["distances"].items():
        texts[f"{name}_px"] = f"{text[:-1]}; in px."
        texts[f"{name}_mm"] = f"{text[:-1]}; in mm, where the pixel spacing is known."
    for name, text in words["tolerances"].items():
        texts[name] = text
        texts[f"{name}_mm"] = f"{text[:-1]}; tolerance in mm, where the pixel spacing is known."
    for one, a_one in _UNITS.items():
        for name, text in words["calls"].items():
            texts[f"{one}_{name}"] = text.format(one=one, a_one=a_one, many=f"{one}s")
    return texts
