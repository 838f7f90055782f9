"""``segtumor data``: everything between a folder of annotated radiographs and a data set to train on.

Each sub-command is a module of this folder. Not here: BTXRD in its own layout (``segtumor prepare-btxrd``).
"""

from segtumor.commands.cli import Commands, Group

#: Sub-command -> (module of ``segtumor.commands``, what it does).
COMMANDS: Commands = {
    "convert": ("data.convert", "LabelMe, VOC, YOLO, Label Studio, CVAT, masks, CSV to COCO, and back"),
    "png": ("data.png", "radiographs as 8-bit PNG files without names or headers"),
    "check": ("data.check", "all problems of an annotation file and its images; --fix writes a repaired copy"),
    "split": ("data.split", "train, val and test by case; k-fold; one centre left out; official lists"),
    "leaks": ("data.leaks", "cases and images that are in several parts of a split"),
    "stats": ("data.stats", "tables of classes, sizes, sites, ages and centres"),
    "show": ("data.show", "a contact sheet of annotated radiographs"),
    "card": ("data.card", "a data card: one HTML file with tables, plots and examples"),
}
main = Group(
    "segtumor data",
    COMMANDS,
    "Annotated radiographs: convert, check, split and inspect them.",
    (
        "segtumor data convert --source datasets/examples/labelme --output output/converted",
        "segtumor data check datasets/examples/coco/annotations.json --images datasets/examples/images",
    ),
).main
