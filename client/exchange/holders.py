"""The key holders as one: inputs in, the key's outputs out, from any quorum that answers rightly.

    inputs ─► batches of 4,095 ─► blind ─► t holders at once ─► check ─► outputs (m, 64)
                                   ▲            │ one fails          │ one answers wrongly
                                   └── another quorum, the same request id; evidence on disk

Invariants:
- Nothing is blinded for a key set that is not pinned (`pins.py`), and no output leaves unchecked.
- A request keeps its points and its id until it is answered, whatever quorum it is sent to, so it
  is charged once at each holder. Points that were sent again show nothing new.
- What was answered is given to whoever asked even if something else fails. One request goes ahead
  of the others, so a quota for one is progress; only books are asked for in several at a time, as
  requests at once may use up each other's quota at different holders.
- A holder that answered wrongly is named, its signed answer is kept, and it is not asked again.
- Identifiers stay here. Warnings name holders and counts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.exchange.doors import (
    Door,
    HolderFailedError,
    QuotaUsedError,
    RefusedError,
    StaleKeysError,
)
from client.exchange.evidence import Evidence
from client.exchange.key_sets import KeySets, TooFewHoldersError
from client.exchange.pins import Pins
from client.exchange.wrong_answers import Answered, Batch, WrongHolders
from shared.errors import LianfangError, PeerError
from shared.secure_sum.trust import Trust
from shared.tokens.evaluation import (
    MOST_INPUTS,
    Evaluation,
    Request,
    WrongEvaluationError,
    blind,
    finish,
)
from shared.tokens.group import WIDTH, Group, RandomBytes
from shared.tokens.signed_evaluation import check_evaluation_signature
from shared.tokens.signed_keys import SignedKeys, holder_of
from shared.wire import keyholder_pb2 as wire
from shared.wire.padding import fill

Outputs = NDArray[np.uint8]
_BESIDE_POINTS = 512
"""Bytes of a request beside its points: purpose and reference, whatever they are, and zeros."""
_IN_FLIGHT = 3
_AT_ONCE = frozenset({"portfolio"})
_ROUNDS = 4
_log = logging.getLogger("lianfang.client")


@dataclass(frozen=True)
class Asking:
    """What a request is for. `reference`: the lender's own name of the application or job, opaque,
    1 to 64 characters.
    """

    purpose: str
    reference: str


class Holders:
    """A lender's side of the token key. `doors`: by the holder's code; `own`: the lender's folder
    for what it keeps; `revoked`: holders without a door, which are not asked any more;
    `leaving(asking, points, codes)` is called before points leave.
    """

    def __init__(
        self,
        doors: Mapping[str, Door],
        own: Path,
        context: str,
        trust: Trust,
        group: Group,
        random: RandomBytes,
        *,
        revoked: frozenset[str] = frozenset(),
        leaving: Callable[[Asking, int, tuple[str, ...]], None] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._doors = doors
        self._trust = trust
        self._group = group
        self._random = random
        self._leaving = leaving
        self._pause = pause
        evidence = Evidence(own)
        self._wrong = WrongHolders(evidence)
        self._guard = threading.Lock()
        self._failures = dict.fromkeys(doors, 0)
        self._turn = 0
        self._calls = ThreadPoolExecutor(_IN_FLIGHT * max(1, len(doors)), "holders")
        codes = frozenset(doors) | revoked
        self._pins = Pins(own, context, codes, trust, group, evidence, revoked)
        self._keys = KeySets(doors, self._pins, self._calls, self._failed, revoked)

    def close(self) -> None:
        """End the threads; the doors are whoever's made them."""
        self._calls.shutdown()

    def pinned(self) -> frozenset[int]:
        """The epochs this lender has seen a key of; nobody is asked."""
        return frozenset(self._pins.known)

    def key_sets(self) -> dict[int, SignedKeys]:
        """Ask all holders for their key sets; what is in use, by epoch, checked and pinned.

        TooFewHoldersError, saying why, when fewer than the threshold show one to be believed;
        RevokedHoldersError when fewer than that are not revoked.
        """
        return self._keys.fetch()

    def left(self, epochs: Collection[int]) -> frozenset[int]:
        """Those of the epochs that as many holders as the threshold show no more."""
        return self._keys.left(epochs)

    def outputs(
        self,
        inputs: Sequence[bytes],
        asking: Asking,
        *,
        epoch: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Outputs:
        """(m, 64): the key's output of each input, in order; inputs may repeat.

        `epoch`: the last one in use unless said otherwise; `progress` is told of how many
        more different inputs are done. Raises TooFewHoldersError, PeerError, OperatorError, and
        then nothing is returned: for many inputs take `in_parts`.
        """
        different = list(dict.fromkeys(inputs))
        if not different:
            return np.empty((0, 64), np.uint8)
        found: list[Outputs] = []
        for part, outputs in self.in_parts(different, asking, epoch=epoch):
            found.append(outputs)
            if progress is not None:
                progress(len(part))
        place = {one: row for row, one in enumerate(different)}
        return np.concatenate(found)[[place[one] for one in inputs]]

    def in_parts(
        self, inputs: Sequence[bytes], asking: Asking, *, epoch: int | None = None
    ) -> Iterator[tuple[Sequence[bytes], Outputs]]:
        """The same in parts as they are done, so that they can be kept before the rest is: each is
        some inputs, all different, and their outputs. `inputs` must not repeat.

        When a part fails no more are begun, those under way are still given, then it is raised.
        """
        signed = self._keys.of(epoch)
        waiting = deque(inputs[at : at + MOST_INPUTS] for at in range(0, len(inputs), MOST_INPUTS))
        under_way: deque[tuple[Sequence[bytes], Future[Outputs]]] = deque()
        most, width, failure = _IN_FLIGHT if asking.purpose in _AT_ONCE else 1, 1, None
        with ThreadPoolExecutor(most, "batches") as batches:
            while waiting or under_way:
                while waiting and len(under_way) < width:
                    part = waiting.popleft()
                    under_way.append((part, batches.submit(self._part, part, asking, signed)))
                part, future = under_way.popleft()
                try:
                    outputs = future.result()
                except LianfangError as error:
                    failure = failure or error
                    waiting.clear()
                    continue
                width = min(width + 1, most)
                yield part, outputs
        if failure is not None:
            raise failure

    def _part(
        self,
        inputs: Sequence[bytes],
        asking: Asking,
        signed: SignedKeys,
    ) -> Outputs:
        """A batch's outputs; once more from the beginning if its key set was renewed meanwhile."""
        for last in (False, True):
            blinded = blind(self._group, signed.keys, inputs, self._random)
            batch = Batch(signed, blinded, self._random(16), self._next_turn())
            try:
                return self._answered(batch, inputs, asking)
            except StaleKeysError:
                if last:
                    raise
                self._keys.fetch()
                signed = self._keys.of(signed.keys.epoch)
        raise AssertionError("the loop returns or raises")

    def _next_turn(self) -> int:
        """Quorums take turns, so that holders have the same work."""
        with self._guard:
            self._turn += 1
            return self._turn

    def _answered(self, batch: Batch, inputs: Sequence[bytes], asking: Asking) -> Outputs:
        rounds = 0
        while True:
            quorum = self._quorum(batch)
            if quorum is None:
                rounds += 1
                self._wait(batch, rounds)
                continue
            request = batch.blinded.request(quorum, batch.every)
            answers = self._asked(batch, request, asking)
            if answers is None:
                continue
            outputs = self._finished(batch, request, answers, inputs)
            if outputs is not None:
                return outputs

    def _quorum(self, batch: Batch) -> tuple[int, ...] | None:
        """The holders asked next, those that failed least first; None when too few are left."""
        holders, count = batch.signed.holders, len(batch.signed.holders)
        with self._guard:
            left = [c for c in holders if c in self._doors and c not in batch.failed]
            left = [c for c in left if c not in self._wrong.codes]
            order = sorted(
                left,
                key=lambda c: (self._failures[c], (holders.index(c) + batch.turn) % count),
            )
        wanted = batch.signed.keys.threshold
        if len(order) < wanted:
            return None
        return tuple(sorted(batch.signed.index(code) for code in order[:wanted]))

    def _wait(self, batch: Batch, rounds: int) -> None:
        """Give holders that failed another chance, after a while; TooFewHoldersError at the end."""
        stale = [one for one in batch.failed.values() if isinstance(one, StaleKeysError)]
        if stale:
            raise stale[0]
        lasting = {c for c, e in batch.failed.items() if isinstance(e, RefusedError)}
        wrong, wanted = self._wrong.codes, batch.signed.keys.threshold
        if rounds >= _ROUNDS or len(lasting | wrong) > len(self._doors) - wanted:
            reasons = [f"{code}: {error.what}" for code, error in sorted(batch.failed.items())]
            reasons += [f"{code}: answered wrongly" for code in sorted(wrong)]
            used_up = any(isinstance(one, QuotaUsedError) for one in batch.failed.values())
            then = "when they are back"
            if used_up:
                then = "tomorrow, or ask the holders' operators for a larger quota"
            raise TooFewHoldersError(
                f"fewer than {wanted} key holders answer; {'; '.join(reasons)}",
                remedy=f"what was answered so far is kept: go on {then}",
            )
        self._pause(0.25 * 2**rounds)
        batch.failed = {code: batch.failed[code] for code in lasting}

    def _asked(self, batch: Batch, request: Request, asking: Asking) -> dict[int, Answered] | None:
        """The answers of the whole quorum, or None and who failed is noted."""
        codes = [batch.signed.holders[index - 1] for index in request.quorum]
        if self._leaving is not None:
            self._leaving(asking, len(request.points), tuple(codes))
        message = wire.EvaluateRequest(
            request_id=batch.id,
            purpose=asking.purpose,
            reference=asking.reference,
            keys=request.keys,
            quorum=request.quorum,
            every=request.every,
            points=request.points.tobytes(),
        )
        fill(message, request.points.size + _BESIDE_POINTS)
        futures = [self._calls.submit(self._doors[code].evaluate, message) for code in codes]
        answers = {}
        for index, code, future in zip(request.quorum, codes, futures, strict=True):
            try:
                answers[index] = self._signed_answer(batch, request, code, future.result())
            except HolderFailedError as error:
                batch.failed[code] = error
                self._failed(code, error)
        return answers if len(answers) == len(codes) else None

    def _signed_answer(
        self, batch: Batch, request: Request, code: str, reply: wire.EvaluateReply
    ) -> Answered:
        if len(reply.points) != request.points.size:
            raise HolderFailedError("its answer has another size")
        points = np.frombuffer(reply.points, np.uint8).reshape(-1, WIDTH)
        evaluation = Evaluation(points, reply.proof)
        certificate = batch.signed.certificates[batch.signed.index(code) - 1]
        try:
            public = holder_of(certificate, code, self._trust).public
            check_evaluation_signature(public, request, evaluation, reply.signature)
        except PeerError as error:
            raise HolderFailedError(f"its answer is not signed by it: {error.what}") from error
        return Answered(evaluation, reply.signature)

    def _finished(
        self,
        batch: Batch,
        request: Request,
        answers: dict[int, Answered],
        inputs: Sequence[bytes],
    ) -> Outputs | None:
        """The outputs, or None when the batch is to be asked again: of whom is noted."""
        evaluations = {index: answer.evaluation for index, answer in answers.items()}
        keys = batch.signed.keys
        try:
            outputs = finish(self._group, keys, batch.blinded, request, evaluations, inputs)
        except WrongEvaluationError as error:
            if error.holders:
                for index in error.holders:
                    self._wrong.convict(batch, index, [(request, answers[index])])
                batch.every, batch.doubted = False, None
            else:
                batch.every, batch.doubted = True, (request, answers)
            return None
        self._wrong.compare(batch, request, answers)
        return outputs

    def _failed(self, code: str, error: PeerError) -> None:
        with self._guard:
            self._failures[code] += 1
        _log.warning("key holder %s: %s; another one is asked", code, error.what)
