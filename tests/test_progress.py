"""Plain lines where there is no terminal; what is iterated comes through unchanged."""

import logging

from segtumor import progress


def test_files_come_through_and_a_line_is_logged_now_and_then(monkeypatch, caplog):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1)
    with caplog.at_level(logging.INFO, logger="segtumor"):
        assert list(progress.files("abc", 3)) == ["a", "b", "c"]
    assert [record.message.split(",")[0] for record in caplog.records] == [f"{n} of 3 files" for n in (1, 2, 3)]


def test_quick_work_is_quiet(caplog):
    with caplog.at_level(logging.INFO, logger="segtumor"):
        assert list(progress.files([1, 2], 2)) == [1, 2] and list(progress.bar([1, 2], 2, "x")) == [1, 2]
    assert not caplog.records
