from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from vision.cluster.options import ClusterOptions
from vision.errors import ConfigError

JIEXU = [sys.executable, "-m", "service"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"address": "ray://head:10001"}, "--address ray://head:10001.*--address auto"),
        ({"workers": 0}, "--workers 0: must be at least 1"),
        ({"worker_cpus": 0}, "--worker-cpus 0"),
        ({"worker_gpus": 1.5}, "--worker-gpus 1.5: a share of one GPU, or a whole number"),
        ({"worker_gpus": -1.0}, "--worker-gpus -1"),
    ],
)
def test_what_cannot_be_is_said_by_its_option(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ClusterOptions(**given)


def test_a_share_of_a_gpu_or_several_can_be_reserved() -> None:
    assert ClusterOptions(worker_gpus=0.25).worker_gpus == 0.25
    assert ClusterOptions(worker_gpus=2.0).worker_gpus == 2.0


def test_without_ray_it_is_told_what_to_install() -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from vision.cluster.options import ClusterOptions\n"
        "from vision.cluster.start import cluster_engine\n"
        "from vision.errors import ConfigError\n"
        "try:\n    cluster_engine(ClusterOptions())\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "--engine ray: the package ray is not installed: pip install jiexu[ray]"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--engine", "spark"], "--engine spark: there are 'local' and 'ray'"),
        (["--workers", "2"], "are for --engine ray"),
    ],
)
def test_the_command_refuses_what_does_not_fit(options: list[str], told: str) -> None:
    done = subprocess.run(
        [*JIEXU, "scan", "nothing.mp4", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert told in done.stderr
