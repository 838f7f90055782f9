"""The case of each image: a field of the images, or a table.

Not here: dividing the cases (``split``).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.image_names import NameIndex
from segtumor.annotations.tables.image_tables import image_column, read_cells
from segtumor.cases import case_of, case_or_own
from segtumor.errors import ConfigError, DataError
from segtumor.texts import some_of

_NAMED = 5


def cases_of_images(images: Sequence[Mapping[str, Any]], *, by: str = "case_id") -> list[str]:
    """Case of each image, from one of its fields; raises ConfigError without one: it may show another's case."""
    cases = [case for image in images if (case := case_of(image, by)) is not None]
    if len(cases) < len(images):
        missing = [image["file_name"] for image in images if case_of(image, by) is None]
        raise ConfigError(
            f"{len(missing)} of {len(images)} images have no {by}: {some_of(missing, _NAMED)}",
            where="a split by case",
            remedy="Give a table image,case_id as --cases, another field as --by, or --kind image, which leaks",
        )
    return cases


def known_cases(images: Sequence[Mapping[str, Any]], *, by: str = "case_id") -> list[str]:
    """Case of each image; one without is a case of its own, ``image:<file name>``."""
    return [case_or_own(image, by) for image in images]


def join_cases(case_of: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{file name: case}, with one case for those that pairs of file names join: both, sorted, with + between them."""
    group_of = {case: {case} for case in case_of.values()}
    for first, second in pairs:
        merged = group_of[case_of[first]] | group_of[case_of[second]]
        group_of.update(dict.fromkeys(merged, merged))
    return {name: "+".join(sorted(group_of[case])) for name, case in case_of.items()}


def read_case_table(path: Path | str, file_names: Sequence[str]) -> tuple[dict[int, str], list[str]]:
    """({position of the image: case}, names that no image has) of a CSV or Excel table of image names and case_id.

    Names may lack folder and suffix where that leaves no doubt. Raises DataError for an image with two cases.
    """
    names, cases, unknown = NameIndex(file_names), dict[int, str](), list[str]()
    rows = read_cells(path, ("case_id",))
    column = image_column(rows[0] if rows else {}, path)
    for row in rows:
        case = case_of(row)
        if not row[column] or case is None:
            continue
        index = names.find(row[column])
        if index is None:
            unknown.append(row[column])
        elif cases.setdefault(index, case) != case:
            got = f"{cases[index]} and {case}"
            raise DataError(f"image {file_names[index]} has two cases", where=path, got=got)
    return cases, unknown
