"""Numbers, booleans, dates and headers in the forms that lenders' exports have."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schema.headers import folded
from shared.schema.text import boolean_of, clean, date_of, is_missing, number_of, year_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", 1234.5),
        ("１２３", 123.0),
        ("１，２３４．５", 1234.5),
        ("5万", 50_000.0),
        ("1.2亿", 120_000_000.0),
        ("12.5%", 0.125),
        ("12.5％", 0.125),
        (" 7 ", 7.0),
        ("\ufeff7\u200b", 7.0),
        ("-3", -3.0),
        ("－3", -3.0),
        ("−3", -3.0),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
    ],
)
def test_numbers_in_every_accepted_form(text, value):
    """Thousands commas, full-width digits, 万, 亿 and percent signs are read."""
    assert number_of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("1,5", "1.234,50", "12,34,567", "1 234", "(123)", "￥5", "5元", "0x1A", "1_000", "", "%"),
        *("万", "e5", ".", "-", "1e", "五万", "nan", "12-3", "--5", "١٢"),
    ],
)
def test_what_is_no_number_is_refused_not_guessed(text):
    """A comma is a thousands separator and nothing else; signs of currency are not dropped."""
    with pytest.raises(ValueError, match="not a number"):
        number_of(text)


@pytest.mark.parametrize("text", ["inf", "-Infinity", "∞", "1e999", "9e307亿"])
def test_infinity_is_refused_in_every_form(text):
    """A division by zero upstream must not become a feature."""
    with pytest.raises(ValueError, match="infinite"):
        number_of(text)


def test_a_unit_is_not_counted_twice():
    """12.5% in a column of percents is 12.5, and 5万 in a column of 万元 is refused."""
    assert number_of("12.5%", unit="%") == 12.5
    with pytest.raises(ValueError, match="already counts"):
        number_of("5万", unit="万元")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_being_written(value):
    """repr is read back exactly, and so are its full-width digits."""
    assert number_of(repr(value)) == value
    wide = repr(value).translate({ord(str(i)): chr(0xFF10 + i) for i in range(10)})
    assert number_of(wide) == value


@given(st.integers(-(10**12), 10**12))
def test_thousands_commas_do_not_change_a_number(value):
    """1,234,567 is 1234567."""
    assert number_of(f"{value:,}") == value


@given(st.text())
def test_cleaning_and_folding_are_idempotent(text):
    """A canonical form has itself as canonical form."""
    assert clean(clean(text)) == clean(text)
    assert folded(folded(text)) == folded(text)


@given(st.text(alphabet="0123456789.,+-eE万亿% ０１％，無否是年月日/", max_size=12))
def test_a_reader_answers_the_same_for_a_text_and_its_clean_form(text):
    """No reader depends on how often a text was cleaned."""
    for reader in (number_of, boolean_of, date_of):
        assert _outcome(reader, text) == _outcome(reader, clean(text))


def _outcome(reader, text):
    try:
        return reader(text)
    except ValueError as error:
        return type(error)


@pytest.mark.parametrize("text", ["是", "有", "Y", "yes", "TRUE", "1", "１", " y "])
def test_yes_in_every_form(text):
    """All the usual ways to say yes."""
    assert boolean_of(text) is True


@pytest.mark.parametrize("text", ["否", "无", "N", "no", "False", "0", "０"])
def test_no_in_every_form(text):
    """All the usual ways to say no."""
    assert boolean_of(text) is False


@pytest.mark.parametrize("text", ["", "2", "maybe", "不详", "-1"])
def test_neither_yes_nor_no_is_refused(text):
    """A third answer is not a no."""
    with pytest.raises(ValueError, match="neither"):
        boolean_of(text)


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-05", "2024/1/5", "20240105", "2024年1月5日", "45296", "45296.75"),
        *("2024-1-5 13:45", "2024/01/05 00:00:00", "２０２４－０１－０５"),
    ],
)
def test_dates_in_every_accepted_form(text):
    """The five forms, a time of day behind, and full-width digits name one day."""
    assert date_of(text) == date(2024, 1, 5)


@pytest.mark.parametrize(
    "text", ["2024-02-30", "20241301", "05/01/2024", "2024.1.5", "12345", "99999", "2024-1", ""]
)
def test_what_is_no_date_is_refused(text):
    """Days that do not exist, day-first order and implausible serials are not guessed at."""
    with pytest.raises(ValueError, match=r"not a date|day|month"):
        date_of(text)


@given(st.dates(date(1954, 10, 4), date(2119, 1, 1)))
def test_all_date_forms_agree(day):
    """Every form of the same day is read as that day."""
    serial = (day - date(1899, 12, 30)).days
    forms = [f"{day:%Y-%m-%d}", f"{day.year}/{day.month}/{day.day}", f"{day:%Y%m%d}", str(serial)]
    forms.append(f"{day.year}年{day.month}月{day.day}日")
    assert {date_of(form) for form in forms} == {day}


@given(st.dates(date(1900, 1, 1), date(2150, 1, 1)))
def test_decimal_years_keep_the_order_of_days(day):
    """A later day is a later time, and stays within its year."""
    here, next_day = year_of(str(day)), year_of(str(day + timedelta(days=1)))
    assert day.year <= here < next_day
    assert int(here) == day.year


def test_a_bare_year_is_its_beginning():
    """2007 and 2007.0 (a spreadsheet's) are the year."""
    assert year_of("2007") == year_of("2007.0") == year_of("2007-01-01") == 2007.0


@pytest.mark.parametrize(
    "text", ["", " ", "NA", "n/a", "#N/A", "NaN", "null", "None", "无", "?", "-"]
)
def test_usual_ways_to_write_nothing(text):
    """They are missing, not errors."""
    assert is_missing(text)


@pytest.mark.parametrize("text", ["0", "-999", "nothing", "无锡"])
def test_values_are_not_missing_by_habit(text):
    """0 and -999 are values until the schema says otherwise."""
    assert not is_missing(text)
