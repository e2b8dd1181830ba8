"""Ceremonies between holders with files: interrupted, repeated, renewed, rotated, spoilt."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from server.keyholder.shares import Shares
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens import epochs
from shared.tokens.ceremony_statements import MOST_NUMBER, Dealing, signed
from shared.wire import keyholder_pb2 as wire
from tests.dealt_keys import combine
from tests.server.keyholder.key_holders import Local, locals_of, relay_between

STEPS = ("open", "deal", "confirm", "activate")


def secrets_at(holders: dict[str, Local], name: bytes) -> dict[int, int]:
    shares = [one.holder.shares.active(name) for one in holders.values()]
    return {share.index: share.secret for share in shares if share is not None}


class Interrupted:
    """Passes steps on until one, which it loses before or after the holder has taken it."""

    def __init__(self, local: Local, move: str, *, after: bool) -> None:
        self.local, self.move, self.after = local, move, after

    def describe(self) -> wire.Description:
        return self.local.describe()

    def step(self, move: str, statements: list[bytes]) -> wire.StepReply:
        if move == self.move:
            if self.after:
                self.local.step(move, statements)
            raise PeerError("it does not answer")
        return self.local.step(move, statements)


def test_three_of_five_make_a_key_and_it_survives_restarts(tmp_path: Path) -> None:
    """After a restart of every holder any three shares are of one key, as before."""
    holders = locals_of(tmp_path, 3, 5)
    made = relay_between(holders, 3).generate()
    for one in holders.values():
        one.restart()
    found = secrets_at(holders, made.keys.name)
    keys = {combine({i: found[i] for i in q}) for q in itertools.combinations(found, 3)}
    assert len(found) == 5
    assert len(keys) == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("move", STEPS)
def test_an_interrupted_ceremony_is_given_again(tmp_path: Path, move: str, after: bool) -> None:
    """Whatever step is lost at the second of three, with all of them restarted: until then nobody
    has a key in use that not all confirmed, and the same command ends in one key at all.
    """
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    broken = {**holders, "K2": Interrupted(holders["K2"], move, after=after)}
    with pytest.raises(PeerError, match=f"stopped at K2, step {move}"):
        replace(relay, holders=broken).generate()
    if move != "activate":
        assert all(not one.holder.shares.answered_for() for one in holders.values())
    for one in holders.values():
        one.restart()
    made = relay.generate()
    found = secrets_at(holders, made.keys.name)
    assert len({combine({i: found[i] for i in q}) for q in itertools.combinations(found, 2)}) == 1
    assert all(len(one.holder.shares.answered_for()) == 1 for one in holders.values())


@pytest.mark.parametrize("move", STEPS)
def test_an_interrupted_renewal_leaves_the_key_in_use(tmp_path: Path, move: str) -> None:
    """The old shares answer until the new ones are in use everywhere or nowhere at a holder."""
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    first = relay.generate()
    broken = {**holders, "K2": Interrupted(holders["K2"], move, after=True)}
    with pytest.raises(PeerError, match="stopped at K2"):
        replace(relay, holders=broken).refresh()
    for one in holders.values():
        one.restart()
    second = relay.refresh()
    assert second.keys.public == first.keys.public
    assert second.keys.generation > first.keys.generation
    assert len(secrets_at(holders, second.keys.name)) == 3
    assert not secrets_at(holders, first.keys.name)


def test_a_renewal_wipes_what_a_thief_would_need(tmp_path: Path) -> None:
    """No holder's file has a share of the generation before, and generations do not mix."""
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    first = relay.generate()
    old = secrets_at(holders, first.keys.name)
    second = relay.refresh()
    new = secrets_at(holders, second.keys.name)
    key = combine({i: old[i] for i in (1, 2)})
    assert combine({i: new[i] for i in (1, 3)}) == key
    assert combine({1: old[1], 2: new[2]}) != key
    for one in holders.values():
        with one.holder.store.transaction() as run:
            rows = run.execute("SELECT state, secret IS NULL FROM shares ORDER BY generation")
            assert rows.fetchall() == [("wiped", 1), ("active", 0)]
            assert run.execute("SELECT seed FROM ceremony").fetchall() == [(None,)]


def test_both_epochs_answer_until_the_old_one_is_retired(tmp_path: Path) -> None:
    """A rotation adds a key; the old share goes only after the grace window, and then for good."""
    holders = locals_of(tmp_path)
    relay, one = relay_between(holders), holders["K1"]
    first = relay.generate()
    second = relay.rotate()
    assert second.keys.epoch == first.keys.epoch + 1
    assert second.keys.public != first.keys.public
    assert [s.keys.epoch for s in one.holder.shares.answered_for()] == [1, 2]
    with pytest.raises(OperatorError, match="epoch 1 is not retired"):
        one.holder.retire(1, one.clock)
    one.clock.now += timedelta(days=31)
    with pytest.raises(OperatorError, match="epoch 2 is not retired"):
        one.holder.retire(2, one.clock)
    one.holder.retire(1, one.clock)
    assert one.holder.shares.active(first.keys.name) is None
    assert one.holder.shares.active(second.keys.name) is not None


def test_commands_out_of_order_are_refused(tmp_path: Path) -> None:
    """No second first key, and nothing to renew or rotate before the first."""
    relay = relay_between(locals_of(tmp_path))
    for move in (relay.refresh, relay.rotate):
        with pytest.raises(OperatorError, match="generate one first"):
            move()
    relay.generate()
    with pytest.raises(OperatorError, match="in use already"):
        relay.generate()


def test_a_cheating_holder_is_named_to_all_and_the_next_ceremony_works(tmp_path: Path) -> None:
    """Its wrong dealing ends the ceremony at every holder with nobody's key; a new one is begun."""
    holders = locals_of(tmp_path)
    relay, cheat = relay_between(holders), holders["K2"]

    class Cheating(Interrupted):
        def step(self, move: str, statements: list[bytes]) -> wire.StepReply:
            reply = self.local.step(move, statements)
            if move == "deal":
                said = read_text(Dealing, reply.statement)
                wrong = replace(said, boxes=tuple(bytes(len(box)) for box in said.boxes))
                private = self.local.holder.actor.identity.private
                reply.statement = text_of(signed(private, wrong))
            return reply

    broken = {**holders, "K2": Cheating(cheat, "", after=False)}
    with pytest.raises(PeerError, match="K1 shows that K2 is wrong: its box does not open"):
        replace(relay, holders=broken).generate()
    for code, one in holders.items():
        assert one.step("status", []).state == "ended", code
        assert not one.holder.shares.answered_for()
    assert relay.generate().keys.epoch == 1


def test_a_holder_takes_no_share_from_other_terms(tmp_path: Path) -> None:
    """A relay with another threshold is refused by the first holder it asks."""
    holders = locals_of(tmp_path)
    with pytest.raises(PeerError, match="other terms"):
        relay_between(holders, 3).generate()


def test_a_number_once_signed_is_never_used_for_another_key(tmp_path: Path) -> None:
    """A holder that lost its ceremony does not make the others sign the epoch twice."""
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    broken = {**holders, "K3": Interrupted(holders["K3"], "confirm", after=False)}
    with pytest.raises(PeerError):
        replace(relay, holders=broken).generate()
    with holders["K3"].holder.store.transaction() as run:
        run.execute("DELETE FROM ceremony")
    assert relay.generate().keys.epoch == 2


@pytest.mark.parametrize("what", ["epoch", "generation"])
def test_a_relay_cannot_use_up_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """No holder opens a ceremony far after its last, and the next one is made as before; without
    the limit all sign the last number there is, and no rotation or renewal follows (control).
    """
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    keys = relay.generate().keys
    last = relay._opening(MOST_NUMBER, 1, b"")
    if what == "generation":
        last = relay._opening(1, MOST_NUMBER, keys.name)
    move = relay.rotate if what == "epoch" else relay.refresh
    for one in holders.values():
        with pytest.raises(PeerError, match="more than 100 after the last one here, 1"):
            one.step("open", [text_of(last)])
    made = move().keys
    assert (made.epoch, made.generation) == ((2, 1) if what == "epoch" else (1, 2))
    monkeypatch.setattr(epochs, "MOST_AHEAD", MOST_NUMBER)
    relay._carry([replace(last, renews=made.name if what == "generation" else b"")])
    with pytest.raises(PeerError, match="numbers that cannot be"):
        move()


def withheld(holders: dict[str, Local], numbers: list[int]) -> None:
    """Ceremonies that K1 and K2 sign and a relay never lets K3 confirm; K3's are then replaced."""
    deaf = {**holders, "K3": Interrupted(holders["K3"], "confirm", after=False)}
    relay = replace(relay_between(holders), holders=deaf)
    for number in numbers:
        with pytest.raises(PeerError, match="stopped at K3, step confirm"):
            relay._carry([relay._opening(number, 1, b"")])
    holders["K3"].step("open", [text_of(relay._opening(3, 1, b""))])


def test_a_relay_cannot_leave_a_holder_behind_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder follows what it dealt for and others signed, also after a restart; if its limit
    counted from what it signed alone, no number would suit all of them (control).
    """
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    relay.generate()
    withheld(holders, [101, 201])
    holders["K3"].restart()
    with monkeypatch.context() as patch:
        patch.setattr(Shares, "dealt", lambda self: {})
        with pytest.raises(PeerError, match="stopped at K"):
            relay.rotate()
    assert relay.rotate().keys.epoch == 202


def test_a_file_from_before_what_was_dealt_is_taken_over(tmp_path: Path) -> None:
    """Its shares stay, and the next ceremony is made."""
    holders = locals_of(tmp_path)
    made = relay_between(holders).generate()
    for one in holders.values():
        with one.holder.store.transaction() as run:
            run.execute("DROP TABLE dealt")
            run.execute("PRAGMA user_version = 2")
        one.restart()
    assert len(secrets_at(holders, made.keys.name)) == 3
    assert relay_between(holders).rotate().keys.epoch == 2


class Deaf(Interrupted):
    """A holder as a dishonest relay shows it: it is never told that the key set is in use."""

    def step(self, move: str, statements: list[bytes]) -> wire.StepReply:
        if move == "activate":
            return wire.StepReply(state="active")
        return self.local.step(move, statements)


class Lying(Interrupted):
    """A holder that answers `status` with what it likes."""

    def __init__(self, local: Local, said: wire.StepReply) -> None:
        super().__init__(local, "", after=False)
        self.said = said

    def step(self, move: str, statements: list[bytes]) -> wire.StepReply:
        return self.said if move == "status" else self.local.step(move, statements)


def partly_in_use(holders: dict[str, Local]) -> None:
    """A renewal that a relay tells K1 of only, so that no quorum has one generation."""
    deaf = {code: Deaf(one, "", after=False) for code, one in holders.items() if code != "K1"}
    replace(relay_between(holders), holders={"K1": holders["K1"], **deaf}).refresh()
    assert [one.holder.shares.answered_for()[0].keys.generation for one in holders.values()] == [
        2,
        1,
        1,
    ]


@pytest.mark.parametrize("move", ["refresh", "rotate", "generate"])
def test_holders_that_were_left_behind_are_told_first(tmp_path: Path, move: str) -> None:
    """Also when the holder that is ahead hides its ceremony: the key set it shows is signed by all,
    so the next command of an honest operator brings it to the others.
    """
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    relay.generate()
    partly_in_use(holders)
    hiding = Lying(holders["K1"], wire.StepReply(state="none", signed={1: 2}))
    honest = replace(relay, holders={**holders, "K1": hiding})
    if move == "generate":
        with pytest.raises(OperatorError, match="in use already"):
            honest.generate()
        assert len(secrets_at(holders, relay._caught_up()[1].keys.name)) == 3
    else:
        made = getattr(honest, move)()
        assert len(secrets_at(holders, made.keys.name)) == 3
    generations = {one.holder.shares.answered_for()[0].keys.generation for one in holders.values()}
    assert len(generations) == 1


def test_a_key_set_signed_by_all_is_taken_from_anybody(tmp_path: Path) -> None:
    """Brought by whoever has it, a holder left behind takes it, and again changes nothing; one
    signature short it does not.
    """
    holders = locals_of(tmp_path)
    relay_between(holders).generate()
    partly_in_use(holders)
    (signed_keys,) = holders["K1"].holder.shares.answered_for()
    short = replace(signed_keys, signatures=(*signed_keys.signatures[:2], bytes(64)))
    with pytest.raises(PeerError):
        holders["K2"].step("activate", [text_of(short)])
    for _ in range(2):
        assert holders["K2"].step("activate", [text_of(signed_keys)]).state == "active"
    assert holders["K2"].holder.shares.answered_for()[0].keys.generation == 2


@pytest.mark.parametrize(
    "said",
    [
        wire.StepReply(state="confirmed", opening=b"\xff no opening", signed={1: 1}),
        wire.StepReply(state="active", opening=b"", signed={}),
        wire.StepReply(state="none", signed={2**32 - 1: 2**32 - 1, 1: 2**32 - 1}),
    ],
    ids=["garbage", "nothing", "far-ahead"],
)
@pytest.mark.parametrize("move", ["refresh", "rotate"])
def test_one_lying_status_stops_nobody(
    tmp_path: Path, move: str, said: wire.StepReply, caplog: pytest.LogCaptureFixture
) -> None:
    """What it says of itself is ignored by name, and the ceremony is made with sensible numbers."""
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    relay.generate()
    made = getattr(replace(relay, holders={**holders, "K1": Lying(holders["K1"], said)}), move)()
    assert (made.keys.epoch, made.keys.generation) == ((1, 2) if move == "refresh" else (2, 1))
    assert "K1" in caplog.text


def test_a_key_set_that_is_none_is_ignored_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One holder that shows garbage as its key set does not stop a renewal."""
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    relay.generate()

    class Garbled(Interrupted):
        def describe(self) -> wire.Description:
            return wire.Description(holder="K1", keys=[b"{}", b"\xff"])

    broken = {**holders, "K1": Garbled(holders["K1"], "", after=False)}
    assert replace(relay, holders=broken).refresh().keys.generation == 2
    assert "K1 shows a key set that is none" in caplog.text


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Local:
    return locals_of(tmp_path_factory.mktemp("garbage"), 2, 2)["K1"]


@pytest.mark.parametrize("move", ["open", "deal", "confirm", "activate", "complain", "nonsense"])
@pytest.mark.parametrize("statements", [[], [b""], [b"{}", b"{}"], [b"\xff" * 9]])
def test_garbage_is_the_senders_fault(one: Local, move: str, statements: list[bytes]) -> None:
    """Steps with what is no statement raise PeerError and begin nothing."""
    with pytest.raises(PeerError):
        one.step(move, statements)
    assert one.step("status", []).state == "none"
