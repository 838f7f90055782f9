import numpy as np
import pytest
from PIL import Image
from repository import ROOT

from segtumor.annotations.problems import ERROR, WARNING
from segtumor.datasets.image_checks import image_problems


def picture(seed, size_hw=(40, 30)):
    import cv2

    noise = np.random.default_rng(seed).random(size_hw, dtype=np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.rint(255 * (blurred - blurred.min()) / np.ptp(blurred)).astype(np.uint8)


def entry(number, file_name, width=30, height=40, **more):
    return {"id": number, "file_name": file_name, "width": width, "height": height, **more}


def summary(problems):
    return [(problem.where, problem.what, problem.severity) for problem in problems]


def test_sound_images_have_no_problems(tmp_path):
    for seed in range(3):
        Image.fromarray(picture(seed)).save(tmp_path / f"{seed}.png")
    found, prints = image_problems([entry(i, f"{i}.png") for i in range(3)], tmp_path)
    assert found == [] and list(prints) == ["0.png", "1.png", "2.png"]


def test_a_damaged_file_is_named_with_its_reason_and_without_its_folder(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    found, prints = image_problems([entry(7, "text.png")], tmp_path)
    assert summary(found) == [("images[0] (id 7)", "does not open", ERROR)]
    assert found[0].got.startswith("text.png: ") and str(tmp_path) not in found[0].got and found[0].remedy
    assert prints == {}


def test_another_size_is_an_error_and_a_turned_one_points_at_exif(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    Image.fromarray(picture(1)).save(tmp_path / "b.png")
    found, _ = image_problems([entry(1, "a.png", width=31), entry(2, "b.png", width=40, height=30)], tmp_path)
    assert summary(found) == [
        ("images[0] (id 1)", "is not the size of the file", ERROR),
        ("images[1] (id 2)", "is not the size of the file", ERROR),
    ]
    assert found[0].got == "31 x 40 px, and the file 30 x 40 px"
    assert "EXIF" in found[1].remedy and "EXIF" not in found[0].remedy


def test_copies_are_warnings_unless_their_labels_contradict(tmp_path):
    for name in ("a.png", "b.tif", "c.png"):
        Image.fromarray(picture(2)).save(tmp_path / name)
    images = [
        entry(1, "a.png", image_label="normal", case_id="x"),
        entry(2, "b.tif", image_label="normal", case_id="x"),
        entry(3, "c.png", image_label="benign", case_id="y"),
    ]
    found, _ = image_problems(images, tmp_path)
    assert summary(found) == [
        ("images[1] (id 2)", "is the same picture as another", WARNING),
        ("images[2] (id 3)", "is the same picture as another, with another label", ERROR),
    ]
    assert found[0].got == "b.tif and a.png, of the same case"
    assert found[1].got == "c.png and a.png, of different cases; benign and normal"


def test_likenesses_are_warnings_with_their_distance(tmp_path):
    Image.fromarray(picture(3)).save(tmp_path / "a.png")
    Image.fromarray(picture(3)).save(tmp_path / "near.jpg", quality=80)
    Image.fromarray(picture(3)[:, ::-1]).save(tmp_path / "mirrored.png")
    images = [entry(1, "a.png", case_id="x"), entry(2, "near.jpg", case_id="y"), entry(3, "mirrored.png")]
    found, _ = image_problems(images, tmp_path)
    assert [problem.what for problem in found] == [
        "shows nearly the same picture as another",
        "shows the mirrored picture of another",
        "shows the mirrored picture of another",
    ]
    assert {problem.severity for problem in found} == {WARNING}
    assert found[0].got.startswith("near.jpg and a.png, distance ") and found[0].got.endswith("of different cases")
    assert found[1].got.startswith("mirrored.png and a.png") and "case" not in found[1].got
    assert image_problems(images, tmp_path, near=False)[0] == []


def test_only_files_inside_the_root_are_opened(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    Image.fromarray(picture(4)).save(tmp_path / "outside.png")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    names = ["../outside.png", str(tmp_path / "outside.png"), "link.png", "absent.png", "", None, 7]
    images = [*(entry(i, name) for i, name in enumerate(names)), "no entry", {}]
    assert image_problems(images, root) == ([], {})
    assert image_problems(images, tmp_path / "no folder") == ([], {})


def test_a_name_that_stands_twice_is_opened_once_and_odd_sizes_are_not_compared(tmp_path):
    Image.fromarray(picture(5)).save(tmp_path / "a.png")
    found, prints = image_problems([entry(1, "a.png", width="30"), entry(2, "a.png")], tmp_path)
    assert found == [] and list(prints) == ["a.png"]


def test_too_large_a_picture_is_a_problem(tmp_path):
    Image.fromarray(picture(6)).save(tmp_path / "a.png")
    found, _ = image_problems([entry(1, "a.png")], tmp_path, max_pixels=100)
    assert summary(found) == [("images[0] (id 1)", "does not open", ERROR)]


def test_a_dicom_file_named_after_the_patient_is_told_without_its_name(tmp_path, monkeypatch):
    pytest.importorskip("pydicom")
    monkeypatch.syspath_prepend(ROOT / "tests" / "imaging")
    from imaging_files import dicom_bytes

    for name in ("Patient_Secret.dcm", "0001.dcm"):
        (tmp_path / name).write_bytes(dicom_bytes())
    found, _ = image_problems([entry(1, "Patient_Secret.dcm", 6, 6), entry(2, "0001.dcm", 6, 5)], tmp_path)
    assert summary(found) == [
        ("images[0] (id 1)", "is not the size of the file", ERROR),
        ("images[1] (id 2)", "is the same picture as another", WARNING),
        ("images[0] (id 1)", "holds the name or number of the patient", WARNING),
    ]
    assert "secret" not in repr(found).lower()
