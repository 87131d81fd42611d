"""Evidence in a bucket: the whole way of a file, over the S3 protocol of a server of our own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from object_store import KEYS
from posting import picture_of, record
from serving import Serving

from service.cases.intake import Intake
from service.evidence.files import EvidenceFiles, EvidenceStoreError
from service.evidence.retention import keep_evidence
from service.logs import JsonLines
from service.settings import Retention, ServiceSettings
from service.store.tables import CaseRow, CaseState, Role, Variant

KEY, SECRET = KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A prefix in a fresh bucket, reached as an operator says it: by variables of the SDK."""
    for variable, text in {**KEYS, "AWS_ENDPOINT_URL_S3": object_store}.items():
        monkeypatch.setenv(variable, text)
    name = f"jiexu-{abs(hash(tmp_path))}"
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir(name)
    type(filesystem).clear_instance_cache()
    yield f"s3://{name}/north"
    type(filesystem).clear_instance_cache()


@pytest.fixture
def served(serving: Serving, bucket: str) -> Serving:
    """The API over a database of each kind, with its evidence in the bucket."""
    return Serving(replace(serving.service, files=EvidenceFiles(bucket)))


def masked(data: bytes, _media_type: str) -> bytes:
    return b"masked " + data


def take(serving: Serving, folder: Path, count: int) -> None:
    service = serving.service
    intake = Intake(service.database, service.files, mask=masked, clock=service.clock)
    for number in range(count):
        scene = folder / f"{number}.jpg"
        scene.write_bytes(picture_of(number))
        intake.take(record(number), {"scene": scene})


def keys_of(files: EvidenceFiles) -> list[str]:
    return list(files.keys())


def evidence_of(serving: Serving, number: int) -> dict[str, dict[str, Any]]:
    answer = serving.user(Role.SUPERVISOR).get(f"/api/v1/cases/violation-{number}/evidence")
    assert answer.status_code == 200, answer.text
    return {one["variant"]: one for one in answer.json()}


def settle(serving: Serving, number: int, state: CaseState) -> None:
    with serving.service.database.write() as session:
        session.get_one(CaseRow, f"violation-{number}").state = state


def test_a_file_on_its_way_from_the_camera_to_the_end_of_its_time(
    served: Serving, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonLines())
    service = served.service
    assert served.anyone().get("/readyz").json() == {"status": "ready"}

    take(served, tmp_path, 3)
    variants = [key.partition("/")[0] for key in keys_of(service.files)]
    assert (variants.count("masked"), variants.count("sealed")) == (3, 3)

    found = evidence_of(served, 0)
    url, shown = found["masked"]["link"]["url"], masked(picture_of(0), "")
    client = served.anyone()
    assert client.get(url).content == shown
    part = client.get(url, headers={"range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, shown[2:6])
    opened = served.user(Role.SUPERVISOR).post(
        f"/api/v1/evidence/{found['sealed']['id']}/open", json={"reason": "plate for the notice"}
    )
    assert client.get(opened.json()["url"]).content == picture_of(0)

    settle(served, 0, CaseState.REJECTED)
    later = service.clock() + timedelta(hours=73)
    kept = keep_evidence(service.database, service.files, Retention(), later)
    assert kept.removed_files == 2
    assert client.get(url).status_code == 410
    assert len(keys_of(service.files)) == 4

    settle(served, 1, CaseState.CLOSED)
    quota = Retention(evidence_quota_gb=1e-9)
    kept = keep_evidence(service.database, service.files, quota, service.clock())
    assert kept.removed_files == 2
    assert kept.over_quota_bytes == kept.kept_bytes - 1
    assert evidence_of(served, 2)["masked"]["removed_at"] is None
    assert len(keys_of(service.files)) == 2
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


def test_what_another_host_writes_and_removes_is_seen_at_once(bucket: str) -> None:
    here = EvidenceFiles(bucket)
    first = here.keep(Variant.MASKED, b"picture", "image/jpeg")
    assert keys_of(here) == [first]
    assert here.size(first) == 7
    name = bucket.removeprefix("s3://")
    other = fsspec.filesystem("s3", skip_instance_cache=True)
    second = first.replace("masked", "sealed")
    other.copy(f"{name}/{first}", f"{name}/{second}")
    other.rm_file(f"{name}/{first}")
    assert keys_of(here) == [second]
    assert here.size(first) is None
    with pytest.raises(FileNotFoundError):
        here.read(first)


def test_parts_of_a_large_clip_are_read_without_the_rest(bucket: str) -> None:
    files = EvidenceFiles(bucket)
    data = bytes(range(256)) * (12 << 12)
    key = files.keep(Variant.SEALED, data, "video/mp4")
    assert b"".join(files.chunks(key, 1000, 5_000_000)) == data[1000:5_000_000]
    assert b"".join(files.chunks(key, len(data) - 10, len(data))) == data[-10:]


def test_a_bucket_that_is_not_there_makes_the_service_unready(
    serving: Serving, bucket: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    files = EvidenceFiles(bucket.replace("s3://jiexu-", "s3://no-such-"))
    unready = Serving(replace(serving.service, files=files))
    answer = unready.anyone().get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:jiexu:problem:evidence_store")
    with pytest.raises((EvidenceStoreError, FileNotFoundError)):
        files.keep(Variant.MASKED, b"picture", "image/jpeg")
    assert SECRET not in caplog.text


def test_a_server_that_is_away_is_said_to_be(
    served: Serving, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(served, tmp_path, 1)
    url = evidence_of(served, 0)["masked"]["link"]["url"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    answer = Serving(replace(served.service, files=EvidenceFiles(bucket))).anyone().get(url)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:jiexu:problem:evidence_store")
    assert answer.headers["retry-after"] == "5"


def test_credentials_do_not_stand_in_the_settings() -> None:
    with pytest.raises(ValueError, match="credentials do not belong") as told:
        ServiceSettings(evidence=f"s3://{KEY}:{SECRET}@bucket/north")
    assert SECRET not in str(told.value.errors(include_input=False))  # type: ignore[attr-defined]
