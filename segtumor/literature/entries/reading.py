"""Published sources read from YAML and validated: one file per source, each number as printed.

The form is ``schema.SCHEMA`` (``segtumor benchmark list --schema`` shows it); every mistake is a ``DataError`` that
names file, key and, where a word is misspelt, the nearest one. Not here: safe loading (``plain_yaml``), recomputing
(``claims``).
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from segtumor.errors import ConfigError, DataError
from segtumor.literature.claims import arguments as a
from segtumor.literature.claims.kinds import CHECKS, read_arguments
from segtumor.literature.entries.plain_yaml import read_yaml
from segtumor.literature.entries.schema import CITATION, CONFUSION, KINDS_OF_SPLIT, RESULT, SCHEMA, SPLIT, UNITS, WHOSE
from segtumor.literature.entry import SOURCE, Claim, Confusion, Entry, Result, Split
from segtumor.literature.protocols import PROTOCOLS, is_share, metric_names

T = TypeVar("T")
OWN_FOLDER = Path(__file__).parents[1] / "sources"


def load_entries(folder: str | Path | None = None) -> dict[str, Entry]:
    """{id: Entry}, by id, of all ``*.yaml`` and ``*.yml`` in ``folder`` (default: the sources of segtumor itself).

    Raises:
        DataError: no such folder, no file in it, two of one name, or the first entry that is not valid.
    """
    folder = Path(folder or OWN_FOLDER)
    paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if folder.is_dir() else []
    ids = [path.stem for path in paths]
    twice = [name for name in ids if ids.count(name) > 1]
    if twice:
        raise DataError("two entries of one name", where=folder, got=f"{twice[0]}.yaml and {twice[0]}.yml")
    if not paths:
        raise DataError("no entries found", where=folder, expected="a folder with one .yaml file per source")
    return {path.stem: load_entry(path) for path in paths}


def load_entry(path: str | Path) -> Entry:
    """One ``Entry``.

    Raises:
        DataError: unreadable, too large, not plain YAML, or not of the form ``SCHEMA``; names the key.
    """
    path = Path(path)
    return _Reader(path).entry(read_yaml(path))


def choose_entries(names: Sequence[str], folder: str | Path | None = None) -> tuple[list[Entry], dict[str, Entry]]:
    """(chosen entries, {id: Entry} of all).

    Args:
        names: ids; empty means all, or all of ``folder`` where one is given.
        folder: the user's own entries; one of the same id replaces ours.

    Raises:
        ConfigError: a name that no entry has; DataError: an entry that is not valid.
    """
    own = load_entries(folder) if folder else {}
    library = {**load_entries(), **own}
    unknown = [name for name in names if name not in library]
    if unknown:
        near = _nearest(unknown[0], library, cutoff=0.4)
        remedy = f"Did you mean {near}? " if near else ""
        raise ConfigError("no such source", got=unknown[0], remedy=f"{remedy}`segtumor benchmark list` names them all")
    return [library[name] for name in names or own or library], library


def remarks_on(entry: Entry) -> Iterator[str]:
    """Sentences on what is allowed in an Entry but likely a slip: results of a protocol that measures no such thing."""
    for result in entry.results:
        known = {name for protocol in result.protocols for name in PROTOCOLS[protocol].shapes_of_metrics}
        if result.protocols and result.metric not in known:
            near = _nearest(result.metric, known) or _nearest(result.metric, metric_names())
            hint = f" Did you mean {near}?" if near else " `segtumor benchmark list --schema` names our metrics."
            where = f"{entry.path.name}: metric {result.metric} is not measured by {', '.join(result.protocols)}."
            yield where + hint


def _nearest(word: object, words: Iterable[str], cutoff: float = 0.6) -> str:
    """The one of ``words`` that is most like a word; "" if none is."""
    return next(iter(difflib.get_close_matches(str(word), list(words), n=1, cutoff=cutoff)), "")


class _Reader:
    """Reads one file's values; knows its path, so that every refusal names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entry(self, value: Any) -> Entry:
        entry = self.keys(value, tuple(SCHEMA), "entry")
        if entry["id"] != self.path.stem:
            self.refuse("id", "differs from the file's name", got=entry["id"], expected=self.path.stem)
        read = self.boolean(entry["read"], "read")
        if not read and not entry.get("quoted_by"):
            self.refuse("quoted_by", "is missing", expected="who quotes it, since read is false")
        unit, iou_rule = (
            self.one_of(UNITS, entry["unit"], "unit"),
            self.words(entry.get("iou_rule", "none"), "iou_rule"),
        )
        splits = self.splits(entry["splits"])
        return Entry(
            id=entry["id"],
            citation=self.citation(entry["citation"]),
            read=read,
            **{key: self.words(entry[key], key) for key in ("dataset", "modality", "task")},
            **{key: self.words(entry.get(key, ""), key) for key in ("quoted_by", "source")},
            unit=unit,
            iou_rule=iou_rule,
            splits=splits,
            results=tuple(
                self.result(row, f"results[{i}]", splits, unit, iou_rule)
                for i, row in enumerate(self.items(entry["results"], "results"))
            ),
            confusions=tuple(
                self.confusion(row, f"confusions[{i}]", splits)
                for i, row in enumerate(self.items(entry.get("confusions", []), "confusions"))
            ),
            claims=tuple(self.claims(entry.get("claims", []))),
            path=self.path,
        )

    def citation(self, value: Any) -> dict[str, Any]:
        citation = self.keys(value, CITATION, "citation")
        if "year" in citation:
            self.argument(a.positive_count, citation["year"], "citation.year")
        return {key: item if key == "year" else self.words(item, f"citation.{key}") for key, item in citation.items()}

    def splits(self, value: Any) -> dict[str, Split]:
        return {str(name): self.split(item, f"splits.{name}") for name, item in self.mapping(value, "splits").items()}

    def split(self, value: Any, where: str) -> Split:
        split = self.keys(value, SPLIT, where)
        n = self.optional(split, "n", a.positive_count, where)
        detail, leak = (self.words(split.get(key, ""), f"{where}.{key}") for key in ("detail", "leak"))
        return Split(self.one_of(KINDS_OF_SPLIT, split["kind"], f"{where}.kind"), detail, n, leak)

    def result(self, value: Any, where: str, splits: Mapping[str, Split], unit: str, iou_rule: str) -> Result:
        row = self.keys(value, RESULT, where)
        comparable = self.boolean(row["comparable"], f"{where}.comparable")
        if not comparable and not row.get("why_not"):
            self.refuse(f"{where}.why_not", "is missing", expected="a reason, since comparable is false")
        split = self.words(row.get("split", ""), f"{where}.split")
        if split and split not in splits:
            self.refuse(f"{where}.split", "is no split of the entry", got=split, expected=", ".join(splits))
        number = self.argument(a.printed, row["value"], f"{where}.value")
        if abs(number.value) > 1 and row["metric"] in metric_names() and is_share(row["metric"]):
            self.refuse(
                f"{where}.value", "is above 1", got=number.text, expected="a share, or a percentage with its %, as 62%"
            )
        protocols = self.items(row.get("protocols", []), f"{where}.protocols")
        protocols = [self.one_of(PROTOCOLS, name, f"{where}.protocols") for name in protocols]
        return Result(
            value=number.text,
            number=number,
            ci=self.optional(row, "ci", lambda v: tuple(a.interval(v)), where),
            n=self.optional(row, "n", a.positive_count, where),
            counts=self.optional(row, "counts", lambda v: tuple(a.cell(v)), where),
            **{key: self.words(row.get(key, ""), f"{where}.{key}") for key in ("metric", "group", "model", "why_not")},
            split=split,
            unit=self.one_of(UNITS, row.get("unit", unit), f"{where}.unit"),
            iou_rule=self.words(row.get("iou_rule", iou_rule), f"{where}.iou_rule"),
            protocols=tuple(protocols),
            comparable=comparable,
            derived=self.boolean(row.get("derived", False), f"{where}.derived"),
        )

    def confusion(self, value: Any, where: str, splits: Mapping[str, Split]) -> Confusion:
        row = self.keys(value, CONFUSION, where)
        classes = [self.words(name, f"{where}.classes") for name in self.items(row["classes"], f"{where}.classes")]
        counts = self.argument(a.square, row["counts"], f"{where}.counts")
        if len(counts) != len(classes):
            self.refuse(f"{where}.counts", "has another size than classes", got=f"{len(counts)} rows")
        return Confusion(
            self.words(row["model"], f"{where}.model"),
            self.one_of(splits, row["split"], f"{where}.split"),
            tuple(classes),
            tuple(map(tuple, counts)),
        )

    def claims(self, value: Any) -> Iterator[Claim]:
        for i, group in enumerate(self.items(value, "claims")):
            where = f"claims[{i}]"
            shared = dict(self.mapping(group, where))
            kind, place = shared.pop("kind", None), self.words(shared.pop("where", ""), f"{where}.where")
            if not isinstance(kind, str) or kind not in CHECKS:
                self.refuse(f"{where}.kind", "is no kind of check", got=kind, expected=", ".join(CHECKS))
            for j, row in enumerate(self.items(shared.pop("rows", None), f"{where}.rows")):
                given = {**shared, **self.mapping(row, f"{where}.rows[{j}]")}
                yield self.claim(kind, place, given, f"{where}.rows[{j}]")

    def claim(self, kind: str, place: str, given: dict[str, Any], where: str) -> Claim:
        what = self.words(given.pop("what", ""), f"{where}.what")
        if not what:
            self.refuse(f"{where}.what", "is missing", expected="what is claimed, in a few words")
        whose = self.one_of(WHOSE, given.pop("whose", SOURCE), f"{where}.whose")
        return Claim(kind, what, place, self.argument(lambda v: read_arguments(kind, v), given, where), whose)

    def keys(self, value: Any, names: Iterable[str], where: str) -> dict[str, Any]:
        """The mapping, with all of its keys known and none missing; names with "?" may be missing."""
        self.mapping(value, where)
        known = [name.removeprefix("?") for name in names]
        at = "" if where == "entry" else f"{where}."
        for name in value:
            if name not in known:  # rather than that another key is missing: it is mostly that one, misspelt
                near = _nearest(name, [key for key in known if key not in value])
                remedy = f"Perhaps you mean {near}" if near else ""
                self.refuse(f"{at}{name}", "is unknown", expected=", ".join(sorted(known)), remedy=remedy)
        for name in names:
            if not name.startswith("?") and name not in value:
                self.refuse(f"{at}{name}", "is missing")
        return dict(value)

    def optional(self, row: Mapping[str, Any], key: str, reader: Callable[[Any], T], where: str) -> T | None:
        return self.argument(reader, row[key], f"{where}.{key}") if key in row else None

    def argument(self, reader: Callable[[Any], T], value: Any, where: str) -> T:
        try:
            return reader(value)
        except ValueError as error:
            raise DataError(f"{where} cannot be used", where=self.path, got=str(value)[:80], expected=error) from error

    def mapping(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="keys and values")
        return value

    def items(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="a list")
        return value

    def words(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="text")
        return " ".join(value.split())

    def boolean(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="true or false")
        return value

    def one_of(self, words: Collection[str], value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in words:
            near = _nearest(value, words)
            remedy = f"Perhaps you mean {near}" if near else ""
            self.refuse(where, "cannot be used", got=str(value)[:60], expected=", ".join(words), remedy=remedy)
        return value

    def refuse(self, key: str, what: str, **details: str) -> NoReturn:
        said = {name: text for name, text in details.items() if text != ""}
        raise DataError(f"{key} {what}", where=self.path, **said)
