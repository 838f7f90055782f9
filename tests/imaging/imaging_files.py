"""Small pictures and the files they are stored in, for the tests of imaging."""

import io
import struct
import zlib

import numpy as np

#: (5, 6) uint8, asymmetric under every flip and rotation, from 0 to 255.
GRAY = np.array(
    [
        [0, 10, 20, 30, 40, 50],
        [60, 70, 80, 90, 100, 110],
        [120, 130, 140, 150, 160, 170],
        [180, 190, 200, 210, 220, 230],
        [15, 25, 35, 245, 250, 255],
    ],
    dtype=np.uint8,
)


def png_bytes(samples, color_type, *, after_pixels=b"", before_pixels=b"", size_wh=None):
    """A PNG file of (H, W) or (H, W, C) unsigned samples; needed for what Pillow cannot write."""
    height, width = samples.shape[:2]
    bits = samples.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(samples.dtype.newbyteorder(">")).tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", *(size_wh or (width, height)), bits, color_type, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + before_pixels
        + pixels
        + after_pixels
        + png_chunk(b"IEND", b"")
    )


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff_bytes(samples, photometric, *, order="<", sample_format=1, orientation=1):
    """An uncompressed TIFF file of (H, W) or (H, W, C) samples."""
    samples = samples.astype(samples.dtype.newbyteorder(order))
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    bits = (samples.dtype.itemsize * 8,) * channels
    entries = 11
    extra_at = 8 + 2 + 12 * entries + 4
    data_at = extra_at + 8
    tags = [
        (256, "I", (width,)),
        (257, "I", (height,)),
        (258, "H", bits),
        (259, "H", (1,)),
        (262, "H", (photometric,)),
        (273, "I", (data_at,)),
        (274, "H", (orientation,)),
        (277, "H", (channels,)),
        (278, "I", (height,)),
        (279, "I", (samples.nbytes,)),
        (339, "H", (sample_format,)),
    ]
    extra, directory = b"", struct.pack(order + "H", entries)
    for tag, code, values in tags:
        packed = struct.pack(order + code * len(values), *values)
        if len(packed) > 4:
            extra, packed = packed, struct.pack(order + "I", extra_at)
        directory += struct.pack(order + "HHI", tag, {"H": 3, "I": 4}[code], len(values)) + packed.ljust(4, b"\0")
    magic = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return magic + struct.pack(order + "I", 8) + directory + bytes(4) + extra.ljust(8, b"\0") + samples.tobytes()


def dicom_bytes(stored=GRAY, *, syntax="1.2.840.10008.1.2.1", sequences=None, fragments=None, **elements):
    """A DICOM file of (H, W) or (H, W, 3) samples; ``elements`` replace or, if None, remove elements.

    Needs pydicom. ``sequences``: keyword -> list of dicts of elements. ``fragments``: list of codestreams, one a frame,
    in place of the samples.
    """
    from pydicom.config import disable_value_validation
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, ComputedRadiographyImageStorage

    stored = np.asarray(stored)
    big = syntax == "1.2.840.10008.1.2.2"
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    bits = stored.dtype.itemsize * 8
    values = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": "1.2.3",
        "PatientName": "Secret^Patient",
        "PatientID": "SECRET",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "SamplesPerPixel": 1 if stored.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if stored.ndim == 2 else "RGB",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
    }
    if stored.ndim == 3:
        values["PlanarConfiguration"] = 0
    with disable_value_validation():
        for keyword, value in (values | elements).items():
            if value is not None:
                setattr(dataset, keyword, value)
    for keyword, items in (sequences or {}).items():
        setattr(dataset, keyword, [_item(item) for item in items])
    if fragments is not None:
        dataset.add_new("PixelData", "OB", encapsulate(fragments))
        dataset["PixelData"].is_undefined_length = True
    elif "PixelData" not in elements:
        data = stored.astype(stored.dtype.newbyteorder(">" if big else "<")).tobytes()
        dataset.add_new("PixelData", "OW" if bits > 8 else "OB", data + bytes(len(data) % 2))
    buffer = io.BytesIO()
    with disable_value_validation():
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _item(elements):
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in elements.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            setattr(item, keyword, [_item(inner) for inner in value])
        elif isinstance(value, tuple):
            item.add_new(keyword, *value)
        else:
            setattr(item, keyword, value)
    return item


def replace_syntax(data, syntax):
    """The same file with another TransferSyntaxUID in its meta group; the data set is left as it is."""
    old, new = _uid("1.2.840.10008.1.2.1"), _uid(syntax)
    start = data.index(old) - 2
    length_at = 132 + 8  # value of (0002,0000), the length of the meta group
    group_length = struct.unpack_from("<I", data, length_at)[0] + len(new) - len(old)
    data = data[:start] + struct.pack("<H", len(new)) + new + data[start + 2 + len(old) :]
    return data[:length_at] + struct.pack("<I", group_length) + data[length_at + 4 :]


def _uid(syntax):
    return syntax.encode() + b"\0" * (len(syntax) % 2)
