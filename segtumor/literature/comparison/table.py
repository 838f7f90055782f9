"""Our numbers beside the published ones, a row for each published number and one for each of ours without.

Not here: printing and files (``segtumor.commands.benchmark.run``, ``segtumor.literature.comparison.files``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from segtumor.evaluation.study.values import Estimate
from segtumor.literature.comparison.comparability import MeasuredOn, judge
from segtumor.literature.entry import Entry, Result
from segtumor.literature.protocols import Protocol

COMPARABLE, WITH_CAVEAT = "comparable", "comparable with caveat"
NOT_COMPARABLE, OURS_ALONE = "not comparable", "no published number"
#: A split of this name says nothing that the source does not.
_TEST = "test"


@dataclass(frozen=True, kw_only=True)
class ComparedNumber:
    """A number of ours, a published one, or both: one line of the comparison.

    Attributes:
        metric: name of the measure, with the group in brackets, as in ``mask_ap50[malignant]``.
        label: for people; "" where only the source has the number.
        ours: None where the protocol does not measure it.
        leak_free: the same on the images that share no case with training, or None where nothing is shared.
        published: the number as printed, "" if there is none.
        published_ci: as printed, "".
        published_n: units or counts behind it, as text.
        source: who and when, with the model and the split, as internal or external.
        verdict: COMPARABLE, WITH_CAVEAT, NOT_COMPARABLE or OURS_ALONE.
        reasons: against comparing, where NOT_COMPARABLE.
        caveats: what to bear in mind where WITH_CAVEAT.
    """

    metric: str
    label: str
    ours: Estimate | None
    leak_free: Estimate | None
    published: str = ""
    published_ci: str = ""
    published_n: str = ""
    source: str = ""
    verdict: str = OURS_ALONE
    reasons: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Reasons or caveats, as one text."""
        return "; ".join(self.reasons or self.caveats)


def comparison_table(
    protocol: Protocol,
    entries: Mapping[str, Entry],
    tested: MeasuredOn,
    ours: Sequence[Estimate],
    leak_free: Sequence[Estimate],
) -> list[ComparedNumber]:
    """Rows of a protocol.

    Args:
        ours, leak_free: from ``measuring.measure``; leak_free may be empty.

    Returns:
        our measures in the protocol's order, each with the numbers published for it, then published
        numbers that the protocol does not measure.
    """
    published = published_by_metric(protocol, entries)
    by_name, clean = ({e.name: e for e in estimates} for estimates in (ours, leak_free))
    rows: list[ComparedNumber] = []
    for name in [*by_name, *(metric for metric in published if metric not in by_name)]:
        if name not in published and "[" in name:
            continue  # numbers of one class are shown only where someone published them
        alone = ComparedNumber(
            metric=name,
            label=by_name[name].label if name in by_name else "",
            ours=by_name.get(name),
            leak_free=clean.get(name),
        )
        rows += [_beside(alone, *pair, protocol, tested) for pair in published.get(name, [])] or [alone]
    return rows


def published_by_metric(protocol: Protocol, entries: Mapping[str, Entry]) -> dict[str, list[tuple[Entry, Result]]]:
    """What a protocol shows, by metric."""
    published: dict[str, list[tuple[Entry, Result]]] = {}
    for entry in entries.values():
        for result in entry.results:
            if set(protocol.shows) & set(result.protocols):
                published.setdefault(metric_of(result), []).append((entry, result))
    return published


def metric_of(result: Result) -> str:
    """Name of a published number's measure, with its group in brackets."""
    return f"{result.metric}[{result.group}]" if result.group else result.metric


def _beside(
    alone: ComparedNumber, entry: Entry, result: Result, protocol: Protocol, tested: MeasuredOn
) -> ComparedNumber:
    ours = alone.ours
    reasons, caveats = judge(entry, result, protocol, tested, ours.unit if ours is not None else "")
    if ours is None:
        reasons.append("not measured by this protocol")
    return replace(
        alone,
        published=_value_text(result, ours),
        published_ci=f"{result.ci[0].text} to {result.ci[1].text}" if result.ci else "",
        published_n=_n_text(result),
        source=_source_text(entry, result),
        verdict=NOT_COMPARABLE if reasons else WITH_CAVEAT if caveats else COMPARABLE,
        reasons=tuple(reasons),
        caveats=() if reasons else tuple(caveats),
    )


def _source_text(entry: Entry, result: Result) -> str:
    model = "" if result.model in entry.short else result.model
    split = "" if result.split == _TEST else result.split
    return ", ".join(text for text in (entry.short, model, split) if text)


def _value_text(result: Result, ours: Estimate | None) -> str:
    """The number as printed; AP, which is in percent here and mostly a fraction in print, in percent too."""
    if ours is not None and ours.in_percent and not result.value.endswith("%"):
        return f"{result.value} (that is, {100 * result.fraction:.1f} %)"
    return result.value


def _n_text(result: Result) -> str:
    """Counts or n; what was computed from printed counts says so."""
    derived = " (computed from them)" if result.derived and result.counts else ""
    if result.counts:
        return f"{result.counts[0]} of {result.counts[1]} {result.unit}s{derived}"
    return f"{result.n} {result.unit}s" if result.n else ""
