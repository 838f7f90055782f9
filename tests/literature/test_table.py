"""Rows: what stands beside what, in which order and in which words."""

from segtumor.literature.comparison.comparability import MeasuredOn
from segtumor.literature.comparison.table import NOT_COMPARABLE, OURS_ALONE, WITH_CAVEAT, comparison_table
from segtumor.literature.protocols import PROTOCOLS

GROUPED = PROTOCOLS["btxrd-grouped"]
TESTED = MeasuredOn(dataset="private", split_kind="grouped", centers=(), n={"image": 1, "patient": 1, "lesion": 1})


def result(metric, value="0.5", **more):
    return {"metric": metric, "value": value, "protocols": ["btxrd-grouped"], **more}


def table(entry, ours, leak_free=(), tested=TESTED):
    return comparison_table(GROUPED, {entry.id: entry}, tested, ours, leak_free)


def test_ours_come_in_order_each_with_what_was_published(make_entry, make_estimate):
    entry = make_entry(
        result("dice", "0.60"), result("dice", "0.70", model="B"), result("image_auc", group="male"), result("unheard")
    )
    ours = [make_estimate(name) for name in ("image_f1", "dice", "dice[benign]", "image_auc[benign]")]
    rows = table(entry, ours, [make_estimate("dice", 0.25)])
    assert [(row.metric, row.published, row.source) for row in rows] == [
        ("image_f1", "", ""),
        ("dice", "0.60", "Somebody 2026"),
        ("dice", "0.70", "Somebody 2026, B"),
        ("image_auc[male]", "0.5", "Somebody 2026"),
        ("unheard", "0.5", "Somebody 2026"),
    ]
    assert rows[0].verdict == OURS_ALONE and rows[0].why == ""
    assert [row.leak_free.value if row.leak_free else None for row in rows] == [None, 0.25, 0.25, None, None]
    assert rows[3].ours is None and rows[3].reasons[-1] == "not measured by this protocol"
    assert {row.verdict for row in rows[1:]} == {NOT_COMPARABLE}


def test_a_source_names_its_test_set(make_entry, make_estimate):
    splits = {name: {"kind": name} for name in ("internal", "external")}
    rows = [result("dice", split=name, model="A") for name in splits]
    table_rows = table(make_entry(*rows, splits=splits), [make_estimate("dice")])
    assert [row.source for row in table_rows] == ["Somebody 2026, A, internal", "Somebody 2026, A, external"]


def test_our_unit_is_compared_with_the_published_one(make_entry, make_estimate):
    tested = MeasuredOn(dataset="BTXRD", split_kind="grouped", centers=(), n=TESTED.n)
    entry = make_entry(result("image_auc", unit="patient"))
    (row,) = table(entry, [make_estimate("image_auc", unit="images")], tested=tested)
    assert "counts patients; ours: images" in row.reasons
    (row,) = table(entry, [make_estimate("image_auc", unit="patients")], tested=tested)
    assert not [reason for reason in row.reasons if reason.startswith("counts")]


def test_a_class_is_shown_where_someone_published_it(make_entry, make_estimate):
    rows = table(make_entry(result("dice", group="benign")), [make_estimate("dice"), make_estimate("dice[benign]")])
    assert [(row.metric, bool(row.published)) for row in rows] == [("dice", False), ("dice[benign]", True)]


def test_rows_of_other_protocols_are_left_out_unless_shown(make_entry, make_estimate):
    entry = make_entry(
        {**result("dice"), "protocols": ["xu-2024"]}, {**result("dice"), "protocols": ["alrabai-2026", "xu-2024"]}
    )
    assert [row.published for row in table(entry, [make_estimate("dice")])] == ["0.5"]


def test_numbers_are_as_printed(make_entry, make_estimate):
    entry = make_entry(
        result("box_ap50", "0.691", unit="lesion", n=496),
        result("box_ap50", "69.1%", counts=[691, 1000], derived=True),
        result("box_ap50", "0.70", ci=["0.60", "0.81"], model="Somebody"),
    )
    fraction, percent, interval = table(entry, [make_estimate("box_ap50", in_percent=True)])
    assert (fraction.published, fraction.published_n) == ("0.691 (that is, 69.1 %)", "496 lesions")
    assert (percent.published, percent.published_n) == ("69.1%", "691 of 1000 images (computed from them)")
    assert (interval.published_ci, interval.source) == ("0.60 to 0.81", "Somebody 2026")


def test_a_verdict_has_reasons_or_caveats_never_both(make_entry, make_estimate):
    entry = make_entry(result("dice", iou_rule="mask IoU > 0", unit="lesion"))
    tested = MeasuredOn(dataset="BTXRD", split_kind="grouped", centers=(), n=TESTED.n)
    (row,) = table(entry, [make_estimate("dice", unit="lesions")], tested=tested)
    assert row.verdict == NOT_COMPARABLE and row.caveats == ()
    assert row.why == "what our model was trained on is not known"
    (row,) = _trained(entry, make_estimate)
    assert row.verdict == WITH_CAVEAT and row.reasons == ()
    assert row.why == "the same kind of test part, but other images"


def _trained(entry, make_estimate):
    from segtumor.literature.comparison.leak import Training, find_leak

    training = Training(name="t", cases=frozenset("q"), n_without_case=0, centers=(), split_kinds=("grouped",))
    tested = MeasuredOn(
        dataset="BTXRD",
        split_kind="grouped",
        centers=(),
        n=TESTED.n,
        training=training,
        leak=find_leak([], training)[0],
    )
    return table(entry, [make_estimate("dice", unit="lesions")], tested=tested)
