import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.errors import ConfigError
from segtumor.structures.masks import draw_polygons
from segtumor.training.batches.augmentation import POLICIES, Augmentation, Motion, Policy

pytestmark = pytest.mark.model

PIXELS = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
MASK = np.zeros((32, 32), dtype=bool)
MASK[4:12, 4:12] = True


def augmented(policy, pixels, masks, rng):
    augmentation = policy if isinstance(policy, Augmentation) else Augmentation(policy)

    def draw(motion):
        return np.array([motion.mask(mask) for mask in masks], dtype=bool).reshape(-1, *pixels.shape)

    return augmentation.augment(pixels, draw, rng)


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(ConfigError, match="radiograph, strong"):
        Augmentation("wild")


def test_none_changes_nothing():
    pixels, masks = augmented("none", PIXELS, [MASK], np.random.default_rng(0))
    assert np.array_equal(pixels, PIXELS) and np.array_equal(masks[0], MASK)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("masks", [[], [MASK], [MASK, ~MASK, MASK]], ids=len)
def test_shapes_types_and_range_are_kept_and_inputs_are_not_modified(policy, masks):
    pixels, before = PIXELS.copy(), [mask.copy() for mask in masks]
    for seed in range(5):
        image, moved = augmented(policy, pixels, masks, np.random.default_rng(seed))
        assert image.shape == (32, 32) and image.dtype == np.float32
        assert float(image.min()) >= 0 and float(image.max()) <= 1
        assert [(mask.shape, mask.dtype) for mask in moved] == [((32, 32), np.dtype(bool))] * len(masks)
    assert np.array_equal(pixels, PIXELS)
    assert all(np.array_equal(mask, old) for mask, old in zip(masks, before, strict=True))


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"none"}))
def test_the_generator_alone_decides(policy):
    augmentation = Augmentation(policy)
    results = [augmented(augmentation, PIXELS, [MASK], np.random.default_rng(seed))[0] for seed in (1, 1, *range(2, 8))]
    assert np.array_equal(results[0], results[1])
    assert any(not np.array_equal(results[0], other) for other in results[2:])
    np.random.seed(5)
    state = np.random.get_state()[1].copy()
    augmented(augmentation, PIXELS, [MASK], np.random.default_rng(0))
    assert np.array_equal(np.random.get_state()[1], state)


def test_no_policy_turns_a_radiograph_upside_down():
    top = np.zeros((32, 32), dtype=bool)
    top[2:10, 8:24] = True
    for policy in POLICIES:
        for seed in range(20):
            _, (moved,) = augmented(policy, PIXELS, [top], np.random.default_rng(seed))
            assert np.nonzero(moved)[0].mean() < 16


def test_a_mirrored_polygon_by_hand():
    mirrored = Motion((4, 10), True, None).polygon([0, 0, 3, 0, 3, 4])
    assert mirrored.tolist() == [[10, 0], [7, 0], [7, 4]]
    assert Motion((4, 10), False, None).polygon([0, 0, 3, 0, 3, 4]).tolist() == [[0, 0], [3, 0], [3, 4]]


def test_a_shift_by_whole_pixels_by_hand():
    motion = Motion((4, 10), False, np.array([[1.0, 0, 2], [0, 1, -1]]))
    mask = np.zeros((4, 10), dtype=bool)
    mask[1:3, 0:3] = True
    expected = np.zeros((4, 10), dtype=bool)
    expected[0:2, 2:5] = True
    assert np.array_equal(motion.mask(mask), expected)
    assert np.array_equal(motion.image(mask.astype(np.float32)), expected.astype(np.float32))
    assert motion.polygon([0, 1, 3, 1, 3, 3]).tolist() == [[2, 0], [5, 0], [5, 2]]


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"none"}))
def test_image_mask_and_polygon_move_alike(policy):
    """A triangle (no symmetry) drawn and then moved, against its corners moved and then drawn."""
    triangle, size_hw = [20.0, 30, 100, 40, 40, 90], (120, 160)
    drawn = np.zeros(size_hw, dtype=bool)
    draw_polygons([triangle], drawn)
    for seed in range(20):
        motion = Augmentation(policy).draw_motion(size_hw, np.random.default_rng(seed))
        canvas = np.zeros(size_hw, dtype=bool)
        draw_polygons([motion.polygon(triangle)], canvas)
        canvas = motion.bent(canvas)
        for moved in (motion.mask(drawn), motion.image(drawn.astype(np.float32)) > 0.5):
            # Different by pixels on the outline, of which there are 230, and by less than half a pixel on the whole.
            assert (moved != canvas).sum() < 115, seed
            assert np.abs(np.argwhere(moved).mean(0) - np.argwhere(canvas).mean(0)).max() < 0.5, seed


def test_motions_stay_within_the_policy_and_reach_its_limits():
    """Of the default policy: 10 degrees, 15% scale, 6% shift of the center; half mirrored, seven in ten moved."""
    augmentation, rng = Augmentation("radiograph"), np.random.default_rng(0)
    motions = [augmentation.draw_motion((101, 201), rng) for _ in range(1000)]
    assert sum(motion.flip for motion in motions) / 1000 == pytest.approx(0.5, abs=0.05)
    moved = [motion for motion in motions if motion.matrix is not None]
    assert len(moved) / 1000 == pytest.approx(0.7, abs=0.05)
    matrices = np.array([motion.matrix * ([-1, 1, 1] if motion.flip else [1, 1, 1]) for motion in moved])
    scales = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    degrees = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    centers = np.array([motion.matrix @ (100, 50, 1) for motion in moved]) - (100, 50)
    for values, limit in ((scales - 1, 0.15), (degrees, 10), (centers[:, 0] / 201, 0.06), (centers[:, 1] / 101, 0.06)):
        assert -limit <= values.min() < -0.95 * limit and 0.95 * limit < values.max() <= limit * (1 + 1e-9)


def test_gray_changes_stay_within_the_policy():
    """0.5 becomes 0.5 (1 ± 0.2) ± 0.2, then a power of 0.8 to 1.3, then noise of up to 0.03."""
    augmentation, rng = Augmentation("radiograph"), np.random.default_rng(0)
    plane = np.full((16, 16), 0.5, dtype=np.float32)
    results = [augmentation.change_gray(plane, rng) for _ in range(1000)]
    means, deviations = np.array([(result.mean(), result.std()) for result in results], dtype=np.float64).T
    assert 0.2**1.3 - 0.01 < means.min() < 0.2 and 0.75 < means.max() < 0.8**0.8 + 0.01
    noisy = deviations > 0.005
    assert noisy.mean() == pytest.approx(0.2, abs=0.04)
    assert deviations[noisy].min() > 0.008 and 0.025 < deviations.max() < 0.036
    assert np.mean(np.abs(means - 0.5) < 1e-3) == pytest.approx(0.25, abs=0.05)  # neither exposure


def only(**steps):
    """An augmentation that always does these steps, and nothing else."""
    augmentation = Augmentation("none")
    augmentation._policy = Policy(**steps)
    return augmentation


@pytest.mark.parametrize("policy", ["light", "radiograph", "strong"])
def test_a_seed_gives_what_it_gave_before_there_was_shear(policy):
    """Numbers are drawn in the order of version 0.2; a run that is resumed goes on as it began."""
    rng, twin = np.random.default_rng(3), np.random.default_rng(3)
    limits = POLICIES[policy]
    for _ in range(20):
        motion = Augmentation(policy).draw_motion((40, 60), rng)
        assert motion.bend is None
        assert motion.flip == (twin.random() < limits.flip_p)
        if twin.random() < limits.move_p:
            degrees, factor, _, _ = twin.uniform(-1, 1, 4) * [limits.degrees, limits.scale, 1, 1]
            turned = (1 + factor) * np.cos(np.radians(degrees))
            assert motion.matrix[1, 1] == pytest.approx(turned)
        else:
            assert motion.matrix is None


def test_shear_by_hand_and_to_its_limit():
    rng = np.random.default_rng(0)
    matrices = np.array([only(move_p=1, shear_degrees=8).draw_motion((101, 201), rng).matrix for _ in range(300)])
    np.testing.assert_allclose(matrices[:, 0, 0], 1)
    np.testing.assert_allclose(matrices[:, 1], np.tile([0, 1, 0], (300, 1)), atol=1e-12)
    np.testing.assert_allclose(matrices @ (100, 50, 1), np.tile([100, 50], (300, 1)))  # the centre stays
    degrees = np.degrees(np.arctan(matrices[:, 0, 1]))
    assert -8 <= degrees.min() < -7.6 and 7.6 < degrees.max() <= 8
    square = np.zeros((101, 201), dtype=bool)
    square[30:71, 80:121] = True
    sheared = only(move_p=1, shear_degrees=8).draw_motion((101, 201), np.random.default_rng(1)).mask(square)
    assert sheared.sum() == square.sum() and sheared.sum(axis=1).tolist() == square.sum(axis=1).tolist()  # rows slide


def test_zoomed_views_stay_within_the_image_and_reach_all_of_it():
    """Enlarged 1 to 2 times, in equal ratios; the corners of the view lie in the image."""
    rng, (height, width) = np.random.default_rng(0), (101, 201)
    motions = [only(move_p=1, zoom_p=1, zoom=2).draw_motion((height, width), rng) for _ in range(500)]
    matrices = np.array([motion.matrix for motion in motions])
    factors = matrices[:, 0, 0]
    assert 1 <= factors.min() < 1.05 and 1.95 < factors.max() <= 2
    assert np.mean(factors < 2**0.5) == pytest.approx(0.5, abs=0.06)
    first = -matrices[:, :, 2] / factors[:, None]  # the places (x, y) seen at the upper left corner
    last = first + np.array([width - 1, height - 1]) / factors[:, None]
    assert np.all(first > -1e-9) and np.all(last < np.array([width - 1, height - 1]) + 1e-9)
    assert np.all(first.min(axis=0) < 2) and np.all(last.max(axis=0) > [width - 3, height - 3])


def test_the_policy_zoom_enlarges_half_of_what_it_moves():
    augmentation, rng = Augmentation("zoom"), np.random.default_rng(0)
    matrices = [motion.matrix for motion in (augmentation.draw_motion((64, 64), rng) for _ in range(1000))]
    moved = np.array([matrix[:, :2] for matrix in matrices if matrix is not None])
    scales = np.sqrt(np.abs(np.linalg.det(moved)))
    assert len(moved) / 1000 == pytest.approx(0.9, abs=0.03)
    assert 0.7 <= scales.min() < 0.73 and 1.95 < scales.max() <= 2 + 1e-9
    assert np.mean(scales > 1.3) == pytest.approx(0.5 * (1 - np.log2(1.3)), abs=0.05)


def test_a_lesion_is_kept_in_view_where_one_of_four_motions_does():
    """By chance, four times: what one draw misses in the share m, an augmentation misses in m**4."""
    corner, augmentation = np.zeros((64, 64), dtype=bool), only(move_p=1, zoom_p=1, zoom=8)
    corner[2:6, 2:6] = True
    pixels = np.zeros((64, 64), dtype=np.float32)
    rngs = [np.random.default_rng(seed) for seed in range(300)]
    once = np.mean([augmentation.draw_motion((64, 64), rng).mask(corner).any() for rng in rngs])
    kept = np.mean(
        [augmented(augmentation, pixels, [corner], np.random.default_rng(s))[1][0].any() for s in range(300)]
    )
    assert kept == pytest.approx(1 - (1 - once) ** 4, abs=0.08) and once < 0.5


@pytest.mark.parametrize("size_hw", [(64, 64), (64, 160), (200, 50)])
def test_nothing_folds_over_or_moves_farther_than_the_policy(size_hw):
    """The bend's map has a positive determinant everywhere: what was left of something stays left of it."""
    rng, limit_px = np.random.default_rng(0), 0.03 * min(size_hw)
    largest = 0.0
    for _ in range(50):
        bend = only(bend_p=1, bend=0.03).draw_motion(size_hw, rng).bend.astype(np.float64)
        (x_down, x_right), (y_down, y_right) = np.gradient(bend[..., 0]), np.gradient(bend[..., 1])
        assert ((1 + x_right) * (1 + y_down) - x_down * y_right).min() > 0.3
        largest = max(largest, np.abs(bend).max())
    assert 0.9 * limit_px < largest < 1.5 * limit_px  # cubic interpolation overshoots a little


def test_a_bend_by_hand():
    """What is shown at a pixel comes from two columns to its right."""
    bend = np.zeros((4, 10, 2), dtype=np.float32)
    bend[..., 0] = 2
    mask = np.zeros((4, 10), dtype=bool)
    mask[1:3, 5:8] = True
    motion = Motion((4, 10), False, None, bend)
    assert np.argwhere(motion.mask(mask)).tolist() == [[r, c] for r in (1, 2) for c in (3, 4, 5)]
    assert np.array_equal(motion.image(mask.astype(np.float32)), motion.mask(mask))
    mirrored = Motion((4, 10), True, None, bend)  # first mirrored, then bent
    assert np.argwhere(mirrored.mask(mask)).tolist() == [[r, c] for r in (1, 2) for c in (0, 1, 2)]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), row=st.integers(24, 68), column=st.integers(24, 68), side=st.integers(2, 8))
def test_no_lesion_near_the_middle_is_lost_by_bending(seed, row, column, side):
    mask = np.zeros((96, 96), dtype=bool)
    mask[row - side // 2 : row - side // 2 + side, column - side // 2 : column - side // 2 + side] = True
    motion = only(bend_p=1, bend=0.03).draw_motion((96, 96), np.random.default_rng(seed))
    bent = motion.mask(mask)
    assert 0.4 * side**2 <= bent.sum() <= 2.5 * side**2
    assert np.abs(np.argwhere(bent).mean(0) - np.argwhere(mask).mean(0)).max() < 1.5 * 0.03 * 96 + 0.5
