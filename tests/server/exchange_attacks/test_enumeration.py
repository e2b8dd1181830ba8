"""One member asks for 100,000 sequential identifiers: the quota, the alert, what is kept of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from server.keyholder.quotas import Asked, QuotaError
from server.keyholder.settings import PURPOSES, settings_of
from shared.tokens.evaluation import MOST_INPUTS, blind
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import Local, locals_of, relay_between
from tests.server.keyholder.test_evaluating import ask, keys_of, question

SEQUENTIAL = 100_000


@pytest.fixture
def holder(tmp_path: Path) -> Local:
    """One of three, with the quotas that holders have by default."""
    holders = locals_of(tmp_path)
    relay_between(holders).generate()
    return holders["K1"]


def enumerate_block(holder: Local, purpose: str, batches: int) -> tuple[int, int]:
    """Sequential phones in requests of the largest size; how many were answered, how many refused.

    Requests beyond the first have its points: a holder cannot tell, and blinding more would only
    cost this test time.
    """
    phones = [b"Ring watch|v1|phone|138%08d" % number for number in range(MOST_INPUTS)]
    points = blind(holder.holder.evaluator.group, keys_of(holder), phones, fixed_random("x")).points
    answered = refused = 0
    for number in range(batches):
        asked = question(
            holder, number, purpose=purpose, points=points.tobytes(), reference=f"batch {number}"
        )
        try:
            ask(holder, asked)
        except QuotaError:
            refused += 1
        else:
            answered += 1
    return answered, refused


def test_the_default_quota_stops_it_within_the_first_half(
    holder: Local, caplog: pytest.LogCaptureFixture
) -> None:
    """25 requests for 100,000 identifiers: five are answered, 20,475 identifiers; then no more that
    day. The log says who, for what and how many at 80 and 100 % as it happens, by level WARNING.
    """
    limit = settings_of({"keyholder": terms()}).quotas["portfolio"]
    with caplog.at_level(logging.WARNING, "lianfang.keyholder"):
        answered, refused = enumerate_block(holder, "portfolio", -(-SEQUENTIAL // MOST_INPUTS))
    assert (answered, refused) == (limit // 4096, 25 - limit // 4096)
    assert answered * MOST_INPUTS < SEQUENTIAL / 2
    alerts = [record.getMessage() for record in caplog.records]
    assert [alert.rpartition("(")[2] for alert in alerts] == ["80 %)", "100 %)"]
    assert all("member L01" in alert and "portfolio" in alert for alert in alerts)


def terms() -> dict[str, object]:
    return {"context": "Ring watch", "holders": ["K1", "K2", "K3"], "threshold": 2}


@pytest.mark.parametrize(("threshold", "count"), [(2, 3), (3, 5)])
def test_all_holders_and_purposes_together_stay_below_a_block(
    tmp_path: Path, threshold: int, count: int
) -> None:
    """Whoever uses every purpose, takes turns over all quorums and comes again after midnight gets
    less than 100,000 points within 24 hours; with the purposes' quotas apart it would be more than
    with their total.
    """
    holders = locals_of(tmp_path, threshold, count)
    got = enumerate_everywhere(holders, threshold)
    assert got <= 49_152 * count / threshold < SEQUENTIAL
    assert got > SEQUENTIAL / 2  # the quorums were used up, or nearly
    for one in holders.values():
        one.clock.now += timedelta(hours=23) / count  # they have one clock
    assert enumerate_everywhere(holders, threshold) == 0


def enumerate_everywhere(holders: dict[str, Local], threshold: int) -> int:
    """Points a member gets who asks for each purpose until no quorum answers. Requests are charged
    as they would be, and not multiplied.
    """
    got = number = 0
    for purpose in PURPOSES:
        for size in (4096, 512, 64, 8):
            while quorum := with_quota(holders, purpose, size, threshold):
                number += 1
                for code in quorum:
                    holders[code].holder.quotas.reserve(asked(purpose, size, number))
                got += size
    return got


def with_quota(
    holders: dict[str, Local], purpose: str, size: int, threshold: int
) -> list[str] | None:
    """The holders of a quorum that would answer, those first that have most left."""
    left = []
    for code, one in holders.items():
        quotas = one.holder.quotas
        used = {name: quotas.used("L01", name) for name in PURPOSES}
        settings = one.holder.settings
        spare = min(
            settings.quota("L01", purpose) - used[purpose],
            settings.total("L01") - sum(used.values()),
        )
        if spare >= size:
            left.append((spare, code))
    return [code for _, code in sorted(left)[-threshold:]] if len(left) >= threshold else None


def asked(purpose: str, size: int, number: int) -> Asked:
    return Asked("L01", number.to_bytes(16, "big"), bytes(32), purpose, "x", size)


def test_every_evaluation_is_tied_to_purpose_and_reference(holder: Local) -> None:
    """What was answered is on the disk with member, purpose, day and count, and with the reference
    as a keyed digest: the holder can check a reference that a lender names, nobody else can.
    """
    enumerate_block(holder, "dispute", 1)  # over the quota: leaves nothing
    for number in range(3):
        ask(holder, question(holder, number, reference=f"application {number}"))
    with holder.holder.store.transaction() as run:
        kept = run.execute(
            "SELECT member, purpose, day, points, reference FROM requests"
        ).fetchall()
    today = holder.clock().date().isoformat()
    assert [row[:4] for row in kept] == [("L01", "dispute", today, 8)] * 3
    hashed = holder.holder.store.hashed
    assert {row[4] for row in kept} == {hashed(f"application {number}") for number in range(3)}
    assert hashed("application 3") not in {row[4] for row in kept}


def test_without_a_quota_it_goes_on(tmp_path: Path) -> None:
    """Positive control: with a limit above the block the request after the fifth is answered."""
    holders = locals_of(tmp_path, quotas={"portfolio": 10**9})
    relay_between(holders).generate()
    one = holders["K1"]
    one.holder.quotas.reserve(asked("portfolio", 5 * 4096, 10**9))
    assert enumerate_block(one, "portfolio", 1) == (1, 0)


def test_the_next_day_it_goes_on_as_slowly(holder: Local) -> None:
    """Quotas are a rate, as tokens.md says: a patient member enumerates, a tenth of a block of ten
    million in about a month.
    """
    holder.holder.quotas.reserve(asked("dispute", 1024, 10**9))
    with pytest.raises(QuotaError):
        ask(holder, question(holder))
    holder.clock.now += timedelta(hours=25)
    ask(holder, question(holder))
