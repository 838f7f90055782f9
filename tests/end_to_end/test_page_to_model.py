"""From the reading room to a model: what was corrected on the page is exported and trained on, by two commands."""

import pytest
from pages import Page, SquareModel

from segtumor.annotations.coco import load_coco
from segtumor.commands.cli import main
from segtumor.synthesis.phantoms import write_phantom_dataset
from segtumor.web.app import create_app
from segtumor.web.site import Settings, Site
from segtumor.web.storage.store import Store
from segtumor.web.worker import Worker

pytestmark = pytest.mark.end_to_end


def corrected(folder, phantoms):
    """A page on which a reader has drawn the true lesions of phantoms."""
    dataset, store = load_coco(phantoms / "annotations" / "test.json"), Store(folder)
    worker = Worker(store, SquareModel(), max_pixels=10**6)
    site = Site(store=store, model=SquareModel(), worker=worker, settings=Settings())
    page = Page(site, create_app(site).test_client())
    worker.start()
    for image in dataset.images:
        content = (phantoms / "images" / image["file_name"]).read_bytes()
        (sent,) = page.read((image["file_name"], content), case=image["case_id"])
        drawn = [
            {"origin": None, "verdict": "drawn", "class": dataset.label_of(lesion), "outlines": outlines_of(lesion)}
            for lesion in dataset.annotations_of(image)
        ]
        assert page.review(sent, *drawn).status_code == 200
    worker.stop()
    store.close()
    return sum(len(dataset.annotations_of(image)) for image in dataset.images)


def outlines_of(annotation):
    return [list(map(list, zip(p[::2], p[1::2], strict=True))) for p in annotation["segmentation"]]


def test_what_was_corrected_trains_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "datasets"))
    write_phantom_dataset("phantoms", cases=3, seed=1, size_px=96, fractions=(0, 0, 1))
    lesions = corrected(tmp_path / "page", tmp_path / "phantoms")
    assert main(["serve", "export", "--data", "page", "--output", "datasets/corrected"]) == 0
    assert f"6 reviewed images with {lesions} lesions" in capsys.readouterr().out
    assert main(["data", "check", "datasets/corrected/annotations/all.json"]) == 0
    settings = {
        "DATASETS.TRAIN": "[corrected_all]", "DATASETS.VALIDATION": "[]", "DATASETS.TEST": "[]",
        "INPUT.MIN_SIZE_TRAIN": "[96]", "SOLVER.MAX_ITER": "2", "SOLVER.WARMUP_ITERS": "1", "OUTPUT_DIR": "run",
    }  # fmt: skip
    options = [word for pair in settings.items() for word in pair]
    assert main(["train", "--config-file", "tiny_phantoms.yaml", *options]) == 0
    assert (tmp_path / "run" / "model_final.pth").is_file()
