"""The folder of an export before any graph is loaded: what is verified, and what is said of what is wrong."""

import json
import logging
import sys

import pytest
from contracts import POOLINGS

from segtumor.errors import InstallationError, ModelError
from segtumor.runtime import exported
from segtumor.runtime.contract import Anchors, Contract, Preprocessing, Proposals, Regions
from segtumor.runtime.exported import file_names, is_export, open_export, read_manifest, write_manifest

CONTRACT = Contract(
    class_names=("benign", "malignant"),
    confidence_threshold=0.5,
    preprocessing=Preprocessing(256, 512, (0.5, 99.5), 64_000_000, (120.0,) * 3, (58.0,) * 3, 32),
    anchors=Anchors(((16.0,), (32.0,)), ((0.5, 1.0), (0.5, 1.0)), (4, 8), 0.0),
    proposals=Proposals(100, 50, 0.7, 0.0, (1.0, 1.0, 1.0, 1.0)),
    regions=Regions((4, 8), 224.0, 4, (10.0, 10.0, 5.0, 5.0), 0.05, 0.5, 20, True, True, *POOLINGS),
    postprocessing={
        "min_score": 0.0,
        "suppression_iou": 0.5,
        "fill_holes": True,
        "min_part_fraction": 0.05,
        "smooth_radius_px": 0.0,
        "min_area_px": 1.0,
    },
)


def write_export(folder, format_name):
    folder.mkdir()
    for name in file_names(format_name):
        (folder / name).write_bytes(name.encode() * 100)
    about = {"precision": "float32", "source": {}, "made_with": {}, "parity": {"max_score": float("nan")}}
    write_manifest(folder, format_name=format_name, contract=CONTRACT, **about)
    return folder


@pytest.fixture(params=["onnx", "openvino", "torchscript"])
def any_export(request, tmp_path):
    return write_export(tmp_path / "export", request.param)


@pytest.fixture
def export(tmp_path):
    return write_export(tmp_path / "export", "onnx")


def change(folder, **values):
    """Change values of export.json, and its hash with them, as a mistake of the writer would."""
    path = folder / "export.json"
    manifest = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({**manifest, exported._OWN_HASH: exported._sha256_of_values(manifest)}))


def test_what_was_written_is_read(any_export):
    manifest = read_manifest(any_export)
    assert is_export(any_export)
    assert manifest["kind"] == "segtumor export" and manifest["parity"] == {"max_score": None}
    assert Contract.from_dict(manifest["contract"], "there") == CONTRACT
    assert set(manifest["files"]) == set(file_names(manifest["format"]))
    assert "not a medical device" in manifest["notice"].lower()


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"x" + b[1:], lambda b: b""])
def test_a_changed_or_truncated_file_is_refused(any_export, damage):
    for name in file_names(read_manifest(any_export)["format"]):
        whole = (any_export / name).read_bytes()
        (any_export / name).write_bytes(damage(whole))
        with pytest.raises(ModelError, match=f"{name}: damaged or changed"):
            open_export(any_export)
        (any_export / name).write_bytes(whole)


def test_a_change_that_keeps_the_size_shows_hashes(export):
    path = export / "dense.onnx"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(ModelError, match=r"\(got [0-9a-f]{12}; expected [0-9a-f]{12}\)"):
        open_export(export)
    path.write_bytes(path.read_bytes()[1:])
    with pytest.raises(ModelError, match=r"got \d+ bytes; expected \d+ bytes"):
        open_export(export)


def test_a_missing_file_is_named(export):
    (export / "mask_head.onnx").unlink()
    with pytest.raises(ModelError, match=r"mask_head\.onnx: missing.*whole folder"):
        open_export(export)


@pytest.mark.parametrize("name", ["../dense.onnx", "/etc/passwd", "extra.onnx"])
def test_other_file_names_are_refused(export, name):
    files = read_manifest(export)["files"]
    change(export, files={name: files["dense.onnx"], **{n: files[n] for n in ("box_head.onnx", "mask_head.onnx")}})
    with pytest.raises(ModelError, match="names other files"):
        open_export(export)
    change(export, files={**files, name: files["dense.onnx"]})
    with pytest.raises(ModelError, match="names other files"):
        open_export(export)


def test_a_link_out_of_the_folder_is_refused(export, tmp_path):
    (export / "dense.onnx").rename(tmp_path / "elsewhere.onnx")
    (export / "dense.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(ModelError, match="leads out of the export"):
        open_export(export)


def test_an_export_that_does_not_say_its_kind_of_model_is_a_mask_rcnn(export):
    manifest = read_manifest(export)
    assert manifest["model_kind"] == "mask_rcnn"
    old = {key: value for key, value in manifest.items() if key not in ("model_kind", exported._OWN_HASH)}
    (export / "export.json").write_text(json.dumps({**old, exported._OWN_HASH: exported._sha256_of_values(old)}))
    assert "model_kind" not in read_manifest(export)
    with pytest.raises((ModelError, InstallationError), match=r"dense\.onnx|onnxruntime"):  # its graphs are looked for
        open_export(export)


@pytest.mark.parametrize("model_kind", ["u_net", None, 3])
def test_an_unknown_kind_of_model_is_refused(export, model_kind):
    change(export, model_kind=model_kind)
    with pytest.raises(ModelError, match=r"export\.json: unknown kind of model .*expected mask_rcnn.*Update segtumor"):
        open_export(export)


def test_another_schema_is_refused_and_another_version_warned_of(export, caplog):
    change(export, segtumor_version="0.0.1")
    with caplog.at_level(logging.WARNING):
        read_manifest(export)
    assert "made with segtumor 0.0.1" in caplog.text
    change(export, schema_version=1)
    with pytest.raises(ModelError, match=r"made by another version.*Export the model again"):
        open_export(export)


def test_every_changed_byte_of_the_settings_is_noticed(export):
    """Each byte in turn, one of its bits changed: refused, or read as the same values (a space for another)."""
    path, whole = export / "export.json", read_manifest(export)
    data = path.read_bytes()
    unnoticed = []
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 7
        path.write_bytes(changed)
        try:
            unnoticed += [place] if read_manifest(export) == whole else [pytest.fail(f"byte {place}")]
        except ModelError:
            continue
    assert all(data[place] in b" \n" for place in unnoticed)


@pytest.mark.parametrize("name", ["manifest_sha256", "files", "contract", "source", "precision", "format"])
def test_a_missing_part_is_refused(export, name):
    path = export / "export.json"
    manifest = json.loads(path.read_text())
    del manifest[name]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError):
        open_export(export)


@pytest.mark.parametrize("source", [3, None, {"training_data": 4}])
def test_an_account_of_the_source_that_is_none_is_refused(export, source):
    change(export, source=source)
    with pytest.raises(ModelError, match="does not say what the export was made from"):
        open_export(export)


def test_graphs_that_were_exchanged_are_refused_and_other_files_are_not_read(export):
    (export / "dense.xml").write_bytes(b"of another format")
    (export / "notes.txt").write_bytes(b"mine")
    read_manifest(export)
    (export / "box_head.onnx").rename(export / "dense.new")
    (export / "mask_head.onnx").rename(export / "box_head.onnx")
    (export / "dense.new").rename(export / "mask_head.onnx")
    with pytest.raises(ModelError, match=r"box_head\.onnx: damaged or changed"):
        open_export(export)


def test_a_changed_contract_is_refused(export):
    contract, path = CONTRACT.as_dict(), export / "export.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "contract": {**contract, "class_names": ["malignant", "benign"]}}))
    with pytest.raises(ModelError, match=r"export\.json: damaged or changed since the export"):
        open_export(export)
    change(export, contract={**contract, "class_names": "benign"})
    with pytest.raises(ModelError, match="class_names"):
        open_export(export)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "other"}', "[" * 100_000, "\x00"])
def test_what_is_no_export_is_refused(export, text):
    (export / "export.json").write_text(text)
    assert not is_export(export)
    with pytest.raises(ModelError, match=r"not an exported model|not readable"):
        open_export(export)


@pytest.mark.parametrize(
    "values",
    [{"files": []}, {"files": None}, {"format": ["onnx"]}, {"format": "pkl"}, {"contract": None}],
)
def test_wrong_values_are_refused(export, values):
    change(export, **values)
    with pytest.raises(ModelError):
        open_export(export)


def test_a_wrong_entry_of_a_file_is_refused(export):
    change(export, files=dict.fromkeys(file_names("onnx")))
    with pytest.raises(ModelError, match="damaged or changed"):
        open_export(export)


def test_no_folder_at_all(tmp_path):
    assert not is_export(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="not an exported model"):
        open_export(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("format_name", "module", "extra"),
    [("onnx", "onnxruntime", "onnx"), ("openvino", "openvino", "openvino"), ("torchscript", "torch", "train")],
)
def test_a_missing_runtime_is_said_with_the_line_to_type(tmp_path, monkeypatch, format_name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "segtumor.runtime.sessions.torchscript", raising=False)
    with pytest.raises(InstallationError, match=rf'pip install "segtumor\[{extra}\]"'):
        open_export(write_export(tmp_path / "export", format_name))


@pytest.mark.parametrize(("format_name", "module"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_files_that_are_no_graphs_are_refused_though_their_hashes_fit(tmp_path, format_name, module):
    pytest.importorskip(module)
    with pytest.raises(ModelError, match="not a usable"):
        open_export(write_export(tmp_path / "export", format_name))
