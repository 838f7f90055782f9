"""A contract for tests: two classes, two levels, small numbers."""

import dataclasses

from segtumor.runtime.contract import Anchors, Contract, Pooling, Preprocessing, Proposals, Regions
from segtumor.structures.postprocessing import Postprocessing

POOLINGS = Pooling("align", 7, 0, True), Pooling("align", 14, 0, True)


def contract(*, preprocessing=None, proposals=None, regions=None):
    """The contract with some fields of its stages changed."""
    stages = {
        "preprocessing": Preprocessing(64, 128, (0.5, 99.5), 10**6, (100.0, 110.0, 120.0), (50.0, 55.0, 60.0), 8),
        "anchors": Anchors(((8.0,), (16.0,)), ((1.0,), (1.0,)), (4, 8), 0.5),
        "proposals": Proposals(10, 8, 0.7, 0.0, (1.0, 1.0, 1.0, 1.0)),
        "regions": Regions((4, 8), 16.0, 2, (10.0, 10.0, 5.0, 5.0), 0.05, 0.5, 5, True, True, *POOLINGS),
    }
    for name, changed in (("preprocessing", preprocessing), ("proposals", proposals), ("regions", regions)):
        stages[name] = dataclasses.replace(stages[name], **(changed or {}))
    return Contract(
        class_names=("benign", "malignant"),
        confidence_threshold=0.5,
        **stages,
        postprocessing=dataclasses.asdict(Postprocessing()),
    )
