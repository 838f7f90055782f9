"""On what a figure was measured: versions, processor, threads; and the peak memory of a process."""

import importlib.metadata
import os
import platform
import re
import resource
from pathlib import Path

import torch

import segtumor
from segtumor.system.versions import detectron2_version

_PACKAGES = ("torch", "torchvision", "onnxruntime", "openvino", "numpy", "opencv-python-headless")


def describe_machine(threads):
    """Plain values: versions (None where a package is not installed), processor, cores, threads.

    Args:
        threads: that each contender may use.
    """
    versions = {"segtumor": segtumor.__version__, "detectron2": detectron2_version()}
    return {
        "versions": {**versions, **{name: version_of(name) for name in _PACKAGES}},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "torch_instructions": torch.backends.cpu.get_cpu_capability(),
    }


def version_of(distribution):
    """Version of an installed package, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def sentence(machine) -> str:
    """``describe_machine`` in two lines."""
    versions = ", ".join(f"{name} {version or '(not installed)'}" for name, version in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, {machine['system']}, "
        f"Python {machine['python']}\n{versions}"
    )


def peak_memory_mib():
    """The most memory that this process has held, MiB.

    From /proc where there is one: ``getrusage`` counts the memory of the parent that a process was forked from.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii")) if status.exists() else None
    kib = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1024


def _processor():
    """Name of the processor, as the system gives it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text(encoding="utf-8")) if info.exists() else None
    return found[1].strip() if found else platform.processor() or "unknown processor"
