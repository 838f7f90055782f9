import pytest
from PIL import Image

from segtumor.data.converters.image_folder import ImageFolder, usual_image_root
from segtumor.data.remarks import LeftOutError
from segtumor.errors import DataError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    for name in ("a.png", "one/b.png", "two/b.png", "two/c.PNG", ".hidden/d.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4)).save(root / name, "PNG")
    Image.new("L", (6, 4)).save(tmp_path / "secret.png")
    (root / "notes.txt").write_text("no image")
    return ImageFolder(root)


def test_images_of_all_subfolders_by_name(folder):
    assert folder.names == ["a.png", "one/b.png", "two/b.png", "two/c.PNG"]
    assert folder.size_hw("two/c.PNG") == (4, 6)


@pytest.mark.parametrize(
    ("name", "found", "unusual"),
    [
        ("a.png", "a.png", False),
        ("two/b.png", "two/b.png", False),
        (r"C:\data\one\b.png", "one/b.png", False),
        ("../other/two/b.png", "two/b.png", False),
        ("A.PNG", "a.png", False),
        ("c.png", "two/c.PNG", False),
        ("a.jpg", "a.png", True),
        ("/abs/elsewhere/a", "a.png", True),
    ],
)
def test_names_of_other_computers_find_their_image(folder, name, found, unusual):
    assert folder.find(name) == (found, "found with another file name suffix" if unusual else "")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../secret.png", "image listed but not in the folder"),
        ("notes.txt", "image listed but not in the folder"),
        ("d.png", "image listed but not in the folder"),
        ("", "image listed but not in the folder"),
        ("b.png", "several images of that name"),
        ("three/b.png", "several images of that name"),
    ],
)
def test_names_that_lead_nowhere_or_out(folder, name, kind):
    with pytest.raises(LeftOutError) as caught:
        folder.find(name)
    assert caught.value.kind == kind


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
