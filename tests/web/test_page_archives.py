"""Archives from outside: what is unpacked, and what is refused."""

import io
import stat
import zipfile

import pytest
from pages import picture

from segtumor.errors import DataError
from segtumor.web import archives
from segtumor.web.archives import unpacked


def packed(folder, *members, **options):
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", **options) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return path


def found(path, folder, most_bytes=10**6):
    return {m.name: m.reason or m.path.read_bytes() for m in unpacked(path, folder, most_bytes=most_bytes)}


def linked(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_members_are_unpacked_one_after_the_other_and_removed(tmp_path):
    path = packed(tmp_path, ("a/b.png", picture(0)), ("c.png", b"x"), ("__MACOSX/._c.png", b"y"), (".DS_Store", b"z"))
    place = tmp_path / "place"
    place.mkdir()
    assert found(path, place) == {"a/b.png": picture(0), "c.png": b"x"} and list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../out.png", "leads out"),
        ("/etc/out.png", "leads out"),
        ("a/../../out.png", "leads out"),
        ("..\\out.png", "leads out"),
        ("C:/out.png", "leads out"),
        (linked("link.png"), "link"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(tmp_path, member, reason):
    (told,) = found(packed(tmp_path, (member, b"x")), tmp_path).values()
    assert reason in told and not (tmp_path.parent / "out.png").exists()


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_RATIO_MATTERS_BYTES", 10_000)
    path = packed(tmp_path, ("bomb.png", bytes(10**6)), compression=zipfile.ZIP_DEFLATED)
    assert "too well" in found(path, tmp_path, 10**7)["bomb.png"]


def test_a_member_above_the_limit_is_refused(tmp_path):
    assert "larger than" in found(packed(tmp_path, ("a.png", bytes(2000))), tmp_path, most_bytes=1000)["a.png"]


def test_a_member_that_is_larger_than_it_says_is_refused(tmp_path):
    path = packed(tmp_path, ("a.png", bytes(range(250)) * 40))
    data = path.read_bytes().replace((10_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(data)
    assert isinstance(found(path, tmp_path)["a.png"], str)


def test_an_archive_that_holds_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    with pytest.raises(DataError, match="too much"):
        found(packed(tmp_path, *[(f"{n}.png", b"") for n in range(3)]), tmp_path)


def test_an_archive_in_an_archive_and_a_damaged_one(page):
    inner, outer = io.BytesIO(), io.BytesIO()
    for target, name, content in ((inner, "a.png", picture(0)), (outer, "inner.zip", None)):
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(name, content or inner.getvalue())
    nested = page.send(("outer.zip", outer.getvalue()))
    assert nested.status_code == 422 and "archive in an archive" in nested.json["error"]
    cut = page.send(("cut.zip", inner.getvalue()[:40]))
    assert cut.status_code == 422 and "cannot be opened" in cut.json["error"]
