from types import SimpleNamespace

import numpy as np

from segtumor.datasets.fingerprints import Fingerprint
from segtumor.datasets.leaks import find_leaks, image_key, pairs_to_compare
from segtumor.imaging.perceptual_hash import perceptual_hashes


def part(*images, root="/images"):
    """CocoDataset-like; each image is (file name, case, number of lesions)."""
    entries = [
        {"id": i, "file_name": name} | ({} if case is None else {"case_id": case})
        for i, (name, case, _) in enumerate(images)
    ]
    lesions = {i: [{}] * n for i, (_, _, n) in enumerate(images)}
    return SimpleNamespace(images=entries, annotations_of_image=lesions, image_root=root)


def prints_of(parts, thumbnails):
    """Fingerprints by path; ``thumbnails`` is {file name: (picture, noise)}; equal pairs have equal pixels."""
    prints = {}
    for dataset in parts.values():
        for image in dataset.images:
            if image["file_name"] in thumbnails:
                seed, noise = thumbnails[image["file_name"]]
                prints[image_key(dataset, image)] = _print_of(seed, noise)
    return prints


def _print_of(seed, noise):
    thumbnail = np.random.default_rng(seed).integers(20, 230, (64, 64)).astype(np.uint8)
    thumbnail += np.random.default_rng(noise).integers(0, 1 + 5 * bool(noise), (64, 64)).astype(np.uint8)
    return Fingerprint("", (64, 64), f"{seed} {noise}", *perceptual_hashes(thumbnail), thumbnail)


def test_a_sound_split_has_no_leaks():
    report = find_leaks({"train": part(("a", "1", 2)), "val": part(("b", "2", 1)), "test": part()})
    assert not report.leaks and not report.near and report.cases_in_several == {}
    assert [(pair.first, pair.second) for pair in report.pairs] == [
        ("train", "val"),
        ("train", "test"),
        ("val", "test"),
    ]
    assert report.parts["train"].lesions == 2 and report.parts["test"].images == 0
    assert not report.opened


def test_shared_cases_are_counted_in_images_and_lesions_of_the_evaluated_part():
    parts = {
        "val": part(("c", "1", 3), ("d", "1", 0), ("e", "3", 5)),
        "train": part(("a", "1", 1), ("b", "2", 1)),
    }
    report = find_leaks(parts)
    (pair,) = report.pairs
    assert (pair.first, pair.second, pair.cases) == ("train", "val", ["1"])
    assert pair.images == {"case": 2, "exact": 0, "near": 0, "any": 2}
    assert pair.lesions == {"case": 3, "exact": 0, "near": 0, "any": 3}
    assert report.leaks and report.cases_in_several == {"1": ["train", "val"]}


def test_images_without_a_case_are_cases_of_their_own_and_numbers_are_text():
    report = find_leaks({"train": part(("a", None, 1), ("b", 5, 1)), "test": part(("c", None, 1), ("d", "5", 1))})
    assert report.pairs[0].cases == ["5"]
    assert report.parts["test"].images_without_case == 1 and report.parts["test"].cases == 1


def test_the_same_file_in_two_parts_is_an_equal_image_without_opening_it():
    report = find_leaks({"train": part(("a", "1", 1)), "val": part(("a", "2", 4))})
    assert report.pairs[0].exact == [("a", "a")]
    assert report.pairs[0].lesions["exact"] == 4 and report.leaks
    elsewhere = find_leaks({"train": part(("a", "1", 1)), "val": part(("a", "2", 4), root="/other")})
    assert not elsewhere.leaks


def test_equal_and_nearly_equal_images_across_parts():
    parts = {
        "train": part(("a", "1", 0), ("b", "2", 0)),
        "val": part(("copy", "3", 2), ("near", "4", 1), ("new", "5", 7)),
    }
    thumbnails = {"a": (0, 0), "b": (1, 0), "copy": (0, 0), "near": (1, 9), "new": (2, 0)}
    report = find_leaks(parts, prints_of(parts, thumbnails))
    (pair,) = report.pairs
    assert pair.exact == [("a", "copy")]
    assert [(p.first, p.second, p.kind) for p in pair.near] == [("b", "near", "near")]
    assert pair.images == {"case": 0, "exact": 1, "near": 1, "any": 2}
    assert pair.lesions == {"case": 0, "exact": 2, "near": 1, "any": 3}
    assert report.leaks and report.near and report.opened
    assert not find_leaks(parts, prints_of(parts, thumbnails), near=False).near


def test_near_images_within_a_part_or_alone_are_no_leak():
    parts = {"train": part(("a", "1", 0), ("near", "2", 0)), "val": part(("new", "3", 0))}
    report = find_leaks(parts, prints_of(parts, {"a": (0, 0), "near": (0, 9), "new": (1, 0)}))
    assert not report.leaks and not report.near


def test_crowds_are_no_lesions():
    dataset = part(("a", "1", 1))
    dataset.annotations_of_image[0].append({"iscrowd": 1})
    assert find_leaks({"train": dataset, "val": part()}).parts["train"].lesions == 1


def test_which_parts_are_compared():
    assert pairs_to_compare(["test", "train", "val"]) == [("train", "test"), ("val", "test"), ("train", "val")]
    assert pairs_to_compare(["fold1-val", "fold1-train", "fold2-train", "fold2-val"]) == [
        ("fold1-train", "fold1-val"),
        ("fold2-train", "fold2-val"),
    ]
    assert pairs_to_compare(["center-1-train", "center-1-test", "test"]) == [
        ("center-1-train", "center-1-test"),
        ("center-1-train", "test"),
        ("center-1-test", "test"),
    ]
    assert pairs_to_compare(["north", "south"]) == [("north", "south")]
    assert pairs_to_compare(["train"]) == []
