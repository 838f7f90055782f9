"""What a reader must know of images that were not predicted: they count as without findings, so normal ones as right.

Not here: finding out which they are (``segtumor.annotations.predictions.document``).
"""

from segtumor.evaluation.facts.image_level import has_tumor


def unpredicted_remarks(truths, class_names, *, absent_ids=(), failed_ids=(), n_left_out=0):
    """Sentences for the remarks of a study; none where every image was predicted.

    Args:
        truths: AnnotatedImages that were measured.
        class_names: names by ``class_id``.
        absent_ids: ids of those that the predictions do not mention; None if they list no images.
        failed_ids: ids of those that could not be predicted.
        n_left_out: predicted images that are not annotated.
    """
    remarks = [f"{n_left_out} predicted images are not annotated and were left out."] if n_left_out else []
    for ids, what in ((absent_ids, "are absent from the predictions"), (failed_ids, "failed when predicting")):
        if ids:
            remarks.append(
                f"{len(ids)} images {what} and count as without findings; "
                f"{n_normal(truths, class_names, ids)} of them are normal and so count as called right."
            )
    return tuple(remarks)


def list_remark(truths, class_names, *, found_ids) -> str:
    """A sentence on the images without a finding in a plain list, which does not say what was predicted; or "".

    Args:
        truths, class_names: as for ``unpredicted_remarks``.
        found_ids: ids of the images that the list has a finding of.
    """
    ids = {truth.image_id for truth in truths} - set(found_ids)
    if not ids:
        return ""
    return (
        f"{len(ids)} of {len(truths)} images ({n_normal(truths, class_names, ids)} normal) have no finding in this "
        "list; a list cannot say whether they were predicted."
    )


def n_normal(truths, class_names, ids):
    """How many AnnotatedImages of these ids are normal."""
    ids = set(ids)
    return sum(truth.image_id in ids and not has_tumor(truth, class_names) for truth in truths)
