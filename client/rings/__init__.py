"""A lender's side of fraud rings: what it contributes, what it is told, and who decides.

    EDGES.csv ─► tokens ─► count pages ─► shared degrees ─► edge pages ─► case desk
    case desk ─► signed bulletin, whole ─► own copy ─► flags and rings, matched here

Nobody learns who was looked up: the bulletin is fetched whole and searched here.
"""
