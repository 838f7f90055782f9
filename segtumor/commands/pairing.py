"""Truth and findings side by side, which their rooms read separately: for every command that measures."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pairing:
    """A data set and what was found on it.

    Attributes:
        truth: CocoDataset.
        results: an ImageResult for each of its images.
        absent_ids: images that the predictions do not mention, or None if they list no images.
        failed_ids: images that could not be predicted.
        n_left_out: predicted images that are not annotated.
    """

    truth: object
    results: list
    absent_ids: tuple | None
    failed_ids: tuple
    n_left_out: int

    @property
    def unseen(self):
        """Keyword arguments of ``evaluate`` and ``study``."""
        n_absent = None if self.absent_ids is None else len(self.absent_ids)
        return {"n_images_absent": n_absent, "n_images_failed": len(self.failed_ids)}

    @property
    def sentences(self):
        """What a user must know of images that were not predicted or not annotated."""
        from segtumor.evaluation.unpredicted import unpredicted_remarks

        return unpredicted_remarks(
            self.truth.annotated_images,
            self.truth.taxonomy.names,
            absent_ids=self.absent_ids,
            failed_ids=self.failed_ids,
            n_left_out=self.n_left_out,
        )

    def remarked(self, study):
        """A Study of ``results`` whose remarks begin with ``sentences``, so that its report repeats them."""
        return replace(study, remarks=(*self.sentences, *study.remarks))


def pair(annotations, predictions, *, truth=None, only_annotated=False):
    """Read both files; ``truth`` is the CocoDataset of ``annotations`` if it was read before. Raises DataError."""
    from segtumor.data.predictions import read_predictions
    from segtumor.data.records import load_coco
    from segtumor.structures.lesions import ImageResult

    truth = truth or load_coco(annotations, check_files=False, require_masks=False)
    found = read_predictions(
        predictions,
        truth.annotated_images,
        class_names=truth.taxonomy.names,
        category_id_of_class=truth.category_id_of_class,
        only_annotated=only_annotated,
    )
    return Pairing(
        truth,
        [ImageResult(image, found.findings[image.image_id]) for image in truth.annotated_images],
        found.absent_ids,
        found.failed_ids,
        found.n_left_out,
    )
