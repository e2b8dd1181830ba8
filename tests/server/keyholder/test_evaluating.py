"""A holder's answers: quotas that last, one charge a request, and one error for every bad point."""

from __future__ import annotations

import logging
import os
import sqlite3
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from server.keyholder import evaluating
from server.keyholder.evaluating import Question, StaleKeysError
from server.keyholder.quotas import MOST_ANSWERS, OtherRequestError, QuotaError
from server.keyholder.service import check_apart
from server.keyholder.store import FILE, Store
from shared.errors import OperatorError, PeerError
from shared.tokens.evaluation import WrongRequestError, blind
from shared.tokens.group import ORDER, InvalidPointError, scalars_of
from shared.tokens.keys import KeySet
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import GROUP, Local, locals_of, relay_between

IDENTITY = bytes(32)
BASE = GROUP.multiply_base(scalars_of([1])).tobytes()
NOT_CANONICAL = (2**255 - 19 + 2).to_bytes(32, "little")
NEGATIVE = bytes([1]) + bytes(31)
OFF = b"\xff" * 32
NOTHING = bytes(32)


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Local]:
    made = locals_of(tmp_path_factory.mktemp("holders"), quotas={"dispute": 64, "rotation": 10**9})
    relay_between(made).generate()
    return made


@pytest.fixture
def one(holders: dict[str, Local]) -> Local:
    """The first holder, with empty accounts."""
    local = holders["K1"]
    with local.holder.store.transaction() as run:
        for table in ("quotas", "requests", "passed"):
            run.execute(f"DELETE FROM {table}")
    local.holder.quotas._told.clear()
    return local


def keys_of(one: Local) -> KeySet:
    return one.holder.shares.answered_for()[0].keys


def question(one: Local, number: int = 0, **changes: object) -> Question:
    blinded = blind(GROUP, keys_of(one), [f"id {number}".encode()], fixed_random(str(number)))
    asked = Question(
        number.to_bytes(16, "big"),
        "dispute",
        f"job {number}",
        keys_of(one).name,
        (1, 2),
        False,
        blinded.points.tobytes(),
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


def used(one: Local, purpose: str = "dispute") -> int:
    return one.holder.quotas.used("L01", purpose)


def ask(one: Local, asked: Question) -> bytes:
    return one.holder.evaluator.answer("L01", asked)[0].points.tobytes()


def test_an_answer_is_charged_at_its_size(one: Local) -> None:
    """One input costs its request's eight points, and the answer is its points times the share."""
    asked = question(one)
    share = one.holder.shares.active(asked.keys)
    assert share is not None
    factor = share.secret * 2  # Lagrange's coefficient of 1 in (1, 2)
    points = np.frombuffer(asked.points, np.uint8).reshape(-1, 32)
    assert ask(one, asked) == GROUP.multiply(points, scalars_of([factor % ORDER])).tobytes()
    assert used(one) == 8


def test_enumeration_stops_at_the_quota_and_is_told(
    one: Local, caplog: pytest.LogCaptureFixture
) -> None:
    """Sequential identifiers are answered up to the quota; the log has one line at 80 % and one at
    100 %, with who, what for and how many, and nothing else.
    """
    answered = 0
    with caplog.at_level(logging.WARNING, "lianfang.keyholder"):
        for number in range(30):
            try:
                ask(one, question(one, number))
                answered += 8
            except QuotaError:
                pass
    assert answered == used(one) == 64
    assert [record.getMessage() for record in caplog.records] == [
        "alert: member L01 has asked for 56 of 64 points for dispute within 24 hours (80 %)",
        "alert: member L01 has asked for 64 of 64 points for dispute within 24 hours (100 %)",
    ]


def test_without_the_quota_enumeration_goes_on(one: Local) -> None:
    """Positive control: for a purpose with no limit to speak of, all are answered."""
    for number in range(30):
        ask(one, question(one, number, purpose="rotation"))
    assert used(one, "rotation") == 240


def test_the_quota_lasts_over_a_restart_and_a_clock_put_back(one: Local) -> None:
    """Used points are on disk, and yesterday does not come back; tomorrow is a new day."""
    for number in range(8):
        ask(one, question(one, number))
    one.restart()
    with pytest.raises(QuotaError):
        ask(one, question(one, 8))
    before = one.clock.now
    try:
        one.clock.now = before - timedelta(days=1)
        with pytest.raises(QuotaError):
            ask(one, question(one, 8))
        one.clock.now = before + timedelta(hours=23)
        with pytest.raises(QuotaError):
            ask(one, question(one, 8))
        one.clock.now = before + timedelta(hours=25)
        ask(one, question(one, 8))
    finally:
        one.clock.now = before
        one.restart()


def test_a_request_is_charged_once(one: Local) -> None:
    """Again with the same points it gets the same points, also by another quorum, for nothing."""
    first = ask(one, question(one))
    one.restart()
    assert ask(one, question(one)) == first
    assert ask(one, question(one, quorum=(1, 3), every=True)) != first
    assert used(one) == 8


@pytest.mark.parametrize("change", ["points", "purpose", "reference"])
def test_a_request_id_stands_for_one_request(one: Local, change: str) -> None:
    """With other points, purpose or reference it is refused, and nothing more is charged."""
    ask(one, question(one))
    other = {"points": question(one, 1).points, "purpose": "rotation", "reference": "job 9"}
    with pytest.raises(OtherRequestError):
        ask(one, question(one, **{change: other[change]}))
    assert used(one) == 8
    assert used(one, "rotation") == 0


def test_a_request_is_not_answered_for_ever(one: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats are free, so they are bounded."""
    monkeypatch.setattr("server.keyholder.quotas.MOST_ANSWERS", 3)
    for _ in range(3):
        ask(one, question(one))
    with pytest.raises(OtherRequestError, match="answered 3 times"):
        ask(one, question(one))
    assert 12 <= MOST_ANSWERS < 20


def test_the_charge_is_on_disk_before_a_point_is_multiplied(
    one: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between charge and answer, the member has paid; asked again it gets its answer and
    pays no more.
    """

    def killed(*arguments: object) -> None:
        seen = sqlite3.connect(one.folder / FILE).execute("SELECT used FROM quotas").fetchall()
        assert seen == [(8,)]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "evaluate", killed)
        with pytest.raises(KeyboardInterrupt):
            ask(one, question(one))
    one.restart()
    assert used(one) == 8
    ask(one, question(one))
    assert used(one) == 8


def test_without_a_durable_charge_nothing_is_answered(
    one: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes no more: the call fails and no point is multiplied."""

    def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("server.keyholder.quotas.Quotas._charge", full)
    monkeypatch.setattr(evaluating, "evaluate", lambda *_: pytest.fail("was multiplied"))
    with pytest.raises(OperatorError, match="disk is full"):
        ask(one, question(one))


@pytest.mark.parametrize(
    "bad", [IDENTITY, NOT_CANONICAL, NEGATIVE, OFF], ids=["identity", "large", "negative", "off"]
)
@pytest.mark.parametrize("place", [0, 7])
def test_bad_points_are_one_error_and_cost_nothing(one: Local, bad: bytes, place: int) -> None:
    """Wherever a bad point is and whatever is wrong with it: the same words, nothing charged."""
    points = bytearray(question(one).points)
    points[32 * place : 32 * place + 32] = bad
    with pytest.raises(InvalidPointError) as caught:
        ask(one, question(one, points=bytes(points)))
    assert str(caught.value) == str(InvalidPointError())
    assert used(one) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 9, 4097, 8192])
def test_a_wrong_number_of_points_is_the_same_error(one: Local, count: int) -> None:
    """Only 8, 64, 512 and 4096 points are looked at."""
    with pytest.raises(InvalidPointError):
        ask(one, question(one, points=BASE * count))
    with pytest.raises(InvalidPointError):
        ask(one, question(one, points=BASE * 8 + b"\0"))


def test_every_point_is_looked_at_whichever_is_bad(
    one: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first point being bad saves no work, so time does not tell which it was."""
    seen: list[int] = []
    real = GROUP._valid

    def counted(address: int) -> int:
        seen.append(address)
        return real(address)

    monkeypatch.setattr(GROUP, "_valid", counted)
    for place, bad in product((0, 7), (NEGATIVE, OFF, NOTHING)):
        seen.clear()
        points = bytearray(question(one).points)
        points[32 * place : 32 * place + 32] = bad
        with pytest.raises(InvalidPointError):
            ask(one, question(one, points=bytes(points)))
        assert len(seen) == 8


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "curiosity"},
        {"purpose": ""},
        {"reference": ""},
        {"reference": "x" * 65},
        {"id": b"short"},
    ],
)
def test_every_evaluation_has_a_purpose_and_a_reference(
    one: Local, change: dict[str, object]
) -> None:
    """A purpose of the list, an application reference of 1 to 64 characters, a whole id."""
    with pytest.raises(PeerError):
        ask(one, question(one, **change))
    assert used(one) == 0


@pytest.mark.parametrize("quorum", [(2, 3), (1,), (1, 2, 3), (1, 1), (0, 1), (1, 9)])
def test_a_quorum_that_cannot_be_is_refused(one: Local, quorum: tuple[int, ...]) -> None:
    """As many different holders as the threshold, this one among them; and nothing is charged."""
    with pytest.raises(WrongRequestError):
        ask(one, question(one, quorum=quorum))
    assert used(one) == 0


def test_an_unknown_key_set_is_stale(one: Local) -> None:
    """So the lender knows that it has to fetch the key sets."""
    with pytest.raises(StaleKeysError):
        ask(one, question(one, keys=bytes(32)))


def test_the_file_holds_no_reference_and_no_share_in_clear(
    one: Local, caplog: pytest.LogCaptureFixture
) -> None:
    """Owner's only, references keyed, shares sealed under the identity key; the log has neither."""
    with caplog.at_level(logging.DEBUG):
        ask(one, question(one, reference="application 4711"))
    share = one.holder.shares.active(keys_of(one).name)
    assert share is not None
    secret = share.secret.to_bytes(32, "little")
    for path in one.folder.glob(f"{FILE}*"):
        content = path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
        assert b"4711" not in content
        assert secret not in content
    assert "4711" not in caplog.text
    assert "L01, dispute, 8 points" in caplog.text


def test_another_identity_key_opens_no_share(one: Local) -> None:
    """A copy of the file alone is useless; with the identity key it opens (control)."""
    name = keys_of(one).name
    sealed = Store(one.folder, bytes(32))
    private = one.holder.actor.identity.private
    right = Store(one.folder, private)
    with one.holder.store.transaction() as run:
        (secret,) = run.execute("SELECT secret FROM shares WHERE name = ?", (name,)).fetchone()
    try:
        with pytest.raises(OperatorError, match="identity key"):
            sealed.unseal(secret, name)
        assert len(right.unseal(secret, name)) == 32
    finally:
        sealed.close()
        right.close()


def test_a_damaged_or_open_file_is_not_served_from(tmp_path: Path) -> None:
    """A flipped page, a text file and a file others can read are named at the start."""
    Store(tmp_path, bytes(32)).close()
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = os.urandom(64)
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="nothing was answered"):
        Store(tmp_path, bytes(32))
    path.write_bytes(b"no database at all" * 300)
    with pytest.raises(OperatorError, match="nothing was answered"):
        Store(tmp_path, bytes(32))
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="chmod 600"):
        Store(tmp_path, bytes(32))


def test_share_and_list_are_kept_apart(tmp_path: Path) -> None:
    """A process or folder that also has the list is refused outside the demo."""
    check_apart(tmp_path, "production", modules=())
    with pytest.raises(OperatorError, match="run key holders and registry apart"):
        check_apart(tmp_path, "production", modules=("server.registry",))
    (tmp_path / "registry.sqlite").touch()
    check_apart(tmp_path, "demo", modules=("server.registry",))
    with pytest.raises(OperatorError, match="run key holders and registry apart"):
        check_apart(tmp_path, "production", modules=())
