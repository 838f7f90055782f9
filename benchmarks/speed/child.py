"""One measurement in a process of its own: how long it took, and the most memory the process has held.

Run as a script, so that nothing of segtumor is imported before it is timed: ``python -P child.py REQUEST ANSWER``, two
JSON files. The request is a list of steps, each {"name", and "import": names of modules, or "call": "module:function"
with "arguments"}. "@name", as the module of a call, as an argument or in a list of them, stands for what the step of
that name returned, and "@name:attribute" for an attribute of it. The answer is {"steps": {name: seconds}, "value": what
the last step returned if JSON has a word for it, "peak_mib"}.

Not here: what is measured.
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path


def run_steps(steps):
    """Run the steps of a request; returns the answer."""
    seconds, returned, value = {}, {}, None
    for step in steps:
        started = time.perf_counter()
        if "import" in step:
            for module in step["import"]:
                importlib.import_module(module)
        else:
            value = _resolved(step["call"], returned)(**_filled(step.get("arguments", {}), returned))
            returned[f"@{step['name']}"] = value
        seconds[step["name"]] = time.perf_counter() - started
    return {"steps": seconds, "value": value if _is_plain(value) else None, "peak_mib": _peak_mib()}


def _is_plain(value) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _resolved(name, returned):
    """What "module:attribute.attribute" or "@step:attribute" stands for."""
    owner, _, path = name.partition(":")
    found = returned[owner] if owner in returned else importlib.import_module(owner)
    for attribute in filter(None, path.split(".")):
        found = getattr(found, attribute)
    return found


def _filled(value, returned):
    if isinstance(value, dict):
        return {name: _filled(item, returned) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, returned) for item in value]
    return _resolved(value, returned) if isinstance(value, str) and value.startswith("@") else value


def _peak_mib():
    # ``machine.peak_memory_mib`` says why; importing it here would import torch.
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return int(found or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


if __name__ == "__main__":
    entered = time.time()
    answer = run_steps(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_text(json.dumps({**answer, "entered": entered}), encoding="utf-8")
