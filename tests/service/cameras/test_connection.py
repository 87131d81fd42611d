from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from service.cameras.connection import STEADY_S, Connection
from service.cameras.failure import POLICIES
from service.cameras.states import FailureKind, SourceState


def connection() -> Connection:
    return Connection(random.Random(0))


def test_a_time_out_is_tried_again_soon_and_ever_later() -> None:
    one, now_s, waits = connection(), 0.0, []
    one.start(now_s)
    for _ in range(150):
        assert one.due(now_s)
        one.trying(now_s)
        one.failed(FailureKind.OPEN_TIMEOUT, "", now_s)
        assert one.state is SourceState.WAITING
        assert one.retry_s is not None
        waits.append(one.retry_s - now_s)
        now_s = one.retry_s
    assert waits[0] <= 1.0
    assert max(waits[:10]) <= 8.0, "a brief outage"
    assert 30.0 <= waits[-1] <= 60.0


def test_a_wrong_password_waits_for_the_operator_who_may_have_it_tried_at_once() -> None:
    one = connection()
    one.start(0.0)
    one.trying(0.0)
    one.failed(FailureKind.AUTH, "", 1.0)
    assert one.state is SourceState.NEEDS_OPERATOR
    assert not one.due(600.0)
    one.retry_now(700.0)
    assert one.due(700.0)


def test_a_source_that_opens_and_fails_again_and_again_is_tried_ever_more_seldom() -> None:
    one, now_s = connection(), 0.0
    one.start(now_s)
    for _ in range(6):
        one.trying(now_s)
        one.came(now_s)
        one.failed(FailureKind.ENDED, "", now_s + 1)
        assert one.retry_s is not None
        now_s = one.retry_s
    assert one.failures == 6
    one.trying(now_s)
    one.came(now_s)
    one.came(now_s + STEADY_S)
    assert one.failures == 0


def test_whoever_lost_the_reader_to_a_neighbour_is_tried_at_once() -> None:
    one = connection()
    one.start(0.0)
    one.trying(0.0)
    one.came(1.0)
    one.interrupted(50.0)
    assert one.due(50.0)
    assert one.failures == 0
    one.trying(50.0)
    one.came(51.0)
    assert (one.state, one.failure, one.reconnects) == (SourceState.LIVE, None, 1)


steps = st.sampled_from(["start", "trying", "came", "interrupted", "retry", *FailureKind])


@given(st.lists(steps, max_size=40))
def test_it_can_be_stopped_in_every_state_and_always_comes_back_otherwise(
    script: list[str],
) -> None:
    one, now_s = connection(), 0.0
    one.start(now_s)
    for step in script:
        now_s += 1.0
        if isinstance(step, FailureKind):
            one.failed(step, "", now_s)
        else:
            {
                "start": one.start,
                "trying": one.trying,
                "came": one.came,
                "interrupted": one.interrupted,
                "retry": one.retry_now,
            }[step](now_s)
        waits = one.state in (SourceState.WAITING, SourceState.NEEDS_OPERATOR)
        assert (one.retry_s is not None) == waits
        assert one.retry_s is None or one.retry_s <= now_s + max(
            policy.most_s for policy in POLICIES.values()
        )
        assert one.failure is None or one.state is not SourceState.LIVE
    one.stop(now_s)
    assert one.state is SourceState.STOPPED
    assert not one.due(float("inf"))
