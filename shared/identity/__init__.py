"""Who is who in a consortium: members' Ed25519 keys, certified by the consortium's authority.

    authority (its key stays with the founder)      certificate.py  what a certificate must say
        └── certificate: code, role, public key     pem.py          keys and certificates as texts
                 └── signatures of that member

    invitation.py   what a new member joins with      enrolment.py            its checks, both sides
    node_key.py     its Flower node's key             enrolment_messages.py   request and answer
    transport.py    certificates for mutual TLS       address.py              "host:port"
    fingerprint.py  keys as people compare them

Nothing here opens a file, draws a number or reads a clock.
"""
