"""Why a published number may not stand beside ours: each reason alone, and none where there is none."""

import dataclasses

import pytest

from segtumor.literature.comparison.comparability import MeasuredOn, judge, our_rule, same_dataset
from segtumor.literature.comparison.leak import Training, find_leak
from segtumor.literature.entries.reading import load_entries
from segtumor.literature.protocols import PROTOCOLS, SPLIT_KINDS

GROUPED, OFFICIAL, CENTRE = (PROTOCOLS[f"btxrd-{name}"] for name in ("grouped", "official", "centre"))


def trained(**options):
    plain = {"cases": frozenset("xyz"), "n_without_case": 0, "centers": ("1",), "split_kinds": ("grouped",)}
    return Training(**{"name": "train.json", **plain, **options})


@pytest.fixture
def tested(scene):
    """100 images of 40 patients with 60 lesions, split by case, trained on other cases."""
    scene.image(case_id="a")
    training = trained()
    return MeasuredOn(
        dataset="BTXRD, converted",
        split_kind="grouped",
        centers=("1", "2", "3"),
        n={"image": 100, "patient": 40, "lesion": 60},
        training=training,
        leak=find_leak(scene.results, training)[0],
    )


def judged(make_entry, protocol, tested, *, split=None, result=None, counted_by="", **keys):
    plain = {"metric": "box_ap50", "value": "0.5", "protocols": [protocol.name], "unit": "image"}
    plain |= {"iou_rule": "COCO average precision"}
    entry = make_entry({**plain, **(result or {})}, split={"n": 100, **(split or {})}, **keys)
    return judge(entry, entry.results[0], protocol, tested, counted_by)


def test_the_same_kind_of_part_is_comparable_though_of_other_images(make_entry, tested):
    assert judged(make_entry, GROUPED, tested) == ([], ["the same kind of test part, but other images"])


def test_other_data_is_the_one_reason_for_data_and_split(make_entry, tested):
    reasons, _ = judged(make_entry, GROUPED, tested, dataset="private, knee", split={"n": 5})
    assert reasons == ["other data: private, knee"]
    assert not same_dataset("private", "private") and same_dataset("BTXRD", "the btxrd images")
    assert not same_dataset("BTXRD (own subset)", "BTXRD") and not same_dataset("BTXRD", "NOTBTXRD images")


def test_what_the_source_says_of_itself_is_a_reason(make_entry, tested):
    reasons, _ = judged(make_entry, GROUPED, tested, result={"comparable": False, "why_not": "best F1."})
    assert reasons == ["best F1"]
    reasons, _ = judged(make_entry, GROUPED, tested, read=False, quoted_by="a review")
    assert reasons == ["quoted after a review, the original was not read"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("none known", []),
        ("None known.", []),
        ("no", []),
        ("", []),
        ("cannot be told", ["whether its split leaks cannot be told"]),
        ("3 of 4 share a case", ["its split leaks: 3 of 4 share a case"]),
        ("nonetheless some", ["its split leaks: nonetheless some"]),
    ],
)
def test_only_a_leak_is_a_leak(make_entry, tested, text, reason):
    assert judged(make_entry, GROUPED, tested, split={"leak": text})[0] == reason


def test_no_shipped_entry_gives_none_known_as_a_reason(tested):
    reasons = [
        reason
        for entry in load_entries().values()
        for result in entry.results
        for reason in judge(entry, result, GROUPED, tested)[0]
    ]
    assert reasons and not [reason for reason in reasons if "none" in reason.split(": ")[-1].split()[:1]]


@pytest.mark.parametrize(
    ("unit", "n", "reason"),
    [
        ("image", 100, []),
        ("image", 101, []),  # lists were corrected after printing
        ("image", 40, ["other test part: 40 images; ours: 100"]),
        ("patient", 40, []),
        ("patient", 100, ["other test part: 100 patients; ours: 40"]),
        ("lesion", 100, []),  # lesions are counted on a split of images
    ],
)
def test_like_is_counted_with_like(make_entry, tested, unit, n, reason):
    assert judged(make_entry, GROUPED, tested, unit=unit, split={"n": n})[0] == reason


def test_lesions_are_counted_with_lesions(make_entry, tested):
    def lesions(n, **more):
        return judged(make_entry, GROUPED, tested, result={"unit": "lesion", "n": n, **more})[0]

    assert lesions(60) == []
    assert lesions(90) == ["other lesions: 90; ours: 60"]
    assert lesions(20, group="benign") == []


def test_a_row_of_another_protocol_is_of_another_split(make_entry, tested):
    split = {"n": 750, "kind": "official", "detail": "the list"}
    reasons, _ = judged(make_entry, GROUPED, tested, result={"protocols": ["btxrd-official"]}, split=split)
    assert reasons == ["other split: official (the list); ours: grouped"]


@pytest.mark.parametrize("kind", SPLIT_KINDS)
def test_the_split_of_a_source_must_be_the_protocols(make_entry, tested, kind):
    """Naming the protocol is not enough: a random split by image is not one by case."""
    reasons, _ = judged(make_entry, GROUPED, tested, split={"kind": kind, "detail": "in its words"})
    shown = "not said" if kind == "unknown" else kind
    told = [f"other split: {shown} (in its words); the protocol's: a test part by case, stratified"]
    assert reasons == ([] if kind in ("grouped", "kfold") else told)


@pytest.mark.parametrize(
    ("published", "ours", "reasons"),
    [
        ("lesion", "lesions", []),
        ("lesion", "findings", []),
        ("image", "lesions", ["counts images; ours: lesions"]),
        ("patient", "images", ["counts patients; ours: images"]),
        ("patient", "patients", []),
        ("tile", "", []),  # no number of ours
    ],
)
def test_units_must_be_the_same(make_entry, tested, published, ours, reasons):
    found, _ = judged(make_entry, GROUPED, tested, result={"unit": published}, counted_by=ours)
    assert [reason for reason in found if reason.startswith("counts ")] == reasons


@pytest.mark.parametrize(
    ("metric", "rule", "reasons"),
    [
        ("dice", "box IoU > 0.1", ["other IoU rule: box IoU > 0.1; ours: mask IoU > 0"]),
        ("dice", "mask IoU > 0", []),
        ("lesion_recall", "mask IoU > 0.50", []),  # at least and above are taken for the same
        ("lesion_recall", "Mask IoU at least 0.5", []),
        ("lesion_recall", "mask IoU >= 0.3", ["other IoU rule: mask IoU >= 0.3; ours: mask IoU >= 0.5"]),
        ("lesion_recall", "IoU > 0.5", ["other IoU rule: IoU > 0.5; ours: mask IoU >= 0.5"]),
        ("froc_mean", "centre in the box", ["other IoU rule: centre in the box; ours: mask IoU >= 0.5"]),
        ("box_ap50", "box IoU > 0.5", ["other IoU rule: box IoU > 0.5; ours: COCO average precision"]),
        ("image_sensitivity", "box IoU > 0.1", []),  # no lesion is located
        ("patient_auc", "not known here", []),
    ],
)
def test_iou_rules_must_be_the_same(make_entry, tested, metric, rule, reasons):
    assert judged(make_entry, GROUPED, tested, result={"metric": metric, "iou_rule": rule})[0] == reasons


def test_the_rule_of_the_entry_is_that_of_its_rows_and_no_rule_is_a_caveat(make_entry, tested):
    row = {"metric": "dice", "value": "0.5", "protocols": ["btxrd-grouped"]}
    entry = make_entry(row, iou_rule="box IoU > 0.1")
    assert judge(entry, entry.results[0], GROUPED, tested)[0] == ["other IoU rule: box IoU > 0.1; ours: mask IoU > 0"]
    entry = make_entry(row)
    reasons, caveats = judge(entry, entry.results[0], GROUPED, tested)
    assert reasons == [] and caveats[0] == "its IoU rule is not given; ours: mask IoU > 0"


def test_our_rule_has_the_shapes_and_thresholds_measured_with(tested):
    low = dataclasses.replace(tested, iou_threshold=0.2, froc_criterion="centre")
    assert our_rule("lesion_precision", PROTOCOLS["xu-2024"], low) == "box IoU >= 0.2"
    assert our_rule("located_above_0.2", PROTOCOLS["xu-2024"], low) == "box IoU > 0.2"
    assert our_rule("located_above_0_of_boxes", PROTOCOLS["vonschacky-2021"], low) == "box IoU > 0"
    assert our_rule("froc_mean", GROUPED, low) == "criterion centre"
    assert our_rule("located_above_0", GROUPED, low) == "mask IoU > 0"


def test_test_and_training_must_be_of_the_protocols_kind(make_entry, tested):
    def reasons(**options):
        return judged(make_entry, GROUPED, dataclasses.replace(tested, **options))[0]

    assert reasons(split_kind="image") == ["other split: grouped; ours: image, grouped"]
    assert reasons(split_kind="unknown") == ["other split: grouped; ours: unknown, grouped"]
    assert reasons(training=trained(split_kinds=("grouped", "official"))) == [
        "other split: grouped; ours: grouped, official"
    ]


def test_our_own_leak_is_a_reason_and_so_is_not_knowing(make_entry, tested, scene):
    unknown = dataclasses.replace(tested, training=None, leak=None)
    assert judged(make_entry, GROUPED, unknown)[0] == ["what our model was trained on is not known"]
    leak, _ = find_leak(scene.results, trained(cases=frozenset("a")))
    assert judged(make_entry, GROUPED, dataclasses.replace(tested, leak=leak))[0] == [
        "our test part shares cases with training"
    ]
    leak, _ = find_leak(scene.results, trained(n_without_case=2))
    assert "is not known" in judged(make_entry, GROUPED, dataclasses.replace(tested, leak=leak))[0][0]


def test_on_the_same_list_a_leak_of_both_is_a_caveat(make_entry, tested, scene):
    training = trained(cases=frozenset("a"), split_kinds=("official",))
    leak, _ = find_leak(scene.results, training)
    official = dataclasses.replace(tested, split_kind="official", training=training, leak=leak)
    reasons, caveats = judged(make_entry, OFFICIAL, official, split={"leak": "cases in both", "kind": "official"})
    assert reasons == []
    assert caveats == [
        "the same test images on both sides, but its split leaks: cases in both",
        "the same test images on both sides, but our test part shares cases with training",
    ]
    other_training = dataclasses.replace(official, training=trained(split_kinds=("grouped",)))
    reasons, _ = judged(make_entry, OFFICIAL, other_training, split={"leak": "cases in both", "kind": "official"})
    assert reasons == [
        "other split: official; ours: official, grouped",
        "its split leaks: cases in both",
        "our test part shares cases with training",
    ]
    blind = dataclasses.replace(official, training=None, leak=None)
    assert "what our model was trained on is not known" in judged(make_entry, OFFICIAL, blind)[0]


@pytest.mark.parametrize(
    ("test", "training", "reasons"),
    [
        (("2", "3"), ("1",), []),
        (("2",), ("1",), ["tested on centre 2 and 3; ours: centre 2"]),
        (("2", "3", "unknown"), ("1",), ["tested on centre 2 and 3; ours: centre 2 and 3 and unknown"]),
        (("2", "3"), ("1", "2"), ["trained on centre 1; ours: centre 1 and 2"]),
        (("1",), ("2", "3"), ["tested on centre 2 and 3; ours: centre 1", "trained on centre 1; ours: centre 2 and 3"]),
    ],
)
def test_centres_must_be_exactly_those(make_entry, tested, test, training, reasons):
    ours = dataclasses.replace(tested, centers=test, training=trained(centers=training), split_kind="unknown")
    assert judged(make_entry, CENTRE, ours, split={"kind": "centre"})[0] == reasons


def test_a_leak_is_counted_by_case(six):
    leak, clean = find_leak(six.results, trained(cases=frozenset({"a", "e", "elsewhere"})))
    assert [r.truth.attributes["case_id"] for r in clean] == ["b", "c", "d", "f"]
    assert leak.sentence == (
        "LEAK: 2 of 6 test images (1 of 4 with tumour, 1 of 4 lesions) are of 2 cases that are in the training part "
        "(train.json) too."
    )


def test_a_leak_that_nobody_can_see_is_not_denied(scene):
    scene.image(case_id="a").image(case_id="").image()
    leak, clean = find_leak(scene.results, trained())
    assert leak.uncertain and len(clean) == 3
    assert leak.sentence.startswith("No case") and "2 test images without case_id" in leak.sentence
    assert "is not known" in find_leak(scene.results[1:], trained())[0].sentence
    assert "is not known" in find_leak(scene.results[:1], trained(cases=frozenset(), n_without_case=1))[0].sentence


def test_numbers_and_texts_name_the_same_case(scene):
    scene.image(case_id=7)
    assert find_leak(scene.results, trained(cases=frozenset({"7"})))[0].n_cases == 1


def test_a_leaking_image_that_is_called_a_tumor_without_an_outline_counts_as_one(scene):
    scene.image(case_id="a", image_label="malignant").image(case_id="a", image_label="cyst").image(case_id="b")
    leak, _ = find_leak(scene.results, trained(cases=frozenset("a")), ("cyst",))
    assert (leak.n_tumor_images, leak.of_tumor_images) == (2, 2)
