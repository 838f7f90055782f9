"""The kinds of claim an entry may hold: the arguments of each, and the function that recomputes.

A claim in YAML is ``{kind, where, rows}``; a row is ``{what, ...arguments}``, and arguments beside ``rows`` are shared
by all. A new kind is one line here and one pure function of keyword arguments that returns an ``Outcome``. Not here:
the mathematics (the other files of this folder).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segtumor.literature.claims import arguments as a
from segtumor.literature.claims import counts, intervals, other_sources, p_values, rates, spreads
from segtumor.literature.claims.outcome import Outcome

#: Reads a value of YAML, or raises ValueError with what was expected.
Reader = Callable[[Any], Any]


@dataclass(frozen=True)
class Check:
    """One kind of claim.

    Args:
        function: keyword arguments -> Outcome.
        needs: {argument: its reader in ``arguments``}; allows: the same for those that may be left out.
        uses_library: the function also gets ``library``, all entries by id.
    """

    function: Callable[..., Outcome]
    needs: Mapping[str, Reader]
    allows: Mapping[str, Reader] = field(default_factory=dict)
    uses_library: bool = False


_BINARY = {"tp": a.count, "fp": a.count, "fn": a.count, "tn": a.count}
_PRINTED = {"printed": a.printed}

CHECKS = {
    # counts
    "ratio": Check(counts.ratio, {"k": a.count, "n": a.positive_count}, _PRINTED),
    "attainable": Check(counts.attainable, {**_PRINTED, "n": a.positive_count}),
    "total": Check(counts.total, {"parts": a.counts, "whole": a.count}),
    "subgroups": Check(counts.subgroups, {"parts": a.pairs, "whole": a.pair}),
    "fits_remainder": Check(counts.fits_remainder, {"cell": a.pair, "others": a.pairs, "whole": a.pair}),
    "both_wrong": Check(counts.both_wrong, {"both": a.count, "first": a.count, "second": a.count}),
    "nearest_count": Check(counts.nearest_count, {**_PRINTED, "k": a.count, "n": a.positive_count}),
    "median_side": Check(counts.median_side, {**_PRINTED, "cut": a.number, "below": a.count, "n": a.positive_count}),
    "layer_parameters": Check(
        counts.layer_parameters,
        {**_PRINTED, "inputs": a.positive_count, "outputs": a.positive_count, "kernel": a.positive_count},
    ),
    # rates
    "binary_rate": Check(rates.binary_rate, {"rate": a.text, **_BINARY}, _PRINTED),
    "table_rate": Check(rates.table_rate, {"rate": a.text, "table": a.square}, {**_PRINTED, "of_class": a.count}),
    "swapped_rate": Check(rates.swapped_rate, {**_PRINTED, "table": a.square, "of_class": a.count}),
    "f1": Check(rates.f1_of_rates, {**_PRINTED, "precision": a.printed, "recall": a.printed}),
    "class_mean": Check(rates.class_mean, {**_PRINTED, "values": a.printed_list}),
    "difference": Check(rates.difference, {**_PRINTED, "first": a.printed, "second": a.printed}),
    "one_prevalence": Check(rates.one_prevalence, {"models": a.triples, "reference": a.text}),
    "prevalence": Check(rates.prevalence, {"accuracy": a.printed, "precision": a.printed, "recall": a.printed}),
    # intervals
    "proportion_interval": Check(
        intervals.proportion_interval, {"interval": a.interval, "k": a.count, "n": a.positive_count}
    ),
    "auc_interval": Check(intervals.auc_interval, {"auc": a.printed, "interval": a.interval, "n": a.positive_count}),
    "auc_possible": Check(intervals.auc_possible, {"auc": a.printed, **_BINARY}),
    "kappa_interval": Check(
        intervals.kappa_with_interval,
        {"table": a.square},
        {**_PRINTED, "interval": a.interval, "weights": a.text},
    ),
    "two_raters": Check(
        intervals.two_raters,
        {**_PRINTED, "interval": a.interval, "first": a.pair, "second": a.pair, "n": a.pair},
    ),
    "either_reader": Check(
        intervals.either_reader,
        {**_PRINTED, "missed": a.count, "misread": a.count, "first": a.pair, "second": a.pair, "n": a.pair},
    ),
    "one_sample_size": Check(intervals.one_sample_size, {"intervals": a.triples}),
    # p-values
    "chi_squared_p": Check(p_values.chi_squared_p, {**_PRINTED, "table": a.table}),
    "kappa_permutation_p": Check(
        p_values.kappa_permutation_p, {**_PRINTED, "first": a.pair, "second": a.pair, "n": a.pair}
    ),
    "not_recomputable": Check(p_values.not_recomputable, {**_PRINTED, "why": a.text}),
    # means and spreads
    "smallest_spread": Check(
        spreads.smallest_spread,
        {**_PRINTED, "mean": a.printed, "cut": a.number, "below": a.count, "n": a.positive_count},
    ),
    "pooled_mean": Check(spreads.pooled_mean, {"groups": a.mean_groups, "regrouped": a.mean_groups}),
    "pooled_spread": Check(
        spreads.pooled_spread,
        {
            **_PRINTED,
            "n": a.positive_count,
            "mean": a.printed,
            "others": a.spread_groups,
            "regrouped": a.spread_groups,
        },
    ),
    # across sources
    "independent_of": Check(
        other_sources.independent_of, {"values": a.printed_list, "entry": a.text}, uses_library=True
    ),
    "measured_here": Check(
        other_sources.measured_here, {"values": a.printed_list, "quoted": a.printed_list, "of": a.text}
    ),
    "attributed": Check(
        other_sources.attributed,
        {**_PRINTED, "entry": a.text, "metric": a.text},
        {"group": a.text},
        uses_library=True,
    ),
    "one_test_set": Check(other_sources.one_test_set, {"sizes": a.named_counts}),
}


def read_arguments(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a check of ``kind``, read from YAML.

    Raises:
        ValueError: an argument missing, unknown or of the wrong form; its text says which and what was expected.
    """
    check = CHECKS[kind]
    missing = [name for name in check.needs if name not in given]
    unknown = [name for name in given if name not in check.needs and name not in check.allows]
    if missing or unknown:
        problems = [f"{word} {', '.join(map(str, names))}" for word, names in
                    (("lacks", missing), ("has unknown", unknown)) if names]  # fmt: skip
        raise ValueError(f"a claim of kind {kind} {' and '.join(problems)}")
    readers = {**check.needs, **check.allows}
    return {name: _read(readers[name], name, value) for name, value in given.items()}


def _read(reader: Reader, name: str, value: Any) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise ValueError(f"{name} is {str(value)[:60]!r}, expected {error}") from error
