"""What a configuration may build on: files of this machine, and not too many of them."""

import os

import pytest

from segtumor.errors import ConfigError
from segtumor.settings.files import is_address, read_settings


@pytest.fixture
def write(tmp_path):
    """Function of a name and the file's text or bytes -> path."""

    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_files_come_in_the_order_in_which_they_build_on_one_another(write, tmp_path):
    (tmp_path / "deep").mkdir()
    first = write("first.yaml", "A: 1\n")
    write("deep/second.yaml", "_BASE_: ../first.yaml\nA: 2\n")
    third = write("third.yaml", "_BASE_: deep/second.yaml\n")
    absolute = write("absolute.yaml", f"_BASE_: {first}\nB: {{C: [1, x]}}\n")
    assert [settings for _, settings in read_settings(third)] == [{"A": 1}, {"A": 2}, {}]
    assert read_settings(absolute) == [(first, {"A": 1}), (absolute, {"B": {"C": [1, "x"]}})]


@pytest.mark.parametrize(
    "base",
    [
        *("http://127.0.0.1:1/a.yaml", "HTTPS://x/a", "s3://b/a", "detectron2://a", "file:///etc/hosts", "ftp:/x"),
        *("' http://127.0.0.1:1/a.yaml'", "3", "0.5", "true", "null", "", "''", "[a.yaml]", "{a: b}", "2020-01-01"),
        *("folder", "/dev/zero", "pipe", "nowhere.yaml", "/dev/null/a", '"a\\0b"', "a" * 300),
    ],
)
def test_anything_but_a_file_is_refused_as_base(write, tmp_path, base):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    file = write("child.yaml", f"_BASE_: {base}\n")
    with pytest.raises(ConfigError, match=r"child\.yaml, _BASE_: wrong value.*expected the path of a file"):
        read_settings(file)


def test_a_loop_is_named_and_a_chain_has_an_end(write, tmp_path):
    write("b.yaml", "_BASE_: c.yaml\n")
    write("c.yaml", "_BASE_: ./b.yaml\n")
    with pytest.raises(ConfigError, match=r"builds on itself.*a\.yaml -> .*b\.yaml -> .*c\.yaml -> .*b\.yaml"):
        read_settings(write("a.yaml", "_BASE_: b.yaml\n"))
    with pytest.raises(ConfigError, match="builds on itself"):
        read_settings(write("self.yaml", "_BASE_: self.yaml\n"))
    for number in range(40):
        write(f"{number}.yaml", f"_BASE_: {number + 1}.yaml\n")
    with pytest.raises(ConfigError, match="too many files build on one another"):
        read_settings(tmp_path / "0.yaml")
    assert len(read_settings(write("39.yaml", "A: 1\n"))) == 1
    assert len(read_settings(tmp_path / "20.yaml")) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing"),
        ("# only a remark\n", "got nothing"),
        ("just words", "got str 'just words'"),
        ("- 1\n- 2\n", "got list"),
        ("A: 1\nA: 2\n", "duplicate key A in line 2"),
        ("A: {B: 1, C: 2, 'B': 3}\n", "duplicate key B in line 1"),
        ("3: 1\n", r"a key is not a text \(got 3"),
        ("A: {true: 1}\n", "a key is not a text"),
        ("A: !!python/object/apply:os.system ['true']\n", "not a YAML"),
        ("A: !!python/name:os.system\n", "not a YAML"),
        ("- [" * 4_000, "not a YAML"),
        ("[" * 1_500, "nested too deep"),
        ("A: {" * 2_000 + "}" * 2_000, "nested too deep"),
        ("A: 1\n---\nB: 1\n", "not a YAML"),
        ("A: 2020-99-99\n", "not a YAML"),
        (f"A: {'9' * 5000}\n", "not a YAML"),
        ("A: [1\n", "not a YAML"),
        (b"A: \xff\x80\n", "not a YAML"),
        ("a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in
         zip("abcdefg", "bcdefgh", strict=True)), "too many values"),
        ("a: &a [*a]\n", "too many values"),
        ("#" + "x" * 200_000, "too large"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_refused_and_named(write, text, message):
    with pytest.raises(ConfigError, match=rf"wrong\.yaml: .*{message}"):
        read_settings(write("wrong.yaml", text))


def test_references_and_merged_keys_of_yaml_are_read(write):
    text = "A: &a {B: 1, C: 2}\nD: {<<: *a, C: 3}\nE: *a\n"
    assert read_settings(write("a.yaml", text))[0][1]["D"] == {"B": 1, "C": 3}


@pytest.mark.parametrize("path", ["a.yaml", "/a/b.yaml", "C:\\a.yaml", "C:/a.yaml", "mine:train", "~/a"])
def test_a_path_is_no_address(path):
    assert not is_address(path)
