"""DICOM objects of a reading, read back with pydicom and highdicom and checked by dciodvfy."""

import dataclasses
import logging
import warnings

import numpy as np
import pytest
from dicom_radiographs import FULL, IMAGE, SERIES, SIZE_HW, STUDY, errors_of, radiograph_file

from segtumor import NOTICE
from segtumor.errors import BadImageError, ConfigError
from segtumor.reporting.dicom import coding
from segtumor.reporting.dicom.objects import KINDS, check_kinds, make_objects, write_objects
from segtumor.reporting.dicom.source import read_source
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.readings import Note, Reading

pytestmark = pytest.mark.command
highdicom = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")

PICTURE = np.random.default_rng(1).integers(0, 256, (30, 25, 3), dtype=np.uint8)
ALGORITHM = coding.Algorithm("segtumor tiny", "3")


def rectangle(*corners):
    mask = np.zeros(SIZE_HW, dtype=bool)
    for top, left, bottom, right in corners:
        mask[top:bottom, left:right] = True
    return mask


#: Two findings that overlap, the first in two parts, and an uncertain one.
MASKS = [rectangle((5, 6, 15, 26), (30, 30, 33, 33)), rectangle((10, 16, 25, 30)), rectangle((0, 0, 3, 3))]
READING = Reading(
    class_names=("benign", "osteogenic | ärger"),
    size_hw=SIZE_HW,
    findings=tuple(
        Finding(class_id, score, rle=rle_from_mask(mask), probabilities=(1 - p, p))
        for class_id, score, p, mask in zip((1, 0, 0), (0.9, 0.6, 0.1), (0.9, 0.4, 0.3), MASKS, strict=True)
    ),
    image_probabilities=(0.1, 0.3, 0.6),
    spacing_mm=(0.15, 0.2),
    spacing_source="mm at detector",
    notes=(Note("other", "The picture is blank."),),
)


@pytest.fixture
def made(tmp_path):
    """Function of elements of the source and a reading -> {kind: data set as it was read back}, its path beside it."""

    def make(reading=READING, kinds=tuple(KINDS), *, frame=None, note=None, **elements):
        path = radiograph_file(tmp_path / "source.dcm", **elements)
        options = {"score_threshold": 0.5, "algorithm": ALGORITHM, "picture": PICTURE, "frame": frame, "note": note}
        names = write_objects(make_objects(path, reading, kinds, **options), tmp_path / "out", "a")
        return {name[2:-4]: pydicom.dcmread(tmp_path / "out" / name) for name in names}

    return make


def groups_of(dataset):
    return highdicom.sr.srread(dataset.filename).content


def measured(group):
    """{(meaning of the measurement, unit): (value, its method)}."""
    return {
        (m.name.meaning, m.unit.value): (m.value, None if m.method is None else m.method.meaning)
        for m in group.get_measurements()
    }


def test_every_object_is_in_the_patients_study_in_a_series_of_its_own(made):
    first, second = made(**FULL), made(**FULL)
    assert list(first) == ["seg", "sr", "sc"]
    uids = set()
    for kind, dataset in [*first.items(), *second.items()]:
        assert dataset.StudyInstanceUID == STUDY and dataset.PatientID == "SECRET-1", kind
        assert str(dataset.PatientName) == "Müller^Änne" and str(dataset.ReferringPhysicianName) == "Geheim^Otto"
        assert (dataset.PatientSex, dataset.PatientBirthDate, dataset.PatientAge) == ("F", "19500101", "070Y")
        assert (dataset.StudyDate, dataset.StudyID, dataset.AccessionNumber) == ("20200102", "7", "A1")
        assert (dataset.IssuerOfPatientID, dataset.StudyDescription) == ("Hospital", "Knee")
        assert dataset.SeriesDescription.startswith("RESEARCH ONLY segtumor ")
        uids |= {dataset.SOPInstanceUID, dataset.SeriesInstanceUID}
    assert len(uids) == 12, "new ones for each object, each time"
    assert not uids & {STUDY, SERIES, IMAGE}


@pytest.mark.parametrize("kind", ["seg", "sc"])
def test_pictures_refer_to_the_series_of_the_radiograph(made, kind):
    """Without ReferencedSeriesSequence viewers do not know what to show a segmentation on."""
    (series,) = made(kinds=(kind,), **FULL)[kind].ReferencedSeriesSequence
    (image,) = series.ReferencedInstanceSequence
    assert series.SeriesInstanceUID == SERIES
    assert (image.ReferencedSOPInstanceUID, image.ReferencedSOPClassUID) == (IMAGE, FULL["SOPClassUID"])


def test_each_shown_finding_is_a_segment_equal_to_its_mask_pixel_for_pixel(made):
    dataset = made(kinds=("seg",))["seg"]
    segmentation = highdicom.seg.segread(dataset.filename)
    assert segmentation.segmentation_type.value == "BINARY" and segmentation.number_of_segments == 2
    masks = segmentation.get_pixels_by_source_instance([IMAGE])[0]
    for index, mask in enumerate(MASKS[:2]):
        np.testing.assert_array_equal(masks[..., index].astype(bool), mask)
        segment = segmentation.get_segment_description(index + 1)
        assert segment.segment_label == f"#{index + 1} {READING.class_names[1 - index]}"
        assert segment.algorithm_type.value == "AUTOMATIC" and NOTICE in segment.SegmentDescription
        (algorithm,) = segment.algorithm_identification
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (ALGORITHM.name, ALGORITHM.version)
    assert dataset.ContentLabel == "RESEARCH_ONLY" and NOTICE in dataset.ContentDescription


def test_the_report_says_what_was_found_how_large_and_by_whom(made):
    report = groups_of(made()["sr"])
    (image,) = report.get_image_measurement_groups()
    assert measured(image) == {
        ("Score of a tumour on the image", "1"): (0.9, None),
        ("Probability of normal", "1"): (0.1, None),
        ("Probability of benign", "1"): (0.3, None),
        ("Probability of osteogenic | ärger", "1"): (0.6, None),
    }
    first, second = report.get_planar_roi_measurement_groups()
    assert [group.tracking_identifier for group in (first, second)] == ["#1", "#2"]
    assert first.finding_type.meaning == "Lesion"
    classes = [e.value.meaning for e in first.get_qualitative_evaluations() if e.name.value == "class"]
    assert classes == ["osteogenic | ärger"]
    at_detector = "mm at detector"
    # 209 px of 0.15 x 0.2 mm in the first; the second is a rectangle, whose diagonal is the longest diameter.
    assert measured(first)[("Area", "mm2")] == (pytest.approx(209 * 0.03), at_detector)
    assert measured(second) == {
        ("Score of the finding", "1"): (0.6, None),
        ("Probability of benign", "1"): (0.6, None),
        ("Probability of osteogenic | ärger", "1"): (0.4, None),
        ("Long axis", "mm"): (pytest.approx(np.hypot(15 * 0.15, 14 * 0.2), abs=1e-4), at_detector),
        ("Area", "mm2"): (pytest.approx(15 * 14 * 0.03), at_detector),
    }


def test_the_report_has_the_notice_the_notes_and_what_was_left_out(made):
    dataset = made(kinds=("sr",), note="The model knows phantoms only.")["sr"]
    texts = [item.TextValue for item in dataset.ContentSequence[-1].ContentSequence]
    assert texts == [
        f"RESEARCH ONLY: {NOTICE}",
        "Findings with a score of 0.50 or more: 2.",
        "#1 has 2 parts; its region is the outline of the largest, its sizes are of all.",
        "The model knows phantoms only.",
        "The picture is blank.",
    ]
    assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert dataset.SOPClassUID == pydicom.uid.ComprehensiveSRStorage


def test_regions_of_the_report_lie_where_the_masks_do(made):
    from segtumor.structures.masks import mask_from_rle, rle_from_polygons

    groups = groups_of(made(kinds=("sr",))["sr"]).get_planar_roi_measurement_groups()
    for group, largest in zip(groups, (rectangle((5, 6, 15, 26)), MASKS[1]), strict=True):
        points = group.roi.value
        np.testing.assert_array_equal(points[0], points[-1])  # closed
        drawn = mask_from_rle(rle_from_polygons([points.ravel().tolist()], SIZE_HW))
        np.testing.assert_array_equal(drawn, largest)


def test_segments_and_groups_of_a_finding_share_their_tracking_uid(made):
    objects = made()
    groups = groups_of(objects["sr"]).get_planar_roi_measurement_groups()
    assert [g.tracking_uid for g in groups] == [s.TrackingUID for s in objects["seg"].SegmentSequence]


def test_without_a_spacing_sizes_are_in_pixels(made):
    plain = dataclasses.replace(READING, spacing_mm=None, spacing_source=None)
    _, second = groups_of(made(plain, ("sr",))["sr"]).get_planar_roi_measurement_groups()
    assert measured(second)[("Area", "{pixels}")] == (210, None)
    assert measured(second)[("Long axis", "{pixels}")] == (pytest.approx(np.hypot(15, 14), abs=1e-4), None)


def test_the_capture_is_the_overlay_and_says_that_it_is_written_on(made):
    dataset = made(kinds=("sc",), LossyImageCompression="01", LossyImageCompressionRatio="9")["sc"]
    np.testing.assert_array_equal(dataset.pixel_array, PICTURE)
    assert dataset.BurnedInAnnotation == "YES" and NOTICE in dataset.DerivationDescription
    assert dataset.ImageType[:2] == ["DERIVED", "SECONDARY"] and "PixelSpacing" not in dataset
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionRatio) == ("01", 9)


NOTHING = dataclasses.replace(READING, findings=(), image_probabilities=None)
BOXES = dataclasses.replace(READING, findings=(Finding(1, 0.9, (1.0, 2.0, 11.0, 42.0)), Finding(0, 0.8)))


@pytest.mark.parametrize(
    ("reading", "planar", "whole"),
    [(NOTHING, [], ["image"]), (BOXES, ["#1"], ["image", "#2"])],
    ids=["nothing found", "a box, and a finding without a place"],
)
def test_without_masks_there_is_no_segmentation_and_the_report_says_what_there_is(made, reading, planar, whole):
    objects = made(reading)
    assert list(objects) == ["sr", "sc"]
    report = groups_of(objects["sr"])
    assert [g.tracking_identifier for g in report.get_planar_roi_measurement_groups()] == planar
    assert [g.tracking_identifier for g in report.get_image_measurement_groups()] == whole
    for group in report.get_planar_roi_measurement_groups():
        assert group.roi.value.tolist() == [[1, 2], [11, 2], [11, 42], [1, 42], [1, 2]]
        assert measured(group)[("Long axis", "mm")][0] == 6


def test_a_finding_of_no_pixels_keeps_its_segment(made):
    empty = dataclasses.replace(READING, findings=(Finding(0, 0.9, rle=rle_from_mask(rectangle())),))
    objects = made(empty, ("seg", "sr"))
    assert objects["seg"].NumberOfFrames == 1 and not objects["seg"].pixel_array.any()
    (group,) = groups_of(objects["sr"]).get_planar_roi_measurement_groups()
    assert measured(group)[("Area", "mm2")][0] == 0
    assert [errors_of(dataset.filename) for dataset in objects.values()] == [[], []]


STATES = {
    "full": FULL,
    "bare": {},
    "MONOCHROME1": {"PhotometricInterpretation": "MONOCHROME1"},
    "angiography": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.12.1", "Modality": "XA"},
    "wrong values": {
        "PatientSex": "X",
        "PatientBirthDate": "unknown",
        "StudyDate": "20200230",
        "StudyTime": "99",
        "PatientName": "Secret" * 20,
        "PatientOrientation": "L",
        "PatientAge": "old",
    },
}


@pytest.mark.parametrize(
    ("state", "reading"),
    [*((state, READING) for state in STATES), ("bare", NOTHING), ("full", BOXES)],
    ids=[*STATES, "nothing found", "boxes"],
)
def test_dciodvfy_finds_no_error(made, state, reading):
    for dataset in made(reading, **STATES[state]).values():
        assert errors_of(dataset.filename) == []


def test_dciodvfy_sees_errors(made):
    """The oracle's own test: an object without an element that it must have."""
    dataset = made(kinds=("seg",))["seg"]
    del dataset.SegmentSequence
    dataset.save_as(dataset.filename)
    assert any("SegmentSequence" in line for line in errors_of(dataset.filename))


def test_values_that_cannot_be_used_are_left_empty_and_neither_warned_of_nor_quoted(made, tmp_path, caplog):
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        dataset = made(kinds=("sr",), **STATES["wrong values"])["sr"]
    assert not dataset.PatientName and not dataset.StudyDate and not dataset.PatientSex
    assert "PatientAge" not in dataset
    assert read_source(tmp_path / "source.dcm").left_empty == (
        *("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
        *("PatientAge", "PatientOrientation"),
    )
    said = " ".join([*(str(one.message) for one in caught), caplog.text])
    assert "Secret" not in said and "unknown" not in said


def test_a_name_of_one_part_is_not_quoted(made):
    """highdicom warns of such names, with the name."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        objects = made(PatientName="Secret", ReferringPhysicianName="Geheim")
    assert {str(dataset.PatientName) for dataset in objects.values()} == {"Secret"}


MANY_FRAMES = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.3",
    "NumberOfFrames": 3,
    "PixelData": bytes(3 * 2 * SIZE_HW[0] * SIZE_HW[1]),
}


def test_of_several_frames_the_one_that_was_read_is_referred_to(made):
    objects = made(frame=1, **MANY_FRAMES)
    group = objects["seg"].PerFrameFunctionalGroupsSequence[0]
    (of_seg,) = group.DerivationImageSequence[0].SourceImageSequence
    (of_sc,) = objects["sc"].SourceImageSequence
    roi = groups_of(objects["sr"]).get_planar_roi_measurement_groups()[0].roi
    (of_sr,) = roi.ContentSequence[0].ReferencedSOPSequence
    for reference in (of_seg, of_sc, of_sr):
        assert reference.ReferencedFrameNumber == 2
        assert reference.ReferencedSOPClassUID == MANY_FRAMES["SOPClassUID"]
    with pytest.raises(BadImageError, match="several frames"):
        made(**MANY_FRAMES)
    assert "ReferencedFrameNumber" not in made(frame=0)["sc"].SourceImageSequence[0], "the only one needs no number"


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"StudyInstanceUID": None}, "StudyInstanceUID is missing"),
        ({"SeriesInstanceUID": "not a uid"}, "SeriesInstanceUID is missing or cannot be used"),
        ({"PatientID": "SECRET" * 20}, "PatientID is missing or cannot be used"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, "no DICOM objects are made of this kind of image"),
        ({"SOPClassUID": None}, "no DICOM objects are made of this kind of image"),
        ({"Rows": 47}, r"no longer the one that was read .*40 x 47 px"),
    ],
)
def test_a_header_that_nothing_can_be_filed_by_is_an_error_without_its_values(made, elements, message):
    with pytest.raises(BadImageError, match=message) as caught:
        made(**elements)
    assert "SECRET" not in str(caught.value)


def test_a_file_that_is_no_dicom_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"hello")
    with pytest.raises(BadImageError, match="not a DICOM file"):
        read_source(tmp_path / "a.png")


def test_unknown_kinds_are_refused():
    check_kinds(["seg", "sc"])
    with pytest.raises(ConfigError, match=r"got rtstruct; expected one or more of seg, sr, sc"):
        check_kinds(["seg", "rtstruct"])
    with pytest.raises(ConfigError, match="got nothing"):
        check_kinds([])


@pytest.mark.parametrize(
    ("entry", "name", "version"),
    [
        ({"folder": "runs/exported", "weights_sha256": "ab" * 32}, "segtumor exported", "weights abababababab, "),
        ({"weights": "runs/mine/model_best.pth", "others": [{}, {}]}, "segtumor mine and 2 more", ""),
        ({"weights": "a.pth", "cascade": {}}, "segtumor model and 1 more", ""),
        ({"folder": "x" * 80}, f"segtumor {'x' * 55}", ""),
    ],
)
def test_a_model_is_named_by_its_folder_and_weights(entry, name, version, monkeypatch):
    monkeypatch.setattr("segtumor.__version__", "9")
    assert coding.algorithm_of(entry) == coding.Algorithm(name, f"{version}segtumor 9")


def test_a_shipped_model_has_its_name_and_version():
    from segtumor.shipped.registry import find_model, model_folder

    algorithm, shipped = coding.algorithm_of({"folder": str(model_folder())}), find_model("btxrd-lite")
    assert algorithm.name == "segtumor btxrd-lite" and algorithm.version.startswith(f"{shipped.version}, ")


@pytest.mark.parametrize("value", ["a" * 17, "ä", "a\\b", "a\nb"])
def test_codes_of_any_name_are_codes(value):
    code, other = coding.own(value, value), coding.own(value + "x", value)
    assert len(code.value) == 16 and code.value.isalnum() and code.value != other.value
    assert "\\" not in code.meaning and "\n" not in code.meaning
