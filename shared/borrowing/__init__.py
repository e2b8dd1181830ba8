"""Multi-lender borrowing (多头借贷): at how many lenders somebody asks for money, in bands.

    events ─► tally (exact, inside the desk) ─► answers in bands ─► sealed records

Three different things are counted: applications, open loans, distinct lenders. Pure: indices stand
for tokens and lenders, days are whole numbers (`datetime.date.toordinal`).

Invariants:
- An answer never names a lender, and a class of lenders is told only where that names none.
- What a lender contributed itself never counts in an answer to it.
- An event counts from the day after it happened, so a day's order of events does not matter and
  training sees no more than service does.
- Nothing outlives its term (`events.kept`); an answer is the same whether what is out of term has
  been deleted yet or not.

Source: domain reference, §3; docs/borrowing.md.
"""
