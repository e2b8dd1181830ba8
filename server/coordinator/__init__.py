"""The coordinator: asks, adds up, writes down, goes on. It learns totals and nothing else, unless
the agreement asks for plain sums.

    rounds              the run: question, total, checkpoint, next question
    secure_exchange     one stage's secure sum; plain_exchange its naive twin
    membership, set_up  who takes part, and the keys for it
    counted             the lenders that counts are added up over
    remedies, told      what an operator is advised of missing lenders; each told once
    conversation        asking many lenders over the grid; each *_phases file holds what is asked
    kept_rounds         what a killed coordinator goes on with; checkpoint: the released totals
"""
