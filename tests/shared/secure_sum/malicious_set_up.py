"""A set-up in a malicious coordinator's hands, and the members it has in its pocket."""

from __future__ import annotations

from dataclasses import dataclass, replace

from server.authority import create_authority, issue
from shared.identity.certificate import Identity, identity_of, public_of
from shared.secure_sum.coordinator_side import SetUpUnderWay
from shared.secure_sum.statements import MemberKeys, Roll, name_of, signed
from tests.shared.secure_sum.federation import NOW, Federation, seeded
from tests.shared.secure_sum.malicious import assert_refused


@dataclass
class Begun:
    """Five lenders that have given their keys; the roll is not closed."""

    federation: Federation
    under_way: SetUpUnderWay
    keys: dict[str, MemberKeys]

    def roll(self, keys: list[MemberKeys] | None = None, threshold: int = 4) -> Roll:
        """A roll of these keys, signed by the coordinator."""
        opened = name_of(self.federation.suite, self.under_way.opened)
        made = Roll(opened, threshold, tuple(keys or self.keys.values()))
        return signed(self.federation.suite, self.federation.coordinator.private, made)

    def refuses(self, roll: Roll, reason: str, codes: list[str] | None = None) -> None:
        """Every lender (or these) refuses the roll."""
        assert_refused(self.federation, lambda side: side.shares(roll), roll, reason, codes)


def begin() -> Begun:
    """Five lenders that have given keys for two slots."""
    federation = Federation(5, slots=2)
    under_way = federation.under_way()
    keys = {code: side.keys(under_way.opened) for code, side in federation.sides.items()}
    return Begun(federation, under_way, keys)


def rogue_identity(code: str) -> Identity:
    rogue = create_authority("tests", days=3650, now=NOW, random=seeded("rogue"))
    private = seeded(f"rogue {code}")(32)
    certificate = issue(
        rogue, code, "lender", public_of(private), days=9, now=NOW, random=seeded(f"leaf {code}")
    )
    return identity_of(certificate, private, rogue.certificate, NOW)


def keys_of(begun: Begun, member: Identity, like: MemberKeys, **changed: object) -> MemberKeys:
    """Keys of a member in the coordinator's pocket, properly signed by it."""
    suite = begun.federation.suite
    fresh = seeded(f"pocket {member.member.code}")
    made = replace(
        like, member=member.member.code, certificate=member.member.certificate, signature=b"",
        transport=suite.public_key(fresh(32)), masks=tuple(suite.public_key(fresh(32)) for _ in
        like.masks),
    )  # fmt: skip
    made = replace(made, **changed)  # type: ignore[arg-type]
    return signed(suite, member.private, made)
