"""The one place where exceptions of decoders become ``BadImageError``."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from segtumor.errors import BadImageError, SegtumorError, failed_import


@contextlib.contextmanager
def decoder_errors(where: str | Path, *, kind: str, private: bool = False) -> Iterator[None]:
    """Turn what a decoder raises inside the block into BadImageError; segtumor's own errors pass, and a decoder that
    cannot be imported is an InstallationError.

    Every Exception counts: on damaged files Pillow, NumPy, OpenCV and pydicom raised more than a dozen kinds, some of
    them derived from Exception alone, and no list of them outlives the next version.

    Args:
        kind: the format it seems to have, for the message.
        private: name only the type of the exception and drop the exception itself, because its text may quote the
            file. DICOM headers hold patient data.
    """
    try:
        yield
    except SegtumorError:
        raise
    except Exception as error:
        broken = failed_import(error)  # of a decoder, which says nothing of the file
        if broken is not None:
            raise broken from error
        text = "" if private else ": " + (str(error).splitlines() or [""])[0][:120]
        failure = BadImageError(
            f"damaged, truncated or unsupported {kind} file",
            where=where,
            got=type(error).__name__ + text,
            remedy="Copy or export the file again",
        )
        if not private:
            raise failure from error
        _raise_without_context(failure)


def _raise_without_context(failure: BadImageError) -> None:
    """Raise without a trace of the exception being handled: ``from None`` hides it, but log collectors find it."""
    try:
        raise failure from None
    except BadImageError:
        failure.__context__ = None
        raise
