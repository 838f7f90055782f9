"""Nothing that is read from outside waits for a named pipe: each reader is given one, and has to come back."""

import os
import signal

import pytest

from segtumor.errors import SegtumorError
from segtumor.files import open_ordinary, read_ordinary, sha256_of_file

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX systems")


class WaitedError(BaseException):
    """Not an Exception, which a reader might take for a fault of the file."""


@pytest.fixture
def at_once():
    """End a test that waits, after some seconds."""

    def stop(*_):
        raise WaitedError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def summary_of(path):
    from segtumor.inference.batch.earlier_output import read_summary

    return read_summary(path.parent)


def journal_of(path):
    from segtumor.inference.batch.journal import Journal, made_in, make_header

    assert made_in(path) == []
    header = make_header(settings={}, model={}, class_names=["a"])
    Journal(path, header, continued=True).close()


def evaluation_of(path):
    from segtumor.reporting.files.evaluation_files import refuse_run_folder

    refuse_run_folder(path.parent)


def training_log_of(path):
    from segtumor.reporting.figures.training_curves import read_training_history

    return read_training_history(path.parent)


def conversion_of(path):
    from segtumor.formats.coco import recognises

    return recognises(path.parent)


def salt_of(path):
    from segtumor.formats.conversion.case_salt import load_salt

    return load_salt(path)


def json_of(path):
    from segtumor.annotations.json_input import read_bytes

    return read_bytes(path)


def benchmark_of(path):
    from segtumor.literature.entries.plain_yaml import read_yaml

    return read_yaml(path)


def table_of(path):
    from segtumor.annotations.tables.spreadsheets import read_sheets

    return read_sheets(path)


def mask_of(path):
    from segtumor.annotations.remarks import LeftOutError
    from segtumor.formats.masks.pixels import read_mask

    with pytest.raises(LeftOutError):
        read_mask(path)


def radiograph_of(path):
    from segtumor.imaging import read_radiograph

    return read_radiograph(path)


def export_of(path):
    from segtumor.runtime.exported import is_export

    return is_export(path.parent)


READERS = {
    "summary.json": summary_of, "infer.journal.jsonl": journal_of, "a.json": json_of, "b.json": conversion_of,
    "salt": salt_of, "a.yaml": benchmark_of, "a.csv": table_of, "a.xlsx": table_of, "mask.png": mask_of,
    "a.png": radiograph_of, "a.dcm": radiograph_of, "export.json": export_of,
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_no_reader_waits_for_a_pipe(name, tmp_path, at_once):
    os.mkfifo(tmp_path / name)
    try:
        found = READERS[name](tmp_path / name)
    except SegtumorError:
        return
    assert not found


@pytest.mark.parametrize("reader", [evaluation_of, training_log_of])
def test_no_reader_waits_for_a_pipe_called_metrics(reader, tmp_path, at_once):
    os.mkfifo(tmp_path / "metrics.json")
    with pytest.raises(SegtumorError):
        reader(tmp_path / "metrics.json")


@pytest.mark.parametrize("function", [open_ordinary, read_ordinary, sha256_of_file])
def test_only_ordinary_files_are_opened(function, tmp_path, at_once):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not an ordinary file"):
        function(tmp_path / "pipe")
    with pytest.raises(OSError, match="not an ordinary file"):
        function("/dev/null")
    with pytest.raises(IsADirectoryError):
        function(tmp_path)
    (tmp_path / "file").write_bytes(b"abc")
    content = function(tmp_path / "file")
    assert content
    if function is open_ordinary:
        content.close()
