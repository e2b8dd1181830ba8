"""The naive twin of the exchange: what plain identifiers say about applicants."""

from server.simulation.identities import Applicant
from server.simulation.naive_list import Expected, Listed, expected


def person(name: str, **other: str) -> Applicant:
    texts = {kind: f"{kind}-{name}" for kind in ("resident_id", "phone", "device", "bank_card")}
    return Applicant(0, texts | other)


THIEF = person("thief")


def told(applicant: Applicant, *listed: Listed) -> Expected | None:
    return expected("L01", [applicant], listed).get(0)


def test_strength_counts_the_kinds_that_stay_with_a_person():
    listed = Listed("L02", THIEF, "fraud_confirmed")
    card = person("x", bank_card=THIEF.texts["bank_card"], device=THIEF.texts["device"])
    phone = person("y", phone=THIEF.texts["phone"])
    assert told(THIEF, listed) == Expected("fraud_confirmed", "strong", False, own=False)
    assert told(card, listed) == Expected("fraud_confirmed", "single", False, own=False)
    assert told(phone, listed) == Expected("fraud_confirmed", "weak", False, own=False)
    assert told(person("z"), listed) is None


def test_the_worst_class_is_told_with_its_own_strength_and_dispute():
    suspected = Listed("L02", THIEF, "fraud_suspected", disputed=True)
    confirmed = Listed("L03", person("w", device=THIEF.texts["device"]), "fraud_confirmed")
    assert told(THIEF, suspected, confirmed) == Expected(
        "fraud_confirmed", "weak", False, own=False
    )


def test_what_was_withdrawn_is_not_told_and_own_filings_are_known():
    assert told(THIEF, Listed("L01", THIEF, "mule_account", withdrawn=True)) is None
    own = told(THIEF, Listed("L01", THIEF, "mule_account"), Listed("L02", THIEF, "mule_account"))
    assert own is not None
    assert own.own
