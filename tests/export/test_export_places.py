"""Where an export ends: at the end of a link, and not at all when it cannot be moved there."""

import dataclasses
import os

import pytest

from segtumor.errors import ConfigError, OutputError
from segtumor.export import export as exporting
from segtumor.export import output_folder
from segtumor.export.export import export
from segtumor.runtime.exported import open_export
from segtumor.system.locks import lock_beside

pytestmark = pytest.mark.model


@pytest.fixture
def cfg(tiny_config, tiny_run, monkeypatch):
    plain = dataclasses.replace(exporting._EXPORTERS["mask_rcnn"], measure=lambda *_: {}, check=lambda *_: None)
    monkeypatch.setitem(exporting._EXPORTERS, "mask_rcnn", plain)
    return tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth"})


def test_a_link_stays_one_and_a_long_name_is_a_name(cfg, tmp_path):
    folder, link = tmp_path / "disk" / ("n" * 255), tmp_path / "link"
    folder.mkdir(parents=True)
    link.symlink_to(folder)
    for overwrite in (False, True):
        export(cfg, link, format_name="torchscript", overwrite=overwrite)
    assert link.is_symlink() and open_export(folder).manifest["format"] == "torchscript"
    assert os.listdir(folder.parent) == [folder.name] and sorted(os.listdir(tmp_path)) == ["disk", "link"]


def test_the_former_export_comes_back_when_the_new_one_cannot_be_moved(cfg, tmp_path, monkeypatch):
    output, replace = tmp_path / "export", os.replace
    export(cfg, output, format_name="torchscript")
    before = (output / "export.json").read_bytes()

    def failing(source, target):
        if target == output and source.name.startswith(".segtumor.") and not source.name.endswith(".former"):
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OutputError, match="Permission denied"):
        export(cfg, output, format_name="torchscript", overwrite=True)
    assert (output / "export.json").read_bytes() == before and os.listdir(tmp_path) == ["export"]


def test_what_a_killed_export_left_goes_and_the_one_it_was_replacing_comes_back(cfg, tmp_path):
    output = tmp_path / "export"
    export(cfg, output, format_name="torchscript")
    before = (output / "export.json").read_bytes()
    left = output_folder._temporary_prefix(output) + "abcd_123"
    for name in (left, output_folder._temporary_prefix(tmp_path / "other") + "abcd_123", ".segtumor.mine"):
        (tmp_path / name).mkdir()
    output.rename(tmp_path / f"{left}.former")  # killed between the two renamings
    with pytest.raises(ConfigError, match="the export already exists"):
        export(cfg, output, format_name="torchscript")
    assert (output / "export.json").read_bytes() == before
    (tmp_path / f"{left}.former").mkdir()  # killed after them
    export(cfg, output, format_name="torchscript", overwrite=True)
    assert len(os.listdir(tmp_path)) == 3 and not list(tmp_path.glob(f"{left}*"))


def test_two_exports_to_one_folder_are_refused(cfg, tmp_path):
    (tmp_path / "link").symlink_to("export")
    with lock_beside(tmp_path / "export"), pytest.raises(ConfigError, match="another command is writing"):
        export(cfg, tmp_path / "link", format_name="torchscript")
    assert os.listdir(tmp_path) == ["link"]


def test_an_export_is_not_replaced_with_what_lies_beside_it(cfg, tmp_path):
    output = tmp_path / "export"
    export(cfg, output, format_name="torchscript")
    (output / "notes.txt").write_text("validated")
    (output / "found").mkdir()
    before = sorted(os.listdir(output))
    with pytest.raises(ConfigError, match=r"other files.*got found, notes\.txt"):
        export(cfg, output, format_name="torchscript", overwrite=True)
    assert sorted(os.listdir(output)) == before


def test_torchscript_on_a_full_disk_is_an_error_and_not_the_end_of_the_process(cfg, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"dense\.pt: .*No space left"):
        export(cfg, tmp_path / "export", format_name="torchscript")
    assert os.listdir(tmp_path) == []
