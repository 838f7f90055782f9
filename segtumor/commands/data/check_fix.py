"""``segtumor data check --fix``: the repaired copy, the list of changes beside it, and whether it can be used.

Not here: what is repaired (``segtumor.annotations.repair``).
"""

from collections import Counter
from pathlib import Path

from segtumor.commands.common.terminal import progress_bar

_SCHEMA_VERSION = 1
_EXIT_PROBLEMS = 5


def fix(args, coco, repeated, image_root):
    from segtumor.annotations.repair import repair
    from segtumor.errors import DataError

    if repeated:
        remedy = "Remove one of the two by hand; the copy would have the last"
        raise DataError("a key stands twice in one object, nobody knows which counts", where="--fix", remedy=remedy)
    options = {"image_root": image_root, "require_masks": not _of_boxes(args, coco)}
    options |= {"crowds_as_lesions": args.crowds_as_lesions, "boxes_as_masks": args.boxes_as_masks}
    repaired = repair(coco, **options)
    unusable = _still_unusable(repaired.coco, image_root) if image_root is not None and not args.no_open else {}
    if unusable:
        repaired = repair(coco, **options, unusable=unusable)
    _write_repaired(args, repaired)
    remarks, code = _verdict(args, repaired.coco)
    _print_repaired(args, repaired, "" if code else ", no errors")
    for remark in remarks:
        print(remark)
    return code


def _of_boxes(args, coco):
    """Whether lesions without an outline are kept: as asked, or where no lesion has one, so that nothing would stay."""
    from segtumor.annotations.regions import has_outline

    annotations = coco.get("annotations") if isinstance(coco, dict) else None
    entries = [a for a in annotations if isinstance(a, dict)] if isinstance(annotations, list) else []
    return args.boxes_only or (bool(entries) and not any(map(has_outline, entries)))


def _verdict(args, coco):
    """(sentences on what of the copy cannot be trained on, exit code)."""
    from segtumor.annotations.regions import CROWDS_AS_LESIONS, boxes_sentence, count_crowds, regions_by_image

    regions = regions_by_image(coco["images"], coco["annotations"])
    crowds, boxes = count_crowds(regions), boxes_sentence(regions)
    remarks = [f"{crowds.sentence}; if each is one lesion, drawn with a brush, add {CROWDS_AS_LESIONS}"]
    remarks = [*(remarks if crowds.n_regions else []), *([boxes] if boxes else [])]
    return remarks, _EXIT_PROBLEMS if crowds.all_regions or (boxes and not args.boxes_only) else 0


def _still_unusable(coco, image_root):
    """{file name: why} of images of the repaired copy that cannot be opened or contradict what it says of them."""
    from segtumor.annotations.problems import ERROR
    from segtumor.datasets.image_checks import image_problems

    names = [image["file_name"] for image in coco["images"]]
    progress = progress_bar("opening images of the copy")
    found, prints = image_problems(coco["images"], image_root, progress=progress, near=False)
    alike = {}
    for name, one in prints.items():
        alike.setdefault(one.pixel_sha256, []).append(name)
    why = {}
    for problem in (p for p in found if p.severity == ERROR):
        name = names[int(problem.where.partition("[")[2].partition("]")[0])]
        # Of one picture with two labels nobody knows which is right.
        same = alike[prints[name].pixel_sha256] if problem.field == "image_label" and name in prints else [name]
        for each in same:
            why.setdefault(each, f"{problem.field} {problem.what}")
    return why


def _write_repaired(args, repaired) -> None:
    from segtumor.annotations.remarks import kinds_of
    from segtumor.files import write_json

    changes = {
        "schema_version": _SCHEMA_VERSION,
        "file": Path(args.annotations).name,
        "repaired": Path(args.fix).name,
        "kinds_of_changes": _kinds_of_changes(repaired),
        "kinds_left_out": kinds_of(repaired.left_out),
        "changes": [change._asdict() for change in repaired.changes],
        "left_out": [remark._asdict() for remark in repaired.left_out],
    }
    write_json(args.changes, changes)
    write_json(args.fix, repaired.coco, indent=None)  # last: a full disk leaves no copy without the list of its changes


def _kinds_of_changes(repaired):
    return dict(Counter(f"{change.field}: {change.what}" for change in repaired.changes).most_common())


def _print_repaired(args, repaired, verdict) -> None:
    from segtumor.annotations.problems import ProblemKind
    from segtumor.annotations.regions import BOXES_AS_MASKS, counted_regions
    from segtumor.annotations.remarks import kinds_of

    n_images, regions = len(repaired.coco["images"]), counted_regions(repaired.coco["annotations"])
    print(f"repaired copy: {args.fix}, {n_images} images with {regions}{verdict}")
    print(f"changed: {len(repaired.changes)} values, listed in {args.changes}")
    for kind, number in _kinds_of_changes(repaired).items():
        print(f"{number:>7}  {kind}")
    print(f"left out: {len(repaired.left_out)} entries")
    for kind, number in kinds_of(repaired.left_out).items():
        print(f"{number:>7}  {kind}")
    if ProblemKind.BOX_ALONE in repaired.kinds:
        print(f"         to keep boxes without an outline, add --boxes-only, or {BOXES_AS_MASKS}")
