"""A reading as a structured report: PS3.16 TID 1500, Measurement Report, as Comprehensive SR, which knows one plane.

A group for the image (score of a tumour, probabilities of its classes), and one for each shown finding: its outline,
class, score, probabilities, longest diameter and area, in mm where the spacing is known, with its source as the method.
After them, as text, the notice and whatever limits the reading. Not here: which findings are shown.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segtumor import NOTICE
from segtumor.imaging import AT_DETECTOR, CALIBRATED, UNKNOWN
from segtumor.reporting.dicom.coding import (
    MANUFACTURER,
    RESEARCH,
    SCHEME,
    Algorithm,
    common,
    new_uid,
    own,
    pixels,
)
from segtumor.reporting.dicom.source import SourceImage
from segtumor.structures.diameters import longest_extent
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import crop_from_rle, rle_area
from segtumor.structures.outlines import polygons_from_mask
from segtumor.structures.readings import Reading
from segtumor.taxonomy import NORMAL

if TYPE_CHECKING:
    from highdicom.sr import (
        ComprehensiveSR,
        ImageRegion,
        Measurement,
        MeasurementReport,
        MeasurementsAndQualitativeEvaluations,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
    )

    Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations

SERIES_NUMBER = 9102
#: Codes of where a spacing comes from.
_METHODS = {CALIBRATED: "calibrated", AT_DETECTOR: "at_detector", UNKNOWN: "not_known"}
_DIGITS = 4


def make_report(
    source: SourceImage,
    reading: Reading,
    findings: Sequence[tuple[int, Finding]],
    algorithm: Algorithm,
    uids: dict[int, str],
    *,
    score_threshold: float,
    notes: Sequence[str] = (),
) -> "ComprehensiveSR":
    """The report on a reading, a highdicom data set to be saved.

    Args:
        findings: (number as in findings.csv, finding), those that are shown; a finding without a place has no outline.
        uids: {number: tracking UID}, those of the segmentation; 0 is the image.
        score_threshold: from which on findings are shown, [0, 1].
        notes: sentences besides the reading's own.
    """
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import ComprehensiveSR

    groups = [_of_image(source, reading, algorithm, uids[0])]
    groups += [_of_finding(source, reading, number, one, algorithm, uids[number]) for number, one in findings]
    texts = [f"{RESEARCH}: {NOTICE}", f"Findings with a score of {score_threshold:.2f} or more: {len(findings)}."]
    texts += [*_about_outlines(findings), *notes, *(note.text for note in reading.notes)]
    return ComprehensiveSR(
        evidence=[source.header],
        content=_document(groups, texts)[0],
        is_complete=True,
        is_final=False,  # preliminary and unverified: no human has read it
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="segtumor", responsible_organization=MANUFACTURER)],
        **common("measurements", SERIES_NUMBER),
    )


def _document(groups: Sequence["Group"], texts: Sequence[str]) -> "MeasurementReport":
    from highdicom.sr import (
        CodedConcept,
        ContainerContentItem,
        ContentSequence,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
        RelationshipTypeValues,
        TextContentItem,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(uid=new_uid(), name=MANUFACTURER, manufacturer_name=MANUFACTURER)
    document = MeasurementReport(
        observation_context=ObservationContext(ObserverContext(codes.DCM.Device, device)),
        procedure_reported=codes.cid100.XRUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.cid7021.ImagingMeasurementReport,
    )
    contains, name = RelationshipTypeValues.CONTAINS, CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
    evaluations = ContainerContentItem(name, relationship_type=contains)  # row 12 of TID 1500, for whole reports
    evaluations.ContentSequence = ContentSequence(
        [TextContentItem(codes.DCM.Comment, text, relationship_type=contains) for text in texts]
    )
    document[0].ContentSequence.append(evaluations)
    return document


def _of_image(source: SourceImage, reading: Reading, algorithm: Algorithm, uid: str) -> "Group":
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    measurements = [_number(own("tumour_score", "Score of a tumour on the image"), reading.tumor_score)]
    if reading.image_probabilities is not None:
        names = (NORMAL, *reading.class_names)
        measurements += _probabilities(names, reading.image_probabilities)
    frames = None if source.frame is None else [source.frame + 1]
    header = source.header
    image = SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID, referenced_frame_numbers=frames)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid, "image"),
        algorithm_id=_algorithm_id(algorithm),
        measurements=measurements,
        source_images=[image],
    )


def _of_finding(
    source: SourceImage, reading: Reading, number: int, finding: Finding, algorithm: Algorithm, uid: str
) -> "Group":
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    names = reading.class_names
    measurements = [_number(own("score", "Score of the finding"), finding.score)]
    measurements += _probabilities(names, finding.probabilities)
    about: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(uid, f"#{number}"),
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "finding_type": codes.SCT.Lesion,
        "algorithm_id": _algorithm_id(algorithm),
        "qualitative_evaluations": [_class_of(names[finding.class_id])],
    }
    if not finding.is_placed:
        return MeasurementsAndQualitativeEvaluations(measurements=measurements, **about)
    measurements += _sizes(finding, reading)
    region = _region(source, finding)
    return PlanarROIMeasurementsAndQualitativeEvaluations(measurements=measurements, referenced_region=region, **about)


def _algorithm_id(algorithm: Algorithm) -> Any:
    from highdicom.sr import AlgorithmIdentification

    return AlgorithmIdentification(algorithm.name, algorithm.version, manufacturer=MANUFACTURER)


def _class_of(name: str) -> "QualitativeEvaluation":
    from highdicom.sr import QualitativeEvaluation

    return QualitativeEvaluation(own("class", "Most probable class"), own(name, name))


def _probabilities(names: Sequence[str], values: Sequence[float]) -> list["Measurement"]:
    """NaN is of a class that the model does not judge there."""
    known = [(name, value) for name, value in zip(names, values, strict=False) if not math.isnan(value)]
    return [_number(own(f"p_{name}", f"Probability of {name}"), value) for name, value in known]


def _sizes(finding: Finding, reading: Reading) -> Iterator["Measurement"]:
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes

    row_mm, column_mm = spacing = reading.spacing_mm or (1.0, 1.0)
    known = reading.spacing_mm is not None
    source = reading.spacing_source
    method = None if source is None else own(_METHODS.get(source, source), source)
    unit = codes.UCUM.Millimeter if known else pixels()
    longest = round(longest_extent(finding, spacing), _DIGITS)
    yield Measurement(codes.SCT.LongAxis, longest, unit, method=method)
    if finding.rle is not None:
        area = round(rle_area(finding.rle) * row_mm * column_mm, _DIGITS)
        yield Measurement(codes.SCT.Area, area, codes.UCUM.SquareMillimeter if known else pixels(), method=method)


def _number(name: Any, value: float) -> "Measurement":
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes

    return Measurement(name, round(float(value), _DIGITS), codes.UCUM.NoUnits)


def _region(source: SourceImage, finding: Finding) -> "ImageRegion":
    """The outline of the finding's largest part, or its box; the template has room for one (TID 1410)."""
    from highdicom.sr import GraphicTypeValues, ImageRegion, SourceImageForRegion

    parts = _parts(finding)
    if parts:
        points = max(parts, key=_area)
    else:
        x0, y0, x1, y1 = finding.box_xyxy
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    frames = None if source.frame is None else [source.frame + 1]
    header = source.header
    image = SourceImageForRegion(header.SOPClassUID, header.SOPInstanceUID, referenced_frame_numbers=frames)
    return ImageRegion(GraphicTypeValues.POLYLINE, np.concatenate([points, points[:1]]), image)


def _parts(finding: Finding) -> list[Any]:
    """Outlines of the parts of a mask, (P, 2) of (x, y): from the corner of the first pixel, as DICOM counts."""
    if finding.rle is None:
        return []
    crop, top, left = crop_from_rle(finding.rle)
    return [np.reshape(polygon, (-1, 2)) + np.array([left, top]) for polygon in polygons_from_mask(crop)]


def _area(points: Any) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _about_outlines(findings: Sequence[tuple[int, Finding]]) -> Iterator[str]:
    for number, finding in findings:
        parts = len(_parts(finding))
        if parts > 1:
            yield f"#{number} has {parts} parts; its region is the outline of the largest, its sizes are of all."
