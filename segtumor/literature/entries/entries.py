"""Published sources as YAML, read and validated: one file per source, each number as printed.

The form is ``schema.SCHEMA`` (``segtumor benchmark list --schema`` shows it). Loading is safe: plain YAML values, no
aliases, no repeated keys, limits on size and depth; every mistake is a ``DataError`` that names file and key. Not here:
recomputing (``checks``, ``audit``).
"""

from dataclasses import dataclass
from pathlib import Path

from segtumor.errors import DataError
from segtumor.literature.checks import arguments as a
from segtumor.literature.checks.printed_numbers import Printed
from segtumor.literature.checks.table import CHECKS, read_arguments
from segtumor.literature.checks.verdict import SOURCE
from segtumor.literature.counting_rules import is_share
from segtumor.literature.entries.likely_slips import nearest
from segtumor.literature.entries.schema import CITATION, KINDS_OF_SPLIT, RESULT, SCHEMA, SPLIT, UNITS, WHOSE
from segtumor.literature.entries.yaml_input import read_yaml
from segtumor.literature.protocols import PROTOCOLS, metric_names

OWN_FOLDER = Path(__file__).parents[1] / "sources"


@dataclass(frozen=True)
class Result:
    """One printed number.

    Args:
        metric: our measure's name where it means the same, else the source's own.
        value: as printed; ``number`` has its decimals, ``fraction`` its value from 0 to 1 where it is a share.
        ci: (low, high), Printed, or None.
        n: units that it is of; counts: (k, n) behind it; either may be None.
        group: class or subset, "" for all; model: which of the source's models.
        split: name of a split of the entry, or "".
        unit, iou_rule: the entry's unless the row has its own.
        protocols: names of the protocols it belongs to.
        comparable: the source defines it as we do, so that a number of ours may stand beside it under such a protocol
            (whether data and split are the same is decided there); why_not: why not.
        derived: not printed, computed from printed counts.
    """

    metric: str
    value: str
    number: Printed
    ci: tuple | None
    n: int | None
    counts: tuple | None
    group: str
    model: str
    split: str
    unit: str
    iou_rule: str
    protocols: tuple
    comparable: bool
    why_not: str
    derived: bool

    @property
    def fraction(self):
        """The number, from 0 to 1 where it was printed in percent."""
        return self.number.value


@dataclass(frozen=True)
class Claim:
    """One thing to recompute: ``kind`` of ``checks.CHECKS``, what is claimed, where, the arguments as read, and whose
    claim it is (``schema.WHOSE``)."""

    kind: str
    what: str
    where: str
    arguments: dict
    whose: str = SOURCE


@dataclass(frozen=True)
class Entry:
    """One source; fields as ``SCHEMA``. ``splits`` is {name: {kind, detail, n, leak}}, n None, detail and leak ""
    where not given."""

    id: str
    citation: dict
    read: bool
    quoted_by: str
    source: str
    dataset: str
    modality: str
    task: str
    unit: str
    iou_rule: str
    splits: dict
    results: tuple
    claims: tuple
    path: Path

    @property
    def short(self):
        """Who and when, for a title."""
        return f"{self.citation['authors']} {self.citation.get('year', '')}".strip()


def load_entries(folder=None):
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


def load_entry(path):
    """One ``Entry``.

    Raises:
        DataError: unreadable, too large, not plain YAML, or not of the form ``SCHEMA``; names the key.
    """
    path = Path(path)
    return _Reader(path).entry(read_yaml(path))


class _Reader:
    """Reads one file's values; knows its path, so that every refusal names it."""

    def __init__(self, path) -> None:
        self.path = path

    def entry(self, value):
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
                for i, row in enumerate(self.list(entry["results"], "results"))
            ),
            claims=tuple(self.claims(entry.get("claims", []))),
            path=self.path,
        )

    def citation(self, value):
        citation = self.keys(value, CITATION, "citation")
        if "year" in citation:
            self.argument(a.positive_count, citation["year"], "citation.year")
        return {key: item if key == "year" else self.words(item, f"citation.{key}") for key, item in citation.items()}

    def splits(self, value):
        splits = {}
        for name, item in self.mapping(value, "splits").items():
            split = self.keys(item, SPLIT, f"splits.{name}")
            n = None if "n" not in split else self.argument(a.positive_count, split["n"], f"splits.{name}.n")
            words = {key: self.words(split.get(key, ""), f"splits.{name}.{key}") for key in ("detail", "leak")}
            kind = self.one_of(KINDS_OF_SPLIT, split["kind"], f"splits.{name}.kind")
            splits[str(name)] = {"kind": kind, **words, "n": n}
        return splits

    def result(self, value, where, splits, unit, iou_rule):
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
        protocols = self.list(row.get("protocols", []), f"{where}.protocols")
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

    def claims(self, value):
        for i, group in enumerate(self.list(value, "claims")):
            where = f"claims[{i}]"
            shared = dict(self.mapping(group, where))
            kind, place = shared.pop("kind", None), self.words(shared.pop("where", ""), f"{where}.where")
            if not isinstance(kind, str) or kind not in CHECKS:
                self.refuse(f"{where}.kind", "is no kind of check", got=kind, expected=", ".join(CHECKS))
            for j, row in enumerate(self.list(shared.pop("rows", None), f"{where}.rows")):
                given = {**shared, **self.mapping(row, f"{where}.rows[{j}]")}
                yield self.claim(kind, place, given, f"{where}.rows[{j}]")

    def claim(self, kind, place, given, where):
        what = self.words(given.pop("what", ""), f"{where}.what")
        if not what:
            self.refuse(f"{where}.what", "is missing", expected="what is claimed, in a few words")
        whose = self.one_of(WHOSE, given.pop("whose", SOURCE), f"{where}.whose")
        return Claim(kind, what, place, self.argument(lambda v: read_arguments(kind, v), given, where), whose)

    def keys(self, value, names, where):
        """The mapping, with all of its keys known and none missing; names with "?" may be missing."""
        self.mapping(value, where)
        known = [name.removeprefix("?") for name in names]
        at = "" if where == "entry" else f"{where}."
        for name in value:
            if name not in known:  # rather than that another key is missing: it is mostly that one, misspelt
                near = nearest(name, [key for key in known if key not in value])
                remedy = f"Perhaps you mean {near}" if near else ""
                self.refuse(f"{at}{name}", "is unknown", expected=", ".join(sorted(known)), remedy=remedy)
        for name in names:
            if not name.startswith("?") and name not in value:
                self.refuse(f"{at}{name}", "is missing")
        return dict(value)

    def optional(self, row, key, reader, where):
        return self.argument(reader, row[key], f"{where}.{key}") if key in row else None

    def argument(self, reader, value, where):
        try:
            return reader(value)
        except ValueError as error:
            raise DataError(f"{where} cannot be used", where=self.path, got=str(value)[:80], expected=error) from error

    def mapping(self, value, where):
        if not isinstance(value, dict):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="keys and values")
        return value

    def list(self, value, where):
        if not isinstance(value, list):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="a list")
        return value

    def words(self, value, where):
        if not isinstance(value, str):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="text")
        return " ".join(value.split())

    def boolean(self, value, where):
        if not isinstance(value, bool):
            self.refuse(where, "cannot be used", got=str(value)[:60], expected="true or false")
        return value

    def one_of(self, words, value, where):
        if not isinstance(value, str) or value not in words:
            near = nearest(value, words)
            remedy = f"Perhaps you mean {near}" if near else ""
            self.refuse(where, "cannot be used", got=str(value)[:60], expected=", ".join(words), remedy=remedy)
        return value

    def refuse(self, key, what, **details):
        said = {name: text for name, text in details.items() if text != ""}
        raise DataError(f"{key} {what}", where=self.path, **said)
