"""Moving this lender's own entries to a new key epoch.

Invariants:
- Every live entry is re-filed or reported; the registry retires the old epoch only when none is
  left. Interrupted anywhere, it goes on where it was: what was kept is sent again, what is covered
  is not filed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from client.exchange.submissions import Settled
from shared.blacklist.entry import SubjectToken
from shared.blacklist.events import Event, Refile, signed
from shared.blacklist.state import EntryState
from shared.identity.certificate import Identity

_GROUP = 16

Tokens = Callable[[EntryState], tuple[tuple[SubjectToken, ...], tuple[bytes, ...]] | None]
"""Tokens and sealed records of an entry in the new epoch, of the parts still in force; None when
this lender no longer knows the identifiers: withdraw such an entry.
"""


class Registry(Protocol):
    """What is asked of the registry (`client.exchange.registry.RegistryClient`)."""

    def submit(self, events: Sequence[Event]) -> list[Settled]:
        """Keep and send; the answers."""

    def send_pending(self) -> int:
        """Send what was kept and not answered."""

    def own(self) -> list[EntryState]:
        """This lender's own live entries."""


@dataclass(frozen=True)
class Refiled:
    """Numbers of entries; `unknown`: names of those whose identifiers are not known any more;
    `refused`: the registry's reasons, and why tokens of others were not approved again; `seconded`:
    other lenders' entries whose new tokens were approved again; `remedies`: of each refusal, may be
    empty.
    """

    covered: int
    unknown: tuple[bytes, ...]
    refused: tuple[str, ...]
    seconded: int = 0
    remedies: tuple[str, ...] = ()


def refile(
    client: Registry,
    identity: Identity,
    registry: str,
    epoch: int,
    tokens: Tokens,
    *,
    maker: bytes,
    checker: bytes,
    random: Callable[[int], bytes],
) -> Refiled:
    """Re-file all live entries of this lender that have no tokens in `epoch` yet."""
    client.send_pending()
    own = client.own()
    missing = [entry for entry in own if entry.newest_epoch < epoch]
    unknown: list[bytes] = []
    refused: list[Settled] = []
    covered = len(own) - len(missing)
    for start in range(0, len(missing), _GROUP):
        events = []
        for entry in missing[start : start + _GROUP]:
            made = tokens(entry)
            if made is None:
                unknown.append(entry.entry_id)
                continue
            event = Refile(
                registry=registry,
                event_id=random(16),
                member=identity.member.code,
                certificate=identity.member.certificate,
                maker=maker,
                checker=checker,
                entry_id=entry.entry_id,
                tokens=made[0],
                sealed=made[1],
            )
            events.append(signed(event, identity.private))
        answers = client.submit(events)
        refused += [answer for answer in answers if answer.refusal is not None]
        covered += sum(answer.receipt is not None for answer in answers)
    reasons = tuple(one.refusal or "" for one in refused)
    remedies = tuple(one.remedy for one in refused)
    return Refiled(covered, tuple(unknown), reasons, remedies=remedies)


def parts_in_force(entry: EntryState, day: date) -> list[tuple[str, str]]:
    """Kinds and roles of the tokens that must be re-filed, in order."""
    return [(part.id_kind, part.role) for part in entry.parts if part.expires > day]
