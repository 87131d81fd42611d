"""``jiexu serve``: one process with everything in it."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from service.api.account import OIDC_CALLBACK
from service.app import create_app
from service.auth.first_run import offer_token
from service.auth.oidc import OidcProvider
from service.cameras.live import LiveCameras
from service.cases.sink import StoreSink
from service.cases.verification import Verifier
from service.context import Service
from service.demo import demo_settings, show_demo
from service.detecting import Detectors, OnDemand
from service.dispatch.dispatcher import Dispatcher, Dispatching
from service.ending import Ending
from service.evidence.files import EvidenceFiles
from service.evidence.links import load_signer
from service.hosts.start import need_ray
from service.housekeeping import keep_house
from service.live import Watching
from service.logs import set_up_logs
from service.opening import every, now, open_intake, site_clock
from service.reach import AddressPolicy
from service.reload import Reloader
from service.replays.archive import LookArchive
from service.replays.jobs import Replays
from service.review.mount import add_pages
from service.settings import Hosts, ServiceSettings
from service.store.database import Database
from service.store.migrate import upgrade
from service.watching import WatchedCameras
from vision.detect.registry import load_registry
from vision.errors import ConfigError

if TYPE_CHECKING:
    from service.hosts.live import HostedCameras

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 600.0
CANARY_S = 60.0
VERIFY_S = 10.0
DATABASE_S = 60.0
"""The database is waited for at the start."""
ARCHIVE_S = 60.0
REQUESTS_S = 5
"""Requests that are under way are given so long when the service is told to stop."""
LOOKS_S = 2.0
"""So are looks, before the detector is ended, which ends those that hang."""


def open_service(settings: ServiceSettings) -> tuple[Service, Watching, Detectors]:
    """Open everything that the service needs, and bring its database up to date.

    Raises:
        ConfigError: A setting is wrong.
        ModelError: The model registry cannot be read.
        DatabaseError: The database does not answer, or a newer version wrote it.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    clock = site_clock(settings.timezone, settings.calendar)
    detectors = Detectors(load_registry(settings.models))
    inspector = OnDemand(detectors)
    database = Database(settings.database_url)
    database.wait(DATABASE_S)
    upgrade(database)
    files = EvidenceFiles(settings.evidence_root)
    intake = open_intake(database, files, inspector, settings.duplicates)
    secret = settings.signing_secret
    archive = LookArchive(settings.data / "archive", settings.timezone)
    hosts = settings.hosts if settings.watch else None
    hosted = None if hosts is None else _on_hosts(settings, hosts)
    watched: Watching = (
        hosted
        if hosted is not None
        else _watched_here(settings, database, StoreSink(database, intake, now, archive), detectors)
    )
    service = Service(
        settings=settings,
        database=database,
        files=files,
        signer=load_signer(settings.data, secret.get_secret_value() if secret else None),
        clock=now,
        live=watched if settings.watch else None,
        inspector=inspector,
        detector_fault=detectors.fault,
        detector_counts=detectors.counts if hosted is None else hosted.detector_counts,
        hosts=None if hosted is None else hosted.state,
        replays=Replays(
            settings.data / "replays",
            archive,
            model_of=detectors.entry_of,
            site_clock=clock,
            clock=now,
        )
        if settings.watch and hosted is None
        else None,
        verifier=Verifier(
            database=database,
            intake=intake,
            cameras=watched,
            clock=now,
            rules=settings.verification,
            dispatch=lambda: service.settings.dispatch,
        )
        if settings.watch
        else None,
        oidc=None
        if settings.oidc is None
        else OidcProvider(settings.oidc, f"{settings.public_url}{OIDC_CALLBACK}"),
    )
    return service, watched, detectors


def _watched_here(
    settings: ServiceSettings, database: Database, sink: StoreSink, detectors: Detectors
) -> Watching:
    policy = AddressPolicy(networks=settings.camera_networks, folders=settings.camera_folders)
    return WatchedCameras(
        database,
        LiveCameras(sink, policy),
        detectors,
        clock=site_clock(settings.timezone, settings.calendar),
        folder=settings.data / "cameras",
    )


def _on_hosts(settings: ServiceSettings, hosts: Hosts) -> HostedCameras:
    """Cameras that the machines of a cluster watch.

    Raises:
        ConfigError: The package ``ray`` is not installed.
    """
    need_ray()
    from service.hosts.host import host_settings
    from service.hosts.live import HostedCameras

    return HostedCameras(hosts.address, host_settings(settings))


def serve(
    settings: ServiceSettings,
    read_again: Callable[[], ServiceSettings] | None = None,
    *,
    demo: bool = False,
) -> None:
    """Serve until told to stop; the process ends with it.

    Args:
        settings: All settings.
        read_again: Reads them again, for those that can change while the service runs.
        demo: Whether drawn scenes are added as cameras.
    """
    if demo:
        settings, given = demo_settings(settings), read_again
        read_again = None if given is None else lambda: demo_settings(given())
    set_up_logs()
    # The server raises the signal again when it has ended: that must not end us at once.
    signal.signal(signal.SIGTERM, _end)
    service, watched, detectors = open_service(settings)
    log.info("cases are filed by the catalogue %s", service.filing.catalogue.id)
    if read_again is not None:
        service.reloader = Reloader(service, read_again)
        signal.signal(signal.SIGHUP, lambda *_: _reload(service.reloader))
    offered = offer_token(service.database, settings.data, now())
    if offered is not None:
        log.warning("there is no user yet: make the first admin with the token in %s", offered)
    app = create_app(service)
    add_pages(app, service)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips="*" if settings.behind_proxy else None,
        timeout_graceful_shutdown=REQUESTS_S,
    )
    stop = threading.Event()
    regular: list[tuple[float, Callable[[], object]]] = [
        (HOUSEKEEPING_S, lambda: keep_house(service)),
        (CANARY_S, detectors.check),
    ]
    if service.verifier is not None:
        regular.append((VERIFY_S, service.verifier.look_again))
    replays = service.replays
    if replays is not None:
        regular.append((ARCHIVE_S, lambda: replays.archive.flush(now())))
    threads = [
        threading.Thread(target=every, args=(interval_s, work, stop), daemon=True)
        for interval_s, work in regular
    ]
    for thread in threads:
        thread.start()
    dispatcher = service.dispatcher = Dispatcher(dispatching(service))

    cameras_ended = threading.Event()

    def end_cameras(within_s: float) -> None:
        try:
            if settings.watch:
                watched.stop(within_s)
            if replays is not None:
                replays.archive.flush()
        finally:
            cameras_ended.set()

    def end_detectors(within_s: float) -> None:
        cameras_ended.wait(min(LOOKS_S, within_s))
        detectors.close()

    def end_regular(within_s: float) -> None:
        until_s = time.monotonic() + within_s
        stop.set()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))

    ending = Ending(
        {
            "cameras": end_cameras,
            "detectors": end_detectors,
            # At once, for cameras may take all the time there is; what they still look at, after.
            "kept looks": lambda _: replays.archive.flush() if replays is not None else None,
            "replays": lambda within_s: replays.stop(within_s) if replays is not None else None,
            "deliveries": lambda _: dispatcher.stop(),
            "what is done regularly": end_regular,
        }
    )
    server = _Server(config, ending)
    dispatcher.start()
    if settings.watch:
        watched.start()
    if replays is not None:
        replays.start()
    if demo:
        threading.Thread(target=show_demo, args=(service,), daemon=True).start()
    code = 0
    try:
        log.info("listening at %s:%s", settings.host, settings.port)
        server.run()
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 1
    finally:
        ending.wait()
        service.database.close()
    ending.leave(code)


def _reload(reloader: Reloader | None) -> None:
    """Read the settings again, beside what the main thread does."""

    def read() -> None:
        assert reloader is not None
        with suppress(ConfigError):
            reloader.reload("system")

    threading.Thread(target=read, name="reload", daemon=True).start()


def _end(signum: int, frame: FrameType | None) -> None:
    """Leave such that what must be done at the end is done."""
    del signum, frame
    raise SystemExit(0)


def dispatching(service: Service) -> Dispatching:
    """What cases are sent with."""
    return Dispatching(
        settings=service.settings.dispatch,
        database=service.database,
        files=service.files,
        signer=service.signer,
        public_url=service.settings.public_url,
        clock=service.clock,
        worktime=service.worktime,
    )


class _Server(uvicorn.Server):
    """Has all else end while requests do, and the event streams, for which it would wait."""

    def __init__(self, config: uvicorn.Config, ending: Ending) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self.config.app.state.closing.set()  # type: ignore[union-attr]
        self._ending.begin()
        super().handle_exit(sig, frame)
