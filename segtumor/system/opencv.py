"""OpenCV, for every module: its loader would leave LD_LIBRARY_PATH behind, which processes started later inherit."""

from segtumor.system.imports import unchanged_environment

with unchanged_environment():
    import cv2

__all__ = ["cv2"]
