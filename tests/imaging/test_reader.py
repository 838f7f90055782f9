"""What can be wrong with a file, what it is called, and what importing the room costs."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from imaging_files import GRAY, png_bytes, png_chunk, tiff_bytes
from PIL import Image, ImageFile

from segtumor.errors import BadImageError, DataError
from segtumor.imaging import SUPPORTED_SUFFIXES, list_images, read_radiograph, read_size_hw
from segtumor.imaging.radiograph import TooLargeError

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
BOMB_WH = (20_000, 20_000)


def encoded(file_format, **options):
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, file_format, **options)
    return buffer.getvalue()


def patched(data, offset, code, *values):
    return data[:offset] + struct.pack(code, *values) + data[offset + struct.calcsize(code) :]


def jpeg_of_size(width, height):
    data = encoded("JPEG")
    return patched(data, data.index(b"\xff\xc0") + 5, ">HH", height, width)


def tiff_of_size(width, height):
    return patched(patched(tiff_bytes(GRAY, 1), 18, "<I", width), 30, "<I", height)


OF_SIZE = {
    "PNG": lambda width, height: png_bytes(GRAY, 0, size_wh=(width, height)),
    "JPEG": jpeg_of_size,
    "TIFF": tiff_of_size,
    "BMP": lambda width, height: patched(encoded("BMP"), 18, "<ii", width, height),
}

# name of the file: (its bytes, a word of the message)
REFUSED = {
    "text.png": (b"not a picture at all\n" * 20, "not an image"),
    "short.jpg": (b"\xff", "not an image"),
    "empty.png": (b"", "empty"),
    "web.png": (b"<!DOCTYPE html><html></html>", "not an image"),
    "picture.gif": (b"GIF89a" + bytes(100), "not an image"),
    "text.dcm": (b"not a picture at all\n" * 20, "no DICOM header"),
    "magic.png": (b"\x89PNG\r\n\x1a\n", "PNG"),
    "magic.jpg": (b"\xff\xd8\xff", "JPEG"),
    "magic.tif": (b"II*\x00", "TIFF"),
    "magic.bmp": (b"BM", "BMP"),
    "half.png": (encoded("PNG")[:2000], "truncated"),
    "no_end.png": (encoded("PNG")[:-12], "truncated"),
    "half.jpg": (encoded("JPEG")[:2000], "truncated"),
    "half_progressive.jpg": (encoded("JPEG", progressive=True)[:2000], "truncated"),
    "half.tif": (tiff_bytes(NOISE, 1)[:2000], "truncated"),
    "half_deflate.tif": (encoded("TIFF", compression="tiff_adobe_deflate")[:2000], "TIFF"),
    "half.bmp": (encoded("BMP")[:3000], "truncated"),
    "checksum.png": (
        png_bytes(GRAY, 0).replace(b"IDAT", b"IDAT", 1)[:-16] + bytes(4) + png_chunk(b"IEND", b""),
        "checksum",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_fake_or_truncated_file_is_refused(name, tmp_path):
    data, word = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadImageError, match=word) as caught:
        read_radiograph(tmp_path / name)
    assert name in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("read", [read_radiograph, read_size_hw])
@pytest.mark.parametrize(
    ("name", "word"),
    [("missing.png", "no such file"), ("", "folder"), ("a\0b.png", "no such file"), ("x" * 300, "no such file")],
)
def test_no_file_at_all_is_refused(read, name, word, tmp_path):
    with pytest.raises(BadImageError, match=word):
        read(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX systems")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadImageError, match="ordinary"):
        read_radiograph(tmp_path / "pipe.png")


@pytest.mark.parametrize("file_format", OF_SIZE)
def test_the_limit_is_read_from_the_header(file_format, tmp_path, recwarn):
    path = tmp_path / "bomb"
    path.write_bytes(OF_SIZE[file_format](*BOMB_WH))
    with pytest.raises(BadImageError, match=r"20000 x 20000 px, 400.0 megapixels; expected at most 64 megapixels"):
        read_radiograph(path)
    assert read_size_hw(path) == (20_000, 20_000)
    assert not recwarn.list  # Pillow's own limits warn at 89 and stop at 179 megapixels


@pytest.mark.parametrize("file_format", OF_SIZE)
@pytest.mark.parametrize("size_wh", [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(file_format, size_wh, tmp_path):
    path = tmp_path / "nothing"
    path.write_bytes(OF_SIZE[file_format](*size_wh))
    for read in (read_radiograph, read_size_hw):
        with pytest.raises(BadImageError):
            read(path)


def test_the_limit_can_be_set(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(GRAY, 0))
    assert read_radiograph(path, max_pixels=30).size_hw == (5, 6)
    with pytest.raises(BadImageError, match="too large"):
        read_radiograph(path, max_pixels=29)


#: Samples of 8 bytes a pixel count twice, those of up to 4 once.
SAMPLES = {
    "png gray": (png_bytes(GRAY, 0), 30),
    "png gray 16 bit": (png_bytes(GRAY.astype(np.uint16), 0), 30),
    "png rgba": (png_bytes(np.stack([GRAY] * 4, -1), 6), 30),
    "png gray alpha 16 bit": (png_bytes(np.stack([GRAY.astype(np.uint16)] * 2, -1), 4), 30),
    "png rgb 16 bit": (png_bytes(np.stack([GRAY.astype(np.uint16)] * 3, -1), 2), 45),
    "png rgba 16 bit": (png_bytes(np.stack([GRAY.astype(np.uint16)] * 4, -1), 6), 60),
    "tiff rgb 16 bit": (tiff_bytes(np.stack([GRAY.astype(np.uint16)] * 3, -1), 2), 45),
    "tiff float": (tiff_bytes(GRAY / np.float32(255), 1, sample_format=3), 30),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_the_limit_counts_the_bytes_of_the_samples(case, tmp_path):
    data, needed = SAMPLES[case]
    (tmp_path / "picture").write_bytes(data)
    assert read_radiograph(tmp_path / "picture", max_pixels=needed).size_hw == GRAY.shape
    with pytest.raises(TooLargeError, match=f"raise max_pixels to {needed} ") as caught:
        read_radiograph(tmp_path / "picture", max_pixels=needed - 1)
    assert caught.value.needed_pixels == needed


def with_size(data, file_format, columns, rows):
    """The file with another size in its header, whose checksum is right."""
    if file_format == "PNG":
        header = struct.pack(">II", columns, rows) + data[24:29]
        return data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]
    if file_format == "BMP":
        return patched(data, 18, "<ii", columns, rows)
    at = {tag: data.index(struct.pack("<HH", tag, 4)) for tag in (256, 257)}
    return patched(patched(data, at[256] + 8, "<I", columns), at[257] + 8, "<I", rows)


def entry_heads(tag):
    """What a directory entry of one number begins with, of two bytes or four."""
    return [struct.pack("<HHI", tag, kind, 1) for kind in (3, 4)]


@pytest.mark.parametrize("size", [(63, 64), (64, 63), (40, 64)], ids=str)
def test_more_pixels_in_deflated_strips_are_refused(size, tmp_path):
    data = encoded("TIFF", compression="tiff_adobe_deflate", tiffinfo={278: 16})
    (tmp_path / "a").write_bytes(data)
    np.testing.assert_array_equal(read_radiograph(tmp_path / "a").pixels, NOISE / np.float32(255))
    assert len(Image.open(io.BytesIO(data)).tag_v2[279]) == 4
    for tag, value in ((256, size[0]), (257, size[1])):
        at = next(i for i in range(8, len(data)) if data[i : i + 8] in entry_heads(tag))
        data = data[: at + 8] + struct.pack("<I", value) + data[at + 12 :]
    (tmp_path / "a").write_bytes(data)
    if size == (64, 63):  # the last strip may be as long as the others
        assert read_radiograph(tmp_path / "a").size_hw == (63, 64)
        return
    with pytest.raises(BadImageError, match="more pixels than the header says"):
        read_radiograph(tmp_path / "a")


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("size", [(63, 64), (64, 63), (60, 64), (40, 64), (64, 10), (63, 63)], ids=str)
def test_more_pixels_than_the_header_says_are_refused(file_format, size, tmp_path):
    data = tiff_bytes(NOISE, 1) if file_format == "TIFF" else encoded(file_format)
    (tmp_path / "a").write_bytes(with_size(data, file_format, 64, 64))
    np.testing.assert_array_equal(read_radiograph(tmp_path / "a").pixels, NOISE / np.float32(255))
    (tmp_path / "a").write_bytes(with_size(data, file_format, *size))
    if (file_format, size) == ("BMP", (63, 64)):  # each row is filled up to four bytes: one column is cut, no more
        np.testing.assert_array_equal(read_radiograph(tmp_path / "a").pixels, NOISE[:, :63] / np.float32(255))
        return
    with pytest.raises(BadImageError, match="more pixels than the header says"):
        read_radiograph(tmp_path / "a")


def test_a_huge_tile_of_a_small_tiff_is_refused(tmp_path):
    tags = [
        (256, 6),
        (257, 5),
        (258, 8),
        (259, 1),
        (262, 1),
        (277, 1),
        (322, 60_000),
        (323, 60_000),
        (324, 200),
        (325, 256),
    ]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (tmp_path / "tiles").write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + bytes(2000))
    with pytest.raises(BadImageError, match="large tiles"):
        read_radiograph(tmp_path / "tiles")


def test_pillows_leave_to_fill_truncated_files_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (tmp_path / "half.jpg").write_bytes(encoded("JPEG")[:2000])
    with pytest.raises(BadImageError, match="truncated"):
        read_radiograph(tmp_path / "half.jpg")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_content_decides_and_not_the_name(tmp_path):
    path = tmp_path / "jpeg_called.png"
    path.write_bytes(encoded("JPEG"))
    assert read_radiograph(str(path)).size_hw == read_size_hw(str(path)) == (64, 64)


def test_the_decoders_exception_is_kept_as_cause(tmp_path):
    (tmp_path / "half.bmp").write_bytes(encoded("BMP")[:3000])
    with pytest.raises(BadImageError) as caught:
        read_radiograph(tmp_path / "half.bmp")
    assert isinstance(caught.value.__cause__, OSError)


def test_list_images_sorts_and_leaves_out(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.dcm", "notes.txt", ".hidden.png", "d"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inner.png").touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "b.PNG", "c.dcm"]


def test_a_link_that_leads_nowhere_is_listed_so_that_it_fails_by_name(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "b.png").symlink_to(tmp_path / "folder.png")
    assert list_images(tmp_path) == [tmp_path / "a.png"]


def test_list_images_of_an_empty_folder_and_of_none(tmp_path):
    assert list_images(tmp_path) == []
    with pytest.raises(DataError, match="cannot be listed"):
        list_images(tmp_path / "missing")


def test_suffixes_are_lower_case():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUPPORTED_SUFFIXES)


@pytest.mark.command
def test_importing_the_room_is_light():
    heavy = "{'pydicom', 'pandas', 'scipy', 'matplotlib', 'cv2', 'torch'}"
    command = f"import sys, segtumor.imaging; print(sorted({heavy} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert (output.stdout, output.stderr) == ("[]\n", "")


def test_a_folder_lists_dicom_without_a_suffix_and_says_what_it_leaves_out(tmp_path, caplog):
    caplog.set_level("INFO", "segtumor")
    for name in ("IM0001", "1.2.840.7"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    for name in ("notes.txt", "README", ".hidden.png"):
        (tmp_path / name).write_bytes(bytes(200))
    assert [path.name for path in list_images(tmp_path)] == ["1.2.840.7", "IM0001"]
    assert "2 files are no images by their name, e.g. README" in caplog.text
