"""A key holder: has one share of the token key, and multiplies lenders' blinded points by it.

    settings.py     what its operator agreed to: holders, threshold, quotas
    store.py        its one file, keyholder.sqlite
    shares.py       key shares and the ceremony under way, in that file
    quotas.py       what each member may ask in 24 hours, in that file
    passing.py      the hours that pass, whatever the clock is set to
    evaluating.py   a request, from its points to the answer
    participant.py  its part in key ceremonies
    service.py      all of it over gRPC
    ceremony.py     the operator's side: relays a ceremony between the holders

It sees random points, who asks, how many and for what purpose; no identifiers, no list.
"""
