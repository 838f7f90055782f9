import errno
import hashlib
import json
import os
import stat
import threading
import time

import numpy as np
import pytest

from segtumor import files
from segtumor.errors import OutputError


def test_what_is_written_can_be_read_and_nothing_else_is_left(tmp_path):
    files.write_text(tmp_path / "deep" / "a.txt", "Größe\n")
    files.write_bytes(tmp_path / "deep" / "b.bin", b"\x00\xff")
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "Größe\n"
    assert (tmp_path / "deep" / "b.bin").read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path / "deep")) == ["a.txt", "b.bin"]


def test_json_is_strict_and_takes_numpy(tmp_path):
    value = {
        1: np.float32(0.5),
        "nan": float("nan"),
        "inf": [float("inf"), np.nan],
        "a": np.arange(2),
        "t": (True, None),
    }
    files.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    expected = {"1": 0.5, "nan": None, "inf": [None, None], "a": [0, 1], "t": [True, None]}
    assert json.loads(text) == expected
    assert text.endswith("}\n")


def test_csv_has_a_header_and_refuses_unknown_columns(tmp_path):
    files.write_csv(tmp_path / "a.csv", [{"x": 1, "y": "a,b"}, {"x": 2, "y": ""}], ("x", "y"))
    assert (tmp_path / "a.csv").read_text() == 'x,y\n1,"a,b"\n2,\n'
    files.write_csv(tmp_path / "empty.csv", [], ("x",))
    assert (tmp_path / "empty.csv").read_text() == "x\n"
    with pytest.raises(ValueError, match="z"):
        files.write_csv(tmp_path / "a.csv", [{"x": 1, "z": 2}], ("x",))


def test_csv_takes_names_that_are_not_utf8(tmp_path):
    files.write_csv(tmp_path / "a.csv", [{"file": os.fsdecode(b"kn\xff.png")}, {"file": "Größe.png"}], ("file",))
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "file\nkn\\udcff.png\nGröße.png\n"


@pytest.mark.parametrize("name", ["n" * 251 + ".png", "a." + "s" * 253])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, name):
    files.write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


def test_what_a_killed_process_left_beside_a_file_goes_when_the_next_is_written(tmp_path):
    (tmp_path / "a").mkdir()
    for name in (".segtumor.abcd_123.json", ".segtumor.abcd_123", ".segtumor.mine.json", "a/.segtumor.abcd_123.json"):
        (tmp_path / name).touch()
    with files.atomic_path(tmp_path / "r.json") as first, files.atomic_path(tmp_path / "s.json") as second:
        assert first.exists() and second.exists()  # both are alive
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".segtumor.mine.json", "a/.segtumor.abcd_123.json", "r.json", "s.json"]


def test_a_failed_write_leaves_the_old_file_whole(tmp_path):
    target = tmp_path / "model.pth"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError("interrupted")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.pth"]


def test_a_full_disk_is_an_output_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        files.write_text(target, "new")
    assert str(target) in str(caught.value)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_files_are_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_threads_that_ask_for_the_umask_leave_it_as_it_was(monkeypatch):
    current, answers = [0o027], []

    def slow(new):
        before, current[0] = current[0], new
        time.sleep(0.001)  # the others' turn
        return before

    monkeypatch.setattr(os, "umask", slow)
    threads = [threading.Thread(target=lambda: answers.extend(files.umask() for _ in range(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [0o027] * 20 and current == [0o027]


def test_an_output_folder_is_made_and_a_file_is_refused(tmp_path):
    assert files.prepare_output_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        files.prepare_output_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="file"):
        files.write_text(tmp_path / "file" / "a.txt", "")


def test_the_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"segtumor")
    assert files.sha256_of_file(tmp_path / "a") == hashlib.sha256(b"segtumor").hexdigest()


def test_text_that_utf_8_cannot_hold_is_written_with_escapes(tmp_path):
    files.write_text(tmp_path / "a.html", os.fsdecode(b"kn\xff.png Gr\xc3\xb6\xc3\x9fe"))
    assert (tmp_path / "a.html").read_text("utf-8") == "kn\\udcff.png Größe"


@pytest.mark.parametrize("items", [[], [{"a": 1}], [1.5, float("nan"), {"b": [1, "x\ny"], "c": {}}, [], "é"]])
def test_a_stream_is_the_bytes_of_the_whole(tmp_path, items):
    head = {"schema": 1, "deep": {"list": [1, 2]}}
    files.write_json(tmp_path / "whole.json", {**head, "first": items, "second": items[:1]})
    files.write_json_stream(tmp_path / "stream.json", head, {"first": iter(items), "second": iter(items[:1])})
    assert (tmp_path / "stream.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_a_stream_that_breaks_leaves_the_old_file(tmp_path):
    def items():
        yield 1
        raise ZeroDivisionError

    (tmp_path / "a.json").write_text("old")
    with pytest.raises(ZeroDivisionError):
        files.write_json_stream(tmp_path / "a.json", {"x": 1}, {"items": items()})
    assert (tmp_path / "a.json").read_text() == "old" and len(list(tmp_path.iterdir())) == 1
