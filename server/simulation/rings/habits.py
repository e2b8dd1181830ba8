"""How rings of credit fraud go about it: the usual habits, and harder ones.

What cases that were made public have in common, and what the usual habits take from them:

    several things   a ring combines a few telephones, addresses and the like over many applications
                     ("shares a subset of contact information, for example phone numbers and
                     addresses": neo4j.com, First-party bank fraud): at least one further trace
    many lenders     who borrows to default does so everywhere at once, before it shows ("apply for
                     as much as is humanly possible": American Banker, How fraudsters are gaming
                     online lenders): in two of three rings nearly all members apply at one to
                     three further lenders; in the others few do, besides those who shop as others
    a roof for many  they house those they recruit (the same report): a ring known by its unit
                     address has five and more there; up to four are a household to anybody
    proceeds move    borrowers are recruited for a fee and hand the loan over to the organisers
                     (China Newsweek 1164, 18 November 2024, on loan-fraud networks): in six of ten
                     rings most members pay an organiser's account

The shares are guesses all the same. `HARD` is the world without these: one further lender for a
third, single traces, two to six at an address, proceeds seldom seen. Innocent people are the same
in both, and a good part of them applies elsewhere, too (`population.py`): shopping for a loan is
no fraud.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """`more`, `more_with_flow`: chances of 0, 1, 2 … further traces, the latter of rings known by
    how money moves; `stacking`: share of rings that borrow everywhere at once; `elsewhere`: chance
    that a member applies at other lenders, in such a ring and in another, at `lenders` of them at
    most; `proceeds`: chance that members pay an organiser besides; `at_unit`: members at one
    address, fewest and most, of a ring that is known by its address.
    """

    name: str
    more: tuple[float, ...]
    more_with_flow: tuple[float, ...]
    stacking: float
    elsewhere: tuple[float, float]
    lenders: int
    proceeds: float
    at_unit: tuple[int, int]


USUAL = Habits(
    name="usual",
    more=(0.0, 0.30, 0.38, 0.22, 0.10),
    more_with_flow=(0.0, 0.50, 0.35, 0.15),
    stacking=2 / 3,
    elsewhere=(0.9, 0.2),
    lenders=3,
    proceeds=0.6,
    at_unit=(5, 8),
)
HARD = Habits(
    name="hard",
    more=(0.08, 0.25, 0.35, 0.22, 0.10),
    more_with_flow=(0.25, 0.40, 0.25, 0.10),
    stacking=1.0,
    elsewhere=(0.35, 0.35),
    lenders=1,
    proceeds=0.0,
    at_unit=(2, 6),
)
HABITS = {habits.name: habits for habits in (USUAL, HARD)}
