"""Weights of ONNX graphs stored as 16-bit floats: half the size, computed in 32 bits as before.

Each matrix or kernel is rounded to a 16-bit float (11 significant bits) and cast back where it is used; runtimes do the
cast once, when they load the graph. Not here: OpenVINO's files, which have a way of their own (``graph_files``).
"""

from pathlib import Path

import numpy as np

from segtumor.errors import ConfigError
from segtumor.models.exported_weights import HALF

#: Smaller constants stay as they are: nothing is gained by them. So do vectors, among them statistics.
_FEWEST_VALUES = 256


def halve_weights(path: Path) -> None:
    """Rewrite an ONNX file with its large 32-bit matrices and kernels in 16 bits.

    Raises:
        ConfigError: a weight is beyond what 16 bits hold, 65,504.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(path), load_external_data=False)
    casts = []
    for constant in model.graph.initializer:
        is_large = len(constant.dims) > 1 and np.prod(constant.dims) >= _FEWEST_VALUES
        if constant.data_type != onnx.TensorProto.FLOAT or not is_large:
            continue
        with np.errstate(over="ignore"):  # is looked at
            halves = numpy_helper.to_array(constant).astype(np.float16)
        if not np.isfinite(halves).all():
            raise ConfigError(
                f"{constant.name} holds weights that 16 bits cannot", where=path.name, remedy="Export without --half"
            )
        name = f"{constant.name}{HALF}"
        casts.append(helper.make_node("Cast", [name], [constant.name], to=onnx.TensorProto.FLOAT))
        constant.CopyFrom(numpy_helper.from_array(halves, name))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
