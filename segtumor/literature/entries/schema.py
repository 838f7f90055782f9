"""The form of a published source in YAML: keys, the words that they allow, and an example.

``segtumor benchmark list --schema`` shows it. Not here: reading (``entries``).
"""

from segtumor.literature.entry import QUOTED, SOURCE, TRIAL
from segtumor.literature.protocols import SPLIT_KINDS

UNITS = ("lesion", "image", "patient", "tile")

#: The form of an entry, for people: key -> what it holds. A leading "?" marks what may be left out.
SCHEMA = {
    "id": "the file's name without .yaml",
    "citation": "{authors, ?year, ?title, ?journal, ?doi, ?note}",
    "read": "true, or false if the original was not seen",
    "?quoted_by": "who quotes it; needed if read is false",
    "?source": "what was read, if not the article",
    "dataset": "name of the data; BTXRD, and nothing more, for all of BTXRD: any other name is other data",
    "modality": "radiograph, CT, histology, ...",
    "task": "what the model does, in words",
    "unit": "lesion, image, patient or tile: what most results count",
    "?iou_rule": "when a lesion counts as located, as in box IoU > 0.5; none if left out",
    "splits": "{name: {kind, ?detail, ?n, ?leak}}; kind: one of the words below; detail: in the source's words; leak: "
    "what test and training share, left out if nothing is known",
    "results": "[{metric, value, ?split, ?model, ?ci, ?n, ?counts, ?group, ?unit, ?iou_rule, ?protocols, comparable, "
    "?why_not, ?derived}]; metric is the name of our measure where it means the same; value in quotes, as printed; "
    "comparable is YOUR judgement that it is defined as ours is; the program checks name of the data, kind of split, "
    "size, unit, IoU rule and leaks",
    "?confusions": "[{model, split, classes, counts}]: confusion matrices; counts: rows true, columns called, both in "
    "the order of classes, normal first, named as in data of ours",
    "?claims": "[{kind, ?where, ?whose, ...shared arguments, rows: [{what, ...arguments}]}]; whose: one of the words "
    "below",
}
CITATION = ("authors", "?year", "?title", "?journal", "?doi", "?note")
SPLIT = ("kind", "?detail", "?n", "?leak")
RESULT = tuple(name.strip() for name in SCHEMA["results"].partition("]")[0].strip("[{}").split(","))
CONFUSION = ("model", "split", "classes", "counts")
#: Words that a key allows -> what they mean.
KINDS_OF_SPLIT = dict(SPLIT_KINDS)
WHOSE = {
    SOURCE: "the source prints it (if nothing is said)",
    QUOTED: "one quotes another: the source, or others the source",
    TRIAL: "nobody claims it: another reading of what is printed, tried",
}
EXAMPLE = """\
id: mine_2026
citation: {authors: Somebody et al., year: 2026, journal: "A Journal 1:2"}
read: true
dataset: BTXRD
modality: radiograph
task: boxes of bone tumours
unit: lesion
iou_rule: COCO average precision
splits:
  test: {kind: grouped, detail: "by patient, five folds", n: 750}
results:
  - {metric: box_ap50, value: "70.7%", n: 492, split: test, model: YOLO, protocols: [btxrd-grouped], comparable: true}
claims:
  - {kind: ratio, where: Table 2, rows: [{what: sensitivity, printed: "89.6%", k: 335, n: 374}]}
"""
