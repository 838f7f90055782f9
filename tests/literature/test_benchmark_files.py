"""Files of a benchmark, from rows made by hand: two tables, full reasons, and a page that fetches nothing."""

import csv
import html.parser
import json
from types import SimpleNamespace

import pytest

from segtumor.evaluation.study.values import Estimate
from segtumor.literature.comparison.files import estimate_text, write_benchmark

NAN = float("nan")


def estimate(value=0.5, n=20, **options):
    plain = {"label": "", "group": "lesions", "unit": "lesions", "low": 0.4, "high": 0.6, "method": "bca"}
    plain |= {"successes": None, "n_cases": 9, "n_defined": 99, "wilson_low": NAN, "wilson_high": NAN}
    return Estimate(**{"name": "dice", "value": value, "n": n, **plain, **options})


def row(metric, ours, *, published="", reasons=(), caveats=(), **options):
    beside = "not comparable" if reasons else "comparable with caveat" if caveats else "comparable"
    verdict = beside if published else "no published number"
    plain = {"label": "", "leak_free": None, "published_ci": "", "published_n": "", "source": ""}
    why = "; ".join(reasons or caveats)
    given = {"ours": ours, "published": published, "verdict": verdict, "reasons": reasons, "caveats": caveats}
    return SimpleNamespace(metric=metric, why=why, **{**plain, **given, **options})


ROWS = [
    row("dice", estimate(), published="0.60", published_n="111 lesions", source="A 2021", reasons=("data", "quoted")),
    row(
        "box_ap50", estimate(12.5, in_percent=True), published="0.7", published_ci="0.6 to 0.8", caveats=("both leak",)
    ),
    row("unheard", None, published="0.9", reasons=("not measured by this protocol",)),
    row("image_f1", estimate(NAN, 0, low=NAN, high=NAN)),
]


@pytest.fixture
def written(tmp_path):
    def write(rows=ROWS, **options):
        plain = {"title": "a title", "sentences": ["First.", "Second."], "provenance": {"Files": {"weights": None}}}
        return {path.suffix: path for path in write_benchmark(rows, tmp_path / "out", **{**plain, **options})}

    return write


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text of cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self._inside = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("td", "th"):
            self.cells.append("")
            self._inside = True

    def handle_endtag(self, tag):
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self._inside:
            self.cells[-1] += data


def test_an_estimate_in_words():
    assert estimate_text(None) == "–"
    assert estimate_text(estimate(0.5, 4, successes=2)) == "0.500 (0.400 to 0.600), 2 of 4 lesions"
    assert estimate_text(estimate(NAN, 0)).startswith("undefined: no lesions")


def test_csv_and_json_hold_every_row_in_full(written):
    paths = written()
    assert list(paths) == [".csv", ".json", ".md", ".html"]
    with open(paths[".csv"], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["metric"], r["value"], r["verdict"], r["why"]) for r in rows] == [
        ("dice", "0.5", "not comparable", "data; quoted"),
        ("box_ap50", "12.5", "comparable with caveat", "both leak"),
        ("unheard", "", "not comparable", "not measured by this protocol"),
        ("image_f1", "", "no published number", ""),
    ]
    told = json.loads(paths[".json"].read_text("utf-8"))
    assert told["rows"][0]["reasons"] == ["data", "quoted"] and told["rows"][3]["value"] is None
    assert told["sentences"] == ["First.", "Second."]


@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_ours_alone_stand_apart_without_empty_columns(written, suffix):
    text = written()[suffix].read_text("utf-8")
    beside, alone = text.split("Our numbers without a published one")
    assert "image_f1" in alone and "image_f1" not in beside
    assert (
        "no (1, 2)" in beside
        and "with caveat (3)" in beside
        and "0.600), 20 lesions" in beside
        and "0.60, 111 lesions" in beside
    )
    assert "0.7 (0.6 to 0.8)" in beside
    assert "no shared cases" not in text


@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_a_reason_of_many_rows_is_told_once(written, suffix):
    rows = [row(f"m{i}", estimate(), published="0.6", reasons=("other data", "quoted")) for i in range(9)]
    text = written([*rows, row("last", estimate(), published="0.6", reasons=("quoted",))])[suffix].read_text("utf-8")
    assert text.count("other data") == 1 and text.count("no (1, 2)") == 9 and text.count("no (2)") == 1
    assert text.index("no (2)") < text.index("Why not comparable") < text.index("other data") < text.index("quoted")


def test_names_are_not_broken_and_have_their_label(written):
    text = written([row("malignancy_specificity", estimate(), label="benign called benign")])[".html"].read_text(
        "utf-8"
    )
    assert "benign called benign" in text
    (rule,) = [line for line in text.splitlines() if line.startswith("tbody th {")]
    assert "nowrap" in rule and "tbody th code { overflow-wrap: normal; }" in text


def test_provenance_is_as_one_types_it(written):
    command = ["tools/benchmark.py", "--output", "my folder"]
    tables = {"Command": {"command": command}, "Run": {"versions": {"numpy": "2.0"}, "datasets": ["a", "b"]}}
    page = Page(written(provenance=tables)[".html"].read_text("utf-8"))
    for cell in ("tools/benchmark.py --output 'my folder'", "numpy 2.0", "a, b"):
        assert cell in page.cells


def test_numbers_without_shared_cases_have_a_column_where_there_are_any(written):
    leaky = [row("dice", estimate(), leak_free=estimate(0.25, 11)), ROWS[0]]
    text = written(leaky)[".md"].read_text("utf-8")
    assert text.count("no shared cases") == 1
    assert "| dice | 0.500 (0.400 to 0.600), 20 lesions | 0.250 (0.400 to 0.600), 11 lesions |" in text


def test_the_page_fetches_nothing_and_marks_what_is_comparable(written):
    page = Page(written([*ROWS, row("image_auc", estimate(), published="0.8")])[".html"].read_text("utf-8"))
    assert not [(tag, a) for tag, a in page.tags if {"src", "href", "srcset", "action"} & set(a)]
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    classes = [a.get("class") for tag, a in page.tags if tag == "tr"]
    assert classes.count("comparable") == 1 and classes.count("caveat") == 1
    assert page.cells[page.cells.index("box_ap50") + 1].startswith("12.5 %")
    assert "not recorded" in page.cells


def test_everything_from_outside_is_escaped(written):
    evil = "<script>alert('1')</script>|&\n# x"
    rows = [row("dice", estimate(), published=evil, source=evil, reasons=(evil,))]
    paths = written(rows, title=evil, sentences=[evil], provenance={evil: {evil: evil}})
    page = Page(paths[".html"].read_text("utf-8"))
    assert "script" not in {tag for tag, _ in page.tags}
    assert any("<script>alert('1')</script>|&" in cell for cell in page.cells)
    text = paths[".md"].read_text("utf-8")
    assert "<script" not in text and "\n# x" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("| dice")]
    assert line.replace("\\|", "").count("|") == 6
    assert "1. &lt;script>alert('1')&lt;/script>\\|&amp; # x\n" in text


def test_an_interruption_leaves_no_page_of_other_numbers(written, monkeypatch):
    folder = written()[".html"].parent

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("segtumor.reporting.files.outputs.write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        written(rows=ROWS[:1])
    assert [path.name for path in folder.iterdir()] == ["benchmark.csv"]
