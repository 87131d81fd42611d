"""From trained weights to the registered second stage: export, measure, write down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vision.detect.classifier import load_classifier
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry
from vision.learn.derelict.crops import equalised, read_crops
from vision.learn.derelict.evaluation import SIDES, measure_derelict
from vision.learn.derelict.export import export_classifier
from vision.learn.derelict.training import CropRecipe
from vision.observe.memory import MemorySettings
from vision.rules.abandoned_vehicle import Settings

COMPARED_CROPS = 40
"""Crops on which the runtimes are compared with PyTorch."""


def register_derelict(
    weights: Path,
    recipe: CropRecipe,
    data_dir: Path,
    *,
    registry_dir: Path,
    detector: ModelEntry,
    licence: str = "AGPL-3.0-or-later",
    progress: Callable[[int, int], None] = lambda *_: None,
) -> ModelEntry:
    """Export, measure with a detector and register the classifier as the second stage.

    Args:
        weights: From :func:`vision.learn.derelict.training.train_crops`.
        recipe: The recipe that made them.
        data_dir: Holds the built data set, in a folder of the name the recipe uses.
        registry_dir: Folder of the registry.
        detector: Detector that finds the vehicles when the whole system is measured.
        licence: SPDX expression of the weights.
        progress: Told after each view of a size how many of how many are done.

    Returns:
        The entry as written; ``metrics.measured`` holds the figures.

    Raises:
        ModelError: Weights or detector cannot be loaded.
        InputError: The data set cannot be read.
    """
    crops = read_crops(data_dir / recipe.data, recipe.crops, "val")
    compared = [view for crop in crops if (view := equalised(crop, SIDES[0])) is not None]
    compared = compared[:: -(-len(compared) // COMPARED_CROPS) or 1]
    entry = export_classifier(
        weights, recipe, registry_dir=registry_dir, licence=licence, crops=compared
    )
    classifier = load_classifier(entry)
    # Thresholds as in a scan: what keeps a sighting alive is seen.
    least = MemorySettings().keep_confidence
    finder = load_detector(
        detector, thresholds={name: min(t, least) for name, t in detector.thresholds.items()}
    )
    try:
        sizes = measure_derelict(
            crops,
            finder,
            classifier,
            weight=Settings().second_stage_weight,
            progress=progress,
        )
    finally:
        finder.close()
    measured = {
        "with": f"vision.learn.derelict.evaluation, detector {detector.name} {finder.runtime}",
        "weight": Settings().second_stage_weight,
        "sizes": sizes,
    }
    return export_classifier(
        weights,
        recipe,
        registry_dir=registry_dir,
        licence=licence,
        crops=compared,
        metrics={"measured": measured},
        second_stage="derelict",
    )
