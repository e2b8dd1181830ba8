"""The fraud list in a simulation: five tiny lenders file and screen, and nothing goes unnoticed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.exchange.member import Member, open_member
from client.exchange.opening import Ways
from server.actor import read_actor
from server.keyholder import evaluating
from server.registry.registry import Registry
from server.simulation.book import Book
from server.simulation.exchange import COORDINATOR, HOLDERS, Exchange, open_exchange
from server.simulation.founding import now
from server.simulation.fraud_list import cast_of_book, fraud_list
from server.simulation.identities import Habits
from server.simulation.in_process_channel import InProcessChannel, RefusedCallError
from shared.errors import OperatorError, PeerError
from shared.identity.pem import certificate_to_pem
from shared.tokens.evaluation import Evaluation, Request, evaluate
from shared.tokens.group import Group, RandomBytes
from shared.tokens.keys import KeyShare
from shared.wire import keyholder_pb2 as wire
from shared.wire.keyholder_pb2_grpc import KeyHolderStub
from tests.federation import Consortium, founded_in, study

HABITS = Habits(applicants=15, planted=2, shops=2, twice=15, household=15)
STUDY = study()
Report = dict[str, Any]


@contextmanager
def join(home: Path, exchange: Exchange) -> Iterator[Member]:
    with open_member(home, Ways(exchange.door, exchange.channel)) as member:
        yield member


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("exchange") / "run")


@pytest.fixture(scope="module")
def run(consortium: Consortium) -> Path:
    return consortium.folder


@pytest.fixture(scope="module")
def book(consortium: Consortium) -> Book:
    return consortium.book


@pytest.fixture(scope="module")
def play(run: Path, book: Book) -> Callable[..., Report]:
    def played(where: str = "list") -> Report:
        return fraud_list(run, run.parent / where, book, STUDY, join, habits=HABITS)

    return played


@pytest.fixture(scope="module")
def report(play: Callable[..., Report]) -> Report:
    return play()


def test_every_answer_is_that_of_a_plain_comparison(report: Report):
    assert report["differences"] == 0
    assert report["hits"] > report["others"] > 0
    assert sum(report["classes"].values()) == report["hits"]


def test_every_filing_is_active_disputed_or_withdrawn(report: Report):
    assert report["filed"] == 10
    assert (report["active"], report["disputed"], report["withdrawn"]) == (8, 1, 1)


def test_innocent_hits_come_from_reissued_numbers_and_are_weak(report: Report):
    assert report["innocent"] == report["innocent_weak"] == 4  # the fifth was withdrawn


def test_lenders_add_up_to_the_whole(report: Report):
    for name in ("filed", "screened", "hits", "others", "innocent"):
        assert sum(lender[name] for lender in report["lenders"]) == report[name]
    for lender in report["lenders"]:
        assert lender["strong"] + lender["single"] + lender["weak"] == lender["hits"]


def test_two_of_three_holders_answer_and_what_crosses_is_measured(report: Report):
    assert (report["threshold"], report["holders"]) == (2, 3)
    assert report["evaluations"] % 2 == 0
    assert report["evaluations"] >= 2 * report["tokenised"] > 0
    assert report["measured"]["bytes"] > 32 * 2 * report["evaluations"]
    assert report["measured"]["cpu"] > 0


def test_no_identifier_is_in_the_report_or_on_key_holders_and_registrys_disks(
    report: Report, run: Path, book: Book
):
    cast = cast_of_book(book, STUDY.seed, HABITS)
    people = [one for side in (cast.planted, cast.applicants) for of in side.values() for one in of]
    texts = [text for one in people for text in one.texts.values()]
    folder = run.parent / "list"
    theirs = [p for p in folder.rglob("*") if p.is_file() and "members" not in p.parts]
    assert {"keyholder.sqlite", "registry.db"} <= {path.name for path in theirs}
    content = b"\0".join([json.dumps(report).encode(), *(path.read_bytes() for path in theirs)])
    assert not [text for text in texts if text.encode() in content]
    books = b"".join(path.read_bytes() for path in folder.rglob("applicants.parquet"))
    assert any(text.encode() in books for text in texts)  # they can be found where they are


def test_the_same_seed_gives_the_same_report(report: Report, play: Callable[..., Report]):
    """What differs is put in `measured`; keys, tokens and certificates are new each time."""
    shown = {name: value for name, value in play(where="again").items() if name != "measured"}
    assert shown == {name: value for name, value in report.items() if name != "measured"}


def test_an_earlier_list_is_replaced_and_nothing_else_is(play: Callable[..., Report], run: Path):
    (run.parent / "mine").mkdir()
    (run.parent / "mine" / "thesis.txt").write_text("all my work")
    with pytest.raises(OperatorError, match="nothing was removed"):
        play(where="mine")
    assert (run.parent / "mine" / "thesis.txt").exists()


def test_a_withdrawal_that_does_not_happen_shows_as_differences(
    play: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
):
    """The positive control of the comparison."""
    monkeypatch.setattr(Member, "withdraw", lambda self, entry: None)
    assert play(where="forgetful")["differences"] > 0


def test_a_holder_that_answers_wrongly_is_named_and_the_others_answer(
    play: Callable[..., Report], run: Path, report: Report, monkeypatch: pytest.MonkeyPatch
):
    def lying(group: Group, share: KeyShare, request: Request, random: RandomBytes) -> Evaluation:
        honest = evaluate(group, share, request, random)
        if share.index > 1:
            return honest
        return replace(honest, points=np.roll(honest.points, 1, axis=0))

    monkeypatch.setattr(evaluating, "evaluate", lying)
    found = play(where="liar")
    assert found["differences"] == 0
    assert found["evaluations"] > report["evaluations"]
    kept = list((run.parent / "liar").rglob("own/evidence/*"))
    assert kept
    assert all("K1" in path.name for path in kept)


def test_a_registry_that_drops_a_row_is_not_believed(
    play: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
):
    honest = Registry.versions_since

    def shortened(self: Registry, version: int) -> Iterator[Any]:
        for one in honest(self, version):
            kept = one.changes[:-1] if one.changes else one.changes
            yield replace(one, changes=kept)

    monkeypatch.setattr(Registry, "versions_since", shortened)
    with pytest.raises(PeerError, match="not those signed"):
        play(where="short")


def test_a_channel_asks_for_the_callers_role_as_a_server_does(run: Path, report: Report):
    folder = run.parent / "list"
    actor = read_actor(folder / COORDINATOR, "coordinator", now())
    with open_exchange(folder) as exchange:
        certificate = certificate_to_pem(actor.transport)
        way = InProcessChannel(exchange.registers[HOLDERS[0]], certificate, exchange.meter)
        stub = KeyHolderStub(way)
        assert stub.Describe(wire.DescribeRequest()).holder == HOLDERS[0]
        with pytest.raises(RefusedCallError, match="not for a coordinator"):
            stub.Evaluate(wire.EvaluateRequest())
