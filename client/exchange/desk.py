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
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from client.exchange.decisions import Decisions
from client.exchange.epoch_proposals import check_shown, key_to_open
from client.exchange.filed import Filed
from client.exchange.filing import Writer, refuse_repeated
from client.exchange.filing_terms import FilingTerms
from client.exchange.index import ListIndex
from client.exchange.kept import goes_on, kept_here, nothing_kept
from client.exchange.looked_up import LookedUp
from client.exchange.own_copy import OwnCopy
from client.exchange.own_tokens import Epochs, OwnTokens
from client.exchange.parties import Progress, TheRegistry, TokenKey, no_progress
from client.exchange.refiling import Refiled, parts_in_force, refile
from client.exchange.seconded import Seconded
from client.exchange.seconding import Seconding
from client.exchange.secret import read_secret
from client.exchange.subjects import Subject
from shared.blacklist.answer import Answer, Hit, answer_of
from shared.blacklist.checkpoint import Checkpoint
from shared.blacklist.entry import SubjectToken
from shared.blacklist.events import Event, OpenEpoch
from shared.blacklist.state import EntryState
from shared.blacklist.waiting import WaitingEntry, WaitingProposal
from shared.errors import OperatorError
from shared.identity.certificate import Identity
from shared.tokens.identifiers import Canonical
from shared.tokens.tags import TAG_BYTES

if TYPE_CHECKING:  # tables (pandas) are loaded only where something is looked up
    from client.exchange.changed_hits import ChangedHit
    from client.exchange.registry import Synced
    from client.exchange.screening import Findings, Screener, Screening
    from client.exchange.submissions import Settled

Waits = TypeVar("Waits", WaitingEntry, WaitingProposal)


@dataclass(frozen=True)
class Known:
    """What is known of a subject: the answer, and the rows behind it, which may be disputed;
    `skipped`: key epochs whose rows were not looked at, as no key holder has their key.
    """

    answer: Answer | None
    hits: tuple[Hit, ...]
    skipped: Epochs = ()


class Desk:
    """Over the lender's folder `own`. As of the last sync: `epochs`, the key epochs that answer;
    `published`, when its version was, in seconds since 1970; `version`, of its checkpoint.
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
        version: Callable[[], int | None] = lambda: None,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self.identity, self.context, self.own_folder = identity, context, own
        self.holders, self.registry = holders, registry
        self._epochs, self._published = epochs, published
        self.tokens = OwnTokens(context, own / "tokens", holders, epochs, random)
        self._clock, self._random = clock, random
        secret = read_secret(own / "filed", random)
        self.copy = OwnCopy(own / "list", version)
        self.filed = Filed(own / "filed", secret, random)
        self.looked_up = LookedUp(own / "filed", secret, random)
        self.writer = Writer(identity, registry_code, secret, random)
        self.decisions = Decisions(self.writer)
        self.seconded = Seconded(own / "filed", secret, random)
        self.seconding = Seconding(self.tokens, self.decisions, self.seconded, registry)

    def close(self) -> None:
        """Let files go."""
        self.filed.close()
        self.looked_up.close()
        self.seconded.close()

    @property
    def index(self) -> ListIndex:
        """This lender's copy of the list, of whatever version."""
        return self.copy.index

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

    def epochs(self) -> Epochs:
        """The same; OperatorError when none is known."""
        return self.tokens.named()

    def usable_epochs(self) -> tuple[Epochs, Epochs]:
        """Those that lookups use, and those they leave out because no key holder has such a key.
        Raises as `OwnTokens.usable`.
        """
        return self.tokens.usable()

    def sync(self, progress: Progress = no_progress) -> tuple[int, Synced]:
        """Send what was kept, then bring the list up to date; how many events were answered."""
        with goes_on("what is kept here leaves then"):
            sent = self.registry.send_pending()
            synced = self.copy.brought_up(lambda index: self.registry.sync(index, progress))
        if synced.epochs:
            self.tokens.wipe_retired(synced.epochs)
        self.seconded.prune(self._is_listed, self.today)
        return sent, synced

    def changed(self, synced: Synced) -> list[ChangedHit] | None:
        """What became, in this sync, of hits this lender had; None: the list came whole."""
        from client.exchange.changed_hits import changed_hits

        caches = self.tokens.caches(synced.epochs)
        if synced.touched is None:
            return None if any(len(cache) for cache in caches) else []
        return changed_hits(caches, self.index, synced.touched, self.looked_up.reference)

    def check(
        self, identifiers: Sequence[Canonical], *, purpose: str = "application", reference: str = ""
    ) -> Known:
        """What the list says about one subject. OperatorError where the copy is not the one that
        was seen last.
        """
        self.copy.answering()
        used, skipped = self.usable_epochs()
        hits = self._screener(used, skipped, purpose, reference).hits(identifiers)
        if reference and hits:
            self.looked_up.keep({hit.tag for hit in hits}, reference, self.today)
        return Known(answer_of(hits, self.today), tuple(hits), skipped)

    def screen(
        self,
        book: Path,
        *,
        columns: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
        told: Callable[[Findings], None] = lambda _: None,
    ) -> Screening:
        """Screen a book; without a network where its tokens are cached. `told` what was found in
        its cells, before anybody is asked. OperatorError as `check`.
        """
        self.copy.answering()
        used, skipped = self.usable_epochs()
        screener = self._screener(used, skipped, "portfolio", "")
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
        maker = self.writer.secret.operator(operator)
        refuse_repeated(subjects, terms, self.filed, again=supersedes is not None)
        epoch = self._newest()
        everybody = [one for subject in subjects for one in subject.identifiers]
        outputs = self.outputs(everybody, epoch, "filing", progress)
        records, events = self.writer.filings(
            subjects,
            terms,
            outputs,
            epoch=epoch,
            maker=maker,
            today=self.today,
            supersedes=supersedes,
        )
        self.filed.keep(records)
        first = f"entry {records[0].entry.entry_id.hex()}"
        with kept_here(first, len(records)):
            answers = self.registry.submit(events, sending)
        for record, answer in zip(records, answers, strict=True):
            self.filed.answered(record.entry.entry_id, taken=answer.receipt is not None)
        names = [record.entry.entry_id for record in records]
        return [*zip(names, answers, strict=True)]

    def approve(
        self, entries: Sequence[bytes], checker: str, sending: Progress = no_progress
    ) -> list[tuple[bytes, Settled]]:
        """The checker approves own entries; no names: all that wait for one and were filed by
        another person. Their names with the registry's answers.
        """
        with nothing_kept():
            own = {entry.entry_id: entry for entry in self.own()}
        unknown = [name for name in entries if name not in own]
        if unknown:
            raise OperatorError(
                f"entry {unknown[0].hex()} is not a live one of this lender",
                remedy="see `list own`; for another lender's entry give --evidence-file "
                "and what identifies the subject",
            )
        if not entries:
            entries = self.decisions.for_checker(list(own.values()), checker)
        if not entries:
            return []
        events = [self.decisions.checked(own[name], checker) for name in entries]
        with kept_here(f"the approval of entry {entries[0].hex()}", len(events)):
            answers = self.registry.submit(events, sending)
        return [*zip(entries, answers, strict=True)]

    def second(
        self, waiting_name: bytes, identifiers: Sequence[Canonical], evidence: bytes, checker: str
    ) -> Settled:
        """Approve another lender's entry that waits for a second institution: only about subjects
        this lender can identify itself, every one of them, and on evidence of its own (its hash).
        """
        waiting = self._waiting(waiting_name, WaitingEntry, "entry")
        if waiting.epoch not in self.usable_epochs()[0]:
            raise OperatorError(
                f"the tokens of entry {waiting_name.hex()} are of key epoch {waiting.epoch}, which "
                "this lender's copy of the list does not name: nothing was sent",
                remedy="sync first: lianfang-client list sync",
            )
        with kept_here(f"the approval of entry {waiting_name.hex()}"):
            return self.seconding.approve(waiting, identifiers, evidence, checker, self.today)

    def consent(self, proposal: bytes, operator: str, checker: str) -> Settled:
        """Consent to another lender's proposal: an epoch only if the holders show this lender the
        same key.
        """
        waiting = self._waiting(proposal, WaitingProposal, "proposal")
        if isinstance(waiting.proposal, OpenEpoch):
            check_shown(self.holders, waiting.proposal)
        return self._sent(self.decisions.consent(waiting, operator, checker))

    def open_epoch(self, epoch: int | None, operator: str, checker: str) -> tuple[int, Settled]:
        """Propose that an epoch of the holders (the last) answers; another lender must consent."""
        signed = key_to_open(self.holders, epoch)
        event = self.decisions.open_epoch(signed, operator, checker)
        return signed.keys.epoch, self._sent(event)

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
        """Move all own entries to the newest epoch that answers, and approve again what others
        re-filed of the subjects this lender stands for; interrupted, give it again.
        """
        maker, mark = self.decisions.two(operator, checker)
        used, _ = self.usable_epochs()
        epoch = max(used)
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

        done = refile(
            self.registry,
            self.identity,
            self.writer.registry,
            epoch,
            renewed,
            maker=maker,
            checker=mark,
            random=self._random,
        )
        again = self.seconding.approve_again(used, checker, self.today, progress)
        return replace(
            done,
            seconded=again.approved,
            refused=done.refused + again.refused,
            remedies=done.remedies + again.remedies,
        )

    def own(self) -> list[EntryState]:
        """This lender's own live entries; what it kept of those long over is forgotten."""
        entries = self.registry.own()
        self.filed.prune([entry.entry_id for entry in entries], self.today)
        return entries

    def checkpoint(self) -> Checkpoint:
        """The registry's signed word on the list this lender has; OperatorError before the first
        sync.
        """
        return self.registry.checkpoint()

    def compare(self, text: bytes) -> tuple[Checkpoint, Checkpoint]:
        """This lender's checkpoint and another member's, of one list. Raises as
        `RegistryClient.compare`.
        """
        return self.registry.compare(text)

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
        return self.tokens.outputs(identifiers, epoch, purpose, progress)

    def _newest(self) -> int:
        return max(self.usable_epochs()[0])

    def _waiting(self, name: bytes, kind: type[Waits], what: str) -> Waits:
        with nothing_kept():
            found = self.registry.waiting()
        for one in found:
            if one.name == name and isinstance(one, kind):
                return one
        raise OperatorError(
            f"no {what} {name.hex()} waits for a second institution",
            remedy="see `list waiting`; it may be decided already, or this lender's own, or it is "
            "an entry (`list approve`) where a proposal (`list consent`) is named",
        )

    def _sent(self, event: Event) -> Settled:
        with kept_here("this decision"):
            return self.registry.submit([event])[0]

    def _screener(self, used: Epochs, skipped: Epochs, purpose: str, reference: str) -> Screener:
        from client.exchange.screening import Screener

        sources = self.tokens.sources(used, purpose, reference)
        index = self.copy.answering()
        return Screener(self.context, index, sources, today=self.today, skipped=skipped)

    def _is_listed(self, tags: Sequence[bytes]) -> bool:
        asked = np.frombuffer(b"".join(tags), np.uint8).reshape(-1, TAG_BYTES)
        return bool(self.index.find(asked).found.size)
