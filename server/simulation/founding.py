"""Lenders' and coordinator's folders for a run, as `client` and `server` expect them.

RUN/simulated.txt                      says that simulate.py made this folder and may remove it
RUN/agreement.json                     the coordinator's copy
RUN/authority/authority.{key,crt}      the consortium's authority, which certifies all members
RUN/authority.crt                      what the coordinator holds of it
RUN/coordinator.{key,crt}              the coordinator's own key and certificate
RUN/lenders/L01/client.toml            member, table, agreement, identity, secret
RUN/lenders/L01/agreement.json         the lender's own copy
RUN/lenders/L01/table.parquet          its rows, as the researcher's file has them
RUN/lenders/L01/authority.crt          the lender's own copy
RUN/lenders/L01/certificate.crt        its certificate
RUN/lenders/L01/own/identity.key       its private key
RUN/lenders/L01/members.json           in production: all lenders' public keys

Invariants:
- Nothing is ever removed but a folder that holds simulated.txt; it is written before all else.
- The lender column is not written: a lender is its code.
- Identity keys are random: unlike a simulated lender's secret they do not follow from the seed. A
  run that goes on keeps them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server.authority import RandomBytes, create_authority, issue, write_authority
from server.coordinator.rounds import AGREEMENT, read_agreement
from server.keys import AUTHORITY, COORDINATOR, COORDINATOR_KEY, read_private, write_private
from server.simulation.book import Book
from shared.errors import OperatorError
from shared.identity.certificate import Role, public_of
from shared.identity.pem import certificate_to_pem
from shared.training.agreement import Agreement

LENDERS = "lenders"
MARK = "simulated.txt"
CERTIFICATE, KEY = "certificate.crt", "own/identity.key"
MEMBERS = "members.json"
_DAYS = 3650  # a simulation may be resumed as long as its folder lies about


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def found(folder: Path, agreement: Agreement, book: Book) -> list[Path]:
    """Write all folders of a new run (an earlier one there is removed); returns the lenders'.

    Raises OperatorError, and removes nothing, when something else is in that place.
    """
    clear(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark(folder)
    terms = json.dumps(agreement.to_dict(), indent=1, ensure_ascii=False)
    for code in book.codes:
        home = folder / LENDERS / code
        home.mkdir(mode=0o700, parents=True)
        (home / "agreement.json").write_text(terms, encoding="utf-8")
        (home / "client.toml").write_text(_settings(code, agreement), encoding="utf-8")
        (home / "table.parquet").write_bytes(_rows_of(code, agreement, book))
    certify(folder, agreement.name)
    if agreement.profile == "production":
        _list_members(folder)
    (folder / AGREEMENT).write_text(terms, encoding="utf-8")  # last: a run is there, or it is not
    return lender_folders(folder)


def mark(folder: Path) -> None:
    """Say that the folder may be removed."""
    (folder / MARK).write_text("Made by simulate.py, which removes this folder to start again.\n")


def certify(
    folder: Path,
    consortium: str,
    *,
    random: RandomBytes = secrets.token_bytes,
    clock: Callable[[], datetime] = now,
) -> None:
    """Give a run's folder an authority, and its coordinator and the lenders in it identities.

    `random` and `clock` are a test's to replace. Raises OperatorError if any is there already.
    """
    begun = clock()
    name = consortium.strip()[:64] or "simulation"  # X.509 takes no longer ones
    authority = create_authority(name, days=_DAYS, now=begun, random=random)
    write_authority(folder / "authority", authority)

    def identify(code: str, role: Role, home: Path, key: Path, certificate: Path) -> None:
        key.parent.mkdir(mode=0o700, exist_ok=True)
        private = random(32)
        write_private(key, private)
        public = public_of(private)
        issued = issue(authority, code, role, public, days=_DAYS, now=begun, random=random)
        certificate.write_bytes(certificate_to_pem(issued))
        (home / AUTHORITY).write_bytes(certificate_to_pem(authority.certificate))

    identify("coordinator", "coordinator", folder, folder / COORDINATOR_KEY, folder / COORDINATOR)
    for home in lender_folders(folder):
        identify(home.name, "lender", home, home / KEY, home / CERTIFICATE)


def _list_members(folder: Path) -> None:
    """Every lender's list of all lenders' keys, which in earnest they compare by themselves."""
    homes = lender_folders(folder)
    keys = {home.name: public_of(read_private(home / KEY)).hex() for home in homes}
    for home in homes:
        (home / MEMBERS).write_text(json.dumps(keys, indent=1), encoding="utf-8")


def founded(folder: Path, agreement: Agreement, book: Book) -> list[Path]:
    """The lenders' folders of an interrupted run; OperatorError when it is not this book's."""
    homes = lender_folders(folder)
    same = read_agreement(folder).digest() == agreement.digest()
    same = same and [home.name for home in homes] == book.codes
    if not same or any(
        (home / "table.parquet").read_bytes() != _rows_of(home.name, agreement, book)
        for home in homes
    ):
        raise OperatorError(
            f"the run in {folder} began with another table or other settings than there are now",
            remedy="put them back, or start again without --resume",
        )
    return homes


def clear(folder: Path) -> None:
    """Remove what an earlier simulation left there; OperatorError when it is something else."""
    if (folder / MARK).is_file() and stat.S_ISDIR(folder.lstat().st_mode):
        shutil.rmtree(folder)
    elif folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OperatorError(
            f"{folder} holds something that is not an earlier simulation; nothing was removed",
            remedy="choose another folder with --out, or move that one away",
        )


def _rows_of(code: str, agreement: Agreement, book: Book) -> bytes:
    rows = book.frame.iloc[book.position[book.lender == code]]
    content: bytes = rows[list(agreement.schema.required)].to_parquet(index=False)
    return content


def lender_folders(folder: Path) -> list[Path]:
    """The lenders' folders of a run, in order of their codes."""
    return sorted(path for path in (folder / LENDERS).iterdir() if path.is_dir())


def _settings(code: str, agreement: Agreement) -> str:
    # A simulated lender's secret follows from the seed, so that a run can be repeated.
    secret = int.from_bytes(
        hashlib.sha256(f"lianfang|{agreement.seed}|{code}".encode()).digest()[:7], "big"
    )
    listed = f'members = "{MEMBERS}"\n' if agreement.profile == "production" else ""
    return (
        f'[lender]\nmember = "{code}"\ntable = "table.parquet"\n'
        f'agreement = "agreement.json"\nauthority = "{AUTHORITY}"\n'
        f'certificate = "{CERTIFICATE}"\nkey = "{KEY}"\nsecret = {secret}\n'
        f"{listed}"
    )
