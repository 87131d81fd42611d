"""Which host watches which camera, in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import AssignmentRow, CameraRow
from vision.errors import JiexuError


class SupersededError(JiexuError):
    """A camera is watched by another host by now."""


@dataclass(frozen=True)
class Claim:
    """A camera's assignment, as the host that it was given to knows it.

    Attributes:
        camera_id: The camera.
        host: The host.
        number: Number of the assignment; each change of a camera's has a higher one.
    """

    camera_id: str
    host: str
    number: int

    def hold(self, session: Session) -> None:
        """Keep the assignment as it is until the transaction is over.

        Raises:
            SupersededError: The camera was assigned anew meanwhile.
        """
        row = session.execute(
            select(AssignmentRow.host, AssignmentRow.number)
            .where(AssignmentRow.camera_id == self.camera_id)
            .with_for_update(read=True)
        ).first()
        if row is None or (row.host, row.number) != (self.host, self.number):
            raise SupersededError(
                f"camera {self.camera_id}: assignment {self.number} of {self.host} is over"
            )


@dataclass(frozen=True)
class Assigned:
    """One camera of a host.

    Attributes:
        claim: Its assignment.
        version: Version of the camera's settings.
    """

    claim: Claim
    version: int


@dataclass(frozen=True)
class Assignment:
    """Where a camera is.

    Attributes:
        host: Its host, ``None`` where it has none.
        number: Number of the assignment.
    """

    host: str | None
    number: int


def enabled_cameras(session: Session) -> list[str]:
    """Ids of the cameras that are to be watched."""
    query = select(CameraRow.id).where(CameraRow.enabled.is_(True)).order_by(CameraRow.id)
    return list(session.scalars(query))


def assignments(session: Session) -> dict[str, Assignment]:
    """Assignments of all cameras that ever had one."""
    query = select(AssignmentRow.camera_id, AssignmentRow.host, AssignmentRow.number)
    return {row.camera_id: Assignment(row.host, row.number) for row in session.execute(query)}


def cameras_of(session: Session, host: str) -> dict[str, Assigned]:
    """Enabled cameras that are assigned to a host, by id."""
    query = (
        select(AssignmentRow.camera_id, AssignmentRow.number, CameraRow.version)
        .join(CameraRow, CameraRow.id == AssignmentRow.camera_id)
        .where(AssignmentRow.host == host, CameraRow.enabled.is_(True))
    )
    return {
        row.camera_id: Assigned(Claim(row.camera_id, host, row.number), row.version)
        for row in session.execute(query)
    }


def host_of(session: Session, camera_id: str) -> str | None:
    """The host of a camera, ``None`` where it has none."""
    return session.scalar(select(AssignmentRow.host).where(AssignmentRow.camera_id == camera_id))


def assign(
    session: Session,
    wanted: Mapping[str, str | None],
    known: Mapping[str, Assignment],
    now: datetime,
) -> list[str]:
    """Assign cameras, each under a new number.

    Rows stay when their camera is gone, so that no number comes twice.

    Args:
        session: In a transaction that writes.
        wanted: Host by camera.
        known: Assignments as they were read; one that changed meanwhile is left as it is.
        now: Aware time.

    Returns:
        The cameras that were assigned.
    """
    query = (
        select(AssignmentRow)
        .where(AssignmentRow.camera_id.in_(wanted))
        .order_by(AssignmentRow.camera_id)
        .with_for_update()
    )
    rows = {row.camera_id: row for row in session.scalars(query)}
    done = []
    for camera_id, host in sorted(wanted.items()):
        row, before = rows.get(camera_id), known.get(camera_id)
        if row is None:
            session.add(AssignmentRow(camera_id=camera_id, host=host, number=1, changed_at=now))
        elif before is not None and row.number == before.number:
            row.host, row.number, row.changed_at = host, row.number + 1, now
        else:
            continue
        done.append(camera_id)
    session.flush()
    return done
