"""What the API answers: images come in, are read, listed, shown, removed."""

import io
import time
import zipfile

import numpy as np
import pytest
from pages import SQUARES, Page, picture
from PIL import Image

from segtumor.errors import DataError


def test_an_image_is_read_and_told(page):
    (image,) = page.read(("knee.png", picture(0, 1)))
    assert (image["status"], image["name"], image["width"], image["height"]) == ("done", "knee.png", 80, 60)
    reading = image["reading"]
    assert (reading["called"], reading["tumour"], reading["threshold"]) == ("benign", 0.8, 0.5)
    first, second = reading["findings"]
    assert (first["class"], first["area_px"], first["box"]) == ("benign", 500, [20, 10, 45, 30])
    assert first["probabilities"] == {"benign": 0.8, "malignant": 0.2}
    assert (second["class"], second["score"]) == ("malignant", 0.3)
    assert first["diameter_mm"] is None and first["diameter_px"] == pytest.approx(np.hypot(20, 25), abs=0.1)
    (outline,) = first["outlines"]
    assert np.ptp(outline, axis=0) == pytest.approx([25, 20], abs=0.7)


def test_pixels_are_16_bit_gray_row_by_row(page):
    (image,) = page.read(("a.png", picture(0)))
    answer = page.client.get(image["pixels"])
    pixels = np.frombuffer(answer.data, "<u2").reshape(60, 80)
    assert answer.mimetype == "application/octet-stream"
    assert pixels[SQUARES[0]].min() == 65535 and pixels[0, 0] == round(30 / 255 * 65535)


def test_the_first_window_is_in_the_numbers_of_the_pixels(page):
    (image,) = page.read(("a.png", picture(0)))
    assert image["window"] == [round(30 / 255 * 65535), 65535]


def test_the_overlay_and_the_findings_as_coco(page):
    (image,) = page.read(("a.png", picture(0, 1)))
    overlay = Image.open(io.BytesIO(page.get(f"/images/{image['id']}/overlay.png").data))
    assert overlay.mode == "RGB" and max(overlay.size) >= 768
    coco = page.get(f"/images/{image['id']}/coco.json").json
    assert [a["score"] for a in coco["annotations"]] == [0.8, 0.3]


def test_the_same_file_is_kept_once(page):
    (first,) = page.read(("a.png", picture(0)))
    (again,) = page.read(("b.png", picture(0)))
    assert again["id"] == first["id"] and again["name"] == "a.png"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"hello", "this is not an image"),
        ("empty.png", b"", "the file is empty"),
        ("cut.png", picture(0)[:20], "px"),
        ("huge.png", picture(size_hw=(60, 80))[:16] + bytes.fromhex("0001000000010000") + picture()[24:], "large"),
    ],
)
def test_a_bad_file_is_refused_in_words(page, name, content, reason):
    answer = page.send((name, content))
    if answer.status_code == 202:  # a header that is sound: the reading says what is wrong
        page.wait()
        image = page.get(f"/images/{answer.json['images'][0]['id']}").json
        assert image["status"] == "failed" and image["reason"]
        assert str(page.site.store.folder) not in image["reason"]
    else:
        assert answer.status_code == 422 and name in answer.json["error"]
        assert str(page.site.store.folder) not in answer.json["error"]


def test_good_files_beside_bad_ones_are_taken(page):
    answer = page.send(("a.png", picture(0)), ("b.txt", b"no"))
    assert answer.status_code == 202
    assert [image["name"] for image in answer.json["images"]] == ["a.png"]
    assert [refused["name"] for refused in answer.json["refused"]] == ["b.txt"]


def test_a_zip_is_unpacked(page):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("case/a.png", picture(0))
        archive.writestr("case/b.png", picture(1))
        archive.writestr("readme.txt", "no")
    answer = page.send(("all.zip", packed.getvalue()), case="case 7")
    assert [image["name"] for image in answer.json["images"]] == ["a.png", "b.png"]
    assert {image["case_name"] for image in answer.json["images"]} == {"case 7"}
    assert [refused["name"] for refused in answer.json["refused"]] == ["readme.txt"]


def test_names_are_shown_and_never_used_on_disk(page):
    (image,) = page.read(("../../<script>alert(1)</script>\u202egnp.png", picture(0)))
    assert "/" not in image["name"].replace("</script>", "") and "\u202e" not in image["name"]
    names = {path.name for path in page.site.store.folder.rglob("*") if path.is_file()}
    assert not any("script" in name for name in names)


def test_the_worklist_sorts_filters_and_searches(page):
    page.read(("a.png", picture(0)), case="first")
    page.read(("b.png", picture(1)), case="second")
    page.read(("c.png", picture(0, shade=1)), ("d.png", picture(0, 1, shade=2)), case="third")

    def names(query):
        return [case["name"] for case in page.get(f"/cases{query}").json["cases"]]

    assert names("") == ["third", "second", "first"]
    assert names("?sort=malignant") == ["third", "second", "first"]
    assert names("?search=FIR") == ["first"] and names("?search=d.png") == ["third"] and names("?search=%25") == []
    assert names("?status=done&limit=1&offset=1") == ["second"] and names("?status=failed") == []
    listed = page.get("/cases").json
    assert listed["counts"] == {"waiting": 0, "running": 0, "done": 3, "failed": 0} and listed["seconds_left"] is None
    third = listed["cases"][0]
    assert (third["n_images"], third["tumour"], third["malignant"], third["called"]) == (2, 0.8, 0.3, "benign")
    assert third["reviewed"] is False


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?offset=-1", "?sort=size", "?status=lost"])
def test_a_wrong_query_is_told(page, query):
    answer = page.get(f"/cases{query}")
    assert answer.status_code == 422 and answer.json["error"]


def test_a_removed_image_is_gone_with_its_files(page):
    (image,) = page.read(("a.png", picture(0)))
    page.review(image, comment="x")
    page.client.post(f"/api/v1/images/{image['id']}/maps/gradcam.png", headers=Page.change)
    path = f"/api/v1/images/{image['id']}"
    assert page.client.delete(path, headers=Page.change).status_code == 204
    assert page.client.get(path).status_code == 404 and page.get("/cases").json["total"] == 0
    page.site.worker.stop()
    assert not [path for path in (page.site.store.folder / "files").rglob("*") if path.is_file()]


def test_heat_maps_come_when_they_are_asked_for(page):
    (image,) = page.read(("a.png", picture(0)))
    path = f"/api/v1/images/{image['id']}/maps/gradcam.png"
    assert page.client.get(path).status_code == 404
    assert page.client.post(path, headers=Page.change).status_code == 202
    for _ in range(500):
        if page.get(f"/images/{image['id']}").json["reading"]["maps"]:
            break
    heat = np.asarray(Image.open(io.BytesIO(page.client.get(path).data)))
    assert heat.shape == (60, 80) and heat[SQUARES[0]].min() == 255
    unknown = page.client.post(path.replace("gradcam", "other"), headers=Page.change)
    assert unknown.status_code == 422 and "gradcam" in unknown.json["error"]


def test_who_waits_for_a_heat_map_that_cannot_be_made_is_told(page, monkeypatch):
    def broken(*_):
        raise DataError("no gradient", remedy="Choose another method")

    (image,) = page.read(("a.png", picture(0)))
    monkeypatch.setattr(page.site.model, "heat", broken)
    path = f"/api/v1/images/{image['id']}/maps/gradcam.png"
    assert page.client.post(path, headers=Page.change).status_code == 202
    until = time.monotonic() + 10
    while time.monotonic() < until and not page.get(f"/images/{image['id']}").json["reading"]["map_failures"]:
        time.sleep(0.01)
    reading = page.get(f"/images/{image['id']}").json["reading"]
    assert reading["maps"] == [] and reading["map_failures"] == {"gradcam": "no gradient. Choose another method."}


def test_a_full_queue_says_when_to_come_back(make_site):
    page = Page(*make_site(most_waiting=0))
    answer = page.send(("a.png", picture(0)))
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1


def test_what_is_too_large_is_refused_in_words(make_site):
    from segtumor.web.intake import Limits

    page = Page(*make_site(limits=Limits(file_bytes=-(8 * 2**20) + 1000)))
    answer = page.send(("a.png", bytes(5000)))
    assert answer.status_code == 413 and "too large" in answer.json["error"]


def test_a_full_disk_is_told_and_loses_nothing(page, monkeypatch):
    import errno

    (image,) = page.read(("a.png", picture(0)))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("segtumor.web.storage.blobs.shutil.copyfile", full)
    answer = page.send(("b.png", picture(1)))
    assert answer.status_code == 507 and "space" in answer.json["error"] + answer.json["remedy"]
    monkeypatch.undo()
    assert page.get(f"/images/{image['id']}").json["status"] == "done"
    assert page.send(("b.png", picture(1))).status_code == 202


def test_the_report_shows_texts_as_texts(page):
    (image,) = page.read(("a.png", picture(0)), case="<script>alert(1)</script>")
    page.review(image, {"origin": 0, "verdict": "accepted", "class": "benign", "outlines": []}, comment="<img src=x>")
    text = page.client.get(f"/cases/{image['case']}/report").text
    assert "<script>" not in text and "<img src=x>" not in text and "&lt;img src=x&gt;" in text
    assert "Research use only" in text and "squares, version 1" in text and "accepted" in text


def test_what_does_not_exist_is_told(page):
    for path in ("/images/i-0", "/images/i-0/pixels", "/images/i-0/overlay.png", "/images/i-0/reviews", "/nothing"):
        answer = page.get(path)
        assert answer.status_code == 404 and answer.json["error"]
    assert page.client.get("/cases/c-0/report").status_code == 404


def test_a_bug_is_told_without_details(page, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(page.site.store, "seconds_left", broken)
    page.client.application.testing = False
    answer = page.get("/cases")
    assert answer.status_code == 500 and "secret" not in answer.text
