from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from service.logs import REQUEST_ID, JsonLines


def line(message: str, *arguments: object, **extra: object) -> dict[str, object]:
    record = logging.LogRecord("service", logging.INFO, "file", 1, message, arguments, None)
    vars(record).update(extra)
    found: dict[str, object] = json.loads(JsonLines().format(record))
    return found


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord("a", logging.INFO, "f", 1, "two\nlines 街", (), None)
    assert "\n" not in JsonLines().format(record)
    assert line("two\nlines 街")["message"] == "two\nlines 街"


def test_the_request_is_named() -> None:
    token = REQUEST_ID.set("r1")
    assert line("x", status=200)["request_id"] == "r1"
    REQUEST_ID.reset(token)
    assert "request_id" not in line("x")
    assert line("x", status=200)["status"] == 200


def test_secrets_of_urls_are_hidden_in_messages_fields_and_traces() -> None:
    url = "rtsp://boss:pa55word@10.1.2.3/stream?token=t0k3n"
    assert "pa55word" not in str(line("open %s", url))
    assert "t0k3n" not in str(line("open", path=url))
    try:
        Path(url).read_text()
    except OSError:
        record = logging.LogRecord("a", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    text = JsonLines().format(record)
    assert "pa55word" not in text
    assert json.loads(text)["error"] == "FileNotFoundError"
