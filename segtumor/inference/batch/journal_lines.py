"""The lines of a journal: an input that a run was asked for, or what became of one; to bytes and back.

Each line ends with a hash of what stands before it, so that a single changed byte is noticed: a digit of a score would
be a finding like any other. What is read is checked as far as the tables rely on it all the same. Not here: what the
first line says, and the file (``journal``).
"""

import hashlib
import json
import re
from pathlib import Path

from segtumor.reporting.files.findings_files import InferenceOutcome
from segtumor.structures.lesions import Finding

#: Fields of InferenceOutcome that a line holds as they are, and what else it holds.
_PLAIN = ("size_hw", "status", "reason", "seconds", "spacing_mm", "spacing_source", "overlay", "note")
_INPUT_KEYS = {"name", "key"}
_KEYS = {*_INPUT_KEYS, "file", *_PLAIN, "findings"}
_CHECKED = re.compile(rb'(\{.+),"check":"([0-9a-f]{16})"\}\n')


def encoded(value):
    """A line's value, a dict that is not empty -> its bytes."""
    text = json.dumps(value, separators=(",", ":")).encode().removesuffix(b"}")
    return text + b',"check":"%s"}\n' % _check(text)


def parsed(line):
    """A line's dict, or None where it is not byte for byte what ``encoded`` gave."""
    match = _CHECKED.fullmatch(line)
    if match is None or match[2] != _check(match[1]):
        return None
    return json.loads(match[1] + b"}")


def _check(text):
    return hashlib.sha256(text).hexdigest()[:16].encode()


def input_line(key, name):
    """The value of a line for an input; ``key`` is what it is known by, ``name`` what was typed."""
    return {"name": name, "key": key}


def is_input(entry):
    """Whether a parsed line is one of ``input_line``."""
    return entry is not None and entry.keys() == _INPUT_KEYS and _are_texts(*entry.values())


def outcome_line(outcome, key, identity):
    """The value of a line for an InferenceOutcome; ``identity`` is ``inputs.file_identity`` of its file."""
    return {
        **input_line(key, outcome.file_name),
        "file": identity,
        **{name: getattr(outcome, name) for name in _PLAIN},
        "findings": [_finding_entry(finding) for finding in outcome.findings],
    }


def outcome_of(entry, class_count):
    """The InferenceOutcome of a parsed line, or None where it is not one that ``outcome_line`` gave."""
    if entry is None or not entry.keys() >= _KEYS or not _are_texts(entry["name"], entry["key"]):
        return None
    try:
        return InferenceOutcome(
            entry["name"],
            _pair(entry["size_hw"], int),
            tuple(_finding(class_count, *values) for values in entry["findings"]),
            status=entry["status"],
            reason=entry["reason"],
            seconds=entry["seconds"],
            spacing_mm=_pair(entry["spacing_mm"], float),
            spacing_source=entry["spacing_source"],
            overlay=_file_name(entry["overlay"]),
            note=entry["note"],
        )
    except (KeyError, TypeError, ValueError):  # KeyError: of an outline
        return None


def _finding_entry(finding):
    box, probabilities = (list(map(float, values)) for values in (finding.box_xyxy, finding.probabilities))
    return [int(finding.class_id), float(finding.score), box, _plain(finding.rle), probabilities]


def _finding(class_count, class_id, score, box, rle, probabilities):
    left, top, right, bottom = map(float, box)
    if class_id not in range(class_count):
        raise ValueError(f"class {class_id} of {class_count}")
    if rle is not None:
        rle = {"size": list(_pair(rle["size"], int)), "counts": str(rle["counts"])}
    return Finding(class_id, float(score), (left, top, right, bottom), rle, tuple(map(float, probabilities)))


def _plain(rle):
    if rle is None:
        return None
    counts = rle["counts"]
    return {"size": list(map(int, rle["size"])), "counts": counts.decode() if isinstance(counts, bytes) else counts}


def _are_texts(*values):
    return all(isinstance(value, str) for value in values)


def _pair(values, kind):
    if values is None:
        return None
    first, second = values
    return kind(first), kind(second)


def _file_name(text):
    """A name in the folder of overlays, or None; a path would lead out of it."""
    if text is not None and Path(text).name != text:
        raise ValueError(f"not the name of a file: {text!r}")
    return text
