"""From the arguments of ``segtumor data split`` to a split of the merged images.

Not here: the parser and writing (``split``), and what is told about it (``split_account``).
"""

from segtumor.texts import counted

KINDS = ("grouped", "image", "kfold", "leave-one-out", "column", "official")


def fractions_of(args):
    """{part: share} of the parts whose share is not 0."""
    named = zip(("train", "val", "test"), args.fractions, strict=True)
    return {part: fraction for part, fraction in named if fraction != 0}


class MadeSplit:
    """A split of the merged images and what there is to tell about it."""

    def __init__(self, merged, case_table, labels, severity) -> None:
        self.file_names = [image["file_name"] for image in merged.images]
        self.case_table, self.unknown_in_case_table = case_table
        self.labels, self.severity = labels, severity
        self.split, self.listing, self.saved_hashes, self.changed, self.summaries = None, None, {}, [], {}
        self.same_picture = []


def make_split_of(args, merged):
    """The MadeSplit that the arguments ask for; images may get their cases written into them."""
    from segtumor.datasets.splits.cases import read_case_table
    from segtumor.datasets.splits.strata import image_labels

    class_of = {category["id"]: number for number, category in enumerate(merged.categories)}
    classes = {}
    for annotation in merged.annotations:
        classes.setdefault(annotation["image_id"], []).append(class_of[annotation["category_id"]])
    labels, severity = image_labels(merged.images, classes, [category["name"] for category in merged.categories])
    names = [image["file_name"] for image in merged.images]
    table = read_case_table(args.cases, names) if args.cases else ({}, [])
    made = MadeSplit(merged, table, labels, severity)
    made.split = _split(args, merged, made)
    _keep_cases(args, merged, made)
    return made


def check_no_part_is_empty(args, made):
    """Raises ConfigError naming the parts without an image: such a file could not be read again."""
    from segtumor.errors import ConfigError

    split = made.split
    filled = {split.assignment[name]["part"] for name in made.file_names if name in split.assignment}
    empty = [part for part in split.parts if not filled & {f for f, p in split.parts_of_fold.items() if part in p}]
    if empty:
        n_cases = len({entry["case_id"] for entry in split.assignment.values()})
        raise ConfigError(
            f"no image would be in {', '.join(empty)}",
            where=f"--kind {args.kind}",
            got=f"{len(made.file_names)} images of {counted(n_cases, 'cases')}",
            expected=f"at least {len(split.parts)} cases" if split.composition is None else None,
            remedy="If the images are of more cases, give them with --cases; else leave a part out by a share of 0 in "
            "--fractions",
        )


def _split(args, merged, made):
    from dataclasses import replace

    from segtumor.datasets import splits
    from segtumor.datasets.splits.strata import stratum_keys

    if args.kind not in KINDS:
        return _saved(args, merged, made)
    if args.kind in (splits.COLUMN, splits.OFFICIAL):
        return _listed(args, merged, made)
    cases = _cases(args, merged, made)
    if args.kind == splits.LEAVE_ONE_OUT:
        return _leave_one_out(args, merged, made, cases)
    keys = [key for key in args.stratify if key != "label"]
    options = {"seed": args.seed, "severity": made.severity, "within": stratum_keys(merged.images, keys)}
    if args.kind == splits.KFOLD:
        options |= {"folds": args.folds, "test_fraction": args.test_fraction}
        split = splits.make_kfold(made.file_names, cases, made.labels, **options)
    else:
        options["fractions"] = fractions_of(args)
        split = splits.make_split(args.kind, made.file_names, cases, made.labels, **options)
    origin = {"stratify": ["label", *keys]} if keys else {}
    origin |= {"by": args.by} if args.by != "case_id" else {}
    origin |= {"joined_duplicates": len(made.same_picture)} if args.join_duplicates else {}
    return replace(split, origin=origin or None)


def _cases(args, merged, made):
    """Case of each image; only where a split by case was asked for, every image must have one."""
    from segtumor.datasets.splits.cases import cases_of_images, known_cases

    lenient = args.cases or args.kind in ("image", "leave-one-out", "column", "official")
    cases = (known_cases if lenient else cases_of_images)(merged.images, by=args.by)
    cases = [made.case_table.get(index, case) for index, case in enumerate(cases)]
    return _joined(merged, made, cases) if args.join_duplicates else cases


def _joined(merged, made, cases):
    """Cases of which images show the same picture, joined; the images are opened for it."""
    from segtumor.commands.common.terminal import progress_bar
    from segtumor.datasets.duplicates import exact_duplicates, near_duplicates
    from segtumor.datasets.fingerprints import fingerprint_images
    from segtumor.datasets.splits.cases import join_cases

    fingerprints = {}
    for root, names in merged.roots.items():
        found, failed = fingerprint_images(names, root, progress=progress_bar("comparing"))
        for error in failed.values():
            raise error
        fingerprints |= found
    made.same_picture = [*exact_duplicates(fingerprints), *near_duplicates(fingerprints)]
    case_of = dict(zip(made.file_names, cases, strict=True))
    joined = join_cases(case_of, [(pair.first, pair.second) for pair in made.same_picture])
    return [joined[name] for name in made.file_names]


def _leave_one_out(args, merged, made, cases):
    from segtumor.datasets.splits import leave_one_out
    from segtumor.datasets.splits.strata import UNKNOWN, attribute_text, check_attribute

    check_attribute(merged.images, args.leave_out, option="--leave-out")
    values = [attribute_text(image, args.leave_out) for image in merged.images]
    return leave_one_out(made.file_names, cases, values, key=args.leave_out, unknown=UNKNOWN)


def _listed(args, merged, made):
    from segtumor.datasets.splits import split_from_parts
    from segtumor.datasets.splits.official import listing_of_attribute, match, path_of, read_lists
    from segtumor.errors import DataError

    if args.kind == "official":
        made.listing = match(read_lists(args.lists), made.file_names)
        origin = {"lists": [path_of(spec).name for spec in args.lists]}
    else:
        made.listing = listing_of_attribute(merged.images, args.column)
        origin = {"column": args.column}
    if args.strict and (made.listing.unknown or made.listing.unlisted):
        what = f"{len(made.listing.unknown)} listed images are not there, {len(made.listing.unlisted)} are in no list"
        first = ", ".join([*made.listing.unknown, *made.listing.unlisted][:5])
        raise DataError(what, where=f"--kind {args.kind}", got=first, remedy="Correct the lists, or drop --strict")
    cases = _cases(args, merged, made)
    return split_from_parts(args.kind, made.listing.part_of_index, made.file_names, cases, origin=origin)


def _saved(args, merged, made):
    from segtumor.datasets.splits import read_split_document, reuse_split, split_of_document
    from segtumor.datasets.splits.cases import known_cases

    document = read_split_document(args.kind)
    split = split_of_document(document, args.kind, allow_shared_cases=True)
    own = known_cases(merged.images, by=args.by)
    cases = {name: made.case_table.get(i, own[i]) for i, name in enumerate(made.file_names)}
    reuse_split(split, made.file_names, cases, where=args.kind)
    made.saved_hashes = document.get("image_sha256") or {}
    return split


def _keep_cases(args, merged, made) -> None:
    """Write the cases that the split was made with into images that have none, or that the table of cases names."""
    from segtumor.cases import case_of, own_case

    for index, image in enumerate(merged.images):
        entry = made.split.assignment.get(image["file_name"])
        case = made.case_table.get(index, entry["case_id"] if entry else None)
        invented = case is None or case == own_case(image["file_name"])
        if not invented and (index in made.case_table or case_of(image) is None):
            merged.images[index] = {**image, "case_id": case}
