"""The desk over mutual TLS: one week of three lenders, and callers who are none."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.actor import Actor, read_actor, write_actor
from server.apart import GRAPH, SHARE, check_without
from server.cases.service import Service, Serving, desk_in, serve
from server.cases.settings import Settings
from shared.cases import bulletin as bulletins
from shared.cases.case import Case, read_case
from shared.cases.pages import REQUEST_BYTES, CountPage, check_receipt, read_page
from shared.cases.said import SaidStanding
from shared.errors import OperatorError
from shared.identity.certificate import Role
from shared.identity.pem import certificate_to_pem
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text
from shared.wire import cases_pb2 as wire
from shared.wire.cases_pb2_grpc import CaseDeskStub
from shared.wire.padding import fill
from tests.case_lenders import AUTHORITY, MONDAY, START, Clock, Desks, Lender, ring
from tests.exchange_processes import Process
from tests.identities import fixed_random

ROLES: dict[str, Role] = {"D1": "desk", "K1": "keyholder", "C1": "coordinator"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of a desk, four lenders and others who try."""
    root = tmp_path_factory.mktemp("members")
    for code in ("L01", "L02", "L03", *ROLES):
        role = ROLES.get(code, "lender")
        draw = fixed_random(f"{role} {code}")
        write_actor(root / code, AUTHORITY, code, role, days=30, now=START, random=draw)
    return root


@contextmanager
def served(folder: Path, clock: Clock) -> Iterator[Serving]:
    (folder / "D1" / "cases.toml").write_text('profile = "demo"\n')
    serving = serve(folder / "D1", "127.0.0.1:0", clock=clock, tick_seconds=0.02)
    try:
        yield serving
    finally:
        serving.stop()


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def desk(folder: Path, clock: Clock) -> Iterator[Serving]:
    with served(folder, clock) as serving:
        yield serving


@contextmanager
def stub(folder: Path, code: str, port: int) -> Iterator[Any]:
    """As a member reaches it."""
    actor: Actor = read_actor(folder / code, ROLES.get(code, "lender"), START)
    credentials = grpc.ssl_channel_credentials(
        certificate_to_pem(actor.authority),
        actor.transport_key,
        certificate_to_pem(actor.transport),
    )
    options = [("grpc.ssl_target_name_override", "D1"), ("grpc.enable_http_proxy", 0)]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        yield CaseDeskStub(channel)  # type: ignore[no-untyped-call]


def request(case: Case, stage: str, page: bytes) -> wire.PageRequest:
    asked = wire.PageRequest(case=case.id, stage=stage, page=page)
    fill(asked, REQUEST_BYTES)
    return asked


def standing_of(said: wire.CaseStanding) -> SaidStanding:
    return read_text(SaidStanding, said.standing)


def until(stub: Any, stage: str) -> SaidStanding:
    """Ask until the case is in this stage."""
    for _ in range(500):
        (said,) = stub.Cases(wire.CasesRequest()).cases
        if standing_of(said).stage == stage:
            return standing_of(said)
        time.sleep(0.01)
    raise AssertionError(f"never {stage}")


def test_a_week_over_the_network(
    folder: Path, desk: Serving, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Pages in, receipts and told ids out, a bulletin with the ring; nothing of it in the log."""
    caplog.set_level(logging.DEBUG)
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    members, authority = ring(lenders), AUTHORITY.certificate
    kinds = [int(kind) for kind in Kind]
    case = desk.desk.open("spring", MONDAY, 4, kinds, 1, pages=(1, 1)).case
    with (
        stub(folder, "L01", desk.port) as one,
        stub(folder, "L02", desk.port) as two,
        stub(folder, "L03", desk.port) as three,
    ):
        stubs = dict(zip(("L01", "L02", "L03"), (one, two, three), strict=True))
        (standing,) = one.Cases(wire.CasesRequest()).cases
        assert read_case(standing.case, "D1", authority).case == case
        assert standing_of(standing).stage == "waiting"
        assert [*one.Told(wire.ToldRequest(case=case.id))] == []
        moved(clock, 0, 1)
        sizes = set()
        for lender in lenders:
            for page in lender.count_pages(case, 0):
                asked = request(case, "count", page)
                sizes.add(asked.ByteSize())
                reply = stubs[lender.code].Submit(asked)
                digest = read_page(CountPage, page, case, lender.code, authority, START).digest
                check_receipt(reply.receipt, "D1", reply.certificate, authority, digest, START)
        with pytest.raises(grpc.RpcError) as refused:
            two.Submit(request(case, "count", lenders[0].count_pages(case, 0)[0]))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        moved(clock, 0, 24)
        until(one, "edges")
        for lender in lenders:
            chunks = [*stubs[lender.code].Told(wire.ToldRequest(case=case.id))]
            told = np.frombuffer(b"".join(one.ids for one in chunks), np.uint8).reshape(-1, 32)
            assert len(told) == 512
            for page in lender.edge_pages(case, 0, told):
                asked = request(case, "edges", page)
                sizes.add(asked.ByteSize())
                stubs[lender.code].Submit(asked)
        with pytest.raises(grpc.RpcError) as late:
            one.Submit(request(case, "count", lenders[0].count_pages(case, 1)[0]))
        assert late.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert sizes == {REQUEST_BYTES}
        moved(clock, 0, 48)
        assert until(one, "waiting").bulletin == 1
        (reply,) = one.Heads(wire.HeadsRequest(case=case.id))
        head = bulletins.read_head(reply.head, "D1", authority, clock.now)
        content = one.Content(wire.ContentRequest(case=case.id, version=1))
        read = bulletins.read_content(head, b"".join(part.content for part in content))
    assert set(lenders[2].flags(case, read, members)) == set(members)
    logged = caplog.text
    assert "bulletin 1" in logged
    for secret in ("person", "L01", "L02", case.id.hex()):
        assert secret not in logged


def moved(clock: Clock, week: int, hours: float) -> None:
    clock.now = START + timedelta(weeks=week + 1, hours=hours)


@pytest.mark.parametrize("code", ["K1", "C1", "D1"])
def test_only_lenders_are_answered(folder: Path, desk: Serving, code: str) -> None:
    """Key holders above all are not."""
    with stub(folder, code, desk.port) as other, pytest.raises(grpc.RpcError) as refused:
        other.Cases(wire.CasesRequest())
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_garbage_and_oversized_messages_are_refused_and_the_desk_goes_on(
    folder: Path, desk: Serving
) -> None:
    """Every answer is a status of the caller's fault; afterwards it answers as before."""
    with stub(folder, "L01", desk.port) as one:

        @settings(max_examples=40, deadline=None)
        @given(
            st.binary(max_size=40),
            st.sampled_from(["count", "edges", "x"]) | st.text(max_size=5),
            st.binary(max_size=300),
            st.integers(0, 2**32 - 1),
        )
        def ask(case: bytes, stage: str, page: bytes, number: int) -> None:
            for call in (
                lambda: one.Submit(wire.PageRequest(case=case, stage=stage, page=page)),
                lambda: [*one.Told(wire.ToldRequest(case=case))],
                lambda: [*one.Heads(wire.HeadsRequest(case=case, since=number))],
                lambda: [*one.Content(wire.ContentRequest(case=case, version=number))],
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    call()
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT

        ask()
        with pytest.raises(grpc.RpcError) as refused:
            one.Submit(wire.PageRequest(page=bytes(2 << 20)))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        one.Cases(wire.CasesRequest())


def test_a_share_of_the_key_is_never_beside_a_desk(folder: Path) -> None:
    """Neither serves in production where the other's files are; each other folder is fine
    (control)."""
    for part, name in ((SHARE, "keyholder.sqlite"), (GRAPH, "cases.sqlite")):
        there = folder / f"of {name}"
        there.mkdir()
        check_without(part, "production", there, modules=())
        (there / name).touch()
        with pytest.raises(OperatorError, match="share of the key"):
            check_without(part, "production", there, modules=())
    with pytest.raises(OperatorError, match=r"loaded server\.cases"):
        check_without(GRAPH, "production", folder / "L01", modules={"server.cases"})


KILLED = """
import os, signal
from server.cases.store import Store
whole = Store.add_page
def killed(*page):
    whole(*page)
    os.kill(os.getpid(), signal.SIGKILL)
Store.add_page = killed
"""


class Anybody:
    """Stands for certificates: the call's context is the caller's code."""

    def of(self, context: Any, roles: object) -> Any:
        return SimpleNamespace(code=context)


@pytest.mark.parametrize(("profile", "stage"), [("demo", "edges"), ("production", "count")])
def test_only_in_the_demo_the_last_page_ends_a_stage_of_no_hours_before_the_next_tick(
    tmp_path: Path, profile: str, stage: str
) -> None:
    """Elsewhere (the control) the tick ends it, as ever."""
    own = Settings(profile=profile, count_hours=0, edge_hours=0)
    desks = Desks(tmp_path / "desk", settings=own)
    case = desks.open()
    desks.at(0, 1)
    service = Service(desks.desk, Anybody())  # type: ignore[arg-type]
    for code in ("L01", "L02", "L03"):
        (page,) = Lender(code).count_pages(case, 0)
        service.Submit(request(case, "count", page), code)  # type: ignore[arg-type]
    assert [one.stage for one in desks.desk.standings()] == [stage]


def test_a_desk_killed_between_write_and_answer_has_the_page_once(
    folder: Path, tmp_path: Path
) -> None:
    """A real process, kill -9: sent again after it began anew, the page has its receipt and counts
    once.
    """
    draw = fixed_random("desk D1")
    write_actor(tmp_path / "D1", AUTHORITY, "D1", "desk", days=30, now=START, random=draw)
    (tmp_path / "D1" / "cases.toml").write_text('profile = "demo"\n')
    desk, store, _ = desk_in(tmp_path / "D1")
    kinds = [int(kind) for kind in Kind]
    case = desk.open("x", MONDAY - timedelta(weeks=1), 4, kinds, 1, pages=(1, 1)).case
    store.close()
    (page,) = Lender("L01").count_pages(case, 0)
    process = Process(tmp_path / "D1", "cases", tmp_path / "log")
    process.start(KILLED)
    with stub(folder, "L01", process.port) as one, pytest.raises(grpc.RpcError):
        one.Submit(request(case, "count", page))
    assert process.died() == -9
    process.start()
    with stub(folder, "L01", process.port) as one:
        first, again = (one.Submit(request(case, "count", page)).receipt for _ in range(2))
    process.stop()
    assert first == again
    desk, store, _ = desk_in(tmp_path / "D1")
    assert len([*store.pages(case.id, "count", 0)]) == 1
    store.close()
