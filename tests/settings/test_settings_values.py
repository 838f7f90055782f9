"""Values that are wrong are refused by their key; the table stands in ``segtumor.settings.values``."""

import math

import pytest

from segtumor.errors import ConfigError
from segtumor.settings.kinds import as_kind_of, percent_hint
from segtumor.settings.values import RULES, check_values

NAN, INF = math.nan, math.inf
#: Key -> (right values, wrong values).
VALUES = {
    "SOLVER.BASE_LR": ([1e-9, 2], [NAN, INF, -1.0, 0, True, "0.1", None, [0.1]]),
    "SOLVER.MOMENTUM": ([0.0, 0.9], [1.0, -0.1, NAN]),
    "SOLVER.STEPS": ([(), (3, 5)], [(5, 3), (3, 3), (-1,), (0.5,), 3]),
    "SOLVER.WARMUP_ITERS": ([0, 10], [-1, 0.5, NAN]),
    "SOLVER.IMS_PER_BATCH": ([1], [0, -1, 10**7, 1.0]),
    "SOLVER.CLIP_GRADIENTS.CLIP_TYPE": (["norm", "value"], ["foo", "", 1]),
    "SOLVER.CLIP_GRADIENTS.NORM_TYPE": ([2.0, INF], [0.0, NAN, -INF]),
    "SOLVER.WEIGHT_DECAY_BIAS": ([None, 0.0], [-1, NAN, "x"]),
    "TEST.EVAL_PERIOD": ([0, 5], [-1]),
    "TEST.DETECTIONS_PER_IMAGE": ([1], [0, -1]),
    "TEST.CONFIDENCE_THRESHOLD": ([0, 0.5, 1], [50, -0.1, 1.01, NAN]),
    "TEST.HIT_IOU": ([1, 0.1], [0, 2]),
    "DATALOADER.NUM_WORKERS": ([0, 8], [-1, 100_000]),
    "INPUT.MIN_SIZE_TRAIN": ([(64, 96)], [(), (0,), (1,), ("a",), (NAN,), (64.0,), (-5,), 64]),
    "INPUT.MAX_SIZE_TRAIN": ([64], [0, 1, -5, 10**6]),
    "INPUT.MAX_SIZE_TEST": ([64], [0, 1, -5, 10**6]),
    "INPUT.WINDOW_PERCENTILES": ([[0, 100]], [[1, 0], [0], ["a", "b"], [0, 101], [NAN, 5]]),
    "MODEL.DEVICE": (["cpu", "cuda", "cuda:1"], ["tpu", "cuda:x", "", "cpu:0:1", None]),
    "MODEL.ANCHOR_GENERATOR.SIZES": ([[[8, 11.5], [32]]], [[[0], [1]], [[]], [], [32], [["x"]], [[-1]], [[NAN]]]),
    "MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS": ([[[0.5, 2]]], [[[0]], [[INF]]]),
    "MODEL.RPN.PRE_NMS_TOPK_TRAIN": ([1], [0, -1]),
    "MODEL.RPN.IOU_THRESHOLDS": ([[0.3, 0.7]], [[0.7, 0.3], [0.3, 1.5], []]),
    "MODEL.FPN.OUT_CHANNELS": ([64], [0, -4, 1.5]),
    "MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE": ([1], [0]),
    "MODEL.ROI_HEADS.NMS_THRESH_TEST": ([0.5], [5.0]),
    "MODEL.ROI_BOX_HEAD.POOLER_TYPE": (["ROIAlign"], ["foo", ""]),
    "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION": ([7], [0, -1]),
    "MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION": ([7], [0, 10**6]),
    "MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS": ([[], [1, 2.5, 1]], [[NAN, 1, 1], [-1.0, 1, 1], [0, 1, 1], ["a"], [INF]]),
    "MODEL.ROI_BOX_HEAD.NORM": (["", "GN"], ["batch"]),
    "MODEL.PIXEL_STD": ([[1.0, 2.0, 3.0]], [[0.0, 1.0, 1.0], [1.0], [NAN, 1, 1]]),
    "MODEL.KEYPOINT_ON": ([False], [True]),
    "MODEL.WEIGHTS": (["", "a/b.pth", "C:/a.pth"], ["http://a/b.pth", "detectron2://x", "s3://a", "a\0b"]),
    "OUTPUT_DIR": (["output/a"], ["", " ", "s3://bucket/a"]),
    "SEED": ([-1, 0, 42], [2**31, 10**20, -(10**20), 0.5]),
    "POSTPROCESSING.SMOOTH_RADIUS_PX": ([0.0, 100.0], [-1.0, 101.0, NAN]),
    "A.KEY.WITHOUT.ROW": ([0, -5, "x", [[1]], None], [NAN, [INF], [[10**30]], "http://a/b", ["https://a"]]),
}


@pytest.mark.parametrize("key", VALUES)
def test_right_values_pass_and_wrong_ones_are_refused_by_their_key(key):
    right, wrong = VALUES[key]
    for value in right:
        check_values({key: value})
    for value in wrong:
        with pytest.raises(ConfigError, match=f"^{key}: ") as refused:
            check_values({key: value})
        assert refused.value.exit_code == 2 and str(value)[:20].replace("\0", "") in str(refused.value).replace(
            "\0", ""
        )


def test_every_rule_takes_any_value_and_says_what_is_expected():
    for rule in RULES.values():
        for value in (None, True, 1, -1, 0.5, NAN, "x", [], [[]], (), {}, [None], object()):
            rule.holds(value)
        assert rule.expected


@pytest.mark.parametrize(
    ("default", "typed", "value"),
    [
        (0.5, "1", 1.0),
        (0.5, 1, 1.0),
        (0.5, "1e-3", 1e-3),
        (5, "1_000", 1000),
        (True, "False", False),
        (True, "no", False),
        ((), "[mine_train]", ("mine_train",)),
        ((), "[mine_train, 'b']", ("mine_train", "b")),
        ((), "(mine_train,)", ("mine_train",)),
        ((), "('a', 'b')", ("a", "b")),
        ((), ["a"], ("a",)),
        ([], "[[1], [2]]", [[1], [2]]),
        ([], "()", []),
        ("", "2024", "2024"),
        ("", "'cpu'", "cpu"),
        ("", "cuda:0", "cuda:0"),
        ("", "[x]", "[x]"),
        (None, "0.5", 0.5),
        (None, "None", None),
    ],
)
def test_a_typed_value_becomes_what_its_default_is(default, typed, value):
    read = as_kind_of(default, typed, where="KEY")
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("default", "typed", "message"),
    [
        (0.5, "0,01", r"got 0,01; expected a number\). Write it with a point: 0\.01"),
        (0.5, "0,5", r"Write it with a point: 0\.5"),
        (5, "many", "expected a whole number"),
        (5, "5.5", "expected a whole number"),
        (5, True, "expected a whole number"),
        (True, "1", "expected True or False"),
        ((), "mine_train", r"expected a list\). Write \[mine_train\], in quotes"),
        ((), "[a", "expected a list"),
        ((), None, "expected a list"),
        (0.5, None, "expected a number"),
        ("", 3, "expected a text"),
        ("", None, "expected a text"),
        ([], {"a": 1}, "expected a list"),
        (0.5, "((((" * 1000, "expected a number"),
    ],
)
def test_another_kind_is_refused_in_a_sentence(default, typed, message):
    with pytest.raises(ConfigError, match=rf"^KEY: wrong value \(.*{message}"):
        as_kind_of(default, typed, where="KEY")


def test_a_percentage_is_taken_for_what_was_meant():
    assert (
        percent_hint(50) == "Did you mean 0.5?" and percent_hint(0.5) is percent_hint(101) is percent_hint("x") is None
    )
    with pytest.raises(ConfigError, match=r"Did you mean 0\.5"):
        check_values({"TEST.CONFIDENCE_THRESHOLD": 50.0})
