import logging

import pytest

from segtumor.errors import ConfigError, OutputError
from segtumor.runs import find_run
from segtumor.training.run_folder import check_run_folder, log_file, prepare_run_folder

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["config.yaml", "model_best.pth", "model_final.pth"], "model_best.pth"),
        (["config.yaml", "model_final.pth", "model_last.pth"], "model_final.pth"),
    ],
)
def test_the_best_weights_of_a_run(tmp_path, files, expected):
    for name in files:
        (tmp_path / name).touch()
    assert find_run(tmp_path) == (tmp_path / "config.yaml", tmp_path / expected)


def test_a_folder_that_is_no_run_or_has_no_weights_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path}: not a training run"):
        find_run(tmp_path)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ConfigError, match="no weights yet"):
        find_run(tmp_path)


@pytest.mark.parametrize(("resume", "overwrite"), [(True, False), (False, True)])
def test_an_earlier_run_may_be_continued_or_replaced_if_asked(tmp_path, resume, overwrite):
    check_run_folder(tmp_path, resume=False, overwrite=False)  # nothing there yet
    (tmp_path / "model_last.pth").touch()
    check_run_folder(tmp_path, resume=resume, overwrite=overwrite)
    with pytest.raises(ConfigError, match="--overwrite"):
        check_run_folder(tmp_path, resume=False, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["model_last.pth"]


@pytest.mark.parametrize(("resume", "kept"), [(True, True), (False, False)])
def test_an_earlier_run_is_continued_or_replaced(tmp_path, resume, kept):
    (tmp_path / "inference").mkdir()
    ours = ["model_last.pth", "config.yaml", "metrics.json", "events.out.tfevents.1.host", "inference"]
    for name in [*ours[:-1], "thesis.txt"]:
        (tmp_path / name).touch()
    prepare_run_folder(tmp_path, resume=resume)
    assert [(tmp_path / name).exists() for name in ours] == [kept] * len(ours)
    assert (tmp_path / "thesis.txt").exists()  # replacing a run touches nothing else


def test_a_folder_without_a_run_keeps_what_is_in_it(tmp_path):
    (tmp_path / "thesis.txt").touch()
    prepare_run_folder(tmp_path, resume=False)
    assert (tmp_path / "thesis.txt").exists()


def test_no_run_is_put_into_an_export(tmp_path):
    (tmp_path / "export.json").write_text('{"kind": "segtumor export"}')
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        with pytest.raises(ConfigError, match="holds an exported model"):
            check_run_folder(tmp_path, resume=resume, overwrite=overwrite)


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        prepare_run_folder(tmp_path / "file", resume=False)


def test_the_log_is_appended_and_closed(tmp_path):
    logger = logging.getLogger("segtumor")
    handlers = list(logger.handlers)
    for text in ("first", "second"):
        with log_file(tmp_path):
            logger.warning(text)
    logger.warning("third")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["first", "second"]
    assert logger.handlers == handlers
