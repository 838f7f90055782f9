"""Splits into parts such as train, val and test, made by case and kept in a file with hashes.

Several radiographs show the same case (one patient's study). A split that ignores this tests on what it has trained on,
so the case is the unit, and a split by case that has one in two parts is refused wherever it comes from. Not here: what
a data set calls its cases, and whether two images are alike (``segtumor data leaks``).
"""

from segtumor.datasets.splits.case_leaks import cases_in_several_parts, check_cases_whole
from segtumor.datasets.splits.deal import DEFAULT_FRACTIONS, SEVERITY, check_fractions, grouped_split, kfold_split
from segtumor.datasets.splits.document import (
    SCHEMA_VERSION,
    ChangedImages,
    hash_images,
    read_split,
    read_split_document,
    reuse_split,
    split_document,
    split_of_document,
    verify_split,
)
from segtumor.datasets.splits.split import (
    COLUMN,
    GROUPED,
    IMAGE,
    KFOLD,
    KINDS,
    LEAVE_ONE_OUT,
    MAY_SHARE_CASES,
    NONE,
    OFFICIAL,
    Split,
    leave_one_out,
    make_kfold,
    make_split,
    split_from_parts,
)

__all__ = [
    "COLUMN",
    "DEFAULT_FRACTIONS",
    "GROUPED",
    "IMAGE",
    "KFOLD",
    "KINDS",
    "LEAVE_ONE_OUT",
    "MAY_SHARE_CASES",
    "NONE",
    "OFFICIAL",
    "SCHEMA_VERSION",
    "SEVERITY",
    "ChangedImages",
    "Split",
    "cases_in_several_parts",
    "check_cases_whole",
    "check_fractions",
    "grouped_split",
    "hash_images",
    "kfold_split",
    "leave_one_out",
    "make_kfold",
    "make_split",
    "read_split",
    "read_split_document",
    "reuse_split",
    "split_document",
    "split_from_parts",
    "split_of_document",
    "verify_split",
]
