"""What is done every few minutes: everything that is kept for a time is taken away after it."""

from __future__ import annotations

import logging
from datetime import timedelta

from service.api.idempotency import forget_answers
from service.auth.guard import BY_ADDRESS, BY_NAME, forget_failures
from service.auth.logins import forget_logins
from service.cases.events import forget_events
from service.context import Service
from service.dispatch.retention import forget_deliveries
from service.evidence.retention import Kept, keep_evidence
from service.replays.jobs import KEPT_DAYS

log = logging.getLogger(__name__)


def keep_house(service: Service) -> Kept:
    """Take away evidence, deliveries, events, answers and logins whose time is over."""
    now, rules = service.clock(), service.settings.retention
    done = keep_evidence(service.database, service.files, rules, now)
    told = forget_deliveries(service.database, rules, now)
    with service.database.write() as session:
        forget_events(session, now - timedelta(days=rules.events_days))
        forget_answers(session, now - timedelta(hours=rules.idempotency_hours))
        forget_logins(session, now, service.login_times)
        longest_s = max(BY_NAME.forgotten_s, BY_ADDRESS.forgotten_s)
        forget_failures(session, now - timedelta(seconds=longest_s))
    if service.replays is not None:
        service.replays.archive.forget(now - timedelta(days=rules.archive_days))
        service.replays.forget(now - timedelta(days=KEPT_DAYS))
    if done.removed_files:
        log.info("retention took away %d files, %d bytes", done.removed_files, done.removed_bytes)
    if told.deliveries or told.callbacks:
        log.info(
            "retention took away %d messages to platforms, %d reports",
            told.deliveries,
            told.callbacks,
        )
    return done
