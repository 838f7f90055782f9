"""How good the findings are: matching, overlap, detection, classification. Core: no torch, no detectron2.

``evaluate`` is the one way in; training and ``tools/evaluate.py`` both call it. Not here: reading files
(``segtumor.data``), drawing and writing (``segtumor.reporting``).
"""

from segtumor.evaluation.summary import Evaluation, evaluate, headline, headline_table

__all__ = ["Evaluation", "evaluate", "headline", "headline_table"]
