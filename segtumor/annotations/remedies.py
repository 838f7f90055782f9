"""What to do about each kind of problem, in few words; one table, so that the words are the same everywhere.

Not here: doing it (``segtumor.annotations.repair``).
"""

from segtumor.annotations.crowds import CROWDS_AS_LESIONS
from segtumor.annotations.regions import BOXES_AS_MASKS

_FIX = "--fix does it"
_CROWDS = f"if each was drawn as one lesion, with a brush: {CROWDS_AS_LESIONS}, with --fix or in data convert"
_OUTLINE = "draw the outline again; --fix leaves the image out"

#: Start of what is wrong -> remedy; the first that fits.
_BY_WHAT = (
    ("is not a JSON object with images", "give a COCO file; `segtumor data convert` makes one from other formats"),
    ("is not a JSON object", "remove the entry"),
    ("is not a list of polygons", f"{_FIX}; one polygon is a list in the list"),
    ("is not a list of", "make it a list of entries"),
    ("stands twice in one object", "remove one of the two; JSON readers silently keep the last"),
    ("is nested too deeply", "flatten or remove it"),
    ("holds text that is not Unicode", "write the file as UTF-8 again"),
    ("holds a number that is not finite", "write null for unknown; --fix does it"),
    ("holds a number that is too large", "write it as text"),
    ("cannot be found below the image root", "give the right folder with --images, or remove the entry"),
    ("is a link that leaves the image root", "copy the image into the image root"),
    ("is not a file", "name an image file below the image root"),
    ("is absolute", "write the name relative to the image root"),
    ("has a backslash", f"write / for \\; {_FIX} where that file exists"),
    ("leaves the image root", "move the image into the image root; remove .. from the name"),
    ("has a control character", "rename the file"),
    ("is a device name", "rename the file; Windows cannot open it"),
    ("has a part that ends in a dot or blank", "rename the file; Windows drops such endings"),
    ("is too long", "rename the file"),
    ("differs from another only in", "rename one; on Windows and macOS they are one file"),
    ("contradicts the annotations", "mend the label, or add or remove the lesions"),
    ("holds crowd regions", _CROWDS),
    ("all regions are crowds", _CROWDS),
    ("is empty", "if it is a part of a split, split again, with more cases or fewer parts"),
    ("is not the id of any entry", "add the missing entry, or mend the id"),
    ("is used by no annotation", "remove it, unless other parts of the data set use it"),
    ("polygon does not touch its bbox", f"make bbox [x, y, width, height] of the outline; {_FIX}"),
    ("RLE does not touch its bbox", f"make bbox [x, y, width, height] of the outline; {_FIX}"),
    ("is [x0, y0, x1, y1]", f"write [x, y, width, height]; {_FIX}"),
    ("does not bound its segmentation", f"take the tight box of the outline; {_FIX}"),
    ("reaches over the border", f"nothing: it is cut at use; {_FIX} in the file"),
    ("disagrees with the mask", f"take the mask's area; {_FIX}"),
    ("is nearly the same lesion as another", "remove one of the two if the lesion was annotated twice"),
    ("is smaller than one pixel", "train at a larger size, or accept that it cannot be learnt"),
    ("lesions are smaller than 4 px", "consider a larger training size"),
    ("classes are imbalanced", "consider repeat-factor sampling or class weights"),
    ("most images are normal", "consider sampling; rates per image will be those of this mixture"),
    (
        "is missing; boxes alone",
        f"outline the lesions, or make each box its own outline with {BOXES_AS_MASKS} (data convert, or --fix); "
        "--boxes-only accepts them here, training does not",
    ),
    (
        "is the same in every image",
        "give each patient a case of his own, with --table or --cases; else nothing can be split",
    ),
    ("is the same in most images", "make sure that it is one patient and no placeholder; all of them go to one part"),
    ("is a placeholder", "name the patient or study, or remove it; all of these images go to one part"),
    ("cases differ only in", "write one case in one way; as they are, it may stand in two parts"),
    ("RLE is of another image size", "encode the mask at the image's own size"),
    ("RLE counts", "encode the mask again"),
    ("RLE", "encode the mask again"),
    ("polygon", f"{_OUTLINE}, unless the lesion has other sound polygons"),
    ("segmentation is", "give polygons or an RLE"),
    ("image has more than 10,000 regions", "these are no lesions: remove noise from the masks, or the image"),
    ("image has", "annotate and look at smaller images"),
)

#: Field -> remedy, where the words above have none.
_BY_FIELD = {
    "id": "give every entry an integer of its own; --fix does it, and annotations follow",
    "image_id": "give the id of the image, an integer; --fix reads '12' as 12",
    "category_id": "give the id of the category, an integer; --fix reads '12' as 12",
    "bbox": f"give [x, y, width, height] of the outline; {_FIX}",
    "area": f"give the mask's area in px; {_FIX}",
    "iscrowd": "write 0, or 1 for a group; --fix adds a missing 0",
    "segmentation": _OUTLINE,
    "file_name": "give each image a file name of its own, relative to the image root",
    "width": "give the image file's width in px; --fix with --images does it",
    "height": "give the image file's height in px; --fix with --images does it",
    "name": "give each category a name of its own",
    "image_label": "write normal, benign or malignant",
    "case_id": "say which patient or study the image is of; without it no split by case is possible",
    "spacing_mm": "write [row, column] in mm, or null where unknown; --fix writes null",
    "images": "add the list of images",
    "annotations": "add the list of annotations; an empty one if all images are normal",
    "categories": "add the list of categories",
}


def remedy_of(field, what):
    """What to do about a problem of this field and these words; empty if nobody knows."""
    for start, remedy in _BY_WHAT:
        if what.startswith(start):
            return remedy
    return _BY_FIELD.get(field, "")
