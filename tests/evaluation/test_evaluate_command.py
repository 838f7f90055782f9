import json
import subprocess
import sys

import numpy as np
import pytest

from segtumor.commands.evaluate import main


@pytest.fixture
def files(tmp_path, random_coco):
    """Annotations, plain results of them, and the same as infer.py would write them; as option lists."""
    truth, results = random_coco(np.random.default_rng(1), 8)
    own_ids = {image["id"]: n for n, image in enumerate(reversed(truth["images"]), start=1)}
    own = {
        "schema_version": 1,
        "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
        "images": [
            {"image_id": own_ids[i["id"]], "file_name": i["file_name"], "status": "ok"} for i in truth["images"]
        ],
        "annotations": [
            {**r, "image_id": own_ids[r["image_id"]], "category_id": {3: 1, 7: 2}[r["category_id"]]} for r in results
        ],
    }
    for name, content in (("gt", truth), ("plain", results), ("own", own)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return lambda name: [
        *("--annotations", str(tmp_path / "gt.json")),
        *("--predictions", str(tmp_path / f"{name}.json")),
        *("--output", str(tmp_path / f"out_{name}")),
    ]


def test_both_forms_give_the_same_numbers(files, tmp_path, capsys):
    thresholds = ["--score-threshold", "0.3", "--iou-threshold", "0.6"]
    assert main([*files("plain"), *thresholds]) == 0
    shown = capsys.readouterr().out
    assert "mask AP50" in shown
    assert "per_lesion.csv" in shown
    assert main([*files("own"), *thresholds]) == 0
    plain, own = (json.loads((tmp_path / f"out_{name}/metrics.json").read_text()) for name in ("plain", "own"))
    assert plain["counts"].pop("n_images_absent") is None
    assert own["counts"].pop("n_images_absent") == 0
    for part in ("counts", "detection", "overlap", "lesions", "images", "confusion"):
        assert plain[part] == own[part]
    assert plain["settings"] == {"score_threshold": 0.3, "iou_threshold": 0.6}


def test_mistakes_are_one_line(files, tmp_path, capsys):
    assert main([*files("plain"), "--score-threshold", "2"]) == 2
    assert main([*files("nothing")]) == 5
    assert main([*files("plain"), "--run", str(tmp_path)]) == 5
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert errors.count("error:") == 3


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from segtumor.commands.evaluate import build_parser; text = build_parser().format_help(); "
        "assert 'Not a medical device' in text; "
        "print([m for m in ('numpy', 'pycocotools', 'matplotlib', 'cv2', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
