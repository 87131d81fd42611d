"""Detection with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from vision.detect.boxes import Decoding
from vision.detect.detections import Detections
from vision.detect.letterbox import Placement, to_tensor
from vision.detect.pooled import PooledDetector
from vision.detect.registry import ModelEntry
from vision.errors import ModelError
from vision.frames.frame import Image


class OnnxDetector(PooledDetector):
    """A detector over an ONNX file with dynamic height and width."""

    def __init__(
        self,
        entry: ModelEntry,
        runtime: str,
        files: list[Path],
        decoding: Decoding,
        *,
        cuda: bool,
        threads: int | None,
        streams: int | None,
    ) -> None:
        """Open the file.

        Args:
            entry: The model.
            runtime: Runtime id, for the record.
            files: The ``.onnx`` file.
            decoding: How to read the output.
            cuda: Run on the first CUDA device instead of the CPU.
            threads: CPU threads for one inference, ``None`` for all.
            streams: Pictures inferred at a time, ``None`` for one.

        Raises:
            ModelError: The file is no ONNX network, or CUDA is asked for and missing.
        """
        super().__init__(entry, runtime, decoding, workers=streams or 1)
        if cuda and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ModelError("the installed onnxruntime cannot use CUDA: install onnxruntime-gpu")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        providers = ["CUDAExecutionProvider"] if cuda else []
        try:
            self._session = onnxruntime.InferenceSession(
                str(files[0]), options, providers=[*providers, "CPUExecutionProvider"]
            )
        except Exception as error:  # its error classes share no base but Exception
            raise ModelError(f"{files[0]}: ONNX Runtime cannot open it: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def _infer(self, canvas: Image, place: Placement) -> Detections:
        try:
            output = self._session.run(None, {self._input: to_tensor(canvas)})[0]
        except Exception as error:  # its error classes share no base but Exception
            raise ModelError(f"model {self.model_name}: ONNX Runtime failed: {error}") from error
        return self._decoding.decode(output, place)
