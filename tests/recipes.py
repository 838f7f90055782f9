"""The recipes of docs/recipes.md, and a folder in which they run."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
from dummy_models import write_export
from PIL import Image

import segtumor

PAGE = Path(__file__).parent.parent / "docs" / "recipes.md"
_TITLE = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"(<!-- needs torch -->\n)?```python\n(.*?)```", re.DOTALL)


def recipes(*, with_torch):
    """{title: code} of the recipes that need torch, or of those that do not."""
    found = {}
    for title, text in zip(*[iter(_TITLE.split(PAGE.read_text(encoding="utf-8"))[1:])] * 2, strict=True):
        for number, (mark, code) in enumerate(_BLOCK.findall(text)):
            if bool(mark) == with_torch:
                found[f"{title} {number + 1}" if number else title] = code
    return found


def lay_out(folder, examples):
    """What the recipes find: a model, radiographs, annotations, predictions of two models."""
    (folder / "output" / "demo").mkdir(parents=True)
    write_export(folder / "output" / "demo" / "run", "threshold")
    (folder / "scans").mkdir()
    rng, images = np.random.default_rng(0), []
    for image_id, name in enumerate(["a.png", "b.png", "knee.png"], start=1):
        pixels = rng.integers(40, 120, (64, 80), dtype=np.uint8)
        if name != "a.png":
            pixels[10:30, 20:45] = 255
        Image.fromarray(pixels).save(folder / "scans" / name)
        images.append({"id": image_id, "file_name": name, "height": 64, "width": 80, "case_id": name})
    shutil.copy(folder / "scans" / "knee.png", folder)
    outline = {"bbox": [20, 10, 25, 20], "area": 500, "segmentation": [[20, 10, 45, 10, 45, 30, 20, 30]]}
    lesions = [{"id": i, "image_id": i, "category_id": 2, "iscrowd": 0, **outline} for i in (2, 3)]
    categories = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
    truth = {"images": images, "annotations": lesions, "categories": categories}
    (folder / "test.json").write_text(json.dumps(truth))
    model = segtumor.load(folder / "output" / "demo" / "run")
    readings = model.read(sorted((folder / "scans").glob("*.png")))
    for name, some in (("predictions.json", readings), ("predictions_of_b.json", [r.above(0.99) for r in readings])):
        (folder / name).write_text(json.dumps(segtumor.to_coco(some)))
    shutil.copytree(examples / "labelme", folder / "labelme")
    shutil.copytree(examples / "images", folder / "images")
