"""Splits into parts such as train, val and test, made by case and kept in a file with hashes.

Several radiographs show the same case (one patient's study). A split that ignores this tests on what it has trained on,
so the case is the unit, and a split by case that has one in two parts is refused wherever it comes from. Not here: what
a data set calls its cases, and whether two images are alike (``segtumor data leaks``).
"""
