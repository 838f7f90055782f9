"""What the table of formats says is what their modules offer; mypy holds the signatures, this what it cannot see."""

import pytest
from repository import ROOT

from segtumor.errors import ConfigError
from segtumor.formats.collection import NORMAL, NOT_ANNOTATED
from segtumor.formats.table import FORMATS, WRITABLE, detect_format, load_format, load_writable_format

every_format = pytest.mark.parametrize("name", FORMATS)


@every_format
def test_a_format_offers_what_the_table_says(name):
    module = load_format(name)
    assert module.UNLISTED in (NORMAL, NOT_ANNOTATED)
    assert hasattr(module, "write") == hasattr(module, "KEEPS_CROWDS") == (name in WRITABLE)
    assert module.__doc__


@every_format
def test_every_format_has_an_example_that_it_alone_recognises(name):
    assert detect_format(ROOT / "datasets" / "examples" / name) == name


@every_format
def test_recognising_never_raises(name, tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.xml").write_bytes(b"<?xml version='1.0' encoding='none'?>")
    (tmp_path / "c.csv").write_bytes(b"\0" * 10)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "d.png").write_bytes(b"\x89PNG")
    assert not load_format(name).recognises(tmp_path)


def test_a_format_that_cannot_be_written_is_refused_by_name():
    with pytest.raises(ConfigError, match="format that cannot be written"):
        load_writable_format("via")
