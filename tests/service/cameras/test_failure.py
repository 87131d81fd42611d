from __future__ import annotations

import random
import ssl

import av.error
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cameras.failure import POLICIES, CameraError, failure_of, http_failure
from service.cameras.states import FailureKind


@pytest.mark.parametrize(
    ("error", "opened", "kind"),
    [
        (av.error.HTTPUnauthorizedError(401, "401", "x"), False, FailureKind.AUTH),
        (av.error.HTTPNotFoundError(404, "404", "x"), False, FailureKind.NOT_FOUND),
        (av.error.InvalidDataError(1, "Invalid data", "x"), False, FailureKind.GARBAGE),
        (av.error.DecoderNotFoundError(1, "no decoder", "x"), True, FailureKind.CODEC),
        (av.error.ExitError(1, "Immediate exit requested", "x"), False, FailureKind.OPEN_TIMEOUT),
        (av.error.ExitError(1, "Immediate exit requested", "x"), True, FailureKind.READ_TIMEOUT),
        (ConnectionRefusedError(111, "refused"), False, FailureKind.REFUSED),
        (OSError(113, "No route to host"), False, FailureKind.UNREACHABLE),
        (ConnectionResetError(104, "reset"), True, FailureKind.ENDED),
        (ssl.SSLError("bad certificate"), False, FailureKind.TLS),
        (httpx.ConnectTimeout("slow"), False, FailureKind.OPEN_TIMEOUT),
        (httpx.ReadTimeout("slow"), True, FailureKind.READ_TIMEOUT),
        (httpx.RemoteProtocolError("half an answer"), True, FailureKind.ENDED),
        (RuntimeError("what is this"), True, FailureKind.OTHER),
    ],
)
def test_what_libraries_raise_is_given_a_kind(
    error: Exception, opened: bool, kind: FailureKind
) -> None:
    assert failure_of(error, opened=opened).kind is kind


def test_the_failure_inside_a_wrapper_counts() -> None:
    outer = OSError(5, "I/O error")
    outer.__cause__ = CameraError(FailureKind.AUTH, "the server answers 401")
    assert failure_of(outer, opened=True).kind is FailureKind.AUTH


def test_a_wrong_password_is_not_a_time_out() -> None:
    auth, timeout = POLICIES[FailureKind.AUTH], POLICIES[FailureKind.OPEN_TIMEOUT]
    assert auth.operator
    assert not timeout.operator
    rng = random.Random(1)
    assert auth.wait_s(1, 0.0, rng) > 1000 > 10 > timeout.wait_s(1, 0.0, rng)


def test_details_hold_no_credentials() -> None:
    error = OSError(5, "rtsp://admin:hunter22@cam/x failed with token=abc")
    assert "hunter22" not in str(failure_of(error, opened=False))
    assert "hunter22" not in CameraError(FailureKind.OTHER, error.strerror).detail


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, FailureKind.AUTH),
        (403, FailureKind.AUTH),
        (404, FailureKind.NOT_FOUND),
        (503, FailureKind.SERVER),
        (302, FailureKind.GARBAGE),
    ],
)
def test_http_answers(status: int, kind: FailureKind) -> None:
    assert http_failure(status).kind is kind


@given(st.sampled_from(FailureKind), st.integers(1, 10_000), st.floats(0.0, 1e7), st.integers())
def test_waits_grow_and_stay_within_bounds(
    kind: FailureKind, failures: int, down_s: float, seed: int
) -> None:
    policy = POLICIES[kind]
    wait_s = policy.wait_s(failures, down_s, random.Random(seed))
    assert 0.5 * policy.first_s <= wait_s <= policy.most_s
    assert policy.wait_s(failures + 1, down_s, random.Random(seed)) >= wait_s
    assert policy.wait_s(failures, 2 * down_s, random.Random(seed)) >= wait_s


MENDS_ITSELF = [kind for kind, policy in POLICIES.items() if policy.early_s is not None]


@pytest.mark.parametrize("kind", MENDS_ITSELF)
def test_a_brief_outage_is_over_soon_after_the_camera_is_back(kind: FailureKind) -> None:
    rng = random.Random(2)
    waits = [POLICIES[kind].wait_s(failures, 120.0, rng) for failures in range(1, 100)]
    assert max(waits) <= 20.0


@pytest.mark.parametrize("kind", MENDS_ITSELF)
def test_who_is_away_for_days_is_not_hammered(kind: FailureKind) -> None:
    rng = random.Random(3)
    waits = [POLICIES[kind].wait_s(500, 2 * 86400.0, rng) for _ in range(100)]
    assert min(waits) >= 0.5 * POLICIES[kind].most_s >= 30.0


def test_wrong_settings_are_not_tried_any_sooner() -> None:
    for kind in (FailureKind.AUTH, FailureKind.TLS, FailureKind.FORBIDDEN_ADDRESS):
        assert POLICIES[kind].wait_s(1, 0.0, random.Random(4)) >= 1800.0
