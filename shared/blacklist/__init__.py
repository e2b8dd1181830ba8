"""The shared list: entries, their lifecycle, and what members see of them.

    lender                        registry                         members
    entry ─► File (signed) ─────► log ─► state = fold(log)
    checker ─► Approve ─────────►        active: rows in the next batch
    second institution ─► Approve ►      (severity 3; for the tokens of one key epoch)
                                  rows, sorted by tag ──────────► tag · epoch · flags · sealed
                                  checkpoint v holds head(v − 1) ► verified, matched locally
                                                                   record ─► answer: "review"

Invariants:
- Nothing here can hold a name, a raw identifier, an exact amount or free text.
- The state is a fold over signed events; an illegal move is one named error and changes nothing.
- Members learn rows, never filings: not who filed, not which rows belong together. What they pass
  on from a subject names a row.
"""
