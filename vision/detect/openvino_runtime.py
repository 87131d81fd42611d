"""Detection with OpenVINO, the default on a CPU."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import properties
from openvino.preprocess import ColorFormat, PrePostProcessor

from vision.detect.boxes import Decoding
from vision.detect.compiled_cache import compiled as compiled_network
from vision.detect.detections import Detections
from vision.detect.letterbox import Placement
from vision.detect.pooled import PooledDetector
from vision.detect.registry import ModelEntry
from vision.errors import ModelError
from vision.frames.frame import Image

COMPILED_SIZES = 8
"""Canvas sizes kept compiled, more than the aspect ratios that cameras have; the one not used for
longest goes first."""


_COMPILING = threading.Lock()
"""One for all detectors: the first inference of the process must be alone."""


@dataclass(frozen=True)
class _Compiled:
    """A network compiled for one canvas size and its idle inference requests."""

    network: Any
    idle: queue.SimpleQueue[Any]


def for_pictures(network: ov.Model) -> ov.Model:
    """Let a network of RGB float32 ``(n, 3, h, w)`` in 0..1 take BGR uint8 ``(n, h, w, 3)``."""
    steps = PrePostProcessor(network)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(
        ov.Layout("NHWC")
    ).set_color_format(ColorFormat.BGR)
    steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(
        ColorFormat.RGB
    ).scale(255.0)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def settings(
    device: str, *, threads: int | None = None, streams: int | None = None
) -> dict[Any, Any]:
    """How networks are compiled.

    Args:
        device: OpenVINO device name such as ``CPU`` or ``GPU``.
        threads: CPU threads for inference, ``None`` for all.
        streams: Pictures inferred at a time, ``None`` for OpenVINO's choice.
    """
    config: dict[Any, Any] = {
        properties.hint.performance_mode(): properties.hint.PerformanceMode.THROUGHPUT,
        # Some CPUs would compute in bfloat16: other scores on other machines.
        properties.hint.inference_precision(): ov.Type.f32,
    }
    if device == "CPU":
        # Pinned threads of several processes would crowd on the same cores.
        config[properties.hint.enable_cpu_pinning()] = False
        if threads:
            config[properties.inference_num_threads()] = threads
    if streams:
        config[properties.streams.num()] = streams
    return config


class OpenVinoDetector(PooledDetector):
    """A detector over an OpenVINO IR with dynamic height and width.

    The network is compiled once for each canvas size that occurs: fixed shapes run faster than
    dynamic ones. Colour order and scaling are part of the compiled graph.
    """

    def __init__(
        self,
        entry: ModelEntry,
        runtime: str,
        files: list[Path],
        decoding: Decoding,
        *,
        device: str,
        workers: int,
        threads: int | None,
        streams: int | None,
    ) -> None:
        """Read the network; it is compiled when the first picture of a size comes.

        Args:
            entry: The model.
            runtime: Runtime id, for the record.
            files: The ``.xml`` first, then its ``.bin``.
            decoding: How to read the output.
            device: OpenVINO device name such as ``CPU`` or ``GPU``.
            workers: Threads that start inferences and decode.
            threads: CPU threads for inference, ``None`` for all.
            streams: Pictures inferred at a time, ``None`` for OpenVINO's choice.

        Raises:
            ModelError: The files are no network that fits the registry entry.
        """
        super().__init__(entry, runtime, decoding, workers)
        self._core = ov.Core()
        self._device = device
        self._config = settings(device, threads=threads, streams=streams)
        self._file = files[0]
        self._compiled: OrderedDict[tuple[int, int], _Compiled] = OrderedDict()
        try:
            network = self._core.read_model(self._file)
        except RuntimeError as error:
            raise ModelError(f"{self._file}: no OpenVINO network: {error}") from error
        shape = network.output(0).partial_shape
        axis, wanted = (1, 4 + len(self.names)) if decoding.output == "raw" else (2, 6)
        if shape.rank.get_length() != 3 or not shape[axis].relaxes(ov.Dimension(wanted)):
            raise ModelError(
                f"{self._file}: output {shape} does not fit {decoding.output!r} "
                f"with {len(self.names)} classes"
            )

    def close(self) -> None:
        """Finish what is pending and free the compiled networks."""
        super().close()
        self._compiled.clear()

    def _infer(self, canvas: Image, place: Placement) -> Detections:
        compiled = self._for_size(place.canvas_height, place.canvas_width)
        request = compiled.idle.get()
        try:
            output = request.infer(canvas[np.newaxis], share_inputs=True, share_outputs=True)[0]
            # The output lies in the request's memory, so it is read before another may use it.
            return self._decoding.decode(output, place)
        finally:
            compiled.idle.put(request)

    def _for_size(self, height: int, width: int) -> _Compiled:
        with _COMPILING:
            compiled = self._compiled.get((height, width))
            if compiled is None:
                compiled = self._compile(height, width)
                self._compiled[height, width] = compiled
                if len(self._compiled) > COMPILED_SIZES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end((height, width))
            return compiled

    def _compile(self, height: int, width: int) -> _Compiled:
        def network() -> ov.Model:
            read = self._core.read_model(self._file)
            read.reshape([1, 3, height, width])
            return for_pictures(read)

        compiled = compiled_network(
            self._core, network, self._device, self._config, (self.model_sha256, height, width)
        )
        idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(compiled.get_property(properties.optimal_number_of_infer_requests())):
            idle.put(compiled.create_infer_request())
        # The binding sets up NumPy in its first inference, and two threads doing that at once wait
        # for each other for ever.
        first = idle.get()
        first.infer(np.zeros((1, height, width, 3), np.uint8))
        idle.put(first)
        return _Compiled(compiled, idle)
