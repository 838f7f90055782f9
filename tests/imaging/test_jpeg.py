"""Damage inside JPEG data is refused, in a file, in TIFF and in DICOM; every sound form of JPEG is read as before."""

import io
import struct
import sys

import cv2
import numpy as np
import pytest
from imaging_files import dicom_bytes
from PIL import Image

from segtumor.errors import BadImageError
from segtumor.imaging import jpeg, read_radiograph

RNG = np.random.default_rng(12)
#: (96, 120) uint8, a slope with grain, as a radiograph is.
PICTURE = np.clip(np.add.outer(np.arange(96), np.arange(120)) + RNG.normal(0, 6, (96, 120)), 0, 255).astype(np.uint8)
COLORS = Image.merge("RGB", [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE), Image.fromarray(PICTURE)])


def encoded(picture=PICTURE, file_format="JPEG", **options):
    buffer = io.BytesIO()
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    image.save(buffer, file_format, **({"quality": 95} | options))
    return buffer.getvalue()


def by_opencv(factor):
    flags = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return cv2.imencode(".jpg", np.asarray(COLORS), flags)[1].tobytes()


def read(folder, data, name="picture"):
    (folder / name).write_bytes(data)
    return read_radiograph(folder / name)


def exif():
    tags = Image.Exif()
    tags[274], tags[305] = 1, "a camera"
    return tags


def segment(mark, body):
    return b"\xff" + bytes((mark,)) + struct.pack(">H", len(body) + 2) + body


GRAY = encoded()
FLAT = encoded(np.full((256, 256), 7, np.uint8), optimize=True)  # its coded data is zeros
SOUND = {
    "gray": GRAY,
    "flat with zeros": FLAT,
    "flat": encoded(np.zeros((256, 256), np.uint8)),
    "optimised": encoded(optimize=True),
    "progressive": encoded(progressive=True),
    "colour": encoded(COLORS),
    "colour 4:4:4": encoded(COLORS, subsampling=0),
    "colour 4:2:2": encoded(COLORS, subsampling=1),
    "colour 4:1:1": by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "colour 4:4:0": by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "progressive colour": encoded(COLORS, progressive=True),
    "red, green, blue as they are": encoded(COLORS, keep_rgb=True),
    "CMYK": encoded(COLORS.convert("CMYK")),
    "progressive CMYK": encoded(COLORS.convert("CMYK"), progressive=True),
    "restart marks": encoded(restart_marker_blocks=3),
    "restart marks, colour": encoded(COLORS, restart_marker_rows=1),
    "zeros behind the end": GRAY + bytes(5000),
    "another picture behind the end": GRAY + encoded(COLORS),
    "a film behind the end": GRAY + RNG.bytes(3000),
    "fill bytes": GRAY[:2] + b"\xff\xff\xff" + GRAY[2:-2] + b"\xff\xff" + GRAY[-2:],
    "a thumbnail in a segment": GRAY[:2] + segment(0xE1, encoded(progressive=True)) + GRAY[2:],
    "a comment of zeros": GRAY[:2] + segment(0xFE, bytes(900)) + GRAY[2:],
    "EXIF": encoded(exif=exif()),
    "worst quality": encoded(quality=1),
    "best quality": encoded(quality=100),
    "one pixel": encoded(PICTURE[:1, :1]),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_jpeg_is_read_as_pillow_reads_it(case, tmp_path):
    pixels = read(tmp_path, SOUND[case]).pixels
    image = Image.open(io.BytesIO(SOUND[case]))
    if image.mode == "L":
        np.testing.assert_array_equal(pixels, np.asarray(image) / np.float32(255))
    assert pixels.shape == image.size[::-1]


def coded_part(data):
    """(begin, end) of the first scan's coded data."""
    return jpeg.walk_jpeg(data).coded[0]


INJURIES = {
    "zeros": lambda data, at: data[:at] + bytes(200) + data[at + 200 :],
    "missing": lambda data, at: data[:at] + data[at + 200 :],
    "a sector of zeros": lambda data, at: data[:at] + bytes(512) + data[at + 512 :],
    "doubled": lambda data, at: data[:at] + data[at - 300 : at] + data[at:],
}
VICTIMS = ("gray", "optimised", "colour", "restart marks", "CMYK", "colour 4:1:1")


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("injury", INJURIES)
def test_damage_in_the_middle_is_refused_wherever_it_is(victim, injury, tmp_path):
    data = SOUND[victim]
    begin, end = coded_part(data)
    for part in range(1, 8):
        at = begin + (end - begin - 600) * part // 8
        with pytest.raises(BadImageError, match="damaged"):
            read(tmp_path, INJURIES[injury](data, at))


@pytest.mark.parametrize("case", ["progressive", "progressive colour"])
def test_damage_of_a_progressive_file_is_refused(case, tmp_path):
    data = SOUND[case]
    begin, end = coded_part(data)
    middle = (begin + end) // 2
    for damaged in (data[:middle] + data[middle + 60 :], data[:middle] + data[end:], data[: len(data) // 2]):
        with pytest.raises(BadImageError, match="damaged"):
            read(tmp_path, damaged)


REFUSED = {
    "no end mark": (GRAY[:-2], "truncated"),
    "cut in the middle": (GRAY[: len(GRAY) // 2], "truncated"),
    "cut and ended": (GRAY[: len(GRAY) // 2] + b"\xff\xd9", "premature end"),
    "a restart mark is missing": (SOUND["restart marks"].replace(b"\xff\xd3", b"", 1), "damaged JPEG"),
    "restart marks exchanged": (SOUND["restart marks"].replace(b"\xff\xd3", b"\xff\xd6", 1), "damaged JPEG"),
    "bytes between segments": (GRAY[:20] + b"abc" + GRAY[20:], "between its segments"),
    "20,000 empty segments": (GRAY[:2] + segment(0xFE, b"") * 20_000 + GRAY[2:], "too many pieces"),
    "two frame headers": (GRAY[:2] + segment(0xC0, b"\x08\0\x08\0\x08\x01\1\x11\0") + GRAY[2:], "damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case, tmp_path):
    data, word = REFUSED[case]
    with pytest.raises(BadImageError, match=word):
        read(tmp_path, data)


def with_scans(count, size=PICTURE):
    data = encoded(size, progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


def test_scans_are_counted_before_decoding(tmp_path, monkeypatch):
    def explode(*arguments, **options):
        raise AssertionError("decoded")

    many, some = with_scans(2000), with_scans(60)
    monkeypatch.setattr(jpeg, "_decode_strictly", explode)
    monkeypatch.setattr(Image.Image, "load", explode)
    with pytest.raises(BadImageError, match=r"so many scans.*got 2\d\d\d; expected at most 500"):
        read(tmp_path, many)
    monkeypatch.setattr(jpeg, "_MOST_SCANNED_PIXELS", 96 * 120 * 20)
    with pytest.raises(BadImageError, match=r"so many scans.*got \d\d; expected at most 20"):
        read(tmp_path, some)


def test_scans_of_a_part_of_a_tiff_and_of_a_dicom_frame_are_counted(tmp_path):
    with pytest.raises(BadImageError, match=r"so many scans.*got 2\d\d\d; expected at most 500"):
        read(tmp_path, tiff_of(with_scans(2000)))
    pytest.importorskip("pydicom")
    baseline = SOUND["colour 4:4:4"]
    scan = jpeg.walk_jpeg(baseline).coded[0][0] - 14
    data = dicom_bytes(
        np.asarray(COLORS), syntax="1.2.840.10008.1.2.4.50", PhotometricInterpretation="YBR_FULL",
        fragments=[baseline[:-2] + baseline[scan:-2] * 600 + b"\xff\xd9"],
    )  # fmt: skip
    with pytest.raises(BadImageError):
        read(tmp_path, data)


def tiff_of(stream, height=96, width=120):
    """A TIFF file of one strip of JPEG."""
    tags = [(256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 7), (262, 3, 1), (273, 4, 0), (277, 3, 1)]
    tags += [(278, 3, height), (279, 4, len(stream))]
    at = 8 + 2 + 12 * len(tags) + 4
    directory = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", at if tag == 273 else value) for tag, kind, value in tags
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + stream


@pytest.mark.parametrize("picture", [PICTURE, COLORS], ids=["gray", "colour"])
def test_jpeg_in_tiff(picture, tmp_path):
    data = encoded(picture, "TIFF", compression="jpeg")
    sound = read(tmp_path, data).pixels
    np.testing.assert_allclose(sound, np.asarray(Image.open(io.BytesIO(data)).convert("L")) / 255, atol=2 / 255)
    at = data.rindex(b"\xff\xda") + 900
    for damaged in (data[:at] + bytes(200) + data[at + 200 :], data[:at] + b"\xff\xd9" + data[at + 2 :]):
        with pytest.raises(BadImageError, match="damaged"):
            read(tmp_path, damaged)


def test_lossy_jpeg_in_dicom(tmp_path):
    pytest.importorskip("pydicom")
    syntax = "1.2.840.10008.1.2.4.50"
    sound = read(tmp_path, dicom_bytes(PICTURE, syntax=syntax, fragments=[GRAY + b"\xff" * (len(GRAY) % 2)]))
    assert sound.size_hw == PICTURE.shape
    begin, end = coded_part(GRAY)
    for part in range(1, 6):
        frame = INJURIES["zeros"](GRAY, begin + (end - begin - 300) * part // 6)
        with pytest.raises(BadImageError, match="damaged"):
            read(tmp_path, dicom_bytes(PICTURE, syntax=syntax, fragments=[frame]))


def test_without_simplejpeg_the_rest_is_checked_and_a_warning_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert read(tmp_path, GRAY).size_hw == PICTURE.shape
    assert "pip install simplejpeg" in caplog.text
    begin, end = coded_part(GRAY)
    with pytest.raises(BadImageError, match="zeros"):
        read(tmp_path, INJURIES["zeros"](GRAY, (begin + end) // 2))
