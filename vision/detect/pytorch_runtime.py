"""Detection with PyTorch through ultralytics, on CUDA where there is a device."""

from __future__ import annotations

from pathlib import Path

import torch

from vision.detect import ultralytics_setup
from vision.detect.boxes import Decoding
from vision.detect.detections import Detections
from vision.detect.letterbox import Placement, to_tensor
from vision.detect.pooled import PooledDetector
from vision.detect.registry import ModelEntry
from vision.errors import ModelError
from vision.frames.frame import Image


class PyTorchDetector(PooledDetector):
    """A detector over an ultralytics ``.pt`` file."""

    def __init__(
        self, entry: ModelEntry, runtime: str, files: list[Path], decoding: Decoding, *, device: str
    ) -> None:
        """Load and fuse the network.

        Args:
            entry: The model.
            runtime: Runtime id, for the record.
            files: The ``.pt`` file. It is a pickle: only files of the registry may be opened.
            decoding: How to read the output.
            device: Torch device such as ``cpu``, ``cuda`` or ``cuda:1``; ``auto`` takes CUDA if
                there is a device.

        Raises:
            ModelError: The file is no ultralytics detector that fits the registry entry, or the
                device does not exist.
        """
        super().__init__(entry, runtime, decoding, workers=1)
        ultralytics_setup.prepare()
        from ultralytics.nn.tasks import load_checkpoint

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(device)
        try:
            network, _ = load_checkpoint(files[0])
            network.end2end = decoding.output == "end2end"
            network = network.fuse(verbose=False).eval().to(self._device)
        except Exception as error:  # unpickling may raise anything
            raise ModelError(f"{files[0]}: PyTorch cannot load it: {error}") from error
        output = "end2end" if network.end2end else "raw"
        if len(network.names) != len(self.names) or output != decoding.output:
            raise ModelError(
                f"{files[0]}: {len(network.names)} classes and {output!r} output do not fit "
                f"{len(self.names)} classes and {decoding.output!r}"
            )
        self._network = network

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
    def _infer(self, canvas: Image, place: Placement) -> Detections:
        tensor = torch.from_numpy(to_tensor(canvas)).to(self._device)
        output = self._network(tensor)[0]
        return self._decoding.decode(output.float().cpu().numpy(), place)
