"""Made-up fraud rings and made-up innocents on the real loans: what a consortium sees, and finds.

    world        everybody and what they state on forms, pay and are known by, being made
    population   ordinary lives: households, re-issued numbers, popular payees
    rings        planted frauds of every typology, spread over lenders
    habits       how rings go about it: usual and hard
    innocents    planted look-alikes: families, dormitories, factories …
    lenders      what one lender sees alone, and what all of them contribute together
    evaluation   how well somebody's findings fit the truth; pure
    finding      the detector (`shared.rings`) over all of these views

Invariants:
- The truth (`truth.py`) goes to the researcher only: no view and no detector is given it.
- What is made follows typologies and everyday causes, never the detector's weights, caps or floor:
  its `Terms` are read only afterwards, to say which rings the floor lets anybody find.
- The same seed gives the same people, rings and look-alikes.
"""
