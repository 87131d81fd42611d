"""No library tells its maker that it is used: what watches a city's streets reports to nobody.

Several do so unless they are told not to, some from the moment they are imported, so this comes
before all else of the package. What an operator has set in the environment stands. Of ultralytics,
:mod:`vision.detect.ultralytics_setup` takes care.
"""

from __future__ import annotations

import os
import sys

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables of ONNX Runtime and Ray, and what turns reporting off."""


def switch_off() -> None:
    """Turn reporting off in this process and in those that it starts; may be called again."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    # OpenVINO and NNCF have no switch, but do without where this package is not to be found.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
