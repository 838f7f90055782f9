"""Speed and memory beside peers, measured side by side in one run (``tools/benchmark_speed.py``).

Everything is a ratio of medians: contenders take turns, so that a disturbed machine disturbs all alike. Not here: how
well anything detects; only whether our faster ways find the same as Detectron2 itself.
"""
