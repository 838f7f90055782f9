"""How good the findings are: facts, measures, studies, comparisons. Core: no torch, no Detectron2.

Not here: reading files (``segtumor.annotations``), drawing and writing (``segtumor.reporting``).
"""
