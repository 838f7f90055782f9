"""What can be checked of the speed benchmark without measuring: turns, tables, counts, models, processes."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.speed import detectors, growth, inference
from benchmarks.speed.child import run_steps
from benchmarks.speed.dense import multiply_adds
from benchmarks.speed.detectors import (
    TorchvisionDetector,
    stock_inference_config,
    stock_training_config,
    with_stock_anchors,
)
from benchmarks.speed.inference_tables import (
    STOCK,
    Comparison,
    compare,
    main_table,
    parity_cells,
    problem,
    raw_rows,
    small_table,
)
from benchmarks.speed.processes import in_fresh_process
from benchmarks.speed.report import (
    Part,
    Table,
    describe_machine,
    markdown_of,
    milliseconds,
    peak_memory_mib,
    ratio,
    sentence,
    text_of,
    text_report,
    write_report,
)
from benchmarks.speed.start import own_import_s
from benchmarks.speed.subjects import benchmark_images, blank_radiograph, class_names, make_subject, phantom_radiographs
from benchmarks.speed.timing import Contender, Timing, speedups, take_turns
from benchmarks.speed.training import phantom_batch
from segtumor.errors import DataError, InstallationError
from segtumor.models.detectron2_detector import ModelDetector
from segtumor.runtime.contract import Pooling, Regions
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import mask_from_rle, rle_from_mask

pytestmark = pytest.mark.model

POOLINGS = Pooling("align", 7, 0, True), Pooling("align", 14, 0, True)
REGIONS = Regions((4,), 224.0, 4, (1.0,) * 4, 0.05, 0.5, 3, True, True, *POOLINGS)


def finding(score, box=(2, 2, 10, 10)):
    mask = np.zeros((16, 16), dtype=bool)
    x0, y0, x1, y1 = map(int, box)
    mask[y0:y1, x0:x1] = True
    return Finding(0, score, tuple(map(float, box)), rle_from_mask(mask))


def test_contenders_take_turns_and_the_first_turn_does_not_count():
    calls, now = [], [0.0]

    def work(name, seconds):
        calls.append(name)
        now[0] += seconds if calls.count(name) > 1 else 100

    contenders = {"a": Contender(lambda: work("a", 3), per=3), "b": Contender(lambda: work("b", 1))}
    timings = take_turns(contenders, repeats=2, clock=lambda: now[0])
    assert "".join(calls) == "ababab"
    assert timings["a"] == Timing((3.0, 3.0), 3)
    assert timings["a"].median_s == timings["a"].minimum_s == 1
    assert speedups({**timings, "none": Timing(())}, "a") == pytest.approx(
        {"a": 1, "b": 1, "none": math.nan}, nan_ok=True
    )


def test_a_table_is_aligned_and_as_markdown():
    table = Table("Title", ("", "ms"), (("long name", "1"), ("x", "1,000")), ("A | note.",))
    assert text_of(table).splitlines() == [
        "Title",
        "",
        "              ms",
        "---------  -----",
        "long name      1",
        "x          1,000",
        "  A | note.",
    ]
    assert markdown_of(table).splitlines()[-1] == "- A \\| note."
    assert "| x | 1,000 |" in markdown_of(table)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123, "12.3"), (0.1, "100"), (1.2345, "1,234"), (math.nan, "-"), (0, "0.0")]
)
def test_milliseconds(seconds, text):
    assert milliseconds(seconds) == text


def test_ratio():
    assert (ratio(2.345), ratio(math.nan)) == ("2.35 x", "-")


def test_multiply_adds_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.Conv2d(8, 8, 1, groups=2), nn.Flatten())
    layers.append(nn.Linear(8 * 4 * 4, 5))
    expected = 4 * 4 * 8 * 27 + 4 * 4 * 8 * 4 + 128 * 5
    assert multiply_adds(layers, torch.zeros(1, 3, 8, 8)) == expected
    up = nn.ConvTranspose2d(6, 4, 2, stride=2)
    assert multiply_adds(up, torch.zeros(2, 6, 5, 5)) == 2 * 25 * 6 * 4 * 4
    assert not up._forward_hooks


def test_stock_has_the_numbers_of_detectron2_and_leaves_ours_alone(tiny_config):
    ours = tiny_config()
    before = ours.dump()
    stock = stock_inference_config(ours)
    assert (stock.MODEL.RPN.PRE_NMS_TOPK_TEST, stock.MODEL.RPN.POST_NMS_TOPK_TEST) == (1000, 1000)
    assert (stock.INPUT.MIN_SIZE_TEST, stock.TEST.DETECTIONS_PER_IMAGE, stock.MODEL.CHANNELS_LAST) == (800, 100, False)
    assert stock.MODEL.ANCHOR_GENERATOR.SIZES == ours.MODEL.ANCHOR_GENERATOR.SIZES
    assert with_stock_anchors(ours).MODEL.ANCHOR_GENERATOR.SIZES[0] == [32]
    trained = stock_training_config(ours)
    assert (trained.MODEL.RPN.PRE_NMS_TOPK_TRAIN, trained.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE) == (2000, 512)
    assert trained.MODEL.ROI_HEADS.POSITIVE_FRACTION == 0.25
    assert ours.dump() == before


def test_images_are_phantoms_and_a_blank_one_or_those_of_a_folder(phantoms, tmp_path):
    drawn, _ = benchmark_images(None, count=3, size_px=64)
    assert [radiograph.size_hw for radiograph in drawn] == [(64, 64)] * 3
    assert drawn[0].pixels.std() > 0 and drawn[-1].pixels.std() == 0
    assert len(benchmark_images(None, count=1, size_px=64)[0]) == 1
    read, text = benchmark_images(phantoms / "images", count=2, size_px=64)
    assert len(read) == 2 and "2 of the 12" in text
    with pytest.raises(DataError, match="without images"):
        benchmark_images(tmp_path, count=2, size_px=64)


@pytest.mark.parametrize("with_blank", [False, True])
def test_random_weights_find_something_on_some_images_and_nothing_on_a_blank_one(tiny_config, with_blank):
    images = phantom_radiographs(3, 64) + [blank_radiograph(64)] * with_blank
    subject = make_subject(stock_inference_config(tiny_config(), short_edge_px=64, max_long_edge_px=64), None, images)
    found = subject.detect_all(ModelDetector(subject.model))
    assert 0 < sum(map(len, found[:3])) < 300
    assert all(np.isfinite(f.box_xyxy).all() for findings in found for f in findings)
    assert any(mask_from_rle(f.rle).any() for findings in found for f in findings)
    assert not any(found[3:])
    again = make_subject(subject.cfg, None, images)
    assert again.detect_all(ModelDetector(again.model)) == found
    assert [len(subject.some(count).windows) for count in (1, 2, 9)] == [1, 2, len(images)]
    both = subject.detect_in_parallel([ModelDetector(subject.model)] * 2)
    assert list(map(len, both)) == 2 * list(map(len, found))


def test_a_peer_keeps_no_random_finding():
    detector = TorchvisionDetector("ssdlite320_mobilenet_v3_large")
    window = phantom_radiographs(1, 64)[0].pixels
    assert detector.detect([window], [(64, 64)]) == [()]


def test_a_runtime_that_is_not_installed_is_left_out_with_a_sentence(tiny_config, tmp_path, monkeypatch):
    def missing(*_):
        raise InstallationError("onnx is not installed", remedy="Type: pip install onnx")

    subject = make_subject(tiny_config(), None, phantom_radiographs(1, 64))
    monkeypatch.setattr(detectors, "write_onnx", missing)
    monkeypatch.setattr(detectors, "check_onnx", missing)
    ours, skipped = detectors.our_detectors(subject, tmp_path, threads=1)
    assert list(ours) == [detectors.TORCH]
    assert [text.split(" is left out: ")[0] for text in skipped] == ["ONNX Runtime", "OpenVINO"]
    assert detectors.parallel_detectors(subject, ours, tmp_path) == {}


def test_class_names_are_those_of_the_configuration_or_made_up(tiny_config):
    cfg = tiny_config()
    assert class_names(cfg) == ("benign", "malignant")
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 3
    assert class_names(cfg) == ("benign", "malignant", "class 2")
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 1
    assert len(class_names(cfg)) == 1
    cfg.MODEL.CLASS_NAMES = ["a"]
    assert class_names(cfg) == ("a",)


def test_parity_names_what_differs_by_more_than_rounding():
    same = compare([(finding(0.9),), ()], [(finding(0.9 + 1e-6),), ()], REGIONS)
    assert problem("a", same) is None
    assert parity_cells(same)[2:] == ("1.0000", "0")
    moved = compare([(finding(0.9),)], [(finding(0.9, (2, 2, 11, 10)),)], REGIONS)
    assert "boxes by 1 px" in problem("OpenVINO", moved)
    lost = compare([(finding(0.9),)], [()], REGIONS)
    assert "1 findings lost" in problem("OpenVINO", lost)
    # At the threshold of 0.05, rounding decides whether it is listed.
    assert problem("a", compare([(finding(0.0502),)], [()], REGIONS)) is None
    # A full list of something else is no excuse for what is on it.
    other = tuple(finding(0.99, (9, 9 - i, 16, 16 - i)) for i in range(3))
    assert "0 findings lost, 3 new" in problem("OpenVINO", compare([(finding(0.9, (0, 0, 4, 4)),)], [other], REGIONS))
    assert parity_cells(None) == ("",) * 4
    assert parity_cells(compare([()], [()], REGIONS)) == ("-", "-", "-", "0")


def test_the_batch_has_images_with_and_without_lesions():
    batch = phantom_batch(64, 3)
    counts = [len(example["instances"]) for example in batch]
    assert min(counts) == 0 and max(counts) > 0
    assert batch[0]["image"].shape == (3, 64, 64)
    lesions = next(example["instances"] for example in batch if len(example["instances"]))
    x0, y0, x1, y1 = map(int, lesions.gt_boxes.tensor[0].tolist())
    rows, columns = np.nonzero(lesions.gt_masks.tensor[0].numpy())
    assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_steps_hand_their_results_on():
    steps = [
        {"name": "modules", "import": ["json", "fractions"]},
        {"name": "fraction", "call": "fractions:Fraction", "arguments": {"numerator": 3, "denominator": 4}},
        {"name": "rounded", "call": "@fraction:limit_denominator", "arguments": {"max_denominator": 2}},
        {"name": "text", "call": "json:dumps", "arguments": {"obj": ["@rounded:numerator", {"b": "x"}]}},
    ]
    answer = run_steps(steps)
    assert json.loads(answer["value"]) == [1, {"b": "x"}]
    assert list(answer["steps"]) == ["modules", "fraction", "rounded", "text"]
    assert run_steps([{"name": "a", "call": "fractions:Fraction"}])["value"] is None
    assert answer["peak_mib"] == pytest.approx(peak_memory_mib(), rel=0.2)


def test_a_fresh_process_answers_or_says_why_not():
    steps = [{"name": "sorted", "call": "builtins:dict", "arguments": {"a": 1}}]
    answer = in_fresh_process(steps, threads=1)
    assert answer["value"] == {"a": 1}
    assert 0 < answer["peak_mib"] < peak_memory_mib()  # nothing of this process is in it
    assert 0 <= answer["interpreter_s"] <= answer["total_s"]
    with pytest.raises(InstallationError, match="No module named"):
        in_fresh_process([{"name": "a", "import": ["no_such_module_of_anybody"]}])


def test_own_import_time_is_that_of_segtumor_alone():
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:      1000 |      90000 | segtumor\n"
        "import time:       500 |        500 |   segtumor.errors\n"
        "import time:     70000 |      80000 |     torch\n"
        "import time:     70000 |      80000 |     segtumor_other\n"
    )
    assert own_import_s(text) == pytest.approx(0.0015)
    assert own_import_s("") == 0


@pytest.mark.parametrize("count", [0, 1, 30])
def test_made_up_lesions_are_drawn_alike_on_both_sides(count):
    masks, boxes = growth._made_up_masks(count)
    ours = [mask.rle for mask in growth._our_findings(masks, boxes)]
    assert ours == growth._stock_masks(masks, boxes)
    assert len(ours) == count


def test_small_models_and_two_images_at_once_have_their_own_baselines():
    small, peer, ours, pairs = "fast, Detectron2", "torchvision ssd, 320 px", "fast, torch", "two images at once"
    seconds = {STOCK: 8, f"{STOCK}, {pairs}": 6, f"segtumor, {pairs}": 3, small: 2, ours: 1, peer: 4}
    timings = {name: Timing((float(value),)) for name, value in seconds.items()}
    comparison = Comparison(findings={STOCK: [(finding(0.9),), ()]})
    comparison.baselines = {name: f"{STOCK}, {pairs}" for name in seconds if name.endswith(pairs)}
    comparison.small = {small: small, ours: small, peer: None}
    table = main_table(comparison, timings, "Title")
    assert [(row[0], row[3]) for row in table.rows] == [
        (STOCK, "1.00 x"),
        (f"{STOCK}, {pairs}", "1.00 x"),
        (f"segtumor, {pairs}", "2.00 x"),
    ]
    assert table.rows[0][4] == "0.5" and "one image after the other" in " ".join(table.notes)
    table = small_table(comparison, timings, "Small", "800 px")
    assert table.columns[3:5] == ("times stock ResNet-50 at 800 px", "times itself in Detectron2")
    assert [(row[0], *row[3:5]) for row in table.rows] == [
        (small, "4.00 x", "1.00 x"),
        (ours, "8.00 x", "2.00 x"),
        (peer, "2.00 x", ""),
    ]
    assert raw_rows(comparison, timings)[ours]["times_itself"] == 2
    assert not small_table(Comparison(), timings, "Small", "800 px").rows
    assert len(main_table(Comparison(), {STOCK: Timing((1.0,))}, "Title").notes) == 2


@pytest.mark.parametrize(("threads", "rows"), [(1, 0), (2, 3)])
def test_two_images_at_once_need_two_threads(tiny_config, tmp_path, monkeypatch, threads, rows):
    subject = make_subject(tiny_config(), None, phantom_radiographs(1, 64))
    ours, _ = inference.our_detectors, monkeypatch.setattr(detectors, "_EXPORTED", {})
    detector = ours(subject, tmp_path, threads=1)[0][detectors.TORCH]
    monkeypatch.setattr(inference, "our_detectors", lambda *_, **__: ({detectors.OPENVINO: detector}, []))
    monkeypatch.setattr(
        inference, "parallel_detectors", lambda *_: {detectors.ONNX: [detector] * 2, detectors.OPENVINO: []}
    )
    settings = inference.InferenceSettings(tiny_config(), None, None, None, "", None, 1, threads=threads)
    comparison = Comparison()
    inference._add_large(comparison, subject, tmp_path, settings)
    assert sum("two images at once" in name for name in comparison.contenders) == rows
    assert list(comparison.baselines.values()) == [f"{STOCK}, two images at once"] * rows


def test_growth_with_size_is_the_median_after_a_first_prediction(tmp_path, monkeypatch):
    answer = {"steps": {"first": 9.0, "turn 0": 3.0, "turn 1": 1.0, "turn 2": 2.0}, "peak_mib": 5.0}
    monkeypatch.setattr(growth, "in_fresh_process", lambda *_, **__: answer)
    table, raw = growth._sizes({"fast": []}, tmp_path, [64], 3, 1)
    assert table.rows == (("64 x 64 px", "2,000", "5"),) and raw[64]["fast"]["seconds"] == [3.0, 1.0, 2.0]


def test_a_failed_run_is_not_measured(tmp_path, monkeypatch):
    answer = {"steps": {"infer": 1.0}, "value": 6, "peak_mib": 1.0}
    monkeypatch.setattr(growth, "in_fresh_process", lambda *_, **__: answer)
    with pytest.raises(InstallationError, match=r"infer failed on 2 files.*exit code 6"):
        growth._files("export", tmp_path, [2], 1)
    answer["value"] = 0
    assert growth._files("export", tmp_path / "new", [2], 1)[1][2] == {"seconds": 1.0, "peak_mib": 1.0}


def test_the_report_says_where_it_was_measured(tmp_path):
    machine = describe_machine(3)
    assert machine["versions"]["torch"] == torch.__version__.partition("+")[0] or machine["versions"]["torch"]
    assert "3 threads" in sentence(machine) and "detectron2" in sentence(machine)
    part = Part((Table("Title", ("a",), (("1",),)),), {"x": math.nan}, ("differs",))
    assert text_report(machine, {"p": part}).endswith("Title\n\na\n-\n1")
    write_report(tmp_path / "new", machine, {"p": part})
    values = json.loads((tmp_path / "new" / "speed.json").read_text())
    assert values["parts"] == {"p": {"x": None}} and values["problems"] == ["differs"]
    assert "## Title" in (tmp_path / "new" / "speed.md").read_text()
