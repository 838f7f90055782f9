"""No damaged weights file is read: every byte of our own counts, and every weight of a file of others."""

import struct
import zipfile

import pytest
import torch

from segtumor.errors import ModelError
from segtumor.models.weights import read_checkpoint, write_checkpoint

pytestmark = pytest.mark.model

STATE = {"model": {"stem.weight": torch.arange(40.0).reshape(8, 5), "stem.bias": torch.ones(8)}, "iteration": 3}
WEIGHTS = STATE["model"]["stem.weight"].numpy().tobytes()


@pytest.fixture
def own(tmp_path):
    write_checkpoint(tmp_path / "own.pth", STATE)
    return tmp_path / "own.pth"


@pytest.fixture
def foreign(tmp_path):
    torch.save(STATE, tmp_path / "foreign.pth")
    return tmp_path / "foreign.pth"


def refuses(path, data):
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged|not a readable weights file") as caught:
        read_checkpoint(path)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_what_is_undamaged_is_read_by_us_by_torch_and_as_a_zip(own, foreign):
    for path in (own, foreign):
        for content in (read_checkpoint(path), torch.load(path, weights_only=True)):
            assert torch.equal(content["model"]["stem.weight"], STATE["model"]["stem.weight"])
        assert zipfile.ZipFile(path).testzip() is None


def test_one_flipped_bit_anywhere_in_our_own_file_is_noticed(own):
    data = bytearray(own.read_bytes())
    for place in range(0, len(data), 7):  # coprime to every structure of the container: all kinds of bytes are met
        data[place] ^= 0x40
        refuses(own, data)
        data[place] ^= 0x40
    own.write_bytes(data)
    assert read_checkpoint(own)["iteration"] == 3


@pytest.mark.parametrize("bit", [0x01, 0x40, 0x80])
def test_a_flipped_bit_of_a_weight_says_so(own, foreign, bit):
    for path in (own, foreign):
        data = bytearray(path.read_bytes())
        data[data.find(WEIGHTS) + 4 * 7 + 3] ^= bit
        assert "damaged: checksum differs" in refuses(path, data)


def test_zeros_in_a_tensor_and_a_file_cut_off_are_noticed(own, foreign):
    for path in (own, foreign):
        data = path.read_bytes()
        place = data.find(WEIGHTS)
        assert "damaged: checksum differs" in refuses(path, data[:place] + bytes(80) + data[place + 80 :])
        for size in (len(data) - 1, len(data) - 90, place + 9):
            refuses(path, data[:size])
    write_checkpoint(own, STATE)
    refuses(own, own.read_bytes() + bytes(1))


@pytest.mark.parametrize("part", ["name in the directory", "name of the record", "offset", "attributes"])
def test_a_damaged_directory_of_anothers_file_is_noticed(foreign, part):
    data = bytearray(foreign.read_bytes())
    entry = data.rfind(b"PK\x01\x02", 0, data.rfind(b"data/0"))
    place = {
        "name in the directory": data.rfind(b"data/0"),
        "name of the record": data.find(b"data/0"),
        "offset": entry + 42,
        "attributes": entry + 38,  # a folder, of which torch would read nothing
    }[part]
    data[place] ^= 0x10
    refuses(foreign, data)


def test_the_comment_of_anothers_file_is_no_seal(foreign):
    data, comment = foreign.read_bytes(), b"made by hand"
    foreign.write_bytes(data[:-2] + struct.pack("<H", len(comment)) + comment)
    assert read_checkpoint(foreign)["iteration"] == 3


def test_the_format_before_torch_1_6_is_read_with_a_warning(tmp_path, caplog):
    path = tmp_path / "old.pth"
    torch.save(STATE["model"], path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_checkpoint(path)["model"]["stem.bias"], torch.ones(8))
    assert "without checksums" in caplog.text
