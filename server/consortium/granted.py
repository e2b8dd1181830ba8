"""The renewal that each member was granted last, so that an old request is worth nothing.

    FOLDER/renewals/CODE.json    {"asked": name, "certificate": PEM, "transport": PEM,
                                  "issued": [digest, …]}

Invariants:
- A request that names another certificate in use than those issued for the last one is refused: a
  request that somebody kept gives no certificate over a transport key that was given up since.
- The last request again, its answer being lost, gets the same certificates again, so that repeating
  makes them last no longer; once they have ended, new ones, which are issued beside them.
- A member that has renewed nothing yet may name any certificate.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from server.consortium.folder import read_object, unwritable, write_object
from shared.errors import OperatorError, PeerError
from shared.identity.enrolment import certificate_of, digest_of
from shared.identity.enrolment_messages import EnrolAnswer, RenewRequest

FOLDER = "renewals"
_REMEDY = "remove the file: that member's next renewal is then granted whatever it names"


@dataclass(frozen=True)
class Granted:
    """`asked`: the request's name, hex; `certificate`, `transport`: as they were given, PEM;
    `issued`: SHA-256 of the transport certificates given for that request, hex.
    """

    asked: str
    certificate: str
    transport: str
    issued: tuple[str, ...]


def granted(asked: str, answer: EnrolAnswer, before: tuple[str, ...] = ()) -> Granted:
    """What an answer to the request named `asked` grants; `before`: issued for it already."""
    digest = digest_of(certificate_of(answer.transport)).hex()
    return Granted(asked, answer.certificate, answer.transport, (*before, digest))


def read_granted(folder: Path, code: str) -> Granted | None:
    """The last renewal of a member; OperatorError when its file is something else."""
    path = folder / FOLDER / f"{code}.json"
    found = read_object(path, _REMEDY)
    if not found:
        return None
    try:
        last = Granted(
            found["asked"], found["certificate"], found["transport"], tuple(found["issued"])
        )
        texts = (last.asked, last.certificate, last.transport, *last.issued)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (KeyError, TypeError) as error:
        raise OperatorError(f"{path}: it is no member's renewal", remedy=_REMEDY) from error
    return last


def write_granted(folder: Path, code: str, last: Granted) -> None:
    """Keep it durably; OperatorError."""
    try:
        (folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    write_object(folder / FOLDER / f"{code}.json", asdict(last))


def check_in_use(last: Granted | None, request: RenewRequest) -> None:
    """PeerError when an old request comes again."""
    if last is None or request.name().hex() == last.asked or request.current in last.issued:
        return
    raise PeerError(
        f"the request names another certificate than the last one issued to {request.code}; where "
        f"that member's folder was put back from a copy, the coordinator's operator removes "
        f"{FOLDER}/{request.code}.json"
    )


def good(last: Granted, now: datetime) -> bool:
    """Whether both its certificates can still be used."""
    both = (certificate_of(text) for text in (last.certificate, last.transport))
    return all(x509.load_der_x509_certificate(one).not_valid_after_utc > now for one in both)
