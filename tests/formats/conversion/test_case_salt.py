"""The secret of the case ids: made once, private, never overwritten."""

import os
import stat

import pytest

from segtumor.errors import DataError, OutputError
from segtumor.formats.conversion.case_salt import SALT_BYTES, default_salt_path, load_salt


def test_it_is_made_once_and_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    salt = load_salt()
    assert len(salt) == SALT_BYTES and load_salt() == salt
    path = tmp_path / "segtumor" / "case_salt"
    assert default_salt_path() == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["case_salt"]
    assert load_salt(tmp_path / "other") != salt


def test_without_the_variable_it_lies_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_salt_path() == tmp_path / ".config" / "segtumor" / "case_salt"


def test_of_two_that_start_together_the_first_counts(tmp_path, monkeypatch):
    path = tmp_path / "case_salt"
    link = os.link

    def late(source, target):
        path.write_bytes(b"1" * SALT_BYTES)
        path.chmod(0o600)
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert load_salt(path) == b"1" * SALT_BYTES
    assert os.listdir(tmp_path) == ["case_salt"]


def test_what_is_no_salt_is_refused(tmp_path):
    short, open_to_all = tmp_path / "short", tmp_path / "open"
    short.write_bytes(b"x")
    open_to_all.write_bytes(b"x" * SALT_BYTES)
    open_to_all.chmod(0o644)
    with pytest.raises(DataError, match="got 1 bytes"):
        load_salt(short)
    with pytest.raises(DataError, match="chmod 600"):
        load_salt(open_to_all)
    with pytest.raises(DataError, match="cannot be read"):
        load_salt(tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        load_salt(short / "below")
