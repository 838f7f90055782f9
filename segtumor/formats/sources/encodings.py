"""Text of annotation files in other encodings than UTF-8, as far as the file itself says which it is.

A byte-order mark tells UTF-16 and UTF-32, an XML declaration tells the rest, such as the GBK of Chinese tools. Where a
file says nothing and is not UTF-8, its encoding would be a guess that spoils names: it is refused. Not here: parsing.
"""

import codecs
import io
import re
from pathlib import Path

from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.errors import DataError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["'][^>]{0,200}?\?>""")
_DECLARATION = re.compile(rb"^(\xef\xbb\xbf)?\s*<\?xml[^>]{0,400}?\?>")
_BARE_AND = re.compile(rb"&(?!#?\w{1,12};)")


def utf8_of(data: bytes, where) -> bytes:
    """Bytes of a text with a mark of UTF-16 or UTF-32 as UTF-8, others as they are; raises DataError if damaged."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    return data if encoding is None else _recoded(data, encoding, where)


def read_json(path: Path, **options):
    """The JSON value of an annotation file in UTF-8, or in UTF-16 or UTF-32 with a mark; raises DataError."""
    return parse_json(utf8_of(read_bytes(path, **options), path), path)


def xml_of(data: bytes, where) -> bytes:
    """XML in the encoding that it declares as UTF-8 without a declaration; raises DataError if it is not in it."""
    data = utf8_of(data, where)
    declared = _DECLARED.match(data.removeprefix(codecs.BOM_UTF8))
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    if encoding.lower() == "utf-8":  # "utf8", as Python's own writer puts it, is none that the parser knows
        return data
    if not encoding.lower().startswith(("utf-16", "utf16")):  # what says so and got here is UTF-8 already
        data = _recoded(data, encoding, where)
    return _DECLARATION.sub(b"", data, count=1)


def xml_head(head: bytes) -> bytes:
    """The first bytes of an XML file, readable as ASCII whatever their encoding."""
    return head.replace(b"\0", b"")


def xml_file(path: Path, max_bytes: int) -> io.BytesIO:
    """A file for an XML reader, in UTF-8; raises DataError."""
    return io.BytesIO(xml_of(read_bytes(path, max_bytes=max_bytes), path))


def xml_fault(error: Exception, data: bytes) -> str:
    """What is wrong with XML, with its line; a bare & is the usual reason."""
    line = getattr(error, "position", (0, 0))[0]
    lines = data.splitlines()
    if 0 < line <= len(lines) and _BARE_AND.search(lines[line - 1]):
        return f"not readable as XML: {error}; a bare & is written &amp;"
    if not isinstance(error, UnicodeError) and "invalid token" in str(error) and not _is_utf8(data):
        return f"not readable as XML: {error}; it is not UTF-8 and declares no other encoding"
    return f"not readable as XML: {error}"


def _is_utf8(data) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _recoded(data, encoding, where):
    try:
        return data.decode(encoding).encode("utf-8")
    except LookupError as error:
        what = f"not readable as XML: no encoding is called {encoding}"
        raise DataError(what, where=where, remedy="Save it as UTF-8") from error
    except UnicodeError as error:
        what = f"not readable: it is not in the encoding that it says, {encoding}"
        raise DataError(what, where=where, got=str(error)[:80], remedy="Save it as UTF-8") from error
