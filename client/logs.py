"""How a lender's processes write their logs: sentences for people, or JSON lines.

Invariants:
- Of an exception only kind and place are written, never its text: it may quote what came in.
- Of other packages' records (level WARNING and above) only the sentence's form is written, without
  what was put into it, and the place in the code where there is no such form: it may be anything.
- What cannot be printed stands as "?": no text that came in moves a terminal's cursor, hides or
  reorders what is beside it.
- A record has its time (UTC), level, logger and message, and of what else was given only `FIELDS`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import Literal, TextIO

Form = Literal["text", "json"]
VARIABLE = "LIANFANG_LOG"
"""Names the form to every process that is started: "text" or "json"."""
OURS = "lianfang"
FIELDS = ("run", "stage", "phase", "lender", "service", "seconds", "bytes")
"""What a record may be given beside its message: names, codes and numbers of ours."""


class Lines(logging.Formatter):
    """`form` "json": {"time", "level", "logger", "message", …FIELDS, "error"}."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        about = self._about(record)
        if self._form == "json":
            return json.dumps(about, ensure_ascii=False)
        error = f" ({about['error']})" if "error" in about else ""
        return f"{about['time']} {about['level']} {about['logger']}: {about['message']}{error}"

    def _about(self, record: logging.LogRecord) -> dict[str, object]:
        when = datetime.fromtimestamp(record.created, UTC)
        about: dict[str, object] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        given = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        about |= {name: _shown(value) for name, value in given.items() if _plain(value)}
        if record.exc_info and record.exc_info[1] is not None:
            about["error"] = kind_and_place(record.exc_info[1])
        return about


def log_lines(form: Form, stream: TextIO | None = None) -> None:
    """Let this process write all its logs to `stream` (standard error) in this form only."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(form))
    handler.addFilter(_worth_telling)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in list(logging.Logger.manager.loggerDict):  # handlers that packages gave themselves
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


def form_asked(environment: Mapping[str, str] = os.environ) -> Form:
    """What `LIANFANG_LOG` says; "text" without it, or where it says neither."""
    return "json" if environment.get(VARIABLE) == "json" else "text"


def kind_and_place(error: BaseException) -> str:
    """An error's kind and the line of code it came from."""
    frames = extract_tb(error.__traceback__)[-1:]
    places = [f" at {Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return type(error).__name__ + "".join(places)


def printable(text: str) -> str:
    """The text with "?" for what is no letter, sign or space to print."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == OURS


def _worth_telling(record: logging.LogRecord) -> bool:
    return _ours(record) or record.levelno >= logging.WARNING


def _message(record: logging.LogRecord) -> str:
    if _ours(record):
        text = record.getMessage()
    else:
        text = str(record.msg) if record.args else f"at {record.filename}:{record.lineno}"
    return printable(" ".join(text.split()))


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))
