"""The prose of reports: YAML that a wheel holds, read when it is first asked for, and without placeholders left."""

import re
import string
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import segtumor.reporting.words as words
from segtumor.evaluation.facts.settings import FROC_CRITERIA, RULES, StudySettings
from segtumor.reporting.words import load_words, study_terms
from segtumor.reporting.words.checklists import checklists
from segtumor.reporting.words.metric_texts import metric_text, metric_texts

FOLDER = Path(words.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def texts(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_one_line_of_plain_words(name):
    for text in texts(load_words(name)):
        assert isinstance(text, (str, bool))
        if isinstance(text, str):
            assert text and text == " ".join(text.split()), text
            list(string.Formatter().parse(text))  # raises where a brace is left open


@pytest.mark.command
def test_words_are_read_when_they_are_asked_for():
    code = (
        "import sys, segtumor.reporting.pages.study_page as page; from segtumor.reporting.words import load_words; "
        "sys.exit(bool(page and load_words.cache_info().currsize))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wheel_holds_the_words():
    text = (FOLDER.parents[2] / "setup.py").read_text()
    patterns = re.search(r'"segtumor\.reporting": \[(.*)\]', text)[1]
    assert '"**/*.yaml"' in patterns and NAMES == ["captions", "checklists", "metrics", "terms"]


def test_no_placeholder_is_left():
    for rule in RULES:
        for criterion in FROC_CRITERIA:
            settings = StudySettings(rule=rule, froc_criterion=criterion, require_located=True)
            for lesions, images in ((True, False), (True, True), (False, True)):
                study = SimpleNamespace(settings=settings, marks_lesions=lesions, judges_images=images)
                said = [*study_terms.term_texts(study), study_terms.froc_criterion_text(settings)]
                assert not re.search(r"[{}]", str(said))
    assert not any(re.search(r"[{}]", text) for text in metric_texts().values())
    assert not any(re.search(r"[{}]", item.answer) for _, items in checklists() for item in items)


def test_a_located_lesion_is_asked_for_where_it_counts():
    assert metric_text("patient_kappa", located=True).endswith("only if one of its lesions was also located.")
    assert metric_text("patient_ppv", located=True) == metric_text("patient_ppv")
    assert metric_text("nothing", located=True) == ""
