"""The configuration's keys are all read, and a wrong file or key is refused with the nearest right one."""

import ast

import pytest
import yaml
from detectron2.config import CfgNode, get_cfg
from repository import ROOT

import segtumor
from segtumor.config import load_config, new_config
from segtumor.errors import ConfigError
from segtumor.structures.postprocessing import Postprocessing

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"

PACKAGE = CONFIGS.parent / "segtumor"


def flat_keys(node, prefix=""):
    for name, value in node.items():
        if isinstance(value, CfgNode):
            yield from flat_keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def dotted(node):
    """cfg.INPUT.MAX_PIXELS -> "cfg.INPUT.MAX_PIXELS"; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    owner = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return None if owner is None else f"{owner}.{node.attr}"


def keys_read():
    read = set()
    for path in set(PACKAGE.rglob("*.py")) - {PACKAGE / "config.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(dotted(node))
    return read


OWN_KEYS = sorted(set(flat_keys(new_config())) - set(flat_keys(get_cfg())))


def test_segtumor_adds_keys():
    assert {"MODEL.VGG.DEPTH", "INPUT.AUGMENTATION", "POSTPROCESSING.SUPPRESS_IOU"} < set(OWN_KEYS)


def test_every_key_of_segtumor_is_read():
    read = keys_read()
    assert [key for key in OWN_KEYS if f"cfg.{key}" not in read] == []


def test_detectron2s_own_defaults_are_left_as_they_are():
    ours, theirs = new_config(), get_cfg()
    for key in flat_keys(theirs):
        assert eval(f"cfg.{key}", {"cfg": ours}) == eval(f"cfg.{key}", {"cfg": theirs}), key


def test_overrides_win_over_the_file_and_the_file_over_its_base(tmp_path):
    (tmp_path / "base.yaml").write_text("SOLVER: {MAX_ITER: 10, BASE_LR: 0.5}\nSEED: 1\n")
    (tmp_path / "child.yaml").write_text("_BASE_: base.yaml\nSOLVER: {MAX_ITER: 20}\n")
    cfg = load_config(tmp_path / "child.yaml", ["--", "SEED", "3"])
    assert (cfg.SOLVER.MAX_ITER, cfg.SOLVER.BASE_LR, cfg.SEED) == (20, 0.5, 3)
    assert not cfg.is_frozen()


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("SOLVER.MAX_ITERS", "SOLVER.MAX_ITER"),
        ("SOLVER.BEST_METRICS", "SOLVER.BEST_METRIC"),
        ("MODEL.VGG.DEEPTH", "MODEL.VGG.DEPTH"),
        ("POSTPROCESSING.SUPPRES_IOU", "POSTPROCESSING.SUPPRESS_IOU"),
        ("max_iter", "SOLVER.MAX_ITER"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path, key, nearest):
    with pytest.raises(ConfigError, match=f"Did you mean {nearest}") as on_the_line:
        load_config(CONFIGS / "tiny_phantoms.yaml", [key, "1"])
    assert key in str(on_the_line.value) and on_the_line.value.exit_code == 2
    file = tmp_path / "wrong.yaml"
    file.write_text("".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(key.split(".")))[:-1] + " 1\n")
    with pytest.raises(ConfigError, match=f"Did you mean {nearest}"):
        load_config(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SOLVER: {MAX_ITER: many}\n", "wrong value"),
        ("SOLVER: [1, 2]\n", "wrong value"),
        ("SOLVER: {MAX_ITER: {A: 1}}\n", "unknown key"),
        ("_BASE_: nowhere.yaml\n", "wrong value"),
        ("SOLVER: {MAX_ITER: 1\n", "not a YAML configuration"),
        ("just words\n", "wrong value|unknown key|not a YAML"),
        ("", "wrong value|unknown key|not a YAML"),
        ("- 1\n- 2\n", "wrong value|unknown key|not a YAML"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path, text, message):
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(file)
    assert str(file) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_bytes(b"SEED: \xff\x80")
    with pytest.raises(ConfigError, match="not a YAML configuration"):
        load_config(file)


def test_a_file_cannot_run_code(tmp_path):
    trace = tmp_path / "ran"
    file = tmp_path / "hostile.yaml"
    file.write_text(f"SEED: !!python/object/apply:os.system ['touch {trace}']\n")
    with pytest.raises(ConfigError):
        load_config(file)
    assert not trace.exists()


def test_settings_come_in_pairs():
    with pytest.raises(ConfigError, match="pairs"):
        load_config(CONFIGS / "tiny_phantoms.yaml", ["SEED"])


def test_options_come_before_settings():
    with pytest.raises(ConfigError, match=r"options come before settings \(got --dry-run\). Put --dry-run before SEED"):
        load_config(CONFIGS / "tiny_phantoms.yaml", ["SEED", "5", "--dry-run"])


def test_names_in_lists_need_no_quotes_on_the_command_line():
    cfg = load_config(CONFIGS / "tiny_phantoms.yaml", ["DATASETS.TRAIN", "[mine_train]", "SOLVER.BASE_LR", "1"])
    assert (cfg.DATASETS.TRAIN, cfg.SOLVER.BASE_LR) == (("mine_train",), 1.0)


def test_a_wrong_value_names_the_file_that_it_stands_in(tmp_path):
    (tmp_path / "base.yaml").write_text("SOLVER: {BASE_LR: x}\n")
    (tmp_path / "child.yaml").write_text("_BASE_: base.yaml\n")
    with pytest.raises(ConfigError, match=r"base\.yaml, SOLVER\.BASE_LR: wrong value \(got x; expected a number\)"):
        load_config(tmp_path / "child.yaml")


@pytest.mark.parametrize(
    "text",
    ["SOLVER.MAX_ITER: 9\nSOLVER: {MAX_ITER: 8}\n", "MODEL: {RPN: {LOSS_WEIGHT: 1}}\nMODEL.RPN: {LOSS_WEIGHT: 2}\n"],
)
def test_a_key_that_stands_twice_in_two_ways_is_refused(tmp_path, text):
    (tmp_path / "twice.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"twice\.yaml, .*(MAX_ITER|LOSS_WEIGHT): duplicate key"):
        load_config(tmp_path / "twice.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no_such\.yaml"):
        load_config(tmp_path / "no_such.yaml")


def test_the_dumped_configuration_reads_back_equal(tmp_path, tiny_config):
    cfg = tiny_config({"MODEL.CLASS_NAMES": ["benign", "malignant"]})
    file = tmp_path / "config.yaml"
    file.write_text(cfg.dump())
    # As YAML, which does not tell tuples from lists.
    assert yaml.safe_load(load_config(file).dump()) == yaml.safe_load(cfg.dump())


def test_loading_leaves_no_trace_in_the_defaults():
    load_config(CONFIGS / "tiny_phantoms.yaml", ["SEED", "99"])
    assert new_config().SEED == get_cfg().SEED == -1
    assert segtumor.config.new_config().MODEL.CLASS_NAMES == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MODEL.VGG.DEPTH", "17"),
        ("MODEL.VGG.OUT_FEATURES", "['conv6']"),
        ("MODEL.VGG.CHANNELS", "[64, 0]"),
        ("INPUT.WINDOW_PERCENTILES", "[99, 1]"),
        ("INPUT.MIN_SIZE_TEST", "0"),
        ("INPUT.CACHE_MAX_GB", "0"),
        ("SOLVER.CHECKPOINT_PERIOD", "0"),
        ("TEST.CONFIDENCE_THRESHOLD", "5.0"),
        ("TEST.HIT_IOU", "0"),
    ],
)
def test_a_value_that_would_fail_later_is_refused_at_once(key, value):
    with pytest.raises(ConfigError, match=key):
        load_config(CONFIGS / "tiny_phantoms.yaml", [key, value])


def test_an_integer_serves_where_a_fraction_is_the_default():
    cfg = load_config(CONFIGS / "tiny_phantoms.yaml", ["POSTPROCESSING.SUPPRESS_IOU", "1"])
    assert cfg.POSTPROCESSING.SUPPRESS_IOU == 1.0


def test_postprocessing_has_one_set_of_defaults():
    keys = new_config().POSTPROCESSING
    ours = (keys.SUPPRESS_IOU, keys.FILL_HOLES, keys.MIN_PART_FRACTION, keys.SMOOTH_RADIUS_PX, keys.MIN_AREA_PX)
    own = Postprocessing()
    assert ours == (
        own.suppression_iou,
        own.fill_holes,
        own.min_part_fraction,
        own.smooth_radius_px,
        own.min_area_px,
    )
