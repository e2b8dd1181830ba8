"""Key holders of a consortium on loopback, and what a lender's folder needs to ask them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from client.exchange.known_list import KnownList
from client.files import write_whole
from server.actor import read_actor, write_actor
from server.authority import Authority, issue_transport
from server.commands.keyholder import settings_text
from server.keyholder.ceremony import relay_of
from server.keyholder.service import serve
from shared.blacklist.checkpoint import BEGINNING, Checkpoint
from shared.identity.certificate import Role
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of
from shared.secure_sum.trust import Trust
from shared.tokens.ceremony_checks import Terms
from tests.consortium_folders import now
from tests.identities import identity_under

HOLDERS, REGISTRY, THRESHOLD, DAYS = ("K1", "K2", "K3"), "R1", 2, 30


@contextmanager
def key_holders(home: Path, authority: Authority, context: str) -> Iterator[dict[str, str]]:
    """Three that have made the key of epoch 1; where each answers."""
    with ExitStack() as ended:
        addresses = {}
        for code in HOLDERS:
            _acts(home / code, authority, code, "keyholder")
            text = settings_text(context, list(HOLDERS), THRESHOLD, "demo")
            (home / code / "keyholder.toml").write_text(text, encoding="utf-8")
            running = serve(home / code, "127.0.0.1:0")
            ended.callback(running.stop)
            addresses[code] = f"127.0.0.1:{running.port}"
        _acts(home / "C1", authority, "C1", "coordinator")
        actor, trust = (
            read_actor(home / "C1", "coordinator", now()),
            Trust(authority.certificate, now),
        )
        terms = Terms(context, THRESHOLD, HOLDERS)
        relay_of(actor, terms, addresses, trust, secrets.token_bytes).generate()
        yield addresses


def can_ask(
    folder: Path, code: str, authority: Authority, context: str, holders: Mapping[str, str]
) -> None:
    """A lender's `exchange.toml`, its TLS credentials where there are none, and what a first `list
    sync` leaves: that epoch 1 is open.
    """
    if not (folder / "transport.crt").exists():
        key = new_transport_key(secrets.token_bytes)
        certificate = issue_transport(
            authority, code, "lender", transport_public_of(key), days=DAYS, now=now(),
            random=secrets.token_bytes,
        )  # fmt: skip
        (folder / "transport.crt").write_bytes(certificate_to_pem(certificate))
        write_whole(folder / "own" / "transport.key", key)
    lines = "".join(f'{one} = "{address}"\n' for one, address in holders.items())
    (folder / "exchange.toml").write_text(
        f'[exchange]\nmember = "{code}"\ncontext = "{context}"\n[registry]\ncode = "{REGISTRY}"\n'
        f'address = "127.0.0.1:1"\n[holders]\n{lines}'
    )
    list_known(folder, authority, (1,))


def list_known(folder: Path, authority: Authority, epochs: tuple[int, ...]) -> None:
    """What `list sync` leaves of the list: a checkpoint that names these key epochs."""
    signer = identity_under(authority, REGISTRY, "registry", now=now())
    first = Checkpoint(
        registry=REGISTRY,
        certificate=signer.member.certificate,
        version=1,
        before=BEGINNING,
        changes=bytes(32),
        content=bytes(32),
        rows=0,
        epochs=epochs,
        at=int(now().timestamp()),
        log=BEGINNING,
    ).signed(signer.private)
    KnownList(folder / "own" / "registry", REGISTRY, authority.certificate).keep(first)


def _acts(folder: Path, authority: Authority, code: str, role: Role) -> None:
    random = secrets.token_bytes
    write_actor(folder, authority, code, role, days=DAYS, now=now(), random=random)
