"""What every adapter can do, and which one speaks with which platform."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from service.dispatch.adapters.open311 import Open311Adapter
from service.dispatch.adapters.panorama import PanoramaAdapter
from service.dispatch.adapters.webhook import WebhookAdapter
from service.dispatch.attempt import Attempt
from service.dispatch.notice import EvidenceAccess, Notice
from service.dispatch.platforms import Open311Platform, PanoramaPlatform, WebhookPlatform
from service.reach import AddressPolicy


class Adapter(Protocol):
    """Speaks with one platform, one request at a time; a context manager."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        ...

    def send(
        self,
        notice: Notice,
        now: datetime,
        *,
        reference: str | None,
        maybe_sent_at: datetime | None,
    ) -> Attempt:
        """Tell a notice once.

        Args:
            notice: What is told.
            now: Aware time of the attempt.
            reference: Id that the platform gave to the case when it was told of it first.
            maybe_sent_at: When the first attempt began that may have arrived without an answer.
        """
        ...


def adapter_for(
    platform: WebhookPlatform | Open311Platform | PanoramaPlatform,
    access: EvidenceAccess,
    policy: AddressPolicy,
) -> Adapter:
    """The adapter that speaks with a platform."""
    match platform:
        case WebhookPlatform():
            return WebhookAdapter(platform, access, policy)
        case Open311Platform():
            return Open311Adapter(platform, access, policy)
        case PanoramaPlatform():
            return PanoramaAdapter(platform, access, policy)
