from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from service.evidence.files import EvidenceFiles, key_of
from service.store.tables import Variant
from vision.errors import InputError


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> EvidenceFiles:
    """On disk, and in a store that is no file system, as a bucket would be."""
    if request.param == "folder":
        return EvidenceFiles(tmp_path)
    return EvidenceFiles(f"memory://{tmp_path.name}")


def test_a_file_is_found_under_its_hash_in_the_place_of_its_variant(files: EvidenceFiles) -> None:
    digest = hashlib.sha256(b"picture").hexdigest()
    key = files.keep(Variant.SEALED, b"picture", "image/jpeg")
    assert key == f"sealed/{digest[:2]}/{digest}.jpg"
    assert files.read(key) == b"picture"
    assert files.size(key) == 7
    assert list(files.keys()) == [key]


def test_parts_are_read_without_the_rest(files: EvidenceFiles) -> None:
    data = bytes(range(256)) * 4096
    key = files.keep(Variant.MASKED, data, "video/mp4")
    assert b"".join(files.chunks(key, 1000, 700_000)) == data[1000:700_000]


def test_what_is_removed_is_gone_and_may_be_removed_again(files: EvidenceFiles) -> None:
    key = files.keep(Variant.MASKED, b"picture", "image/jpeg")
    files.remove(key)
    files.remove(key)
    assert files.size(key) is None
    assert list(files.keys()) == []
    with pytest.raises(FileNotFoundError):
        files.read(key)


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "masked/aa/../../../etc/passwd", "/etc/passwd", "", "masked/aa/x"]
)
def test_only_keys_of_evidence_reach_the_store(files: EvidenceFiles, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        files.read(key)


def test_other_types_are_not_kept() -> None:
    with pytest.raises(InputError, match="text/html"):
        key_of(Variant.MASKED, "0" * 64, "text/html")
