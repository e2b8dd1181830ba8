"""Who is who in a consortium: members' Ed25519 keys, certified by the consortium's authority.

    authority (its key stays with the founder)      certificate.py  what a certificate must say
        └── certificate: code, role, public key     pem.py          keys and certificates as texts
                 └── signatures of that member

Nothing here opens a file, draws a number or reads a clock.
"""
