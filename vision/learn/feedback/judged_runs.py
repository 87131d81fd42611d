"""What reviewers said of the violations of scans, to calibrate by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vision.decisions import DECISIONS_FILE, Decision, read_decisions
from vision.errors import InputError
from vision.learn.feedback.calibration import Judged
from vision.record import ViolationRecord, read_violations

BY_PARTS = "told by its parts, not by a class of the model"


def judged_in_runs(run_dirs: Sequence[Path], left_out: Counter[str]) -> list[Judged]:
    """Read the decisions of run folders.

    Args:
        run_dirs: Run folders of ``jiexu scan`` with ``reviewed.jsonl``.
        left_out: Counts decisions that say nothing of a threshold, by reason.

    Raises:
        InputError: A folder cannot be read, or a decision is about a violation that it lacks.
    """
    judged = []
    for run in run_dirs:
        decisions = read_decisions(run / DECISIONS_FILE)
        records = {one.id: one for one in read_violations(run / "violations.jsonl")}
        for identifier, decision in decisions.items():
            record = records.get(identifier)
            if record is None:
                raise InputError(f"{run / DECISIONS_FILE}: no violation {identifier} in this run")
            if record.basis != "class":
                left_out[BY_PARTS] += 1
                continue
            judged.append(_judged(record, decision))
    return judged


def _judged(record: ViolationRecord, decision: Decision) -> Judged:
    same_kind = decision.kind in (None, record.kind)
    return Judged(
        kind=record.kind,
        camera_id=record.camera_id,
        confidence=record.confidence,
        is_right=decision.decision != "rejected" and same_kind,
        model=record.model.name,
        model_sha256=record.model.sha256,
        decided_at=decision.decided_at,
    )
