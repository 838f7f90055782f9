"""A command that writes a folder of files holds the folder's lock from its beginning to its end."""

import contextlib
import functools

from segtumor.locks import alone_in


def alone(body):
    """``body`` of a command (``shell.run``), which works only where no other command is writing into ``--output``.

    Without ``--output``, where that is optional, nothing is locked.
    """

    @functools.wraps(body)
    def locked(arguments):
        with alone_in(arguments.output) if arguments.output else contextlib.nullcontext():
            return body(arguments)

    return locked
