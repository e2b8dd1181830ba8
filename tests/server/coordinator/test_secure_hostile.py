"""A lender that lies in a secure run is left out with the reason, and no total is ever wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict
from tampered_grid import Change, changed

from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.faults import Faults, parse_fault
from shared.secure_sum.statements import Refusal
from shared.training.run import Run
from shared.wire.messages import Refused, Reply
from tests.federation import Consortium, founded_in

HASTY = Policy(minimum=3, patience=2.0, deadline=30.0)


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("hostile") / "run")


@pytest.fixture(scope="module")
def totals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    """Of plain runs: nothing happens ("all"), or L04's answer to trees/0 is lost ("less")."""
    plain = founded_in(tmp_path_factory.mktemp("plain") / "run", sums="plain")
    plain.conducted()
    everybody = _released(plain)[0]
    plain.conducted(faults=Faults((parse_fault("drop L04 trees/0"),)))
    return {"all": everybody, "less": _released(plain)[0]}


def _released(consortium: Consortium) -> tuple[dict[str, np.ndarray], dict[str, StageRecord]]:
    found, records = Checkpoints(consortium.folder / "stages").replay(Run(consortium.agreement))
    names = [record.stage for record in records]
    return dict(zip(names, found, strict=True)), dict(zip(names, records, strict=True))


def _at(stage: str, change: Change) -> Change:
    return lambda label, reply: change(label, reply) if label == stage else reply


def _garbage(label: str, reply: Reply) -> RecordDict:
    return RecordDict({"reply": ConfigRecord({"kind": "masked", "member": "L04"})})


MASKED: dict[str, tuple[Change, str]] = {
    "other numbers than it signed": (
        lambda label, reply: replace(reply, values=reply.values + np.uint32(1)),
        "a signature does not fit",
    ),
    "a signature of nothing": (
        lambda label, reply: replace(reply, signature=bytes(64)),
        "a signature does not fit",
    ),
    "too few numbers": (
        lambda label, reply: replace(reply, values=reply.values[:-1]),
        "another length",
    ),
    "another round": (lambda label, reply: replace(reply, round=bytes(32)), "another round"),
    "in another's name": (
        lambda label, reply: replace(reply, member="L01"),
        "answers under another code than before",
    ),
    "garbage": (_garbage, "other parts than"),
    "a refusal without a statement": (
        lambda label, reply: Refused("L04", "operator"),
        "refused (operator error; see the lender's own log)",
    ),
    "a refusal in another's name": (
        lambda label, reply: Refused("L04", "peer", Refusal("L01", bytes(32), "slot", "", "")),
        "refused in another lender's name",
    ),
    "a refusal of something else": (
        lambda label, reply: Refused("L04", "peer", Refusal("L04", bytes(32), "slot", "", "")),
        "refused something it was not asked",
    ),
}


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_input_that_does_not_fit_is_left_out_with_its_reason(
    name: str, consortium: Consortium, totals: dict[str, dict[str, np.ndarray]]
):
    change, reason = MASKED[name]
    consortium.conducted(wrapped=changed("L04", _at("trees/0", change)))
    found, records = _released(consortium)
    assert len(records["trees/0"].missing) == 1
    assert records["trees/0"].missing[0].startswith("L04: ")
    assert reason in records["trees/0"].missing[0]
    for stage, total in totals["less"].items():
        np.testing.assert_array_equal(found[stage], total)


ANSWERS: dict[str, Change] = {
    "wrong shares": lambda label, reply: replace(reply, shares=reply.shares[::-1]),
    "too few shares": lambda label, reply: replace(reply, shares=reply.shares[:-1]),
    "a signature of nothing": lambda label, reply: replace(reply, signature=bytes(64)),
    "another round": lambda label, reply: replace(reply, round=bytes(32)),
    "garbage": _garbage,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_does_not_fit_is_made_up_for_by_the_others(
    name: str, consortium: Consortium, totals: dict[str, dict[str, np.ndarray]]
):
    """The lender's numbers stay in the sum: they were masked rightly."""
    consortium.conducted(wrapped=changed("L04", _at("trees/0/unmask", ANSWERS[name])))
    found, _ = _released(consortium)
    for stage, total in totals["all"].items():
        np.testing.assert_array_equal(found[stage], total)


def test_where_no_answer_can_be_spared_a_wrong_one_voids_the_stage(consortium: Consortium):
    lost = Faults((parse_fault("drop L02 trees/0/unmask"),))
    wrong = changed("L04", _at("trees/0/unmask", ANSWERS["wrong shares"]))
    with pytest.raises(VoidStageError) as caught:
        consortium.conducted(faults=lost, wrapped=wrong, policy=HASTY)
    assert "stage trees/0, unmasking: the shares of " in caught.value.what
    assert "do not open what was committed to" in caught.value.what
    assert "L02: unavailable" in caught.value.what
    consortium.conducted(resume=True)  # both mend their ways


SET_UP: dict[str, tuple[str, Change, str]] = {
    "keys of another set-up": (
        "keys",
        lambda label, reply: replace(reply, opened=bytes(32)),
        "not this set-up's",
    ),
    "keys without a signature": (
        "keys",
        lambda label, reply: replace(reply, signature=bytes(64)),
        "a signature does not fit",
    ),
    "keys in another's name": (
        "keys",
        lambda label, reply: replace(reply, member="L01"),
        "a lender as L01: ",
    ),
    "boxes of another size": (
        "shares",
        lambda label, reply: replace(
            reply, boxes=tuple((code, box[:-1]) for code, box in reply.boxes)
        ),
        "boxes of another size",
    ),
    "boxes for too few": (
        "shares",
        lambda label, reply: replace(reply, boxes=reply.boxes[:-1]),
        "shares for other members",
    ),
    "ready without a signature": (
        "ready",
        lambda label, reply: replace(reply, signature=bytes(64)),
        "a signature does not fit",
    ),
    "garbage": ("shares", _garbage, "other parts than"),
}


@pytest.mark.parametrize("name", SET_UP)
def test_a_lender_that_lies_in_a_set_up_is_not_in_it(name: str, consortium: Consortium):
    phase, change, reason = SET_UP[name]
    consortium.conducted(wrapped=changed("L04", _at(f"set-up/{phase}", change)))
    records = _released(consortium)[1]
    others = ("L01", "L02", "L03", "L05")
    assert {one.members for one in records.values() if one.stage != "close"} == {others}
    assert len(records["census"].missing) == 1
    assert reason in records["census"].missing[0]


def test_a_box_that_does_not_open_is_refused_with_evidence(consortium: Consortium):
    """Its receiver says whose it was; both are left out, and the others start over: nobody can keep
    honest lenders out one by one.
    """

    def spoilt(label: str, reply: Reply) -> Reply:
        boxes = tuple(
            (code, bytes(len(box)) if code == "L02" else box) for code, box in reply.boxes
        )
        return replace(reply, boxes=boxes)

    consortium.conducted(wrapped=changed("L04", _at("set-up/shares", spoilt)))
    records = _released(consortium)[1]
    why = "L02: refused (box): a box of shares does not open (came L04)"
    blamed = "L04: what it dealt to another lender does not open, says that lender"
    assert records["census"].missing == (why, blamed)
    (path, *_) = sorted((consortium.folder / "refusals").iterdir())
    assert path.name == "001-L02-box.json"
    evidence = json.loads(path.read_text(encoding="utf-8"))
    assert evidence["checked"] is True
    assert '"member":"L02"' in evidence["refusal"]
    assert '"":"Delivery"' in evidence["asked"]
    assert evidence["certificate"]
