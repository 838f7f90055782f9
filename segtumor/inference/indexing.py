"""A data set to an index: every image is read by a model, whose embedding and call are kept beside the true class."""

import numpy as np

from segtumor.annotations.coco import CocoDataset
from segtumor.cases import case_or_own
from segtumor.datasets.fingerprints import pixel_hash
from segtumor.errors import DataError
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS, true_class
from segtumor.imaging import read_radiograph
from segtumor.inference.load import InferenceModel
from segtumor.inference.similar import model_identity
from segtumor.progress import Progress
from segtumor.retrieval.index import UNKNOWN, Index
from segtumor.taxonomy import NORMAL


def index_of(model: InferenceModel, dataset: CocoDataset, *, progress: Progress = iter) -> Index:
    """The index of a data set.

    Args:
        model: with embeddings in its readings (``load.with_embedding``).
        dataset: of the model's classes, with images that can be read.

    Raises:
        DataError: an image that cannot be read, other classes, or no images.
        NonFiniteOutputError: the model broke down on an image.
    """
    names, where = model.predictor.class_names, dataset.json_path
    if dataset.taxonomy.names != names:
        got, expected = ", ".join(dataset.taxonomy.names), ", ".join(names)
        raise DataError("other classes than the model's", where=where, got=got, expected=expected)
    threshold, said = float(model.settings["confidence_threshold"]), (NORMAL, *names)
    embeddings, calls, hashes = [], [], []
    for record in progress(dataset.records):
        radiograph = read_radiograph(record["file_name"], max_pixels=model.max_pixels, log=False)
        reading = model.predictor.read(radiograph)
        if reading.embedding is None:
            raise ValueError("a model without embeddings")
        embeddings.append(reading.embedding)
        calls.append(said[reading.image_class(threshold)])
        hashes.append(pixel_hash(radiograph.pixels))
    classes = [true_class(image, names) for image in dataset.annotated_images]
    return Index(
        embeddings=np.stack(embeddings),
        file_names=[image["file_name"] for image in dataset.images],
        cases=[case_or_own(image) for image in dataset.images],
        labels=[UNKNOWN if class_id == UNKNOWN_CLASS else said[class_id] for class_id in classes],
        calls=calls,
        pixel_sha256=hashes,
        class_names=names,
        model=model_identity(model),
        image_root=str(dataset.image_root),
    )
