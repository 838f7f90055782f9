"""``segtumor weights``: files of weights to start a training from."""

from segtumor.commands.cli import Commands, Group

#: Sub-command -> (module of ``segtumor.commands``, what it does).
COMMANDS: Commands = {
    "list": ("weights.list", "published weights that are known by name, with licence and configuration"),
    "get": ("weights.get", "take one of these from where it was published, or out of a file; hash checked"),
    "show": ("weights.show", "what a file of weights holds, and whose layout it has"),
    "convert": ("weights.convert", "a file of weights to a .pth with a checksum, in half precision if wanted"),
    "average": ("weights.average", "the mean of several models that were trained further from one start, as one"),
}
main = Group(
    "segtumor weights",
    COMMANDS,
    "Weights to start a training from (train --init-from).",
    (
        "segtumor weights list",
        "segtumor weights get efficientnet_lite0",
        "segtumor weights show output/weights/efficientnet_lite0.pth",
    ),
).main
