"""Entries: those that come with segtumor are valid, and every mistake in a file is told with file and key."""

import pytest

from segtumor.errors import DataError
from segtumor.literature.audit import audit
from segtumor.literature.entries.plain_yaml import MAX_BYTES
from segtumor.literature.entries.reading import load_entries, load_entry, remarks_on
from segtumor.literature.entries.schema import EXAMPLE, UNITS

GOOD = """
id: mine
citation: {authors: Me, year: 2026}
read: true
dataset: BTXRD
modality: radiograph
task: image with or without tumor
unit: image
splits:
  test: {kind: image, n: 10}
results:
  - {metric: image_accuracy, value: "0.900", counts: [9, 10], n: 10, split: test,
     protocols: [alrabai-2026], comparable: true}
claims:
  - kind: ratio
    where: Table 1
    rows:
      - {what: accuracy, printed: "0.900", k: 9, n: 10}
"""
EXPECTED = {
    "yao_2025", "alrabai_2026", "xu_2024", "von_schacky_2021", "li_2023", "he_2020", "park_2022", "breden_2023",
    "hinterwimmer_2024", "yamana_2025", "do_2021", "salehi_2024", "fast_mask_rcnn_vgg19", "resnet50_vgg19_tissue",
    "yolov11_mtb_2025", "femurtumornet_2023", "project_efficientnet_b0", "project_densenet121", "project_unet",
    "thesis_pga_unet",
}  # fmt: skip
ENTRIES = load_entries()


@pytest.fixture
def write(tmp_path):
    def writer(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return writer


def test_all_sources_come_with_segtumor():
    assert set(ENTRIES) >= EXPECTED


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_a_source_tells_what_a_comparison_needs(entry):
    assert entry.results and entry.splits and entry.dataset
    for row in entry.results:
        assert row.unit in UNITS and row.number.text == row.value
        assert row.comparable or row.why_not
        if row.counts and not row.derived and row.metric != "false_positives":
            k, n = row.counts
            wrong_on_purpose = (entry.id, row.split) == ("li_2023", "external")
            assert wrong_on_purpose or row.number.agreement(k / n) == "rounded", (entry.id, row)
        if row.ci:
            assert row.ci[0].value <= row.fraction <= row.ci[1].value


def test_a_row_has_the_units_and_rules_of_its_entry_unless_it_has_its_own():
    rows = {(row.metric, row.split): row for row in ENTRIES["xu_2024"].results if row.model.startswith("YOLO")}
    assert rows["patient_auc", "internal"].unit == "patient"
    assert rows["located_above_0.2", "internal"].unit == "lesion"
    assert rows["located_above_0.2", "internal"].fraction == pytest.approx(0.945)
    assert rows["missed_entirely", "internal"].iou_rule == "box IoU = 0"
    assert rows["patient_auc", "external"].ci[1].text == "0.999"


def test_a_good_file_is_read(write):
    entry = load_entry(write(GOOD))
    assert (entry.short, entry.splits["test"].n, entry.iou_rule) == ("Me 2026", 10, "none")
    assert entry.claims[0].arguments["k"] == 9
    assert entry.results[0].protocols == ("alrabai-2026",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id: mine", "id: other", "id differs"),
        ("read: true", "read: false", "quoted_by is missing"),
        ("read: true", "read: perhaps", "read cannot be used"),
        ("unit: image\n", "unit: voxel\n", "unit cannot be used"),
        ("dataset: BTXRD", "dataset: 5", "dataset cannot be used"),
        ("dataset: BTXRD", "data_set: BTXRD", "data_set is unknown.*Perhaps you mean dataset"),
        ("dataset: BTXRD\n", "", "dataset is missing"),
        ("modality:", "modalty:", "modalty is unknown.*Perhaps you mean modality"),
        ("kind: image, n", "kind: random by image, n", r"splits.test.kind cannot be used.*grouped, kfold, image"),
        ("kind: image, n", "kind: imag, n", "Perhaps you mean image"),
        ("[alrabai-2026]", "[alrabai-2062]", r"results\[0\].protocols cannot be used.*Perhaps you mean alrabai-2026"),
        ('value: "0.900"', 'value: "62"', r"results\[0\].value is above 1 \(got 62; expected a share.*62%"),
        ("where: Table 1", "whose: mine", r"claims\[0\].rows\[0\].whose cannot be used.*source, quoted, trial"),
        ("task: image", "task image", r"got line 7, column 1: .*a colon"),
        ("modality: radiograph", "modality: radiograph\ncolour: red", "colour is unknown"),
        ("year: 2026", "year: soon", "citation.year cannot be used"),
        ("{kind: image, n: 10}", "{kind: image, n: 0}", "splits.test.n cannot be used"),
        ("{kind: image, n: 10}", "{n: 10}", "splits.test.kind is missing"),
        ('value: "0.900"', "value: 0.9", r"results\[0\].value cannot be used"),
        ("counts: [9, 10]", "counts: [11, 10]", r"results\[0\].counts cannot be used"),
        ("split: test,", "split: train,", r"results\[0\].split is no split"),
        ("comparable: true", "comparable: false", r"results\[0\].why_not is missing"),
        ("kind: ratio", "kind: ration", r"claims\[0\].kind is no kind of check"),
        ("kind: ratio", "kind: [ratio]", r"claims\[0\].kind is no kind of check"),
        ("{what: accuracy,", "{", r"claims\[0\].rows\[0\].what is missing"),
        ("k: 9,", "k: nine,", "k is 'nine', expected a whole number"),
        ("k: 9,", "", "lacks k"),
        ("k: 9,", "k: 9, m: 3,", "has unknown m"),
        ("splits:\n  test: {kind: image, n: 10}", "splits: [1]", "splits cannot be used"),
        ("id: mine", "id: mine\nid: mine", "not plain YAML"),
        ("id: mine", "id: &a mine\nextra: *a", "alias"),
        ("id: mine", "id: !!python/object/apply:os.getcwd []", "not plain YAML"),
        ("id: mine", "id: [", "not plain YAML"),
        ("id: mine", "deep: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ("id: mine", "1: mine", "not plain YAML"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(write, old, new, told):
    assert old in GOOD
    with pytest.raises(DataError, match=told) as caught:
        load_entry(write(GOOD.replace(old, new, 1)))
    assert "mine.yaml" in str(caught.value)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("content", [b"", b"- 1", b"text", b"\xff\xfe\xff", b"a" * (MAX_BYTES + 1), b"\x00"])
def test_what_is_no_entry_is_refused(write, content):
    with pytest.raises(DataError, match=r"mine\.yaml"):
        load_entry(write(content))


def test_a_bomb_of_aliases_does_not_grow(write):
    lines = ["a: &a [x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 8)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(DataError, match="alias"):
        load_entry(write("\n".join(lines)))


@pytest.mark.parametrize(
    ("metric", "value"),
    [("image_accuracy", "62%"), ("hausdorff_95_px", "62"), ("false_positives_per_image", "1.7"), ("their_own", "62")],
)
def test_a_percentage_and_what_is_no_share_may_be_above_1(write, metric, value):
    text = GOOD.replace("image_accuracy", metric).replace('"0.900", counts: [9, 10]', f'"{value}"')
    assert load_entry(write(text)).results[0].value == value


def test_a_metric_that_its_protocol_does_not_measure_is_told(write):
    assert list(remarks_on(load_entry(write(GOOD)))) == []
    (remark,) = remarks_on(load_entry(write(GOOD.replace("metric: image_accuracy", "metric: image_acuracy"))))
    assert "mine.yaml: metric image_acuracy is not measured by alrabai-2026" in remark
    assert "Did you mean image_accuracy?" in remark
    (remark,) = remarks_on(load_entry(write(GOOD.replace("metric: image_accuracy", "metric: dise"))))
    assert "Did you mean dice?" in remark
    (remark,) = remarks_on(load_entry(write(GOOD.replace("metric: image_accuracy", "metric: zzz"))))
    assert "--schema" in remark
    assert [remark for entry in ENTRIES.values() for remark in remarks_on(entry)] == []


def test_both_endings_are_read_and_no_name_twice(write):
    path = write(GOOD, "mine.yml")
    assert list(load_entries(path.parent)) == ["mine"]
    write(GOOD)
    with pytest.raises(DataError, match="two entries of one name"):
        load_entries(path.parent)


def test_the_example_of_the_schema_is_an_entry_without_remarks(write):
    entry = load_entry(write(EXAMPLE, "mine_2026.yaml"))
    assert entry.results and entry.claims and list(remarks_on(entry)) == []
    assert [finding.verdict for finding in audit([entry])] == ["holds"]


def test_a_folder_without_entries_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="no entries found"):
            load_entries(folder)
