"""Uncompressed single-frame DICOM -> gray in [0, 1] with its spacing, through pydicom.

Order, DICOM PS3.3 C.11: stored values -> modality LUT or rescale -> VOI LUT, else window, else percentiles 0.5 and 99.5
-> inverted once if MONOCHROME1 or PresentationLUTShape INVERSE. Numbers that pydicom leaves unchecked are checked here.
No message quotes the file, whose header holds patient data. Left out, and refused: compressed and deflated transfer
syntaxes, several frames, palette and YBR colour. Left out: functional groups, overlays, padding values.
"""

import logging
import math

import numpy as np

from segtumor.errors import BadImageError, InstallationError
from segtumor.imaging.intensity import linear_window, luma, normalize_window
from segtumor.imaging.radiograph import AT_DETECTOR, CALIBRATED, Radiograph, check_size, is_spacing

_log = logging.getLogger(__name__)

_UNCOMPRESSED = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
}
_INVERTED, _UPRIGHT_GRAY = "MONOCHROME1", "MONOCHROME2"
_REMEDY = "Export it again as uncompressed, single-frame grayscale DICOM or as PNG"


def read_dicom(path, max_pixels):
    """Decode one DICOM file.

    Raises:
        BadImageError: not an uncompressed single grayscale or RGB frame, too large, or numbers that make no sense.
        InstallationError: pydicom is missing.
        Exception: whatever pydicom raises on damaged files; see ``failures.foreign_errors``.
    """
    pydicom = _import_pydicom()
    with pydicom.config.disable_value_validation():  # its warnings quote the header
        _check_transfer_syntax(pydicom, path)
        header = pydicom.dcmread(path, stop_before_pixels=True)
        size_hw = int(header.Rows), int(header.Columns)
        check_size(size_hw, max_pixels, path)
        _check_frame(header, path)
        dataset = pydicom.dcmread(path)
        stored = _stored_values(dataset, size_hw, path)
        pixels = _color_gray(stored) if stored.ndim == 3 else _gray(dataset, stored, path)
        spacing_mm, source = _spacing(dataset, path)
    return Radiograph(pixels, spacing_mm, source, name=path.name, source_dtype=stored.dtype.name)


def dicom_size_hw(path):
    """(height, width) in px, from the header alone; raises as ``read_dicom``."""
    pydicom = _import_pydicom()
    with pydicom.config.disable_value_validation():
        _check_transfer_syntax(pydicom, path)
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        return int(header.Rows), int(header.Columns)


def _import_pydicom():
    try:
        import pydicom
    except ImportError as error:
        raise InstallationError("reading DICOM needs pydicom", remedy="Type: pip install pydicom") from error
    return pydicom


def _check_transfer_syntax(pydicom, path):
    # From the file meta group alone: a deflated file of 1 MB inflates to 1 GB as soon as its data set is opened.
    uid = pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID")
    if uid not in _UNCOMPRESSED:
        known = pydicom.uid.UID_dictionary.get(str(uid))
        raise BadImageError(
            "DICOM in a transfer syntax that is not supported",
            where=path,
            got=known[0] if known else "none or an unknown one",
            expected="one of " + ", ".join(_UNCOMPRESSED.values()),
            remedy=_REMEDY,
        )


def _check_frame(header, path):
    if int(header.get("NumberOfFrames") or 1) != 1:
        raise BadImageError("DICOM with several frames", where=path, got=int(header.NumberOfFrames), remedy=_REMEDY)
    color = header.PhotometricInterpretation, int(header.SamplesPerPixel)
    if color not in ((_INVERTED, 1), (_UPRIGHT_GRAY, 1), ("RGB", 3)):
        expected = "MONOCHROME1, MONOCHROME2 or RGB"
        raise BadImageError("DICOM that is neither gray nor RGB", where=path, expected=expected, remedy=_REMEDY)
    if int(header.BitsAllocated) not in (8, 16, 32):
        raise BadImageError("DICOM sample size", where=path, got=int(header.BitsAllocated), expected="8, 16 or 32 bits")


def _stored_values(dataset, size_hw, path):
    """Samples as stored, native byte order, (H, W) or (H, W, 3); unused high or low bits removed."""
    if "PixelData" not in dataset:
        raise BadImageError("DICOM without pixel data", where=path, remedy="Choose an image of the study")
    from pydicom.pixels import pixel_array

    allocated, used = int(dataset.BitsAllocated), int(dataset.BitsStored)
    high = int(dataset.get("HighBit", used - 1))
    if not 0 < used <= high + 1 <= allocated:
        raise BadImageError("DICOM bit depths contradict each other", where=path, got=f"{used} of {allocated}, {high=}")
    stored = pixel_array(dataset, raw=True, correct_unused_bits=False)  # it takes the low bits whatever HighBit says
    if stored.shape[:2] != size_hw:
        raise BadImageError("DICOM pixels of another size than the header says", where=path)
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    # Up and down again: drops overlay bits above, and keeps the sign of signed samples (PS3.5 8.1.1).
    return (stored << (allocated - 1 - high)) >> (allocated - used)


def _color_gray(stored):
    return luma(stored) / np.float32(np.iinfo(stored.dtype).max)


def _gray(dataset, stored, path):
    """(H, W) stored values -> (H, W) float32 in [0, 1], bright is dense."""
    values = _modality_values(dataset, stored, path)
    pixels = _voi_values(dataset, values, path)
    if pixels is None:
        pixels = normalize_window(values)
    inverted = dataset.PhotometricInterpretation == _INVERTED or dataset.get("PresentationLUTShape") == "INVERSE"
    return 1 - pixels if inverted else pixels


def _modality_values(dataset, stored, path):
    """PS3.3 C.11.1: by table, else slope and intercept, else as stored."""
    if dataset.get("ModalityLUTSequence"):
        return _look_up(dataset.ModalityLUTSequence[0], stored, _is_little_endian(dataset))[0]
    slope, intercept = _number(dataset, "RescaleSlope", path), _number(dataset, "RescaleIntercept", path)
    if slope == 0:
        raise BadImageError("DICOM RescaleSlope cannot be used", where=path, got=0, expected="a number other than 0")
    if slope in (None, 1) and intercept in (None, 0):
        return stored
    with np.errstate(over="ignore"):
        values = stored * np.float64(1 if slope is None else slope) + np.float64(intercept or 0)
    if not np.isfinite(float(values.max()) - float(values.min())):
        raise BadImageError("DICOM rescaling leaves the range of numbers", where=path)
    return values


def _voi_values(dataset, values, path):
    """PS3.3 C.11.2: the first table, else the first window, mapped to [0, 1]; None if there is none of use."""
    if dataset.get("VOILUTSequence"):
        output, highest = _look_up(dataset.VOILUTSequence[0], values, _is_little_endian(dataset))
        pixels = output.astype(np.float32) / np.float32(highest)
    else:
        center, width = _number(dataset, "WindowCenter", path), _number(dataset, "WindowWidth", path)
        if center is None or width is None:
            return None
        pixels = apply_window(values, center, width, _voi_function(dataset, width, path))
    if pixels.min() == pixels.max() and values.min() != values.max():
        _log.warning("%s: the VOI window leaves a blank picture; percentiles are used instead", path)
        return None
    return pixels


def apply_window(values, center, width, function="LINEAR"):
    """The VOI window functions of PS3.3 C.11.2.1.2 and C.11.2.1.3, with output range [0, 1].

    Args:
        values: (H, W) modality values.
        center, width: in units of ``values``; width >= 1 for LINEAR, > 0 for the others.
        function: "LINEAR", "LINEAR_EXACT" or "SIGMOID".

    Returns:
        (H, W) float32 in [0, 1].
    """
    if function == "SIGMOID":  # 1 / (1 + exp(-4 (x - c) / w)), in a form that cannot overflow
        return (0.5 + 0.5 * np.tanh(2 * (values - np.float64(center)) / width)).astype(np.float32)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float32)
    return linear_window(values, center - width / 2, center + width / 2)


def _voi_function(dataset, width, path):
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise BadImageError("DICOM VOILUTFunction", where=path, expected="LINEAR, LINEAR_EXACT or SIGMOID")
    smallest = "at least 1" if function == "LINEAR" else "above 0"
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise BadImageError("DICOM WindowWidth cannot be used", where=path, got=width, expected=smallest)
    return function


def _look_up(item, values, little_endian):
    """Modality or VOI LUT (PS3.3 C.11.1.1, C.11.2.1.1): values below and above take its first and last entry.

    Returns ((H, W) uint16 output, highest possible output).
    pydicom's own function casts the index to the type of the table, which wraps 12-bit values in an 8-bit table.
    """
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = (entries & 0xFFFF) or 0x10000  # 0 stands for 65,536
    data = item.LUTData
    if isinstance(data, bytes):
        packed = bits == 8 and len(data) <= entries + 1
        data = np.frombuffer(data, dtype="u1" if packed else "<u2" if little_endian else ">u2")
    table = np.asarray(data, dtype=np.int64).ravel()[:entries]
    if table.size == 0 or table.min() < 0 or table.max() > 65535 or not 0 < bits <= 16:
        raise ValueError("unusable table")
    index = np.clip(np.rint(values - np.float64(first)), 0, table.size - 1).astype(np.int32)
    return table.astype(np.uint16)[index], max(2**bits - 1, int(table.max()))


def _is_little_endian(dataset):
    return dataset.file_meta.TransferSyntaxUID.is_little_endian


def _number(dataset, keyword, path):
    """First value of an element as a finite float; None if it is absent or empty."""
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, (str, float, int)):
        value = value[0] if len(value) else None
    if value is None or value == "":
        return None
    if not math.isfinite(float(value)):
        raise BadImageError(f"DICOM {keyword} cannot be used", where=path, got=float(value), expected="a finite number")
    return float(value)


def _spacing(dataset, path):
    """(spacing_mm, spacing_source); (None, None) if the file gives none, or, with a warning, none of use.

    PixelSpacing that merely repeats ImagerPixelSpacing is not calibrated, PS3.3 10.7.1.3.
    """
    calibrated, detector = (_spacing_values(dataset, key, path) for key in ("PixelSpacing", "ImagerPixelSpacing"))
    if calibrated and (calibrated != detector or dataset.get("PixelSpacingCalibrationType")):
        return calibrated, CALIBRATED
    return (detector, AT_DETECTOR) if detector else (None, None)


def _spacing_values(dataset, keyword, path):
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return None
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):  # one number, or none at all; pydicom converts on access
        numbers = ()
    if is_spacing(numbers):
        return numbers
    _log.warning("%s: DICOM %s is not two positive numbers and is ignored", path, keyword)
    return None
