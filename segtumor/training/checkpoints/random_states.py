"""The states of the random generators of a training, as a part of its checkpoints."""

import random
from typing import Any

import numpy as np
import torch
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng


class RandomStates:
    """Those of Python, NumPy and torch. What was loaded is set by ``restore``, once nothing else draws numbers."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, which are read without running code."""
        name, keys, *rest = np.random.get_state(legacy=True)
        return {
            "python": random.getstate(),
            "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if _uses_gpu() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember a state for ``restore``; raises KeyError, TypeError, ValueError or RuntimeError if it is none."""
        random.Random().setstate(_python_state(state))
        np.random.RandomState().set_state(_numpy_state(state))
        torch.Generator().set_state(state["torch"])
        self._loaded = {**state, "cuda": list(state["cuda"])}

    def restore(self) -> None:
        """Go on with the numbers that would have come next; the processes of several GPUs draw different ones."""
        if self._loaded is None:
            return
        random.setstate(_python_state(self._loaded))
        np.random.set_state(_numpy_state(self._loaded))
        torch.set_rng_state(self._loaded["torch"])
        if _uses_gpu() and len(self._loaded["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(self._loaded["cuda"])
        if comm.get_rank():  # the state is that of the first process
            seed_all_rng(int(torch.randint(2**31, ())) + comm.get_rank())
        self._loaded = None


def _python_state(state: dict[str, Any]) -> tuple[Any, ...]:
    version, numbers, gauss = state["python"]
    return version, tuple(numbers), gauss


def _numpy_state(state: dict[str, Any]) -> tuple[Any, ...]:
    name, keys, *rest = state["numpy"]
    return name, keys.numpy().astype(np.uint32), *rest


def _uses_gpu() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # torch's
