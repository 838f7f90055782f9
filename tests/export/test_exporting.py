"""Exports against the model they were made from: every format, written once, read back by its own runtime."""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from detectron2.config import CfgNode
from PIL import Image

from segtumor.datasets.sampling import evenly_spaced
from segtumor.errors import ConfigError, DataError, InstallationError, ModelError, OutputError
from segtumor.export import export as exporting
from segtumor.export import parity as export_parity
from segtumor.export.contract import contract_of
from segtumor.export.export import export
from segtumor.export.folding import fold_batch_norms
from segtumor.export.graph_files import write_onnx, write_openvino, write_torchscript
from segtumor.export.graphs import EagerGraphs
from segtumor.export.parity import check_parity, measure_parity, sample_radiographs
from segtumor.export.quantization import sensitive_convolutions
from segtumor.models.build import load_trained_model
from segtumor.models.detectron2_detector import ModelDetector
from segtumor.runtime.breakdown import is_broken
from segtumor.runtime.differences import differences
from segtumor.runtime.export_kinds import load_mask_rcnn_graphs
from segtumor.runtime.exported import open_export
from segtumor.runtime.mask_rcnn.detector import Detector

pytestmark = pytest.mark.model

FORMATS = {"torchscript": ("torch",), "onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}


@pytest.fixture(scope="module")
def cfg(tiny_config, tmp_path_factory):
    """Configuration of a tiny model whose weights are large enough for findings of many scores."""
    path = tmp_path_factory.mktemp("weights") / "model.pth"
    cfg = tiny_config({"MODEL.WEIGHTS": str(path), "MODEL.CLASS_NAMES": ["benign", "malignant"]})
    torch.manual_seed(3)
    model = exporting_model(cfg)
    torch.save({"model": model.state_dict(), "class_names": ["benign", "malignant"]}, path)
    return cfg


def exporting_model(cfg: CfgNode):
    from segtumor.models.build import create_model

    model = create_model(cfg)
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    heads = model.roi_heads
    with torch.no_grad():
        for layer, scale in (
            (model.proposal_generator.rpn_head.objectness_logits, 10),
            (model.proposal_generator.rpn_head.anchor_deltas, 10),
            (heads.box_predictor.cls_score, 100),
            (heads.box_predictor.bbox_pred, 100),
            (heads.mask_head.predictor, 1000),
        ):
            layer.weight *= scale
    return model


@pytest.fixture(scope="module")
def exports(cfg, tmp_path_factory):
    """Function of a format -> (folder, manifest); each is made once."""
    made = {}

    def get(format_name):
        for package in FORMATS[format_name]:
            pytest.importorskip(package)
        if format_name not in made:
            folder = tmp_path_factory.mktemp("exports") / format_name
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                manifest = export(cfg, folder, format_name=format_name)
            exporters = [w for w in heard if "racer" in str(w.category) or "onnx" in str(w.message).lower()]
            made[format_name] = folder, manifest, exporters
        return made[format_name]

    return get


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(5)
    return [rng.random((64, 90), dtype=np.float32) for _ in range(2)]


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_answers_as_detectron2(format_name, cfg, exports, windows):
    folder, manifest, _ = exports(format_name)
    opened = open_export(folder, threads=1)
    model, names = load_trained_model(cfg)
    assert list(opened.contract.class_names) == names
    detector, sizes = Detector(opened.graphs, opened.contract), [(128, 180), (100, 200)]
    expected, found = ModelDetector(model).detect(windows, sizes), detector.detect(windows, sizes)
    result = differences(expected, found, edges=[(0.051, 0.051)] * 2)
    assert result["n_findings_reference"] > 10 and result["n_unmatched_reference"] == result["n_unmatched_other"] == 0
    assert result["max_box_px"] < 0.05 and result["max_score"] < 1e-4 and result["max_mask_px"] <= 2
    # Other shapes, alone and in a batch: nothing of the traced example is left.
    portrait = np.ascontiguousarray(windows[0].T)
    (alone,) = detector.detect([portrait], [(90, 64)])
    assert not differences(ModelDetector(model).detect([portrait], [(90, 64)]), [alone])["n_unmatched_reference"]
    assert manifest["parity"]["n_images"] == 4 and manifest["parity"]["findings_per_sample"][-1] == 0
    assert manifest["parity"]["findings_per_sample"][0] > 0


#: A layer in each place from which numbers leave a graph, and one in the middle of the backbone.
LAYERS = (
    "backbone.bottom_up.res3.0.conv1",
    "backbone.fpn_lateral4",
    "proposal_generator.rpn_head.conv",
    "proposal_generator.rpn_head.objectness_logits",
    "proposal_generator.rpn_head.anchor_deltas",
    "roi_heads.box_head.fc1",
    "roi_heads.box_predictor.cls_score",
    "roi_heads.box_predictor.bbox_pred",
    "roi_heads.mask_head.mask_fcn1",
    "roi_heads.mask_head.predictor",
)


def spoiled(cfg, layer, value):
    """The model with one bias (or, where there is none, the weights of one channel) changed after it was read."""
    model, _ = load_trained_model(cfg)
    module = model.get_submodule(layer)
    with torch.no_grad():
        (module.weight[0] if module.bias is None else module.bias[:1]).fill_(value)
    return model


@pytest.mark.parametrize("layer", LAYERS)
def test_a_model_that_breaks_down_anywhere_fails_the_image_in_torch(layer, cfg, windows):
    contract = contract_of(cfg, load_trained_model(cfg)[0], ("benign", "malignant"))
    for value in (np.nan, np.inf, 1e38):
        model = spoiled(cfg, layer, value)
        for detector in (ModelDetector(model), Detector(EagerGraphs(model), contract)):
            found = detector.detect(windows, [(64, 90)] * 2)
            assert all(map(is_broken, found)), (layer, value, type(detector).__name__)


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_that_breaks_down_fails_the_image(format_name, cfg, windows, tmp_path):
    for package in FORMATS[format_name]:
        pytest.importorskip(package)
    model = spoiled(cfg, "backbone.bottom_up.stem.conv1", 1e38)  # finite, as every weight
    contract, folded = contract_of(cfg, model, ("benign", "malignant")), fold_batch_norms(model)
    if format_name == "torchscript":
        write_torchscript(folded, tmp_path)
    else:
        write_onnx(folded, tmp_path)
    if format_name == "openvino":
        write_openvino(tmp_path, tmp_path)
    graphs = load_mask_rcnn_graphs(tmp_path, format_name, contract, threads=1)
    assert all(map(is_broken, Detector(graphs, contract).detect(windows, [(64, 90)] * 2)))


def test_openvino_refuses_weights_whose_damage_it_would_hide(cfg, tmp_path):
    pytest.importorskip("openvino")
    model = spoiled(cfg, "backbone.bottom_up.stem.conv1", np.nan)  # its ReLU makes 0 of NaN
    write_onnx(fold_batch_norms(model), tmp_path)
    write_openvino(tmp_path, tmp_path)
    with pytest.raises(ModelError, match=r"dense\.xml: weights are NaN or infinite"):
        load_mask_rcnn_graphs(tmp_path, "openvino", contract_of(cfg, model, ("benign", "malignant")))


def test_in_detectron2_a_broken_image_leaves_its_neighbours_their_findings(cfg, windows):
    model, _ = load_trained_model(cfg)
    sizes, detector = [(64, 90)] * 3, ModelDetector(model)
    huge = np.full_like(windows[0], 1e36)  # a window is in [0, 1]; only the overflow is wanted here
    first, broken, last = detector.detect([windows[0], huge, windows[1]], sizes)
    assert is_broken(broken) and first and last
    alone = [detector.detect([window], sizes[:1])[0] for window in windows]
    assert [first, last] == alone
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_that_breaks_down_is_not_exported(cfg, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "load_trained_model", lambda cfg: (spoiled(cfg, LAYERS[0], 1e38), ["a", "b"]))
    with pytest.raises(ModelError, match=r"phantom 1: the model's output is NaN or infinite.*Nothing was written"):
        export(cfg, tmp_path / "out", format_name="torchscript")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format_name", FORMATS)
def test_graphs_agree_with_torch_and_features_outlive_the_next_image(format_name, cfg, exports):
    folder, _, _ = exports(format_name)
    opened = open_export(folder, threads=1)
    eager = EagerGraphs(load_trained_model(cfg)[0])
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 3, 64, 96)).astype(np.float32)
    boxes = tuple(np.float32([[1, 2, 3, 40, 50], [0, 0, 0, 9, 9]][: 1 + i % 2]) for i in range(4))
    reference, maps = eager.dense(images), opened.graphs.dense(images)
    pairs = [*zip(reference.objectness, maps.objectness, strict=True), *zip(reference.deltas, maps.deltas, strict=True)]
    pairs += zip(eager.box_head(reference.features, boxes), opened.graphs.box_head(maps.features, boxes), strict=True)
    before = opened.graphs.mask_head(maps.features, boxes)
    pairs.append((eager.mask_head(reference.features, boxes), before))
    for expected, got in pairs:
        assert got.dtype == np.float32 and got.shape == expected.shape
        assert np.allclose(got, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    opened.graphs.dense(rng.normal(size=(1, 3, 128, 64)).astype(np.float32))
    assert np.array_equal(before, opened.graphs.mask_head(maps.features, boxes))
    assert opened.graphs.describe()["threads"] == 1 and opened.graphs.describe()["version"]


@pytest.mark.parametrize("format_name", ["onnx", "openvino"])
def test_an_export_needs_neither_torch_nor_detectron2(format_name, exports):
    folder, _, _ = exports(format_name)
    program = (
        "import sys, numpy as np\n"
        "from segtumor.runtime.exported import open_export\n"
        "from segtumor.runtime.mask_rcnn.detector import Detector\n"
        "export = open_export(sys.argv[1], threads=1)\n"
        "found = Detector(export.graphs, export.contract).detect([np.eye(64, dtype=np.float32)], [(64, 64)])\n"
        "assert len(found) == 1\n"
        "print(sorted({'torch', 'detectron2', 'torchvision', 'fvcore'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_manifest_says_where_it_comes_from(format_name, cfg, exports):
    folder, manifest, exporters_warnings = exports(format_name)
    stored = json.loads((folder / "export.json").read_text())
    assert stored["source"]["weights"] == "model.pth" and len(stored["source"]["weights_sha256"]) == 64
    assert stored["precision"] == "float32" and stored["format"] == format_name
    assert stored["made_with"]["torch"] == torch.__version__.split("+")[0] or stored["made_with"]["torch"]
    assert str(folder.parent) not in (folder / "export.json").read_text()
    assert manifest["seconds"] > 0 and exporters_warnings == []
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_an_int8_export_reports_what_it_changed(cfg, phantoms, tmp_path):
    for package in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    folder = tmp_path / "int8"
    images = str(phantoms / "images")
    manifest = export(cfg, folder, format_name="onnx", precision="int8", calibration=[images])
    assert manifest["precision"] == "int8" and manifest["parity"]["n_findings_reference"] > 0
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(str(folder / "dense.onnx")).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    scales = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    quantized = [node for node in convolutions if node.input[1] in scales]
    assert len(quantized) == len(convolutions) - len(sensitive_convolutions(folder / "dense.onnx")) > 10
    assert Detector(open_export(folder).graphs, open_export(folder).contract).detect(
        [np.eye(64, dtype=np.float32)], [(64, 64)]
    )


def test_an_export_that_answers_otherwise_is_not_kept(cfg, tmp_path, monkeypatch):
    def spoiled(graphs, contract):
        regions = dataclasses.replace(contract.regions, box_weights=(1.0, 10.0, 5.0, 5.0))
        return Detector(graphs, dataclasses.replace(contract, regions=regions))

    monkeypatch.setattr(export_parity, "Detector", spoiled)
    with pytest.raises(ModelError, match="does not answer as its model"):
        export(cfg, tmp_path / "spoiled", format_name="torchscript")
    assert list(tmp_path.iterdir()) == []


def test_only_exports_are_replaced_and_only_when_asked(cfg, exports, tmp_path, monkeypatch):
    folder, _, _ = exports("torchscript")
    with pytest.raises(ConfigError, match="--overwrite"):
        export(cfg, folder, format_name="torchscript")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is not an export"):
        export(cfg, mine, format_name="torchscript", overwrite=True)
    assert (mine / "thesis.txt").read_text() == "years of work"
    with pytest.raises(ConfigError, match="is not an export"):
        export(cfg, mine / "thesis.txt", format_name="torchscript", overwrite=True)
    empty, again = tmp_path / "empty", []
    empty.mkdir()
    own = exporting._EXPORTERS["mask_rcnn"]
    plain = dataclasses.replace(own, measure=lambda *_: again.append(1) or {}, check=lambda *_: None)
    monkeypatch.setitem(exporting._EXPORTERS, "mask_rcnn", plain)
    export(cfg, empty, format_name="torchscript")
    (empty / "mask_head.pt").write_bytes(b"damaged")  # says of itself that it is an export; that is enough
    export(cfg, empty, format_name="torchscript", overwrite=True)
    assert open_export(empty).manifest["format"] == "torchscript" and len(again) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "mine"]


def test_options_that_do_not_go_together(cfg, tmp_path):
    for options, message in (
        ({"format_name": "pickle"}, "unknown format"),
        ({"format_name": "torchscript", "precision": "int8", "calibration": ["x"]}, "not for TorchScript"),
        ({"format_name": "onnx", "precision": "int8"}, "--calibration DIR"),
        ({"format_name": "onnx", "calibration": ["x"]}, "Add --int8"),
        ({"format_name": "onnx", "samples": [str(tmp_path / "nothing.png")]}, r"nothing\.png: no such file"),
    ):
        with pytest.raises(ConfigError, match=message):
            export(cfg, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_said_before_anything_is_done(cfg, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InstallationError, match=r'onnx not installed.*pip install "segtumor\[export\]"'):
        export(cfg, tmp_path / "out", format_name="openvino")
    assert list(tmp_path.iterdir()) == []


def test_samples_are_files_folders_or_phantoms_and_a_blank_one(phantoms, tmp_path):
    drawn = sample_radiographs([], max_pixels=10**6)
    assert [radiograph.name for radiograph in drawn] == ["phantom 1", "phantom 2", "phantom 3", "blank"]
    assert drawn[-1].pixels.max() == 0 and drawn[2].size_hw[0] != drawn[2].size_hw[1]
    read = sample_radiographs([phantoms / "images", phantoms / "images"], max_pixels=10**6)
    assert len(read) == 1 + len(list((phantoms / "images").glob("*.png"))) and read[-1].name == "blank"
    with pytest.raises(DataError, match="folder without images"):
        sample_radiographs([tmp_path], max_pixels=10**6)


def test_the_model_keeps_its_score_limit(cfg):
    model, _ = load_trained_model(cfg)
    own = model.roi_heads.box_predictor.test_score_thresh
    with (
        contextlib.suppress(ZeroDivisionError),
        export_parity.changed(model.roi_heads.box_predictor, "test_score_thresh", 1.0),
    ):
        assert model.roi_heads.box_predictor.test_score_thresh == 1.0
        raise ZeroDivisionError
    assert model.roi_heads.box_predictor.test_score_thresh == own


def test_torch_alone_passes_the_same_comparison(cfg):
    from segtumor.export.contract import contract_of

    model, names = load_trained_model(cfg)
    measured = measure_parity(
        model, EagerGraphs(model), contract_of(cfg, model, names), sample_radiographs([], max_pixels=1)
    )
    check_parity(measured, "torch alone")
    assert measured["n_findings_reference"] > 10


def test_a_model_that_finds_nothing_is_compared_below_its_score_limit(cfg):
    from segtumor.export.contract import contract_of

    model, names = load_trained_model(cfg)
    model.roi_heads.box_predictor.test_score_thresh = 0.999999
    contract = contract_of(cfg, model, names)
    contract = dataclasses.replace(contract, regions=dataclasses.replace(contract.regions, score_threshold=0.999999))
    samples = sample_radiographs([], max_pixels=1)
    measured = measure_parity(model, EagerGraphs(model), contract, samples)
    check_parity(measured, "torch alone")
    assert measured["score_limit"] == 0 and measured["n_findings_reference"] > 10
    wrong = dataclasses.replace(contract.regions, box_weights=(1.0, 10.0, 5.0, 5.0))
    measured = measure_parity(model, EagerGraphs(model), dataclasses.replace(contract, regions=wrong), samples)
    with pytest.raises(ModelError, match="does not answer"):
        check_parity(measured, "another one")
    assert model.roi_heads.box_predictor.test_score_thresh == 0.999999


def test_what_is_within_rounding_passes_and_nothing_else():
    fine = {
        "max_box_px": 0.4,
        "max_score": 9e-4,
        "min_changed_mask_iou": float("nan"),
        "score_limit": 0.05,
        "n_findings_reference": 3,
        "n_findings_other": 3,
        "n_unmatched_reference": 0,
        "n_unmatched_other": 0,
    }
    check_parity(fine, "export")
    nothing = dict.fromkeys(("max_box_px", "max_score"), float("nan"))
    check_parity({**fine, **nothing}, "export")
    check_parity({**fine, **nothing, "score_limit": 0, "n_findings_reference": 0, "n_findings_other": 0}, "export")
    for wrong in (
        {"max_box_px": 0.6},
        {"max_score": 0.002},
        {"min_changed_mask_iou": 0.98},
        {**nothing, "score_limit": 0},
        {"n_unmatched_reference": 1},
        {"n_unmatched_other": 1},
    ):
        with pytest.raises(ModelError, match="does not answer"):
            check_parity({**fine, **wrong}, "export")


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [0]), (3, [0, 4, 9]), (10, list(range(10))), (99, list(range(10)))]
)
def test_evenly_spaced(count, expected):
    assert evenly_spaced(range(10), count) == expected


@pytest.mark.parametrize(("write", "suffix"), [(write_torchscript, ".pt"), (write_openvino, ".xml")])
def test_what_cannot_be_written_is_said(write, suffix, cfg, exports, tmp_path):
    source = load_trained_model(cfg)[0] if write is write_torchscript else exports("onnx")[0]
    (tmp_path / f"dense{suffix}").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write(source, tmp_path)


#: Infers, and stays for as long as it is to.
_INFER = """
import os, sys, time
began = time.monotonic()
from segtumor.commands import infer
code = infer.main(sys.argv[1:])
time.sleep(max(0, float(os.environ["STAY_S"]) - (time.monotonic() - began)))
sys.exit(code)
"""


def test_reading_images_contacts_nobody_and_leaves_no_identity(exports, tmp_path):
    trace = ["unshare", "-rn", "strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
    can_trace = shutil.which("strace") and not subprocess.run([*trace, "true"], capture_output=True).returncode
    image, processes = tmp_path / "a.png", []
    Image.fromarray(np.arange(96 * 64, dtype=np.uint16).reshape(96, 64)).save(image)
    for format_name in ("onnx", "openvino"):
        home = tmp_path / format_name
        home.mkdir()
        command = ["--run", exports(format_name)[0], "--input", image, "--output", home / "found", "--threads", "1"]
        traced = [*trace, "-o", tmp_path / f"{format_name}.calls"] if can_trace else []
        command = [*traced, sys.executable, "-c", _INFER, *command]
        stay_s = "14" if can_trace else "0"  # onnxruntime would look for its events server after 9 s
        environment = {**os.environ, "HOME": str(home), "STAY_S": stay_s}
        processes.append(subprocess.Popen([*map(str, command)], env=environment))
    assert [process.wait() for process in processes] == [0, 0]
    for home in (tmp_path / "onnx", tmp_path / "openvino"):
        assert [path.name for path in home.iterdir()] == ["found"]
    if not can_trace:
        pytest.skip("no identity was left; connections were not looked at: no strace in a network of its own here")
    for calls in (tmp_path / "onnx.calls", tmp_path / "openvino.calls"):
        assert [line for line in calls.read_text().splitlines() if "AF_INET" in line] == []
