"""What everybody knows of a token key, and what one holder alone knows.

Invariants:
- A key set has one canonical text and is named by its digest; requests, shares and proofs name it.
- Nobody has the key: a holder has its share, whose public counterpart is in the set.
- Refresh changes `generation` and the public shares, never `public`; rotation changes `epoch`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from shared.errors import InternalError, PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.group import ORDER, WIDTH, Group, points_of, scalars_of
from shared.tokens.sharing import lagrange


class InconsistentKeysError(PeerError):
    """A key set whose public shares do not belong together."""


MOST_HOLDERS = 99
MOST_EPOCHS = 2**32


@dataclass(frozen=True)
class KeySet:
    """The public side of a key shared by `len(shares)` holders, any `threshold` of which answer.

    `public`: the key times the generator, 32 bytes; `shares[i - 1]`: the same of holder i's share;
    `context`: the consortium's name. Whether the points are elements is `check_keys`'s to say.
    """

    context: str
    epoch: int
    generation: int
    threshold: int
    public: bytes
    shares: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """InternalError on a key set that cannot be."""
        good = (
            self.context
            and "|" not in self.context
            and 0 <= self.epoch < MOST_EPOCHS
            and self.generation >= 0
            and 1 <= self.threshold <= len(self.shares) <= MOST_HOLDERS
            and all(len(point) == WIDTH for point in (self.public, *self.shares))
        )
        if not good:
            raise InternalError("a key set with a threshold or sizes that cannot be")

    def text(self) -> bytes:
        """The one canonical text, which `read_keys` reads."""
        return text_of(self)

    @cached_property
    def name(self) -> bytes:
        """32 bytes: digest of the canonical text."""
        return sha256(b"lianfang/keys/v1\0" + self.text()).digest()

    @property
    def holders(self) -> range:
        """The holders' numbers, 1 to n."""
        return range(1, len(self.shares) + 1)


@dataclass(frozen=True)
class KeyShare:
    """Holder `index` of `keys` and its secret share."""

    keys: KeySet
    index: int
    secret: int = field(repr=False)

    def __post_init__(self) -> None:
        """InternalError on a share that cannot be."""
        if self.index not in self.keys.holders or not 0 < self.secret < ORDER:
            raise InternalError("a key share that cannot be of its key set")


def read_keys(text: bytes) -> KeySet:
    """The key set with this canonical text; raises PeerError."""
    try:
        return read_text(KeySet, text)
    except InternalError as error:
        raise PeerError(error.what) from error


def check_share(group: Group, share: KeyShare) -> None:
    """InternalError unless the share is the one its key set commits to."""
    public = group.multiply_base(scalars_of([share.secret])).tobytes()
    if public != share.keys.shares[share.index - 1]:
        raise InternalError("the key share is not the one that its key set commits to")


def check_keys(group: Group, keys: KeySet) -> None:
    """Return when any `threshold` of the public shares give the same key, `keys.public`.

    Without this check whoever sends the set could give each quorum its own key. InvalidPointError
    on points that are no elements or the identity; InconsistentKeysError on shares that are not of
    one polynomial.
    """
    rows = points_of((keys.public, *keys.shares))
    group.check(rows)
    quorum = keys.holders[: keys.threshold]
    given = rows[1 : keys.threshold + 1]
    for holder in (0, *keys.holders[keys.threshold :]):
        weights = scalars_of(lagrange(index, quorum, at=holder) for index in quorum)
        if group.total(group.multiply(given, weights)).tobytes() != rows[holder].tobytes():
            raise InconsistentKeysError("the public shares of a key set are not of one key")
