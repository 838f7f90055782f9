"""Annotations of one format to another: read, bring together, check, write, with every reason by image.

Not here: the formats themselves (``segtumor.formats.table`` lists them), and BTXRD in its own layout (``btxrd``).
"""

from segtumor.formats.conversion.assemble import ConversionError
from segtumor.formats.conversion.convert import ConversionOptions, Converted, convert

__all__ = ["ConversionError", "ConversionOptions", "Converted", "convert"]
