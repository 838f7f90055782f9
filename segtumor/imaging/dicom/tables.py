"""Modality and VOI look-up tables (PS3.3 C.11.1.1 and C.11.2.1.1). Left out: palettes and presentation tables."""

import numpy as np

_MOST_ENTRIES = 0x10000


def look_up(item, values, little_endian):
    """Map ``values`` by a table; those below and above take its first and last entry.

    pydicom's own function casts the index to the type of the table, which wraps 12-bit values in an 8-bit table.

    Args:
        item: the sequence item with LUTDescriptor and LUTData.
        values: (H, W).
        little_endian: byte order of tables that are stored as bytes.

    Returns:
        ((H, W) uint16 output, highest possible output); None for a table that is absent, empty, of another length than
        it says, or with numbers out of range.
    """
    descriptor = _descriptor(item)
    table = None if descriptor is None else _table(item, *descriptor[::2], little_endian)
    if table is None:
        return None
    _, first, bits = descriptor
    if first >= 0x8000 and values.min() < 0:  # a signed number in a field that pydicom takes for unsigned
        first -= 0x10000
    index = np.clip(np.rint(values - np.float64(first)), 0, table.size - 1).astype(np.int32)
    return table[index], max(2**bits - 1, int(table.max()))


def _descriptor(item):
    """(entries, first mapped value, bits); None if they are no numbers or out of range."""
    try:
        entries, first, bits = (int(number) for number in item.LUTDescriptor)
    except Exception:  # noqa: BLE001 - absent, text, of another length; pydicom raises kinds of its own
        return None
    entries = (entries & 0xFFFF) or _MOST_ENTRIES  # 0 stands for 65,536
    return (entries, first, bits) if 0 < bits <= 16 and -_MOST_ENTRIES <= first <= _MOST_ENTRIES else None


def _table(item, entries, bits, little_endian):
    try:
        data = item.get("LUTData")
        if isinstance(data, bytes):
            packed = bits == 8 and len(data) <= entries + 1
            data = np.frombuffer(data[: 2 * entries], dtype="u1" if packed else "<u2" if little_endian else ">u2")
        table = np.asarray(data, dtype=np.int64).ravel()
        if bits == 8 and table.size == (entries + 1) // 2 and table.size and table.min() >= 0 and table.max() <= 0xFFFF:
            table = table.astype("<u2").view(np.uint8).astype(np.int64)  # two entries in each word
    except Exception:  # noqa: BLE001 - absent, text, numbers out of range; pydicom raises kinds of its own
        return None
    table = table[:entries]
    if table.size != entries or table.min() < 0 or table.max() > 0xFFFF:
        return None
    return table.astype(np.uint16)
