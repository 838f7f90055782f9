"""When memory runs out: smaller batches, then a smaller size, then one clear reason; the others go on."""

import pytest
from fake_detector import FakeDetector

import segtumor.inference.batch.preparing
from segtumor.errors import BadImageError
from segtumor.system.resource_errors import is_out_of_memory

pytestmark = pytest.mark.command


class OutOfMemoryError(RuntimeError):
    """As torch's, which is known by its name."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("Non-zero status code ... std::bad_alloc"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 9"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("a bug"), False),
        (BadImageError("damaged", got="MemoryError"), True),
        (BadImageError("damaged", got="ValueError: x"), False),
    ],
)
def test_the_sayings_of_memory(error, expected):
    assert is_out_of_memory(error) is expected


def test_an_error_that_was_raised_from_memory():
    outer = BadImageError("damaged")
    outer.__cause__ = MemoryError()
    assert is_out_of_memory(outer)


def limited(pixels):
    """Memory for batches of at most ``pixels`` pixels."""

    def raising(call, windows):
        if sum(window.size for window in windows) > pixels:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    return raising


def test_a_batch_is_done_one_by_one(pictures, work, tables):
    paths = pictures[:4]
    result, folder = work(paths, detector=FakeDetector(limited(32 * 48)), batch_size=4)
    assert result.notes == 0
    _, plain = work(paths, "plain")
    assert tables(folder) == tables(plain)


def test_a_radiograph_is_done_at_half_the_size(pictures, work, tables):
    detector = FakeDetector(limited(200 * 250))
    result, folder = work(pictures[:2], detector=detector, short_edge_px=400, batch_size=2)
    assert result.notes == 2 and result.first_note.endswith("0.png: out of memory at 400 px, computed at 200 px")
    summary, predictions, rows = tables(folder)
    assert summary["inputs"][1]["note"] == "out of memory at 400 px, computed at 200 px"
    assert rows.count("out of memory at 400 px") == 2
    assert predictions["images"][0]["height"] == 40
    assert detector.batches[-1][0][0] == 200


def test_the_smallest_size_is_the_last_try_and_the_others_go_on(pictures, work, tables):
    sizes = []

    def raising(call, windows):
        sizes.append(min(windows[0].shape))
        if call <= 3:
            raise MemoryError

    result, folder = work(pictures[:2], detector=FakeDetector(raising), short_edge_px=400)
    assert sizes == [400, 200, 128, 400]
    assert (result.counts["failed"], result.counts["ok"]) == (1, 1)
    assert "0.png: out of memory, also at 128 px" in tables(folder)[0]["inputs"][0]["reason"]


def test_a_small_model_has_no_smaller_size(pictures, work):
    def raising(call, windows):
        raise MemoryError

    detector = FakeDetector(raising)
    result, _ = work(pictures[:1], detector=detector)
    assert detector.calls == 1 and "out of memory, at 32 px" in result.first_failure


def test_a_file_that_was_damaged_before_it_is_read_at_a_smaller_size_fails_alone(pictures, work, tables):
    def raising(call, windows):
        if call == 1:
            pictures[0].write_bytes(b"damaged")
            raise MemoryError

    result, folder = work(pictures[:2], detector=FakeDetector(raising), short_edge_px=400)
    assert (result.counts["failed"], result.counts["ok"]) == (1, 1)
    reason = tables(folder)[0]["inputs"][0]["reason"]
    assert "0.png" in reason and "memory" not in reason


@pytest.mark.parametrize(("failures", "ok"), [(1, 2), (2, 1)])
def test_reading_is_tried_once_more(pictures, work, monkeypatch, failures, ok):
    read, left = segtumor.inference.batch.preparing.read_radiograph, [None] * failures

    def starved(path, **options):
        if path.name == "0.png" and left:
            left.pop()
            raise MemoryError
        return read(path, **options)

    monkeypatch.setattr(segtumor.inference.batch.preparing, "read_radiograph", starved)
    result, _ = work(pictures[:2])
    assert result.counts["ok"] == ok
    assert result.first_failure is None or "0.png: out of memory while reading" in result.first_failure
