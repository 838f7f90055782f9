"""Annotation files with random damage: read, or refused with one of our own errors."""

import copy
import json
import random

import pytest
from repository import ROOT

from segtumor.annotations.coco import dataset_of
from segtumor.errors import SegtumorError
from segtumor.formats import coco, csv_boxes, cvat, labelme, via, voc
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import ImageFolder

pytestmark = pytest.mark.fuzz

EXAMPLES = ROOT / "datasets" / "examples"
FILES = {"labelme": "case1_benign.json", "coco": "annotations.json", "csv": "boxes.csv"}
FILES |= {"via": "via_region_data.json", "cvat": "annotations.xml", "voc": "case1_benign.xml"}
READERS = {"labelme": labelme, "coco": coco, "csv": csv_boxes, "via": via, "cvat": cvat, "voc": voc}
WRITERS = (labelme, coco, csv_boxes)
VALUES = [None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**30, "", "x", "\x00", "\ud800", [], {}, [[]]]
VALUES += ["../../x", "C:\\x", [1, 2], {"size": [160, 160], "counts": [25600]}, {"size": [160, 160], "counts": "PP"}]
EXTRAS = ("group_id", "drawn_box", "circle", "flags", "description", "attributes", "mask", "case_id", "area", "iscrowd")
BYTES = b'",;\t\n\r\x00-1eE.[]\xff 9'


def _damage_json(text, rng):
    document = json.loads(text)
    for _ in range(rng.choice([1, 1, 3])):
        places = list(_places(document))
        container, key = rng.choice(places)
        if rng.random() < 0.2:
            del container[key]
        elif isinstance(container, dict) and rng.random() < 0.3:
            container[rng.choice(EXTRAS)] = copy.deepcopy(rng.choice(VALUES))
        else:
            container[key] = copy.deepcopy(rng.choice(VALUES))
    return json.dumps(document).encode()


def _places(value):
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _damage_bytes(text, rng):
    data = bytearray(text.encode())
    for _ in range(rng.choice([1, 2, 8])):
        data[rng.randrange(len(data))] = rng.choice(BYTES)
    return bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_raise_only_our_own_errors(tmp_path, name):
    rng, reader, images = random.Random(name), READERS[name], ImageFolder(EXAMPLES / "images")
    text = (EXAMPLES / name / FILES[name]).read_text()
    path = tmp_path / FILES[name]
    converted = 0
    for _ in range(100):
        damage = _damage_bytes if not FILES[name].endswith(".json") or rng.random() < 0.2 else _damage_json
        path.write_bytes(damage(text, rng))
        try:
            reader.recognises(path)
            dataset = dataset_of(assemble(reader.read(path, images)).document, images.root)
            for number, writer in enumerate(WRITERS):
                writer.write(dataset, tmp_path / str(number))
            converted += 1
        except SegtumorError as error:
            assert str(error)
    assert converted
