"""Findings with masks as a DICOM Segmentation (PS3.3 A.51): binary, one segment for each, pixel for pixel.

A radiograph has no place in the patient: the segments lie on its pixels, and the reference to it is all that ties them
to it. Not here: which findings are shown.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from segtumor import NOTICE
from segtumor.arrays import Rle
from segtumor.reporting.dicom.coding import RESEARCH, Algorithm, common, plain
from segtumor.reporting.dicom.source import SourceImage
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import crop_from_rle
from segtumor.taxonomy import color_rgb

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.dataset import Dataset

SERIES_NUMBER = 9101
_CONTENT_LABEL = "RESEARCH_ONLY"
_ONE_FRAME = "1.2.840.10008.5.1.4.1.1.1"


def make_segmentation(
    source: SourceImage,
    findings: Sequence[tuple[int, Finding]],
    class_names: Sequence[str],
    algorithm: Algorithm,
    uids: dict[int, str],
) -> "Segmentation":
    """The segmentation of findings, a highdicom data set to be saved.

    Args:
        findings: (number as in findings.csv, finding with a mask of the source's size), one or more.
        uids: {number: tracking UID}, those of the report.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    height, width = source.size_hw
    masks = np.zeros((1, height, width, len(findings)), dtype=np.uint8)
    for index, (_, finding) in enumerate(findings):
        crop, top, left = crop_from_rle(cast(Rle, finding.rle))
        masks[0, top : top + crop.shape[0], left : left + crop.shape[1], index] = crop
    segments = [
        _segment(index, number, finding, class_names, algorithm, uids[number])
        for index, (number, finding) in enumerate(findings, start=1)
    ]
    segmentation = Segmentation(
        source_images=[_for_highdicom(source.header)],
        pixel_array=masks,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        content_label=_CONTENT_LABEL,
        content_description=plain(f"{RESEARCH}: {NOTICE}"),
        omit_empty_frames=False,  # a segment without pixels keeps its frame
        **common("segmentation", SERIES_NUMBER),
    )
    _refer_to(segmentation, source)
    return segmentation


def _segment(
    index: int, number: int, finding: Finding, class_names: Sequence[str], algorithm: Algorithm, uid: str
) -> "SegmentDescription":
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    name = class_names[finding.class_id]
    segment = SegmentDescription(
        segment_number=index,
        segment_label=plain(f"#{number} {name}"),
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            algorithm.name, codes.DCM.ArtificialIntelligence, algorithm.version
        ),
        tracking_uid=uid,
        tracking_id=f"#{number}",
        display_color=CIELabColor.from_rgb(*color_rgb(finding.class_id, class_names)),
    )
    segment.SegmentDescription = plain(f"{name}, score {finding.score:.2f}. {NOTICE}", 1024)
    return segment


def _for_highdicom(header: "Dataset") -> "Dataset":
    """The header as if of a class with one frame: of any other highdicom wants to know where its frames lie."""
    plain_header = copy.deepcopy(header)
    plain_header.SOPClassUID = _ONE_FRAME
    return plain_header


def _refer_to(segmentation: "Segmentation", source: SourceImage) -> None:
    """Put the class of the source into every reference and, into those of single frames, its frame, from 1."""
    for element in segmentation.iterall():
        if element.keyword == "ReferencedSOPClassUID":
            element.value = source.header.SOPClassUID
    if source.frame is None:
        return
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for image in derivation.SourceImageSequence:
                image.ReferencedFrameNumber = source.frame + 1
