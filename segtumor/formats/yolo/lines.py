"""One line of a YOLO label file, by how many numbers follow its class; whatever could be something else is refused.

| numbers | what they are |
| --- | --- |
| 4 | a box: centre, width, height |
| 5 | a box and its confidence (0 to 1) or, a whole number from 2, its track number |
| 6 | three corners of an outline; a box, its confidence and its track number where the last is a whole number from 2; \
left out where the last alone is written as 1 |
| 8, 10, ... | an outline; 8 are also a turned box, whose corners are its outline |
| 9, 11, ... | an outline and its confidence where the last is from 0 to 1 and no key points fit |
| key points | by ``kpt_shape: [K, D]`` of data.yaml, 4 + K x D numbers are a box and its key points, also with \
confidence and track number, and an outline is an error; without it, 4 + 3 K are, where every third is 0, 1 or 2 |

Key points, confidences of outlines and track numbers are dropped, which is reported. Not here: files and images
(``reader``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from segtumor.annotations.json_input import read_bytes
from segtumor.annotations.remarks import LeftOutError
from segtumor.files import open_ordinary
from segtumor.formats.sources.encodings import decoded
from segtumor.formats.sources.files import MAX_FILE_BYTES

ODD_LINE = "line that is not a class and its coordinates"
#: Beyond this a coordinate cannot be a share of the image's size, however carelessly drawn.
_LIMIT = 1.5

CONFIDENCE = "boxes with a confidence: predictions rather than annotations?"
OUTLINE_CONFIDENCE = "outlines with a confidence, which is dropped: predictions rather than annotations?"
TRACK = "track number dropped"
WHOLE_END = "outline ends in a whole 1, taken as a corner, not a track number"
KEY_POINTS = "key points dropped, their box is kept"


class Line(NamedTuple):
    """What a line says, in parts of the image's size.

    Attributes:
        class_number: counted from 0.
        box: (centre x, centre y, width, height), or None.
        outline: flat polygon, or None.
        confidence: of a box, or None.
        remarks: kinds of Remarks on what was dropped or is unusual.
    """

    class_number: int
    box: tuple[float, ...] | None = None
    outline: tuple[float, ...] | None = None
    confidence: float | None = None
    remarks: tuple[str, ...] = ()


def read_lines(path: Path, key_points: int = 0) -> list[Line]:
    """The lines of a label file, whose boxes have ``key_points`` numbers more; raises LeftOutError for others."""
    name = path.name
    try:
        texts = decoded(read_bytes(path, max_bytes=MAX_FILE_BYTES)).splitlines()
    except UnicodeError as error:
        raise LeftOutError(ODD_LINE, f"{name}: not text in UTF-8") from error
    lines = []
    for number, text in enumerate(texts, start=1):
        if text.strip():
            try:
                lines.append(_line(text.split(), key_points))
            except LeftOutError as reason:
                where = f"{name}, line {number}: {text.strip()[:60]}"
                raise LeftOutError(reason.kind, f"{where} ({reason.detail})" if reason.detail else where) from reason
    return lines


def share_of_sound_lines(path: Path) -> float:
    """How many of the first lines, 0 to 1, begin as label lines do; 1 for an empty file, 0 for one that is not text."""
    try:
        with open_ordinary(path) as file:
            texts = file.read(4096).replace(b"\0", b"").decode("utf-8-sig", errors="ignore").splitlines()
    except OSError:
        return 0.0
    words = [text.split() for text in texts if text.strip()]
    return sum(_is_label(line) for line in words) / len(words) if words else 1.0


def _is_label(words: Sequence[str]) -> bool:
    numbers = _numbers(words[:5])
    return len(numbers) == 5 and numbers[0] >= 0 and numbers[0] % 1 == 0  # also 1.0, as numpy writes it


def _numbers(words: Sequence[str]) -> list[float]:
    """The numbers in words; fewer than words if one is not a finite number. Python takes 0_1 for 1."""
    numbers: list[float] = []
    for word in words:
        try:
            number = float(word)
        except ValueError:
            break
        if "_" in word or abs(number) == float("inf") or number != number:
            break
        numbers.append(number)
    return numbers


def _line(words: Sequence[str], key_points: int) -> Line:
    values, class_numbers = _numbers(words[1:]), _numbers(words[:1])
    if len(values) < len(words) - 1 or not class_numbers or class_numbers[0] < 0 or class_numbers[0] % 1:
        raise LeftOutError(ODD_LINE)
    read = _with_key_points if key_points else _plain
    line = read(values, words[1:], key_points)._replace(class_number=int(class_numbers[0]))
    if any(abs(value) > _LIMIT for value in (*(line.box or ()), *(line.outline or ()))):
        raise LeftOutError("coordinates are not in parts of the image's size; in px?")
    return line


def _with_key_points(values: Sequence[float], words: Sequence[str], key_points: int) -> Line:
    rest = len(values) - 4 - key_points
    if len(values) == 4:
        return Line(0, box=tuple(values))
    if rest not in (0, 1, 2):
        detail = f"{len(values)} numbers, kpt_shape of data.yaml makes it {4 + key_points}"
        raise LeftOutError("line that does not fit kpt_shape", detail)
    line = _box([*values[:4], *values[4 + key_points :]], rest)
    return line._replace(remarks=(KEY_POINTS, *line.remarks))


def _plain(values: Sequence[float], words: Sequence[str], key_points: int) -> Line:
    count = len(values)
    if count in (4, 5):
        return _box(values, count - 4)
    if count == 6 and _is_whole(words[5]) and not any(map(_is_whole, words[:5])):
        if values[5] == 1:
            raise LeftOutError("line of six numbers: an outline, or a box with confidence and track number?")
        return _box(values, 2) if values[5] > 1 else Line(0, outline=tuple(values))
    if count >= 7 and (count - 4) % 3 == 0 and _has_visibility(values[6::3], count):
        return Line(0, box=tuple(values[:4]), remarks=(KEY_POINTS,))
    if count >= 9 and count % 2 == 1 and 0 <= values[-1] <= 1:
        return Line(0, outline=tuple(values[:-1]), remarks=(OUTLINE_CONFIDENCE,))
    if count >= 6 and count % 2 == 0:
        return _outline(values, words)
    raise LeftOutError(ODD_LINE, f"{count} numbers after the class")


def _outline(values: Sequence[float], words: Sequence[str]) -> Line:
    """An outline; or, of a tracker with confidences, one with two numbers more."""
    if len(values) >= 8 and _is_whole(words[-1]) and not any(map(_is_whole, words[:-1])):
        if values[-1] > 1 and 0 <= values[-2] <= 1:
            return Line(0, outline=tuple(values[:-2]), remarks=(OUTLINE_CONFIDENCE, TRACK))
        if values[-1] == 1:
            return Line(0, outline=tuple(values), remarks=(WHOLE_END,))
    return Line(0, outline=tuple(values))


def _box(values: Sequence[float], extra: int) -> Line:
    """A box with no, one or two numbers more: confidence, track number."""
    further, remarks, confidence = list(values[4:]), list[str](), None
    if extra and further[-1] % 1 == 0 and (further[-1] > 1 or extra == 2):
        further.pop()
        remarks.append(TRACK)
    if further:
        confidence = further.pop()
        remarks.append(CONFIDENCE)
    if further or (confidence is not None and not 0 <= confidence <= 1):
        what = "the number after the box is no confidence from 0 to 1; the angle of a turned box?"
        raise LeftOutError("box with a further number that is not known", what)
    return Line(0, box=tuple(values[:4]), confidence=confidence, remarks=tuple(remarks))


def _has_visibility(flags: Sequence[float], count: int) -> bool:
    """Whether each is 0, 1 or 2; where the line could be an outline too, a 2 decides, which no corner can be."""
    return all(flag in (0, 1, 2) for flag in flags) and (count % 2 == 1 or 2 in flags)


def _is_whole(word: str) -> bool:
    return word.isdigit()
