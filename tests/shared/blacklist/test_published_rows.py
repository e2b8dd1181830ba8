"""Rows, pages and checkpoints: what members check before they believe."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blacklist.checkpoint import (
    BEGINNING,
    Checkpoint,
    ContentReader,
    ForkError,
    bucket_digest,
    bucket_of,
    check_follows,
    content_digest,
    read_checkpoint,
)
from shared.blacklist.rows import (
    PAGE_BYTES,
    PAGE_ROWS,
    Changes,
    Flag,
    Row,
    changes_of,
    pages_of,
    read_pages,
)
from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import AUTHORITY, NOW, REGISTRY, hashed, member

SIGNER = member(REGISTRY, "registry")


def row(number: int, flags: Flag = Flag.DISPUTED) -> Row:
    """A row."""
    return Row(hashed(f"tag {number}"), hashed(f"sealed {number}", 512), 1, flags)


def checkpoint(version: int, before: bytes = BEGINNING, **other: object) -> Checkpoint:
    """A signed checkpoint."""
    fields: dict[str, object] = {
        "registry": REGISTRY,
        "certificate": SIGNER.member.certificate,
        "version": version,
        "before": before,
        "changes": Changes().digest(),
        "content": content_digest({}),
        "rows": 0,
        "epochs": (1,),
        "at": int(NOW.timestamp()),
        "log": BEGINNING,
    }
    return Checkpoint(**fields | other).signed(SIGNER.private)  # type: ignore[arg-type]


@given(st.sets(st.integers(0, 500), max_size=150), st.sets(st.integers(500, 600), max_size=9))
def test_pages_give_the_changes_back(added: set[int], dropped: set[int]) -> None:
    """All pages have one size, whatever is in them."""
    changes = changes_of([row(one).tag for one in dropped], [row(one) for one in added])
    pages = list(pages_of(changes.packed()))
    assert {len(page) for page in pages} <= {PAGE_BYTES}
    assert len(pages) == -(-(len(added) + len(dropped)) // PAGE_ROWS)
    assert read_pages(pages) == changes


@pytest.mark.parametrize("place", [0, 33, 37, 600])
def test_a_page_with_anything_else_is_refused(place: int) -> None:
    """Unknown operations, flags and bytes in the padding."""
    (page,) = pages_of(changes_of([], [row(1)]).packed())
    wrong = bytearray(page)
    wrong[place] = 0xFF
    if place == 33:  # an epoch of more than 31 bits
        wrong[33:37] = b"\xff" * 4
    with pytest.raises(PeerError):
        read_pages([bytes(wrong)])
    with pytest.raises(PeerError, match="bytes is expected"):
        read_pages([page[:-1]])


def test_rows_out_of_order_are_refused() -> None:
    """Order would tell about filing; the sorted ones pass (control)."""
    rows = sorted(row(number) for number in range(3))
    packed = [b"\x01" + one.packed() for one in reversed(rows)]
    with pytest.raises(PeerError, match="order"):
        read_pages(pages_of(packed))
    assert read_pages(pages_of(reversed(packed))).added == tuple(rows)


@given(st.sets(st.integers(0, 3000), max_size=60))
def test_content_is_the_same_read_row_by_row_or_by_groups(numbers: set[int]) -> None:
    """The naive twin hashes every group anew; one row more changes the digest."""
    rows = sorted(row(number) for number in numbers)
    reader = ContentReader()
    for one in rows:
        reader.take(one)
    groups = {bucket_of(one.tag) for one in rows}
    naive = {n: bucket_digest([one for one in rows if bucket_of(one.tag) == n]) for n in groups}
    assert reader.digest() == content_digest(naive)
    naive[4095 - max(groups, default=0)] = sha256(b"one more").digest()
    assert reader.digest() != content_digest(naive)


def test_a_checkpoint_follows_the_one_whose_head_it_holds() -> None:
    """The next, or the very same; a gap is refused without an accusation."""
    first = checkpoint(1)
    second = checkpoint(2, first.head)
    check_follows(first, first)
    check_follows(first, second)
    with pytest.raises(PeerError) as refused:
        check_follows(first, checkpoint(3, second.head))
    assert not isinstance(refused.value, ForkError)


def test_two_checkpoints_of_one_version_are_a_fork() -> None:
    """Any field that differs makes one; so does a successor of another."""
    first = checkpoint(1)
    with pytest.raises(ForkError) as fork:
        check_follows(first, checkpoint(1, rows=1))
    assert (fork.value.known, fork.value.other.rows) == (first, 1)
    with pytest.raises(ForkError):
        check_follows(first, checkpoint(2, checkpoint(1, rows=1).head))


def test_a_checkpoint_is_believed_from_its_registry_only() -> None:
    """Not changed, not from a lender, not from another registry, not outside its dates."""
    good = checkpoint(1)
    authority = AUTHORITY.certificate
    assert read_checkpoint(text_of(good), REGISTRY, authority) == good
    lender = member("L01")
    others = [
        replace(good, rows=5),
        replace(good, certificate=lender.member.certificate, registry="L01").signed(lender.private),
        replace(good, at=0).signed(SIGNER.private),
    ]
    for other in others:
        with pytest.raises(PeerError):
            read_checkpoint(text_of(other), REGISTRY, authority)
    with pytest.raises(PeerError, match="asked"):
        read_checkpoint(text_of(good), "REG2", authority)
