"""The rows behind the means: one per lesion, one per image. Plain dicts; missing values are None.

Crowd regions have no row, but are counted with their image. Not here: writing them
(``segtumor.reporting.files.evaluation_files``).
"""

import math

from segtumor.cases import case_of
from segtumor.evaluation.facts.image_level import has_tumor
from segtumor.structures.masks import dice_from_iou

#: Fields of an image that its lesions repeat, for subgroup tables; lists are joined by semicolons.
SUBGROUP_FIELDS = ("subtype", "site", "view", "center", "age", "sex")


def lesion_rows(images, class_names):
    """One dict per lesion of the MatchedImages, in order."""
    return [
        _lesion_row(image.truth, lesion, match, class_names)
        for image in images
        for lesion, match in zip(image.lesions, image.matches, strict=True)
    ]


def _lesion_row(truth, lesion, match, class_names):
    return {
        **_image_columns(truth),
        "lesion_id": lesion.lesion_id,
        "class": class_names[lesion.class_id],
        "matched": match is not None,
        "hit": match is not None and match.hit,
        "iou": match.iou if match else 0.0,
        "dice": float(dice_from_iou(match.iou)) if match else 0.0,
        "score": match.finding.score if match else None,
        "predicted_class": class_names[match.finding.class_id] if match else None,
        "overlap_of": None if match is None else "mask" if match.by_mask else "box",
        "area_px": lesion.area_px,
        **{field: _cell(truth.attributes.get(field)) for field in SUBGROUP_FIELDS},
    }


def image_rows(images, class_names=()):
    """One dict per MatchedImage, in order; ``class_names`` as for ``classification.image_metrics``."""
    return [
        {
            **_image_columns(image.truth),
            "label": image.truth.attributes.get("image_label"),
            "n_lesions": len(image.lesions),
            "n_findings": len(image.findings),
            "max_score": None if math.isnan(image.max_score) else image.max_score,
            "tumor_true": has_tumor(image.truth, class_names),
            "tumor_predicted": bool(image.findings),
            "true_positives": len(image.hits),
            "false_positives": len(image.false_positives),
            "missed": image.n_missed,
            "crowd_regions": image.n_crowds,
            "findings_in_crowds": len(image.ignored),
        }
        for image in images
    ]


def _image_columns(truth):
    return {"image_id": truth.image_id, "file_name": truth.file_name, "case_id": case_of(truth.attributes)}


def _cell(value):
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
