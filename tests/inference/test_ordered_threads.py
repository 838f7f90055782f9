"""Work in threads: order, bound, and what happens when something breaks."""

import threading

import pytest

from segtumor.inference.batch.ordered_threads import in_background


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_results_come_in_the_order_of_the_items(workers, ahead):
    assert list(in_background(lambda x: x * x, range(20), workers=workers, ahead=ahead)) == [x * x for x in range(20)]
    assert list(in_background(str, [], workers=workers, ahead=ahead)) == []


def test_no_more_is_begun_than_allowed():
    begun, taken, most = 0, 0, 0
    lock = threading.Lock()

    def work(item):
        nonlocal begun, most
        with lock:
            begun += 1
            most = max(most, begun - taken)
        return item

    for _ in in_background(work, range(50), workers=2, ahead=3):
        with lock:
            taken += 1
    assert begun == 50 and 1 <= most <= 5  # three ahead, the one waited for, and the one just handed out


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_work_is_raised_in_its_turn(workers):
    done = []
    with pytest.raises(ZeroDivisionError):
        for result in in_background(lambda x: 1 / (x - 3), range(9), workers=workers, ahead=4):
            done.append(result)
    assert len(done) == 3


@pytest.mark.parametrize("finish", [True, False])
def test_what_was_begun_comes_out_first_if_asked_for(finish):
    gate, done = threading.Event(), []

    def items():
        yield from range(3)
        gate.set()
        raise KeyboardInterrupt

    def work(item):
        gate.wait(10)
        return item

    with pytest.raises(KeyboardInterrupt):
        for result in in_background(work, items(), workers=1, ahead=5, finish=finish):
            done.append(result)
    assert done == ([0, 1, 2] if finish else [])


def test_leaving_early_stops_the_threads():
    results = in_background(str, range(100), workers=2, ahead=2)
    assert next(results) == "0"
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("segtumor")]
