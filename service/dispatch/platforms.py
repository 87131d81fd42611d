"""The platforms that confirmed cases are sent to, as ``service.yaml`` names them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from service.dispatch.destination import Destination
from service.dispatch.secret import Secret
from vision.errors import ConfigError
from vision.rules.kinds import KINDS
from vision.site import CoordSys

PlatformName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Platform(_Part):
    """What all platforms have.

    Attributes:
        url: Where it is; user, password and keys in it are never shown.
        kinds: Kinds of cases that it takes; all without any.
        coord_sys: Coordinate system that it wants.
        rate_per_s: Most requests in a second, of all processes together.
        workers: So many attempts at a time in this process.
        timeout_s: An attempt is given up after this.
        evidence: ``links``: signed links to masked evidence; ``upload``: the masked files
            themselves, where the interface can carry them; ``none``.
        link_days: How long the links hold.
    """

    url: SecretStr
    kinds: tuple[str, ...] = ()
    coord_sys: CoordSys = "wgs84"
    rate_per_s: Annotated[float, Field(gt=0, le=1000)] = 5
    workers: Annotated[int, Field(ge=1, le=16)] = 1
    timeout_s: Seconds = 20
    evidence: Literal["links", "upload", "none"] = "links"
    link_days: Annotated[float, Field(gt=0, le=365)] = 30

    @field_validator("url")
    @classmethod
    def _url(cls, url: SecretStr) -> SecretStr:
        try:
            Destination.parse(url.get_secret_value())
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return url

    @field_validator("kinds")
    @classmethod
    def _kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise ValueError(f"unknown kinds: {', '.join(unknown)}")
        return kinds

    @property
    def requests_max(self) -> int:
        """Most requests of one attempt; each has ``timeout_s``."""
        return 1

    @property
    def destination(self) -> Destination:
        """The URL, taken apart."""
        return Destination.parse(self.url.get_secret_value())


class WebhookPlatform(_Platform):
    """CloudEvents 1.0, signed after Standard Webhooks; calls back with the same signature.

    Attributes:
        secret: ``whsec_...``; several, separated by blanks, while one is replaced.
        closes: Whether it tells when it has closed a case. Else a case is closed once a camera
            saw that it is gone.
    """

    interface: Literal["webhook"]
    secret: SecretStr
    closes: bool = True

    @field_validator("secret")
    @classmethod
    def _secret(cls, secret: SecretStr) -> SecretStr:
        try:
            Secret.parse(secret.get_secret_value(), named="secret")
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return secret

    @property
    def signing(self) -> Secret:
        """The keys."""
        return Secret.parse(self.secret.get_secret_value(), named="secret")


class Open311Platform(_Platform):
    """Open311 GeoReport v2.

    Attributes:
        api_key: Key of the platform.
        services: Its service code by kind; a case of another kind is not sent.
        format: What it answers in: ``xml``, which every server has, or ``json``.
        jurisdiction_id: Where it serves several.
        attributes: Values of attributes that services want, by their code; of
            :data:`service.dispatch.open311.FIELDS`, ``{camera_id}`` and the like are put in.
        poll_s: Asked so often what became of cases.
        statuses: What words of the platform mean beyond ``open`` and ``closed``: a status that it
            has besides, or its whole ``status_notes``.
    """

    interface: Literal["open311"]
    api_key: SecretStr
    services: Annotated[dict[str, str], Field(min_length=1)]
    format: Literal["xml", "json"] = "xml"
    jurisdiction_id: str | None = None
    attributes: dict[str, str] = {}
    poll_s: Seconds = 300
    statuses: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=200)],
        Literal[
            "accepted", "declined", "handling", "returned", "suspended", "handled", "cancelled"
        ],
    ] = {}

    @property
    def requests_max(self) -> int:
        """Services, definition and search, asked up to three times each, and the request."""
        return 10

    @field_validator("coord_sys")
    @classmethod
    def _wgs84(cls, coord_sys: CoordSys) -> CoordSys:
        if coord_sys != "wgs84":
            raise ValueError("GeoReport v2 is in WGS-84")
        return coord_sys

    @field_validator("evidence")
    @classmethod
    def _no_upload(cls, evidence: str) -> str:
        if evidence == "upload":
            raise ValueError("GeoReport v2 takes a link (media_url), no files")
        return evidence

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = [kind for kind in self.services if kind not in KINDS]
        if unknown:
            raise ValueError(f"services: unknown kinds: {', '.join(unknown)}")
        return self


class PanoramaPlatform(_Platform):
    """The form of the panorama-video platforms; calls back with a token.

    Attributes:
        coord_sys: Must be said: specifications of this family leave it open.
        event_types: Its ``eventType`` by kind; a case of another kind is not sent.
        callback_token: What it sends as ``X-Callback-Token``.
        api_token: Sent to it as ``X-Callback-Token`` where it wants one.
    """

    interface: Literal["panorama"]
    coord_sys: CoordSys
    event_types: Annotated[dict[str, int], Field(min_length=1)]
    callback_token: SecretStr
    api_token: SecretStr | None = None

    @field_validator("evidence")
    @classmethod
    def _no_upload(cls, evidence: str) -> str:
        if evidence == "upload":
            raise ValueError("this interface takes links, no files")
        return evidence

    @field_validator("callback_token")
    @classmethod
    def _long(cls, token: SecretStr) -> SecretStr:
        if len(token.get_secret_value()) < 24:
            raise ValueError("at least 24 characters")
        return token

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = [kind for kind in self.event_types if kind not in KINDS]
        if unknown:
            raise ValueError(f"event_types: unknown kinds: {', '.join(unknown)}")
        return self


Platform = Annotated[
    WebhookPlatform | Open311Platform | PanoramaPlatform, Field(discriminator="interface")
]


class DispatchSettings(_Part):
    """Where confirmed cases go.

    Attributes:
        destinations: Platforms by name; the first that takes a kind is the one whose word moves
            its cases, the others get copies.
        networks: Networks, besides public ones, in which platforms may be.
        time_scale: Factor on all pauses between attempts; other than 1 for trials only.
    """

    destinations: dict[PlatformName, Platform] = {}
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    time_scale: Annotated[float, Field(gt=0, le=1)] = 1


class VerificationSettings(_Part):
    """How a camera looks again.

    Attributes:
        looks: So many looks must say that it is still there.
        span_s: Over at least so long.
        within_s: What was not seen by then cannot be seen: a person is asked.
    """

    looks: Annotated[int, Field(ge=1, le=100)] = 3
    span_s: Annotated[float, Field(ge=0)] = 300
    within_s: Seconds = 3600


def kinds_of(platform: WebhookPlatform | Open311Platform | PanoramaPlatform) -> tuple[str, ...]:
    """Kinds of cases that a platform takes."""
    match platform:
        case WebhookPlatform():
            able = tuple(KINDS)
        case Open311Platform():
            able = tuple(platform.services)
        case PanoramaPlatform():
            able = tuple(platform.event_types)
    return tuple(kind for kind in able if not platform.kinds or kind in platform.kinds)
