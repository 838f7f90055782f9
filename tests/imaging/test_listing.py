"""What of a folder is an image: by name, or DICOM by its first bytes; and DICOM without its preamble or a picture."""

import os
import struct

import numpy as np
import pytest
from imaging_files import GRAY, dicom_bytes, png_bytes

from segtumor.errors import BadImageError
from segtumor.files import open_ordinary
from segtumor.imaging import list_images, read_radiograph, read_size_hw
from segtumor.imaging.listing import is_dicom, look_through, why_no_image

pytest.importorskip("pydicom")

SYNTAXES = {"implicit": "1.2.840.10008.1.2", "explicit": "1.2.840.10008.1.2.1", "big endian": "1.2.840.10008.1.2.2"}
STORED = np.kron(GRAY, np.ones((8, 8), np.uint8))
NO_IMAGE = "no image by its name or first bytes"


def without_meta(data):
    """The data set alone, as older archives keep it."""
    return data[132 + 12 + struct.unpack_from("<I", data, 140)[0] :]


def of_class(uid):
    data = dicom_bytes(SOPClassUID=uid)
    old = b"1.2.840.10008.5.1.4.1.1.1\0"  # in the meta group, too
    return data.replace(struct.pack("<H", len(old)) + old, struct.pack("<H", len(old)) + uid.encode().ljust(26, b"\0"))


@pytest.mark.parametrize(
    "name", ["a.IMA", "b.ima", "c.dcm30", "d.img", "IM0001", "1.2.840.113.7", "e.dcm.bak", "f.txt", "g"]
)
def test_dicom_is_found_by_its_mark_whatever_it_is_called(name, tmp_path):
    (tmp_path / name).write_bytes(dicom_bytes(STORED))
    assert list_images(tmp_path) == [tmp_path / name]
    assert read_size_hw(tmp_path / name) == STORED.shape


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", ["IM1", "a.ima", "a.dcm"])
@pytest.mark.parametrize("start", [0, 132, None])
def test_dicom_without_preamble_or_meta_group_is_the_same_picture(syntax, name, start, tmp_path):
    whole = dicom_bytes(STORED.astype(np.uint16), syntax=SYNTAXES[syntax], PixelSpacing=[0.1, 0.2])
    (tmp_path / "whole.dcm").write_bytes(whole)
    expected = read_radiograph(tmp_path / "whole.dcm")
    (tmp_path / "whole.dcm").unlink()
    bare = without_meta(whole)
    (tmp_path / name).write_bytes(whole[:132] + bare if start is None else whole[start:] if start else bare)
    assert list_images(tmp_path) == [tmp_path / name]
    found = read_radiograph(tmp_path / name)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.spacing_mm == (0.1, 0.2)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", False),
        (b"DICM", False),
        (bytes(128) + b"DICM", True),
        (bytes(2000), False),
        (b"\x08\x00" + bytes(2000), False),
        (b"\x02\x00\x00\x00UL\x04\x00" + bytes(2000), False),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100" + b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100" * 9, False),
        (b"%PDF-1.7" + bytes(2000), False),
        (np.random.default_rng(3).bytes(4000), False),
    ],
)
def test_what_begins_as_dicom(head, expected, tmp_path):
    (tmp_path / "file").write_bytes(head)
    assert is_dicom(tmp_path / "file") is expected


@pytest.mark.parametrize(
    ("uid", "what"),
    [
        ("1.2.840.10008.1.3.10", "directory"),
        ("1.2.840.10008.5.1.4.1.1.88.22"[:26], "structured report"),
        ("1.2.840.10008.5.1.4.1.1.11", "presentation state"),
        ("1.2.840.10008.5.1.4.1.1.9", "waveform"),
    ],
)
@pytest.mark.parametrize("meta", [True, False])
def test_dicom_without_a_picture_is_named_for_what_it_is(uid, what, meta, tmp_path):
    data = of_class(uid)
    (tmp_path / "DICOMDIR").write_bytes(data if meta else without_meta(data))
    images, left_out = look_through(tmp_path)
    assert images == []
    assert what in left_out[0].reason
    for read in (read_radiograph, read_size_hw):
        with pytest.raises(BadImageError, match=f"without a picture.*{what}"):
            read(tmp_path / "DICOMDIR")


def test_what_is_left_out_is_named_with_its_reason(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "a.PNG").write_bytes(png_bytes(GRAY, 0))
    (tmp_path / "b.jfif").touch()
    (tmp_path / "c.json").write_bytes(b"{}")
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "picture").write_bytes(png_bytes(GRAY, 0))
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    images, left_out = look_through(tmp_path)
    assert [path.name for path in images] == ["a.PNG", "b.jfif", "gone"]
    assert {item.path.name: item.reason for item in left_out} == {
        ".hidden.png": "hidden", "c.json": NO_IMAGE, "picture": NO_IMAGE,
    }  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX systems")
@pytest.mark.parametrize("name", ["a.png", "a.dcm", "IM1"])
def test_a_pipe_is_never_waited_for(name, tmp_path):
    os.mkfifo(tmp_path / name)
    assert why_no_image(tmp_path / name) == "not an ordinary file"
    assert list_images(tmp_path) == []
    assert not is_dicom(tmp_path / name)
    with pytest.raises(OSError, match="ordinary"):
        open_ordinary(tmp_path / name)
    for read in (read_radiograph, read_size_hw):
        with pytest.raises(BadImageError, match="ordinary"):
            read(tmp_path / name)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="devices are of POSIX systems")
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_file(name):
    assert not is_dicom(name)
    with pytest.raises(BadImageError, match="ordinary"):
        read_radiograph(name)


def test_a_socket_is_no_file(tmp_path, monkeypatch):
    import socket

    monkeypatch.chdir(tmp_path)  # names of sockets must be short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("s.png")
        assert why_no_image("s.png") == "not an ordinary file"
        assert not is_dicom("s.png")
        with pytest.raises(BadImageError, match="ordinary"):
            read_radiograph("s.png")
