import pytest

from segtumor.commands import doctor
from segtumor.system import installation
from segtumor.system.import_trials import Outcome
from segtumor.system.installation import BROKEN, MISSING, OK, Check


def test_the_report_is_aligned_and_has_its_remedies_below():
    text = doctor.report([Check("torch", MISSING, "not installed", "pip install torch"), Check("Python", OK, "3.11")])
    assert text.splitlines() == [
        "MISSING  torch   not installed",
        "                 -> pip install torch",
        "ok       Python  3.11",
    ]
    assert "\033[31mMISSING" in doctor.report([Check("torch", MISSING, "")], color=True)


@pytest.mark.parametrize("state", [OK, MISSING, BROKEN])
def test_the_exit_code_says_whether_something_is_missing_or_broken(monkeypatch, capsys, state):
    numpy = next(package for package in installation.PACKAGES if package.title == "numpy")
    outcomes = {"detectron2": Outcome(value="0.5"), "gpu": Outcome()}
    outcomes["numpy"] = Outcome("no lib.so" if state == BROKEN else None)
    monkeypatch.setattr(
        installation, "try_imports", lambda names, _: {name: outcomes.get(name, Outcome()) for name in names}
    )
    monkeypatch.setattr(installation, "PACKAGES", (numpy,))
    monkeypatch.setattr(installation, "TRAINING_PACKAGES", ())
    monkeypatch.setattr(installation, "DETECTRON2_IMPORTS", {})
    monkeypatch.setattr(installation, "runs_exports_only", lambda: False)
    if state == MISSING:
        monkeypatch.setattr(installation, "is_installed", lambda module: False)
    assert doctor.main([]) == (0 if state == OK else 4)
    last = capsys.readouterr().out.splitlines()[-1]
    assert ("checks failed: numpy." in last) == (state != OK)
