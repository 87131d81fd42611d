"""The model registry: which models there are, their files with hashes, and how to read them.

Nothing is ever downloaded. The registry is a folder with ``registry.yaml`` and the files it names.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import numpy as np
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from vision.configfile import load_config
from vision.detect.boxes import Decoding, OutputForm
from vision.errors import ModelError
from vision.files import write_atomically

REGISTRY_FILE = "registry.yaml"

MODELS_VARIABLE = "JIEXU_MODELS"
"""Environment variable that names the registry folder to use."""

Runtime = Literal["openvino-int8", "openvino-fp16", "openvino-fp32", "onnx", "pytorch"]

RUNTIMES: tuple[Runtime, ...] = (
    "openvino-int8",
    "openvino-fp16",
    "openvino-fp32",
    "onnx",
    "pytorch",
)
"""Every runtime, the preferred one on a CPU first."""

SECOND_STAGES = ("derelict",)
"""What a second stage may tell of a vehicle's crop."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class ModelFile(BaseModel):
    """One file of a model.

    Attributes:
        path: Path relative to the registry folder, with forward slashes.
        sha256: SHA-256 of the file in lower-case hexadecimal digits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts:
            raise ValueError("must be a path inside the registry folder")
        return path


class ModelRow(BaseModel):
    """One model as written in ``registry.yaml``.

    Attributes:
        task: ``detect`` finds things in frames, ``classify`` tells what a crop shows.
        classes: Class names in the order of the class ids.
        input_size: Pixels of the longer side of its input; of both sides for crops.
        stride: Largest stride in pixels; both sides of the input are multiples of it.
        output: Form of a detector's output, see :mod:`vision.detect.boxes`.
        files: Files of each runtime; the first is the one to open, the others belong to it.
        thresholds: Smallest confidence of each class, all of them; none of a classifier's.
        nms_iou: Largest overlap that two boxes of one class may have.
        experimental: Classes without real pictures in training: found at best, not relied upon.
        metrics: Measured figures, free in form.
        card: Path of the model card relative to the registry folder.
        licence: SPDX expression of the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["detect", "classify"] = "detect"
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    input_size: Annotated[int, Field(gt=0)] = 640
    stride: Annotated[int, Field(gt=0)] = 32
    output: OutputForm | None = None
    files: Annotated[
        dict[Runtime, Annotated[tuple[ModelFile, ...], Field(min_length=1)]], Field(min_length=1)
    ]
    thresholds: dict[str, Fraction] = {}
    nms_iou: Fraction = 0.7
    experimental: tuple[str, ...] = ()
    metrics: dict[str, Any] = {}
    card: str | None = None
    licence: str

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: a name is given twice")
        finds = self.task == "detect"
        if (self.output is not None) != finds:
            raise ValueError(f"output: {'is needed' if finds else 'only detectors have one'}")
        thresholds = self.classes if finds else ()
        if set(self.thresholds) != set(thresholds):
            odd = sorted(set(self.thresholds) ^ set(thresholds))
            raise ValueError(
                f"thresholds: must name exactly the classes; at odds: {', '.join(odd)}"
            )
        strange = sorted(set(self.experimental) - set(self.classes))
        if strange:
            raise ValueError(f"experimental: none of the classes: {', '.join(strange)}")
        if self.input_size % self.stride:
            raise ValueError(f"input_size: must be a multiple of the stride {self.stride}")
        return self


class ModelEntry(ModelRow):
    """One model of a registry, with where it was found.

    Attributes:
        name: Name in the registry.
        folder: Folder of the registry.
    """

    name: str
    folder: Path

    def verified_files(self, runtime: str) -> list[Path]:
        """Give the files of one runtime after checking that each is the one registered.

        Args:
            runtime: One of :data:`RUNTIMES`.

        Raises:
            ModelError: The model has no files for this runtime, or a file is missing or has
                another SHA-256; the text names it.
        """
        paths = []
        for file in self._files(runtime):
            path = self.folder / file.path
            try:
                stat = path.stat()
                found = _sha256(path, stat.st_size, stat.st_mtime_ns)
            except OSError as error:
                raise ModelError(f"model {self.name}: {path}: cannot be read: {error}") from error
            if found != file.sha256:
                raise ModelError(
                    f"model {self.name}: {path}: SHA-256 is {found}, registered is {file.sha256}"
                )
            paths.append(path)
        return paths

    def sha256(self, runtime: str) -> str:
        """Give one SHA-256 for all files of a runtime.

        It is that of the file if there is one, else of the files' hexadecimal digests joined by
        line breaks in registered order.
        """
        digests = [file.sha256 for file in self._files(runtime)]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def decoding(self, thresholds: Mapping[str, float] | None = None) -> Decoding:
        """Tell how to read the model's output.

        Args:
            thresholds: Smallest confidence of some classes, instead of the registered ones.

        Raises:
            ModelError: A class is none of this model's, or the model is no detector.
        """
        if self.output is None:
            raise ModelError(f"model {self.name}: is no detector, its task is {self.task}")
        strange = sorted(set(thresholds or {}) - set(self.classes))
        if strange:
            known = ", ".join(self.classes)
            raise ModelError(f"model {self.name}: no class {', '.join(strange)}; it has {known}")
        limits = {**self.thresholds, **(thresholds or {})}
        return Decoding(
            names=self.classes,
            output=self.output,
            thresholds=np.array([limits[name] for name in self.classes], np.float32),
            nms_iou=self.nms_iou,
        )

    def _files(self, runtime: str) -> tuple[ModelFile, ...]:
        for known, files in self.files.items():
            if known == runtime:
                return files
        raise ModelError(
            f"model {self.name}: no files for runtime {runtime!r}; it has {', '.join(self.files)}"
        )


class _RegistryFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    default: str
    zones: dict[str, str] = {}
    second_stage: dict[str, str] = {}
    models: Annotated[dict[str, ModelRow], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_default(self) -> Self:
        if self.default not in self.models:
            raise ValueError(f"default: no model {self.default!r} in models")
        if self.models[self.default].task != "detect":
            raise ValueError(f"default: {self.default!r} is no detector")
        return self

    @model_validator(mode="after")
    def _has_zone_models(self) -> Self:
        for purpose, name in self.zones.items():
            if name not in self.models or self.models[name].task != "detect":
                raise ValueError(f"zones.{purpose}: no detector {name!r} in models")
        return self

    @model_validator(mode="after")
    def _has_second_stages(self) -> Self:
        for stage, name in self.second_stage.items():
            if stage not in SECOND_STAGES:
                known = ", ".join(SECOND_STAGES)
                raise ValueError(f"second_stage: {stage!r} is none; known: {known}")
            if name not in self.models or self.models[name].task != "classify":
                raise ValueError(f"second_stage.{stage}: no classifier {name!r} in models")
        return self


@dataclass(frozen=True)
class Registry:
    """All models of one registry folder.

    Attributes:
        folder: The folder that holds ``registry.yaml``.
        default: Name of the model to use when none is asked for.
        models: The models by name.
        zones: Purposes of zones to the name of the model for cameras that have such zones.
        second_stage: Names of classifiers by what they tell, of :data:`SECOND_STAGES`.
    """

    folder: Path
    default: str
    models: Mapping[str, ModelEntry]
    zones: Mapping[str, str] = field(default_factory=dict)
    second_stage: Mapping[str, str] = field(default_factory=dict)

    def model(self, name: str | None = None) -> ModelEntry:
        """Give a model by name, the default one for ``None``.

        Raises:
            ModelError: There is no such model; the text lists those there are.
        """
        entry = self.models.get(name or self.default)
        if entry is None:
            raise ModelError(
                f"{self.folder / REGISTRY_FILE}: no model {name!r}; "
                f"there are {', '.join(sorted(self.models))}"
            )
        return entry

    def model_for(self, purposes: Collection[str]) -> ModelEntry:
        """Give the model for a camera whose zones have these purposes, else the default one."""
        names = (name for purpose, name in self.zones.items() if purpose in purposes)
        return self.models[next(names, self.default)]

    def classifier(self, stage: str) -> ModelEntry | None:
        """Give the classifier of a second stage, ``None`` if there is none."""
        name = self.second_stage.get(stage)
        return None if name is None else self.models[name]


def find_registry(path: Path | None = None) -> Path:
    """Find ``registry.yaml``.

    Looked at in this order: ``path``, the folder in the environment variable ``JIEXU_MODELS``, the
    installed package's ``vision/shipped/models``, the checkout's ``models``.

    Args:
        path: Registry folder or its ``registry.yaml``; nothing else is looked at if given.

    Raises:
        ModelError: There is none; the text says where was looked.
    """
    package = Path(__file__).resolve().parent.parent
    if path is not None:
        places = [path.parent if path.name == REGISTRY_FILE else path]
    elif os.environ.get(MODELS_VARIABLE):
        places = [Path(os.environ[MODELS_VARIABLE])]
    else:
        places = [package / "shipped" / "models", package.parent / "models"]
    for place in places:
        if (place / REGISTRY_FILE).is_file():
            return place / REGISTRY_FILE
    looked = ", ".join(str(place / REGISTRY_FILE) for place in places)
    raise ModelError(f"no model registry: {looked} does not exist")


def load_registry(path: Path | None = None) -> Registry:
    """Read the model registry.

    Args:
        path: As for :func:`find_registry`.

    Raises:
        ModelError: There is no registry.
        ConfigError: It is wrong; the text names file, line and key.
    """
    file = find_registry(path)
    read = load_config(file, _RegistryFile)
    return Registry(
        folder=file.parent,
        default=read.default,
        models={
            name: ModelEntry(**dict(row), name=name, folder=file.parent)
            for name, row in read.models.items()
        },
        zones=read.zones,
        second_stage=read.second_stage,
    )


def write_entry(
    registry_dir: Path,
    entry: ModelEntry,
    *,
    default: bool = False,
    zones: Collection[str] = (),
    second_stage: str | None = None,
) -> None:
    """Write a model into ``registry.yaml``, keeping the others; models are sorted by name.

    Args:
        registry_dir: Folder of the registry; its files must already be there.
        entry: The model; one of the same name is replaced.
        default: Make it the default. The first model of a new registry always is.
        zones: Make it the model for cameras that have zones of these purposes.
        second_stage: Make it the classifier of this second stage, of :data:`SECOND_STAGES`.

    Raises:
        ConfigError: The registry that is there is wrong.
        ModelError: A file of the model is missing or has another SHA-256, or the first model of a
            new registry is no detector.
    """
    for runtime in entry.files:
        entry.model_copy(update={"folder": registry_dir}).verified_files(runtime)
    file = registry_dir / REGISTRY_FILE
    old = load_registry(registry_dir) if file.is_file() else None
    models = {**(old.models if old else {}), entry.name: entry}
    if old is None and entry.task != "detect":
        raise ModelError(f"{file}: model {entry.name}: a registry needs a detector first")
    stages = dict(old.second_stage) if old else {}
    by_zone = {**(old.zones if old else {}), **dict.fromkeys(zones, entry.name)}
    if second_stage is not None:
        stages[second_stage] = entry.name
    _write(
        registry_dir,
        default=entry.name if default or old is None else old.default,
        zones=by_zone,
        second_stage=stages,
        models=models,
    )


def remove_entry(registry_dir: Path, name: str) -> ModelEntry:
    """Take a model that nothing uses out of ``registry.yaml``; its files stay.

    Args:
        registry_dir: Folder of the registry.
        name: Name of the model.

    Returns:
        The model as it stood there.

    Raises:
        ConfigError: The registry is wrong.
        ModelError: There is no such model, or it is the default, that of a kind of zone or a
            second stage; the text says which.
    """
    old = load_registry(registry_dir)
    entry = old.model(name)
    uses = [
        *(["the default"] if old.default == name else []),
        *(f"the model of zones for {purpose}" for purpose, n in old.zones.items() if n == name),
        *(f"the second stage {stage}" for stage, n in old.second_stage.items() if n == name),
    ]
    if uses:
        raise ModelError(f"{old.folder / REGISTRY_FILE}: {name} is {' and '.join(uses)}")
    _write(
        registry_dir,
        default=old.default,
        zones=old.zones,
        second_stage=old.second_stage,
        models={other: row for other, row in old.models.items() if other != name},
    )
    return entry


def _write(
    registry_dir: Path,
    *,
    default: str,
    zones: Mapping[str, str],
    second_stage: Mapping[str, str],
    models: Mapping[str, ModelEntry],
) -> None:
    content = {
        "default": default,
        **({"zones": dict(zones)} if zones else {}),
        **({"second_stage": dict(second_stage)} if second_stage else {}),
        "models": {
            name: models[name].model_dump(
                mode="json", exclude={"name", "folder"}, exclude_none=True
            )
            for name in sorted(models)
        },
    }
    write_atomically(
        registry_dir / REGISTRY_FILE,
        yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100),
    )


@functools.cache
def _sha256(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001  part of the cache key
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
