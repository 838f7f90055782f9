"""A sound document with one thing changed: how a table of everything that can be wrong with a file is written."""

import copy

#: In place of a value: the key is not there.
GONE = object()


def changed(document, path, value):
    """A copy of nested dicts and lists with another value, or none (``GONE``), at a path of keys."""
    document = copy.deepcopy(document)
    *way, last = path
    entry = document
    for key in way:
        entry = entry[key]
    if value is GONE:
        del entry[last]
    else:
        entry[last] = value
    return document
