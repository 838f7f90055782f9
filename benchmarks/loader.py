#!/usr/bin/env python3
"""Images per second and core of segtumor's mapper and of Detectron2's own, on the same images in one run.

One process, one thread. The contenders take turns with the whole set of images (A B C A B C ...), so that a busy
machine slows all alike, and processor time is counted, not the clock; after the first turn, which does not count, the
files are in memory. Both sides read the file, resize to the same size, flip with probability 0.5, move with 0.7
(rotation up to 10 degrees, scale up to 15%, shift up to 6% of the image), change brightness and contrast with 0.5, and
take boxes from the moved masks or polygons. Only segtumor takes percentiles of the gray values, reads more than 8 bits
and adds gamma (0.5) and noise (0.2); only Detectron2 has a rotation apart from scale and shift.

Two forms of Detectron2's are measured: ``RGB bitmask``, what configs/ would make it do, and ``RGB polygon``, its
default mask format, which draws no masks. For orientation, ``L polygon, flip only`` does less: one channel (of which
its RandomExtent can move nothing) and its default augmentation, resizing and flipping.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  after the number of its threads

EXAMPLES = """examples:
  python benchmarks/loader.py
  python benchmarks/loader.py --case full --images 8 --repeats 3
  python benchmarks/loader.py --dataset datasets/btxrd256 --images 300
"""
CONTENDERS = ("RGB bitmask", "RGB polygon", "L polygon, flip only")
FULL_SIZE_HW = (2500, 2000)


def build_parser():
    parser = argparse.ArgumentParser(
        prog="loader.py", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--case", choices=("png", "jpeg", "full", "all"), default="all", help="phantoms to make: 512 px"
    )
    parser.add_argument("--dataset", type=Path, help="a data set's folder instead of phantoms, e.g. datasets/btxrd256")
    parser.add_argument("--part", default="train", help="part of --dataset")
    parser.add_argument("--images", type=int, default=40, help="images of each case (a fifth as many at full size)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each contender")
    parser.add_argument("--short-edge", type=int, help="px; default 256 for --dataset, 512 for phantoms, 800 full size")
    parser.add_argument("--profile", action="store_true", help="profile our mapper instead")
    return parser


def main(argv=None):
    args = build_parser().parse_args(argv)
    import cv2
    import torch

    import segtumor.training.batches  # noqa: F401  makes Detectron2 importable

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    import detectron2

    warnings.filterwarnings("ignore")
    print(f"Detectron2 {detectron2.__version__}, OpenCV {cv2.__version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for name, records, short_edge_px in _cases(args, Path(folder)):
            if args.profile:
                _profile(_ours(short_edge_px), records)
            else:
                _report(name, records, short_edge_px, args.repeats, Path(folder))
    return 0


def _cases(args, folder):
    """Yield (name, records, shorter edge in px)."""
    from segtumor.annotations.coco import load_coco

    if args.dataset:
        records = load_coco(args.dataset / "annotations" / f"{args.part}.json", args.dataset / "images").records
        yield str(args.dataset), records[: args.images], args.short_edge or 256
        return
    wanted = ("png", "jpeg", "full") if args.case == "all" else (args.case,)
    if {"png", "jpeg"} & set(wanted):
        source = _phantoms(folder / "512", args.images, 512)
        for kind in sorted({"png", "jpeg"} & set(wanted)):
            yield f"phantoms 512 px, {kind}", _converted(source, folder / kind, kind, None), args.short_edge or 512
    if "full" in wanted:
        source = _phantoms(folder / "1024", max(2, args.images // 5), 1024)
        name = f"phantoms {FULL_SIZE_HW[1]} x {FULL_SIZE_HW[0]} px, jpeg"
        yield name, _converted(source, folder / "full", "jpeg", FULL_SIZE_HW), args.short_edge or 800


def _phantoms(folder, images, size_px):
    from segtumor.annotations.coco import load_coco
    from segtumor.synthesis.phantoms import write_phantom_dataset

    write_phantom_dataset(folder, cases=images // 2 + 6, seed=0, size_px=size_px, fractions=(0.6, 0.2, 0.2))
    parts = (load_coco(folder / "annotations" / f"{p}.json", folder / "images") for p in ("train", "val", "test"))
    return [record for part in parts for record in part.records][:images]


def _converted(records, folder, kind, size_hw):
    """The records with their images stored as ``kind``, enlarged to ``size_hw`` with grain where that is given."""
    from PIL import Image

    folder.mkdir()
    rng, converted = np.random.default_rng(0), []
    for record in records:
        image, record = Image.open(record["file_name"]), json.loads(json.dumps(record))
        if size_hw:
            scale = np.tile([size_hw[1] / image.width, size_hw[0] / image.height], 2)
            image = _enlarged(image, size_hw, rng)
            record.update(height=size_hw[0], width=size_hw[1])
            for annotation in record["annotations"]:
                annotation["bbox"] = (np.array(annotation["bbox"]) * scale).tolist()
                polygons = annotation["segmentation"]
                annotation["segmentation"] = [(np.reshape(p, (-1, 2)) * scale[:2]).ravel().tolist() for p in polygons]
        path = folder / f"{record['image_id']}.{kind}"
        image.save(path, **({"quality": 92} if kind == "jpeg" else {}))
        converted.append({**record, "file_name": str(path)})
    return converted


def _enlarged(image, size_hw, rng):
    from PIL import Image

    pixels = np.asarray(image.resize(size_hw[::-1], Image.Resampling.BICUBIC), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 2, size_hw), 0, 255).astype(np.uint8))


def _ours(short_edge_px, **settings):
    from segtumor.config import new_config
    from segtumor.training.batches.mapper import RadiographMapper

    cfg = new_config()
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = [short_edge_px], 2 * short_edge_px
    for key, value in settings.items():
        setattr(cfg.INPUT, key, value)
    return RadiographMapper.from_config(cfg, is_train=True)


def _theirs(form, short_edge_px):
    from detectron2.data import DatasetMapper
    from detectron2.data import transforms as T

    kind, _, extent = form.partition(", ")
    channels, mask_format = kind.split()
    augmentations = [T.ResizeShortestEdge([short_edge_px], 2 * short_edge_px, "choice"), T.RandomFlip(prob=0.5)]
    if not extent:
        augmentations += [
            T.RandomApply(T.RandomRotation([-10, 10], expand=False), prob=0.7),
            T.RandomApply(T.RandomExtent(scale_range=(0.85, 1.15), shift_range=(0.12, 0.12)), prob=0.7),
            T.RandomApply(T.RandomBrightness(0.8, 1.2), prob=0.5),
            T.RandomApply(T.RandomContrast(0.8, 1.2), prob=0.5),
        ]
    return DatasetMapper(
        is_train=True,
        augmentations=augmentations,
        image_format=channels,
        use_instance_mask=True,
        instance_mask_format=mask_format,
        recompute_boxes=not extent,
    )


def _report(name, records, short_edge_px, repeats, folder):
    lesions = [record for record in records if record["annotations"]]
    # Detectron2's recompute_boxes fails on images without lesions.
    contenders = {"segtumor": _ours(short_edge_px)}
    contenders.update(_cached(short_edge_px, folder))
    contenders.update({f"Detectron2 {form}": _theirs(form, short_edge_px) for form in CONTENDERS})
    print(f"\n{name}: {len(lesions)} images with lesions, shorter edge {short_edge_px} px, {repeats} turns")
    for mapper in contenders.values():
        _images_per_second(mapper, lesions)  # warm up, fill the cache
    turns = [[_images_per_second(mapper, lesions) for mapper in contenders.values()] for _ in range(repeats)]
    rates = dict(zip(contenders, np.array(turns).T, strict=True))
    for label, values in rates.items():
        print(f"  {label:36s} {_spread(values, '7.1f')} images/s", end="")
        print("" if label == "segtumor" else f"; segtumor / this: {_spread(rates['segtumor'] / values, '.2f')}")


def _spread(values, form):
    return f"{np.median(values):{form}} ({values.min():{form.lstrip('7')}} to {values.max():{form.lstrip('7')}})"


def _cached(short_edge_px, folder):
    from segtumor.config import new_config

    if "CACHE_DIR" not in new_config().INPUT:
        return {}
    return {"segtumor, from its cache": _ours(short_edge_px, CACHE_DIR=str(folder / "cache"))}


def _images_per_second(mapper, records):
    np.random.seed(0)
    start = time.process_time()
    for record in records:
        mapper(record)
    return len(records) / (time.process_time() - start)


def _profile(mapper, records):
    import cProfile
    import pstats

    for record in records:
        mapper(record)
    profile = cProfile.Profile()
    profile.enable()
    for record in records:
        mapper(record)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    sys.exit(main())
