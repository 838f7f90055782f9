import pickle

import pytest

from segtumor import errors
from segtumor.errors import DataError, SegtumorError


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ({}, "no such class."),
        ({"where": "a.json"}, "a.json: no such class."),
        ({"got": "x"}, "no such class (got x)."),
        ({"got": 0, "expected": 1}, "no such class (got 0; expected 1)."),
        ({"where": "a", "remedy": "Name it"}, "a: no such class. Name it."),
    ],
)
def test_an_error_is_one_sentence_and_its_remedy(details, sentence):
    assert str(SegtumorError("no such class", **details)) == sentence


def test_an_error_survives_the_way_out_of_a_worker_process():
    error = DataError("bad box", where="a.json", got=[0, 0], expected="4 numbers", remedy="Draw it again")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is DataError
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


EXIT_CODES = {
    "ConfigError": 2,
    "ModelError": 3,
    "InstallationError": 4,
    "OutputError": 4,
    "DataError": 5,
    "BadImageError": 5,
    "NonFiniteLossError": 5,
    "NonFiniteOutputError": 5,
    "SomeInputsFailedError": 6,
}


@pytest.mark.parametrize(("name", "exit_code"), EXIT_CODES.items())
def test_exit_codes(name, exit_code):
    error_class = getattr(errors, name)
    assert issubclass(error_class, SegtumorError)
    assert error_class.exit_code == exit_code


def test_the_table_above_names_every_error():
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(EXIT_CODES) == classes - {"SegtumorError"}
