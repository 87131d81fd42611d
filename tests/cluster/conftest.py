"""A cluster of processes on this machine, a store that speaks S3, and a scene to scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from object_store import KEYS
from quiet import SECONDS, Quiet

from vision.learn.scenes.demo import make_demo
from vision.site import load_site


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``clips/`` of a drawn street and its ``site.yaml``."""
    out = tmp_path_factory.mktemp("street")
    site = make_demo(out, ["street_demo"], seconds=SECONDS, seed=1, progress=Quiet())
    assert load_site(site).cameras
    return out


@pytest.fixture(scope="session")
def bucket(object_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a bucket, reached as an operator says it: by variables of the SDK."""
    with pytest.MonkeyPatch.context() as patch:
        for name, text in {**KEYS, "AWS_ENDPOINT_URL_S3": object_store}.items():
            patch.setenv(name, text)
        # Its processes are to have as much of the machine as others have.
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("JIEXU_SCRATCH", str(tmp_path_factory.mktemp("scratch")))
        system = fsspec.filesystem("s3", skip_instance_cache=True)
        system.mkdir("recordings")
        type(system).clear_instance_cache()
        yield "s3://recordings"
        type(system).clear_instance_cache()


@pytest.fixture
def cluster(bucket: str) -> Iterator[Any]:
    """A head without room for workers and two nodes with room for one each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()
