"""Post-training quantisation of an OpenVINO network to INT8, by NNCF."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vision.detect.letterbox import letterbox, to_tensor
from vision.learn.data.pictures import read_image

MOST_CALIBRATION = 300
"""Pictures used at most, NNCF's own default; more of them change next to nothing."""


@dataclass(frozen=True)
class Quantisation:
    """How INT8 is made.

    Attributes:
        bias_correction: ``accurate`` measures the shift of every layer with the quantised layers
            before it, ``fast`` estimates it from statistics of the original network.
        preset: ``mixed`` quantises activations asymmetrically, as suits SiLU; ``performance`` all
            symmetrically.
    """

    bias_correction: Literal["accurate", "fast"] = "accurate"
    preset: Literal["mixed", "performance"] = "mixed"

    @property
    def name(self) -> str:
        """Both choices in a few words."""
        return f"{self.preset}, {self.bias_correction} bias correction"


DEFAULT_QUANTISATION = Quantisation()


def quantise(
    network: Any,
    pictures: Sequence[Path],
    input_size: int,
    stride: int,
    *,
    options: Quantisation = DEFAULT_QUANTISATION,
) -> Any:
    """Quantise a detector.

    The box arithmetic behind the last convolutions is left in floating point, as in ultralytics'
    own INT8 export.

    Args:
        network: ``openvino.Model`` that ultralytics converted, in floating point.
        pictures: Pictures that look like what cameras see; of more than
            :data:`MOST_CALIBRATION` an even selection is used.
        input_size: Pixels of the longer side of the input.
        stride: Largest stride in pixels.
        options: How it is done.

    Returns:
        A new ``openvino.Model``.

    Raises:
        InputError: A picture cannot be read.
    """
    import nncf

    nncf.set_log_level(logging.WARNING)
    # The same scope as in ultralytics/utils/export/openvino.py: one INT8 scale over box pixels and
    # class scores would round the scores to nothing.
    operations = network.get_ordered_ops()
    sigmoids = [op.get_friendly_name() for op in operations if op.get_type_name() == "Sigmoid"]
    head = sigmoids[-1].split("/", 1)[0]
    ignored = [
        op.get_friendly_name()
        for op in operations
        if op.get_type_name() == "Sigmoid"
        or op.get_friendly_name().startswith((f"{head}/", f"{head}.dfl"))
    ]
    chosen = pictures[:: -(-len(pictures) // MOST_CALIBRATION)]

    def tensors() -> Iterator[Any]:
        for path in chosen:
            yield to_tensor(letterbox(read_image(path), input_size, stride)[0])

    return nncf.quantize(
        network,
        nncf.Dataset(_Restartable(tensors)),
        preset=nncf.QuantizationPreset[options.preset.upper()],
        subset_size=len(chosen),
        fast_bias_correction=options.bias_correction == "fast",
        ignored_scope=nncf.IgnoredScope(names=ignored),
    )


class _Restartable:
    """Runs a generator function afresh at every pass, so that not all tensors stay in memory."""

    def __init__(self, start: Callable[[], Iterator[Any]]) -> None:
        self._start = start

    def __iter__(self) -> Iterator[Any]:
        return self._start()
