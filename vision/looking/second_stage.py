"""The second stage of a scan: crops of vehicles that stand are scored, seldom, over time.

What is scored in a look depends on the looks before it alone, and the scores travel with the
detections, so an archive judged again agrees with the scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vision.detect.classifier import Classifier, cut
from vision.detect.detections import Detections
from vision.frames.frame import Frame
from vision.observe.boxes import as_array, ious
from vision.observe.families import family_of
from vision.observe.sighting import Sighting

_FAMILY = "vehicle"


@dataclass(frozen=True)
class SecondStageSettings:
    """Which crops are scored.

    Attributes:
        after_s: Seconds that a vehicle must have stood.
        growth: Factor by which it must have stood longer for each further score. Scores get rarer
            as it stands, a dozen in an hour, and still follow what changes over weeks.
        same_iou: A detection shows a standing vehicle from this overlap with its box.
        least_side_px: A box whose longer side is shorter shows too little, in pixels.
    """

    after_s: float = 20.0
    growth: float = 1.5
    same_iou: float = 0.6
    least_side_px: float = 40.0


class SecondStage:
    """Asks a classifier about the crops of standing vehicles."""

    def __init__(
        self, classifier: Classifier, settings: SecondStageSettings = SecondStageSettings()
    ) -> None:
        """Use this classifier; its first class is ``derelict_vehicle``."""
        self._classifier = classifier
        self._settings = settings

    def score(
        self, detections: Detections, frame: Frame, sightings: Sequence[Sighting]
    ) -> Detections:
        """Score detections of vehicles that are due.

        Args:
            detections: Of one look that was inspected.
            frame: Its frame; the full picture is made of it only where something is due.
            sightings: What stood after the look before.

        Returns:
            The detections, with :attr:`~vision.detect.detections.Detections.derelict` of those that
            were scored.
        """
        due = [sighting for sighting in sightings if self._is_due(sighting)]
        rows = self._rows(detections, due) if due and len(detections) else []
        if not rows:
            return detections
        crops = [cut(frame.image, detections.xyxy[row].tolist()) for row in rows]
        derelict = detections.derelict.copy()
        derelict[rows] = self._classifier.classify(crops)[:, 0]
        return replace(detections, derelict=derelict)

    def _is_due(self, sighting: Sighting) -> bool:
        settings = self._settings
        x1, y1, x2, y2 = sighting.box
        stood_s = sighting.last_seen_s - sighting.first_seen_s
        return (
            sighting.standing
            and sighting.ended_s is None
            and family_of(sighting.class_name) == _FAMILY
            and max(x2 - x1, y2 - y1) >= settings.least_side_px
            and stood_s >= settings.after_s * settings.growth**sighting.derelict_looks
        )

    def _rows(self, detections: Detections, due: Sequence[Sighting]) -> list[int]:
        """The detection that shows each sighting best, if any does."""
        vehicles = [
            row
            for row, class_id in enumerate(detections.class_id.tolist())
            if family_of(detections.names[class_id]) == _FAMILY
        ]
        if not vehicles:
            return []
        places = as_array([sighting.box for sighting in due])
        overlap = ious(places, detections.xyxy[vehicles])
        return sorted(
            {
                vehicles[int(best)]
                for best, row in zip(overlap.argmax(axis=1), overlap, strict=True)
                if row[best] >= self._settings.same_iou
            }
        )
