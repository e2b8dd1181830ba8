"""A key holder and a registry for a coordinator's folder, as their operators make them."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

from server.actor import write_actor
from server.authority import Authority
from server.commands.keyholder import settings_text
from server.commands.registry import settings_text as registry_text
from server.deployment.services import FILE
from shared.identity.certificate import Role

HOLDERS = ["K1", "K2", "K3"]
CONTEXT = "three tiny lenders"
CODES = {"keyholder": "K1", "registry": "R1"}


def service_folder(home: Path, kind: str, authority: Authority, profile: str = "demo") -> Path:
    """K1 or R1 below `home`, certified by this authority."""
    role: Role = "keyholder" if kind == "keyholder" else "registry"
    folder, now = home / CODES[kind], datetime.now(UTC)
    write_actor(folder, authority, CODES[kind], role, days=30, now=now, random=secrets.token_bytes)
    settings = {
        "keyholder": settings_text(CONTEXT, HOLDERS, 2, profile),
        "registry": registry_text(None, profile, holders=HOLDERS, context=CONTEXT),
    }
    (folder / f"{kind}.toml").write_text(settings[kind])
    return folder


def configure(coordinator: Path, **services: tuple[Path, str]) -> None:
    """Write `services.toml`: folder and address of each kind."""
    text = "".join(
        f"[{kind}]\nfolder = {json.dumps(str(folder))}\nlisten = {json.dumps(listen)}\n"
        for kind, (folder, listen) in services.items()
    )
    (coordinator / FILE).write_text(text)
