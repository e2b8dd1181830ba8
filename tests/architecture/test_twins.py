"""Code that coordinator and lender both have, since they never import each other, stays alike
(docs/decisions/0019-two-copies.md).
"""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_few_callers_is_the_same_on_both_sides() -> None:
    """Byte for byte: a fault mended in one copy is mended in the other."""
    lender, coordinator = (
        (REPOSITORY / folder / "few_callers.py").read_bytes()
        for folder in ("client/node", "server/deployment")
    )
    assert b"class FewCallers" in lender
    assert lender == coordinator
