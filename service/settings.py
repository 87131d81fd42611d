"""Settings of the service: ``service.yaml``, and variables ``JIEXU_...`` that win over it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.dispatch.platforms import DispatchSettings, VerificationSettings
from service.store.tables import Role
from vision.errors import ConfigError
from vision.site import CoordSys

PREFIX = "JIEXU_"
Seconds = Annotated[float, Field(gt=0)]
Megabytes = Annotated[float, Field(gt=0)]


def _without_user(url: str) -> str:
    """A URL that names no user: it stands in files that many may read."""
    if "@" in url.partition("://")[2]:
        raise ValueError("credentials do not belong into this URL; see docs/service.md")
    return url


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Part):
    """What requests may ask for.

    Attributes:
        body_mb: Largest body of a request, except where pictures and clips are sent.
        picture_mb: Largest picture.
        picture_pixels: Largest picture, in pixels; checked before it is decoded.
        clip_mb: Largest clip.
        clip_looks: So many pictures of a clip are looked at, evenly spread.
        clip_decode_s: Decoding a clip is given up after this.
        event_streams: So many clients may follow the event stream at a time.
        future_s: A pushed picture may be so far ahead of our clock.
        replay_camera_days: Most days of all its cameras together that a replay judges.
    """

    body_mb: Megabytes = 1
    picture_mb: Megabytes = 16
    picture_pixels: Annotated[int, Field(gt=0)] = 40_000_000
    clip_mb: Megabytes = 64
    clip_looks: Annotated[int, Field(gt=0, le=100)] = 12
    clip_decode_s: Seconds = 20
    event_streams: Annotated[int, Field(gt=0)] = 64
    future_s: Seconds = 10
    replay_camera_days: Annotated[float, Field(gt=0)] = 62


class Logins(_Part):
    """How long logins last.

    Attributes:
        idle_s: Without any request.
        whole_s: In all.
    """

    idle_s: Seconds = 8 * 3600
    whole_s: Seconds = 7 * 24 * 3600


class Retention(_Part):
    """How long things are kept.

    Attributes:
        rejected_hours: Evidence of rejected cases, from the rejection on.
        closed_days: Evidence of closed cases, from the closing on.
        superseded_hours: Pictures that were taken anew, from then on, unless their case is open.
        deliveries_days: Messages to platforms, and what these said, of cases that are over, from
            then on.
        archive_days: What live cameras saw, to be judged again.
        events_days: What the event stream can go back to.
        idempotency_hours: Answers to requests with an idempotency key.
        evidence_quota_gb: Evidence in all; beyond, the oldest of finished cases is taken away.
            ``None`` sets no bound.
    """

    rejected_hours: Annotated[float, Field(ge=0)] = 72
    closed_days: Annotated[float, Field(ge=0)] = 180
    superseded_hours: Annotated[float, Field(ge=0)] = 24
    deliveries_days: Annotated[float, Field(gt=0)] = 365
    archive_days: Annotated[float, Field(gt=0)] = 30
    events_days: Annotated[float, Field(gt=0)] = 7
    idempotency_hours: Annotated[float, Field(gt=0)] = 24
    evidence_quota_gb: Annotated[float, Field(gt=0)] | None = None


class Review(_Part):
    """How candidates are reviewed.

    Attributes:
        double_share: Share of cases that two reviewers decide, to know how far they agree.
        undo_s: How long a decision can be taken back; a case is not sent before.
        lease_s: How long a case is kept for a reviewer who has it open.
    """

    double_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    undo_s: Annotated[float, Field(ge=0, le=3600)] = 60
    lease_s: Annotated[float, Field(gt=0, le=86400)] = 300


class Duplicates(_Part):
    """When violations are one case, or may be.

    Attributes:
        gap_s: What is seen again at its place within so long after an open case was last seen, is
            that case.
        near_m: Cameras so near each other may see the same.
        near_s: So near in time.
        recurrence_days: What is seen at its place within so many days after a case was over,
            recurs.
    """

    gap_s: Annotated[float, Field(ge=0, le=365 * 86400)] = 24 * 3600
    near_m: Annotated[float, Field(ge=0, le=1000)] = 50
    near_s: Annotated[float, Field(ge=0, le=365 * 86400)] = 24 * 3600
    recurrence_days: Annotated[float, Field(ge=0, le=3650)] = 30


class Oidc(_Part):
    """Logging in at an OpenID provider.

    Attributes:
        issuer: Its URL.
        client_id: Who we are there.
        client_secret: Proof of that.
        scope: What is asked for.
        role_claim: Claim of the ID token that says what someone may do.
        roles: Role by value of that claim; whoever has none of them is not let in.
    """

    issuer: Annotated[str, Field(pattern=r"^https?://\S+$")]
    client_id: str
    client_secret: SecretStr
    scope: str = "openid profile"
    role_claim: str = "roles"
    roles: Annotated[dict[str, Role], Field(min_length=1)]


class Hosts(_Part):
    """Cameras shared over the machines of a Ray cluster.

    Attributes:
        address: Of the cluster's head, ``host:port``; ``auto`` for the cluster that this machine
            is part of.
    """

    address: Annotated[str, Field(pattern=r"^(auto|[^\s/:]+:\d+)$")] = "auto"


class ServiceSettings(BaseSettings):
    """All settings.

    Attributes:
        data: Folder for everything that has no other place.
        database: URL of the database; a file in ``data`` without it.
        evidence: Folder or fsspec URL for evidence, without credentials; a folder in ``data``
            without it.
        host: Address to listen at.
        port: Port to listen at.
        public_url: How browsers reach the service; with ``https``, cookies are sent over it alone.
        behind_proxy: Whether ``X-Forwarded-For`` and ``-Proto`` of the peer are believed: only
            behind a proxy that sets them.
        signing_secret: Signs links to evidence; made and kept in ``data`` without it. Hosts that
            share a database need the same.
        link_s: How long a link to masked evidence holds.
        sealed_link_s: How long a link to an original holds.
        camera_networks: Networks, besides public ones, in which cameras may be.
        camera_folders: Folders whose recordings may be played as cameras, for trials.
        watch: Whether this process watches the cameras.
        hosts: Has the machines of a Ray cluster watch them instead; needs PostgreSQL, and evidence
            where all reach it.
        models: Folder or file of the model registry; the one that ships without it.
        timezone: IANA name; schedules, permits and stages go by it.
        calendar: Working days and holidays: name of a shipped calendar, or a file.
        catalogue: Case catalogue: name of a shipped one, or a file.
        map_tiles: URL template of a tile server for the map, such as
            ``https://tiles.example.cn/{z}/{x}/{y}.png``; browsers load from it. A plain ground
            without it.
        map_attribution: Whose tiles they are, shown on the map.
        map_coord_sys: Coordinate system of the tiles.
        limits: What requests may ask for.
        logins: How long logins last.
        oidc: Logging in at an OpenID provider, besides passwords; needs ``public_url``.
        retention: How long things are kept.
        review: How candidates are reviewed.
        duplicates: When violations are one case, or may be.
        dispatch: Where confirmed cases go; links to evidence need ``public_url``.
        verification: How a camera looks again.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Path("jiexu-data")
    database: SecretStr | None = None
    evidence: Annotated[str, AfterValidator(_without_user)] | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8700
    public_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")] | None = None
    behind_proxy: bool = False
    signing_secret: SecretStr | None = None
    link_s: Seconds = 900
    sealed_link_s: Seconds = 60
    camera_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    camera_folders: tuple[Path, ...] = ()
    watch: bool = True
    hosts: Hosts | None = None
    models: Path | None = None
    timezone: str = "Asia/Shanghai"
    calendar: str = "cn"
    catalogue: str = "gb30428.2-2013"
    map_tiles: Annotated[str, Field(pattern=r"^https?://[\w.{}:-]+/\S*\{z\}\S*$")] | None = None
    map_attribution: str = ""
    map_coord_sys: CoordSys = "wgs84"
    limits: Limits = Limits()
    logins: Logins = Logins()
    oidc: Oidc | None = None
    retention: Retention = Retention()
    review: Review = Review()
    duplicates: Duplicates = Duplicates()
    dispatch: DispatchSettings = DispatchSettings()
    verification: VerificationSettings = VerificationSettings()

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.oidc is not None and self.public_url is None:
            raise ValueError("oidc: needs public_url, to which the provider sends browsers back")
        if self.hosts is not None and not self.database_url.startswith("postgresql"):
            raise ValueError("hosts: needs database: postgresql://..., in which hosts meet")
        if self.hosts is not None and self.evidence is None:
            raise ValueError("hosts: needs evidence: a bucket, or a folder that all hosts share")
        self.check_links()
        return self

    def check_links(self) -> None:
        """Whether links that platforms are sent lead anywhere.

        Raises:
            ValueError: They do not; the platform is named.
        """
        for name, platform in self.dispatch.destinations.items():
            if platform.evidence == "links" and self.public_url is None:
                raise ValueError(
                    f"dispatch.destinations.{name}: evidence: links need public_url, at which "
                    "the platform reaches them"
                )

    @property
    def database_url(self) -> str:
        """URL of the database, with its password."""
        if self.database is not None:
            return self.database.get_secret_value()
        return f"sqlite:///{self.data.absolute() / 'jiexu.db'}"

    @property
    def evidence_root(self) -> str:
        """Where evidence lies."""
        return self.evidence or str(self.data / "evidence")

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies are sent over HTTPS alone."""
        return self.public_url is not None and self.public_url.startswith("https:")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(path: Path | None) -> ServiceSettings:
    """Read the settings.

    Args:
        path: ``service.yaml``; variables and defaults alone without it.

    Raises:
        ConfigError: The file or a variable is wrong; every fault is listed, no value is quoted.
    """
    given: Any = {}
    if path is not None:
        try:
            given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: cannot be read: {type(error).__name__}") from None
        if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
            raise ConfigError(f"{path}: must be a mapping of settings")
    try:
        return ServiceSettings(**given)
    except ValidationError as error:
        where = "settings" if path is None else str(path)
        faults = [
            f"{where}: {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise ConfigError("\n".join(faults)) from None
