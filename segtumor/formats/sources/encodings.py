"""Text of annotation files in other encodings than UTF-8, where the file itself says which it is.

A byte-order mark means UTF-16 or UTF-32; an XML declaration names any other, such as the GBK of Chinese tools. Where a
file says nothing and is not UTF-8, its encoding would be a guess that spoils names: it is refused. Not here: what the
texts mean.
"""

import codecs
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import errors as expat_errors

from segtumor.annotations.json_input import MAX_BYTES, parse_json, read_bytes
from segtumor.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["'][^>]{0,200}?\?>""")
_DECLARATION = re.compile(rb"^(\xef\xbb\xbf)?\s*<\?xml[^>]{0,400}?\?>")
_BARE_AND = re.compile(rb"&(?!#?\w{1,12};)")
_INVALID_TOKEN = expat_errors.codes[expat_errors.XML_ERROR_INVALID_TOKEN]


def decoded(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 or UTF-32 with a mark; raises UnicodeError."""
    return data.decode(_marked(data) or "utf-8-sig")


def utf8_of(data: bytes, where: str | Path) -> bytes:
    """Bytes of a text with a mark of UTF-16 or UTF-32 as UTF-8, others as they are; raises DataError if damaged."""
    encoding = _marked(data)
    return data if encoding is None else _recoded(data, encoding, where)


def read_text(path: Path, *, max_bytes: int) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a mark; raises DataError."""
    try:
        return utf8_of(read_bytes(path, max_bytes=max_bytes), path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", where=path, remedy="Save it as UTF-8") from error


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """The JSON value of an annotation file in UTF-8, or in UTF-16 or UTF-32 with a mark; raises DataError."""
    return parse_json(utf8_of(read_bytes(path, max_bytes=max_bytes), path), path)


def read_xml(path: Path, *, max_bytes: int) -> "Element":
    """The outermost element of an XML file; DTDs and entities are refused, whatever they hold; raises DataError."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    data = xml_of(read_bytes(path, max_bytes=max_bytes), path.name)
    try:
        return fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError("XML with a DTD or entities is refused", where=path.name) from error
    except (ParseError, ValueError, LookupError) as error:
        raise DataError(xml_fault(error, data), where=path.name) from error


def xml_of(data: bytes, where: str | Path) -> bytes:
    """XML in the encoding that it declares as UTF-8 without a declaration; raises DataError if it is not in it."""
    data = utf8_of(data, where)
    declared = _DECLARED.match(data.removeprefix(codecs.BOM_UTF8))
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    if encoding.lower() == "utf-8":  # "utf8", as Python's own writer puts it, is unknown to the parser
        return data
    if not encoding.lower().startswith(("utf-16", "utf16")):  # what says so and got here is UTF-8 already
        data = _recoded(data, encoding, where)
    return _DECLARATION.sub(b"", data, count=1)


def xml_file(path: Path, max_bytes: int) -> io.BytesIO:
    """A file for an XML reader, in UTF-8; raises DataError."""
    return io.BytesIO(xml_of(read_bytes(path, max_bytes=max_bytes), path))


def xml_fault(error: Exception, data: bytes) -> str:
    """What is wrong with XML, with its line; a bare & is the usual reason."""
    line = getattr(error, "position", (0, 0))[0]
    lines = data.splitlines()
    if 0 < line <= len(lines) and _BARE_AND.search(lines[line - 1]):
        return f"not readable as XML: {error}; a bare & is written &amp;"
    if getattr(error, "code", None) == _INVALID_TOKEN and not _is_utf8(data):
        return f"not readable as XML: {error}; it is not UTF-8 and declares no other encoding"
    return f"not readable as XML: {error}"


def _marked(data: bytes) -> str | None:
    """The encoding that a byte-order mark means, but for that of UTF-8."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _recoded(data: bytes, encoding: str, where: str | Path) -> bytes:
    try:
        return data.decode(encoding).encode("utf-8")
    except LookupError as error:
        what = f"not readable as XML: no encoding is called {encoding}"
        raise DataError(what, where=where, remedy="Save it as UTF-8") from error
    except UnicodeError as error:
        what = f"not readable: it is not in the encoding that it says, {encoding}"
        raise DataError(what, where=where, got=str(error)[:80], remedy="Save it as UTF-8") from error
