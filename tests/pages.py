"""A page whose model sees bright squares, for tests that need no trained one; and what a browser does with it."""

import io
import time
from typing import ClassVar

import numpy as np
from PIL import Image

from segtumor.reporting.dicom.coding import Algorithm
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.readings import Reading

#: (rows, columns) of the two squares of ``picture``, and their scores.
SQUARES = ((slice(10, 30), slice(20, 45)), (slice(40, 50), slice(60, 70)))
SCORES = (0.8, 0.3)


class SquareModel:
    """Sees the squares of ``picture`` where they are bright; the first benign, the second malignant."""

    name, version, threshold = "squares", "1", 0.5
    class_names = ("benign", "malignant")
    heat_methods = ("gradcam",)

    def __init__(self):
        self.points = {"youden": 0.4}
        self.algorithm = Algorithm("squares", "1")

    def read(self, radiograph):
        findings = []
        for class_id, (square, score) in enumerate(zip(SQUARES, SCORES, strict=True)):
            mask = np.zeros(radiograph.size_hw, dtype=bool)
            mask[square] = True
            if mask.any() and radiograph.pixels[mask].min() > 0.9:
                rle = rle_from_mask(mask)
                findings.append(Finding(class_id, score, rle=rle, probabilities=((0.8, 0.2), (0.1, 0.3))[class_id]))
        return Reading(
            class_names=self.class_names,
            size_hw=radiograph.size_hw,
            findings=tuple(findings),
            spacing_mm=radiograph.spacing_mm,
            spacing_source=radiograph.spacing_source,
        )

    def heat(self, method, radiograph):
        return {method: radiograph.pixels}


def picture(*bright, size_hw=(60, 80), shade=0):
    """Bytes of a PNG with these of the squares; ``shade`` makes pictures differ."""
    pixels = np.full(size_hw, 30 + shade, dtype=np.uint8)
    for index in bright:
        pixels[SQUARES[index]] = 255
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "png")
    return written.getvalue()


class Page:
    """What a browser does with a page."""

    change: ClassVar = {"X-Segtumor": "1"}

    def __init__(self, site, client):
        self.site, self.client = site, client

    def get(self, path, **options):
        return self.client.get(f"/api/v1{path}", **options)

    def send(self, *files, **fields):
        """(name, bytes) ... -> the answer."""
        data = {"file": [(io.BytesIO(content), name) for name, content in files], **fields}
        return self.client.post("/api/v1/images", data=data, headers=self.change)

    def read(self, *files, **fields):
        """The images that were sent, once they are read."""
        sent = self.send(*files, **fields)
        assert sent.status_code == 202, sent.json
        self.wait()
        return [self.get(f"/images/{image['id']}").json for image in sent.json["images"]]

    def wait(self):
        for _ in range(500):
            if not self.site.store.count_waiting():
                return
            time.sleep(0.01)
        raise AssertionError("still waiting")

    def review(self, image, *findings, revision=0, comment="", user="Reader"):
        body = {"revision": revision, "findings": list(findings), "comment": comment}
        headers = {**self.change, "X-User": user}
        return self.client.put(f"/api/v1/images/{image['id']}/review", json=body, headers=headers)


def accepted(origin, name="benign"):
    return {"origin": origin, "verdict": "accepted", "class": name, "outlines": []}


def drawn(*points, name="malignant"):
    return {"origin": None, "verdict": "drawn", "class": name, "outlines": [list(map(list, points))], "comment": "seen"}


def dicom(**elements):
    """Bytes of a DICOM file of the picture with the first square."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    pixels = np.asarray(Image.open(io.BytesIO(picture(0))))
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {"SOPClassUID": ComputedRadiographyImageStorage, "SOPInstanceUID": generate_uid()}
    values |= {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "SamplesPerPixel": 1, "PixelRepresentation": 0}
    values |= {"PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    for keyword, value in (values | elements).items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()
