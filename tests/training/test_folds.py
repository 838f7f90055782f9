"""The parts of a cross-validation that need no model: its folds, and what is made of their results."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from segtumor.datasets.splits.cross_validation import common_root, fold_documents, make_folds, rare_classes
from segtumor.datasets.splits.merging import MergedCoco
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.folds import FoldResult, pool_predictions, spread, spreads

#: Ten cases of two images: c0 to c5 normal, c6 to c8 benign, c9 malignant with a normal second view.
CASES = [f"c{number}" for number in range(10) for _ in range(2)]
LABELS = ["normal"] * 12 + ["benign"] * 6 + ["malignant", "normal"]
NAMES = [f"{number:02}.png" for number in range(20)]


def folds(**options):
    return make_folds(NAMES, CASES, LABELS, **{"folds": 3, "val_fraction": 0.25, **options})


def cases_of(positions):
    return {CASES[i] for i in positions}


def test_every_image_is_tested_once_and_no_case_is_in_two_parts_of_a_fold():
    split, made = folds()
    assert Counter(i for fold in made for i in fold.test) == Counter(range(20))
    for fold in made:
        train, val, test = (cases_of(positions) for positions in fold.parts.values())
        assert train and val and test and not (train & val or train & test or val & test)
        assert sorted(fold.train + fold.val + fold.test) == list(range(20))
        assert {split.assignment[NAMES[i]]["part"] for i in fold.test} == {f"fold{fold.number}"}
    assert split.kind == "kfold" and split.parts == ("fold1", "fold2", "fold3")


def test_folds_and_validation_parts_are_alike_in_their_labels():
    _, made = folds()
    assert [Counter(LABELS[i] for i in fold.test)["benign"] for fold in made] == [2, 2, 2]
    assert all(Counter(LABELS[i] for i in fold.val)["benign"] == 2 for fold in made)


def test_the_seed_decides_and_the_same_one_repeats():
    assert folds(seed=1) == folds(seed=1)
    assert any(folds(seed=1)[1] != folds(seed=seed)[1] for seed in (2, 3, 4))


def test_something_validates_even_where_every_label_has_one_case():
    _, made = make_folds(list("abc"), list("abc"), ["normal", "benign", "malignant"], folds=3, val_fraction=0.1)
    assert [(len(fold.train), len(fold.val), len(fold.test)) for fold in made] == [(1, 1, 1)] * 3


def test_without_a_validation_fraction_all_others_train():
    _, made = folds(val_fraction=0.0)
    assert all(fold.val == () and len(fold.train) + len(fold.test) == 20 for fold in made)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "--folds.*got 1.*2 to 10"),
        ({"folds": 11}, "--folds.*got 11.*2 to 10"),
        ({"val_fraction": 1.0}, "--val-fraction"),
        ({"val_fraction": math.nan}, "--val-fraction"),
        ({"seed": -1}, "--seed"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        folds(**options)


def test_a_class_with_fewer_cases_than_folds_is_remarked():
    shown = [{label} for label in LABELS]
    assert rare_classes(CASES, shown, ["normal", "benign", "malignant"], folds=2) == [
        "Class malignant has 1 case, fewer than the 2 folds: in some folds it cannot be tested."
    ]
    assert rare_classes(CASES, shown, ["normal", "benign"], folds=3) == []
    assert rare_classes(CASES, shown, ["chondroma"], folds=3)[0].startswith("Class chondroma has 0 cases")


def merged(roots):
    images = [{"id": i, "file_name": name} for i, name in enumerate(itertools.chain(*roots.values()), start=1)]
    annotations = [{"id": 1, "image_id": 1, "category_id": 1}, {"id": 2, "image_id": 3, "category_id": 1}]
    categories = [{"id": 1, "name": "benign"}]
    return MergedCoco(images=images, annotations=annotations, categories=categories, info={"year": 1}, roots=roots)


def test_images_of_one_folder_keep_their_names():
    one = merged({Path("/data/a"): ["x.png", "sub/y.png", "z.png"]})
    assert common_root(one) == (Path("/data/a"), one)


def test_images_of_several_folders_are_named_from_their_common_one():
    root, joined = common_root(merged({Path("/data/a/images"): ["x.png", "sub/y.png"], Path("/data/b"): ["z.png"]}))
    assert root == Path("/data")
    assert [image["file_name"] for image in joined.images] == ["a/images/x.png", "a/images/sub/y.png", "b/z.png"]
    inside, nested = common_root(merged({Path("/data"): ["x.png", "y.png"], Path("/data/b"): ["z.png"]}))
    assert inside == Path("/data") and nested.images[2]["file_name"] == "b/z.png"


def test_the_documents_of_a_fold_hold_their_images_with_the_same_ids():
    names = ["x.png", "y.png", "z.png"]
    whole = merged({Path("/data"): names})
    split, made = make_folds(names, names, ["benign"] * 3, folds=3, val_fraction=0.0)
    for fold in made:
        documents = dict(fold_documents(whole, fold, folds=3, split_sha256=split.sha256))
        assert list(documents) == ["train", "test"]
        (tested,) = documents["test"]["images"]
        assert tested in whole.images and tested not in documents["train"]["images"]
        assert [a["image_id"] for a in documents["test"]["annotations"]] == [i for i in (1, 3) if i == tested["id"]]
        assert documents["test"]["info"] == {
            **{"year": 1, "fold": fold.number, "folds": 3, "part": "test"},
            **{"split_kind": "kfold", "split_sha256": split.sha256},
        }


@pytest.mark.parametrize(
    ("values", "mean", "sd", "n"),
    [
        ([1.0, 2.0, 3.0], 2.0, 1.0, 3),
        ([1.0, math.nan, 3.0], 2.0, math.sqrt(2), 2),
        ([5.0, math.nan], 5.0, math.nan, 1),
        ([math.nan], math.nan, math.nan, 0),
    ],
)
def test_spread_counts_the_folds_that_define_a_measure(values, mean, sd, n):
    found = spread(values)
    np.testing.assert_allclose([found.mean, found.sd], [mean, sd])
    assert found.n_folds == n


def test_spreads_are_by_measure():
    results = [
        FoldResult(1, 4, 2, 3, {"dice": 0.5, "recall": 1.0}),
        FoldResult(2, 4, 2, 0, {"dice": 0.7, "recall": 0.0}),
    ]
    assert {name: round(s.mean, 6) for name, s in spreads(results).items()} == {"dice": 0.6, "recall": 0.5}


def document(*names, model="m"):
    return {
        "schema_version": 1,
        "categories": [{"id": 1, "name": "benign"}],
        "images": [{"image_id": i, "file_name": name, "status": "ok"} for i, name in enumerate(names, start=1)],
        "annotations": [
            {"image_id": i, "score": 0.5, "of": f"{model} {name}"} for i, name in enumerate(names, start=1)
        ],
    }


def test_pooled_predictions_keep_each_images_findings():
    pooled = pool_predictions([document("c.png", "a.png"), document("b.png")], ["a.png", "b.png", "c.png"])
    assert [(i["image_id"], i["file_name"]) for i in pooled["images"]] == [(1, "a.png"), (2, "b.png"), (3, "c.png")]
    assert [(a["image_id"], a["of"]) for a in pooled["annotations"]] == [(1, "m a.png"), (2, "m b.png"), (3, "m c.png")]
    assert pooled["schema_version"] == 1 and pooled["categories"] == [{"id": 1, "name": "benign"}]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([document("a.png"), document("a.png", "b.png")], "twice.*a.png"),
        ([document("a.png", "b.png"), document("q.png")], "not in any fold.*q.png"),
        ([document("a.png")], "1 images are predicted by no fold.*b.png"),
    ],
)
def test_predictions_that_are_no_division_of_the_images_are_refused(documents, message):
    with pytest.raises(DataError, match=message):
        pool_predictions(documents, ["a.png", "b.png"])
