"""The classifier of vehicle crops as PyTorch runs it.

Weights are kept as a pickle of :class:`CropNetwork`, which names the module of the class; see
:func:`load_network` before moving it.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vision.detect import ultralytics_setup
from vision.detect.classifier import fit
from vision.errors import ModelError
from vision.frames.frame import Image

FORMER_MODULE = "vision.learn.crop_training"
"""Where :class:`CropNetwork` was when the first weights, which ship, were written."""


class CropNetwork(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
    """Crops ``(n, 3, size, size)`` RGB float32 in 0..1 to logits ``(n, 1)``."""

    def __init__(self, front: torch.nn.Module, features: int, dropout: float) -> None:
        super().__init__()
        self.front = front
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.head(self.dropout(self.front(x).mean(dim=(2, 3))))


class Scored(torch.nn.Module):  # type: ignore[misc]
    """The network with probabilities ``(n, 1)`` for logits, as it is exported."""

    def __init__(self, network: CropNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.sigmoid(self.network(x))


def load_network(weights: Path) -> CropNetwork:
    """Load what :func:`vision.learn.derelict.training.train_crops` wrote, ready for inference.

    Args:
        weights: It is a pickle: open trusted files only.

    Raises:
        ModelError: The file holds no such network.
    """
    ultralytics_setup.prepare()
    try:
        network = torch.load(
            weights,
            map_location="cpu",
            weights_only=False,
            pickle_module=SimpleNamespace(
                __name__="pickle", load=pickle.load, Unpickler=_Unpickler
            ),
        )
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{weights}: PyTorch cannot load it: {error}") from error
    if not isinstance(network, CropNetwork):
        raise ModelError(f"{weights}: no crop classifier")
    network.eval()
    return network


class _Unpickler(pickle.Unpickler):
    """Finds the network also under the module in which it was when older weights were written."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(__name__ if module == FORMER_MODULE else module, name)


def tensor(images: NDArray[np.uint8], device: str = "cpu") -> torch.Tensor:
    """BGR uint8 ``(n, h, w, 3)`` to RGB float32 ``(n, 3, h, w)`` in 0..1."""
    planes = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2))
    return torch.from_numpy(planes).to(device).float() / 255


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
def scores(network: CropNetwork, crops: Sequence[Image], input_size: int) -> NDArray[np.float32]:
    """Probability ``(n,)`` that each crop is a positive; crops are BGR uint8 of any size."""
    rows = [
        torch.sigmoid(network(tensor(fit(crop, input_size)[np.newaxis])))[0, 0] for crop in crops
    ]
    return np.array([float(row) for row in rows], np.float32)
