"""Canonical forms: the vectors of the domain reference, and what must be true of every kind."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum.cn import ric
from stdnum.cn import uscc as stdnum_uscc

from shared.blacklist.retention import is_strong
from shared.errors import InternalError, OperatorError
from shared.tokens.identifiers import (
    COMPOSED,
    KINDS,
    Canonical,
    IdentifierError,
    MissingIdentifierError,
    canonical,
    is_missing,
    token_input,
)
from shared.tokens.identifiers import resident_id as resident
from shared.tokens.identifiers import uscc as company
from shared.tokens.identifiers.national import NATIONAL_RULES, TAX_RULES

TODAY = date(2026, 1, 1)
FOREIGN = [f"national_id:{c}" for c in NATIONAL_RULES] + [f"tax_id:{c}" for c in TAX_RULES]
EVERY_KIND = [*KINDS, *FOREIGN, "national_id:cn", "tax_id:cn"]
IDFV = "idfv:e621e1f8c36c495a93fc0c247a3e6e5f"
ROUND = "110105194910031000"  # its date and check character fit
HOME = "广东省深圳市南山区科技园路1号3号楼2单元501室"

VECTORS = [
    ("resident_id", "１１０１０５１９４９１２３１００２ｘ", "11010519491231002X"),
    ("resident_id", "110105 19491231 002x", "11010519491231002X"),
    ("resident_id", "110105491231002", "11010519491231002X"),
    ("resident_id", "\u202a110105-19491231-002X\u202c", "11010519491231002X"),
    ("resident_id", "810000199408230021", "810000199408230021"),
    ("uscc", "91350100M000100Y43", "91350100M000100Y43"),
    ("uscc", "９1350100 m000100y43\ufeff", "91350100M000100Y43"),
    ("phone", "+86 138-0013-8000", "13800138000"),
    ("phone", "８６１３８００１３８０００", "13800138000"),
    ("phone", "0086 138\u200b0013·8000", "13800138000"),
    ("phone", "0138 0013 8000", "13800138000"),
    ("phone", "+86 0138-0013-8000", "13800138000"),
    ("phone", "(010) 6234-5678", "+861062345678"),
    ("phone", "0014155552671", "+14155552671"),
    ("phone", "+852 2123 4567", "+85221234567"),
    ("bank_card", "4111 1111 1111 1111", "4111111111111111"),
    ("account", "icbc 0200-0010-0901", "ICBC:020000100901"),
    ("account", "102100099996：00012345", "102100099996:00012345"),
    ("device", "IMEI: 490154203237518", "imei:490154203237518"),
    (
        "device",
        "idfv:E621E1F8-C36C-495A-93FC-0C247A3E6E5F",
        "idfv:e621e1f8c36c495a93fc0c247a3e6e5f",
    ),
    ("device", "fp-vendor:Ab12Cd34", "fp-vendor:ab12cd34"),
    ("addr_unit", "深圳南山区科技园路1号3栋2-501", HOME),
    ("addr_unit", "广东深圳市南山区 科技园路一号，三号楼二单元五零一室", HOME),
    ("addr_building", "深圳市南山区科技园路1号3#2-501", HOME.removesuffix("2单元501室")),
    ("addr_unit", "上海浦东新区张江路88弄3号501", "上海市浦东新区张江路88弄3号501室"),
    ("addr_building", "恩施州恩施市学院路1号A座", "湖北省恩施土家族苗族自治州恩施市学院路1号A号楼"),
    ("employer", "某某（深圳）科技有限责任公司", "某某深圳科技有限公司"),
    ("employer", "91350100m000100y43", "91350100M000100Y43"),
    ("email", " Li-Ming@Example.COM", "li-ming@example.com"),
    ("passport", "e 1234 5678", "E12345678"),
    ("permit", "h12345678", "H12345678"),
    ("tax_id", "91350100M000100Y43", "91350100M000100Y43"),
    ("tax_id:de", "DE 136 695 976", "136695976"),
    ("national_id:br", "390.533.447-05", "39053344705"),
    ("national_id:cn", "110105491231002", "11010519491231002X"),
]

REFUSED = [
    ("resident_id", "11010519491231003X", "check_digit"),
    ("resident_id", "110105194913310020", "date"),
    ("resident_id", "110105202612310026", "date"),
    ("resident_id", "1.10105E+17", "precision_lost"),
    ("resident_id", "110105194912310000", "precision_lost"),
    ("resident_id", "110105194913310000", "precision_lost"),
    ("resident_id", "110105491231996", "manual_review"),
    ("resident_id", "11010519491231002", "form"),
    ("uscc", "91350100M000100Y44", "check_digit"),
    ("uscc", "9135O100M000100Y43", "alphabet"),
    ("uscc", "000000000000000000", "form"),
    ("phone", "12800138000", "unknown_number"),
    ("phone", "13800138000/13900139000", "form"),
    ("phone", "1.38E+10", "precision_lost"),
    ("phone", "400 123 4567", "service_number"),
    ("phone", "13800138000.0", "form"),
    ("bank_card", "6222021234567890000", "precision_lost"),
    ("bank_card", "6.22E+18", "precision_lost"),
    ("bank_card", "0000000000000000", "form"),
    ("account", "0200001009", "form"),
    ("account", "ICBC:6.2E+18", "precision_lost"),
    ("device", "490154203237518", "source"),
    ("device", "imei:000000000000000", "default"),
    ("device", "oaid:00000000-0000-0000-0000-000000000000", "default"),
    ("device", "fp-vendor:9774d56d682e549c", "default"),
    ("device", "imei:49015420323751", "form"),
    ("addr_unit", "深圳市南山区科技园路1号", "no_unit"),
    ("addr_building", "深圳市南山区科技园路", "no_building"),
    ("addr_building", "朝阳区建国路88号", "region"),
    ("addr_building", "北京东路88号", "region"),
    ("employer", "自由职业", "nobody"),
    ("employer", "91350100M000100Y44", "check_digit"),
    ("email", "li ming@example.com", "form"),
    ("passport", "PASSPORT", "form"),
    ("passport", "1.2E+17", "precision_lost"),
    ("national_id:br", "39053344700", "checksum"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), VECTORS)
def test_vectors(kind: str, text: str, expected: str) -> None:
    """Every way to write an identifier gives the one canonical form, and that form itself."""
    assert canonical(kind, text, today=TODAY).value == expected
    assert canonical(kind, expected, today=TODAY).value == expected


@pytest.mark.parametrize(("kind", "text", "reason"), REFUSED)
def test_what_has_no_canonical_form_is_refused(kind: str, text: str, reason: str) -> None:
    """The reason is named, a remedy given, and the text itself is nowhere in the message."""
    with pytest.raises(IdentifierError) as caught:
        canonical(kind, text, today=TODAY)
    assert caught.value.reason == reason
    assert caught.value.remedy
    assert text not in str(caught.value)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_missing_value_is_never_a_token(kind: str) -> None:
    """Whatever the kind, a text that says there is nothing has no canonical form."""
    for text in ("", " ", "0", "无", "null", "NA", "-999", "－９９９", "\u200b"):
        assert is_missing(text)
        with pytest.raises(MissingIdentifierError):
            canonical(kind, text, today=TODAY)


@pytest.mark.parametrize(
    ("kind", "text", "warnings"),
    [
        ("resident_id", "810000199408230021", ()),
        ("resident_id", "990105491231002", ("unknown_region",)),
        ("resident_id", ROUND, ("rounded",)),
        ("tax_id", ROUND, ("rounded",)),
        ("national_id:cn", ROUND, ("rounded",)),
        ("resident_id", f"{ROUND[:6]} {ROUND[6:14]}-{ROUND[14:]}", ("rounded",)),
        ("phone", "17012345678", ("virtual_operator",)),
        ("phone", "13800138000", ()),
        ("bank_card", "6222021234567890123", ("luhn",)),
        ("device", "imei:490154203237510", ("luhn",)),
    ],
)
def test_warnings_are_no_part_of_the_token(kind: str, text: str, warnings: tuple[str, ...]) -> None:
    """A warning stands beside the value and does not change what the PRF is asked."""
    found = canonical(kind, text, today=TODAY)
    assert found.warnings == warnings
    assert token_input("c", found) == token_input("c", Canonical(kind, found.value))


def test_a_letter_that_is_not_in_the_alphabet_is_pointed_at_and_not_changed() -> None:
    """The error about a company code suggests O → 0 and I → 1."""
    with pytest.raises(IdentifierError) as caught:
        canonical("uscc", "9I35O100M000100Y43", today=TODAY)
    assert "character 2 is I: perhaps 1, character 5 is O: perhaps 0" in caught.value.remedy


def test_the_date_of_today_decides_what_is_the_future() -> None:
    """A number of somebody born on 2 January 2026 is refused the day before, not on the day."""
    body = "11010520260102002"
    number = body + resident.check_character(body)
    with pytest.raises(IdentifierError, match="future"):
        canonical("resident_id", number, today=TODAY)
    assert canonical("resident_id", number, today=date(2026, 1, 2)).value == number


def test_token_input_is_context_version_kind_and_value() -> None:
    """The bytes that the PRF is asked about are those of the domain reference."""
    found = canonical("phone", "+86 138-0013-8000", today=TODAY)
    assert token_input("联防", found) == "联防|v1|phone|13800138000".encode()
    with pytest.raises(InternalError):
        token_input("a|b", found)


def test_one_text_gives_different_inputs_for_different_kinds() -> None:
    """A passport is never matched with a permit of the same number."""
    inputs = {
        token_input("c", canonical(kind, "H12345678", today=TODAY))
        for kind in ("passport", "permit")
    }
    assert len(inputs) == 2


def test_a_canonical_value_does_not_show() -> None:
    """A raw identifier does not get into a log through a repr."""
    assert "0105194912" not in repr(canonical("resident_id", "110105491231002", today=TODAY))


def test_an_unknown_kind_is_refused() -> None:
    """Misspelt kinds and countries without a rule are not taken for something else."""
    for kind in ("residentid", "national_id:xx", "national_id", "address", "", "phone:cn"):
        with pytest.raises(OperatorError, match="no identifier"):
            canonical(kind, "110105491231002", today=TODAY)


def test_every_kind_is_strong_or_weak_on_the_list() -> None:
    """The list's table of kinds knows every kind, and calls phone and device weak."""
    strong = {kind for kind in EVERY_KIND if is_strong(kind)}
    assert {kind for kind in EVERY_KIND if ":" in kind} <= strong
    assert {"resident_id", "uscc", "bank_card", "passport"} <= strong
    assert not {"phone", "device", "email", "employer", "addr_unit", "addr_building"} & strong
    assert {part for parts in COMPOSED.values() for part in parts} <= set(KINDS)


_PIECES = st.sampled_from(
    (
        *(
            *"0123456789XxABOIS无E+-·：:/@. ",
            "\u200b",
            "\u0301",
            "é",
            "ﬁ",
            "ß",
            "İ",
            "Ａ",
            "９",
            "㎏",
        ),
        *("深圳", "南山区", "科技园路", "号", "栋", "号楼", "单元", "室", "三十", "2-501", "大厦"),
        *("北京", "imei:", "fp-v1:", "oaid:", "ICBC", "有限责任公司", "（", "有限", "责任公司"),
        *("+86", "0086", "110105491231002", "91350100M000100Y43", "13800138000", "a@b.cn"),
    )
)
_TEXTS = st.one_of(
    st.text(max_size=30),
    st.lists(_PIECES, max_size=14).map("".join),
    st.sampled_from(VECTORS).map(lambda vector: vector[1]),
)


@given(st.sampled_from(EVERY_KIND), _TEXTS)
@example("employer", "有限责任责任公司公司")
@example("email", "K@a.cn")
def test_canonical_is_idempotent(kind: str, text: str) -> None:
    """The canonical form of a canonical form is itself, and it is never missing."""
    check_idempotent(kind, text)


def check_idempotent(
    kind: str, text: str, rule: Callable[..., Canonical] = canonical
) -> str | None:
    """The canonical form; None, and nothing is asked of it, where the text is refused."""
    try:
        found = rule(kind, text, today=TODAY)
    except IdentifierError:
        return None
    assert rule(kind, found.value, today=TODAY).value == found.value
    assert found.value
    assert not is_missing(found.value)
    assert "|" not in found.value
    return found.value


@given(st.sampled_from(VECTORS), st.data())
def test_canonical_is_idempotent_near_every_vector(
    vector: tuple[str, str, str], data: st.DataObject
) -> None:
    """So it is for what people write: an identifier with a part left out, doubled or replaced."""
    kind, text, _ = vector
    at, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    part = st.sampled_from([text[at:end] * 2, "", "0", "1", "+", "x"])
    check_idempotent(kind, text[:at] + data.draw(st.one_of(part, _PIECES)) + text[end:])


@pytest.mark.parametrize("vector", VECTORS)
def test_every_vector_s_form_is_its_own(vector: tuple[str, str, str]) -> None:
    """None of them is refused, so every kind with vectors is looked at."""
    kind, text, expected = vector
    assert check_idempotent(kind, text) == expected


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in VECTORS}))
def test_a_rule_that_is_not_idempotent_is_noticed(kind: str) -> None:
    """The control: a rule that appends something each time it is applied."""

    def growing(name: str, text: str, *, today: date) -> Canonical:
        plain = text.rstrip("~")
        found = canonical(name, plain, today=today)
        return found._replace(value=found.value + "~" * (1 + len(text) - len(plain)))

    text = next(text for one, text, _ in VECTORS if one == kind)
    with pytest.raises(AssertionError):
        check_idempotent(kind, text, growing)


@given(st.sampled_from(VECTORS), st.data())
def test_separators_and_invisible_characters_mean_nothing(
    vector: tuple[str, str, str], data: st.DataObject
) -> None:
    """A space or an invisible mark anywhere in an identifier gives the same canonical form."""
    kind, text, expected = vector
    marks = ["\u200b", "\ufeff"] if kind == "email" else ["\u200b", "\ufeff", " ", "\t", "\u3000"]
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.sampled_from(marks)) + text[at:]
    assert canonical(kind, text, today=TODAY).value == expected


@given(st.text("0123456789", min_size=17, max_size=17))
def test_the_check_character_is_the_one_of_python_stdnum(body: str) -> None:
    """An independent implementation agrees for every 17 digits."""
    assert resident.check_character(body) == ric.calc_check_digit(f"{body}0")


@given(st.text(company.ALPHABET, min_size=17, max_size=17))
def test_the_company_code_is_the_one_of_python_stdnum(body: str) -> None:
    """An independent implementation agrees for every 17 characters."""
    assert company.check_character(body) == stdnum_uscc.calc_check_digit(f"{body}0")


@given(st.integers(0, 16), st.integers(1, 9))
def test_no_single_wrong_digit_is_accepted(at: int, shift: int) -> None:
    """The check character catches every single wrong digit of a resident id."""
    right = "11010519491231002X"
    wrong = right[:at] + str((int(right[at]) + shift) % 10) + right[at + 1 :]
    with pytest.raises(IdentifierError):
        canonical("resident_id", wrong, today=TODAY)
