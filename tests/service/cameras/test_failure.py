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
    assert auth.wait_s(1, rng) > 1000 > 10 > timeout.wait_s(1, rng)


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


@given(st.sampled_from(FailureKind), st.integers(1, 10_000), st.integers())
def test_waits_grow_and_stay_within_bounds(kind: FailureKind, failures: int, seed: int) -> None:
    policy = POLICIES[kind]
    wait_s = policy.wait_s(failures, random.Random(seed))
    assert 0.5 * policy.first_s <= wait_s <= policy.most_s
    later_s = policy.wait_s(failures + 1, random.Random(seed))
    assert later_s >= wait_s
