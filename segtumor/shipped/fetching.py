"""Taking a model into the user's folder of models, from another folder or from an address that the user names.

A connection is opened only where an address is given. Every file is compared with the hash in ``model.json`` before the
model can be found by its name.
"""

import http.client
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from segtumor.errors import ConfigError, DataError
from segtumor.files import output_errors, prepare_output_folder, write_bytes
from segtumor.shipped.entry import ENTRY, Entry, read_entry
from segtumor.shipped.registry import fetched_folder, model_folders

#: Bytes of one file; models for the CPU have some dozens of millions.
MAX_BYTES = 2_000_000_000
_TIMEOUT_S = 60


def fetch_model(name: str, source: str) -> Entry:
    """Fetch the model ``name`` from a folder or an https address that holds its ``model.json`` and files.

    Returns:
        its entry, in ``registry.fetched_folder()``.

    Raises:
        ConfigError: a name that is taken or is none, or a source of another kind.
        DataError: it cannot be reached or read.
        ModelError: a file is missing or damaged, or ``model.json`` is of another model.
        OutputError: it cannot be written.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError("not a name of a model", got=name)
    taken = model_folders().get(name) or fetched_folder() / name
    if taken.exists():
        raise ConfigError("there is a model of this name already, or a folder", where=taken, remedy="Remove it first")
    read = _from_address(source) if "://" in source else _from_folder(Path(source))
    root = fetched_folder()
    with output_errors(root):
        prepare_output_folder(root)
        with tempfile.TemporaryDirectory(dir=root, prefix=".fetching.") as temporary:
            folder = Path(temporary) / name
            folder.mkdir()
            write_bytes(folder / ENTRY, read(ENTRY))
            entry = read_entry(folder)
            if entry.name != name:
                raise ConfigError("another model", where=source, got=entry.name, expected=name)
            for path in entry.files:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                write_bytes(folder / path, read(path))
            entry.verified(*entry.files)
            folder.rename(root / name)
    return read_entry(root / name)


def _from_folder(folder: Path) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=folder / path) from error

    return read


def _from_address(address: str) -> Callable[[str], bytes]:
    _check_scheme(address)

    def read(path: str) -> bytes:
        url = f"{address.rstrip('/')}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
                _check_scheme(answer.url)  # after redirections
                content: bytes = answer.read(MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            remedy = "Fetch the files another way and give their folder to --from"
            raise DataError(f"cannot be fetched: {error}", where=url, remedy=remedy) from error
        if len(content) > MAX_BYTES:
            raise DataError("too large", where=url, expected=f"{MAX_BYTES} bytes at most")
        return content

    return read


def _check_scheme(address: str) -> None:
    if urlsplit(address).scheme != "https":
        raise ConfigError("only https addresses and folders are taken", where="--from", got=address)
