#!/usr/bin/env python3
"""A finished training to a model that can be named: 16-bit export, operating points, numbers, card.

Thresholds and temperature come from the run's validation sets, the numbers from its test sets, both as the export
answers.
"""

import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.terminal import step_progress
from segtumor.errors import ConfigError

#: What the entry and the card say first; the rest is on the card's page.
SHOWN = (
    *("mask_ap50", "box_ap50", "dice", "image_dice", "dice_matched", "lesion_recall", "lesion_precision"),
    *("froc_mean", "false_positives_per_normal_image", "image_missed_whole", "image_auc", "image_auc_of_worst_class"),
    *("image_sensitivity", "image_specificity", "image_class_macro_auc", "image_ece_calibrated"),
)
#: That measured.
_VERSIONS = ("segtumor", "python", "numpy", "scipy", "onnxruntime", "torch", "detectron2")
_LIMITS = (
    "Research use only; not a medical device. Do not base a diagnosis on it.",
    "A normal reading does not exclude a tumour: the table says how many it missed.",
    "Scores are no probabilities of a disease in your patients: tumours are far more frequent here than in practice.",
)


@dataclass(frozen=True)
class Measurements:
    """What was measured with the export: on validation to choose, on test to tell."""

    temperature: float
    points: list
    study: object
    more: list
    seconds_per_image: float


def build_parser():
    parser = make_parser(
        "register_model.py",
        "Make a model that can be named from a finished training.",
        examples=[
            "python tools/register_model.py --run output/btxrd_lite --name btxrd-lite --version 1 --summary 'small and"
            " quick' --licence 'research use' --started-from 'EfficientNet-Lite0, ImageNet' --trained-on 'BTXRD'"
            " --page docs/models/btxrd-lite.html"
        ],
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="folder of the training run")
    parser.add_argument("--name", required=True, help="by which the model will be asked for")
    parser.add_argument("--output", default="segtumor/shipped/models", metavar="DIR", help="default: %(default)s")
    for field in ("version", "summary", "licence", "started-from", "trained-on"):
        parser.add_argument(f"--{field}", required=True, metavar="TEXT")
    parser.add_argument("--page", required=True, metavar="HTML", help="file for the card's page, with figures")
    parser.add_argument("--limit", action="append", default=[], metavar="TEXT", help="for the card; may be repeated")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="of cases, for intervals (2000)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of the model (2)")
    return parser


def main(argv=None):
    return run(_body, build_parser(), argv)


def _body(arguments) -> int:
    from segtumor.shipped.entry import CARD, EXPORTED

    target = Path(arguments.output) / arguments.name
    if target.exists():
        raise ConfigError("there is a model of this name already", where=target, remedy="Remove it first")
    Path(arguments.output).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.output, prefix=".registering.") as temporary:
        folder = Path(temporary) / arguments.name
        folder.mkdir()
        cfg = _configuration(Path(arguments.run), folder.name)
        measured = _measure(cfg, folder, arguments)
        _write_entry(folder, arguments, measured, *_hashes(cfg))
        os.replace(folder, target)
    for name in (EXPORTED, CARD):
        print(f"{target / name}: {_size(target / name) / 1e6:.2f} MB")
    return 0


def _configuration(run_folder, name):
    """That of a run, with its best weights, and without its operating point: the export has one of its own."""
    from segtumor.config import load_config
    from segtumor.runs import find_run

    config_file, weights = find_run(run_folder)
    cfg = load_config(config_file)
    cfg.defrost()
    cfg.MODEL.WEIGHTS, cfg.OUTPUT_DIR, cfg.OPERATING_POINTS.USED = str(weights), f"output/{name}", ""
    return cfg


def _write_configuration(cfg, folder):
    """Without paths of this machine."""
    from segtumor.shipped.entry import CONFIGURATION

    cfg = cfg.clone()
    cfg.MODEL.WEIGHTS = ""
    (folder / CONFIGURATION).write_text(cfg.dump(), encoding="utf-8")


def _measure(cfg, folder, arguments):
    from segtumor.evaluation.facts.operating_points import FINDING, choose_thresholds, sensitivity_and_specificity
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.facts.temperature import fit_score_temperature
    from segtumor.evaluation.study.study import study
    from segtumor.shipped.entry import OperatingPoint

    _export(cfg, folder)
    names, validation, _ = _results(cfg.DATASETS.VALIDATION, folder, cfg, arguments.threads)
    thresholds = choose_thresholds(validation, names)
    cfg.TEST.CONFIDENCE_THRESHOLD = round(next(t.score for t in thresholds if t.of == FINDING), 3)
    _write_configuration(cfg, folder)
    _export(cfg, folder)
    _, test, seconds = _results(cfg.DATASETS.TEST, folder, cfg, arguments.threads)
    temperature = round(fit_score_temperature(validation, names), 4)
    settings = StudySettings(
        score_threshold=cfg.TEST.CONFIDENCE_THRESHOLD, temperature=temperature, n_resamples=arguments.resamples
    )
    points = [OperatingPoint(t.name, t.of, t.score, *sensitivity_and_specificity(test, names, t)) for t in thresholds]
    found = study(test, names, settings, progress=step_progress)
    return Measurements(temperature, points, found, _more_estimates(found, test, names), seconds)


def _more_estimates(study, results, names):
    """Of the goals of a shipped model that no study has."""
    from segtumor.evaluation.facts.image_level import image_calls
    from segtumor.evaluation.measures.measure import IMAGES, Measure
    from segtumor.evaluation.study.estimates import draw, estimates_of
    from segtumor.statistics.roc import aucs

    cases = study.cases
    calls = image_calls(results, names, cases, score_threshold=study.settings.score_threshold)
    drawn, worst = draw(len(cases), study.settings), len(names)
    of_worst = Measure(
        name="image_auc_of_worst_class",
        label=f"area under the ROC curve, {names[-1]} against all others (images)",
        group=IMAGES,
        unit="images",
        n=len(results),
        n_cases=len(cases),
        resample=lambda weights: aucs(
            calls.class_scores[:, worst], calls.true_class == worst, weights[:, cases.case_of_image]
        ),
    )
    return estimates_of([of_worst], drawn)


def _export(cfg, folder):
    from segtumor.export.export import export
    from segtumor.runs import OPERATING_POINTS
    from segtumor.shipped.entry import EXPORTED

    cfg = cfg.clone()
    cfg.freeze()
    export(cfg, folder / EXPORTED, format_name="onnx", precision="float16", overwrite=True)
    # The run's, which the entry's replace: those are chosen by what the export answers.
    (folder / EXPORTED / OPERATING_POINTS).unlink(missing_ok=True)


def _results(names_of_sets, folder, cfg, threads):
    """Class names, ImageResults, and the seconds that one image took, reading included."""
    from segtumor.inference.load import load_model
    from segtumor.shipped.entry import EXPORTED
    from segtumor.training.batches.catalog import load_datasets
    from segtumor.training.validation import predict_dataset

    predictor = load_model(run=folder / EXPORTED, threads=threads).predictor
    results, datasets = [], load_datasets(names_of_sets)
    started = time.perf_counter()
    for dataset in datasets:
        results += predict_dataset(predictor, dataset, batch_size=1, max_pixels=cfg.INPUT.MAX_PIXELS)
    return datasets[0].taxonomy.names, results, (time.perf_counter() - started) / len(results)


def _hashes(cfg):
    """{name of a data set: hash of its annotations}, the first training set first; and the hash of that one's split."""
    from segtumor.datasets.splits.document import hash_of_split_beside
    from segtumor.files import sha256_of_file
    from segtumor.training.batches.catalog import dataset_paths

    names = (*cfg.DATASETS.TRAIN, *cfg.DATASETS.VALIDATION, *cfg.DATASETS.TEST)
    annotations = {name: Path(dataset_paths(name)[0]) for name in names}
    first = annotations[names[0]]
    # Split files without a hash of what they say, as that of phantoms, are known by the file's own.
    split_sha256 = hash_of_split_beside(first) or sha256_of_file(first.parents[1] / "split.json")
    return {name: sha256_of_file(path) for name, path in annotations.items()}, split_sha256


def _write_entry(folder, arguments, measured, data_sha256, split_sha256):
    from segtumor.files import sha256_of_file, write_json, write_text
    from segtumor.reporting.pages.study_page import study_page
    from segtumor.shipped.entry import CARD, ENTRY, OWN_HASH, SCHEMA_VERSION, Measured, hash_of_fields
    from segtumor.system.versions import versions
    from segtumor.texts import counted, is_undefined

    study = measured.study
    known = {estimate.name: estimate for estimate in (*study.estimates, *measured.more)}
    numbers = [_number(known[name]) for name in SHOWN if name in known and not is_undefined(known[name].value)]
    seconds = round(measured.seconds_per_image, 4)
    numbers.append(Measured("seconds per image", seconds, seconds, seconds, "s", counted(len(study.images), "images")))
    entry = {
        "schema_version": SCHEMA_VERSION,
        **{
            key: getattr(arguments, key)
            for key in ("name", "version", "summary", "licence", "trained_on", "started_from")
        },
        "dataset_sha256": next(iter(data_sha256.values())),
        "split_sha256": split_sha256,
        "evaluated_on": _evaluated_on(study),
        "measured": list(map(asdict, numbers)),
        "operating_points": list(map(asdict, measured.points)),
        "temperature": measured.temperature,
    }
    limits = dict.fromkeys((*_LIMITS[:1], *arguments.limit, *_LIMITS[1:]))  # each once
    tables = list(card_tables(entry, limits))
    page = Path(arguments.page)
    write_text(folder / CARD, card_text(entry, tables, threshold=study.settings.score_threshold, page=page.name))
    provenance = {"Annotations, SHA-256": data_sha256, "Versions": versions(_VERSIONS)}
    content = study_page(study, title=f"{entry['name']}: model card", provenance=provenance, extra_tables=tables)
    write_text(page, content)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    entry["files"] = {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in paths}
    write_json(folder / ENTRY, {**entry, OWN_HASH: hash_of_fields(entry)})


def _number(estimate):
    """An undefined interval, as of very few cases, is said to be none."""
    from segtumor.shipped.entry import Measured
    from segtumor.texts import counted, is_undefined

    ends = (estimate.low, estimate.high)
    low, high = (estimate.value, estimate.value) if any(map(is_undefined, ends)) else ends
    unit = "%" if estimate.in_percent else "1"
    return Measured(estimate.label, estimate.value, low, high, unit, counted(estimate.n, estimate.unit))


def _evaluated_on(study):
    from segtumor.texts import counted

    return f"the test part: {counted(len(study.images), 'radiographs')}, {counted(len(study.cases), 'cases')}"


def card_tables(entry, limits):
    """(heading, note, header, rows) of what the study does not say."""
    about = [(key.replace("_", " "), str(entry[key])) for key in ("version", "summary", "licence", "trained_on",
             "started_from", "dataset_sha256", "split_sha256", "temperature")]  # fmt: skip
    points = [
        (p["name"], p["of"], *(f"{p[key]:.3f}" for key in ("score_threshold", "sensitivity", "specificity")))
        for p in entry["operating_points"]
    ]
    yield "The model", "", ("", ""), about
    yield (
        "Operating points",
        "Chosen on validation; sensitivity and specificity of images, on the test part. For a threshold of findings, "
        "an image counts as positive that has a finding.",
        ("chosen for", "score of", "from", "sensitivity", "specificity"),
        points,
    )
    yield "Limits", "", ("",), [(text,) for text in limits]


def card_text(entry, tables, *, threshold, page):
    """The card as Markdown; ``page`` is the file with figures."""
    measured = [
        (
            m["name"],
            f"{m['value']:.3g}{_unit(m)}",
            "" if m["low"] == m["high"] else f"{m['low']:.3g} to {m['high']:.3g}",
            m["n"],
        )
        for m in entry["measured"]
    ]
    name, version = entry["name"], entry["version"]
    command = f"python tools/register_model.py --run RUN --name {name} --version {version} --page {page}"
    sections = [
        f"# {name}, version {version}\n\n{entry['summary']}",
        f"## Measured on {entry['evaluated_on']}\n\nFindings count from a score of {threshold:.3f}. Intervals resample "
        f"cases.\n\n{_table(('measure', 'value', '95% interval', 'of'), measured)}\n\n"
        f"`{command}` measured this, from a training's folder and with the texts of this card as its other options. "
        f"{page}, with figures and all groups, comes of it too.",
        *(
            f"## {title}\n\n" + "\n\n".join(filter(None, (_table(header, rows), note)))
            if len(header) > 1
            else f"## {title}\n\n" + "\n".join(f"- {row[0]}" for row in rows)
            for title, note, header, rows in tables
        ),
    ]
    return "\n\n".join(sections) + "\n"


def _unit(measured):
    return "" if measured["unit"] == "1" else f" {measured['unit']}"


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _size(path):
    return sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
