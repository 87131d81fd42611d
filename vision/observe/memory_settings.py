"""How places are remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MemorySettings:
    """How places are remembered.

    Attributes:
        start_confidence: A new place needs a detection at least this confident.
        start_thresholds: The same for classes that have a threshold of their own.
        keep_confidence: A known place is confirmed by less: light changes lower the score of what
            still stands there.
        merge_iou: Boxes of one family in one look that overlap more are one thing.
        match_iou: A detection belongs to a place that it overlaps at least this much.
        twin_handicap: What came up where another thing of its family is may be a second box on it:
            its own overlap counts so much less,
        twin_looks: until so many looks have seen both.
        foot_distance: Second chance of a standing thing: largest distance of the lower middles, as
            share of the root of its area.
        stand_iou: Overlap with its first place from which a thing counts as unmoved.
        stand_looks: Looks that must see a thing unmoved before it stands.
        stand_after_s: Seconds observed unmoved before it stands.
        moved_iou: A standing thing has moved when the median of its recent boxes overlaps its place
            less; it is a new sighting then.
        push_reach: A stall that is pushed on by no more than this share of its width is the same,
        push_after_s: when it has stood still for so long before.
        recent_looks: Boxes in that median.
        steady_share: The box of a standing thing stays as it is until an edge of the median of its
            recent boxes has moved by this share of its size, so that a thing at the edge of a zone
            does not go in and out, and most looks have little to work out.
        follow_share: Share by which a place follows its recent boxes in a look (a swaying camera);
            more in its first looks, for the first box may be a bad one.
        hidden_share: Share of a place that other things must cover to hide it.
        hidden_excess: By how much that must exceed what usually covers it while it is seen.
        max_hidden_s: A standing thing that stays hidden longer is given up,
        hidden_looks: though not within so many usual pauses: a camera may look but a few times a
            day.
        absent_looks: Clean looks without it, at least, before a thing is gone.
        gone_after_s: Seconds without it, at least, before a thing is gone.
        absent_chance: A thing is gone when so many misses in a row were less likely than this for
            a thing detected as often as it was. A flickering detection thus gets more patience.
        seldom_chance: Where looks are hours apart, less likely than this share of the chance that
            it had left before the first miss.
        min_detection_rate: Floor of that rate: bounds the patience.
        min_steadiness: Share of recent sights that must find a standing thing unmoved; one far off
            weighs threefold. Below it is dense traffic that happens to meet one place again and
            again; a parked car whose box jitters by 15 % stays clear of it.
        pass_looks: A thing that does not stand is dropped after so many looks without it.
        pass_looks_signed: The same where it is known how the thing looks: what comes to its place
            next is not taken for it.
        pass_hidden_s: Or when it stays hidden longer, and for longer than so many pauses.
        gap_s: A pause between looks is a gap only when longer than this.
        gap_factor: And longer than this many usual pauses.
        scored_looks: Scores of the second stage that are kept, the latest.
        swap_after_s: Seconds out of sight after which another thing may have taken the place: its
            looks are compared as soon as it is seen again.
        sign_growth: A thing that stays in sight is looked at closely again when it has stood so
            much longer, as share of its age,
        sign_every_s: but never later than this many seconds after the last time.
        stranger_looks: Signatures in a row, like each other and unlike the thing, from which
            another thing has taken the place while it was out of sight.
        stranger_looks_in_sight: The same when it was never out of sight.
        unlike_looks: Signatures in a row, unlike the thing and unlike each other, from which it is
            gone: traffic flows over its place.
        signed_cover: Signatures are compared only when what covers the place differs by no more
            than this share of it.
    """

    start_confidence: float = 0.25
    start_thresholds: Mapping[str, float] = field(default_factory=dict)
    keep_confidence: float = 0.1
    merge_iou: float = 0.7
    match_iou: float = 0.3
    twin_handicap: float = 0.25
    twin_looks: int = 3
    foot_distance: float = 0.2
    stand_iou: float = 0.6
    stand_looks: int = 2
    stand_after_s: float = 3.0
    moved_iou: float = 0.5
    push_reach: float = 1.0
    push_after_s: float = 60.0
    recent_looks: int = 5
    steady_share: float = 0.03
    follow_share: float = 0.05
    hidden_share: float = 0.35
    hidden_excess: float = 0.2
    max_hidden_s: float = 3600.0
    hidden_looks: int = 12
    absent_looks: int = 3
    gone_after_s: float = 20.0
    absent_chance: float = 1e-5
    seldom_chance: float = 0.03
    min_detection_rate: float = 0.35
    min_steadiness: float = 0.6
    pass_looks: int = 2
    pass_looks_signed: int = 3
    pass_hidden_s: float = 60.0
    gap_s: float = 60.0
    gap_factor: float = 5.0
    scored_looks: int = 8
    swap_after_s: float = 5.0
    sign_growth: float = 0.5
    sign_every_s: float = 1800.0
    stranger_looks: int = 2
    stranger_looks_in_sight: int = 3
    unlike_looks: int = 6
    signed_cover: float = 0.1
