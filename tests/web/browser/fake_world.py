"""What the made-up server knows: pictures, findings, reviews, and how it is to fail. The same every time."""

import io
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from segtumor.structures.masks import mask_contours
from segtumor.structures.polygons import polygon_area
from segtumor.synthesis.phantoms import make_phantoms

NOW = "2026-01-01T12:00:00Z"
ABOUT = {
    "version": "0.0",
    "notice": "Research use only. Not a medical device.",
    "show_patient": False,
    "model": {
        "name": "made-up",
        "version": "1",
        "threshold": 0.373,
        "classes": ["benign", "malignant"],
        "colours": ["#56b4e9", "#d55e00"],
        "operating_points": [{"name": "sensitivity", "threshold": 0.21}, {"name": "specificity", "threshold": 0.71}],
        "heat_methods": ["occlusion"],
    },
    "limits": {"body_bytes": 268435456, "pixels": 64000000, "queue": 500},
    "dicom_outputs": ["seg", "sr", "sc"],
    "dicomweb": False,
}


class RefusalError(Exception):
    """An answer that is not the wanted one."""

    def __init__(self, status, body=None, headers=None):
        super().__init__(status)
        self.status, self.body, self.headers = status, body or {"error": f"status {status}"}, headers or {}


def finding(index, name, score, outline):
    xs, ys = zip(*outline, strict=True)
    other = {"benign": "malignant", "malignant": "benign"}[name]
    across = float(np.hypot(max(xs) - min(xs), max(ys) - min(ys)))
    return {
        "index": index,
        "class": name,
        "score": score,
        "probabilities": {name: 0.7, other: 0.3},
        "box": [min(xs), min(ys), max(xs), max(ys)],
        "outlines": [[list(point) for point in outline]],
        "area_px": float(polygon_area(outline)),
        "diameter_px": across,
        "diameter_mm": None,
    }


def square(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


class World:
    """What the server knows, and how it is to fail."""

    def __init__(self):
        self.lock = threading.RLock()
        self.images, self.pixels, self.reviews = {}, {}, {}
        self.puts, self.requests = [], []
        self.refuse_puts = 0  # so many saves fail with 503
        self.full_for = 0  # so many uploads meet a full queue
        self.reading_seconds = 0.0
        self.about = dict(ABOUT)

    def add(self, name, gray, findings, *, notes=(), spacing=None, is_dicom=False, done=True):
        """One picture; ``gray`` (H, W) uint16. Its case is its name up to the first "_"."""
        with self.lock:
            image_id, case = f"i-{len(self.images)}", f"c-{name.partition('_')[0]}"
            height, width = gray.shape
            best = max(findings, key=lambda item: item["score"], default={"score": 0.04, "class": "benign"})
            tumour, grave = best["score"], 0.8 if best["class"] == "malignant" else 0.2
            reading = {
                "threshold": 0.373,
                "tumour": tumour,
                "probabilities": {
                    "normal": round(1 - tumour, 5),
                    "benign": round(tumour * (1 - grave), 5),
                    "malignant": round(tumour * grave, 5),
                },
                "findings": findings,
                "notes": list(notes),
                "seconds": 0.12,
                "model": "made-up 1",
                "maps": [],
            }
            self.images[image_id] = {
                "id": image_id,
                "case": case,
                "name": name,
                "status": "done" if done else "waiting",
                "reason": None,
                "arrived": NOW,
                "width": width,
                "height": height,
                "pixels": f"/api/v1/images/{image_id}/pixels",
                "window": [0, 65535],
                "spacing_mm": spacing,
                "spacing_source": "PixelSpacing" if spacing else None,
                "is_dicom": is_dicom,
                "patient": None,
                "reading": reading if done else None,
                "ready": (time.monotonic() + self.reading_seconds, reading),
                "review": None,
            }
            self.pixels[image_id] = np.ascontiguousarray(gray, dtype="<u2").tobytes()
            return image_id

    def picture(self, image_id):
        with self.lock:
            if image_id not in self.images:
                raise RefusalError(404, {"error": "There is no such picture.", "remedy": None})
            image = self.images[image_id]
            ready, reading = image["ready"]
            if image["status"] == "waiting" and time.monotonic() >= ready:
                image.update(status="done", reading=reading)
            return {key: value for key, value in image.items() if key != "ready"}

    def cases(self, query):
        with self.lock:
            grouped = {}
            for image_id in list(self.images):
                image = self.picture(image_id)
                grouped.setdefault(image["case"], []).append(image)
        rows = [self._row(case, images) for case, images in grouped.items()]
        counts = {name: sum(row["status"] == name for row in rows) for name in ("waiting", "running", "done", "failed")}
        wanted = [row for row in rows if query.get("status", row["status"]) == row["status"]]
        wanted = [row for row in wanted if query.get("search", "").lower() in row["name"].lower()]
        if query.get("sort") == "malignant":
            wanted.sort(key=lambda row: -(row["malignant"] or 0))
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        left = 2.0 * counts["waiting"] if counts["waiting"] else None
        return {"cases": wanted[offset : offset + limit], "total": len(wanted), "counts": counts, "seconds_left": left}

    @staticmethod
    def _row(case, images):
        readings = [image["reading"] for image in images if image["reading"]]
        worst = max(readings, key=lambda reading: reading["tumour"], default=None)
        status = next((name for name in ("waiting", "failed") if any(i["status"] == name for i in images)), "done")
        called = worst and ("normal" if worst["tumour"] < 0.373 else worst["findings"][0]["class"])
        return {
            "id": case,
            "name": case.removeprefix("c-"),
            "status": status,
            "reason": next((image["reason"] for image in images if image["reason"]), None),
            "arrived": NOW,
            "n_images": len(images),
            "tumour": worst and worst["tumour"],
            "malignant": worst and worst["probabilities"]["malignant"],
            "called": called,
            "reviewed": any(image["review"] for image in images),
            "images": [image["id"] for image in images],
        }

    def save(self, image_id, body, user):
        with self.lock:
            self.puts.append(body)
            if self.refuse_puts:
                self.refuse_puts -= 1
                raise RefusalError(503, {"error": "The disk is full.", "remedy": "Free some space."})
            image = self.images[image_id]
            now = image["review"]
            if body["revision"] != (now["revision"] if now else 0):
                raise RefusalError(409, {"error": "Somebody saved meanwhile.", "remedy": None, "review": now})
            image["review"] = {**body, "revision": body["revision"] + 1, "user": user, "saved": NOW}
            return image["review"]

    def receive(self, files):
        if self.full_for:
            self.full_for -= 1
            raise RefusalError(429, {"error": "The queue is full.", "remedy": None}, {"Retry-After": "1"})
        images, refused = [], []
        for name, content in files:
            try:
                gray = np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=np.uint16) * 257
            except UnidentifiedImageError:
                refused.append({"name": name, "reason": "is neither a picture nor a DICOM file"})
                continue
            h, w = gray.shape
            found = finding(0, "benign", 0.62, square(0.4 * w, 0.4 * h, 0.6 * w, 0.6 * h))
            images.append(self.picture(self.add(Path(name).stem, gray, [found], done=False)))
        if not images:
            raise RefusalError(422, {"error": "No file could be read.", "remedy": None, "refused": refused})
        return {"images": images, "refused": refused}


def phantom_world(cases=3, size_px=256):
    """A world of phantoms whose lesions are found, with a weak finding beside each and a warning on the first."""
    world = World()
    for case in make_phantoms(cases, seed=3, size_px=size_px):
        for view in case.views:
            found = [
                finding(i, lesion.label, round(0.86 - 0.1 * i, 2), [tuple(map(float, p)) for p in contour])
                for i, lesion in enumerate(view.lesions)
                for contour in mask_contours(lesion.mask)[:1]
            ]
            s = size_px / 16
            found.append(finding(len(found), "benign", 0.12, square(2 * s, 2 * s, 4 * s, 3.5 * s)))
            world.add(
                f"{case.case_id}_{view.view}",
                view.pixels.astype(np.uint16) * 257,
                found,
                notes=() if view.lesions else [{"code": "low_contrast", "text": "The picture has little contrast."}],
                spacing=list(view.spacing_mm),
                is_dicom=True,
            )
    return world
