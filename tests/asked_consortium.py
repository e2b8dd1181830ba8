"""A coordinator and lenders that joined it, who keep borrowing events and answer batches of tokens:
the real apps over the in-process grid, key holders that are only pretended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import client.app
from client.borrowing.asking import Asking
from client.desk import close_all
from client.exchange.own_tokens import OwnTokens
from client.exchange.secret import read_secret
from client.outbox import Outbox
from client.terms import accept
from server.authority import read_authority
from server.coordinator.exchange import Policy
from server.coordinator.rounds import conduct
from server.deployment.runs import read_started, start_run
from server.deployment.terms_page import TermsPage
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid
from shared.borrowing.batch import Batch, read_batch
from shared.secure_sum.trust import Trust
from shared.training.agreement import Agreement
from shared.training.asked_run import AskedRun, AskedTerms, asked_terms
from shared.training.consortium import Consortium
from shared.training.run import Run
from tests.borrowing_members import Key
from tests.consortium_folders import founded, now
from tests.federation import Hurried
from tests.identities import CREDENTIALS, fixed_random, identity_under, lay_down
from tests.server.deployment.coordinator_folder import PretendedSuperLink

T = TypeVar("T")
CODES = ("L01", "L02", "L03", "L04", "L05")
ASKED = '[asked]\naskers = "members"\n'
HEADER = "event,day,reference,amount,resident_id\n"
HASTY = Policy(minimum=4, patience=2.0, deadline=30.0)


@dataclass
class AskedConsortium:
    """`home` holds `coordinator` and a folder for each of `codes`. `founding`: what else the
    consortium is founded with; `tables`: by code, where they are to train, too.
    """

    home: Path
    codes: Sequence[str] = CODES
    founding: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    consortium: Consortium = field(init=False)
    superlink: PretendedSuperLink = field(default_factory=PretendedSuperLink)
    acts: int = 0
    epoch: int = 1

    def __post_init__(self) -> None:
        self.folder = self.home / "coordinator"
        self.consortium = founded(self.folder, **self.founding)
        (self.folder / "bundle").mkdir(exist_ok=True)
        (self.folder / "bundle" / "lianfang.fab").write_bytes(b"a bundle")
        (self.folder / "flower").mkdir(exist_ok=True)
        self.authority = read_authority(self.folder / "authority", now())
        for code in self.codes:
            self.joins(code)

    def joins(self, code: str, asked: str = ASKED) -> None:
        """Make a lender's folder."""
        place = self.home / code
        place.mkdir()
        text = (self.folder / "consortium.toml").read_bytes()
        (place / "consortium.toml").write_bytes(text)
        identity = identity_under(self.authority, code, now=now() - timedelta(minutes=1))
        lay_down(place, identity, self.authority)
        (place / "table.csv").write_text(self.tables.get(code, ""))
        self.settings(code, asked)

    def settings(self, code: str, asked: str) -> None:
        """What its client.toml says about batches."""
        (self.home / code / "client.toml").write_text(
            f'[lender]\nmember = "{code}"\ntable = "table.csv"\nterms = "consortium.toml"\n'
            f"{CREDENTIALS}{asked}"
        )

    @contextmanager
    def desk(self, code: str) -> Iterator[Asking]:
        """Where a lender asks; key holders are pretended."""
        self.acts += 1
        own, random = self.home / code / "own", fixed_random(f"asking {code} {self.acts}")
        identity = identity_under(self.authority, code, now=now() - timedelta(minutes=1))
        context, trust = self.consortium.name, Trust(self.authority.certificate, now)
        outbox, place = Outbox(own / "outbox.jsonl", now), own / "rings" / "tokens"
        tokens = OwnTokens(f"{context}/ring", place, Key(), lambda: (self.epoch,), random)
        secret = read_secret(own / "filed", random)
        try:
            yield Asking(
                identity, context, own, tokens, secret, trust, outbox, clock=now, random=random
            )
        finally:
            outbox.close()

    def asking(self, code: str, act: Callable[[Asking], T]) -> T:
        """Something a lender does at its desk."""
        with self.desk(code) as desk:
            return act(desk)

    def keeps(self, code: str, *lines: str) -> None:
        """Keep events, each a line of a file."""
        path = self.home / code / "events.csv"
        path.write_text(HEADER + "".join(f"{one}\n" for one in lines), encoding="utf-8")
        self.asking(code, lambda desk: desk.keep(path))

    def asks(self, code: str, *people: str) -> Path:
        """A batch about people, by their numbers."""
        place = self.home / code
        book, out = place / "book.csv", place / "batch.json"
        book.write_text("resident_id\n" + "".join(f"{one}\n" for one in people))
        self.asking(code, lambda desk: desk.ask(book, out))
        return out

    def started(self, batch: Path, name: str, *, anew: bool = False) -> Path:
        """Start its run, and let every lender hear of it."""
        return self.began(asked_terms(self.consortium, self.batch(batch), name, anew=anew), name)

    def began(self, terms: Agreement | AskedTerms, name: str) -> Path:
        """Start a run under these terms, and let every lender hear of it."""
        run = start_run(self.folder, name, terms, self.superlink)
        self.shown()
        return run

    def shown(self) -> None:
        """Every lender takes the terms of open runs from the gate's page, as its node does."""
        page = TermsPage(self.folder)
        for digest in page.digests():
            for code in self.codes:
                content = page.agreement(digest)
                assert content is not None
                assert accept(self.home / code, self.consortium, digest, content) == []

    def batch(self, path: Path) -> Batch:
        """What is in a batch's file."""
        return read_batch(path.read_bytes().strip())

    def carried(
        self,
        run: Path,
        *,
        faults: Iterable[str] = (),
        resume: bool = False,
        only: Sequence[str] = (),
        policy: Policy = HASTY,
        wrapped: Callable[[InProcessGrid], InProcessGrid] = lambda grid: grid,
    ) -> AskedRun:
        """Conduct a run of a batch, as `conducted`."""
        done = self.conducted(
            run, faults=faults, resume=resume, only=only, policy=policy, wrapped=wrapped
        )
        assert not isinstance(done, Run)
        return done

    def conducted(
        self,
        run: Path,
        *,
        faults: Iterable[str] = (),
        resume: bool = False,
        only: Sequence[str] = (),
        policy: Policy = HASTY,
        wrapped: Callable[[InProcessGrid], InProcessGrid] = lambda grid: grid,
    ) -> Run | AskedRun:
        """Conduct a run, which is over for the SuperLink then; VoidStageError. `only`: whose nodes
        are there.
        """
        close_all()
        homes = [self.home / code for code in only or self.codes]
        faulty = Faults(tuple(map(parse_fault, faults)))
        grid = InProcessGrid(client.app.app, homes, workers=2, faults=faulty)
        time_of_run = Hurried(grid)
        try:
            return conduct(
                wrapped(grid), run, policy, resume=resume, clock=time_of_run.clock,
                sleep=time_of_run.sleep,
            )  # fmt: skip
        finally:
            self.superlink.ended.setdefault(read_started(run).flower_run, "failed")
            grid.close()
            close_all()

    def outbox(self, code: str) -> list[dict[str, Any]]:
        """The lines of a lender's journal."""
        text = (self.home / code / "own" / "outbox.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


def applied(person: str, reference: str, ago: int = 1) -> str:
    """A line about an application some days ago."""
    return f"application,{day(ago)},{reference},,{person}"


def day(ago: int) -> date:
    """So many days before today."""
    return now().date() - timedelta(days=ago)
