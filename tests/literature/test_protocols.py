"""Protocols: their names, and that what they measure and what was published meet."""

import dataclasses

import pytest

from segtumor.errors import ConfigError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.literature.comparison.measuring import measure, settings_of
from segtumor.literature.comparison.table import published_by_metric
from segtumor.literature.entries.reading import load_entries
from segtumor.literature.protocols import AS_THEY_ARE, BTXRD, PROTOCOLS, find_protocol

QUICK = StudySettings(n_resamples=2)


def test_an_unknown_name_names_them_all():
    with pytest.raises(ConfigError) as caught:
        find_protocol("btxrd")
    assert all(name in str(caught.value) for name in PROTOCOLS)
    assert find_protocol("xu-2024").settings == {"iou_threshold": 0.2, "rule": "any"}


@pytest.fixture(scope="module")
def entries():
    return load_entries()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_it_names_and_what_was_published_by_it_is_measured(name, six, entries):
    protocol = find_protocol(name)
    estimates, remarks = measure(protocol, six.results, ("benign", "malignant"), QUICK)
    measured = {estimate.name for estimate in estimates}
    assert measured >= {m + one.suffix for one in protocol.passes for m in one.measures}
    published = published_by_metric(dataclasses.replace(protocol, also_shows=()), entries)
    assert published
    assert set(published) <= measured
    boxes_only = all(one.shapes != AS_THEY_ARE for one in protocol.passes)
    assert "have no mask" not in " ".join(remarks)  # the findings have some; that boxes are judged is the protocol's
    assert not (boxes_only and "surface" in " ".join(remarks))


def test_published_rows_name_protocols_that_exist(entries):
    named = {p for entry in entries.values() for result in entry.results for p in result.protocols}
    assert named <= set(PROTOCOLS)
    assert {name for p in PROTOCOLS.values() for name in p.also_shows} <= set(PROTOCOLS)


def test_what_a_protocol_fixes_replaces_the_users_settings():
    mine = StudySettings(score_threshold=0.7, iou_threshold=0.9, seed=4)
    used = settings_of(find_protocol("vonschacky-2021"), mine)
    assert (used.score_threshold, used.iou_threshold, used.seed) == (0.0, 0.5, 4)
    assert settings_of(find_protocol("btxrd-grouped"), mine).score_threshold == 0.7


def test_only_protocols_of_the_public_data_ask_for_a_split():
    for protocol in PROTOCOLS.values():
        asks = bool(protocol.split_kinds or protocol.test_centers)
        assert asks == (protocol.dataset == BTXRD)
