"""Bombs, lies about sizes and frames: refused before anything is inflated or decoded."""

import importlib.util
import struct
import sys
import zlib

import numpy as np
import pytest
from imaging_files import GRAY, dicom_bytes, png_bytes, replace_syntax

from segtumor.errors import BadImageError, InstallationError
from segtumor.imaging import read_radiograph, read_size_hw
from segtumor.imaging.dicom import streams
from segtumor.imaging.dicom.frames import decoders

pytest.importorskip("pydicom")
from dicom_codecs import UIDS, codestream, compressed_dicom_bytes

EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
PICTURE = np.kron(GRAY, np.ones((8, 8), np.uint8))
PRIVATE = struct.pack("<HH2sHI", 0x0009, 0x1010, b"OB", 0, 800_000_000)


def read(folder, data, **options):
    path = folder / "picture.dcm"
    path.write_bytes(data)
    return read_radiograph(path, **options)


def data_set_start(data):
    """Where the file meta group ends."""
    return 132 + 12 + struct.unpack_from("<I", data, 140)[0]


def deflated_bomb(extra, megabytes):
    """A deflated file with ``extra`` and then zeros in front of its data set."""
    plain = dicom_bytes(PICTURE)
    start, packer = data_set_start(plain), zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(1_000_000)
    body = packer.compress(extra) + b"".join(packer.compress(zeros) for _ in range(megabytes))
    body += packer.compress(plain[start:]) + packer.flush()
    head = replace_syntax(plain, DEFLATED)
    return head[: data_set_start(head)] + body


def test_a_deflated_bomb_is_refused_without_inflating_it(tmp_path, monkeypatch):
    data = deflated_bomb(PRIVATE, 40)
    monkeypatch.setattr(streams, "HEADER_BYTES", 10_000_000)
    assert len(data) < 300_000
    with pytest.raises(BadImageError, match="larger than its picture can need"):
        read(tmp_path, data)
    with pytest.raises(BadImageError, match="larger than its picture can need"):
        read_size_hw(tmp_path / "picture.dcm")


def test_inflating_stops_at_the_limit(tmp_path):
    path = tmp_path / "zeros"
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(packer.compress(bytes(3_000_000)) + packer.flush())
    with open(path, "rb") as file:
        inflated = streams.InflatedFile(file, path, limit=1_000_000)
        assert inflated.read(500_000) == bytes(500_000)
        with pytest.raises(BadImageError, match="at most 1 MB"):
            inflated.read(2_400_000)
        assert len(inflated._data) < 1_600_000
        inflated.allow(2_900_000)
        assert len(inflated.read(2_400_000)) == 2_400_000


def test_an_endless_row_of_empty_elements_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_MOST_READS", 1000)
    plain = dicom_bytes()
    start = data_set_start(plain)
    with pytest.raises(BadImageError, match="damaged"):
        read(tmp_path, plain[:start] + bytes(20_000) + plain[start:])


@pytest.mark.parametrize("depth", [30, 300, 20_000])
def test_nested_sequences_end_quickly(depth, tmp_path):
    sequence = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF)
    nested = (sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth
    nested += struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0) * depth
    plain = dicom_bytes()
    data = plain.replace(
        struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"), nested + struct.pack("<HH2s", 0x7FE0, 0x10, b"OB")
    )
    assert len(data) > len(plain)
    if depth == 30:
        assert read(tmp_path, data).size_hw == GRAY.shape
    else:
        with pytest.raises(BadImageError, match="damaged"):
            read(tmp_path, data)


def test_a_huge_length_is_not_believed(tmp_path):
    tag = struct.pack("<HH2s", 0x0028, 0x1052, b"UT") + struct.pack("<HI", 0, 0xFFFFFFF0)
    data = dicom_bytes()
    data = data.replace(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"), tag + struct.pack("<HH2s", 0x7FE0, 0x10, b"OB"))
    with pytest.raises(BadImageError):
        read(tmp_path, data)


def sized(data, codec, height, width):
    """A codestream that claims another size."""
    if codec.startswith("JPEG 2000"):
        return (
            data[:8] + struct.pack(">II", width, height) + data[16:24] + struct.pack(">II", width, height) + data[32:]
        )
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC3, 0xF7))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


@pytest.mark.parametrize("codec", [codec for codec in UIDS if codec != "RLE"])
def test_a_codestream_of_another_size_never_reaches_a_decoder(codec, tmp_path, monkeypatch):
    def explode(*arguments, **options):
        raise AssertionError("decoded")

    frame = sized(codestream(PICTURE, codec), codec, 60_000, 60_000)
    monkeypatch.setattr(decoders, "_gdcm_samples", explode)
    monkeypatch.setattr(decoders, "_decode_j2k", explode)
    monkeypatch.setattr(decoders, "_decode_jpeg", explode)
    with pytest.raises(BadImageError, match="60000 x 60000"):
        read(tmp_path, dicom_bytes(PICTURE, syntax=UIDS[codec], fragments=[frame]))


RLE = codestream(PICTURE, "RLE")
CONTRADICTIONS = {
    "another codec": (dict(syntax=UIDS["JPEG 2000"], fragments=[codestream(PICTURE, "JPEG-LS")]), "not JPEG 2000"),
    "more segments": (dict(syntax=UIDS["RLE"], fragments=[struct.pack("<I", 9) + RLE[4:]]), "RLE segments"),
    "segment outside": (
        dict(syntax=UIDS["RLE"], fragments=[RLE[:4] + struct.pack("<I", 10**6) + RLE[8:]]), "contradict"
    ),
    "more bits": (
        dict(syntax=UIDS["JPEG 2000"], fragments=[codestream(PICTURE.astype(np.uint16) * 9, "JPEG 2000")]), "bit depth"
    ),
    "12-bit JPEG": (
        dict(
            syntax="1.2.840.10008.1.2.4.51",
            fragments=[codestream(PICTURE, "JPEG baseline").replace(b"\xff\xc0\0\x0b\x08", b"\xff\xc1\0\x0b\x0c")],
            BitsAllocated=16, BitsStored=12, HighBit=11,
        ),
        "lossy JPEG of more than 8 bits",
    ),
    "no frame": (dict(syntax=UIDS["JPEG-LS"], fragments=[b"\0\0"]), "not JPEG-LS"),
    "far too long": (dict(syntax=UIDS["RLE"], fragments=[RLE + bytes(2_000_000)]), "larger than its picture"),
    "not in fragments": (dict(syntax=EXPLICIT), "not in fragments"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_frames_that_contradict_the_header_are_refused(case, tmp_path):
    options, word = CONTRADICTIONS[case]
    data = dicom_bytes(PICTURE, **options)
    if case == "not in fragments":
        data = replace_syntax(data, UIDS["RLE"])
    with pytest.raises(BadImageError, match=word):
        read(tmp_path, data)


@pytest.mark.parametrize("codec", ["JPEG lossless SV1", "JPEG-LS", "JPEG baseline", "JPEG 2000", "RLE"])
def test_a_frame_that_is_cut_off_is_refused(codec, tmp_path):
    noise = np.random.default_rng(5).integers(0, 256, (40, 40)).astype(np.uint8)
    frame = codestream(noise, codec)
    with pytest.raises(BadImageError, match="damaged"):
        read(tmp_path, dicom_bytes(noise, syntax=UIDS[codec], fragments=[frame[: len(frame) * 3 // 4]]))


@pytest.mark.parametrize("program", ["import os\nos.abort()", "import time\ntime.sleep(60)", "print('few bytes')"])
def test_a_decoder_that_crashes_or_hangs_ends_alone(program, tmp_path, monkeypatch):
    worker = tmp_path / "worker.py"
    worker.write_text(f"print('+', end='', flush=True)\n{program}")
    monkeypatch.setattr(decoders, "_WORKER", worker)
    monkeypatch.setattr(decoders, "_WALL_S", -2.8)  # and 3 s of processor time
    with pytest.raises(BadImageError, match="damaged"):
        read(tmp_path, compressed_dicom_bytes(PICTURE, "JPEG-LS"))


@pytest.mark.parametrize(
    ("codec", "module", "package"),
    [
        ("JPEG 2000", "openjpeg", "pylibjpeg-openjpeg"),
        ("JPEG-LS", "gdcm", "python-gdcm"),
    ],
)
def test_a_missing_decoder_is_named_with_its_remedy(codec, module, package, tmp_path, monkeypatch):
    data = compressed_dicom_bytes(PICTURE, codec)
    monkeypatch.setitem(sys.modules, module, None)
    assert importlib.util.find_spec(module) is None
    with pytest.raises(InstallationError, match=f"pip install {package}"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("codec", "module", "content"),
    [
        ("JPEG-LS", "gdcm", "raise ImportError('libgdcmMSFF.so.3: cannot open shared object file')"),
        ("JPEG lossless SV1", "gdcm", "import os\nos.abort()"),
        ("JPEG-LS", "gdcm", "def ("),
        ("JPEG 2000", "openjpeg", "raise OSError('libopenjp2.so: cannot open shared object file')"),
        ("JPEG 2000", "openjpeg", "import none_such_package"),
    ],
)
def test_a_broken_decoder_is_not_a_damaged_file(codec, module, content, tmp_path, monkeypatch):
    data = compressed_dicom_bytes(PICTURE, codec)
    (tmp_path / f"{module}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(InstallationError, match=r"cannot be (used|imported) \(got|none_such_package is not installed"):
        read(tmp_path, data)


def test_several_frames_need_a_choice(tmp_path):
    data = dicom_bytes(NumberOfFrames=3, PixelData=GRAY.tobytes() * 3)
    with pytest.raises(BadImageError, match=r"several frames.*got 3.*from 0 to 2"):
        read(tmp_path, data)
    for frame in (-1, 3, 1.0, True, "1"):
        with pytest.raises(BadImageError, match=r"no such frame.*0 to 2"):
            read(tmp_path, data, frame=frame)
    assert read_size_hw(tmp_path / "picture.dcm") == GRAY.shape


def test_one_frame_may_be_chosen_too(tmp_path):
    assert read(tmp_path, dicom_bytes(), frame=0).size_hw == GRAY.shape
    with pytest.raises(BadImageError, match="no such frame"):
        read(tmp_path, dicom_bytes(), frame=1)


def test_other_formats_have_one_frame(tmp_path):
    data = png_bytes(GRAY, 0)
    assert read(tmp_path, data, frame=0).size_hw == GRAY.shape
    with pytest.raises(BadImageError, match=r"one frame.*got frame 1"):
        read(tmp_path, data, frame=1)


def test_frames_in_several_fragments_need_their_offsets(tmp_path):
    frame = RLE + bytes(len(RLE) % 2)
    halves = [frame[:100], frame[100:]] * 2
    without = dicom_bytes(PICTURE, syntax=UIDS["RLE"], NumberOfFrames=2, fragments=halves)
    empty, table = struct.pack("<HHI", 0xFFFE, 0xE000, 0), struct.pack("<HHIII", 0xFFFE, 0xE000, 8, 0, len(frame) + 16)
    at = without.index(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)) + 12
    size = 8 + struct.unpack_from("<I", without, at + 4)[0]
    with pytest.raises(BadImageError, match="cannot be separated"):
        read(tmp_path, without[:at] + empty + without[at + size :], frame=1)
    expected = read(tmp_path, dicom_bytes(PICTURE)).pixels
    np.testing.assert_array_equal(read(tmp_path, without[:at] + table + without[at + size :], frame=1).pixels, expected)


def test_jpeg_2000_may_stand_in_its_boxes(tmp_path):
    frame = codestream(PICTURE, "JPEG 2000 lossless")
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I", 12) + b"ftyp" + b"jp2 "
    boxed = boxes + struct.pack(">I", len(frame) + 8) + b"jp2c" + frame
    data = dicom_bytes(PICTURE, syntax=UIDS["JPEG 2000 lossless"], fragments=[boxed])
    np.testing.assert_array_equal(read(tmp_path, data).pixels, read(tmp_path, dicom_bytes(PICTURE)).pixels)


def test_a_signed_table_start_written_as_unsigned(tmp_path):
    table = {"LUTDescriptor": ("US", [256, 0xFF80, 8]), "LUTData": ("US", list(range(256)))}
    data = dicom_bytes(PICTURE.astype(np.int16) - 128, sequences={"VOILUTSequence": [table]})
    np.testing.assert_allclose(read(tmp_path, data).pixels, PICTURE / 255, atol=1e-6)


def test_padding_does_not_move_the_percentiles(tmp_path):
    padded = np.full((40, 40), 4000, np.uint16)
    padded[10:30, 10:30] = np.linspace(100, 200, 400).reshape(20, 20)
    pixels = read(tmp_path, dicom_bytes(padded, PixelPaddingValue=4000)).pixels
    without = read(tmp_path, dicom_bytes(padded[10:30, 10:30])).pixels
    np.testing.assert_allclose(pixels[10:30, 10:30], without, atol=1e-6)
    assert (pixels[0] == 1).all()
