"""Versions that results are kept with."""

from segtumor.system.versions import versions


def test_versions_name_what_can_change_a_number_and_say_what_is_missing():
    found = versions(("segtumor", "python", "numpy", "no-such-package", "git"))
    assert found["numpy"] and found["python"].startswith("3.") and found["no-such-package"] is None
    assert list(found) == ["segtumor", "python", "numpy", "no-such-package", "git"]
