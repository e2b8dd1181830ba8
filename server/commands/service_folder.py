"""`init` of a service: its folder with keys, certificates and settings, or nothing of it.

Invariants:
- Nothing in the folder is written over. What cannot be done whole leaves nothing new behind.
- A folder is one service's: it has the settings of no other.
- It is said to be done only when all credentials are there and belong together, where the authority
  is here; certificates last a year, or as long as the authority's own.
"""

from __future__ import annotations

import argparse
import secrets
from datetime import timedelta
from pathlib import Path

from server.actor import CERTIFICATE, KEY, TRANSPORT, TRANSPORT_KEY, read_actor, write_actor
from server.apart import PROFILES
from server.authority import days_left, read_authority
from server.commands import serving
from shared.errors import OperatorError
from shared.identity.certificate import Role

_SETTINGS = {
    "keyholder.toml": "key holder",
    "registry.toml": "registry",
    "cases.toml": "case desk",
    "borrowing.toml": "borrowing desk",
}
_CREDENTIALS = (KEY, CERTIFICATE, TRANSPORT_KEY, TRANSPORT)


def add_init(
    commands: argparse._SubParsersAction,  # type: ignore[type-arg]
    name: str,
    examples: str,
) -> argparse.ArgumentParser:
    """`init`."""
    init = serving.command(commands, "init", f"make a {name}'s folder", examples)
    init.add_argument("folder", type=Path, help="to be made; nothing in it is written over")
    init.add_argument("--code", required=True, help=f"the {name}'s code in the consortium")
    init.add_argument(
        "--authority",
        type=Path,
        metavar="FOLDER",
        help="the authority's folder, if it is on this machine: makes keys and certificates, for "
        f"{serving.DAYS} days or until the authority's own ends. "
        "Without it only the settings are written, and keys and certificates are put in place",
    )
    init.add_argument("--json", action="store_true", help="one JSON line for scripts")
    return init


def add_profile(init: argparse.ArgumentParser) -> None:
    """`--profile`."""
    text = "demo: all parts may be in one place, and protect nobody (default %(default)s)"
    init.add_argument("--profile", choices=PROFILES, default="production", help=text)


def write_folder(
    folder: Path, code: str, role: Role, authority: Path | None, settings: str, text: str
) -> dict[str, object]:
    """Credentials (where the authority is here) and settings; what is to be said of them. Raises
    OperatorError.
    """
    if (folder / settings).exists():
        raise OperatorError(
            f"{folder / settings} is there already; nothing was written",
            remedy="edit it, or name another folder",
        )
    check_alone(folder, settings)
    said: dict[str, object] = {"folder": str(folder), "code": code}
    try:
        if authority is not None:
            said |= _enrolled(folder, code, role, authority)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / settings).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"{error.filename or folder}: {error.strerror}", remedy="mend the folder's permissions"
        ) from error
    return said


def check_alone(folder: Path, settings: str) -> None:
    """OperatorError where the folder has the settings of another service than the one with the
    file `settings`: two services in one folder would share a code, a key and a lock.
    """
    for name, service in _SETTINGS.items():
        if name != settings and (folder / name).exists():
            raise OperatorError(
                f"{folder} is the folder of a {service}: it has {name}; nothing was written",
                remedy="name a folder of its own, and a code of its own",
            )


def _enrolled(folder: Path, code: str, role: Role, place: Path) -> dict[str, object]:
    """Keys and certificates are there and belong together: those that were, or new ones."""
    there = [name for name in _CREDENTIALS if (folder / name).exists()]
    if there:
        _check_whole(folder, code, role, there)
        return {}
    now = serving.now()
    authority = read_authority(place, now)
    days = min(serving.DAYS, days_left(authority, now))
    was_there = folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        write_actor(folder, authority, code, role, days=days, now=now, random=secrets.token_bytes)
    except BaseException:
        for empty in () if was_there else (folder / "own", folder):
            if empty.is_dir():
                empty.rmdir()
        raise
    return {"certified_until": f"{now + timedelta(days=days):%Y-%m-%d}"}


def _check_whole(folder: Path, code: str, role: Role, there: list[str]) -> None:
    missing = [name for name in _CREDENTIALS if name not in there]
    if missing:
        raise OperatorError(
            f"{folder} has {', '.join(there)}, but no {', '.join(missing)}; nothing was written",
            remedy="put in place what is missing; or, if no certificate names that key, move it "
            "away and give the command again",
        )
    known = read_actor(folder, role, serving.now()).identity.member.code
    if known != code:
        raise OperatorError(
            f"{folder} is the folder of {known!r}, not of {code!r}; nothing was written",
            remedy="name another folder, or the code that its certificates have",
        )
