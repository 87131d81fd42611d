"""A Ray cluster of processes on this machine, each node with a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blob_hosts import draw_heap
from databases import Postgres
from lost_machines import Machines

from service.store.database import Database

ROOT = Path(__file__).parents[3]
PATHS = (ROOT, ROOT / "tests", Path(__file__).parent)


@pytest.fixture(scope="session")
def heap_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_heap(tmp_path_factory.mktemp("clip") / "heap.mp4")


@pytest.fixture
def stored(postgres: Postgres) -> Iterator[Database]:
    """A PostgreSQL without rows."""
    yield postgres.migrated
    postgres.empty()


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A cluster of a head that watches nothing; machines are added by the test."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # Its processes are to have as much of the machine as others have.
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, PATHS)))
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        yield Machines(made, tmp_path_factory.mktemp("machines"))
        ray.shutdown()
        made.shutdown()
