"""``segtumor benchmark audit`` and ``list``: what is printed, written and returned."""

import csv
import json

import pytest

from segtumor.commands.benchmark import COMMANDS, main
from segtumor.literature.claims.kinds import CHECKS
from segtumor.literature.entries.reading import OWN_FOLDER
from segtumor.literature.entries.schema import EXAMPLE, SCHEMA, WHOSE
from segtumor.literature.protocols import PROTOCOLS, SPLIT_KINDS, metric_names
from segtumor.texts import wrapped_table

pytestmark = pytest.mark.command


@pytest.fixture
def run(capsys):
    def runner(*arguments):
        code = main([*map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return runner


def test_an_audit_prints_findings_and_counts_and_succeeds(run):
    code, out, err = run("audit", "resnet50_vgg19_tissue", "li_2023")
    assert (code, err) == (0, "")
    assert "89.83%" in out and "quoted by the knee study" in out and "(another reading)" in out
    assert "second table" not in out
    assert "46 claims of 2 sources: 41 hold, 3 do not hold, 2 cannot be checked; " in out
    assert "95.99 holds beside 96.002" in " ".join(out.split())
    code, everything, _ = run("audit", "resnet50_vgg19_tissue", "li_2023", "--all")
    assert code == 0 and "second table" in everything and everything.splitlines()[-4:] == out.splitlines()[-4:]


def test_output_is_written_in_three_forms(run, tmp_path):
    code, out, _ = run("audit", "alrabai_2026", "fast_mask_rcnn_vgg19", "--output", tmp_path / "audit")
    assert code == 0 and "written" in out
    with open(tmp_path / "audit" / "audit.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = json.loads((tmp_path / "audit" / "audit.json").read_text("utf-8"))
    assert len(rows) == len(told["findings"]) > 30
    assert sum(n for counts in told["summary"].values() for n in counts.values()) == len(rows)
    assert {row["whose"] for row in rows} == set(told["summary"]) == {"source"}
    assert rows[0]["entry"] == "alrabai_2026" and "Research use only" in told["notice"]
    assert "85.909%" in (tmp_path / "audit" / "audit.md").read_text("utf-8")


def test_a_folder_of_ones_own_is_audited_with_the_library_at_hand(run, tmp_path):
    text = (OWN_FOLDER / "park_2022.yaml").read_text("utf-8").replace("id: park_2022", "id: mine")
    (tmp_path / "mine.yaml").write_text(text)
    code, out, _ = run("audit", "--entries-folder", tmp_path)
    assert code == 0 and "(mine)" in out and "of 1 source:" in out
    assert "5 of 5 the same in" in out


def test_an_unknown_source_names_the_nearest(run):
    code, _, err = run("audit", "xu_2025")
    assert code == 2 and "Did you mean xu_2024" in err


def test_a_bad_file_names_itself(run, tmp_path):
    (tmp_path / "bad.yaml").write_text("id: bad\n")
    code, _, err = run("audit", "--entries-folder", tmp_path)
    assert code == 5 and "bad.yaml" in err and "citation is missing" in err


@pytest.mark.parametrize("command", ["audit", "list"])
def test_a_metric_that_no_protocol_measures_is_told(run, tmp_path, command):
    text = (OWN_FOLDER / "li_2023.yaml").read_text("utf-8").replace("id: li_2023", "id: mine")
    (tmp_path / "mine.yml").write_text(text.replace("metric: located_above_0.5", "metric: locatd_above_0.5"))
    code, _, err = run(command, "--entries-folder", tmp_path)
    assert code == 0 and "mine.yml: metric locatd_above_0.5" in err and "Did you mean located_above_0.5?" in err
    assert run(command)[2] == ""


def test_the_list_tells_size_unit_split_and_metrics(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run("list")
    assert code == 0 and "von_schacky_2021" in out and "277" in out and "patient_auc" in out
    assert "sources" in out.splitlines()[-1]


def test_the_schema_names_every_key_and_kind(run):
    code, out, _ = run("list", "--schema")
    assert code == 0
    assert all(word in out for word in (*SCHEMA, *CHECKS, *PROTOCOLS, *metric_names(), *SPLIT_KINDS, *WHOSE))
    assert EXAMPLE in out and EXAMPLE.count("\n") <= 14
    assert "k of n prints as it is printed" in out.replace("\n", " ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80, 150])
def test_a_wrapped_table_keeps_to_its_width_and_loses_nothing(width):
    rows = [("short", "word " * 40, "x"), ("", "unbreakable" * 20, "y")]
    lines = list(wrapped_table(("a", "b", "c"), rows, shares=(1, 3, 1), width=width))
    assert max(map(len, lines)) <= width
    assert "".join(lines).count("word") == 40
    assert "".join("".join(lines).split()).count("unbreakable") >= 15
