"""`lianfang-client doctor`: is this lender's folder ready, and if not, what to do.

examination.py   all checks in order, none of which stops the others
machine.py       versions, disk, locks, who can read the folder
identity.py      certificates and keys, members
gate.py          TLS to the coordinator, both clocks, the code it runs
rows.py          the table: schema, label contract, encoding, suspicions, memory
asked.py         batches about borrowing: whose are answered, from what, the way to key holders
advice.py        one line: ok, attention or wrong, with what to do
"""
