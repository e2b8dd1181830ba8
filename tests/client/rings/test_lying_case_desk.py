"""A case desk that shows more than any has is given up at once; what it names is shown safe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pandas as pd
import pytest

from client.exchange.hits_file import content_of
from client.rings.case_desk import CaseDeskClient
from client.rings.flags_file import RowFlag, write_flags
from client.rings.looking import Told
from shared.cases.bulletin import Head
from shared.cases.case import Case
from shared.cases.ring_flag import RingFlag
from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from shared.wire import cases_pb2 as wire
from tests.case_lenders import AUTHORITY, START, Desks, Lender, innocents, ring
from tests.identities import identity_under

DESK = identity_under(AUTHORITY, "D1", "desk", START)


@pytest.fixture
def told(tmp_path: Path) -> tuple[Case, Head]:
    """A case of four weeks, and its first head."""
    desks = Desks(tmp_path / "desk")
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    ring(lenders)
    innocents(lenders)
    case = desks.open()
    head = desks.week(case, lenders).head
    desks.store.close()
    return case, head


class Shown:
    """A desk that shows `head` without end; `taken`: how many of them were."""

    def __init__(self, text: bytes) -> None:
        self.text, self.taken = text, 0

    def Heads(self, request: Any, timeout: float) -> Iterator[Any]:  # noqa: N802
        while self.taken < 50_000:
            self.taken += 1
            yield wire.HeadReply(head=self.text)


def asked(case: Case, shown: Shown) -> list[Head]:
    channel: Any = grpc.insecure_channel("127.0.0.1:9")
    with channel:
        now = SimpleNamespace(now=START + (case.monday(2) - case.monday(0)))
        client = CaseDeskClient(channel, "D1", AUTHORITY.certificate, "L01", clock=lambda: now.now)
        client._stub = shown
        return client.heads(case, 0)


def test_heads_are_judged_as_they_come(told: tuple[Case, Head]) -> None:
    """Nonsense at the first one, good ones at the first too many; all of them are there to be
    taken (control).
    """
    case, head = told
    for text, most in ((b"x" * (1 << 20), 1), (text_of(head), case.weeks + 1)):
        shown = Shown(text)
        with pytest.raises(PeerError):
            asked(case, shown)
        assert shown.taken == most
    assert sum(1 for _ in Shown(b"x").Heads(None, 1)) == 50_000


def test_a_bulletin_of_a_week_after_the_case_is_refused(told: tuple[Case, Head]) -> None:
    """Signed by the desk though it is; that of a week of it is not (control)."""
    case, head = told

    class Once(Shown):
        def Heads(self, request: Any, timeout: float) -> Iterator[Any]:  # noqa: N802
            yield wire.HeadReply(head=self.text)

    assert asked(case, Once(text_of(head))) == [head]
    late = replace(head, week=case.weeks).signed(DESK.private)
    with pytest.raises(PeerError, match="does not have"):
        asked(case, Once(text_of(late)))


FORMULAS = ('=HYPERLINK("http://x")', "+1", "-1", "@x", "\t=1", "＝1", "a\x1b[2J\nb")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_column_of_a_file_runs_as_a_formula(text: str) -> None:
    """Whoever wrote it; a file of pandas' own has it as it is (control)."""
    frame = pd.DataFrame({"line": [-2], "customer_ref": ["A"], "case": [text], "own": [True]})
    line = content_of(frame, ".csv").decode("utf-8-sig").splitlines()[1]
    assert line.startswith("-2,A,")
    assert line.endswith(",True")
    cell = line.removeprefix("-2,A,").strip('"')
    assert cell[0] not in "=+-@\t＝"
    assert cell.isprintable()
    plain = frame.to_csv(index=False)
    assert text.replace('"', '""') in plain


def test_flags_of_a_book_go_to_a_file_of_which_nothing_runs(tmp_path: Path) -> None:
    """A case whose name is a formula, which `Case` itself refuses: the file stands without it."""
    named: Any = SimpleNamespace(name="=1+1")
    one = Told(named, RingFlag(bytes(16), 1, (), "weak", "60-79"), 1, False)
    (tmp_path / "book.csv").write_text("customer_ref\nA\n")
    out = tmp_path / "flags.csv"
    write_flags([RowFlag(2, "=2+2", one)], out, book=tmp_path / "book.csv")
    assert out.read_text("utf-8-sig").splitlines()[1].startswith("2,'=2+2,'=1+1,")
