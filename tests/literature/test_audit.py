"""The audit finds, from the numbers as printed, everything that is known to be wrong with them."""

import pytest

from segtumor.literature.audit import (
    HOW_TO_READ,
    AuditedClaim,
    as_markdown,
    as_rows,
    audit,
    counts_text,
    only_failures,
    summary,
    total_text,
    verdict_text,
)
from segtumor.literature.claims.outcome import (
    FAILS,
    HOLDS,
    NOT_PRINTED,
    UNKNOWN,
    VERDICTS,
)
from segtumor.literature.entries.plain_yaml import read_yaml
from segtumor.literature.entries.reading import load_entries, load_entry
from segtumor.literature.entry import QUOTED, SOURCE, TRIAL

ENTRIES = load_entries()
FINDINGS = audit(ENTRIES.values())

#: (entry, claim, verdict, recomputed, words of the reason); each is a line of what an audit must find.
KNOWN = [
    (
        "resnet50_vgg19_tissue",
        "first table, from the second's counts: accuracy, ResNet50",
        FAILS,
        "89.83% (Wilson 84.5%-93.5%)",
        "159/177",
    ),
    (
        "resnet50_vgg19_tissue",
        "first table, from the second's counts: accuracy, VGG19",
        FAILS,
        "79.10% (Wilson 72.5%-84.4%)",
        "140/177",
    ),
    ("resnet50_vgg19_tissue", "first table: accuracy, ResNet50", FAILS, "93.79%", "no count out of 177"),
    ("resnet50_vgg19_tissue", "second table: kappa, ResNet50", UNKNOWN, "0.8357 (0.764-0.908)", "not print"),
    ("resnet50_vgg19_tissue", "second table: kappa, VGG19", UNKNOWN, "0.6531 (0.555-0.751)", "not print"),
    ("fast_mask_rcnn_vgg19", "Table 2: F1, YOLO", FAILS, "85.909%", "2PR/(P+R)"),
    (
        "fast_mask_rcnn_vgg19",
        "Table 2: all models tested on one set",
        FAILS,
        "0.453 for Proposed, 0.483 to 0.503 for the others",
        "not one test set",
    ),
    ("xu_2024", "Table 4: sensitivity, reader B, below 80 mm", FAILS, "55/60", "another cut-off"),
    ("xu_2024", "Table 4: sensitivity, reader A, 80 mm and more", FAILS, "66/67", "another cut-off"),
    ("xu_2024", "Table 4: sensitivity, reader B, 80 mm and more", FAILS, "65/67", "another cut-off"),
    ("xu_2024", "text: tumors missed by both readers", FAILS, "at most 5", "impossible: the readers made 5 and 7"),
    (
        "xu_2024",
        "text: normal subjects misread by both readers",
        FAILS,
        "at most 15",
        "impossible: the readers made 26 and 15",
    ),
    (
        "xu_2024",
        "Table 4: kappa, reader B",
        FAILS,
        "0.8408 (0.7771-0.9045)",
        "upper bound recomputes to 0.905, not 0.901",
    ),
    ("xu_2024", "external test set: specificity", HOLDS, "0.8966", "FP 15"),
    ("xu_2024", "external test set: precision", UNKNOWN, "0.7857", "not print"),
    ("xu_2024", "external test set: kappa", UNKNOWN, "0.8161 (0.731-0.901)", "not print"),
    ("xu_2024", "Table 1: SD of age, centre 4", FAILS, "at least 5.6", "impossible with 17.4% below 18"),
    ("li_2023", "located, external, as its abstract prints it", FAILS, "85.268%", "191/224"),
    ("park_2022", "measured independently of FemurTumorNet 2023", FAILS, "5 of 5", "did not measure"),
    ("femurtumornet_2023", "measured independently of Park 2022", FAILS, "5 of 5", "did not measure"),
    ("yao_2025", "YOLOv8n-cls, as quoted elsewhere: recall, malignant", FAILS, "0.7344", "it is the precision, 47/56"),
    (
        "yao_2025",
        "authors' validation list: tumor images that share a case with training",
        UNKNOWN,
        "0.6818",
        "255/374",
    ),
    (
        "yao_2025",
        "authors' validation list: malignant images that share a case with training",
        UNKNOWN,
        "0.7500",
        "48/64",
    ),
]
#: Found beyond that list.
MORE = [
    ("fast_mask_rcnn_vgg19", "Table 2: F1, ResNet50", FAILS, "88.521%", "2PR/(P+R)"),
    ("fast_mask_rcnn_vgg19", "Table 2: F1, Proposed", HOLDS, "96.002%", "cut off, not rounded"),
    (
        "fast_mask_rcnn_vgg19",
        "Table 2 and related work: ResNet101 measured on this data",
        FAILS,
        "89.51%",
        "these very numbers",
    ),
    ("resnet50_vgg19_tissue", "first table, from VGG19's counts: macro recall", FAILS, "75.56%", "177"),
    ("xu_2024", "Table 4: accuracy, reader A, 80 mm and more", FAILS, "0.9851", "66/67"),
    ("xu_2024", "Table 4: accuracy, reader B, 80 mm and more", FAILS, "0.9701", "65/67"),
    ("xu_2024", "Table 4: model, accuracy by age at 18 years", FAILS, "0.1804 ((n - 1)/n)", "no variant"),
    ("xu_2024", "Table 4: reader A, accuracy by age at 18 years", FAILS, "0.6891 ((n - 1)/n)", "no variant"),
    ("xu_2024", "Table 4: reader B, accuracy by age at 18 years", FAILS, "0.5076 ((n - 1)/n)", "no variant"),
    ("xu_2024", "Table 4: model, P printed for 10 years, from the counts at 18", HOLDS, "0.1804", "(n - 1)/n"),
    ("xu_2024", "Table 4: reader B, P printed for 10 years, from the counts at 18", HOLDS, "0.5076", "(n - 1)/n"),
    ("xu_2024", "Table 4: model, accuracy by tumor size", HOLDS, "0.4970 ((n - 1)/n)", "(n - 1)/n"),
    ("xu_2024", "Table 4: reader A, accuracy by tumor size", HOLDS, "0.1360 ((n - 1)/n)", "(n - 1)/n"),
    ("xu_2024", "Table 4: reader B, accuracy by tumor size", HOLDS, "0.1891 ((n - 1)/n)", "(n - 1)/n"),
    ("xu_2024", "Table 2: accuracy by centre", HOLDS, "0.1559 (no correction)", "no correction"),
    ("xu_2024", "Table 3: accuracy by device", HOLDS, "0.1833 (no correction)", "no correction"),
    ("xu_2024", "Table 1: sex by centre", HOLDS, "0.0027", "no correction"),
    ("xu_2024", "Table 4: kappa, model against reader A", UNKNOWN, "0.0000 to 0.0014", "only bounds"),
    ("xu_2024", "Table 4: kappa, model against reader B", UNKNOWN, "0.0005 to 0.0389", "only bounds"),
    (
        "xu_2024",
        "Table 4: kappa, model against reader A, under 18",
        FAILS,
        "0.0156 to 0.0391",
        "smaller than any two-sided",
    ),
    (
        "xu_2024",
        "Table 4: kappa, model against reader B, under 18",
        FAILS,
        "0.1250 to 0.2188",
        "smaller than any two-sided",
    ),
    (
        "xu_2024",
        "text: kappa of the two readers",
        HOLDS,
        "0.7477 (0.6700-0.8255)",
        "35 disagreements and 9 shared errors",
    ),
    ("xu_2024", "text: if 12 and 35 mean by either reader", FAILS, "0.7045, 0 + 6 shared errors", "41 disagreements"),
    ("xu_2024", "text and Table 1: SD of age, centre 4, from the cohort's", FAILS, "4.8 to 10.1", "another value"),
    ("xu_2024", "text: test patients of centre 2 are 20% of its tumor patients", FAILS, "12.2", "21.3%"),
    ("yamana_2025", "intervals of both models are of one test set", FAILS, "YOLO: n = 728 to 781", "no common number"),
    ("yao_2025", "YOLOv8n-cls, from its confusion matrix, as quoted elsewhere: macro F1", FAILS, "0.8555", "751"),
    ("yao_2025", "authors' validation list: lesions", FAILS, "492 to 496", "differ"),
]


@pytest.mark.parametrize(("entry", "claim", "verdict", "recomputed", "reason"), KNOWN + MORE)
def test_a_known_finding_comes_out(entry, claim, verdict, recomputed, reason):
    found = [f for f in FINDINGS if (f.entry, f.claim) == (entry, claim)]
    assert [f for f in found if f.verdict == verdict and recomputed in f.recomputed and reason in f.why], found


def test_everything_that_alrabai_prints_recomputes():
    own = [f for f in FINDINGS if f.entry == "alrabai_2026"]
    assert len([f for f in own if f.verdict == HOLDS]) == 12
    assert [f for f in own if f.verdict == FAILS] == []
    assert {f.recomputed[:6] for f in own if f.printed == NOT_PRINTED} == {"0.5146", "0.5150"}


def test_every_auc_interval_of_the_knee_study_is_the_binomial_exact_one():
    own = [f for f in FINDINGS if f.kind == "auc_interval"]
    assert len(own) == 7
    assert {f.verdict for f in own} == {HOLDS}
    assert all("binomial exact" in f.why for f in own)
    assert any("1.000 x 159 of 159" in f.why for f in own)


def test_every_other_kappa_interval_of_table_4_is_the_large_sample_one():
    own = [f for f in FINDINGS if f.entry == "xu_2024" and f.kind == "kappa_interval" and f.printed != NOT_PRINTED]
    assert len(own) == 9
    assert [f.claim for f in own if f.verdict != HOLDS] == ["Table 4: kappa, reader B"]


def test_table_1_recomputes_but_for_one_standard_deviation():
    own = [f for f in FINDINGS if f.entry == "xu_2024" and f.claim.startswith("Table 1:")]
    assert len(own) > 75
    assert [f.claim for f in own if f.verdict == FAILS] == ["Table 1: SD of age, centre 4"]


def test_no_recomputed_number_stands_in_the_data():
    for text in ("0.905", "89.8", "79.1%", "85.91", "0.453", "0.786", "0.816", "5.6", "0.7477"):
        for entry_id in ("xu_2024", "resnet50_vgg19_tissue", "fast_mask_rcnn_vgg19"):
            assert f'"{text}' not in ENTRIES[entry_id].path.read_text("utf-8"), (entry_id, text)


def test_every_source_with_claims_is_audited_once_per_claim():
    assert len(FINDINGS) == sum(len(entry.claims) for entry in ENTRIES.values())
    keys = [(f.entry, f.kind, f.claim) for f in FINDINGS]
    assert len(set(keys)) == len(keys)
    assert {f.verdict for f in FINDINGS} == set(VERDICTS)
    assert sum(summary(FINDINGS).values()) == len(FINDINGS)
    assert len(only_failures(FINDINGS)) == summary(FINDINGS)[FAILS]


def test_a_changed_copy_is_seen(tmp_path):
    text = ENTRIES["alrabai_2026"].path.read_text("utf-8").replace("id: alrabai_2026", "id: copied")
    path = tmp_path / "copied.yaml"
    path.write_text(text.replace('rate: accuracy, printed: "0.7573"', 'rate: accuracy, printed: "0.7673"'))
    findings = audit([load_entry(path)])
    assert [(f.claim, f.recomputed) for f in only_failures(findings)] == [("Table 1: accuracy", "0.75733")]


def test_markdown_has_a_table_per_source_and_escapes_bars():
    text = as_markdown(FINDINGS, ENTRIES, "A notice.")
    assert text.count("| claim | printed |") == len({f.entry for f in FINDINGS})
    assert "A notice." in text and "quoted by" in text
    assert total_text(FINDINGS, len({f.entry for f in FINDINGS})) in text and HOW_TO_READ in text
    assert set(as_rows(FINDINGS)[0]) >= {"entry", "claim", "printed", "recomputed", "verdict", "why"}


@pytest.mark.parametrize(
    ("entry", "words", "whose", "n"),
    [
        ("xu_2024", "P printed for 10 years, from the counts at 18", TRIAL, 3),
        ("xu_2024", "if 12 and 35 mean by either reader", TRIAL, 1),
        ("resnet50_vgg19_tissue", "first table, from ", TRIAL, 8),
        ("resnet50_vgg19_tissue", "first table: accuracy", SOURCE, 2),
        ("yao_2025", "as quoted elsewhere", QUOTED, 6),
        ("li_2023", "as the knee study prints it", QUOTED, 2),
        ("li_2023", "as its abstract prints it", SOURCE, 1),
        ("xu_2024", "tumors missed by both readers", SOURCE, 1),
    ],
)
def test_what_a_source_does_not_claim_itself_is_told_apart(entry, words, whose, n):
    assert [f.whose for f in FINDINGS if f.entry == entry and words in f.claim] == [whose] * n


def test_the_headline_counts_what_sources_claim_themselves():
    own = [f for f in FINDINGS if f.whose == SOURCE]
    counts = summary(own)
    text = total_text(FINDINGS, 20)
    assert text.startswith(
        f"{len(own)} claims of 20 sources: {counts[HOLDS]} hold, {counts[FAILS]} do not hold, "
        f"{counts[UNKNOWN]} cannot be checked; quotes of one source by another: "
    )
    assert "; other readings tried: " in text
    assert counts[FAILS] < len(only_failures(FINDINGS))


def test_one_and_several_are_put_in_words():
    def found(verdict, whose=SOURCE):
        return AuditedClaim("e", "c", "", "", verdict, "", "k", whose)

    assert counts_text([]) == "no claim to recompute"
    assert counts_text([found(HOLDS), found(FAILS)]) == "1 holds, 1 does not hold"
    assert counts_text([found(FAILS)] * 2 + [found(UNKNOWN)]) == "2 do not hold, 1 cannot be checked"
    assert counts_text([found(FAILS, TRIAL)]) == "other readings tried: 1 does not hold"
    assert total_text([found(HOLDS)], 1) == "1 claim of 1 source: 1 holds"
    assert verdict_text(found(FAILS)) == FAILS
    assert verdict_text(found(FAILS, TRIAL)) == "does not hold (another reading)"
    assert verdict_text(found(HOLDS, QUOTED)) == "holds (as quoted)"


def test_a_range_that_rounding_leaves_is_told_where_it_decides():
    why = {f.claim: f.why for f in FINDINGS if f.entry == "fast_mask_rcnn_vgg19"}
    assert "95.997% to 96.007% as these are rounded" in why["Table 2: F1, Proposed"]
    assert "88.516% to 88.526% as these are rounded" in why["Table 2: F1, ResNet50"]


def test_every_claim_of_the_data_has_words_for_a_reader():
    for entry in ENTRIES.values():
        for group in read_yaml(entry.path).get("claims", []):
            assert len(group["rows"]) == len({row["what"] for row in group["rows"]}), (entry.id, group["kind"])
