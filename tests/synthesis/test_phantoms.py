"""What the drawn cases promise: the same from the same seed, lesions one can see under their masks, plain normals."""

import numpy as np
import pytest

from segtumor.errors import ConfigError
from segtumor.synthesis.phantoms import generator, make_case, make_phantoms
from segtumor.synthesis.phantoms.acquisition import open_field
from segtumor.synthesis.phantoms.generator import label_of_case
from segtumor.synthesis.phantoms.glyphs import render_text
from segtumor.synthesis.phantoms.lesions import close_gaps, solid, trim_spurs
from segtumor.synthesis.phantoms.placement import MAX_SIDE, MIN_CONTRAST, MIN_SIDE, place_lesions
from segtumor.synthesis.phantoms.planning import PAINTERS, SUBTYPES_OF_LABEL
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL, SUBTYPE_ENTITY

SIZE_PX = 128


@pytest.fixture(scope="module")
def cases():
    return list(make_phantoms(20, seed=11, size_px=SIZE_PX))


def _same(first, second):
    return (first.case_id, first.image_label, first.age, first.sex, first.site) == (
        second.case_id, second.image_label, second.age, second.sex, second.site,
    ) and all(
        np.array_equal(a.pixels, b.pixels)
        and len(a.lesions) == len(b.lesions)
        and all(np.array_equal(m.mask, n.mask) for m, n in zip(a.lesions, b.lesions, strict=True))
        for a, b in zip(first.views, second.views, strict=True)
    )  # fmt: skip


def test_equal_seeds_give_equal_cases_whatever_the_count(cases):
    shorter = list(make_phantoms(4, seed=11, size_px=SIZE_PX))
    assert all(_same(a, b) for a, b in zip(shorter, cases, strict=False))


def test_another_seed_gives_other_cases(cases):
    assert not _same(next(make_phantoms(1, seed=12, size_px=SIZE_PX)), cases[0])


def test_another_device_shows_the_same_lesions_in_other_pictures(cases):
    for film, digital in zip(make_phantoms(4, seed=11, size_px=SIZE_PX, device="film"), cases, strict=False):
        for seen, view in zip(film.views, digital.views, strict=True):
            assert [lesion.subtype for lesion in seen.lesions] == [lesion.subtype for lesion in view.lesions]
            assert seen.pixels.astype(float).std() < view.pixels.astype(float).std()  # less contrast
            assert not np.array_equal(seen.pixels, view.pixels)
    with pytest.raises(ConfigError, match="digital or film"):
        next(make_phantoms(1, seed=11, size_px=SIZE_PX, device="xerox"))


def test_a_case_does_not_depend_on_global_random_state(cases):
    np.random.seed(3)  # the legacy global state, which must not matter
    assert _same(next(make_phantoms(1, seed=11, size_px=SIZE_PX)), cases[0])


def test_labels_are_four_to_three_to_three_and_start_with_one_of_each():
    labels = [label_of_case(5, index) for index in range(100)]
    assert {label: labels.count(label) for label in set(labels)} == {NORMAL: 40, BENIGN: 30, MALIGNANT: 30}
    assert set(labels[:3]) == {NORMAL, BENIGN, MALIGNANT}


def test_each_case_has_two_views_that_agree(cases):
    for case in cases:
        assert [view.view for view in case.views] == ["frontal", "lateral"]
        frontal, lateral = ([lesion.subtype for lesion in view.lesions] for view in case.views)
        assert frontal == lateral
        assert case.sex in "MF" and 18 <= case.age <= 88


def test_pictures_are_8_bit_and_use_their_range(cases):
    for view in (view for case in cases for view in case.views):
        assert view.pixels.shape == (SIZE_PX, SIZE_PX) and view.pixels.dtype == np.uint8
        assert np.ptp(view.pixels) > 120
        assert 0.2 < view.spacing_mm[0] * SIZE_PX / 256 < 1.0


def test_masks_end_where_the_collimator_does():
    """A lesion under the black border cannot be seen, so it is not in the mask."""
    for number in range(6):
        case = make_case(np.random.default_rng([5, number]), case_number=1, size_px=SIZE_PX, image_label=BENIGN)
        for view in case.views:
            dark = view.pixels <= 3
            for lesion in view.lesions:
                assert not lesion.mask[np.all(dark, axis=1)].any() and not lesion.mask[:, np.all(dark, axis=0)].any()


def test_normal_cases_have_no_lesion_and_the_others_at_least_one(cases):
    for case in cases:
        for view in case.views:
            assert {lesion.label for lesion in view.lesions} == ({case.image_label} - {NORMAL})


def test_lesions_are_visible_and_of_learnable_size(cases):
    lesions = [lesion for case in cases for view in case.views for lesion in view.lesions]
    assert lesions
    for lesion in lesions:
        side = np.sqrt(lesion.mask.sum()) / SIZE_PX
        assert lesion.mask.dtype == bool and MIN_SIDE <= side <= MAX_SIDE
        assert lesion.contrast >= MIN_CONTRAST
        assert SUBTYPE_ENTITY[lesion.subtype] == lesion.label


def test_lesions_of_one_picture_do_not_overlap(cases):
    for view in (view for case in cases for view in case.views):
        assert np.sum([lesion.mask for lesion in view.lesions], axis=0, initial=0).max() <= 1


@pytest.mark.parametrize("subtype", sorted(PAINTERS))
def test_the_change_a_lesion_makes_lies_under_its_mask(subtype, monkeypatch):
    """Second opinion on the masks, from the attenuation itself."""
    placed = []

    def spy(rng, subtypes, region, scenes):
        result = place_lesions(rng, subtypes, region, scenes)
        placed.extend((scene, lesion) for scene, seen in zip(scenes, result[1], strict=True) for lesion in seen)
        return result

    monkeypatch.setattr(generator, "place_lesions", spy)
    monkeypatch.setitem(SUBTYPES_OF_LABEL, SUBTYPE_ENTITY[subtype], (subtype,))
    for number in range(3):
        rng = np.random.default_rng([8, number])
        make_case(rng, case_number=1, size_px=SIZE_PX, image_label=SUBTYPE_ENTITY[subtype])
    assert len(placed) >= 6
    for scene, lesion in placed:
        window = open_field(scene.exposure, scene.grid.shape)
        change, mask = np.abs(lesion.change[window]), lesion.mask[window]
        assert change[mask].sum() > 0.75 * change.sum()
        assert np.mean(change[mask] > 0.03) > 0.7


@pytest.mark.parametrize("number", range(4))
def test_only_the_lesion_differs_between_labels(number):
    """Body, view, marker, exposure and noise come from streams that do not know the label: nothing else tells it."""
    normal, malignant = (
        make_case(np.random.default_rng(number), case_number=1, size_px=SIZE_PX, image_label=label)
        for label in (NORMAL, MALIGNANT)
    )
    assert (normal.site, normal.sex) == (malignant.site, malignant.sex)
    for plain, diseased in zip(normal.views, malignant.views, strict=True):
        assert plain.spacing_mm == diseased.spacing_mm
        difference = np.abs(plain.pixels.astype(float) - diseased.pixels)
        inside = np.any([lesion.mask for lesion in diseased.lesions], axis=0)
        # The display window follows the picture's percentiles, scatter reaches far: a few grey levels, no more.
        assert np.median(difference[~inside]) <= 4 < difference[inside].mean()


def test_label_is_drawn_when_it_is_not_given():
    labels = {make_case(np.random.default_rng(i), case_number=1, size_px=96).image_label for i in range(12)}
    assert len(labels) > 1


@pytest.mark.parametrize(
    ("text", "scale", "shape"), [("L", 1, (7, 6)), ("R", 2, (14, 12)), ("SYNTHETIC", 1.0, (7, 54))]
)
def test_letters_are_five_by_seven_and_a_gap(text, scale, shape):
    glyph = render_text(text, scale)
    assert glyph.shape == shape and glyph.max() == 1 and glyph.min() == 0


def test_notice_is_burned_in_at_the_lower_left(cases):
    expected = render_text("SYNTHETIC", 1.0)
    for view in (view for case in cases for view in case.views):
        corner = view.pixels[SIZE_PX - 3 - 7 : SIZE_PX - 3, 3 : 3 + 54]
        assert corner[expected == 1].min() == round(255 * 0.8)


def test_solid_fills_holes_and_keeps_the_largest_part():
    mask = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1]], dtype=bool)
    assert solid(mask).tolist() == [[True] * 3 + [False] * 2] * 3
    assert not solid(np.zeros((4, 4), dtype=bool)).any()


def test_closing_bridges_a_cleft_and_opening_cuts_a_spur():
    cleft = np.ones((7, 9), dtype=bool)
    cleft[:, 4] = False
    assert close_gaps(cleft, 3)[2:5, 4].all()
    spur = np.zeros((9, 9), dtype=bool)
    spur[:, :4], spur[4, 4:] = True, True
    assert not trim_spurs(spur, 4)[4, 6:].any() and trim_spurs(spur, 4)[0, 0]
