"""Without its vault or outbox a lender in secure sums says so, and uses no slot twice."""

from __future__ import annotations

import shutil

import pytest

from client.outbox_table import read_outbox
from shared.errors import OperatorError
from shared.secure_sum.statements import MaskedInput
from shared.wire.messages import Refused, Sum
from tests.client.sealed.sealed_replies import reason_of
from tests.client.sealed_consortium import SealedConsortium


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("lost", ["removed", "damaged"])
def test_without_its_vault_a_lender_says_that_it_has_no_keys(
    consortium: SealedConsortium, lost: str, restarted: bool
) -> None:
    """To a roll, a round and survivors alike, with one reason of its own."""
    vault = consortium.folders["L01"] / "own" / "vault" / "set-up.bin"

    def lose() -> None:
        if lost == "removed":
            vault.unlink()
        else:
            vault.write_bytes(vault.read_bytes()[:-1])
        if restarted:
            consortium.restart("L01")

    set_up = consortium.make_set_up()
    closed = consortium.collected()
    kept = vault.read_bytes()
    lose()
    assert reason_of(consortium.asked("L01", closed.survivors)) == "no-keys"
    vault.touch(mode=0o600)
    vault.write_bytes(kept)
    consortium.restart("L01")
    consortium.total(closed)  # positive control: with its keys it answers
    lose()
    assert reason_of(consortium.asked("L01", consortium.ask(consortium.opened()))) == "no-keys"
    consortium.restart("L01")
    assert reason_of(consortium.asked("L01", set_up.roll)) == "no-keys"
    last = read_outbox(consortium.folders["L01"]).entries[-1].record
    assert last.purpose.startswith("refused: this lender has no keys any more")


def test_without_its_vault_a_lender_cannot_check_the_closing_question(
    consortium: SealedConsortium,
) -> None:
    """Whose signatures the proof holds was in the vault: no result is written."""
    consortium.make_set_up()
    while consortium.run.question().length:
        consortium.stage()
    shutil.rmtree(consortium.folders["L01"] / "own" / "vault")
    consortium.restart("L01")
    assert reason_of(consortium.asked("L01", consortium.ask(None))) == "no-keys"
    assert not (consortium.folders["L01"] / "own" / "result.json").exists()
    assert isinstance(consortium.asked("L02", consortium.ask(None)), Sum)


@pytest.mark.parametrize("lost", ["older", "removed"])
def test_an_older_or_a_missing_outbox_stops_the_lender(
    consortium: SealedConsortium, lost: str
) -> None:
    """Slots whose use is no longer known are not used, and the vault stays as it was; without it,
    as the remedy says, the lender has forgotten and takes part with new keys.
    """
    journal = consortium.folders["L01"] / "own" / "outbox.jsonl"
    before = journal.read_bytes()
    consortium.make_set_up()
    opened = consortium.opened()
    assert isinstance(consortium.asked("L01", consortium.ask(opened)), MaskedInput)
    vault = consortium.folders["L01"] / "own" / "vault"
    kept = (vault / "set-up.bin").read_bytes()
    if lost == "older":
        journal.write_bytes(before)
    else:
        consortium.lenders["L01"].close()
        journal.unlink()
    with pytest.raises(OperatorError, match="missing, or older than the vault") as caught:
        consortium.restart("L01")
    assert str(journal) in str(caught.value)
    assert str(vault) in caught.value.remedy
    assert (vault / "set-up.bin").read_bytes() == kept
    shutil.rmtree(vault)
    consortium.restart("L01")
    reply = consortium.asked("L01", consortium.ask(consortium.opened(0, stage="census")))
    assert isinstance(reply, Refused)
    consortium.make_set_up()
    consortium.to_the_end()
