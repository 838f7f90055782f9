import pytest
from PIL import Image

from segtumor.annotations.remarks import LeftOutError
from segtumor.errors import DataError
from segtumor.formats.sources.image_folder import (
    OTHER_FOLDER,
    OTHER_SUFFIX,
    UNNAMED_FOLDER,
    ImageFolder,
    usual_image_root,
)

SUFFIX, FOLDER = OTHER_SUFFIX, OTHER_FOLDER


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    for name in ("a.png", "one/b.png", "two/b.png", "two/c.PNG", ".hidden/d.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4)).save(root / name, "PNG")
    Image.new("L", (6, 4)).save(tmp_path / "secret.png")
    (root / "notes.txt").write_text("no image")
    return ImageFolder(root)


def _find(images, name):
    found = images.find(name)
    return found.file_name, found.unusual


def test_images_of_all_subfolders_by_name(folder):
    assert folder.names == ["a.png", "one/b.png", "two/b.png", "two/c.PNG"]
    assert folder.size_hw("two/c.PNG") == (4, 6)


@pytest.mark.parametrize(
    ("name", "found", "unusual"),
    [
        ("a.png", "a.png", ""),
        ("two/b.png", "two/b.png", ""),
        (r"C:\data\one\b.png", "one/b.png", ""),
        ("../other/two/b.png", "two/b.png", ""),
        ("A.PNG", "a.png", ""),
        ("c.png", "two/c.PNG", UNNAMED_FOLDER),
        ("two./c.png ", "two/c.PNG", ""),
        ("C:\\export\\c.png", None, "image listed but not in the folder"),
        ("elsewhere/a.png", "a.png", FOLDER),
        ("root/a.png", "a.png", ""),
        ("images/a.png", "a.png", ""),
        ("Two/%63.png", "two/c.PNG", ""),
        ("a.jpg", "a.png", SUFFIX),
        ("/abs/elsewhere/a", "a.png", f"{FOLDER}, with another file name suffix"),
    ],
)
def test_names_of_other_computers_find_their_image(folder, name, found, unusual):
    if found is not None:
        assert _find(folder, name) == (found, unusual)
        return
    with pytest.raises(LeftOutError) as caught:
        folder.find(name)
    assert caught.value.kind == unusual


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../secret.png", "image listed but not in the folder"),
        ("notes.txt", "image listed but not in the folder"),
        ("d.png", "image listed but not in the folder"),
        ("", "image listed but not in the folder"),
        ("b.png", "several images of that name"),
        ("three/b.png", "image listed but not in the folder"),
        ("x/three/a.jpg/b.png", "image listed but not in the folder"),
    ],
)
def test_names_that_lead_nowhere_or_out(folder, name, kind):
    with pytest.raises(LeftOutError) as caught:
        folder.find(name)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("name", "found"),
    [("1.2.840.3", None), ("1.2.840.2.png", "1.2.840.2"), ("hip.right.png", None), ("hip.left.jpg", "hip.left.png")],
)
def test_the_last_number_or_word_of_a_name_is_no_suffix(name, found):
    images = ImageFolder("x", ["1.2.840.2", "hip.left.png"])
    if found is not None:
        assert _find(images, name) == (found, SUFFIX)
        return
    with pytest.raises(LeftOutError, match="not in the folder"):
        images.find(name)


@pytest.mark.parametrize(
    ("first", "second", "disagree"),
    [
        ("patient1/a.png", "patient2/a.png", True),
        ("a.png", "patient2/a.png", True),
        ("patient1/a.jpg", "patient1/a.png", True),
        ("s1/patient1/a.png", "s2/patient1/a.png", True),
        ("images/a.png", "a.png", False),
        (r"C:\patient1\a.png", "patient1/A.PNG", False),
    ],
)
def test_names_that_cannot_mean_one_file(first, second, disagree):
    images = ImageFolder("x", ["a.png"])
    for name in (first, second, second):
        images.find(name)
    assert images.contested() == ({"a.png": [first, second]} if disagree else {})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("/home/me/scans/a.png", "a.png"),
        ("D:\\me\\Scans\\a.png", "a.png"),
        ("scans/a", "a.png"),
        ("/home/me/scans/p2/a.png", "p2/a.png"),
        ("/home/me/other/a.png", None),
    ],
)
def test_a_path_that_ends_in_the_root_means_the_image_directly_in_it(name, found):
    images = ImageFolder("scans", ["a.png", "p1/a.png", "p2/a.png"])
    if found is None:
        with pytest.raises(LeftOutError, match="several images"):
            images.find(name)
    else:
        assert _find(images, name) == (found, OTHER_SUFFIX if name.endswith("/a") else "")


def test_links_that_leave_the_root_are_not_seen(tmp_path, folder):
    (folder.root / "link.png").symlink_to(tmp_path / "secret.png")
    (folder.root / "inside.png").symlink_to(folder.root / "a.png")
    (folder.root / "up").symlink_to(tmp_path, target_is_directory=True)
    assert set(ImageFolder(folder.root).names) - set(folder.names) == {"inside.png"}


def test_a_damaged_image_has_no_size(folder):
    (folder.root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(LeftOutError) as caught:
        folder.size_hw("a.png")
    assert caught.value.kind == "image cannot be read"


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"is not a folder.*--images"):
        ImageFolder(tmp_path / "none")


@pytest.mark.parametrize(
    ("source", "expected"), [("set", "set/images"), ("set/all.json", "set/images"), ("set/xml", "set/images"), ("", "")]
)
def test_where_images_usually_are(tmp_path, source, expected):
    for name in ("set/images", "set/xml"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "set/all.json").write_text("{}")
    assert usual_image_root(tmp_path / source) == tmp_path / expected
