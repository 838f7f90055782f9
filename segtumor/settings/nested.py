"""Nested settings as flat ones: {"A": {"B": 1}} is {"A.B": 1}, so that of settings that differ only those are named."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(key with dots, value) of every setting; a group without any has none."""
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Keys of two flat settings whose values differ, or that one of them lacks, in the order of the earlier ones.

    Values are compared as JSON, since a tuple comes back from a file as a list.
    """
    return [key for key in {**before, **now} if _json(before.get(key)) != _json(now.get(key))]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
