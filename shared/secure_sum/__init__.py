"""The secure sum: a coordinator learns the total of all lenders' vectors and nothing else.

    lender                                                             coordinator
    set-up, once for K slots
      │ ◄──────────────── SetUpOpen(counter, agreement, slots, suite; signed) ── │
      │ ── MemberKeys(transport key; per slot: mask key, seed's digest; signed) ► │
      │ ◄──────────────────── Roll(threshold, all keys and certificates; signed) │
      │    checks its floors                                                     │
      │ ── SealedShares(accepts the roll; per peer: shares of seeds and keys) ─► │
      │ ◄──────────────────────────────── Delivery(the boxes for this lender) ── │
      │ ── Ready(it holds the shares of all) ──────────────────────────────────► │

    round of one slot
      │ ◄── RoundOpen(set-up, slot, payload, bits; signed) ───────────────────── │
      │    checks: slot unused, payload is what its own run asks, floors         │
      │ ── MaskedInput(y; signed) ─────────────────────────────────────────────► │ Σ y
      │ ◄── Survivors(T, alive; signed) ──────────────────────────────────────── │
      │    derives the dead, records its one answer, wipes the slot              │
      │ ── Answer(seed shares of the alive, mask-key shares of the dead) ──────► │ total

    T = digest(RoundOpen, which names the set-up); b_i: seed of the self-mask of lender i
    k_ij = HKDF(DH of the mask keys of i and j; salt T)
    y_i = q_i + PRG(HKDF(b_i; T)) + Σ_{j>i} PRG(k_ij) − Σ_{j<i} PRG(k_ij)   mod 2**32

Invariants:
- A slot's keys serve one RoundOpen, once. The same update is never masked under two slots.
- A lender answers one set of survivors for a slot; a second question gets the same bytes or
  nothing. With a threshold above (n + c) / 2 for c colluding lenders, no lender's seed and mask key
  can both be recovered, whatever different stories a coordinator tells.
- A key recovered for an absent lender opens nothing of another slot, before or after.
- The total is the exact sum of the survivors' vectors, or there is none. It cannot overflow:
  lenders · 2**bits ≤ 2**32.
- What a lender asks for at least (cohort, threshold, kinds) is its own setting, never a message's.

Everything here is pure: randomness, clock and transport are passed in.
Source: Bonawitz et al. 2017, "Practical Secure Aggregation for Privacy-Preserving Machine Learning"
(CCS), with signed openings and one answer in place of its consistency exchange.
"""
