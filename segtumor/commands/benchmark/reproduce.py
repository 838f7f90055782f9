"""``segtumor benchmark reproduce``: train as a published study of classifiers did, and set the outcome beside it.

Not here: the table (``segtumor.literature.reproduction``) and what any training is made of (``segtumor.training``).
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.shared_options import add_training_settings
from segtumor.commands.common.terminal import step_progress
from segtumor.errors import ConfigError, DataError

if TYPE_CHECKING:
    from detectron2.config import CfgNode

    from segtumor.literature.reproduction import Column

_DESCRIPTION = """Repeat a published study of classifiers on data of your own: its split, its networks, its settings.

alrabai-2026   DenseNet121, tumour or normal, 70/20/10; once split by image, as the study has it, and once by case, so
               that what images of one patient on both sides are worth is seen
ahlawat-2025   ResNet50, VGG19, both side by side in one network, and the ensemble of the two; five folds by case

Writes the table of classes beside the printed one (reproduction.md, .csv), confusion matrices and ROC curves, and keeps
every training with its own report. The same command again resumes. --config-file takes another network through the
same protocol."""
_SETTINGS = "reproduction.json"


@dataclass(frozen=True)
class ClassifierStudy:
    """How a study is repeated.

    Attributes:
        source: id of its entry.
        models: {name: configuration}.
        joined: class that every class counts as; "" leaves them as they are.
        splits: {kind of split: its name here}; empty: five folds by case.
        fractions: of the parts of each split.
        ensemble: models that are also read together.
        notes: how this differs from what is printed, in sentences.
    """

    source: str
    models: Mapping[str, str]
    joined: str = ""
    splits: Mapping[str, str] = field(default_factory=dict)
    fractions: Mapping[str, float] = field(default_factory=dict)
    ensemble: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


STUDIES = {
    "alrabai-2026": ClassifierStudy(
        source="alrabai_2026",
        models={"DenseNet121": "classifier_densenet121.yaml"},
        joined="tumour",
        splits={"image": "by image", "grouped": "by case"},
        fractions={"train": 0.7, "val": 0.2, "test": 0.1},
        notes=(
            "The study says neither how it split, nor which weights it started from, nor how it chose a model: here "
            "parts are alike in their classes, and the model with the lowest validation loss is tested.",
        ),
    ),
    "ahlawat-2025": ClassifierStudy(
        source="resnet50_vgg19_tissue",
        models={
            "ResNet50": "classifier_resnet50.yaml",
            "VGG19": "classifier_vgg19.yaml",
            "hybrid": "classifier_resnet50_vgg19.yaml",
        },
        ensemble=("ResNet50", "VGG19"),
        notes=(
            "The study names k-fold cross-validation and prints one confusion matrix of 177 tiles; here every image is "
            "tested once, by the fold that has not seen its case.",
            "A tumour is called where 1 - P(normal) reaches the threshold, and is of its most probable class; the "
            "study takes the most probable of all classes.",
            "Pictures are read in shades of gray, as radiographs are; tiles of stained tissue lose their colour.",
        ),
    ),
}


def build_parser() -> argparse.ArgumentParser:
    where = "--annotations datasets/btxrd_all/annotations/all.json"
    parser = make_parser(
        "segtumor benchmark reproduce",
        _DESCRIPTION,
        examples=[
            f"segtumor benchmark reproduce --study alrabai-2026 {where} --output output/alrabai "
            "--init-from densenet121.pth",
            f"segtumor benchmark reproduce --study alrabai-2026 {where} --output output/alrabai_lite0 "
            "--config-file configs/classifier_efficientnet_lite0.yaml --init-from efficientnet_lite0.pth",
            f"segtumor benchmark reproduce --study ahlawat-2025 {where} --output output/ahlawat "
            "--init-from ResNet50=resnet50.pth --init-from VGG19=vgg19.pth",
        ],
    )
    parser.add_argument("--study", required=True, choices=STUDIES, help="which")
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with all images")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of everything, created if needed")
    parser.add_argument(
        "--init-from",
        action="append",
        default=[],
        metavar="[MODEL=]WEIGHTS",
        help="weights to start from, of ImageNet for example; of one model, or of all; repeatable",
    )
    parser.add_argument("--models", nargs="+", metavar="MODEL", help="only these of the study's models")
    parser.add_argument("--config-file", metavar="FILE", help="this configuration in place of the study's models")
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="of ahlawat-2025 (default 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of split or folds (default 0)")
    add_training_settings(parser)
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.literature.entries.reading import load_entries
    from segtumor.literature.reproduction import write_reproduction
    from segtumor.training.final_evaluation import import_late_dependencies

    study, output = STUDIES[arguments.study], Path(arguments.output)
    models, weights = _models(study, arguments), _weights(arguments.init_from)
    unknown = [name for name in weights if name and name not in models]
    if unknown:
        raise ConfigError("weights for no model", where="--init-from", got=unknown[0], expected=", ".join(models))
    import_late_dependencies()
    _keep_settings(output, arguments)
    columns, sentences = [], list(study.notes)
    made = _split_runs if study.splits else _fold_runs
    for column, said in made(study, arguments, models, weights):
        columns.append(column)
        sentences += said
    written, lines = write_reproduction(load_entries()[study.source], columns, output, sentences=sentences)
    print("", *lines, sep="\n")
    print(f"\nwritten to {output}: {', '.join(path.name for path in written)}")


def _models(study: ClassifierStudy, arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.config_file:
        return {Path(arguments.config_file).stem: arguments.config_file}
    names = arguments.models or list(study.models)
    unknown = [name for name in names if name not in study.models]
    if unknown:
        raise ConfigError("no such model", where="--models", got=unknown[0], expected=", ".join(study.models))
    return {name: study.models[name] for name in names}


def _weights(texts: Sequence[str]) -> dict[str, str]:
    """{model, "" for all: weights} of ``[MODEL=]WEIGHTS``."""
    from segtumor.shipped.registry import starting_weights

    pairs = [text.rpartition("=") for text in texts]
    return {name: str(starting_weights(path)) for name, _, path in pairs}


def _keep_settings(output: Path, arguments: argparse.Namespace) -> None:
    """Note what this reproduction is made with; refuse to mix it with another."""
    from segtumor.annotations.json_input import parse_json, read_bytes
    from segtumor.files import prepare_output_folder, sha256_of_file, write_json

    names = ("study", "init_from", "models", "config_file", "folds", "seed", "opts")
    settings = {name: getattr(arguments, name) for name in names}
    settings["annotations_sha256"] = sha256_of_file(arguments.annotations)
    path = prepare_output_folder(output) / _SETTINGS
    earlier = parse_json(read_bytes(path), path) if path.is_file() else settings
    if earlier != settings:
        known = earlier if isinstance(earlier, dict) else {}
        differing = [name for name in settings if known.get(name) != settings[name]]
        raise ConfigError(
            "the folder holds another reproduction", where=output, got=", ".join(differing), remedy="Choose another"
        )
    write_json(path, settings)


#: A column of the table, and what is to be said of it.
_Made = Iterator[tuple["Column", list[str]]]


def _split_runs(
    study: ClassifierStudy, arguments: argparse.Namespace, models: Mapping[str, str], weights: Mapping[str, str]
) -> _Made:
    from segtumor.annotations.class_scheme import ClassScheme
    from segtumor.annotations.coco import load_coco
    from segtumor.config import load_config
    from segtumor.evaluation.pairing import pair
    from segtumor.literature.comparison.leak import find_leak, read_training, training_files
    from segtumor.literature.reproduction import own_column
    from segtumor.runs import EVALUATIONS, PREDICTIONS

    output = Path(arguments.output)
    names = load_coco(arguments.annotations, check_files=False, require_masks=False).taxonomy.names
    scheme = ClassScheme(dict.fromkeys(names, study.joined))
    os.environ["DETECTRON2_DATASETS"] = str(output)  # the names of the parts are looked up there
    for kind, words in study.splits.items():
        data = words.replace(" ", "-")
        _split(study, arguments, kind, output / data)
        for model, file in models.items():
            cfg = load_config(file, arguments.opts)
            cfg.DATASETS.CLASSES = [f"{label}={name}" for label, name in scheme.joined.items()]
            cfg.OUTPUT_DIR = str(output / f"{data}-{model}")
            cfg.DATASETS.TRAIN, cfg.DATASETS.VALIDATION = (f"{data}_train",), (f"{data}_val",)
            cfg.DATASETS.TEST = (f"{data}_test",)
            predictions = Path(cfg.OUTPUT_DIR) / EVALUATIONS / f"{data}_test" / PREDICTIONS
            print(f"\n{model}, {words}: {cfg.OUTPUT_DIR}", flush=True)
            _train(cfg, predictions, weights.get(model, weights.get("")))
            test = output / data / "annotations" / "test.json"
            pairing, training = pair(test, predictions, scheme=scheme), read_training(training_files(test))
            if training is None:
                raise DataError("the training part is gone", where=test.parent, remedy="Choose another --output")
            leak, _ = find_leak(pairing.results, training, pairing.truth.taxonomy.names)
            measured = pairing.study(progress=step_progress)
            yield own_column(f"{model}, {words}", measured), [f"{model}, {words}: {leak.sentence}"]


def _split(study: ClassifierStudy, arguments: argparse.Namespace, kind: str, folder: Path) -> None:
    from segtumor.datasets.splits.making import SplitRequest, split_images
    from segtumor.datasets.splits.merging import merge_coco
    from segtumor.datasets.splits.output import write_split

    if not (folder / "split.json").is_file():  # the last file that a split writes
        request = SplitRequest(kind=kind, fractions=study.fractions, seed=arguments.seed)
        write_split(split_images(merge_coco([arguments.annotations]), request), folder)


def _train(cfg: "CfgNode", predictions: Path, init_from: str | None) -> None:
    """Train and test, unless that is done; a training that was stopped goes on from its last checkpoint."""
    from segtumor.runs import FINAL_WEIGHTS, NEWEST_CHECKPOINT, REPORT
    from segtumor.training.final_evaluation import evaluate_run
    from segtumor.training.train import train

    folder = Path(cfg.OUTPUT_DIR)
    if (predictions.parent / REPORT).is_file():
        return
    if (folder / FINAL_WEIGHTS).is_file():
        evaluate_run(cfg)
        return
    resume = (folder / NEWEST_CHECKPOINT).is_file()
    train(cfg, resume=resume, overwrite=not resume, init_from=None if resume else init_from)


def _fold_runs(
    study: ClassifierStudy, arguments: argparse.Namespace, models: Mapping[str, str], weights: Mapping[str, str]
) -> _Made:
    from segtumor.config import load_config
    from segtumor.literature.reproduction import own_column
    from segtumor.training.folds.crossval import cross_validate
    from segtumor.training.folds.plan import make_plan
    from segtumor.training.folds.report import report

    path = Path(arguments.annotations).absolute()
    if path.parent.name != "annotations":
        expected = "FOLDER/annotations/FILE.json, with FOLDER/images"
        raise ConfigError("not the file of a data set", where="--annotations", got=path.name, expected=expected)
    os.environ["DETECTRON2_DATASETS"] = str(path.parent.parent.parent)
    folders: dict[str, Path] = {}
    for model, file in models.items():
        cfg = load_config(file, arguments.opts)
        cfg.DATASETS.TRAIN, cfg.DATASETS.VALIDATION = (f"{path.parent.parent.name}_{path.stem}",), ()
        cfg.DATASETS.TEST = ()
        plan = make_plan(cfg, folds=arguments.folds, seed=arguments.seed, parts=["train"])
        folders[model] = Path(arguments.output) / model
        print(f"\n{model}, {arguments.folds} folds by case: {folders[model]}", flush=True)
        predictions = cross_validate(cfg, plan, folders[model], init_from=weights.get(model, weights.get("")))
        found = report(plan, folders[model], predictions, progress=step_progress)
        yield own_column(model, found.study), [f"{model}: {remark}" for remark in plan.remarks]
    members = [folders[model] for model in study.ensemble if model in folders]
    if len(members) > 1:
        yield own_column(f"ensemble of {' and '.join(study.ensemble)}", _ensemble(arguments, members)), []


def _ensemble(arguments: argparse.Namespace, members: Sequence[Path]) -> Any:
    """The Study of models that are read together, each fold by the models that have not seen it."""
    from segtumor.evaluation.pairing import pair
    from segtumor.evaluation.study.study import study
    from segtumor.inference.batch.input_search import find_inputs
    from segtumor.inference.batch.options import Options
    from segtumor.inference.batch.run import infer_with
    from segtumor.inference.several import load_models
    from segtumor.runs import PREDICTIONS

    results: list[Any] = []
    for fold in range(1, arguments.folds + 1):
        runs = [member / f"fold_{fold}" for member in members]
        test, output = runs[0] / "annotations" / "test.json", Path(arguments.output) / "ensemble" / f"fold_{fold}"
        images = Path(arguments.annotations).parent.parent / "images"
        inputs = find_inputs([], annotations=str(test), image_root=str(images))
        model = load_models(runs)
        options = Options.of_model(model, with_overlays=False, overwrite=True)
        infer_with(model, inputs.paths, output, options)
        pairing = pair(test, output / PREDICTIONS)
        results += pairing.results
    return study(results, pairing.truth.taxonomy.names, progress=step_progress)
