"""Train a detector on a built data set, with ultralytics.

Two things are added to ultralytics' own training. The head starts from the rows of a trained
network's classes (:func:`adapt_head`), so that classes it already knows work from the first step.
And classes that are unknown in a picture (:mod:`vision.learn.data.dataset`) are not taught as
absent there: their negative terms are taken out of the classification loss.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from vision.detect import ultralytics_setup
from vision.errors import ConfigError, ModelError
from vision.learn.data.dataset import read_pictures
from vision.learn.data.pictures import Progress, class_names
from vision.learn.train.distillation import Rehearsal
from vision.learn.train.validation import average_precisions

ultralytics_setup.prepare()

from ultralytics.data.augment import Mosaic  # noqa: E402  needs the set-up above
from ultralytics.data.dataset import YOLODataset  # noqa: E402
from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.nn.tasks import DetectionModel, load_checkpoint  # noqa: E402
from ultralytics.utils.loss import E2ELoss, v8DetectionLoss  # noqa: E402
from ultralytics.utils.torch_utils import strip_optimizer  # noqa: E402

NEW_CLASS_PRIOR = 0.01
"""Confidence that a row made for a class the old network lacks gives on the average picture."""


class Rehearse(BaseModel):
    """What is not to be forgotten; see :class:`vision.learn.train.distillation.Rehearsal`.

    Attributes:
        weights: File name of the weights that know it.
        gain: Weight of the term beside the classification loss of the labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str
    gain: float = Field(default=0.5, gt=0)


class Stage(BaseModel):
    """One stage of training.

    Attributes:
        data: Name of the data set that the stage learns from.
        settings: Settings of ultralytics' trainer (``epochs``, ``imgsz``, ``lr0`` and so on).
        bfloat16: Compute the networks in bfloat16 with channels last, several times as fast on CPUs
            that have it (AMX) and several times as slow on others; weights, loss and optimiser stay
            in float32.
        validate_every: Measure on the validation pictures after every so many epochs and after the
            last one. With ``patience`` in ``settings`` (counted in epochs) a run that no longer
            improves stops, and the best weights are taken instead of the last.
        rehearse: A network whose knowledge of the classes that it shares is to be kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    settings: dict[str, Any]
    bfloat16: bool = False
    validate_every: int = Field(default=1, ge=1)
    rehearse: Rehearse | None = None


class TrainingRecipe(BaseModel):
    """A training recipe file.

    Attributes:
        name: Name of the model.
        start: File name of the weights that the first stage starts from, or file names with shares
            whose weighted mean it starts from. A fine-tuned network averaged with the one it came
            from keeps more of what the latter knew (Wortsman et al. 2022, arXiv:2109.01903).
        rows: Class of ours to the classes whose mean row it starts from, in weights that lack a
            class of its own name.
        stages: Run one after the other, each from the weights of the one before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    start: str | dict[str, float]
    rows: dict[str, tuple[str, ...]]
    stages: dict[str, Stage] = Field(min_length=1)


def adapt_head(
    network: DetectionModel, classes: tuple[str, ...], rows: dict[str, tuple[str, ...]]
) -> DetectionModel:
    """Give a trained network other classes without losing what it knows.

    Only the last 1x1 convolution of each classification branch is replaced. A class starts from
    the row (weights and bias) of the old class of its name; the mean of the rows named in ``rows``
    serves a new class, with its bias lowered to ``NEW_CLASS_PRIOR`` of the old one.

    Args:
        network: Detector of the YOLOv8, YOLO11 or YOLO26 family; not changed.
        classes: New class names in the order of their ids.
        rows: New class to the old classes it starts from.

    Returns:
        A copy with the new head, in float32.

    Raises:
        ConfigError: A class has neither a namesake in the old network nor an entry in ``rows``, or
            the entry names a class that the old network lacks.
    """
    network = deepcopy(network).float()
    old = {name: i for i, name in network.names.items()}
    picks: list[list[int]] = []
    for name in classes:
        sources = (name,) if name in old else rows.get(name, (name,))
        missing = [s for s in sources if s not in old]
        if missing:
            raise ConfigError(f"rows.{name}: the starting weights have no class {missing[0]}")
        picks.append([old[s] for s in sources])

    head = network.model[-1]
    for branch in (*head.cv3, *getattr(head, "one2one_cv3", ())):
        last = branch[-1]
        new = torch.nn.Conv2d(last.in_channels, len(classes), 1)
        with torch.no_grad():
            for i, (name, pick) in enumerate(zip(classes, picks, strict=True)):
                new.weight[i] = last.weight[pick].mean(dim=0)
                new.bias[i] = last.bias[pick].mean()
                if name not in old:
                    new.bias[i] += float(np.log(NEW_CLASS_PRIOR))
        branch[-1] = new
    head.nc = len(classes)
    head.no = head.nc + 4 * head.reg_max
    network.nc = len(classes)
    network.names = dict(enumerate(classes))
    network.yaml = {**network.yaml, "nc": len(classes)}
    network.criterion = None
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return network


def mean_network(networks: Sequence[DetectionModel], shares: Sequence[float]) -> DetectionModel:
    """Average the weights of networks of one architecture and one list of classes.

    Args:
        networks: Not changed.
        shares: Weight of each; their sum is brought to 1.

    Raises:
        ConfigError: The networks differ in layers or classes.
    """
    first = deepcopy(networks[0]).float()
    states = [network.float().state_dict() for network in networks]
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    if any(s != shapes[0] for s in shapes) or any(n.names != first.names for n in networks):
        raise ConfigError("start: networks of different layers or classes cannot be averaged")
    total = sum(shares)
    mixed = {
        key: sum(share / total * state[key] for share, state in zip(shares, states, strict=True))
        if value.is_floating_point()
        else value
        for key, value in states[0].items()
    }
    first.load_state_dict(mixed)
    return first


class PartialLabelLoss(v8DetectionLoss):  # type: ignore[misc]  # ultralytics is not followed
    """Detection loss that leaves unknown classes out of a picture's negatives.

    The batch holds ``unknown``: one boolean array ``(classes,)`` a picture.
    """

    def __init__(self, model: DetectionModel, **assignment: Any) -> None:
        super().__init__(model, **assignment)
        self.bce = _MaskedBCE()

    def loss(self, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> Any:
        """Compute the loss; see ultralytics."""
        mask = np.stack([np.asarray(row) for row in batch["unknown"]])
        self.bce.unknown = torch.from_numpy(mask).to(self.device)
        return super().loss(preds, batch)


class _MaskedBCE(torch.nn.Module):  # type: ignore[misc]
    """Binary cross-entropy without reduction, zero where an unknown class has no target."""

    unknown: torch.Tensor

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        term = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, targets, reduction="none"
        )
        ignored = self.unknown[:, None, :] & (targets == 0)
        return term.masked_fill(ignored, 0.0)


class _TrainedNetwork(DetectionModel):  # type: ignore[misc]
    """The network while it is trained; checkpoints hold ultralytics' plain class."""

    bfloat16 = False
    rehearsal: Rehearsal | None = None

    def loss(self, batch: dict[str, Any], preds: Any = None) -> Any:
        outputs = self.forward(batch["img"]) if preds is None else preds
        total, items = super().loss(batch, outputs)
        if self.rehearsal is not None:
            scores = outputs.get("one2many", outputs)["scores"]
            term = self.rehearsal.term(batch["img"], scores) * self.args.cls
            total = total + torch.stack([term * 0, term, term * 0]) * len(batch["img"])
            items = {**items, "kept_loss": term.detach()}
        return total, items

    def init_criterion(self) -> PartialLabelLoss | E2ELoss:
        if getattr(self.model[-1], "one2one_cv3", None) is not None:
            return E2ELoss(self, PartialLabelLoss)
        return PartialLabelLoss(self)

    def predict(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.bfloat16:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            raw = super().predict(x, *args, **kwargs)
        return _in_float32(raw)


def _in_float32(raw: dict[str, Any]) -> dict[str, Any]:
    """Outputs of the head in float32; the feature maps, of which the shape is used, as they are."""
    return {
        key: _in_float32(value)
        if isinstance(value, dict)
        else value.float()
        if key != "feats"
        else value
        for key, value in raw.items()
    }


class PartialLabelDataset(YOLODataset):  # type: ignore[misc]
    """YOLO data set whose samples say which classes are unknown in them.

    A mosaic is made of pictures of one source, so that few classes are unknown in all of it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        root = Path(self.data["path"])
        names = list(self.data["names"].values())
        known = {str(root / p.file): p for p in read_pictures(root)}
        self._unknown: list[np.ndarray] = []
        by_source: dict[str, list[int]] = {}
        self._peers: list[list[int]] = []
        for i, file in enumerate(self.im_files):
            picture = known[str(Path(file))]
            self._unknown.append(np.array([n in picture.unknown for n in names]))
            peers = by_source.setdefault(picture.source, [])
            peers.append(i)
            self._peers.append(peers)

    def peers(self, index: int) -> list[int]:
        """Indices of the pictures of the same source."""
        return self._peers[index]

    def get_image_and_label(self, index: int) -> dict[str, Any]:
        """Read one sample."""
        label: dict[str, Any] = super().get_image_and_label(index)
        label["unknown"] = self._unknown[index]
        label["index"] = index
        return label

    def build_transforms(self, hyp: Any = None) -> Any:
        """Put the mosaic of one source in the place of ultralytics' own."""
        transforms = super().build_transforms(hyp)
        _replace_mosaic(transforms, self)
        return transforms


class _SourceMosaic(Mosaic):  # type: ignore[misc]
    """Mosaic of four pictures of one source; a class unknown in one is unknown in the whole."""

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        self._index = labels["index"]
        return super().__call__(labels)  # type: ignore[no-any-return]

    def get_indexes(self) -> list[int]:
        peers = self.dataset.peers(self._index)
        return [int(np.random.choice(peers)) for _ in range(self.n - 1)]

    def _cat_labels(self, mosaic_labels: list[dict[str, Any]]) -> dict[str, Any]:
        final: dict[str, Any] = super()._cat_labels(mosaic_labels)
        final["unknown"] = np.logical_or.reduce([row["unknown"] for row in mosaic_labels])
        return final


def _replace_mosaic(transforms: Any, dataset: YOLODataset) -> None:
    for i, transform in enumerate(transforms.transforms):
        if type(transform) is Mosaic:
            transforms.transforms[i] = _SourceMosaic(
                dataset, imgsz=transform.imgsz, p=transform.p, n=transform.n
            )
        elif hasattr(transform, "transforms"):
            _replace_mosaic(transform, dataset)


class PartialLabelTrainer(DetectionTrainer):  # type: ignore[misc]
    """Ultralytics' trainer with the data set, the loss and the head of this module."""

    best_fitness: float | None

    def __init__(
        self,
        overrides: dict[str, Any],
        rows: dict[str, tuple[str, ...]],
        *,
        bfloat16: bool = False,
        validate_every: int = 1,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            overrides: Settings of ultralytics' trainer.
            rows: As for :func:`adapt_head`.
            bfloat16: See :class:`Stage`.
            validate_every: See :class:`Stage`.
            rehearsal: Knowledge to keep.
        """
        super().__init__(overrides=overrides)
        self._rows = rows
        self.bfloat16 = bfloat16
        self._validate_every = validate_every
        self.rehearsal = rehearsal
        self.batches_begun = 0
        self.add_callback("on_pretrain_routine_end", _make_trainable)
        self.add_callback("on_train_batch_start", PartialLabelTrainer.decay_learning_rate)

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Open one side of the data set."""
        train = mode == "train"
        return PartialLabelDataset(
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=train,
            hyp=self.args,
            rect=not train,
            cache=self.args.cache or None,
            stride=32,
            pad=0.0 if train else 0.5,
            prefix=f"{mode}: ",
            task="detect",
            data=self.data,
        )

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:  # noqa: ARG002
        """Take the network as it is if it has our classes, else adapt its head."""
        classes = tuple(self.data["names"].values())
        if tuple(weights.names.values()) == classes:
            network = deepcopy(weights).float()
            for parameter in network.parameters():
                parameter.requires_grad_(True)
            return network
        return adapt_head(weights, classes, self._rows)

    def validate(self) -> tuple[dict[str, float], float | None]:
        """Measure the averaged weights; ultralytics' own takes unknown classes for absent ones.

        Returns:
            ``AP50/<class>`` of each class with labelled boxes, and the mean of them; nothing and
            ``None`` after an epoch that is not measured.
        """
        last = self.epoch + 1 >= self.epochs or self.stopper.possible_stop
        if (self.epoch + 1) % self._validate_every and not last:
            return {}, None
        scores = average_precisions(self.ema.ema, Path(self.data["path"]), self.args.imgsz)
        fitness = float(np.mean(list(scores.values()))) if scores else 0.0
        self.best_fitness = max(fitness, self.best_fitness or 0.0)
        return {f"AP50/{name}": value for name, value in scores.items()}, fitness

    def final_eval(self) -> None:
        """Take the optimiser's state out of the last checkpoint, which marks the run finished.

        A run that was stopped early ends with its best weights.
        """
        if self.epoch + 1 < self.epochs and self.best.exists():
            shutil.copyfile(self.best, self.last)
        strip_optimizer(self.last)

    def decay_learning_rate(self) -> None:
        """Lower the learning rate in a line over all batches of the run, after the warm-up.

        Ultralytics lowers it between epochs only; a stage of one or two epochs needs more steps.
        """
        a_epoch = len(self.train_loader)
        done = (self.start_epoch * a_epoch + self.batches_begun) / (self.epochs * a_epoch)
        self.batches_begun += 1
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * (1 - done * (1 - self.args.lrf))


def _tell(progress: Progress, stage: str, trainer: PartialLabelTrainer) -> None:
    batches = len(trainer.train_loader)
    done = trainer.start_epoch * batches + trainer.batches_begun
    progress(stage, done, trainer.epochs * batches)


def _make_trainable(trainer: PartialLabelTrainer) -> None:
    # The averaged copy that is validated and saved was taken before and keeps the plain class.
    trainer.model.__class__ = _TrainedNetwork
    trainer.model.bfloat16 = trainer.bfloat16
    if trainer.bfloat16:
        trainer.model.to(memory_format=torch.channels_last)
    trainer.model.rehearsal = trainer.rehearsal


def train(
    recipe: TrainingRecipe,
    data_dir: Path,
    out_dir: Path,
    *,
    start: Path,
    stages: tuple[str, ...] | None = None,
    resume: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Run the stages of a recipe.

    Args:
        recipe: The recipe.
        data_dir: Holds the built data sets, each in a folder of the name the stages use.
        out_dir: Receives one folder a stage; weights are in ``<stage>/weights/last.pt`` after
            every epoch.
        start: Folder of the starting weights.
        stages: Stages to run; all of them if not given.
        resume: Skip finished stages and continue an interrupted one at its last epoch. Without it
            a stage whose folder exists is an error.
        device: Torch device, as ultralytics names it: ``cpu`` or ``0``.
        threads: Threads of the CPU to compute with; without it ultralytics leaves a core free.
        progress: Hears how it goes on.

    Returns:
        The weights of the last stage (averaged over the training steps, half precision).

    Raises:
        ConfigError: The recipe names a stage, weights or setting that cannot be used.
        ModelError: Weights are missing.
        InputError: A data set is missing or was not built by :mod:`vision.learn.data.dataset`.
    """
    names = tuple(recipe.stages) if stages is None else stages
    for name in names:
        if name not in recipe.stages:
            raise ConfigError(f"stage {name}: the recipe has {', '.join(recipe.stages)}")
    weights = start / recipe.start if isinstance(recipe.start, str) else out_dir / "start.pt"
    for name, stage in recipe.stages.items():
        folder = out_dir / name
        last = folder / "weights" / "last.pt"
        if name not in names:
            weights = last
            continue
        if weights == out_dir / "start.pt":
            _write_mean(recipe, start, data_dir / stage.data, weights)
        if not weights.is_file():
            raise ModelError(f"{weights}: no such file; stage {name} starts from it")
        if last.is_file():
            if not resume:
                raise ConfigError(f"{folder}: stage {name} was run before; resume it or move it")
            if _finished(last):
                weights = last
                continue
            overrides: dict[str, Any] = {"resume": str(last)}
        else:
            overrides = _overrides(stage, data_dir / stage.data, weights, folder, device)
        trainer = PartialLabelTrainer(
            overrides,
            recipe.rows,
            bfloat16=stage.bfloat16,
            validate_every=stage.validate_every,
            rehearsal=_rehearsal(stage, start, data_dir / stage.data),
        )
        if threads is not None:
            trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(threads))
        if progress is not None:
            trainer.add_callback("on_train_batch_start", partial(_tell, progress, name))
        trainer.train()
        weights = last
    return weights


def _rehearsal(stage: Stage, folder: Path, data_dir: Path) -> Rehearsal | None:
    if stage.rehearse is None:
        return None
    weights = folder / stage.rehearse.weights
    if not weights.is_file():
        raise ModelError(f"{weights}: no such file; stage data {stage.data} rehearses it")
    known, _ = load_checkpoint(weights)
    return Rehearsal(
        known, tuple(class_names(data_dir)), stage.rehearse.gain, bfloat16=stage.bfloat16
    )


def _write_mean(recipe: TrainingRecipe, folder: Path, data_dir: Path, target: Path) -> None:
    """Write the weighted mean of the recipe's starting weights, with the data set's classes."""
    assert not isinstance(recipe.start, str)
    classes = tuple(class_names(data_dir))
    networks = []
    for file in recipe.start:
        if not (folder / file).is_file():
            raise ModelError(f"{folder / file}: no such file; the recipe starts from it")
        networks.append(adapt_head(load_checkpoint(folder / file)[0], classes, recipe.rows))
    _save_network(mean_network(networks, tuple(recipe.start.values())), target)


def average(shares: Mapping[Path, float], target: Path) -> None:
    """Write the weighted mean of weights that were trained one from the other.

    Args:
        shares: Weights (``.pt`` of ultralytics; pickles, open trusted files only) and their shares.
        target: File to write.

    Raises:
        ModelError: A file is missing.
        ConfigError: The networks differ in layers or classes.
    """
    for file in shares:
        if not file.is_file():
            raise ModelError(f"{file}: no such file")
    networks = [load_checkpoint(file)[0] for file in shares]
    _save_network(mean_network(networks, tuple(shares.values())), target)


def _save_network(network: DetectionModel, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network, "ema": None, "train_args": {"task": "detect"}}, target)


def _overrides(
    stage: Stage, data: Path, weights: Path, folder: Path, device: str
) -> dict[str, Any]:
    for key in ("mixup", "cutmix", "copy_paste"):
        if stage.settings.get(key):
            raise ConfigError(f"{key}: must be 0, it mixes pictures with different unknown classes")
    read_pictures(data)
    return {
        "workers": 1,
        "plots": False,
        "exist_ok": True,
        **stage.settings,
        "mode": "train",
        "task": "detect",
        "model": str(weights),
        "data": str(data / "data.yaml"),
        "project": str(folder.parent.resolve()),
        "name": folder.name,
        "device": device,
    }


def _finished(last: Path) -> bool:
    """Ultralytics marks the checkpoint of a finished run with epoch -1."""
    _, checkpoint = load_checkpoint(last)
    return int(checkpoint.get("epoch", -1)) < 0
