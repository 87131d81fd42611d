"""Commands for models: train, average, evaluate, export, calibrate-int8, card, retire, compare."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vision.configfile import load_config
from vision.detect.registry import (
    REGISTRY_FILE,
    ModelEntry,
    find_registry,
    load_registry,
    remove_entry,
)
from vision.errors import ConfigError
from vision.files import write_atomically
from vision.learn.commands.progress_bar import progress_bar
from vision.shared_options import ModelsOption, RuntimeOption
from vision.zones import Purpose

if TYPE_CHECKING:
    from vision.learn.data.recipe import Recipe

console = Console()

DataOption = Annotated[
    Path, typer.Option("--data", help="Built data set; its validation pictures are measured on.")
]
TeacherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher-class",
        help="Class that a detector labelled, not people; may be repeated. Else those of traffic.",
    ),
]
RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="Recipe of the data set, for licences in the card.")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to ``jiexu``."""
    app.command()(train)
    app.command("average")(average_weights)
    app.command()(evaluate)
    app.command()(export)
    app.command("calibrate-int8")(calibrate_int8)
    app.command()(card)
    app.command()(retire)
    app.command()(compare)


def train(
    recipe: Annotated[
        Path | None, typer.Argument(help="Training recipe, see models/recipes.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the built data sets that the stages name."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="Folder of the starting weights.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the stages.")] = Path(
        "jiexu-training"
    ),
    from_reviewed: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-reviewed",
            help="Improve --model with your own pictures: a run folder with reviewed.jsonl, or a "
            "labelled folder; may be repeated. See docs/learning-from-review.md.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --from-reviewed: model that learns.")
    ] = None,
    models: ModelsOption = None,
    rehearse: Annotated[
        list[Path] | None,
        typer.Option(help="With --from-reviewed: labelled or built folder to show again."),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            metavar="THEIRS=OURS",
            help="With --from-reviewed: class of a labelled folder; - leaves its boxes out.",
        ),
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Run only this stage; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    device: Annotated[str, typer.Option(help="cpu, or the number of a CUDA device.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train a detector after a recipe; Ctrl-C loses at most an epoch, --resume goes on."""
    if from_reviewed:
        from vision.learn.commands.feedback import (
            feedback_lines,
            feedback_table,
            learn_from_reviewed,
        )

        if data or start or stage:
            raise ConfigError("train --from-reviewed: takes no --data, --start and --stage")
        with progress_bar("Learning", console) as (say, progress):
            feedback = learn_from_reviewed(
                from_reviewed,
                out,
                model=model,
                models=models,
                recipe=recipe,
                rehearse=rehearse or [],
                rename=rename or [],
                resume=resume,
                device=device,
                threads=threads,
                say=say,
                progress=progress,
            )
        for line in feedback_lines(feedback):
            _tell(line)
        if (table := feedback_table(feedback)) is not None:
            console.print(table)
        _tell(f"Weights: {feedback.weights}")
        data = feedback.data_dir
        _tell(f"Next: jiexu export {feedback.weights} --name NAME --data {data} --models DIR")
        return
    if recipe is None or data is None or start is None:
        raise ConfigError("train: needs a recipe, --data and --start, or --from-reviewed")
    from vision.learn.train.training import TrainingRecipe
    from vision.learn.train.training import train as run_training

    with progress_bar("Training", console) as (_, progress):
        weights = run_training(
            load_config(recipe, TrainingRecipe),
            data,
            out,
            start=start,
            stages=tuple(stage) if stage else None,
            resume=resume,
            device=device,
            threads=threads,
            progress=lambda _, done, of: progress(done, of),
        )
    _tell(f"Weights: {weights}")
    _tell(f"Next: jiexu export {weights} --name NAME --data DATA --models DIR")


def average_weights(
    weights: Annotated[
        list[str], typer.Argument(metavar="FILE=SHARE", help="Weights, .pt, and their share.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .pt.")],
) -> None:
    """Average weights of which one was trained from the other: keeps more of what each knows."""
    from vision.learn.train.training import average

    shares: dict[Path, float] = {}
    for text in weights:
        file, equals, share = text.rpartition("=")
        try:
            shares[Path(file)] = float(share)
        except ValueError as error:
            raise ConfigError(f"average {text}: expected FILE=SHARE") from error
        if not equals or shares[Path(file)] <= 0:
            raise ConfigError(f"average {text}: expected FILE=SHARE with a share above 0")
    average(shares, out)
    _tell(f"Weights: {out}")
    _tell(f"Next: jiexu export {out} --name NAME --data DATA --models DIR")


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Model of the registry, or a .pt, .onnx or OpenVINO .xml file.")
    ],
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for evaluation.json and pictures.")
    ] = Path("jiexu-evaluation"),
    runtime: RuntimeOption = None,
    models: ModelsOption = None,
    input_size: Annotated[int | None, typer.Option(min=32, help="Input size in pixels.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or gpu.")] = "cpu",
    teacher_class: TeacherOption = None,
    recipe: RecipeOption = None,
    failures: Annotated[
        int, typer.Option(min=0, help="Pictures of missed and of false boxes.")
    ] = 12,
    speed_pictures: Annotated[int, typer.Option(min=0, help="Pictures to time; 0: none.")] = 20,
) -> None:
    """Measure a detector on a built data set: scores, splits, mistakes and speed.

    Writes evaluation.json, pr.png, confusion.png and pictures of the worst mistakes.
    """
    from vision.learn.measure.evaluate import TEACHER_CLASSES
    from vision.learn.measure.evaluate import evaluate as measure
    from vision.learn.measure.failures import draw_failures, worst_failures
    from vision.learn.measure.opening import find_model
    from vision.learn.measure.plots import plot_confusion, plot_curves
    from vision.learn.measure.record import EVALUATION_FILE
    from vision.learn.measure.tables import evaluation_tables

    entry = find_model(model, models=models, input_size=input_size)
    with progress_bar("Measuring", console) as (_, progress):
        result = measure(
            entry,
            data,
            runtime=runtime,
            device=device,
            teacher_classes=TEACHER_CLASSES if teacher_class is None else teacher_class,
            recipe=_data_recipe(recipe),
            speed_pictures=speed_pictures,
            progress=progress,
        )
    out.mkdir(parents=True, exist_ok=True)
    record = result.record
    write_atomically(out / EVALUATION_FILE, record.model_dump_json(indent=1) + "\n")
    plot_curves(record, out / "pr.png")
    plot_confusion(record, out / "confusion.png")
    thresholds = {name: row.threshold for name, row in record.classes.items()}
    worst = worst_failures(result.examined, thresholds, most=failures)
    draw_failures(worst, data, out / "failures", thresholds)
    for table in evaluation_tables(record):
        console.print(table)
    _tell(f"Written: {out}")


def export(
    weights: Annotated[Path, typer.Argument(help="Trained weights, .pt.")],
    name: Annotated[str, typer.Option(help="Name in the registry.")],
    data: DataOption,
    models: Annotated[Path, typer.Option("--models", help="Folder of the registry.")],
    licence: Annotated[str, typer.Option(help="SPDX expression of the weights.")] = (
        "AGPL-3.0-or-later"
    ),
    recipe: RecipeOption = None,
    calibrate: Annotated[
        int, typer.Option(min=1, help="Most real training pictures to calibrate INT8 with.")
    ] = 300,
    drawn: Annotated[
        list[str] | None,
        typer.Option(help="Pattern of sources that are no real pictures; may be repeated."),
    ] = None,
    fast_bias_correction: Annotated[
        bool, typer.Option("--fast-bias-correction", help="Quantise faster, a little worse.")
    ] = False,
    input_size: Annotated[int, typer.Option(min=32, help="Input size in pixels.")] = 640,
    end2end: Annotated[
        bool, typer.Option("--end2end", help="Take the one-to-one head of a YOLO26.")
    ] = False,
    precision: Annotated[
        float, typer.Option(min=0, max=1, help="Precision that default thresholds aim at.")
    ] = 0.75,
    false_per_100: Annotated[
        float,
        typer.Option(
            min=0, help="Boxes of a class wanted at most per 100 pictures known to be without it."
        ),
    ] = 1.0,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=VALUE", help="Threshold chosen by hand; may be repeated."),
    ] = None,
    experimental: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="Class without real pictures; may be repeated."),
    ] = None,
    teacher_class: TeacherOption = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUNTIME",
            help="Runtime whose files are measured but not kept, of a model that would be too "
            "large: openvino-fp16, onnx or pytorch; may be repeated.",
        ),
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Make it the default model.")] = False,
    zone: Annotated[
        list[Purpose] | None,
        typer.Option(help="Make it the model of cameras with such zones; may be repeated."),
    ] = None,
) -> None:
    """Bring trained weights into the registry: INT8, FP16, ONNX, thresholds, figures and card.

    Thresholds are chosen on the validation pictures with the INT8 files. Exit code 1: registered,
    but a runtime disagrees with PyTorch or INT8 loses more than a point of mAP50.
    """
    from vision.learn.measure.evaluate import TEACHER_CLASSES
    from vision.learn.measure.tables import evaluation_tables
    from vision.learn.ship.publish import DRAWN, ThresholdChoice, publish
    from vision.learn.ship.quantise import Quantisation

    with progress_bar("Exporting", console) as (say, progress):
        result = publish(
            weights,
            name=name,
            data_dir=data,
            registry_dir=models,
            licence=licence,
            recipe=_data_recipe(recipe),
            calibrate=calibrate,
            drawn=DRAWN if drawn is None else drawn,
            input_size=input_size,
            end2end=end2end,
            quantisation=Quantisation("fast" if fast_bias_correction else "accurate"),
            choice=ThresholdChoice(
                precision=precision, false_per_100=false_per_100, fixed=_limits(threshold or [])
            ),
            experimental=experimental or (),
            teacher_classes=TEACHER_CLASSES if teacher_class is None else teacher_class,
            leave_out=leave_out or (),
            default=default,
            zones=[purpose.value for purpose in zone or ()],
            say=say,
            progress=progress,
        )
    for table in evaluation_tables(result.record):
        console.print(table)
    console.print(_parity_table(result.entry))
    for fault in result.faults:
        console.print(f"[red]fault[/red] {escape(fault)}", highlight=False, soft_wrap=True)
    for advice in result.advice:
        _tell(advice)
    _tell(f"Registered: {name} in {models}")
    if result.faults:
        raise typer.Exit(1)


def calibrate_int8(
    model: Annotated[str, typer.Argument(help="Model of the registry.")],
    pictures: Annotated[
        Path, typer.Option("--pictures", help="Folder of pictures that your cameras took.")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Built data set that judges by mAP50; else agreement does."),
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Quantise a registered model anew with your own pictures; the best result is kept."""
    from vision.learn.measure.tables import figure
    from vision.learn.ship.recalibrate import recalibrate

    entry = load_registry(models).model(model)
    with progress_bar("Calibrating", console) as (say, _):
        result = recalibrate(entry, pictures, data_dir=data, say=say)
    table = Table("INT8", "boxes", "without partner", "mean shift, px", "mAP50", "loss, points")
    for trial in result.trials:
        agrees = trial.agreement
        table.add_row(
            trial.name,
            str(agrees.boxes),
            str(agrees.unmatched),
            f"{agrees.mean_box_px:.2f}",
            figure(trial.map50),
            figure(trial.loss_points, digits=2),
            style="bold" if trial == result.kept else None,
        )
    console.print(table)
    _tell(f"Kept: {result.kept.name}")


def card(
    model: Annotated[str, typer.Argument(help="Model of the registry.")],
    models: ModelsOption = None,
) -> None:
    """Write a model's card anew from its notes.md, the registry and evaluation.json."""
    from vision.learn.measure.record import EVALUATION_FILE, read_evaluation
    from vision.learn.ship.model_card import CARD_FILE, model_card, read_notes

    entry = load_registry(models).model(model)
    folder = find_registry(models).parent / entry.name
    record = read_evaluation(folder / EVALUATION_FILE)
    write_atomically(folder / CARD_FILE, model_card(entry, record, read_notes(folder)))
    _tell(f"Written: {folder / CARD_FILE}")


def retire(
    model: Annotated[str, typer.Argument(help="Model of the registry.")],
    models: ModelsOption = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the files that the registry named.")
    ] = False,
) -> None:
    """Take a model out of the registry; one that is in use is refused."""
    folder = find_registry(models).parent
    entry = remove_entry(folder, model)
    _tell(f"{model} is no more in {folder / REGISTRY_FILE}")
    if not delete:
        return
    named = {file.path for files in entry.files.values() for file in files}
    if entry.card is not None:
        named.add(entry.card)
    for path in sorted(named):
        (folder / path).unlink(missing_ok=True)
        _tell(f"Deleted: {folder / path}")


def compare(
    model: Annotated[
        list[str],
        typer.Argument(
            help="Models of the registry or files; NAME@RUNTIME chooses a runtime.",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="Built data set: accuracy on its validation side.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Folder of pictures: boxes are counted.")
    ] = None,
    coco: Annotated[
        list[Path] | None,
        typer.Option("--coco", help="COCO-pretrained weights beside them; may be repeated."),
    ] = None,
    models: ModelsOption = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or gpu.")] = "cpu",
    speed_pictures: Annotated[int, typer.Option(min=1, help="Pictures to time.")] = 20,
    runs: Annotated[int, typer.Option(min=1, help="How often they are timed.")] = 5,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the figures.")] = None,
) -> None:
    """Compare models with each other and with COCO's: same pictures, same machine, same run."""
    from vision.learn.measure.compare import Candidate, comparison_table
    from vision.learn.measure.compare import compare as run_comparison
    from vision.learn.measure.opening import find_model

    candidates = []
    for name in model:
        base, at, runtime = name.rpartition("@")
        entry = find_model(base if at else name, models=models)
        candidates.append(Candidate(Path(name).name, entry, runtime if at else None))
    for path in coco or []:
        candidates.append(Candidate(f"COCO {path.stem}", find_model(str(path)), None))
    labels = [candidate.label for candidate in candidates]
    if len(set(labels)) != len(labels):
        raise ConfigError(f"compare: a model is given twice: {', '.join(labels)}")
    with progress_bar("Comparing", console) as (say, progress):
        result = run_comparison(
            candidates,
            data_dir=data,
            pictures_dir=pictures,
            device=device,
            speed_pictures=speed_pictures,
            runs=runs,
            say=say,
            progress=progress,
        )
    console.print(comparison_table(result))
    if out is not None:
        write_atomically(out, json.dumps(asdict(result), indent=1) + "\n")
        _tell(f"Written: {out}")


def _data_recipe(path: Path | None) -> Recipe | None:
    if path is None:
        return None
    from vision.learn.data.recipe import Recipe as RecipeFile

    return load_config(path, RecipeFile)


def _limits(options: list[str]) -> dict[str, float]:
    limits = {}
    for option in options:
        name, _, value = option.partition("=")
        try:
            limits[name] = float(value)
        except ValueError as error:
            raise ConfigError(f"--threshold {option}: expected CLASS=VALUE") from error
    return limits


def _parity_table(entry: ModelEntry) -> Table:
    table = Table("against PyTorch", "boxes", "without partner", "largest shift, px", "mean, px")
    for runtime, row in entry.metrics["parity"].items():
        table.add_row(
            runtime,
            str(row["boxes"]),
            str(row["unmatched"]),
            f"{row['max_box_px']:.2f}",
            f"{row['mean_box_px']:.3f}",
        )
    return table


def _tell(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
