"""The overlay as a Secondary Capture (PS3.3 A.8.1): a picture that any viewer shows beside the radiograph.

The notice and what was found are part of the pixels, which BurnedInAnnotation says. The picture is scaled, so that
nothing can be measured on it, and has no spacing. Not here: drawing it (``reporting.pictures.overlay``).
"""

from typing import TYPE_CHECKING, Any

from segtumor import NOTICE
from segtumor.arrays import Array
from segtumor.reporting.dicom.coding import RESEARCH, common, plain
from segtumor.reporting.dicom.source import SourceImage

if TYPE_CHECKING:
    from highdicom.sc import SCImage
    from pydicom.dataset import Dataset

SERIES_NUMBER = 9103
#: For highdicom, which knows no missing orientation; replaced by the source's.
_ANY_ORIENTATION = ("L", "F")
_OF_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def make_capture(source: SourceImage, picture: Array) -> "SCImage":
    """The picture as a highdicom data set to be saved.

    Args:
        picture: (H', W', 3) uint8, RGB, as ``draw_reading`` gives it.
    """
    from highdicom import CoordinateSystemNames, PhotometricInterpretationValues
    from highdicom.sc import ConversionTypeValues, SCImage

    header = source.header
    image = SCImage(
        pixel_array=picture,
        photometric_interpretation=PhotometricInterpretationValues.RGB,
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=_ANY_ORIENTATION,
        study_instance_uid=header.StudyInstanceUID,
        patient_id=header.PatientID,
        patient_birth_date=header.PatientBirthDate,
        patient_sex=header.PatientSex,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        **common("overlay", SERIES_NUMBER),
    )
    image.copy_patient_and_study_information(header)
    image.ConversionType = ConversionTypeValues.WSD.value
    image.BurnedInAnnotation = "YES"
    image.DerivationDescription = plain(f"{RESEARCH}: findings drawn on the radiograph. {NOTICE}", 1024)
    image.ImageComments = f"{RESEARCH}: {NOTICE}"
    sides = ("ImageLaterality",) if "ImageLaterality" in header else ("Laterality",)  # the standard wants one, if empty
    for keyword in (*sides, *(keyword for keyword in _OF_LOSSY if keyword in header)):
        setattr(image, keyword, header.get(keyword))
    about = {"ReferencedSOPClassUID": header.SOPClassUID, "ReferencedSOPInstanceUID": header.SOPInstanceUID}
    image.SourceImageSequence = [
        _item(**about, ReferencedFrameNumber=None if source.frame is None else source.frame + 1)
    ]
    series = _item(SeriesInstanceUID=header.SeriesInstanceUID, ReferencedInstanceSequence=[_item(**about)])
    image.ReferencedSeriesSequence = [series]
    return image


def _item(**elements: Any) -> "Dataset":
    """An item of a sequence, without the elements that are None."""
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in elements.items():
        if value is not None:
            setattr(item, keyword, value)
    return item
