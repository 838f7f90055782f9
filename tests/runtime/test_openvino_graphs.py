"""The graphs in OpenVINO, with graphs so small that their answers are known; exports are in tests/engine."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from contracts import contract

from segtumor.runtime.sessions.openvino_graphs import OpenVinoGraphs

openvino = pytest.importorskip("openvino")
from openvino import opset13 as ops  # noqa: E402

_REGIONS = contract(regions={"strides_px": (4,)}).regions
_REGIONS = dataclasses.replace(_REGIONS, mask_pooling=dataclasses.replace(_REGIONS.mask_pooling, size=7))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Dense: feature = image, objectness = 2 image, deltas = 3 image. Heads: sums over regions, and those doubled."""
    folder = tmp_path_factory.mktemp("openvino")
    images = ops.parameter([-1, 3, -1, -1], np.float32, name="images")
    outputs = {"feature_0": ops.transpose(images, np.array([0, 2, 3, 1]))}
    outputs.update(
        {f"{name}_0": ops.multiply(images, np.float32(factor)) for name, factor in (("objectness", 2), ("deltas", 3))}
    )
    files = {"dense": write(folder / "dense.xml", images, outputs)}
    for head, names in (("box_head", ("class_logits", "box_deltas")), ("mask_head", ("mask_logits",))):
        regions = ops.parameter([-1, 7, 7, 3], np.float32, name="regions")
        total = ops.reduce_sum(regions, np.array([1, 2]))
        outputs = {name: ops.multiply(total, np.float32(i)) for i, name in enumerate(names, start=1)}
        files[head] = write(folder / f"{head}.xml", regions, outputs)
    return OpenVinoGraphs(files, regions=_REGIONS, level_count=1, threads=1)


def write(path, given, outputs):
    given.output(0).get_tensor().set_names({given.get_friendly_name()})
    for name, node in outputs.items():
        node.output(0).get_tensor().set_names({name})
    openvino.save_model(openvino.Model(list(outputs.values()), [given], "graph"), path, compress_to_fp16=False)
    return {".xml": path}


def pictures(count, size_px=64):
    return np.random.default_rng(0).random((count, 1, 3, size_px, size_px), dtype=np.float32)


def test_maps_keep_their_order(graphs):
    (image,) = pictures(1)
    maps = graphs.dense(image)
    assert np.array_equal(maps.features[0], image.transpose(0, 2, 3, 1))
    assert np.array_equal(maps.objectness[0], 2 * image) and np.array_equal(maps.deltas[0], 3 * image)


def test_threads_that_share_the_graphs_get_their_own_answers(graphs):
    images = pictures(2, size_px=256)

    def wrong(image):
        found = [graphs.dense(image) for _ in range(40)]
        return sum(
            not np.array_equal(maps.objectness[0], 2 * image)
            or not np.array_equal(maps.features[0], image.transpose(0, 2, 3, 1))
            for maps in found
        )

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(wrong, images)) == [0, 0]


def test_images_that_are_not_contiguous_are_read_rightly(graphs):
    for image in pictures(20, size_px=128):
        turned = np.asfortranarray(image)
        assert np.array_equal(graphs.dense(turned).objectness[0], 2 * image)


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (16, 16), (17, 20), (64, 64), (65, 80)])
def test_heads_see_few_numbers_of_rows_and_answer_for_those_that_there_are(count, rows, graphs):
    features = np.ones((1, 16, 16, 3), dtype=np.float32) * np.float32([1, 2, 3])
    boxes = np.tile(np.float32([0, 8, 8, 40, 40]), (count, 1))
    logits, deltas = graphs.box_head((features,), (boxes,))
    assert np.allclose(logits, np.tile(np.float32([49, 98, 147]), (count, 1))) and logits.shape == (count, 3)
    assert np.array_equal(deltas, 2 * logits)
    assert graphs.mask_head((features,), (boxes,)).shape == (count, 3)
    assert graphs._requests["box_head"].get_tensor("regions").shape[0] == rows
