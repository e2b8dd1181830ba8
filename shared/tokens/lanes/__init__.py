"""Additions of ristretto255 on eight points at a time, compiled where they run.

    Lanes (group.py)     the group of `shared.tokens.sodium`, with cheap additions and checks
      kernel.py          one compiled function: sums of points, from bytes to bytes
        points.py        decode, add, encode (RFC 9496)
          field.py       numbers modulo 2^255 - 19, a vector of eight for each limb

Invariants:
- Same bytes and same refusals as libsodium, which does everything with a secret scalar.
- The code has no branch and no address that depends on a point: points can be secret.
- llvmlite is imported and the code compiled when a process has enough to add, never before.

Why and what it costs: docs/decisions/0016-lanes.md.
"""
