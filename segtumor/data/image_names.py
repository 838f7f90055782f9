"""Which image a table or list means: names there often lack the folder or the suffix, or have those of elsewhere.

Not here: names in annotation files, which are looked up among files (``segtumor.data.converters.image_folder``).
"""

from pathlib import PurePosixPath

#: Columns that hold the name of an image, in the order in which they are looked for.
IMAGE_COLUMNS = ("image_id", "file_name", "filename", "image", "image_name", "name", "file", "path")


def stem_of(file_name):
    """``IMG000001`` of ``IMG000001.jpeg``; tables and folders may give the suffix differently."""
    return PurePosixPath(file_name.strip()).stem


class NameIndex:
    """Finds images by the names that tables give: the whole name, else the file name, else the name without suffix.

    Args:
        file_names: of the images; folders separated by /.
    """

    def __init__(self, file_names):
        self._lookups = [{} for _ in range(3)]
        for index, name in enumerate(file_names):
            for lookup, key in zip(self._lookups, _keys(name), strict=True):
                lookup.setdefault(key, []).append(index)

    def candidates(self, name):
        """Positions of the images that fit best; several where the name does not say which, none where none fits."""
        for lookup, key in zip(self._lookups, _keys(name), strict=True):
            if key in lookup:
                return lookup[key]
        return []

    def find(self, name):
        """Position of the one image that fits best, or None."""
        found = self.candidates(name)
        return found[0] if len(found) == 1 else None


def _keys(name):
    name = name.strip().replace("\\", "/")
    return name, PurePosixPath(name).name, PurePosixPath(name).stem
