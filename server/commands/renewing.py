"""`lianfang-server renew`: new certificates for the coordinator itself, or for a service."""

from __future__ import annotations

import argparse
import secrets
import sys

from server.commands.serving import now, said
from shared.errors import OperatorError


def renew(arguments: argparse.Namespace) -> int:
    """New certificates, over the keys there are; the exit status."""
    from server.actor import CERTIFICATE
    from server.keys import COORDINATOR

    folder = arguments.folder
    if (folder / CERTIFICATE).exists() and not (folder / COORDINATOR).exists():
        return _renew_service(arguments)
    return _renew_own(arguments)


def _renew_service(arguments: argparse.Namespace) -> int:
    from server.authority import read_authority
    from server.service_certificates import renew_service, revoked_at

    folder = arguments.folder
    if arguments.authority is None or arguments.new_key:
        raise OperatorError(
            f"{folder} is a service's: its certificates are renewed over the keys it has, and need "
            "the authority's",
            remedy=f"lianfang-server renew {folder} --authority FOLDER, without --new-key. Where "
            "that key is elsewhere, take a copy of the three .crt files there, and bring "
            "certificate.crt and transport.crt back: no private key is needed",
        )
    authority = read_authority(arguments.authority, now())
    renewed = renew_service(
        folder,
        authority,
        revoked=revoked_at(arguments.authority),
        days=arguments.days,
        now=now(),
        random=secrets.token_bytes,
    )
    if arguments.json:
        until = renewed.until.isoformat()
        said(arguments, {"code": renewed.code, "role": renewed.role, "until": until})
    else:
        _line(
            f"{renewed.code} ({renewed.role}): certificates until {renewed.until:%Y-%m-%d} over "
            "the same keys; a service that runs on this folder takes them by itself within seconds"
        )
    return 0


def _renew_own(arguments: argparse.Namespace) -> int:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    from server.consortium.renewal import renew_own
    from server.keys import COORDINATOR, read_certificate

    certificate = x509.load_der_x509_certificate(read_certificate(arguments.folder / COORDINATOR))
    code = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    renew_own(
        arguments.folder,
        code,
        days=arguments.days,
        now=now(),
        random=secrets.token_bytes,
        new_key=arguments.new_key,
        authority=arguments.authority,
    )
    if arguments.json:
        said(arguments, {"code": code, "days": arguments.days})
    else:
        _line(
            f"{code}: certificates renewed for {arguments.days} days over the same identity "
            "key; runs that are under way go on"
        )
    return 0


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
