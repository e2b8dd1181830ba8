"""Write transcript_v1.json anew, after a deliberate change of the protocol or its texts."""

from __future__ import annotations

import json

from shared.identity.certificate import Role
from tests.shared.secure_sum.federation import authority, identity
from tests.shared.secure_sum.transcript import FILE, LENDERS, Document, transcript


def members() -> Document:
    """Certificates as they are issued today; those of the file are used from then on."""
    roles: dict[str, Role] = {"coordinator": "coordinator"} | dict.fromkeys(LENDERS, "lender")
    own = {code: identity(code, role) for code, role in roles.items()}
    return {
        "authority": authority().certificate.hex(),
        "identities": {
            code: {"certificate": of.member.certificate.hex(), "private": of.private.hex()}
            for code, of in own.items()
        },
    }


if __name__ == "__main__":
    kept = json.loads(FILE.read_text())["members"] if FILE.exists() else members()
    FILE.write_text(json.dumps(transcript(kept), indent=1) + "\n")
    print(f"written: {FILE}")
