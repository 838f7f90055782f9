"""What can be checked of the comparison of levers without training: their settings, and the table."""

import pytest

from benchmarks.levers import LEVERS, MEASURES, ROOT, table_of
from segtumor.config import load_config
from segtumor.settings.nested import leaves

pytestmark = pytest.mark.model
_BASELINE = ROOT / "configs" / "btxrd256_lite0.yaml"


@pytest.mark.parametrize("name", LEVERS)
def test_every_lever_can_be_set_and_changes_the_baseline(name):
    lever = LEVERS[name]
    settings, baseline = (dict(leaves(load_config(_BASELINE, chosen))) for chosen in (lever.settings, ()))
    changed = {key for key, value in settings.items() if baseline[key] != value}
    assert changed == set(lever.settings[::2])  # no setting of it says what the baseline says already
    assert (name == "baseline") == (not changed and lever.times == 1 and not lever.first)


def test_a_line_for_each_lever_with_the_mean_and_each_of_its_seeds():
    values = {key: 0.5 for _, key, _ in MEASURES}
    rows = [
        {"lever": "anchors", "seed": 42, **values, "mask_ap50": 8.0, "image_auc": None},
        {"lever": "baseline", "seed": 42, **values, "mask_ap50": 10.0},
        {"lever": "baseline", "seed": 43, **values, "mask_ap50": 13.0, "froc_mean": 0.25},
    ]
    assert table_of(rows).splitlines()[2:] == [
        "| `baseline` | 2 | 11.5 (10.0, 13.0) | 0.375 (0.500, 0.250) | 0.500 (0.500, 0.500) | 0.500 (0.500, 0.500) |"
        " 0.500 (0.500, 0.500) | 0.500 (0.500, 0.500) |",
        "| `anchors` | 1 | 8.0 | 0.500 | 0.500 | 0.500 | 0.500 |  |",
    ]
