"""A founded consortium and lenders who ask to join it, for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.joining import begin
from server.consortium.founding import found, terms_text
from server.consortium.invitations import invite
from server.deployment.enrolment import EnrolmentDesk, serve_enrolment
from shared.identity.enrolment_messages import EnrolRequest
from shared.training.consortium import Consortium

SCHEMA = Path(__file__).resolve().parents[1] / "configs" / "consortium.toml"
NAME = "Five lenders"
GATE, ENROL = "127.0.0.1:18443", "127.0.0.1:18444"


def now() -> datetime:
    """The time with a zone."""
    return datetime.now(UTC)


def text_of(**changes: Any) -> bytes:
    """consortium.toml of a trial consortium."""
    schema = changes.pop("schema", SCHEMA.read_bytes())
    about: dict[str, Any] = {
        "name": NAME,
        "profile": "demo",
        "gate": GATE,
        "enrol": ENROL,
        "terms": {},
    }
    return terms_text(schema, SCHEMA.name, **about | changes)


def founded(
    folder: Path, *, when: datetime | None = None, days: int = 365, **changes: Any
) -> Consortium:
    """A coordinator's folder."""
    return found(folder, text_of(**changes), now=when or now(), random=os.urandom, days=days)


def invited(folder: Path, code: str = "L01", *, when: datetime | None = None, **more: Any) -> str:
    """The line for a new member."""
    return invite(folder, code, now=when or now(), random=os.urandom, **more).text()


def asked(home: Path, line: str, *, when: datetime | None = None) -> EnrolRequest:
    """What a lender asks from its folder."""
    return begin(home, line, now=when or now())[1]


@contextmanager
def enrolling(folder: Path, desk: EnrolmentDesk | None = None, **more: Any) -> Iterator[int]:
    """The enrolment endpoint of a founded folder on a free port, ended at the end."""
    service = serve_enrolment(folder, "127.0.0.1:0", desk=desk, **more)
    try:
        yield service.port
    finally:
        service.stop()


def readdressed(folder: Path, port: int) -> None:
    """Let new invitations name this port."""
    path = folder / "consortium.toml"
    text = path.read_text(encoding="utf-8")
    lines = [
        f'enrol = "127.0.0.1:{port}"' if line.startswith("enrol = ") else line
        for line in text.splitlines()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
