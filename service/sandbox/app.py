"""The sandbox platform as a web application: three interfaces, controls and a page."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, select_autoescape

from service.dispatch.adapters.panorama import from_shanghai
from service.dispatch.coordinates import Place, PlaceError, checked
from service.dispatch.secret import Secret
from service.sandbox.calling import Callers, CallingBack
from service.sandbox.mischief import Misbehaving, Mischief
from service.sandbox.open311 import open311_router
from service.sandbox.platform import HeldCase, SandboxPlatform, Stage

INTERFACES = ("/webhook/", "/open311/", "/client/")
SHOWN_MAX = 200


@dataclass(frozen=True)
class SandboxSettings:
    """How the platform is set up.

    Attributes:
        callers: Where callbacks go.
        secret: Webhooks must be signed with it.
        api_key: Key of the Open311 server.
        step_s: Seconds from one stage to the next; with 0, cases are moved by hand.
        decline: Share of cases that are declined.
        detour: Share of cases that are given back, suspended or put off on the way.
        mischief: How it misbehaves at first.
        seed: Of all chance; other each time without it.
    """

    callers: Callers
    secret: Secret = field(repr=False)
    api_key: str = field(repr=False)
    step_s: float = 5.0
    decline: float = 0.0
    detour: float = 0.0
    mischief: Mischief = field(default_factory=Mischief)
    seed: int | None = None


class Controls:
    """What is changed while the platform runs."""

    def __init__(self, mischief: Mischief) -> None:
        self.mischief = mischief


def create_sandbox(
    settings: SandboxSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> FastAPI:
    """The application; it sends callbacks while it runs."""
    chance = random.Random(settings.seed)  # noqa: S311 - chance, no secret
    controls = Controls(settings.mischief)
    calling = CallingBack(
        settings.callers,
        lambda: controls.mischief,
        clock,
        chance,
        hold_s=max(settings.step_s, 0.2) * 3,
    )
    platform = SandboxPlatform(
        clock,
        chance,
        step_s=settings.step_s,
        decline=settings.decline,
        detour=settings.detour,
        tell=calling.tell,
    )
    stop = threading.Event()

    def pass_time() -> None:
        while not stop.is_set():
            stop.wait(max(platform.tick(), 0.01))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        calling.start()
        thread = threading.Thread(target=pass_time, name="sandbox-time", daemon=True)
        thread.start()
        yield
        stop.set()
        calling.stop()
        thread.join()

    app = FastAPI(title="Sandbox platform", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.platform = platform
    app.state.calling = calling
    app.include_router(open311_router(platform, settings.api_key))
    _add_webhook(app, platform, settings.secret, clock)
    _add_panorama(app, platform)
    _add_controls(app, platform, calling, controls)
    app.add_middleware(
        Misbehaving,
        mischief=lambda: controls.mischief,
        paths=INTERFACES,
        chance=chance,
    )
    return app


def _add_webhook(
    app: FastAPI, platform: SandboxPlatform, secret: Secret, clock: Callable[[], datetime]
) -> None:
    @app.post("/webhook/cases")
    async def take(request: Request) -> Response:
        body = await request.body()
        headers = request.headers
        signed = secret.has_signed(
            headers.get("webhook-id", ""),
            headers.get("webhook-timestamp", ""),
            body,
            headers.get("webhook-signature", ""),
            clock(),
        )
        if not signed:
            raise HTTPException(401, "not signed with the secret, or too long ago")
        try:
            event = json.loads(body)
            data = event["data"]
            subject = event["type"].split(".")[3]
            key = data["first_id"]
        except (ValueError, KeyError, TypeError, IndexError):
            raise HTTPException(422, "no event of a case") from None
        case = platform.take("webhook", headers["webhook-id"], key, data, subject=subject)
        if case is None:
            raise HTTPException(422, "this case is not known here")
        return JSONResponse({"reference": case.reference}, 201)


def _add_panorama(app: FastAPI, platform: SandboxPlatform) -> None:
    @app.post("/client/handle_event")
    async def handle_event(request: Request) -> dict[str, Any]:
        def answer(code: int, message: str, **data: Any) -> dict[str, Any]:
            return {"code": code, "message": message, "data": data}

        try:
            body = json.loads(await request.body())
            event_id = str(body["eventId"])
            from_shanghai(body["eventTime"])
            checked(Place(float(body["longitude"]), float(body["latitude"]), "wgs84"))
            int(body["eventType"])
            key = str(body.get("processEventId") or event_id)
        except (ValueError, KeyError, TypeError, PlaceError) as error:
            return answer(400, f"参数错误: {error}")
        subject = "confirmed"
        if key != event_id:
            subject = "reopened" if body.get("processEventStatus") == 1 else "verified"
        case = platform.take("panorama", event_id, key, body, subject=subject)
        if case is None:
            return answer(400, "事件不存在")
        return answer(200, "请求已成功", id=case.reference)

    @app.post("/client/handle_event_other")
    async def handle_event_other(request: Request) -> dict[str, Any]:
        try:
            body = json.loads(await request.body())
            key = str(body["eventIds"]).split(",")[0]
            str(body["fileUrl"])
        except (ValueError, KeyError, TypeError) as error:
            return {"code": 400, "message": f"参数错误: {error}", "data": {}}
        # The form has no id of its own: the header says which message it is.
        message = request.headers.get("x-push-id")
        case = platform.take("panorama", message, key, body, subject="evidence")
        if case is None:
            return {"code": 400, "message": "事件不存在", "data": {}}
        return {"code": 200, "message": "请求已成功", "data": {"id": case.reference}}


def _add_controls(
    app: FastAPI, platform: SandboxPlatform, calling: CallingBack, controls: Controls
) -> None:
    page = Environment(
        loader=PackageLoader("service.sandbox", "pages"), autoescape=select_autoescape(["html"])
    ).get_template("sandbox.html")

    @app.get("/control")
    def get_control() -> Mischief:
        return controls.mischief

    @app.put("/control")
    def set_control(mischief: Mischief) -> Mischief:
        controls.mischief = mischief
        return mischief

    @app.get("/cases")
    def list_cases() -> dict[str, Any]:
        return {
            "taken": platform.taken,
            "callbacks_waiting": calling.waiting,
            "callbacks": dict(calling.counts),
            "cases": [_told(case) for case in platform.cases()],
        }

    @app.post("/cases/{reference}/{stage}")
    def move(reference: str, stage: Stage) -> dict[str, Any]:
        case = platform.move(reference, stage)
        if case is None:
            raise HTTPException(404, "there is no such case")
        return _told(case)

    @app.get("/", response_class=HTMLResponse)
    def show() -> str:
        cases = platform.cases()
        return page.render(
            cases=[_told(case) for case in reversed(cases[-SHOWN_MAX:])],
            total=len(cases),
            stages=Counter(case.stage.value for case in cases),
            moves=[stage for stage in Stage if stage is not Stage.ACCEPTED],
            mischief=controls.mischief.model_dump(),
            callbacks=dict(calling.counts),
            waiting=calling.waiting,
        )


def _told(case: HeldCase) -> dict[str, Any]:
    facts = case.facts
    kind = facts.get("kind")
    return {
        "reference": case.reference,
        "interface": case.interface,
        "key": case.key,
        "event_id": case.event_id,
        "rounds": case.rounds,
        "added": len(case.added),
        "stage": case.stage.value,
        "what": facts.get("description") or facts.get("remark") or (kind or {}).get("zh", ""),
        "passed": [
            {**asdict(one), "at": one.at.isoformat(), "stage": one.stage.value}
            for one in case.passed
        ],
    }
