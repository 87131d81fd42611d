"""Prepare the process for ultralytics: offline, nothing installed behind one's back.

Call :func:`prepare` before the first ``import ultralytics``; it is the only place that does this.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import types

from PIL import Image


def prepare() -> None:
    """Set ultralytics up; calling it again does nothing.

    ultralytics may neither install packages nor reach the network. It imports torchvision for its
    NMS only, and a torchvision built for another torch fails on import; a stand-in that holds
    ultralytics' own NMS, equal in result, takes its place then.
    """
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ.setdefault("YOLO_VERBOSE", "false")
    if "torchvision" not in sys.modules:
        try:
            import torchvision  # noqa: F401
        except (ImportError, RuntimeError, OSError):
            for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
                del sys.modules[name]
            _stand_in()
    _give_pillow_back()


def _give_pillow_back() -> None:
    """Undo ultralytics' replacement of ``Image.open``.

    For a broken picture it would install a HEIF reader, or fail with a missing module instead of
    Pillow's own error.
    """
    from ultralytics.utils import patches

    Image.open = patches._image_open


def _stand_in() -> None:
    package, ops = types.ModuleType("torchvision"), types.ModuleType("torchvision.ops")
    for module in (package, ops):
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, loader=None)
        module.__dict__["__version__"] = "0.0.0"
    package.__path__ = []
    package.__dict__["ops"] = ops
    sys.modules["torchvision"], sys.modules["torchvision.ops"] = package, ops
    from ultralytics.utils.nms import TorchNMS

    ops.__dict__["nms"] = TorchNMS.nms
