"""The researcher's side of a simulation: spreading a table over lenders, and what pooling would do.

Everything here sees all lenders' rows at once, which nobody in a consortium may do. So it is not
part of the coordinator: it is left out of the bundle that is sent to lenders, is used by
`simulate.py` only, and its numbers are shown as the researcher's view.
"""
