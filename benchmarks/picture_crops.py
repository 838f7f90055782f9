#!/usr/bin/env python
"""What a model marks on cut-outs of normal radiographs: each read whole, and its corners and middle at several sizes.

A model that learnt from whole radiographs sees in a cut-out bones larger than they are, and less around them.
"""

import argparse
import sys

import numpy as np
from PIL import Image
from tqdm import tqdm

import segtumor
from segtumor.annotations.coco import load_coco

#: Where a cut-out begins, as a share of what is left over: the corners, and the middle.
PLACES = ((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5))


def main():
    """Run the benchmark; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="btxrd-lite", help="name or folder of a model")
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file, of whose normal images")
    parser.add_argument("--shares", nargs="+", type=float, default=[1, 0.8, 0.625], metavar="N", help="of each edge")
    arguments = parser.parse_args()
    model, dataset = segtumor.load(arguments.model), load_coco(arguments.annotations)
    normal = [image for image in dataset.annotated_images if not image.lesions]
    print("| edges of the cut-out | findings per normal image | images with findings | called tumour |")
    print("| --- " * 4 + "|")
    for share in arguments.shares:
        rows = [row for image in tqdm(normal, disable=None) for row in rows_of(model, dataset, image, share)]
        print(f"| {share:g} | {' | '.join(f'{value:.2f}' for value in np.mean(rows, axis=0))} |", flush=True)
    return 0


def rows_of(model, dataset, image, share):
    """Of each cut-out: number of findings, whether there are any, whether the model calls it a tumour."""
    with Image.open(dataset.image_root / image.file_name) as picture:
        pixels = np.asarray(picture.convert("L"))
    size = np.round(np.multiply(pixels.shape, share)).astype(int)
    for place in PLACES if share < 1 else PLACES[:1]:
        top, left = np.round((pixels.shape - size) * place).astype(int)
        cut_out = np.ascontiguousarray(pixels[top : top + size[0], left : left + size[1]])
        reading = model.read(cut_out)
        found = sum(finding.score >= model.score_threshold for finding in reading.findings)
        yield found, found > 0, reading.tumor_score >= 0.5


if __name__ == "__main__":
    sys.exit(main())
