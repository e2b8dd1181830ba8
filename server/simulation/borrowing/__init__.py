"""Multi-lender borrowing in a simulation: real loans elsewhere as features, and what they add.

    which loans are of one borrower (a file beside the table) ─► events ─► answers ─► columns

Invariants:
- An answer for a row is about the day of its own loan: it holds what happened on earlier days, at
  other lenders. No outcome is in it.
- Without `--borrowing` no table, schema or model is touched.
"""
