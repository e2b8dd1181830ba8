"""Tokens as this lender has them: from its cache, else from the key holders, for each key epoch.

Invariants:
- A key epoch that the registry names is used only if this lender has pinned its key, or the holders
  show it. One that as many holders as the threshold say they do not have is left out, and whoever
  answers says so: nobody stops lookups by naming an epoch.
- Where the holders cannot be asked about such an epoch nothing is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from client.exchange.cache import TokenCache, wipe
from client.exchange.fetching import InParts, Parts, keep_parts, missing
from client.exchange.holders import Asking
from client.exchange.parties import Progress, TokenKey, no_progress
from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical, token_input

if TYPE_CHECKING:  # tables (pandas) are loaded only where something is looked up
    from client.exchange.screening import Source

Epochs = tuple[int, ...]


class OwnTokens:
    """In `folder`, a cache for each epoch. `named`: the epochs the registry names as of the last
    sync; `context`: the consortium's name.
    """

    def __init__(
        self,
        context: str,
        folder: Path,
        holders: TokenKey,
        named: Callable[[], Sequence[int]],
        random: Callable[[int], bytes],
    ) -> None:
        self._context, self._folder, self._holders = context, folder, holders
        self._named, self._random = named, random
        self._caches: dict[int, TokenCache] = {}

    def named(self) -> Epochs:
        """The epochs that answer, as the registry says; OperatorError when none is known."""
        found = tuple(self._named())
        if not found:
            raise OperatorError(
                "this lender's copy of the list names no key epoch yet",
                remedy="sync it: lianfang-client list sync; a new consortium opens its first epoch "
                "with `list open-epoch`, and a second institution consents",
            )
        return found

    def usable(self) -> tuple[Epochs, Epochs]:
        """Those of the named epochs that are used, and those left out because no holder has a key
        of them. Holders are asked only about epochs never seen here.

        OperatorError, PeerError when they cannot be asked, or none is left.
        """
        named, pinned = self.named(), self._holders.pinned()
        unknown = {epoch for epoch in named if epoch not in pinned}
        skipped: frozenset[int] = frozenset()
        if unknown:
            unknown -= self._holders.key_sets().keys()
        if unknown:
            skipped = self._holders.left(unknown)
            self._refuse_open(unknown - skipped)
        used = tuple(epoch for epoch in named if epoch not in skipped)
        if not used:
            raise OperatorError(
                "no key holder has a key of any epoch that the registry names: nothing was looked "
                "up",
                remedy="tell the registry's operator, and compare exchange.toml with another "
                "lender's",
            )
        return used, tuple(epoch for epoch in named if epoch in skipped)

    def cache(self, epoch: int) -> TokenCache:
        """The cache of an epoch."""
        if epoch not in self._caches:
            self._caches[epoch] = TokenCache(self._folder, epoch, self._random)
        return self._caches[epoch]

    def caches(self, epochs: Sequence[int]) -> list[TokenCache]:
        """Those of the epochs that something was asked for."""
        return [self.cache(one) for one in epochs if one in {*self._kept()}]

    def outputs(
        self,
        identifiers: Sequence[Canonical],
        epoch: int,
        purpose: str,
        progress: Progress = no_progress,
    ) -> NDArray[np.uint8]:
        """(m, 64): the key's output of each identifier, from the cache where it is there. Where the
        holders fail, what they answered until then is kept.
        """
        inputs = [token_input(self._context, one) for one in identifiers]
        cache = self.cache(epoch)
        numbers = cache.numbers(inputs)
        wanted = missing(inputs, numbers)
        if wanted:
            parts = self._in_parts(epoch, self._asking(purpose, ""), wanted)
            keep_parts(cache, parts, progress(len(wanted)))
            numbers = cache.numbers(inputs)
        return cache.outputs(numbers)

    def sources(self, epochs: Sequence[int], purpose: str, reference: str) -> list[Source]:
        """Where a screening takes the tokens of these epochs from."""
        from client.exchange.screening import Source

        def of(epoch: int) -> InParts:
            return partial(self._in_parts, epoch, self._asking(purpose, reference))

        return [Source(epoch, self.cache(epoch), of(epoch)) for epoch in epochs]

    def wipe_retired(self, epochs: Sequence[int]) -> None:
        """Tokens of epochs that answer no more are of no use; later ones may be opened yet. The
        registry's word is not enough: the holders must have left them, too.
        """
        old = {one for one in self._kept() if one < max(epochs) and one not in epochs}
        for number in self._holders.left(old) if old else ():
            self._caches.pop(number, None)
            wipe(self._folder, number)

    def _kept(self) -> list[int]:
        names = [one.name.removeprefix("epoch-") for one in self._folder.glob("epoch-*")]
        return [int(name) for name in names if name.isdecimal()]

    def _in_parts(self, epoch: int, asking: Asking, inputs: Sequence[bytes]) -> Parts:
        return self._holders.in_parts(inputs, asking, epoch=epoch)

    def _asking(self, purpose: str, reference: str) -> Asking:
        return Asking(purpose, reference or self._random(8).hex())

    def _refuse_open(self, epochs: frozenset[int] | set[int]) -> None:
        if epochs:
            told = ", ".join(map(str, sorted(epochs)))
            raise OperatorError(
                f"too few key holders say whether there is a key of epoch {told}, which the "
                "registry names: nothing was looked up",
                remedy="try again when they are back, or ask the holders' operators",
            )
