"""A lender's end of borrowing elsewhere: what it tells, and what it is told.

contribute   events ─► tokens (cache, else holders) ─► signed pages ─► desk
sync         desk ─► the whole table of bands, the same for every member
check        identifiers ─► tokens ─► own copy of the table ─► bands
"""
