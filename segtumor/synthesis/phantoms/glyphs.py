"""The few letters that are burned into phantoms, as 5 x 7 dot patterns: no font file, the same pixels everywhere."""

import numpy as np
from numpy.typing import NDArray

from segtumor.system.opencv import cv2

_LETTERS = {
    "C": (".###.", "#...#", "#....", "#....", "#....", "#...#", ".###."),
    "E": ("#####", "#....", "#....", "####.", "#....", "#....", "#####"),
    "H": ("#...#", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "I": (".###.", "..#..", "..#..", "..#..", "..#..", "..#..", ".###."),
    "L": ("#....", "#....", "#....", "#....", "#....", "#....", "#####"),
    "N": ("#...#", "##..#", "##..#", "#.#.#", "#..##", "#..##", "#...#"),
    "R": ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"),
    "S": (".####", "#....", "#....", ".###.", "....#", "....#", "####."),
    "T": ("#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."),
    "Y": ("#...#", "#...#", ".#.#.", "..#..", "..#..", "..#..", "..#.."),
}


def render_text(text: str, scale: float) -> NDArray[np.float32]:
    """(H, W) float32 coverage in [0, 1]; a letter is 5 x 7 px times ``scale``; raises KeyError for an unknown one."""
    letters = [np.array([[c == "#" for c in row] for row in _LETTERS[letter]], dtype=np.float32) for letter in text]
    spaced = np.concatenate([np.pad(letter, ((0, 0), (0, 1))) for letter in letters], axis=1)
    if scale == 1:
        return spaced
    size_wh = max(1, round(spaced.shape[1] * scale)), max(1, round(spaced.shape[0] * scale))
    return np.clip(cv2.resize(spaced, size_wh, interpolation=cv2.INTER_LINEAR), 0, 1)
