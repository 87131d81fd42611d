"""The columnar archive of looks: detections as they were, for replay and analysis.

One row a look, so that looks without detections, gated looks and unhealthy ones are kept too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vision.detect.detections import SIGNATURE_BYTES, Detections
from vision.errors import InputError
from vision.observe.look import Affine, Health, Look

_NAMES = b"jiexu.class_names"
_TIMEZONE = b"jiexu.timezone"
_EPOCH = datetime.fromtimestamp(0, UTC)

READ_AT_ONCE = 4096
"""Looks of an archive that are in memory at a time."""

SCHEMA = pa.schema(
    [
        pa.field("input", pa.string(), nullable=False),
        pa.field("camera_id", pa.string(), nullable=False),
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("health", pa.string(), nullable=False),
        pa.field("pose", pa.int32(), nullable=False),
        pa.field("inspected", pa.bool_(), nullable=False),
        pa.field("to_view", pa.list_(pa.float64())),
        pa.field(
            "detections",
            pa.list_(
                pa.struct(
                    [
                        pa.field("class_name", pa.string(), nullable=False),
                        pa.field("confidence", pa.float32(), nullable=False),
                        pa.field("x1", pa.float32(), nullable=False),
                        pa.field("y1", pa.float32(), nullable=False),
                        pa.field("x2", pa.float32(), nullable=False),
                        pa.field("y2", pa.float32(), nullable=False),
                        pa.field("derelict", pa.float32()),
                        pa.field("appearance", pa.binary()),
                        pa.field("standing", pa.bool_()),
                    ]
                )
            ),
            nullable=False,
        ),
    ]
)


def write_looks(
    path: Path, looks: Sequence[Look], *, input_name: str, names: Sequence[str], timezone: str
) -> None:
    """Write looks to a Parquet file, whole or not at all.

    Args:
        path: File to write; replaced if it exists.
        looks: In order of time.
        input_name: Recording that they come from.
        names: Class names of the model, kept in the file so that class ids can be restored.
        timezone: IANA name in which timestamps are given back.
    """
    rows = [
        {
            "input": input_name,
            "camera_id": look.camera_id,
            "time_s": look.time_s,
            "timestamp": look.timestamp,
            "width": look.frame_size[0],
            "height": look.frame_size[1],
            "health": look.health.value,
            "pose": look.pose,
            "inspected": look.inspected,
            "to_view": look.to_view,
            "detections": [
                {
                    "class_name": name,
                    "confidence": confidence,
                    "x1": box[0],
                    "y1": box[1],
                    "x2": box[2],
                    "y2": box[3],
                    "derelict": None if np.isnan(derelict) else derelict,
                    "appearance": signature.tobytes() if signature.any() else None,
                    "standing": bool(standing),
                }
                for (box, confidence, name), derelict, signature, standing in zip(
                    look.detections.rows(),
                    look.detections.derelict,
                    look.detections.appearance,
                    look.detections.standing,
                    strict=True,
                )
            ],
        }
        for look in looks
    ]
    schema = SCHEMA.with_metadata(_metadata(names, timezone))
    partial = path.with_name(path.name + ".partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial, compression="zstd")
    partial.replace(path)


def read_looks(path: Path) -> Iterator[Look]:
    """Read looks back, equal to those written, in the order of the file.

    The file is read piece by piece; arrays of looks are views into a piece of it. Archives from
    before signatures and registration were kept are read as looks without them.

    Raises:
        InputError: The file is missing or is no archive of Jiexu.
    """
    for _, look in read_named_looks(path):
        yield look


def read_named_looks(path: Path) -> Iterator[tuple[str, Look]]:
    """Read looks with the name of the recording that each comes from; see :func:`read_looks`."""
    try:
        with pq.ParquetFile(path) as file:
            metadata = file.schema_arrow.metadata or {}
            names = tuple(json.loads(metadata[_NAMES]))
            timezone = ZoneInfo(metadata[_TIMEZONE].decode())
            for batch in file.iter_batches(batch_size=READ_AT_ONCE):
                yield from _looks(batch, names, timezone)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(f"{path}: no archive of looks: {error}") from error


def _looks(
    batch: pa.RecordBatch, names: tuple[str, ...], timezone: ZoneInfo
) -> Iterator[tuple[str, Look]]:
    """Looks of some rows; whole columns are turned into arrays, which looks then share."""
    found = batch["detections"]
    starts: list[int] = found.offsets.to_pylist()
    things = found.values

    def column(name: str) -> NDArray[np.float32]:
        values: NDArray[np.float32] = things.field(name).to_numpy(zero_copy_only=False)
        return values.astype(np.float32, copy=False)

    xyxy = np.column_stack([column(name) for name in ("x1", "y1", "x2", "y2")])
    confidence, derelict = column("confidence"), column("derelict")
    # Archives from before the standing picture do not say where detections come from.
    told = things.type.get_field_index("standing") >= 0
    standing = np.zeros(len(things), np.bool_)
    if told:
        standing |= things.field("standing").fill_null(False).to_numpy(zero_copy_only=False)
    classes = things.field("class_name").dictionary_encode()
    number = {name: i for i, name in enumerate(names)}
    ids = np.array([number[name] for name in classes.dictionary.to_pylist()], np.int64)
    class_id = ids[classes.indices.to_numpy()]
    detections = Detections(
        xyxy, confidence, class_id, names, derelict, _signatures(things), standing
    )
    rows = zip(
        _words(batch["input"]),
        _words(batch["camera_id"]),
        *(_numbers(batch[name]) for name in ("time_s", "width", "height", "pose", "inspected")),
        map(Health, _words(batch["health"])),
        _numbers(batch["timestamp"].cast(pa.int64())),
        _registrations(batch),
        detections.parts(starts),
        strict=True,
    )
    for (
        input_name,
        camera_id,
        time_s,
        width,
        height,
        pose,
        inspected,
        health,
        since_epoch_us,
        to_view,
        found,
    ) in rows:
        yield (
            input_name,
            Look(
                camera_id=camera_id,
                time_s=time_s,
                timestamp=(_EPOCH + timedelta(microseconds=since_epoch_us)).astimezone(timezone),
                frame_size=(width, height),
                health=health,
                pose=pose,
                inspected=inspected,
                detections=found,
                to_view=to_view,
            ),
        )


def _numbers(column: pa.Array) -> list[Any]:
    """Values of a column that has no nulls."""
    return list(column.to_numpy(zero_copy_only=False).tolist())


def _words(column: pa.Array) -> Iterator[str]:
    """Values of a column in which few words come again and again."""
    words = column.dictionary_encode()
    return map(words.dictionary.to_pylist().__getitem__, words.indices.to_numpy().tolist())


def _registrations(batch: pa.RecordBatch) -> list[Affine | None]:
    """Where the pixels of each look lie in the view."""
    if "to_view" not in batch.schema.names or batch["to_view"].null_count == batch.num_rows:
        return [None] * batch.num_rows
    return [None if one is None else tuple(one) for one in batch["to_view"].to_pylist()]


def _signatures(things: pa.StructArray) -> NDArray[np.uint8]:
    """``(n, SIGNATURE_BYTES)`` signatures; zeros where none is stored, or one of another make."""
    signatures = np.zeros((len(things), SIGNATURE_BYTES), np.uint8)
    if things.type.get_field_index("appearance") >= 0:
        stored = things.field("appearance")
        for row in stored.is_valid().to_numpy(zero_copy_only=False).nonzero()[0].tolist():
            one = stored[row].as_py()
            if len(one) == SIGNATURE_BYTES:
                signatures[row] = np.frombuffer(one, np.uint8)
    return signatures


def join_archives(paths: Sequence[Path], out: Path) -> None:
    """Join archives into one, looks in the order of the files.

    Args:
        paths: Archives; their class names and time zones may differ, the first zone is kept.
        out: File to write; replaced whole.
    """
    names: dict[str, None] = {}
    timezone = "UTC"
    for path in reversed(paths):
        metadata = pq.read_schema(path).metadata
        names = dict.fromkeys([*json.loads(metadata[_NAMES]), *names])
        timezone = metadata[_TIMEZONE].decode()
    schema = SCHEMA.with_metadata(_metadata(list(names), timezone))
    partial = out.with_name(out.name + ".partial")
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for path in paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=65536):
                    if batch.schema.equals(SCHEMA):
                        writer.write_batch(batch.replace_schema_metadata(schema.metadata))
                    else:
                        # From an earlier version: columns that it lacks are null.
                        rows = batch.to_pylist()
                        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
    partial.replace(out)


def _metadata(names: Sequence[str], timezone: str) -> dict[bytes, bytes]:
    return {_NAMES: json.dumps(list(names)).encode(), _TIMEZONE: timezone.encode()}
