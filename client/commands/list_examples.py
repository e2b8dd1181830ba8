"""Examples of `lianfang-client list …`, those of a command by its name, and what it ends with."""

from __future__ import annotations

_HEAD = "examples (--folder is the lender's folder, which holds exchange.toml):\n"
_STATUS = """
Exit status: 0 done; 1 done, and somebody should look: a hit, an entry that waits, a refusal of the
registry, a list that is days old, an earlier hit that is another now; 2 not done, or not all: the
message says why and what to do; what was fetched is kept, so the same command goes on. With --json
an error is also a line {"error": …, "remedy": …} on standard output.
"""
_OF = {
    "sync": """\
  lianfang-client list sync --folder /srv/lender
""",
    "check": """\
  lianfang-client list check --folder /srv/lender --resident-id -        (asks for the number)
""",
    "file": """\
  lianfang-client list file --folder /srv/lender --operator "Li Na" --resident-id - --phone - \\
      --reason F101 --confidence confirmed --event-date 2026-01-05 --product consumer \\
      --outcome refused --evidence forged_document=case17.pdf --notice letter:2026-01-20
  lianfang-client list file --folder /srv/lender --operator "Li Na" --subjects cases.csv --reason …
""",
    "own": """\
  lianfang-client list own --folder /srv/lender                      what it filed, and waits for
  lianfang-client list own --folder /srv/lender --resident-id -      those about one subject
""",
    "approve": """\
  lianfang-client list approve ENTRY --folder /srv/lender --operator "Wang Wei"
  lianfang-client list approve ENTRY --folder /srv/lender --operator "Wang Wei" \\
      --evidence-file ours.pdf --resident-id -                           as second institution
""",
    "waiting": """\
  lianfang-client list waiting --folder /srv/lender                      of other lenders
""",
    "dispute": """\
  lianfang-client list dispute ROW --folder /srv/lender --grounds wrong_person \\
      --evidence-file letter.pdf --operator "Li Na" --checker "Wang Wei"
""",
    "resolve": """\
  lianfang-client list resolve ENTRY --folder /srv/lender --outcome upheld \\
      --statement outcome.pdf --operator "Li Na" --checker "Wang Wei"
""",
    "withdraw": """\
  lianfang-client list withdraw ENTRY --folder /srv/lender --cause mistake \\
      --operator "Li Na" --checker "Wang Wei"
""",
    "consent": """\
  lianfang-client list consent PROPOSAL --folder /srv/lender --operator "Li Na" \\
      --checker "Wang Wei"
""",
    "open-epoch": """\
  lianfang-client list open-epoch --folder /srv/lender --operator "Li Na" --checker "Wang Wei"
""",
    "retire-epoch": """\
  lianfang-client list retire-epoch 1 --folder /srv/lender --operator "Li Na" \\
      --checker "Wang Wei"
""",
    "refile": """\
  lianfang-client list refile --folder /srv/lender --operator "Li Na" --checker "Wang Wei"
""",
    "checkpoint": """\
  lianfang-client list checkpoint --out ours.json --folder /srv/lender      to another member
""",
    "compare": """\
  lianfang-client list compare theirs.json --folder /srv/lender             of another member
""",
}


def examples(*names: str) -> str:
    """Of these commands; none: of all."""
    return _HEAD + "".join(_OF[name] for name in names or _OF) + _STATUS
