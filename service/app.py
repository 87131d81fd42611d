"""The application: routes, and what is around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from service.api import (
    account,
    callbacks,
    cameras,
    cases,
    deliveries,
    events,
    evidence,
    operations,
    pictures,
    replays,
    reports,
    review,
    settings,
    users,
    verifications,
    violations,
)
from service.api.middleware import PREFIX, REFERENCE, Around
from service.api.problem import add_handlers, answers
from service.api.reference import add_reference
from service.context import Service
from service.metrics import Metrics
from service.pictures.snapshots import MaskedSnapshots
from vision import __version__


def create_app(service: Service) -> FastAPI:
    """The application around a service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.closing = asyncio.Event()
        yield
        app.state.closing.set()

    app = FastAPI(
        title="Jiexu",
        version=__version__,
        summary="Street-order violations seen by a city's cameras",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    metrics = Metrics(
        service.database, service.clock, service.live, service.detector_counts, service.hosts
    )
    app.state.service = service
    app.state.metrics = metrics
    inspector = service.inspector
    app.state.snapshots = None if inspector is None else MaskedSnapshots(inspector.inspect_faintly)
    app.state.event_streams = set()
    app.state.closing = asyncio.Event()
    add_handlers(app)
    api = APIRouter(prefix=PREFIX, responses=answers())
    for part in (
        account,
        cameras,
        violations,
        cases,
        review,
        reports,
        evidence,
        pictures,
        events,
        users,
        deliveries,
        callbacks,
        verifications,
    ):
        api.include_router(part.router)
    api.include_router(replays.router)
    api.include_router(settings.router)
    api.include_router(operations.overview)
    app.include_router(api)
    app.include_router(operations.router)
    add_reference(app, REFERENCE)
    app.add_middleware(Around, service=service, metrics=metrics)
    return app
