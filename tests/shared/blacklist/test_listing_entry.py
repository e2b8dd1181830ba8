"""Entries are refused by construction unless they pass the listing test."""

from base64 import b64encode
from dataclasses import is_dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import pytest

from shared.blacklist.approval import filing_digest
from shared.blacklist.entry import Evidence, ListingEntry, Notice, SubjectRole, SubjectToken
from shared.blacklist.events import Decided, File, read_event, stripped, transcript
from shared.blacklist.reasons import (
    JUDGED,
    PAYMENT_RECORDS,
    REASONS,
    Confidence,
    EvidenceKind,
    ListClass,
    ReasonCode,
    check_reason,
)
from shared.blacklist.record import Record, mark_of, read_record, record_of
from shared.blacklist.retention import expires_at, is_strong, token_expires_at, years_after
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.tags import RECORD_BYTES
from tests.blacklist_members import TODAY, Lender, hashed, token

LENDER = Lender.of("L01")
CODES = {"contributor"}
FREE = {str, float, dict, list, object, Any}


def leaf_types(kind: Any) -> set[tuple[str, Any]]:
    """Field names and types at the leaves of a statement."""
    found: set[tuple[str, Any]] = set()
    for name, hint in get_type_hints(kind).items():
        for part in [hint, *get_args(hint)]:
            if is_dataclass(part):
                found |= leaf_types(part)
            elif isinstance(part, type):
                found.add((name, part))
    return found


def test_no_field_can_hold_free_text_or_an_amount() -> None:
    """Every leaf is an enumerated code, a date, checked bytes, a small integer, a member's code or
    the kind of an identifier.
    """
    allowed = {date, bytes, int, type(None), tuple}
    for name, part in leaf_types(ListingEntry):
        is_code = name in ("contributor", "id_kind") and part is str
        assert part in allowed or is_code or issubclass(part, StrEnum), (name, part)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contributor", "Zhang San, Beijing"),
        ("entry_id", b"1101051949123100"),
        ("maker", b"13800138000".ljust(32, b"\0")),
        ("maker", "张三".encode().ljust(32, b" ")),
        ("maker", bytes(32)),
        ("severity", 4),
        ("severity", True),
        ("severity", 12345.67),
        ("reason_code", "F101"),
        ("amount_band", "12345"),
        ("listed_at", "2031-05-06"),
        ("legal_basis", "because"),
        ("tokens", ()),
        ("evidence", ()),
        ("ring_id", b"short"),
        ("schema_version", 2),
    ],
)
def test_a_field_refuses_what_it_is_not_for(name: str, value: object) -> None:
    """And the refusal does not quote the value."""
    with pytest.raises(PeerError) as refused:
        LENDER.entry(**{name: value})
    assert "13800138000" not in str(refused.value)


def test_a_raw_identifier_is_no_token() -> None:
    """A number padded to 32 bytes is refused; its hash is accepted (control)."""
    with pytest.raises(PeerError, match="looks like a number"):
        SubjectToken("phone", b"13800138000".rjust(32, b"\xa7"), 1, SubjectRole.SUBJECT)
    SubjectToken("phone", hashed("13800138000"), 1, SubjectRole.SUBJECT)


@pytest.mark.parametrize("kind", sorted(PAYMENT_RECORDS))
def test_being_overdue_alone_is_never_listable(kind: EvidenceKind) -> None:
    """Whatever the code; with a piece of another kind it is."""
    evidence = (Evidence(kind, hashed("a")), Evidence(kind, hashed("b")))
    with pytest.raises(PeerError, match="overdue alone"):
        LENDER.entry(evidence=evidence)
    LENDER.entry(evidence=(*evidence, Evidence(EvidenceKind.FORGED_DOCUMENT, hashed("c"))))


def test_both_payment_records_together_are_not_enough_for_f102() -> None:
    """First-payment default needs intent: a second kind of evidence that is no payment record."""
    kinds = [EvidenceKind.OVERDUE_RECORD, EvidenceKind.FIRST_PAYMENT_MISSED]
    with pytest.raises(PeerError, match="overdue alone"):
        check_reason(ReasonCode.F102, ListClass.FRAUD_CONFIRMED, Confidence.CONFIRMED, kinds)
    with pytest.raises(PeerError, match="2 different"):
        check_reason(
            ReasonCode.F102,
            ListClass.FRAUD_CONFIRMED,
            Confidence.CONFIRMED,
            [EvidenceKind.STATEMENT],
        )
    both = [EvidenceKind.FIRST_PAYMENT_MISSED, EvidenceKind.STATEMENT]
    check_reason(ReasonCode.F102, ListClass.FRAUD_CONFIRMED, Confidence.CONFIRMED, both)


@pytest.mark.parametrize("kind", sorted(EvidenceKind))
def test_evasion_needs_a_judgment(kind: EvidenceKind) -> None:
    """E501 with a judgment or an enforcement order passes; with anything else it does not."""
    arguments = (ReasonCode.E501, ListClass.MALICIOUS_EVASION, Confidence.CONFIRMED, [kind])
    if kind in JUDGED:
        check_reason(*arguments)
    else:
        with pytest.raises(PeerError):
            check_reason(*arguments)


@pytest.mark.parametrize("code", sorted(ReasonCode))
@pytest.mark.parametrize("list_class", sorted(ListClass))
def test_victims_codes_and_the_protective_class_belong_together(
    code: ReasonCode, list_class: ListClass
) -> None:
    """F203 and F204 are protective and only they are."""
    is_victim = code in (ReasonCode.F203, ReasonCode.F204)
    if is_victim != (list_class is ListClass.VICTIM_PROTECTIVE):
        assert list_class not in REASONS[code].list_classes
    assert REASONS[code].list_classes


def test_a_suspicion_cannot_be_listed_as_confirmed() -> None:
    """And a confirmed fraud not as a suspicion, which would keep it for 180 days only."""
    with pytest.raises(PeerError, match="needs confidence"):
        LENDER.entry(confidence=Confidence.SUSPECTED)
    with pytest.raises(PeerError, match="goes with confidence"):
        LENDER.entry(list_class=ListClass.FRAUD_SUSPECTED)
    with pytest.raises(PeerError, match="adjudicated"):
        LENDER.entry(confidence=Confidence.ADJUDICATED)


def test_a_subject_was_told_or_there_is_a_reason() -> None:
    """Not both, not neither, not a day without a channel."""
    for wrong in (Notice, lambda: Notice(given_at=TODAY)):
        with pytest.raises(PeerError, match="notice"):
            wrong()


def test_dates_are_in_order() -> None:
    """An event cannot end before it begins or be listed before it ends."""
    with pytest.raises(PeerError, match="is then listed"):
        LENDER.entry(event_end_date=TODAY + timedelta(days=1))
    with pytest.raises(PeerError, match="is then listed"):
        LENDER.entry(event_date=TODAY)


@pytest.mark.parametrize(
    ("end", "expected"),
    [(date(2026, 3, 1), date(2031, 3, 1)), (date(2024, 2, 29), date(2029, 3, 1))],
)
def test_an_entry_expires_five_years_after_the_events_end(end: date, expected: date) -> None:
    """29 February becomes 1 March."""
    at = expires_at(ListClass.FRAUD_CONFIRMED, Confidence.CONFIRMED, end, date(2026, 4, 1))
    assert at == expected


def test_a_suspicion_expires_after_180_days_and_a_phone_after_twelve_months() -> None:
    """Neither lives longer than its entry."""
    end = date(2030, 1, 1)
    suspected = expires_at(ListClass.FRAUD_SUSPECTED, Confidence.PROBABLE, end, TODAY)
    assert suspected == TODAY + timedelta(days=180)
    assert token_expires_at("phone", years_after(end, 5), end) == date(2031, 1, 1)
    assert token_expires_at("device", suspected, end) == date(2031, 1, 1)
    assert token_expires_at("resident_id", suspected, end) == suspected
    assert not is_strong("phone")
    assert is_strong("national_id:de")
    with pytest.raises(PeerError, match="unknown kind"):
        is_strong("shoe_size")


def test_phone_and_device_alone_are_never_severity_3() -> None:
    """They are never decisive alone."""
    weak = (token("p", "phone"), token("d", "device"))
    with pytest.raises(PeerError, match="strong kind"):
        LENDER.entry(tokens=weak, severity=3)
    LENDER.entry(tokens=weak, severity=2)


def test_an_entry_has_one_text() -> None:
    """Reading gives the entry back, changed or reordered text does not read."""
    entry = LENDER.entry(ring_id=hashed("ring", 16))
    assert read_text(ListingEntry, text_of(entry)) == entry
    with pytest.raises(PeerError):
        read_text(ListingEntry, text_of(entry).replace(b'"F101"', b'"F999"'))


def test_an_entry_cannot_lose_a_field_unnoticed() -> None:
    """Every field is in the digest that is approved: changing one changes it."""
    filed = LENDER.file(LENDER.entry())
    other = {
        "severity": 1,
        "product_class": type(filed.entry.product_class).AUTO,
        "listed_at": TODAY + timedelta(days=1),
        "tokens": (token("another"),),
    }
    for name, value in other.items():
        assert filing_digest(replace(filed, entry=replace(filed.entry, **{name: value}))) != (
            filing_digest(filed)
        )


def test_a_stripped_filing_keeps_digest_and_signature_but_no_token() -> None:
    """So that tokens can be erased without breaking the log."""
    filed = LENDER.file(LENDER.entry("somebody"))
    bare = stripped(filed)
    assert isinstance(bare, File)
    assert (filing_digest(bare), transcript(bare)) == (filing_digest(filed), transcript(filed))
    text = text_of(bare)
    assert read_event(text) == bare
    assert bare.entry.tokens[0].token != filed.entry.tokens[0].token
    assert filed.sealed
    assert not bare.sealed


def test_maker_and_checker_of_a_decision_are_two_people() -> None:
    """A decision cannot even be made otherwise."""
    with pytest.raises(PeerError, match="cannot be its checker"):
        Decided(**LENDER.header(), maker=hashed("one"), checker=hashed("one"))


def test_a_record_fits_its_seal_and_names_nobody() -> None:
    """The longest record has room; its text holds neither contributor, nor entry, nor a day."""
    entry = LENDER.entry(
        list_class=ListClass.VICTIM_PROTECTIVE,
        reason_code=ReasonCode.F203,
        confidence=Confidence.CONFIRMED,
        tokens=(token("s", role=SubjectRole.INTERMEDIARY),),
    )
    record = record_of(entry, entry.tokens[0], mark_of(b"secret", entry.tokens[0].token))
    assert len(record.text()) <= RECORD_BYTES - 60
    assert b"L01" not in record.text()
    assert b64encode(entry.entry_id) not in record.text()
    assert record.event_end.day == 1
    assert read_record(record.text()) == record
    with pytest.raises(PeerError):
        read_record(record.text() + b" " * 500)
    assert {name for name, part in leaf_types(Record) if part is str} == set()
