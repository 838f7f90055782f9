import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.datasets import duplicates
from segtumor.datasets.duplicates import EXACT, INVERTED, MIRRORED, NEAR, Pair, exact_duplicates, near_duplicates
from segtumor.datasets.fingerprints import Fingerprint, pixel_hash
from segtumor.imaging.perceptual_hash import (
    HASH_BITS,
    aligned_correlation,
    band_passed,
    perceptual_hashes,
    thumbnail_of,
)


def picture(seed):
    noise = np.random.default_rng(seed).random((96, 96), dtype=np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 1, cv2.NORM_MINMAX).clip(0, 1)


def print_of(pixels):
    thumbnail = thumbnail_of(pixels)
    plain, mirrored = perceptual_hashes(thumbnail)
    return Fingerprint("", pixels.shape, pixel_hash(pixels), plain, mirrored, thumbnail)


def prints_of(**pictures):
    return {name: print_of(pixels) for name, pixels in pictures.items()}


def names_and_kinds(pairs):
    return [(pair.first, pair.second, pair.kind) for pair in pairs]


def test_copies_are_exact_and_paired_with_the_first():
    prints = prints_of(b=picture(0), x=picture(1), a=picture(0), c=picture(0))
    assert exact_duplicates(prints) == [Pair("b", "a", EXACT, 0, 1.0), Pair("b", "c", EXACT, 0, 1.0)]
    assert near_duplicates(prints) == []


def test_altered_copies_are_found_and_named():
    first = picture(2)
    gamma = first**1.25
    mirrored = np.ascontiguousarray(first[:, ::-1]) * np.float32(0.9)
    prints = prints_of(first=first, other=picture(3), gamma=gamma, mirrored=mirrored, inverted=1 - first)
    assert exact_duplicates(prints) == []
    assert names_and_kinds(near_duplicates(prints)) == [
        ("first", "gamma", NEAR),
        ("first", "mirrored", MIRRORED),
        ("first", "inverted", INVERTED),
        ("gamma", "mirrored", MIRRORED),
        ("gamma", "inverted", INVERTED),
    ]


def test_every_copy_of_a_near_duplicate_is_paired():
    prints = prints_of(a=picture(4), near=picture(4) ** 1.2, b=picture(4))
    assert names_and_kinds(near_duplicates(prints)) == [("a", "near", NEAR), ("near", "b", NEAR)]


def test_blank_pictures_and_single_ones_have_no_duplicates():
    blank = {f"{size}": np.zeros((size, size), np.float32) for size in (1, 2, 3)}
    assert near_duplicates(prints_of(**blank)) == []
    assert near_duplicates({}) == [] and exact_duplicates({}) == []
    assert near_duplicates(prints_of(a=picture(5))) == []


def by_double_loop(prints, max_distance, min_correlation):
    """The definition of near_duplicates, with Python integers."""
    number = {
        name: [sum(int(w) << 64 * i for i, w in enumerate(h)) for h in (p.phash, p.mirror_phash)]
        for name, p in prints.items()
    }
    names, pairs = list(prints), []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if prints[a].pixel_sha256 == prints[b].pixel_sha256:
                continue
            plain = (number[a][0] ^ number[b][0]).bit_count()
            distances = {NEAR: plain, MIRRORED: (number[a][1] ^ number[b][0]).bit_count(), INVERTED: HASH_BITS - plain}
            first, second = (band_passed(prints[name].thumbnail) for name in (a, b))
            for kind, other in ((NEAR, second), (MIRRORED, second[:, ::-1]), (INVERTED, -second)):
                if distances[kind] <= max_distance:
                    correlation = aligned_correlation(first, other)
                    if correlation >= min_correlation:
                        pairs.append(Pair(a, b, kind, distances[kind], correlation))
                        break
    return pairs


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=9), st.sampled_from([0, 10, 31, 70]))
def test_the_same_as_a_double_loop(chosen, max_distance):
    alter = (lambda p: p, lambda p: p**1.1, lambda p: np.ascontiguousarray(p[:, ::-1]), lambda p: 1 - p)
    prints = {str(i): print_of(alter[how](picture(seed))) for i, (seed, how) in enumerate(chosen)}
    found = near_duplicates(prints, max_distance=max_distance, min_correlation=0.5)
    assert found == by_double_loop(prints, max_distance, 0.5)


def test_blocks_meet_without_a_gap(monkeypatch):
    prints = {str(i): print_of(picture(i % 7) ** (1 + i / 100)) for i in range(20)}
    expected = by_double_loop(prints, 31, 0.9)
    monkeypatch.setattr(duplicates, "_ROWS", 3)
    monkeypatch.setattr(duplicates, "_CHUNK", 5)
    assert near_duplicates(prints) == expected
    assert len(expected) > 10
