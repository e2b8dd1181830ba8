"""A stolen registry against whoever knows all identifiers and how many shares of the key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from shared.blacklist.record import mark_of, record_of
from shared.tokens.evaluation import SUITE
from shared.tokens.group import ORDER, scalars_of
from shared.tokens.keys import KeyShare
from shared.tokens.oprf import finalize
from shared.tokens.sharing import lagrange
from shared.tokens.sodium import Sodium
from shared.tokens.tags import UnopenableError, open_sealed, seal, seal_key, tags_of
from tests.blacklist_members import Lender, token
from tests.dealt_keys import combine, deal
from tests.identities import fixed_random
from tests.list_registry import Served

GROUP = Sodium()
KNOWN, LISTED = 100_000, 40
TRIED = 25_000
"""Identifiers that are tried with shares, which takes two multiplications each."""
THRESHOLD, HOLDERS = 3, 5
SALT = b"consortium"


def identifiers(count: int) -> list[bytes]:
    """Inputs of the phones an attacker tries: all listed ones are among them."""
    return [b"Five lenders|v1|phone|138%08d" % number for number in range(count)]


def listed() -> list[bytes]:
    return identifiers(KNOWN)[:: KNOWN // LISTED]


def outputs(inputs: list[bytes], key: int) -> np.ndarray:
    """(m, 64) of inputs, under a key the attacker has made of what it has."""
    elements = GROUP.multiply(SUITE.hash_to_group(GROUP, inputs), scalars_of([key]))
    return finalize(inputs, elements)


@dataclass(frozen=True)
class Stolen:
    """The database's bytes as its thief has them, its sealed records by tag, and all shares."""

    windows: frozenset[bytes]
    sealed: dict[bytes, bytes]
    shares: tuple[KeyShare, ...]

    def hits(self, tags: np.ndarray) -> int:
        """How many of these tags are anywhere in the database."""
        return sum(bytes(tag)[:8] in self.windows for tag in tags)


@pytest.fixture(scope="module")
def stolen(tmp_path_factory: pytest.TempPathFactory) -> Stolen:
    """For all tests."""
    return steal(tmp_path_factory.mktemp("stolen"))


def steal(folder: Path) -> Stolen:
    """The database of a registry whose entries have tags and seals of a real 3-of-5 key."""
    random = fixed_random("key")
    shares = deal(GROUP, "Five lenders", 1, THRESHOLD, HOLDERS, random)
    key = combine({share.index: share.secret for share in shares[:THRESHOLD]})
    found = outputs(listed(), key)
    served = Served(f"sqlite:///{folder / 'registry.db'}")
    served.found()
    sealed = {}
    for output, tag in zip(found, tags_of(found, 1), strict=True):
        sealed[bytes(tag)] = file(served, served.a, bytes(output), bytes(tag))
    served.publish()
    served.close()
    dump = b"".join(path.read_bytes() for path in sorted(folder.glob("registry.db*")))
    windows = frozenset(dump[at : at + 8] for at in range(len(dump) - 8))
    return Stolen(windows, sealed, shares)


def file(served: Served, lender: Lender, output: bytes, tag: bytes) -> bytes:
    """An active entry under this tag; its sealed record."""
    entry = lender.entry("x", tokens=(replace(token("x", "phone"), token=tag),))
    record = record_of(entry, entry.tokens[0], mark_of(lender.secret, tag)).text()
    sealed = seal(seal_key(output), record, tag, fixed_random(tag.hex()))
    filed = lender.sign(replace(lender.file(entry), sealed=(sealed,)))
    served.take(lender, filed, lender.approve(filed))
    return sealed


def key_without_one(shares: tuple[KeyShare, ...]) -> int:
    """The best that holders one short of a quorum can add up: their parts of the sum."""
    quorum = tuple(share.index for share in shares[:THRESHOLD])
    return sum(lagrange(share.index, quorum) * share.secret for share in shares[: THRESHOLD - 1])


def hits_of(stolen: Stolen, known: list[bytes], tried: list[bytes]) -> int:
    """Hashes of `known` in all usual ways, tags of `tried` under what holders one short of a
    quorum have.
    """
    ways = [
        lambda one: hashlib.sha256(one).digest(),
        lambda one: hashlib.sha256(SALT + one).digest(),
        lambda one: hashlib.sha256(one.rpartition(b"|")[2]).digest(),
        lambda one: hashlib.sha512(one).digest(),
    ]
    hits = sum(way(one)[:8] in stolen.windows for one in known for way in ways)
    short = key_without_one(stolen.shares)
    for start in range(0, len(tried), KNOWN):
        hits += stolen.hits(tags_of(outputs(tried[start : start + KNOWN], short), 1))
    return hits


def test_hashes_and_too_few_shares_give_nothing(stolen: Stolen) -> None:
    """100,000 known identifiers hashed in all usual ways, a quarter of them under what two of
    three shares give, all listed ones in both: not one hit, not one record opened.
    """
    assert hits_of(stolen, identifiers(KNOWN), identifiers(TRIED) + listed()) == 0
    short = key_without_one(stolen.shares)
    assert sum(openable(stolen, bytes(one)) for one in outputs(listed(), short)) == 0


def openable(stolen: Stolen, output: bytes) -> int:
    """How many records a key from this output opens."""
    key, opened = seal_key(output), 0
    for tag, sealed in stolen.sealed.items():
        try:
            open_sealed(key, sealed, tag)
        except UnopenableError:
            continue
        opened += 1
    return opened


def test_salted_hashes_are_reversed(stolen: Stolen) -> None:
    """Positive control: the same list as salted SHA-256, whose salt every member knows, is reversed
    whole by the same attack.
    """
    dump = {hashlib.sha256(SALT + one).digest() for one in listed()}
    found = [one for one in identifiers(KNOWN) if hashlib.sha256(SALT + one).digest() in dump]
    assert found == listed()


@pytest.mark.parametrize("colluding", [(1, 2, 3), (2, 4, 5)])
def test_a_quorum_of_colluding_holders_unmasks_the_list(
    stolen: Stolen, colluding: tuple[int, ...]
) -> None:
    """What tokens.md says of t holders with a copy of the list: the same attack under their key
    hits every listed identifier, no other, and opens every record.
    """
    key = combine({index: stolen.shares[index - 1].secret for index in colluding})
    some = identifiers(KNOWN)[:500] + listed()
    found = outputs(some, key)
    hits = {
        one
        for one, tag in zip(some, tags_of(found, 1), strict=True)
        if bytes(tag)[:8] in stolen.windows
    }
    assert hits == set(listed())
    assert sum(openable(stolen, bytes(one)) for one in found[500:]) == LISTED


def test_all_shares_but_one_of_a_quorum_fit_any_key(stolen: Stolen) -> None:
    """Two shares say nothing: for whatever key one guesses there is a third share that fits, so the
    public key alone decides, and that is a discrete logarithm.
    """
    for guess in (1, 12345, 2**200):
        weights = {index: lagrange(index, (1, 2, 3)) for index in (1, 2, 3)}
        third = (guess - key_without_one(stolen.shares)) * pow(weights[3], -1, ORDER) % ORDER
        shares = {1: stolen.shares[0].secret, 2: stolen.shares[1].secret, 3: third}
        assert combine(shares) == guess
        public = GROUP.multiply_base(scalars_of([guess])).tobytes()
        assert public != stolen.shares[0].keys.public
