"""A process that reads images is killed, or does not answer: a sentence with a remedy, and nothing that waits on."""

import multiprocessing
import os
import signal

import pytest

from segtumor.errors import InstallationError
from segtumor.system.resource_errors import resource_error_of
from segtumor.training.batches.loaders import TrainLoader

pytestmark = pytest.mark.model

RECORDS = [{"file_name": name, "width": 1, "height": 1} for name in ("a.png", "b.png", "c.png", "d.png")]
ORDER = {"indices": range(4), "batch_size": 1, "seed": 0, "wide": None}


def loader(signal_number, *, timeout_s=0):
    """Two processes, of which the one that comes to b.png gets the signal."""

    def mapper(record, seed):
        if record["file_name"] == "b.png":
            os.kill(os.getpid(), signal_number)
        return record["file_name"]

    return TrainLoader(RECORDS, mapper, ORDER, 2, timeout_s=timeout_s)


def test_a_process_that_does_not_answer_names_its_file_and_is_ended():
    seen, others = [], set(multiprocessing.active_children())  # of loaders that other tests left behind
    batches = iter(loader(signal.SIGSTOP, timeout_s=2))
    with pytest.raises(InstallationError, match=r"^b\.png: a process .*not answered for 2 s.*WORKER_TIMEOUT_S"):
        seen.extend(batches)
    assert ["a.png"] in seen and ["b.png"] not in seen
    assert set(multiprocessing.active_children()) <= others


def test_a_killed_process_is_said_with_its_remedy():
    with pytest.raises(RuntimeError) as raised:
        list(loader(signal.SIGKILL))
    said = resource_error_of(raised.value)
    assert said.exit_code == 4 and "a process that reads images was killed, most often for want of memory" in str(said)
    assert "fewer DATALOADER.NUM_WORKERS" in str(said)
