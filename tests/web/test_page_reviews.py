"""What readers say: checked, kept in revisions, and exported as a data set."""

import io
import json
import zipfile

import pytest
from pages import Page, accepted, drawn, picture

from segtumor.annotations.coco import load_coco
from segtumor.structures.masks import mask_from_rle, rle_from_segmentation
from segtumor.web.exporting import export


def test_revisions_follow_each_other_and_all_are_kept(page):
    (image,) = page.read(("a.png", picture(0, 1)))
    first = page.review(image, accepted(0), user="Dr%20M%C3%BCller", comment="sure")
    assert first.status_code == 200 and (first.json["revision"], first.json["user"]) == (1, "Dr Müller")
    second = page.review(image, {**accepted(0), "verdict": "rejected"}, revision=1)
    assert second.json["revision"] == 2
    kept = page.get(f"/images/{image['id']}/reviews").json["reviews"]
    assert [review["findings"][0]["verdict"] for review in kept] == ["accepted", "rejected"]
    shown = page.get(f"/images/{image['id']}").json
    assert shown["review"]["revision"] == 2 and len(shown["reading"]["findings"]) == 2


def test_who_comes_second_sees_what_the_first_one_saved(page):
    (image,) = page.read(("a.png", picture(0)))
    page.review(image, accepted(0), user="first")
    answer = page.review(image, accepted(0), user="second")
    assert answer.status_code == 409 and answer.json["review"]["user"] == "first"


@pytest.mark.parametrize(
    ("findings", "where"),
    [
        ([{}], "findings[0].verdict"),
        (["x"], "findings[0]"),
        ([{**accepted(0), "verdict": "maybe"}], "findings[0].verdict"),
        ([accepted(2)], "findings[0].origin"),
        ([accepted(-1)], "findings[0].origin"),
        ([accepted(True)], "findings[0].origin"),
        ([accepted(None)], "findings[0].origin"),
        ([accepted(0), accepted(0)], "findings"),
        ([accepted(0, "grave")], "findings[0].class"),
        ([drawn((0, 0), (9, 9))], "findings[0].outlines[0]"),
        ([drawn((0, 0), (9, 9), (9, float("nan")))], "findings[0].outlines[0]"),
        ([drawn((0, 0), (9, "9"), (9, 0))], "findings[0].outlines[0]"),
        ([drawn((100, 100), (120, 100), (120, 120))], "findings[0].outlines"),  # beyond the picture
        ([drawn((5, 5), (5, 5), (5, 5))], "findings[0].outlines"),
        ([{**accepted(0), "comment": 5}], "findings[0].comment"),
        (None, "findings"),
    ],
)
def test_a_wrong_review_is_refused_and_the_field_named(page, findings, where):
    (image,) = page.read(("a.png", picture(0, 1)))
    body = json.dumps({"revision": 0, "findings": findings})
    headers = {**Page.change, "Content-Type": "application/json"}
    answer = page.client.put(f"/api/v1/images/{image['id']}/review", data=body, headers=headers)
    assert answer.status_code == 422 and answer.json["error"].startswith(f"{where}:"), answer.json
    assert page.get(f"/images/{image['id']}/reviews").json == {"reviews": []}


def test_outlines_end_at_the_border(page):
    (image,) = page.read(("a.png", picture()))
    answer = page.review(image, drawn((-10, 10), (20, 10), (20, 20), (-10, 20)))
    assert sorted(answer.json["findings"][0]["outlines"][0]) == [[0, 10], [0, 20], [20, 10], [20, 20]]


@pytest.mark.parametrize(
    ("bright", "findings", "complete"),
    [
        ((), [], True),  # saved as normal
        ((0,), [], False),
        ((0,), [accepted(0)], True),
        ((0, 1), [accepted(0)], True),  # the second is below the threshold
        ((0, 1), [accepted(1, "malignant")], False),
    ],
)
def test_an_image_is_reviewed_when_every_shown_finding_is_judged(page, bright, findings, complete):
    (image,) = page.read(("a.png", picture(*bright)))
    page.review(image, *findings)
    assert page.get("/cases").json["cases"][0]["reviewed"] is complete


def test_the_corrected_set_is_a_data_set(page, tmp_path):
    one, two, three, _ = page.read(
        *[(f"{n}.png", picture(*bright, shade=n)) for n, bright in enumerate(((0, 1), (0,), (), (0,)))], case="c"
    )
    page.review(one, accepted(0), {**accepted(1, "malignant"), "verdict": "rejected"})
    page.review(
        two, {**accepted(0, "malignant"), "verdict": "edited", "outlines": [[[0, 0], [10, 0], [10, 10], [0, 10]]]}
    )
    page.review(three)
    done = export(page.site.store, tmp_path / "corrected")
    assert (done.images, done.lesions, done.not_reviewed) == (3, 2, 1)
    dataset = load_coco(tmp_path / "corrected" / "annotations" / "all.json")
    labels = {name: [] for name in (f"{image['id']}.png" for image in (one, two, three))}
    for image in dataset.images:
        labels[image["file_name"]] = [(dataset.label_of(a), a["area"]) for a in dataset.annotations_of(image)]
    assert list(labels.values()) == [[("benign", 500)], [("malignant", 100)], []]
    assert {image["case_id"] for image in dataset.images} == {"c"}
    benign = [a for image in dataset.images for a in dataset.annotations_of(image) if a["category_id"] == 1]
    exact = benign[0]
    mask = mask_from_rle(rle_from_segmentation(exact["segmentation"], (60, 80)))
    assert mask[10:30, 20:45].all() and mask.sum() == 500


@pytest.mark.parametrize(("target", "member"), [("coco", "annotations/all.json"), ("labelme", "{id}.json")])
def test_the_export_is_an_archive_with_the_images(page, target, member):
    (image,) = page.read(("a.png", picture(0)))
    page.review(image, accepted(0))
    answer = page.get(f"/export?format={target}")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        names = set(archive.namelist())
        assert {f"images/{image['id']}.png", member.format(**image)} <= names
        if target == "labelme":
            document = json.loads(archive.read(member.format(**image)))
            assert document["imagePath"] == f"images/{image['id']}.png"
            assert [shape["label"] for shape in document["shapes"]] == ["benign"]
    answer.close()


def test_without_reviews_there_is_nothing_to_export(page):
    page.read(("a.png", picture(0)))
    answer = page.get("/export")
    assert answer.status_code == 422 and "reviewed" in answer.json["error"]
