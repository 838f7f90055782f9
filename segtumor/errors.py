"""The exceptions of segtumor, one tree.

Each is raised where bad input enters and says what is wrong, where, what was expected and how to mend it, in one
or two lines. ``exit_code`` is what a command returns when the exception reaches it (``segtumor.commands.shell``).
Not here: programming mistakes, which stay ordinary Python exceptions and keep their traceback.
"""


class SegtumorError(Exception):
    """Base of every error a user can cause and mend.

    Args:
        what: what is wrong, a phrase without a full stop.
        where: the file, record id or config key it was found at.
        got: the offending value, shown as it is.
        expected: what would have been right.
        remedy: what to type or change.
    """

    exit_code = 1

    def __init__(self, what, *, where=None, got=None, expected=None, remedy=None):
        self.what, self.where, self.got, self.expected, self.remedy = what, where, got, expected, remedy
        super().__init__(self._sentence())

    def _sentence(self):
        text = f"{self.where}: {self.what}" if self.where is not None else str(self.what)
        details = [f"got {self.got}"] if self.got is not None else []
        if self.expected is not None:
            details.append(f"expected {self.expected}")
        if details:
            text += f" ({'; '.join(details)})"
        return f"{text}. {self.remedy}." if self.remedy is not None else f"{text}."

    def __reduce__(self):
        # Keyword arguments are not in ``args``; without this the error would be lost on its way out of a data worker.
        details = {key: getattr(self, key) for key in ("where", "got", "expected", "remedy")}
        return _rebuild, (type(self), self.what, details)


def _rebuild(error_class, what, details):
    return error_class(what, **details)


class ConfigError(SegtumorError):
    """A command line or configuration that cannot be run."""

    exit_code = 2


class ModelError(SegtumorError):
    """Weights that are unreadable, untrusted or do not fit the model."""

    exit_code = 3


class InstallationError(SegtumorError):
    """A package or runtime that is missing or too old."""

    exit_code = 4


class OutputError(SegtumorError):
    """An output that cannot be written: no permission, no space, not a folder."""

    exit_code = 4


class DataError(SegtumorError):
    """Data that cannot be used: annotations, tables, splits."""

    exit_code = 5


class BadImageError(DataError):
    """An image file that is missing, unreadable, truncated, too large or not what its name says."""


class NonFiniteLossError(DataError):
    """A training step whose loss is NaN or infinite; names the images of the batch."""


class NonFiniteOutputError(DataError):
    """A radiograph on which the model computes NaN, infinities or numbers beyond all sense: nothing is known of it."""


class SomeInputsFailedError(SegtumorError):
    """Several inputs were asked for; some failed and the others finished."""

    exit_code = 6
