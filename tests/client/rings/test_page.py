"""A ring's page: safe, whole without scripts, the same every time; and where its points stand."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from client.commands.ring_lines import picture_document, picture_lines
from client.rings.layout import apart, layout
from client.rings.page import page, write_page
from client.rings.picture import Line, Member, Near, Picture, Thing, amount_words, paid_words
from shared.cases.ring_body import EXPOSURE_BANDS
from shared.errors import OperatorError
from shared.rings.edges import BAND_BASE, amount_band
from shared.rings.kinds import Kind

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def picture(name: str = "A-1", case: str = "spring") -> Picture:
    members = (
        Member(name, True, True, 90, "2+", "resident id 3•••4 (9–18 characters)"),
        Member("M1", False, False, 60, "1"),
        Member("A-2", True, False, 60, "1", "resident id 3•••4", standing="lead"),
    )
    things = (
        Thing("device 1", Kind.DEVICE, True, "3-5", "device o•••7"),
        Thing("payee 1", Kind.PAYEE, False, "2"),
    )
    monday = date(2026, 1, 5)
    lines = (
        Line(0, 0, Kind.DEVICE, monday, "", 2, True),
        Line(1, 0, Kind.DEVICE, monday, "", 1, False),
        Line(0, 1, Kind.PAYEE, monday, "2,000 to 4,000", 1, True),
        Line(0, 1, Kind.PAYEE, date(2026, 1, 12), "2,000 to 4,000", 1, True),
        Line(2, 1, Kind.PAYEE, monday, "", 1, False),
    )
    near = (Near("A-9", 0, ("device, week of 2026-01-05",), "resident id 3•••4"),)
    return Picture(
        ring=bytes(range(16)),
        case=case,
        version=3,
        week=monday,
        score=82,
        reasons=("device", "payee"),
        motifs=(),
        members=members,
        things=things,
        lines=lines,
        near=near,
        against=("No member is on the shared list.",),
        exposure="10k-100k",
        first=monday,
        last=monday,
    )


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_is_fetched_and_only_the_own_script_may_run() -> None:
    """No address in the page, and its policy allows the digest of its one script."""
    text = page(picture())
    found = Tags(text).found
    assert not {"img", "link", "iframe", "object", "base"} & {tag for tag, _ in found}
    loads = {"src", "href", "data", "action", "xlink:href"}
    assert not [one for _, attributes in found for one in attributes if one in loads]
    assert not [one for _, attributes in found for one in attributes if one.startswith("on")]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    assert set(re.findall(r"https?://[^\"' ]*", text)) == {"http://www.w3.org/2000/svg"}


def test_a_hostile_name_is_text() -> None:
    """References, things and cases are escaped wherever they stand."""
    text = page(picture(HOSTILE, HOSTILE))
    found = [tag for tag, _ in Tags(text).found]
    assert found.count("script") == 1
    assert "img" not in found
    assert "alert(1)" in text


def test_all_of_it_is_readable_without_a_script() -> None:
    """Members, things, observations, what speaks against it and who is near stand in tables."""
    text = re.sub(r"<script>.*?</script>", "", page(picture()), flags=re.DOTALL)
    for said in (
        *("A-1", "M1", "device 1", "2026-01-12", "2,000 to 4,000", "2 lenders or more"),
        *("No member is on the shared list.", "10k-100k", "member (own observations)"),
        *(
            "82 of 100",
            "a lead: by one lender&#x27;s word that is not yours",
            "To be reviewed by a person",
        ),
    ):
        assert said in text
    assert text.count('class="halo"') == 2  # one member, and the legend
    assert text.count('<path class="line') == len(picture().lines) + 3


def test_the_same_ring_is_the_same_page() -> None:
    """Byte for byte."""
    assert page(picture()) == page(picture())


def test_a_page_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600; another ending than .html is refused."""
    write_page(picture(), tmp_path / "ring.html")
    assert (tmp_path / "ring.html").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OperatorError, match="html"):
        write_page(picture(), tmp_path / "ring.csv")


@pytest.mark.parametrize("points", [0, 1, 2, 9, 40])
def test_points_stand_apart_and_near_what_they_are_tied_to(points: int) -> None:
    """No two points fall together, and tied ones are nearer than others on average."""
    lines = [(at, at // 2) for at in range(1, points)]
    place = layout(points, lines)
    assert place.shape == (points, 2)
    assert np.isfinite(place).all()
    if points < 3:
        return
    far = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    assert far[~np.eye(points, dtype=bool)].min() > 0.1
    tied = np.mean([far[one, other] for one, other in lines])
    assert tied < far.sum() / (points * (points - 1))


def test_boxes_are_moved_apart() -> None:
    """Names that would cover one another stand beside one another."""
    place = np.array([[0.0, 0.0], [1.0, 1.0], [200.0, 0.0], [0.0, 0.0]])
    size = np.array([[80.0, 24.0]] * 4)
    moved = apart(place, size)
    for one in range(4):
        for other in range(one):
            over = size[0] - np.abs(moved[one] - moved[other])
            assert (over < 3).any()


def test_bands_of_amounts_are_said_as_they_are_made() -> None:
    """The words hold the amount that made the band."""
    assert amount_words(0) == ""
    assert amount_words(int(amount_band([BAND_BASE - 1])[0])) == "below 1,000"
    assert amount_words(int(amount_band([2500.0])[0])) == "2,000 to 4,000"


def test_payments_seen_are_said_to_be_a_bound_from_below() -> None:
    """On the page and in lines, "at least" with the lower end of the band, which --json names; no
    more is claimed, and no amount where none is known.
    """
    for said in (page(picture()), "\n".join(picture_lines(picture()))):
        assert "payments seen" in said
        assert "at least 10k" in said
        assert "exposure" not in said
    assert "10k-100k by the lower ends of their bands" in page(picture())
    assert picture_document(picture())["exposure_band"] == "10k-100k"
    said = [paid_words(replace(picture(), exposure=band)) for band in EXPOSURE_BANDS[1:]]
    assert said == ["some, at least 0 together", "at least 10k", "at least 100k", "at least 1M"]


def test_no_payments_are_told_from_payments_without_an_amount() -> None:
    """Where no observation is a payment none is seen; where one is, none with an amount."""
    unpaid = replace(picture(), exposure="none")
    without = replace(unpaid, lines=unpaid.lines[:2])
    assert [paid_words(one) for one in (unpaid, without)] == ["none with an amount", "none"]
    assert "payments seen: none;" in "\n".join(picture_lines(without))
