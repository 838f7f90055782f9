"""Making a split of merged images: which kind, by which cases, alike in what; or as others have listed it.

Not here: the arithmetic (``deal``, ``split``), and writing the parts (``output``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segtumor.cases import case_of, own_case
from segtumor.datasets.duplicates import Pair, exact_duplicates, near_duplicates
from segtumor.datasets.fingerprints import Fingerprint, fingerprint_images
from segtumor.datasets.splits.cases import cases_of_images, join_cases, known_cases, read_case_table
from segtumor.datasets.splits.deal import DEFAULT_FRACTIONS
from segtumor.datasets.splits.document import read_split_document, reuse_split, split_of_document
from segtumor.datasets.splits.merging import MergedCoco
from segtumor.datasets.splits.official import Listing, listing_of_attribute, match, path_of, read_lists
from segtumor.datasets.splits.split import (
    COLUMN,
    GROUPED,
    IMAGE,
    KFOLD,
    LEAVE_ONE_OUT,
    OFFICIAL,
    Split,
    leave_one_out,
    make_kfold,
    make_split,
    split_from_parts,
)
from segtumor.datasets.splits.strata import (
    LABEL,
    UNKNOWN,
    attribute_text,
    check_attribute,
    image_labels,
    stratum_keys,
)
from segtumor.errors import ConfigError, DataError
from segtumor.progress import Progress

#: Kinds that can be asked for by name; any other is the path of a split file.
NEW_KINDS = (GROUPED, IMAGE, KFOLD, LEAVE_ONE_OUT, COLUMN, OFFICIAL)
#: Kinds that are also made of images without a case, each then a case of its own.
_WITHOUT_CASES = (IMAGE, LEAVE_ONE_OUT, COLUMN, OFFICIAL)


@dataclass(frozen=True, kw_only=True)
class SplitRequest:
    """What split to make; the options of ``segtumor data split`` of the same names.

    Attributes:
        kind: one of NEW_KINDS, or the path of a split file whose parts are used again.
        fractions: {part: share of the images}, of kinds grouped and image.
        test_fraction: share taken out first, of kfold.
        stratify: what the parts shall be alike in, the most important first; the label always comes first.
        leave_out: field whose values are held out one at a time, of leave-one-out.
        column: field that names the part, of column.
        lists: files of kind official.
        cases: table of cases, which counts before that field; an image in neither is then a case of its own.
        join_duplicates: whether images of the same picture count as one case; opens all images.
        strict: whether lists and images must fit exactly.
    """

    kind: str = GROUPED
    fractions: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_FRACTIONS))
    folds: int = 5
    test_fraction: float = 0.0
    seed: int = 0
    stratify: Sequence[str] = (LABEL,)
    leave_out: str = "center"
    column: str = "part"
    lists: Sequence[str] = ()
    by: str = "case_id"
    cases: Path | str | None = None
    join_duplicates: bool = False
    strict: bool = False

    @property
    def keys(self) -> list[str]:
        """What it is stratified by beside the label."""
        return [key for key in self.stratify if key != LABEL]


@dataclass(frozen=True)
class MadeSplit:
    """A split and how it came about.

    Attributes:
        merged: the images, with the case that the split was made with where they had none.
        severity: all labels, the gravest last.
        unknown_in_case_table: names in the table of cases that no image has.
        listing: of the kinds column and official, what was listed.
        same_picture: pairs of images whose cases were joined.
        saved_hashes: {file name: SHA-256} in the split file that was used again.
    """

    split: Split
    merged: MergedCoco
    labels: Sequence[str]
    severity: tuple[str, ...]
    unknown_in_case_table: Sequence[str] = ()
    listing: Listing | None = None
    same_picture: Sequence[Pair] = ()
    saved_hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_names(self) -> list[str]:
        """Of all images, in their order."""
        return _file_names(self.merged)


def split_images(merged: MergedCoco, request: SplitRequest, *, progress: Progress = iter) -> MadeSplit:
    """Make the split that is asked for.

    Raises:
        ConfigError: it cannot be made of these images: no case, no such field, fewer cases than folds or parts.
        DataError: a table, list or split file that cannot be read, or does not fit the images.
    """
    case_table, unknown = _case_table(merged, request)
    labels, severity = _labels(merged)
    made = _Making(merged, request, case_table, labels, severity, progress).made()
    made = replace(made, merged=_with_cases(made.split, merged, case_table), unknown_in_case_table=unknown)
    _check_no_part_is_empty(made, request)
    return made


def _file_names(merged: MergedCoco) -> list[str]:
    return [image["file_name"] for image in merged.images]


def _case_table(merged: MergedCoco, request: SplitRequest) -> tuple[dict[int, str], list[str]]:
    """({position of the image: case}, names that no image has)."""
    return read_case_table(request.cases, _file_names(merged)) if request.cases else ({}, [])


def _labels(merged: MergedCoco) -> tuple[list[str], tuple[str, ...]]:
    class_of = {category["id"]: number for number, category in enumerate(merged.categories)}
    classes: dict[int, list[int]] = {}
    for annotation in merged.annotations:
        classes.setdefault(annotation["image_id"], []).append(class_of[annotation["category_id"]])
    return image_labels(merged.images, classes, [category["name"] for category in merged.categories])


@dataclass(frozen=True)
class _Making:
    """One way to make a split for each kind."""

    merged: MergedCoco
    request: SplitRequest
    case_table: Mapping[int, str]
    labels: Sequence[str]
    severity: tuple[str, ...]
    progress: Progress

    def made(self) -> MadeSplit:
        if self.request.kind not in NEW_KINDS:
            return self._used_again()
        if self.request.kind in (COLUMN, OFFICIAL):
            return self._listed()
        if self.request.kind == LEAVE_ONE_OUT:
            return self._left_out()
        return self._drawn()

    def _result(self, split: Split, **more: Any) -> MadeSplit:
        return MadeSplit(split, self.merged, self.labels, self.severity, **more)

    def _drawn(self) -> MadeSplit:
        request, keys = self.request, self.request.keys
        cases, same_picture = self._cases()
        options: dict[str, Any] = {
            "seed": request.seed,
            "severity": self.severity,
            "within": stratum_keys(self.merged.images, keys),
        }
        names = _file_names(self.merged)
        if request.kind == KFOLD:
            options |= {"folds": request.folds, "test_fraction": request.test_fraction}
            split = make_kfold(names, cases, self.labels, **options)
        else:
            split = make_split(request.kind, names, cases, self.labels, fractions=request.fractions, **options)
        origin: dict[str, Any] = {"stratify": [LABEL, *keys]} if keys else {}
        origin |= {"by": request.by} if request.by != "case_id" else {}
        origin |= {"joined_duplicates": len(same_picture)} if request.join_duplicates else {}
        return self._result(replace(split, origin=origin or None), same_picture=same_picture)

    def _left_out(self) -> MadeSplit:
        key, images = self.request.leave_out, self.merged.images
        cases, same_picture = self._cases()
        check_attribute(images, key, option="--leave-out")
        values = [attribute_text(image, key) for image in images]
        split = leave_one_out(_file_names(self.merged), cases, values, key=key, unknown=UNKNOWN)
        return self._result(split, same_picture=same_picture)

    def _listed(self) -> MadeSplit:
        request, names = self.request, _file_names(self.merged)
        origin: dict[str, Any]
        if request.kind == OFFICIAL:
            listing = match(read_lists(request.lists), names)
            origin = {"lists": [path_of(spec).name for spec in request.lists]}
        else:
            listing = listing_of_attribute(self.merged.images, request.column)
            origin = {"column": request.column}
        if request.strict and (listing.unknown or listing.unlisted):
            what = f"{len(listing.unknown)} listed images are not there, {len(listing.unlisted)} are in no list"
            first = ", ".join([*listing.unknown, *listing.unlisted][:5])
            remedy = "Correct the lists, or drop --strict"
            raise DataError(what, where=f"--kind {request.kind}", got=first, remedy=remedy)
        cases, _ = self._cases()
        split = split_from_parts(request.kind, listing.part_of_index, names, cases, origin=origin)
        return self._result(split, listing=listing)

    def _used_again(self) -> MadeSplit:
        path, names = self.request.kind, _file_names(self.merged)
        document = read_split_document(path)
        split = split_of_document(document, path, allow_shared_cases=True)
        own = known_cases(self.merged.images, by=self.request.by)
        cases = {name: self.case_table.get(i, own[i]) for i, name in enumerate(names)}
        reuse_split(split, names, cases, where=path)
        return self._result(split, saved_hashes=document.get("image_sha256") or {})

    def _cases(self) -> tuple[list[str], list[Pair]]:
        """Case of each image, and the pairs that joined some; a split by case asked for needs one of every image."""
        lenient = self.request.cases or self.request.kind in _WITHOUT_CASES
        own = (known_cases if lenient else cases_of_images)(self.merged.images, by=self.request.by)
        cases = [self.case_table.get(index, case) for index, case in enumerate(own)]
        if not self.request.join_duplicates:
            return cases, []
        pairs, names = self._same_picture(), _file_names(self.merged)
        joined = join_cases(dict(zip(names, cases, strict=True)), [(pair.first, pair.second) for pair in pairs])
        return [joined[name] for name in names], pairs

    def _same_picture(self) -> list[Pair]:
        fingerprints: dict[str, Fingerprint] = {}
        for root, names in self.merged.roots.items():
            found, failed = fingerprint_images(names, root, progress=self.progress)
            for failure in failed.values():
                raise failure
            fingerprints |= found
        return [*exact_duplicates(fingerprints), *near_duplicates(fingerprints)]


def _with_cases(split: Split, merged: MergedCoco, case_table: Mapping[int, str]) -> MergedCoco:
    """With the cases that the split was made with in images that have none, or that the table of cases names."""
    images = []
    for index, image in enumerate(merged.images):
        entry = split.assignment.get(image["file_name"])
        case = case_table.get(index, entry["case_id"] if entry else None)
        is_made_up = case is None or case == own_case(image["file_name"])
        is_new = not is_made_up and (index in case_table or case_of(image) is None)
        images.append({**image, "case_id": case} if is_new else image)
    return replace(merged, images=images)


def _check_no_part_is_empty(made: MadeSplit, request: SplitRequest) -> None:
    """Raises ConfigError naming the parts without an image: such a file could not be read again."""
    split = made.split
    filled = {split.assignment[name]["part"] for name in made.file_names if name in split.assignment}
    empty = [part for part in split.parts if not filled & {f for f, p in split.parts_of_fold.items() if part in p}]
    if empty:
        n_cases = len({entry["case_id"] for entry in split.assignment.values()})
        raise ConfigError(
            f"no image would be in {', '.join(empty)}",
            where=f"--kind {request.kind}",
            got=f"{len(made.file_names)} images of {n_cases} {'case' if n_cases == 1 else 'cases'}",
            expected=f"at least {len(split.parts)} cases" if split.composition is None else None,
            remedy="If the images are of more cases, give them with --cases; else leave a part out by a share of 0 in "
            "--fractions",
        )
