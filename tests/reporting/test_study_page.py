"""The page of a study: self-contained, honest about what is undefined, safe against names, the same twice."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_study import CLASSES, estimate, fake_study, finding, index_of_study, some_results

from segtumor import NOTICE
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.intervals import PERCENTILE_FEW
from segtumor.evaluation.study.study import study as measure
from segtumor.evaluation.study.values import SubgroupEstimate
from segtumor.reporting.pages.study_figures import study_figures
from segtumor.reporting.pages.study_page import HEADLINE, study_page
from segtumor.reporting.provenance import NOT_OF_SPLIT
from segtumor.reporting.words import estimates, summary
from segtumor.reporting.words.checklists import AUTHORS, NOT_ANSWERED, checklists, facts, filled
from segtumor.reporting.words.metric_texts import metric_text, metric_texts
from segtumor.statistics.interval import UNDEFINED, Method
from segtumor.structures.lesions import AnnotatedImage, ImageResult

PROVENANCE = {
    "Command": {"command line": ["evaluate.py", "--x"]},
    "Configuration": {"MODEL": {"DEPTH": 18, "WIDTH": None}},
    "Files": {"annotations_sha256": "abc123", "weights_sha256": None},
}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements of a page: every attribute, figures with and without caption, text outside of styles."""

    def __init__(self, text):
        super().__init__()
        self.attributes, self.open, self.text, self.captions, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag == "figcaption":
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if "figcaption" in self.open:
            self.captions[-1] += data

    @property
    def prose(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """Names in place of pictures, whose drawing takes nearly all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segtumor.reporting.pages.study_figures.StudyFigure.png", lambda self: self.name.encode())
        yield


def full_page():
    picture = {"title": "Missed lesion", "caption": "Look.", "png": b"\xff\xd8 not really"}
    study, options = fake_study(), {"title": "Tiny <model> & co", "provenance": PROVENANCE, "examples": [picture]}
    return study_page(study, **options, embedding=index_of_study(study))


@pytest.fixture(scope="module")
def text(pictures):
    return full_page()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_is_well_formed_and_asks_for_nothing(text, page):
    assert page.open == []
    assert text.startswith("<!DOCTYPE html>")
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "action", "data"):
            assert value.startswith(("data:image/", "#")), f"{tag} {name}"
        assert not name.startswith("on")
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert "url(" not in text and "@import" not in text
    assert ("meta", "http-equiv", "Content-Security-Policy") in page.attributes


def test_links_lead_somewhere(page):
    anchors = {value for _, name, value in page.attributes if name == "id"}
    targets = {value[1:] for _, name, value in page.attributes if name == "href"}
    assert targets <= anchors
    assert {item.section for _, items in checklists() for item in items if item.section} <= anchors


def test_every_figure_has_a_picture_with_a_name_and_a_caption(page):
    n_figures = page.tags.count("figure")
    assert n_figures == page.tags.count("figcaption") == page.tags.count("img") == len(page.captions) == 16
    assert all(len(caption) > 10 for caption in page.captions)
    assert sum(name == "alt" and bool(value) for _, name, value in page.attributes) == n_figures


def test_it_says_what_it_must(page):
    for words in (NOTICE, "Tiny <model> & co", "abc123", "MODEL.DEPTH", "evaluate.py --x", "not recorded", "seed"):
        assert words in page.prose
    assert "An image without case_id is its own case." in page.prose
    assert "12 images of 6 cases with 8 lesions were evaluated; 4 have no lesion." in page.prose
    assert "do not show how well the model does elsewhere" in page.prose


def test_values_with_interval_and_count(page):
    study = fake_study()
    known = {e.name: e for e in study.estimates}
    for name in ("lesion_recall", "dice", "mask_ap50", "hausdorff_95_px"):
        assert estimates.number_text(known[name]) in page.prose
        assert estimates.interval_text(known[name]) in page.prose
    assert f"{known['lesion_recall'].successes} of 12 lesions" in page.prose


def test_undefined_is_said_and_nan_never(page):
    assert "undefined: cannot be computed from these 6 lesions" in page.prose  # the level of age
    assert re.search(r"\bnan\b", page.prose, re.IGNORECASE) is None
    assert "< 0.001" in page.prose


def test_names_of_files_and_cases_cannot_be_markup():
    evil = '<script>alert("{}")</script>'
    study = fake_study(some_results(file_name=evil, case_id="<b>{}"), class_names=("<i>benign", "malignant"))
    examples = [{"title": evil, "caption": f"{evil} x", "png": None}]
    made = Page(study_page(study, title=evil, provenance={evil: {evil: evil}}, examples=examples))
    assert not {"script", "i"} & set(made.tags)
    assert made.open == []


def test_no_name_turns_the_text_after_it_around():
    page = study_page(fake_study(), title="be\u202enign\x1b", provenance={"\u2066x": {"a": "\x07"}})
    assert not set("\u202e\u2066\x1b\x07") & set(page) and r"be\u202enign\x1b" in page and r"\u2066x" in page


def test_an_interval_without_width_is_not_shown_as_certainty():
    equal = {"low": np.nan, "high": np.nan, "method": Method(UNDEFINED, "all resamples equal")}
    level = SubgroupEstimate("sex", "F", estimate("dice", 0.0, 6, **equal))
    made = Page(study_page(fake_study(subgroups=(level,)), title="t", provenance={}))
    assert "0.000 (no interval: all resamples equal), 6 lesions" in made.prose
    (said,) = [s for s in summary.summary_sentences(with_estimate("dice", **equal)) if "mean Dice" in s]
    assert said.endswith("(no interval: all resamples equal).")


def with_estimate(name, **changes):
    """A fake study in which one estimate is changed."""
    study = fake_study()
    changed = [dataclasses.replace(e, **changes) if e.name == name else e for e in study.estimates]
    return dataclasses.replace(study, estimates=tuple(changed))


def test_intervals_of_few_cases_are_marked():
    method = PERCENTILE_FEW
    level = SubgroupEstimate("sex", "F", estimate("dice", 0.3, 6, method=method))
    made = Page(study_page(fake_study(subgroups=(level,)), title="t", provenance={}))
    assert "0.300 (0.200 to 0.400, few cases), 6 lesions" in made.prose
    study = with_estimate("dice", method=method)
    assert any("likely too narrow: dice." in sentence for sentence in summary.summary_sentences(study))
    assert "percentile bootstrap of cases (few cases: likely too narrow)" in Page(page_of(study)).prose


def test_uneven_views_are_told_beside_the_numbers_of_patients():
    study = fake_study(some_results(case_id="p{}"))
    uneven = [dataclasses.replace(r.truth, attributes={**r.truth.attributes, "case_id": case}) for r, case in
              zip(some_results(9), "aabbcccccc"[:9], strict=True)]  # fmt: skip
    kept = [
        ImageResult(dataclasses.replace(truth, lesions=() if truth.attributes["case_id"] == "c" else truth.lesions), ())
        for truth in uneven
    ]
    words = "Normal patients have 5.0 images on average, those with tumour 2.0; by the rule any"
    sentences = summary.summary_sentences(fake_study(kept))
    (position,) = [n for n, sentence in enumerate(sentences) if sentence.startswith(words)]
    assert sentences[position - 1].startswith("The AUC for separating patients with a tumour from those without")
    assert words in next(figure.caption for figure in study_figures(fake_study(kept)) if figure.name == "fig-roc")
    assert not any("Normal patients" in sentence for sentence in summary.summary_sentences(study))
    by_mean = fake_study(kept, settings=StudySettings(rule="mean"))
    assert not any("Normal patients" in sentence for sentence in summary.summary_sentences(by_mean))


def test_the_summary_gives_the_auc_of_images_and_of_patients():
    study = with_estimate("patient_auc", value=0.469, low=0.2, high=0.7)
    said = " ".join(summary.summary_sentences(study))
    assert "The AUC for separating patients with a tumour from those without was 0.469" in said
    (wide,) = [s for s in summary.summary_sentences(study) if "Much uncertainty" in s]
    assert "patient auc" in wide


def test_further_tables_come_after_the_headline():
    table = ("Folds", "A <note>.", ["measure", "fold 1"], [["dice <b>", "0.512"]])
    made = Page(page_of(fake_study(), extra_tables=[table]))
    prose = made.prose.partition("The interval holds the values")[2]
    assert prose.index("dice <b> 0.512 A <note>.") < prose.index("Curves over the score threshold")
    assert ("a", "href", "#table-1") in made.attributes and ("h2", "id", "table-1") in made.attributes


def test_the_note_on_counts_quotes_this_report():
    study = fake_study()
    recall = next(e for e in study.estimates if e.name == "lesion_recall")
    assert f"“{estimates.count_text(recall)}” counts successes" in Page(page_of(study)).prose
    without = dataclasses.replace(
        study, estimates=tuple(dataclasses.replace(e, successes=None) for e in study.estimates)
    )
    made = Page(page_of(without)).prose
    assert "counts successes" not in made and "Where there is no such count" in made


def test_a_subgroup_without_anything_to_measure_is_a_dash():
    nothing = SubgroupEstimate("sex", "F", estimate("dice", np.nan, 0))
    some = SubgroupEstimate("sex", "M", estimate("dice", 0.5, 3))
    made = Page(page_of(fake_study(subgroups=(nothing, some)))).prose
    assert "sex F – sex M 0.500" in made


def test_what_a_run_recorded_is_shown_without_brackets():
    sets = {"train": [{"name": "a", "images": 3}, {"name": "b", "images": 4}], "test": []}
    made = Page(page_of(fake_study(), provenance={"Training": {"datasets": sets}})).prose
    assert "datasets.train.1.name a" in made and "datasets.train.2.images 4" in made and "{" not in made


def test_settings_are_in_words():
    made = Page(page_of(fake_study())).prose
    assert "a lesion is found if a finding overlaps it with an IoU of at least 0.50" in made.partition("Settings")[2]
    assert "smallest subgroup" not in made and "subgroups shown with at least 1 image" in made


def page_of(study, **options):
    return study_page(study, **{"title": "t", "provenance": {}, **options})


def test_images_that_were_not_predicted_are_in_the_summary():
    study = fake_study()
    assert not any("count as without findings" in sentence for sentence in summary.summary_sentences(study))
    counts = study.evaluation.metrics["counts"]
    counts |= {"n_images_absent": 2, "n_images_failed": 1}
    assert any(sentence.startswith("3 of the ") for sentence in summary.summary_sentences(study))
    counts |= {"n_images_absent": None, "n_images_failed": 0}  # a plain results list
    assert not any("count as without findings" in sentence for sentence in summary.summary_sentences(study))


@pytest.mark.parametrize(("rule", "words"), [("any", "the highest of"), ("mean", "the mean of")])
def test_truth_score_and_call_are_defined(rule, words):
    made = Page(page_of(fake_study(settings=StudySettings(rule=rule, score_threshold=0.3, iou_threshold=0.6))))
    definitions = made.prose.rpartition("Definitions")[2]
    for term in ("Truth of an image", "Score and call of an image", "Truth of a patient", f"The score is {words}"):
        assert term in definitions
    assert "at least 0.3" in definitions and "IoU is at least 0.6" in definitions


def test_a_patient_who_must_be_located_changes_the_texts_of_what_follows():
    plain, located = (Page(page_of(fake_study(settings=StudySettings(require_located=r)))).prose for r in (False, True))
    words = "right only if one of its lesions was also located"
    assert words not in plain and "called positive and located" not in plain
    assert located.count(words) == 4
    assert "predictive values, F1, Matthews correlation and classes do not" in located
    assert "Whether a lesion was located does not matter here." in located
    assert metric_text("patient_ppv", located=True) == metric_texts()["patient_ppv"]


def test_the_note_on_intervals_claims_no_more_than_is_true(text, page):
    assert "Whole cases were drawn" not in page.prose
    assert "The bootstrap draws whole cases" in page.prose
    assert "overlaps at all" not in text and "no finding overlaps" not in text


def test_headings_stay_with_their_pictures_in_print(text):
    assert "display: flex" not in text  # before a flex container, browsers do not obey break-after: avoid
    assert "display: inline-block" in text.partition("@media print")[2]


def test_a_temperature_answers_the_item_on_recalibration():
    for temperature, status in ((None, "not answered"), (1.5, "partly")):
        made = Page(page_of(fake_study(settings=StudySettings(temperature=temperature))))
        assert f"12f recalibration or other updating of the model {status}" in made.prose


def test_a_split_of_other_annotations_answers_nothing():
    split = {"split_sha256": "ab", "annotations": NOT_OF_SPLIT}
    made = Page(page_of(fake_study(), provenance={"Split": split}))
    assert "12a how the data were divided not answered" in made.prose


@pytest.mark.parametrize(("sha256", "status"), [(None, "not answered"), ("ab", "partly")])
def test_the_checklist_knows_what_is_recorded(sha256, status):
    provenance = {"Split": {"split_kind": "given", "split_sha256": sha256}}
    made = Page(study_page(fake_study(), title="t", provenance=provenance))
    assert f"12a how the data were divided {status}" in made.prose


def no_finding(results):
    return [ImageResult(result.truth, ()) for result in results]


STUDIES = {
    "nothing at all": [],
    "one image": some_results(1),
    "no findings": no_finding(some_results(6)),
    "no lesions": [
        ImageResult(AnnotatedImage(i, f"{i}.png", (20, 20)), (finding((20, 20), 2, 2, 5, 0.9),)) for i in range(3)
    ],
    "tumors only": [result for result in some_results(6) if result.truth.lesions],
}


@pytest.mark.parametrize("name", STUDIES)
def test_studies_with_little_in_them(name):
    study = fake_study(STUDIES[name])
    made = Page(study_page(study, title="t", provenance={}))
    assert all(figure.draw().axes for figure in study_figures(study))
    assert re.search(r"\bnan\b", made.prose, re.IGNORECASE) is None
    assert made.open == []
    assert made.tags.count("figure") == made.tags.count("figcaption")
    if name != "no findings":
        assert "undefined: no images to measure it on" in made.prose


def test_the_same_study_gives_the_same_bytes(text):
    assert full_page() == text


def test_without_subgroups_tests_and_pictures():
    made = Page(study_page(fake_study(subgroups=(), tests=()), title="t", provenance={"Command": {}}))
    for words in ("No subgroups:", "No tests:", "No pictures:"):
        assert words in made.prose


def test_temperature_shows_before_and_after():
    study = fake_study(settings=StudySettings(temperature=1.7))
    assert "the lines before for comparison" in study_page(study, title="t", provenance={})


def test_a_study_as_it_is_measured():
    study = measure(some_results(10), CLASSES, StudySettings(n_resamples=10))
    made = Page(study_page(study, title="t", provenance={}))
    assert {e.name for e in study.estimates} <= set(metric_texts())
    assert set(HEADLINE) - {e.name for e in study.estimates} == {
        "hausdorff_95_mm",
        "image_brier_calibrated",
        "image_ece_calibrated",
    }
    assert re.search(r"\bnan\b", made.prose, re.IGNORECASE) is None
    for remark in study.remarks:
        assert remark in made.prose


# What is below needs no page.


def names_of_the_interface():
    overlap = ["dice", "dice_matched", "iou", "iou_matched", "image_dice", "image_iou", "image_missed_whole"]
    overlap += [f"pixel_{name}" for name in ("precision", "recall", "specificity", "accuracy", "f1")]
    overlap += [f"pixel_{name}_mean" for name in ("precision", "recall", "specificity", "accuracy")]
    distances = [f"{name}_{unit}" for name in ("hausdorff", "hausdorff_95", "average_surface_distance")
                 for unit in ("px", "mm")]  # fmt: skip
    surface = [f"normalized_surface_dice{part}" for part in ("", "_matched", "_mm", "_matched_mm")]
    lesions = ["lesion_recall", "lesion_precision", "lesion_f1"]
    lesions += ["located_above_0", "located_above_0.2", "located_above_0.5", "froc_mean"]
    lesions += [f"froc_at_{rate}" for rate in (0.125, 0.25, 0.5, 1, 2, 4, 8)]
    lesions += ["false_positives_per_image", "false_positives_per_normal_image"]
    detection = ["mask_ap", "mask_ap50", "box_ap", "box_ap50"]
    binary = ["auc", "auc_pr", "sensitivity", "specificity", "ppv", "npv", "accuracy", "balanced_accuracy"]
    binary += ["f1", "mcc", "kappa", "brier", "ece", "brier_calibrated", "ece_calibrated"]
    classes = ["accuracy", "balanced_accuracy", "macro_f1", "mcc", "macro_auc"]
    classes += ["kappa", "kappa_linear", "kappa_quadratic"]
    calls = [f"{unit}_{name}" for unit in ("image", "patient") for name in [*binary, *(f"class_{n}" for n in classes)]]
    referral = ["image_aurc", "image_aurc_by_uncertainty", "image_accuracy_referring_10", "image_accuracy_referring_20"]
    return overlap + distances + surface + lesions + detection + calls + referral


def test_every_measure_is_defined_in_one_sentence():
    assert set(names_of_the_interface()) == set(metric_texts())
    for text in metric_texts().values():
        assert text[0].isupper() and text.endswith(".") and "{" not in text


@pytest.mark.parametrize(
    ("name", "options", "value", "interval"),
    [
        ("dice", {}, "0.500", "0.400 to 0.600"),
        ("mask_ap", {"value": 51.26, "low": 40.04, "high": 60.0}, "51.3 %", "40.0 to 60.0 %"),
        ("hausdorff_px", {"value": 3.14159, "low": 2.0, "high": float("nan")}, "3.1 px", "undefined"),
        ("hausdorff_95_mm", {"value": 3.0, "low": 2.0, "high": 4.0}, "3.0 mm", "2.0 to 4.0 mm"),
        ("normalized_surface_dice_mm", {}, "0.500", "0.400 to 0.600"),
        ("image_kappa", {"value": -1e-9, "low": -0.1, "high": 0.1}, "0.000", "-0.100 to 0.100"),
    ],
)
def test_numbers_as_text(name, options, value, interval):
    one = estimate(name, **{"value": 0.5, "n": 4, **options})
    assert estimates.number_text(one) == value
    assert estimates.interval_text(one) == interval


def test_counts_and_methods_as_text():
    one = estimate("lesion_recall", 0.5, 4, n_defined=7, method=Method("percentile", "(no jackknife)"))
    assert estimates.count_text(one) == "2 of 4 lesions"
    assert estimates.method_text(one, 10) == "percentile bootstrap of cases (no jackknife); 7 of 10 resamples defined"
    assert estimates.value_cell(estimate("dice", np.nan, 0)) == "undefined: no lesions to measure it on"
    method = Method("clopper-pearson", "for 3 cases of the rarer kind (all resamples equal)")
    exact = estimate("image_auc", 1.0, 9, method=method)
    assert estimates.method_text(exact, 10).startswith("Clopper-Pearson for 3 cases")
    one_class = estimate("image_mcc", np.nan, 9, method=Method(UNDEFINED, "cannot be computed"))
    assert estimates.value_cell(one_class) == "undefined: cannot be computed from these 9 images"


@pytest.mark.parametrize("items", [items for _, items in checklists()])
def test_a_checklist_promises_only_what_the_report_holds(items):
    everything, nothing = filled(items, facts()), filled(items, ())
    assert everything == list(items)
    assert len({item.number for item in items}) == len(items)
    for item, bare in zip(items, nothing, strict=True):
        assert set(item.needs) <= set(facts())
        assert bare.status == (NOT_ANSWERED if item.needs else item.status)
        assert item.section or item.status == NOT_ANSWERED
        assert AUTHORS in bare.answer or not item.needs
