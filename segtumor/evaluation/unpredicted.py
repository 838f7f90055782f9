"""What a reader must know of images that were not predicted: they count as without findings, so normal ones as right.

Not here: finding out which they are (``segtumor.data.predictions``).
"""

from segtumor.evaluation.image_level import has_tumor


def unpredicted_remarks(truths, class_names, *, absent_ids=(), failed_ids=(), n_left_out=0):
    """Sentences for the remarks of a study; none where every image was predicted.

    Args:
        truths: AnnotatedImages that were measured.
        class_names: names by ``class_id``.
        absent_ids: ids of those that the predictions do not mention; None if they list no images.
        failed_ids: ids of those that could not be predicted.
        n_left_out: predicted images that are not annotated.
    """
    normal_ids = {truth.image_id for truth in truths if not has_tumor(truth, class_names)}
    remarks = [f"{n_left_out} predicted images are not annotated and were left out."] if n_left_out else []
    for ids, what in ((absent_ids, "are absent from the predictions"), (failed_ids, "failed when predicting")):
        if ids:
            n_normal = len(normal_ids.intersection(ids))
            remarks.append(
                f"{len(ids)} images {what} and count as without findings; {n_normal} of them are normal and so count "
                "as called right."
            )
    return tuple(remarks)
