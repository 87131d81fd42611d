"""Train the second stage: a small classifier on crops of vehicles.

The network is the front part of a trained detector (its features are those of vehicles already),
the mean over its last map, and one linear layer. Training is seeded epoch by epoch, so that one
that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vision.errors import ModelError
from vision.files import write_atomically
from vision.learn.derelict.crops import CropRules, Drawer, Wear, read_crops
from vision.learn.derelict.network import CropNetwork, tensor
from vision.learn.measure.opening import read_network

CHECKPOINT = "last.pt"
WEIGHTS = "weights.pt"

Fraction = Annotated[float, Field(ge=0, le=1)]


class CropRecipe(BaseModel):
    """A recipe file of a crop classifier.

    Attributes:
        name: Name of the model.
        task: ``classify``.
        data: Name of the data set that it learns from.
        start: File name of the detector's weights whose front part it starts from.
        layers: Layers of that detector that are taken.
        frozen: Of these, layers that are not trained.
        input_size: Side of the input in pixels.
        crops: Which boxes become crops.
        wear: How training crops are varied.
        seed: Seed of all chance.
        epochs: Passes.
        crops_an_epoch: Crops drawn in each.
        batch: Crops a step.
        learning_rate: Highest rate of the front part, of AdamW; falls to zero as a cosine.
        head_learning_rate: The same of the linear layer.
        weight_decay: Of AdamW.
        dropout: Share of the features left out in training.
        smoothing: Targets are this far from 0 and 1, so that scores stay graded.
        average: Weight of the past, a step, in the averaged weights that are kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: Literal["classify"]
    data: str
    start: str
    layers: Annotated[int, Field(ge=1)] = 10
    frozen: Annotated[int, Field(ge=0)] = 0
    input_size: Annotated[int, Field(ge=32, multiple_of=32)] = 128
    crops: CropRules = CropRules()
    wear: Wear = Wear()
    seed: int
    epochs: Annotated[int, Field(ge=1)]
    crops_an_epoch: Annotated[int, Field(ge=2)]
    batch: Annotated[int, Field(ge=2)] = 32
    learning_rate: float
    head_learning_rate: float
    weight_decay: float = 0.01
    dropout: Fraction = 0.2
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    average: Annotated[float, Field(ge=0, lt=1)] = 0.98


def build_network(recipe: CropRecipe, weights: Path) -> CropNetwork:
    """The network before training.

    Args:
        recipe: The recipe.
        weights: Detector of ultralytics, ``.pt``. It is a pickle: open trusted files only.

    Raises:
        ModelError: The weights are missing, cannot be loaded, or their first layers are no chain.
    """
    layers = list(read_network(weights).model[: recipe.layers])
    if len(layers) < recipe.layers or any(layer.f != -1 for layer in layers):
        raise ModelError(f"{weights}: its first {recipe.layers} layers do not follow one another")
    front = torch.nn.Sequential(*layers).float()
    front.requires_grad_(True)
    front[: recipe.frozen].requires_grad_(False)
    torch.manual_seed(recipe.seed)
    with torch.no_grad():
        size = recipe.input_size
        features = front.eval()(torch.zeros(1, 3, size, size)).shape[1]
    return CropNetwork(front, features, recipe.dropout)


def train_crops(
    recipe: CropRecipe,
    data_dir: Path,
    out_dir: Path,
    *,
    start: Path,
    resume: bool = False,
    device: str = "cpu",
    progress: Callable[[int, int, float], None] = lambda *_: None,
) -> Path:
    """Train a crop classifier.

    Args:
        recipe: The recipe.
        data_dir: Holds the built data set, in a folder of the name the recipe uses.
        out_dir: Receives ``last.pt`` after every epoch and ``weights.pt`` at the end.
        start: Folder of the starting weights.
        resume: Go on where a stopped training of this folder was; without it, it begins anew.
        device: Torch device: ``cpu`` or ``cuda``.
        progress: Hears of each finished epoch: its number, how many there are, the mean loss.

    Returns:
        The file of the averaged weights, see :func:`load_network`.

    Raises:
        ModelError: The starting weights or the checkpoint cannot be used.
        InputError: The data set is missing or a class has no crop in it.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    drawer = Drawer(
        read_crops(data_dir / recipe.data, recipe.crops, "train"), recipe.wear, recipe.input_size
    )
    network = build_network(recipe, start / recipe.start).to(device)
    averaged = deepcopy(network).eval()
    steps = -(-recipe.crops_an_epoch // recipe.batch)
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p for p in network.front.parameters() if p.requires_grad],
                "lr": recipe.learning_rate,
            },
            {"params": network.head.parameters(), "lr": recipe.head_learning_rate},
        ],
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs * steps)
    done = 0
    checkpoint = out_dir / CHECKPOINT
    if resume and checkpoint.is_file():
        state = _load(checkpoint)
        if state["recipe"] != recipe.model_dump_json():
            raise ModelError(f"{checkpoint}: was trained by another recipe; resume is not possible")
        done = state["epochs"]
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
    for epoch in range(done, recipe.epochs):
        rng = np.random.default_rng([recipe.seed, epoch])
        torch.manual_seed(recipe.seed + epoch)
        losses = []
        for step in range(epoch * steps, (epoch + 1) * steps):
            images, truth = drawer.batch(recipe.batch, rng)
            losses.append(_step(network.train(), optimizer, tensor(images, device), truth, recipe))
            schedule.step()
            # In the first steps the past is short.
            _follow(averaged, network, min(recipe.average, step / (step + 10)))
        _save(
            checkpoint,
            {
                "recipe": recipe.model_dump_json(),
                "epochs": epoch + 1,
                "network": network.state_dict(),
                "averaged": averaged.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
            },
        )
        progress(epoch + 1, recipe.epochs, float(np.mean(losses)))
    weights = out_dir / WEIGHTS
    torch.save(averaged.cpu(), weights)
    return weights


def _step(
    network: CropNetwork,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    truth: NDArray[np.float32],
    recipe: CropRecipe,
) -> float:
    network.front[: recipe.frozen].eval()
    target = torch.from_numpy(truth).to(images.device)
    target = target * (1 - 2 * recipe.smoothing) + recipe.smoothing
    loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images)[:, 0], target)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()  # type: ignore[untyped-decorator]
def _follow(averaged: CropNetwork, network: CropNetwork, past: float) -> None:
    """Move the averaged weights towards the network's."""
    for mean, value in zip(
        averaged.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - past)
        else:
            mean.copy_(value)


def _save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def _load(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{path}: cannot be gone on with: {error}") from error
    return state
