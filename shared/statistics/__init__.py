"""Summaries that can be added, and the measures read off their totals.

Invariants:
- A lender's summary is an int64 vector; adding two vectors is the same as counting the two books
  together. No measure depends on how rows are spread over lenders.
- Measures read totals only, and say how far they can be from the value on raw rows.
"""
