"""The folder of an exported model: its graphs and ``export.json``, which says everything else.

    export.json  dense.*  box_head.*  mask_head.*  (image_head.*)     (a Mask R-CNN: .onnx, .xml with .bin, or .pt)

Reading verifies before it loads: the hash of ``export.json`` itself, the files' hashes, and that every file lies in the
folder. What else lies there is not read.
Hashes find damage and mistakes, not malice: who can change the graphs can change ``export.json``. Not here: making
an export (``segtumor.export.export``), and which graphs a kind of model has (``export_kinds``).
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segtumor
from segtumor.errors import ModelError
from segtumor.files import sha256_of_file, write_json
from segtumor.runs import EXPORT
from segtumor.runtime.export_kinds import FORMATS, MASK_RCNN, ExportKind, kind_named
from segtumor.runtime.protocols import Model, ModelContract

#: What ``kind`` says: that the file is about an export. Which kind of model it is, is ``model_kind``.
KIND, SCHEMA_VERSION = "segtumor export", 2
_OWN_HASH = "manifest_sha256"
_SHOWN_DIGITS = 12
_EXPORT_AGAIN = "Export the model again with this version of segtumor"
logger = logging.getLogger(__name__)

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Export:
    """An export that was verified and loaded.

    Attributes:
        contract: what it says beside its graphs.
        graphs: what runs the graphs (``export_kinds.Graphs``), with the methods that its kind needs.
    """

    contract: ModelContract
    graphs: Any
    manifest: Manifest
    folder: Path

    @property
    def model(self) -> Model:
        """The model that the graphs and the contract are, for a ``Predictor``."""
        return _kind_of(self.manifest, self.folder).as_model(self.graphs, self.contract)


def is_export(folder: str | Path) -> bool:
    """Whether ``folder`` says that it is an export, sound or not."""
    try:
        _read_json(Path(folder), Path(folder) / EXPORT)
    except ModelError:
        return False
    return True


def open_export(folder: str | Path, *, threads: int | None = None) -> Export:
    """Verify an export and load its graphs; without ``threads`` their runtime chooses a number.

    Raises:
        ModelError: no export, made by another version, of an unknown kind, incomplete, damaged, or changed.
        InstallationError: the runtime is not installed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    kind = _kind_of(manifest, folder)
    contract = kind.read_contract(manifest.get("contract"), folder / EXPORT)
    return Export(contract, kind.load_graphs(folder, manifest["format"], contract, threads), manifest, folder)


def read_manifest(folder: str | Path) -> Manifest:
    """``export.json``, after its files were compared with it; errors as ``open_export``."""
    folder = Path(folder)
    where = folder / EXPORT
    manifest = _read_json(folder, where)
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ModelError(
            "made by another version of segtumor",
            where=where,
            got=f"schema {version!r:.20}",
            expected=f"schema {SCHEMA_VERSION}",
            remedy=_EXPORT_AGAIN,
        )
    if manifest.get("format") not in tuple(FORMATS):
        raise ModelError(
            "unknown format", where=where, got=f"{manifest.get('format')!r:.40}", expected=", ".join(FORMATS)
        )
    if manifest.get(_OWN_HASH) != _sha256_of_values(manifest):
        remedy = "Copy the export again, or export again; settings are changed in the configuration"
        raise ModelError("damaged or changed since the export: its SHA-256 differs", where=where, remedy=remedy)
    kind = _kind_of(manifest, folder)
    source = manifest.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("training_data"), (dict, type(None))):
        raise ModelError("does not say what the export was made from", where=where, remedy=_EXPORT_AGAIN)
    _check_files(folder, manifest, where, file_names(manifest["format"], kind))
    if manifest.get("segtumor_version") != segtumor.__version__:
        logger.warning(
            "%s was made with segtumor %s; this is %s", folder, manifest.get("segtumor_version"), segtumor.__version__
        )
    return manifest


def write_manifest(
    folder: str | Path,
    *,
    format_name: str,
    precision: str,
    contract: ModelContract,
    source: Mapping[str, Any],
    made_with: Mapping[str, str],
    parity: Mapping[str, Any],
    model_kind: str = MASK_RCNN,
) -> Manifest:
    """Write ``export.json`` for the graphs that lie in ``folder``; returns its content.

    Args:
        format_name: one of ``FORMATS``.
        precision: "float32", "float16" or "int8".
        source: {"weights", "weights_sha256", "config_sha256", "training_data"}.
        made_with: {package: version}.
        parity: measured differences, plain values.
    """
    folder = Path(folder)
    files = {
        name: {"sha256": sha256_of_file(folder / name), "bytes": (folder / name).stat().st_size}
        for name in file_names(format_name, kind_named(model_kind, folder / EXPORT))
    }
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "model_kind": model_kind,
        "segtumor_version": segtumor.__version__,
        "notice": segtumor.NOTICE,
        "format": format_name,
        "precision": precision,
        "contract": contract.as_dict(),
        "files": files,
        "source": source,
        "made_with": made_with,
        "parity": parity,
    }
    path = folder / EXPORT
    write_json(path, manifest)
    # Of the values as they will be read: NaN is null by then.
    write_json(path, {**manifest, _OWN_HASH: _sha256_of_values(json.loads(path.read_text(encoding="utf-8")))})
    return manifest


def file_names(format_name: str, kind: ExportKind | None = None) -> list[str]:
    """Names of the files that hold the graphs of a kind; None for a Mask R-CNN."""
    graphs = (kind or kind_named(MASK_RCNN, Path(EXPORT))).graphs
    return [graph + suffix for graph in graphs for suffix in FORMATS[format_name]]


def _kind_of(manifest: Manifest, folder: Path) -> ExportKind:
    return kind_named(manifest.get("model_kind", MASK_RCNN), folder / EXPORT)


def _sha256_of_values(manifest: Manifest) -> str:
    """Of all that ``export.json`` says but for this hash, however it is laid out."""
    values = {key: value for key, value in manifest.items() if key != _OWN_HASH}
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_json(folder: Path, where: Path) -> Manifest:
    if not where.is_file():
        raise ModelError("not an exported model", where=folder, expected=f"a folder with {EXPORT}")
    try:
        manifest = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError("damaged: not readable as JSON", where=where, remedy="Copy the export again") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise ModelError("not an exported model", where=where, expected=f"kind {KIND!r}")
    return manifest


def _check_files(folder: Path, manifest: Manifest, where: Path, names: list[str]) -> None:
    files = manifest.get("files")
    if not isinstance(files, dict) or sorted(files) != sorted(names):
        raise ModelError(
            "names other files than an export has",
            where=where,
            got=", ".join(map(str, files))[:200] if isinstance(files, dict) else type(files).__name__,
            expected=", ".join(names),
            remedy=_EXPORT_AGAIN,
        )
    for name in names:
        _check_file(folder, name, files[name])


def _check_file(folder: Path, name: str, entry: Any) -> None:
    path = folder / name
    if not path.is_file():
        raise ModelError("missing", where=path, remedy="Copy the whole folder of the export")
    if path.resolve().parent != folder.resolve():
        raise ModelError("a link that leads out of the export", where=path, remedy="Copy the file itself")
    entry = entry if isinstance(entry, dict) else {}
    size, sha256 = path.stat().st_size, sha256_of_file(path)
    if entry.get("sha256") != sha256:
        same_size = entry.get("bytes") == size
        raise ModelError(
            "damaged or changed since the export: its SHA-256 differs",
            where=path,
            got=sha256[:_SHOWN_DIGITS] if same_size else f"{size} bytes",
            expected=f"{entry.get('sha256')!s:.{_SHOWN_DIGITS}}" if same_size else f"{entry.get('bytes')!s:.20} bytes",
            remedy="Copy the export again, or export again",
        )
