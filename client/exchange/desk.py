"""A lender's desk in the exchange: key holders, registry, its copy of the list and its own entries.

    sync       registry ─► own copy of the list
    check      identifiers ─► tokens (cache, else holders) ─► own copy ─► answer
    file …     subjects ─► tokens ─► signed events ─► registry

Invariants:
- It knows no network: holders and registry are whoever has their methods, on loopback, far away or
  in the same process.
- What is looked up, and whether there was a hit, stays here.
- Before an event is sent this lender has on disk what it needs to move or withdraw the entry later.
- Tokens are kept as they come, so long work goes on where it was, over days if quotas ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from client.exchange.cache import TokenCache, wipe
from client.exchange.decisions import Decisions, epoch_digest
from client.exchange.fetching import Parts, keep_parts, missing
from client.exchange.filed import Filed, FiledEntry
from client.exchange.filing import Writer, refuse_repeated
from client.exchange.filing_terms import FilingTerms
from client.exchange.holders import Asking
from client.exchange.index import ListIndex
from client.exchange.parties import Progress, TheRegistry, TokenKey, no_progress
from client.exchange.refiling import Refiled, parts_in_force, refile
from client.exchange.secret import read_secret
from client.exchange.subjects import Subject
from shared.blacklist.answer import Answer, Hit, answer_of
from shared.blacklist.entry import SubjectToken
from shared.blacklist.events import Event
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import Status
from shared.blacklist.waiting import Waiting
from shared.errors import OperatorError
from shared.identity.certificate import Identity
from shared.tokens.identifiers import Canonical, token_input
from shared.tokens.tags import tags_of

if TYPE_CHECKING:  # tables (pandas) are loaded only where something is looked up
    from client.exchange.changed_hits import ChangedHit
    from client.exchange.registry import Synced
    from client.exchange.screening import Findings, Screener, Screening
    from client.exchange.submissions import Settled


@dataclass(frozen=True)
class Known:
    """What is known of a subject: the answer, and the rows behind it, whose entries may be
    disputed.
    """

    answer: Answer | None
    hits: tuple[Hit, ...]


class Desk:
    """Over the lender's folder `own`. As of the last sync: `epochs`, the key epochs that answer;
    `published`, when its version was, in seconds since 1970.
    """

    def __init__(
        self,
        identity: Identity,
        context: str,
        registry_code: str,
        own: Path,
        holders: TokenKey,
        registry: TheRegistry,
        *,
        epochs: Callable[[], Sequence[int]],
        published: Callable[[], int | None] = lambda: None,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self.identity, self.context, self.own_folder = identity, context, own
        self.holders, self.registry = holders, registry
        self._epochs, self._published = epochs, published
        self._clock, self._random = clock, random
        secret = read_secret(own / "filed", random)
        self.index = ListIndex(own / "list")
        self.filed = Filed(own / "filed", secret, random)
        self.writer = Writer(identity, registry_code, secret, random)
        self.decisions = Decisions(self.writer)
        self._caches: dict[int, TokenCache] = {}

    def close(self) -> None:
        """Let files go."""
        self.filed.close()

    @property
    def today(self) -> date:
        """By the clock, UTC."""
        return self._clock().date()

    @property
    def age(self) -> timedelta:
        """How long ago the version was published that is here; zero when nobody knows."""
        at = self._published()
        return timedelta(seconds=0 if at is None else self._clock().timestamp() - at)

    def known_epochs(self) -> tuple[int, ...]:
        """The key epochs that answer, as far as this lender knows."""
        return tuple(self._epochs())

    def epochs(self) -> tuple[int, ...]:
        """The same; OperatorError when none is known."""
        found = self.known_epochs()
        if not found:
            raise OperatorError(
                "this lender's copy of the list names no key epoch yet",
                remedy="sync it: lianfang-client list sync; a new consortium opens its first epoch "
                "with `list open-epoch`, and a second institution consents",
            )
        return found

    def sync(self, progress: Progress = no_progress) -> tuple[int, Synced]:
        """Send what was kept, then bring the list up to date; how many events were answered."""
        sent = self.registry.send_pending()
        synced = self.registry.sync(self.index, progress)
        if synced.epochs:
            self._wipe_retired(synced.epochs)
        return sent, synced

    def changed(self, synced: Synced) -> list[ChangedHit] | None:
        """What became, in this sync, of hits this lender had; None: the list came whole."""
        from client.exchange.changed_hits import changed_hits

        caches = [self._cache(epoch) for epoch in synced.epochs]
        if synced.touched is None:
            return None if any(len(cache) for cache in caches) else []
        return changed_hits(caches, self.index, synced.touched)

    def check(
        self, identifiers: Sequence[Canonical], *, purpose: str = "application", reference: str = ""
    ) -> Known:
        """What the list says about one subject."""
        hits = self._screener(purpose, reference).hits(identifiers)
        return Known(answer_of(hits, self.today), tuple(hits))

    def screen(
        self,
        book: Path,
        *,
        columns: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
        told: Callable[[Findings], None] = lambda _: None,
    ) -> Screening:
        """Screen a book; without a network where its tokens are cached. `told` what was found in
        its cells, before anybody is asked.
        """
        screener = self._screener("portfolio", "")
        return screener.screen(book, columns=columns, progress=progress, told=told)

    def file(
        self,
        subjects: Sequence[Subject],
        terms: Sequence[FilingTerms],
        operator: str,
        *,
        supersedes: bytes | None = None,
        progress: Progress = no_progress,
        sending: Progress = no_progress,
    ) -> list[tuple[bytes, Settled]]:
        """List subjects, each under its terms; the entries' names with the registry's answers.

        Raises OperatorError, and nothing was sent, where one of them cannot be listed.
        """
        maker, epoch = self.writer.secret.operator(operator), max(self.epochs())
        refuse_repeated(subjects, terms, self.filed, again=supersedes is not None)
        everybody = [one for subject in subjects for one in subject.identifiers]
        outputs = self.outputs(everybody, epoch, "filing", progress)
        records, events, start = [], [], 0
        for subject, one in zip(subjects, terms, strict=True):
            rows = outputs[start : start + len(subject.identifiers)]
            start += len(subject.identifiers)
            entry = self.writer.entry(
                subject,
                one,
                tags_of(rows, epoch),
                epoch=epoch,
                maker=maker,
                today=self.today,
                supersedes=supersedes,
            )
            records.append(FiledEntry(entry, subject.identifiers))
            events.append(self.writer.filing(entry, rows))
        self.filed.keep(records)
        answers = self.registry.submit(events, sending)
        for record, answer in zip(records, answers, strict=True):
            self.filed.answered(record.entry.entry_id, taken=answer.receipt is not None)
        names = [record.entry.entry_id for record in records]
        return [*zip(names, answers, strict=True)]

    def approve(
        self, entries: Sequence[bytes], checker: str, sending: Progress = no_progress
    ) -> list[Settled]:
        """The checker approves own entries; no names: all that wait for one and were filed by
        another person.
        """
        own = {entry.entry_id: entry for entry in self.own()}
        unknown = [name for name in entries if name not in own]
        if unknown:
            raise OperatorError(
                f"entry {unknown[0].hex()} is not a live one of this lender",
                remedy="see `list own`; for another lender's entry give --evidence-file "
                "and what identifies the subject",
            )
        if not entries:
            entries = self._for_checker(list(own.values()), checker)
        events = [self.decisions.checked(own[name], checker) for name in entries]
        return self.registry.submit(events, sending) if events else []

    def _for_checker(self, own: Sequence[EntryState], checker: str) -> list[bytes]:
        mark = self.writer.secret.operator(checker)
        waiting = [
            one for one in own if one.status is Status.PENDING_REVIEW and one.checker is None
        ]
        others = [one.entry_id for one in waiting if one.maker != mark]
        if waiting and not others:
            raise OperatorError(
                f"entries wait for a checker ({len(waiting)}), but this operator filed them",
                remedy="another person approves them, with their own --operator NAME",
            )
        return others

    def second(
        self, entry: bytes, identifiers: Sequence[Canonical], evidence: bytes, checker: str
    ) -> Settled:
        """Approve another lender's entry of severity 3: only about subjects this lender can
        identify itself, every one of them, and on evidence of its own (its hash).
        """
        waiting = self._waiting(entry, "File", "entry")
        tags = {tag.tobytes() for epoch in self.epochs() for tag in self._tags(identifiers, epoch)}
        others = len({*waiting.tags} - tags)
        if others:  # one identifier that fits must not carry a stranger's along
            fits = f"{others} of its {len(waiting.tags)} identifiers are not among those given"
            raise OperatorError(
                f"entry {entry.hex()} is not only about the subject given: {fits}",
                remedy="give every identifier of your own case; approve only what it is about. "
                "Nothing was sent",
            )
        return self._sent(self.decisions.seconded(waiting, checker, evidence))

    def consent(self, proposal: bytes, operator: str, checker: str) -> Settled:
        """Consent to another lender's proposal: an epoch only if the holders show this lender the
        same key.
        """
        waiting = self._waiting(proposal, "", "proposal")
        if waiting.kind == "File":
            raise OperatorError(
                f"{proposal.hex()} is an entry, not a proposal", remedy="use `list approve`"
            )
        if waiting.kind == "OpenEpoch":
            signed = self.holders.key_sets().get(waiting.epoch)
            if signed is None or epoch_digest(signed.keys) != waiting.keys:
                raise OperatorError(
                    f"the key holders do not show this lender the key proposed as epoch "
                    f"{waiting.epoch}: nothing was sent",
                    remedy="ask who proposed it, and the holders' operators",
                )
        return self._sent(self.decisions.consent(waiting, operator, checker))

    def open_epoch(self, epoch: int | None, operator: str, checker: str) -> tuple[int, Settled]:
        """Propose that an epoch of the holders (the last) answers; another lender must consent."""
        in_use = self.holders.key_sets()
        number = max(in_use) if epoch is None else epoch
        if number not in in_use:
            raise OperatorError(
                f"the key holders have no key of epoch {number}; they have "
                f"{', '.join(map(str, sorted(in_use)))}",
                remedy="the holders' operators make it: lianfang-server keys rotate",
            )
        event = self.decisions.open_epoch(in_use[number].keys, operator, checker)
        return number, self._sent(event)

    def decide(self, event: Event) -> Settled:
        """Send a decision made with `decisions`."""
        return self._sent(event)

    def refile(
        self,
        operator: str,
        checker: str,
        progress: Progress = no_progress,
        sending: Progress = no_progress,
    ) -> Refiled:
        """Move all own entries to the newest epoch that answers; interrupted, give it again."""
        maker, mark = self.decisions.two(operator, checker)
        epoch = max(self.epochs())
        self.registry.send_pending()
        waiting = [one for one in self.own() if one.newest_epoch < epoch]
        held = [self.filed.entry(one.entry_id) for one in waiting]
        everybody = [one for record in held if record for one in record.identifiers]
        self.outputs(everybody, epoch, "rotation", progress)  # all of them, and kept
        told = sending(len(waiting))

        def renewed(entry: EntryState) -> tuple[tuple[SubjectToken, ...], tuple[bytes, ...]] | None:
            told(1)
            record = self.filed.entry(entry.entry_id)
            if record is None:
                return None
            parts = parts_in_force(entry, self.today)
            return self.writer.renewed(
                record, parts, epoch, lambda held: self.outputs(held, epoch, "rotation")
            )

        return refile(
            self.registry,
            self.identity,
            self.writer.registry,
            epoch,
            renewed,
            maker=maker,
            checker=mark,
            random=self._random,
        )

    def own(self) -> list[EntryState]:
        """This lender's own live entries; what it kept of others is forgotten."""
        entries = self.registry.own()
        self.filed.prune([entry.entry_id for entry in entries], self.today)
        return entries

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
        inputs = [token_input(self.context, one) for one in identifiers]
        cache = self._cache(epoch)
        numbers = cache.numbers(inputs)
        wanted = missing(inputs, numbers)
        if wanted:
            parts = self._in_parts(epoch, self._asking(purpose, ""), wanted)
            keep_parts(cache, parts, progress(len(wanted)))
            numbers = cache.numbers(inputs)
        return cache.outputs(numbers)

    def _tags(self, identifiers: Sequence[Canonical], epoch: int) -> NDArray[np.uint8]:
        return tags_of(self.outputs(identifiers, epoch, "filing"), epoch)

    def _waiting(self, name: bytes, kind: str, what: str) -> Waiting:
        for one in self.registry.waiting():
            if one.name == name and kind in ("", one.kind):
                return one
        raise OperatorError(
            f"no {what} {name.hex()} waits for a second institution",
            remedy="see `list waiting`; it may be decided already, or this lender's own",
        )

    def _sent(self, event: Event) -> Settled:
        return self.registry.submit([event])[0]

    def _screener(self, purpose: str, reference: str) -> Screener:
        from client.exchange.screening import Screener, Source

        sources = [
            Source(
                epoch,
                self._cache(epoch),
                partial(self._in_parts, epoch, self._asking(purpose, reference)),
            )
            for epoch in self.epochs()
        ]
        return Screener(self.context, self.index, sources, today=self.today)

    def _in_parts(self, epoch: int, asking: Asking, inputs: Sequence[bytes]) -> Parts:
        return self.holders.in_parts(inputs, asking, epoch=epoch)

    def _asking(self, purpose: str, reference: str) -> Asking:
        return Asking(purpose, reference or self._random(8).hex())

    def _cache(self, epoch: int) -> TokenCache:
        if epoch not in self._caches:
            self._caches[epoch] = TokenCache(self.own_folder / "tokens", epoch, self._random)
        return self._caches[epoch]

    def _wipe_retired(self, epochs: Sequence[int]) -> None:
        """Tokens of epochs that answer no more are of no use; later ones may be opened yet. The
        registry's word is not enough: the holders must have left them, too.
        """
        folders = (self.own_folder / "tokens").glob("epoch-*")
        names = [folder.name.removeprefix("epoch-") for folder in folders]
        numbers = {int(name) for name in names if name.isdecimal()}
        old = {one for one in numbers if one < max(epochs) and one not in epochs}
        for number in self.holders.left(old) if old else ():
            self._caches.pop(number, None)
            wipe(self.own_folder / "tokens", number)
