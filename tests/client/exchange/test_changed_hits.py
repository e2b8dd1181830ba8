"""Recent enquirers are told what became of their hits, from their own records alone."""

from pathlib import Path

import pytest

from client.exchange.cache import TokenCache
from client.exchange.changed_hits import BookRow, ChangedHit, Now, changed_hits
from client.exchange.index import ListIndex
from client.exchange.screening import Screener, Source
from shared.blacklist.rows import Flag, Row, changes_of
from tests.client.exchange.stand_in import CONTEXT, TODAY, StandIn, in_batches, row_of

CARD, PHONE, OTHER = "4111111111111111", "13800138000", "13900139000"


@pytest.mark.parametrize(
    ("flags", "now"),
    [(None, Now.GONE), (Flag.DISPUTED, Now.DISPUTED), (Flag.ANNOTATED, Now.CHANGED)],
)
def test_changed_hits_are_named_by_the_lines_of_books(
    tmp_path: Path, flags: Flag | None, now: Now
) -> None:
    """Two rows of a screened book and a subject looked up alone are told; a listed subject that
    nobody here asked about is not, nor one that did not change.
    """
    prf = StandIn()
    listed = {kind: row_of(prf, *kind) for kind in (("bank_card", CARD), ("phone", PHONE))}
    stranger = row_of(prf, "phone", OTHER)
    index, cache = ListIndex(tmp_path / "list"), TokenCache(tmp_path / "tokens", 1)
    index.replace([*listed.values(), stranger], 1)
    screener = Screener(CONTEXT, index, [Source(1, cache, in_batches(prf))], today=TODAY)
    book = tmp_path / "book.csv"
    book.write_text(f"customer_ref,银行卡号\nC7,{CARD}\nC8,5500005555555559\nC9,{CARD}\n", "utf-8")
    screener.screen(book)
    screener.look_up({"phone": PHONE})
    assert changed_hits([cache], index, frozenset()) == []
    old = [*listed.values(), stranger]
    new = [] if flags is None else [Row(one.tag, one.sealed, one.epoch, flags) for one in old]
    index.apply(changes_of([one.tag for one in old], new), 2)
    told = changed_hits([cache], index, frozenset(one.tag for one in old))
    day = TODAY.isoformat()
    rows = (BookRow("book.csv", day, 2, "C7"), BookRow("book.csv", day, 4, "C9"))
    assert told == [ChangedHit(now, rows), ChangedHit(now, ())]


def test_identifiers_that_stand_in_one_row_are_told_as_one_subject(tmp_path: Path) -> None:
    """Card gone, phone still listed: changed, once. Two subjects in two rows are two (control)."""
    prf = StandIn()
    card, phone, other = (
        row_of(prf, *one) for one in (("bank_card", CARD), ("phone", PHONE), ("phone", OTHER))
    )
    index, cache = ListIndex(tmp_path / "list"), TokenCache(tmp_path / "tokens", 1)
    index.replace([card, phone, other], 1)
    book = tmp_path / "book.csv"
    book.write_text(f"银行卡号,手机号\n{CARD},{PHONE}\n,{OTHER}\n", "utf-8")
    Screener(CONTEXT, index, [Source(1, cache, in_batches(prf))], today=TODAY).screen(book)
    index.apply(changes_of([card.tag, other.tag], []), 2)
    told = changed_hits([cache], index, frozenset((card.tag, phone.tag, other.tag)))
    assert sorted((one.now, [row.line for row in one.rows]) for one in told) == [
        (Now.CHANGED, [2]),
        (Now.GONE, [3]),
    ]
