import zipfile

import numpy as np
import pytest
from indexes import MODEL, index_of, random_index

from segtumor.errors import ConfigError, DataError
from segtumor.retrieval.index import check_model, read_index, subset, write_index


def test_an_index_comes_back(tmp_path):
    index = random_index()
    write_index(tmp_path / "a.npz", index)
    again = read_index(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.embeddings, index.embeddings)
    for name in ("file_names", "cases", "labels", "calls", "pixel_sha256", "class_names", "image_root"):
        assert getattr(again, name) == getattr(index, name), name
    check_model(again, MODEL, where="a.npz")


def test_names_of_any_script_come_back(tmp_path):
    index = index_of(
        [[1, 0], [0, 1]], ["normal", "benign"], names=["knee ü 膝.png", "b.png"], cases=["12", "image:b.png"]
    )
    write_index(tmp_path / "a.npz", index)
    assert read_index(tmp_path / "a.npz").file_names == index.file_names


@pytest.mark.parametrize(
    ("key", "value"),
    [("weights_sha256", "cd"), ("short_edge_px", 64), ("window_percentiles", (0, 100)), ("square", True)],
)
def test_another_model_or_input_is_refused(key, value):
    with pytest.raises(ConfigError, match=f"another model.*{key}"):
        check_model(random_index(), {**MODEL, key: value}, where="a.npz")


def _objects(path):
    np.savez(path, about=np.array({"a": 1}, dtype=object))


def _compressed(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.npy", b"0" * 1000)


def _cut(path):
    write_index(path, random_index())
    path.write_bytes(path.read_bytes()[:-300])


def _without(name):
    def write(path):
        write_index(path, random_index())
        with np.load(path) as file:
            arrays = {key: file[key] for key in file if key != name}
        np.savez(path, **arrays)

    return write


def _text_embeddings(path):
    write_index(path, random_index())
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "embeddings": np.full((60, 8), "1")})


@pytest.mark.parametrize(
    "spoil",
    [
        *(_objects, _compressed, _cut, _without("about"), _without("labels"), _without("embeddings"), _text_embeddings),
        lambda path: path.write_bytes(b"hello"),
        lambda path: np.savez(path, about=np.array("[1]")),
    ],
)
def test_what_is_no_index_is_said(spoil, tmp_path):
    spoil(tmp_path / "a.npz")
    with pytest.raises(DataError, match="not an index, or damaged"):
        read_index(tmp_path / "a.npz")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_index(tmp_path / "a.npz")


def test_another_version_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("segtumor.retrieval.index.SCHEMA_VERSION", 99)
    write_index(tmp_path / "a.npz", random_index())
    monkeypatch.undo()
    with pytest.raises(DataError, match="another version"):
        read_index(tmp_path / "a.npz")


@pytest.mark.parametrize("row", [[0, 0], [np.nan, 1], [np.inf, 1]])
def test_an_embedding_that_says_nothing_is_refused(row):
    with pytest.raises(DataError, match=r"1\.png: an embedding that is zero or not finite"):
        index_of([[1, 2], row], ["normal", "normal"])


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(DataError, match="do not belong together"):
        index_of([[1, 2]], ["normal", "benign"])
    with pytest.raises(DataError, match="do not belong together"):
        index_of(np.zeros((0, 3)), [])


def test_a_subset_keeps_rows_together():
    index = random_index()
    part = subset(index, [5, 2])
    assert part.file_names == ["5.png", "2.png"] and part.labels == [index.labels[5], index.labels[2]]
    np.testing.assert_array_equal(part.embeddings, index.embeddings[[5, 2]])
