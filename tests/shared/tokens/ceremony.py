"""Key holders of a made-up consortium and a relay in memory, which tests can make cheat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.secure_sum.trust import Trust
from shared.tokens.ceremony_checks import Terms
from shared.tokens.ceremony_statements import Dealing, Opening, Promise, signed
from shared.tokens.key_generation import HolderSide, Progress
from shared.tokens.keys import KeyShare
from shared.tokens.signed_keys import Confirmation, SignedKeys, gathered
from shared.tokens.sodium import Sodium
from tests.identities import NOW, authority_of, identity_under

GROUP = Sodium()
AUTHORITY = authority_of("Card fraud ring watch")
CONTEXT = "Card fraud ring watch"
TRUST = Trust(AUTHORITY.certificate, lambda: NOW)
Shares = dict[str, KeyShare]


def seed_of(code: str, name: str = "") -> bytes:
    return hashlib.sha256(f"{code}|{name}".encode()).digest()


def same(statement: object) -> object:
    """No cheating."""
    return statement


@dataclass
class Consortium:
    """`threshold` of `count` holders H1, H2, …; the relay passes each statement through `tampered`,
    a function by its class and author.
    """

    threshold: int = 2
    count: int = 3
    tampered: dict[tuple[type, str], Callable[..., object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = tuple(f"H{number}" for number in range(1, self.count + 1))
        terms = Terms(CONTEXT, self.threshold, self.codes)
        self.identities = {
            code: identity_under(AUTHORITY, code, "keyholder") for code in self.codes
        }
        self.sides = {
            code: HolderSide(self.identities[code], terms, TRUST, GROUP) for code in self.codes
        }
        self.progress: dict[str, Progress] = {}

    def opening(self, renewed: Shares | None = None, nonce: str = "", epoch: int = 1) -> Opening:
        keys = next(iter(renewed.values())).keys if renewed else None
        return Opening(
            CONTEXT,
            keys.epoch if keys else epoch,
            keys.generation + 1 if keys else 1,
            self.threshold,
            self.codes,
            keys.name if keys else b"",
            seed_of("nonce", nonce),
        )

    def promises(self, opening: Opening, renewed: Shares | None = None) -> tuple[Promise, ...]:
        self.progress = {code: Progress(opening) for code in self.codes}
        return tuple(
            self._passed(side.open(opening, self.seed(code, opening), (renewed or {}).get(code)))
            for code, side in self.sides.items()
        )

    def dealings(self, promises: tuple[Promise, ...]) -> tuple[Dealing, ...]:
        said = []
        for code, side in self.sides.items():
            before = self.progress[code]
            seed = self.seed(code, before.opening)
            self.progress[code], dealing = side.deal(before, promises, seed)
            said.append(self._passed(dealing))
        return tuple(said)

    def confirmations(
        self, dealings: tuple[Dealing, ...], renewed: Shares | None = None
    ) -> tuple[Shares, tuple[Confirmation, ...]]:
        shares, said = {}, []
        for code in self.codes:
            shares[code], confirmation = self.confirm(code, dealings, renewed)
            said.append(self._passed(confirmation))
        return shares, tuple(said)

    def confirm(
        self, code: str, dealings: tuple[Dealing, ...], renewed: Shares | None = None
    ) -> tuple[KeyShare, Confirmation]:
        before = self.progress[code]
        seed, own = self.seed(code, before.opening), (renewed or {}).get(code)
        self.progress[code], share, said = self.sides[code].confirm(before, dealings, seed, own)
        return share, said

    def run(self, renewed: Shares | None = None, nonce: str = "") -> tuple[Shares, SignedKeys]:
        """A whole ceremony: what each holder has, and the keys that all of them signed."""
        opening = self.opening(renewed, nonce)
        dealings = self.dealings(self.promises(opening, renewed))
        shares, said = self.confirmations(dealings, renewed)
        keys = gathered(said, [one.member.certificate for one in self.identities.values()])
        for code, share in shares.items():
            self.sides[code].activate(share, keys)
        return shares, keys

    def seed(self, code: str, opening: Opening) -> bytes:
        return seed_of(code, opening.name.hex())

    def sign(self, statement: Promise | Dealing) -> Promise | Dealing:
        """As the holder who says it would, whatever it says."""
        return signed(self.identities[statement.holder].private, statement)

    def _passed(self, statement):  # type: ignore[no-untyped-def]
        return self.tampered.get((type(statement), statement.holder), same)(statement)
