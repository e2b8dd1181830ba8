"""A request is good for its own keys, an answer for its own request; both sides check all of it.

Every wrong message below differs from a right one in one point.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from server.authority import issue, issue_transport
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Identity, identity_of, public_of
from shared.identity.enrolment import (
    check_answer,
    check_renewal,
    check_request,
    digest_of,
    enrol_request,
    renew_request,
    signed_answer,
)
from shared.identity.enrolment_messages import (
    MOST_ANSWER,
    MOST_REQUEST,
    EnrolAnswer,
    EnrolRequest,
    read_answer,
    read_renewal,
    read_request,
)
from shared.identity.invitation import Invitation
from shared.identity.node_key import check_node_public, new_node_key, node_public_of
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of
from tests.identities import NOW, authority_of, fixed_random, identity_under

AUTHORITY = authority_of()
OTHER = authority_of(seed="another authority")
COORDINATOR = identity_under(AUTHORITY, "coordinator", "coordinator")
INVITATION = Invitation(
    "L01",
    "Five lenders",
    "coordinator.example:8444",
    digest_of(AUTHORITY.certificate),
    fixed_random("secret")(32),
    NOW + timedelta(days=7),
)
RANDOM = fixed_random("lender")
PRIVATE, TRANSPORT, NODE = RANDOM(32), new_transport_key(RANDOM), new_node_key(RANDOM)
PUBLIC = public_of(PRIVATE)
REQUEST = enrol_request(INVITATION, PRIVATE, transport_public_of(TRANSPORT), node_public_of(NODE))
ISSUE: dict[str, Any] = {"days": 5, "now": NOW, "random": fixed_random("issue")}
STRANGER = fixed_random("stranger")


def pem(certificate: bytes) -> str:
    return certificate_to_pem(certificate).decode()


def unsigned() -> EnrolAnswer:
    """What the coordinator answers to `REQUEST`."""
    transport = transport_public_of(TRANSPORT)
    return EnrolAnswer(
        request=REQUEST.name().hex(),
        certificate=pem(issue(AUTHORITY, "L01", "lender", PUBLIC, **ISSUE)),
        transport=pem(issue_transport(AUTHORITY, "L01", "lender", transport, **ISSUE)),
        authority=pem(AUTHORITY.certificate),
        coordinator="",
        consortium='[consortium]\nname = "Five lenders"\n',
        gate="coordinator.example:8443",
        bundles=("ab" * 32,),
        members={"L01": PUBLIC.hex(), "L02": "11" * 32},
    )


ANSWER = signed_answer(unsigned(), COORDINATOR)


def accepted(answer: EnrolAnswer, **changes: Any) -> None:
    about = {"pinned": INVITATION.authority, "public": PUBLIC, "now": NOW} | changes
    check_answer(answer, REQUEST, **about)


def re_proved(request: EnrolRequest, secret: bytes, private: bytes = PRIVATE) -> EnrolRequest:
    """The same entries under signatures made anew."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    def sign(key: bytes, label: str) -> str:
        text = request.signed_text(label)
        return Ed25519PrivateKey.from_private_bytes(key).sign(text).hex()

    possession, proof = sign(private, "possession"), sign(secret, "proof")
    return replace(request, possession=possession, proof=proof)


def test_a_request_and_its_answer_are_accepted_as_they_travel() -> None:
    """Both come back from their bytes as they were; the same keys give the same bytes again."""
    assert read_request(REQUEST.content()) == REQUEST
    check_request(read_request(REQUEST.content()), INVITATION.verifier, AUTHORITY.certificate)
    assert read_answer(ANSWER.content()) == ANSWER
    accepted(read_answer(ANSWER.content()))
    again = enrol_request(INVITATION, PRIVATE, transport_public_of(TRANSPORT), node_public_of(NODE))
    assert again.content() == REQUEST.content()


def test_no_private_key_and_no_secret_is_in_a_message() -> None:
    """Neither raw, nor in hex, nor as the body of a PEM file; the control finds the public ones."""
    sent = REQUEST.content() + ANSWER.content()
    secrets = [PRIVATE, INVITATION.secret]
    for key in (TRANSPORT, NODE):
        lines = key.decode().splitlines()[1:-1]
        assert not any(line.encode() in sent for line in lines)
    numbers = [
        serialization.load_pem_private_key(TRANSPORT, None).private_numbers().private_value,  # type: ignore[union-attr]
        serialization.load_ssh_private_key(NODE, None).private_numbers().private_value,  # type: ignore[union-attr]
    ]
    secrets += [number.to_bytes(48, "big").lstrip(b"\0") for number in numbers]
    for secret in secrets:
        assert secret not in sent
        assert secret.hex().encode() not in sent
    assert PUBLIC.hex().encode() in sent
    assert transport_public_of(TRANSPORT).splitlines()[1] in sent


def test_a_secret_that_was_guessed_is_refused() -> None:
    """One bit away from the right one, too."""
    near = bytes([INVITATION.secret[0] ^ 1]) + INVITATION.secret[1:]
    for secret in (near, bytes(32), STRANGER(32)):
        guessed = enrol_request(
            replace(INVITATION, secret=secret),
            PRIVATE,
            REQUEST.transport.encode(),
            REQUEST.node.encode(),
        )
        with pytest.raises(PeerError, match="not that of the invitation"):
            check_request(guessed, INVITATION.verifier, AUTHORITY.certificate)


def test_a_request_seen_on_its_way_cannot_carry_other_keys() -> None:
    """Each key replaced by the attacker's, signed again with what the attacker has: no secret.

    Positive control: with the secret the same replacement is accepted.
    """
    stranger = STRANGER(32)
    theirs = {
        "public": public_of(stranger).hex(),
        "transport": transport_public_of(new_transport_key(STRANGER)).decode(),
        "node": node_public_of(new_node_key(STRANGER)).decode(),
        "code": "L02",
    }
    for name, value in theirs.items():
        changed = replace(REQUEST, **{name: value})
        private = stranger if name == "public" else PRIVATE
        with pytest.raises(PeerError, match="not that of"):
            check_request(changed, INVITATION.verifier, AUTHORITY.certificate)
        with pytest.raises(PeerError, match="not that of the invitation"):
            check_request(
                re_proved(changed, stranger, private), INVITATION.verifier, AUTHORITY.certificate
            )
        check_request(
            re_proved(changed, INVITATION.secret, private),
            INVITATION.verifier,
            AUTHORITY.certificate,
        )


def test_a_key_that_is_somebody_elses_cannot_be_certified() -> None:
    """Whoever holds an invitation, but not the identity key, is refused."""
    changed = replace(REQUEST, public="22" * 32)
    for forged in (changed, re_proved(changed, INVITATION.secret)):
        with pytest.raises(PeerError, match="not that of the new identity key"):
            check_request(forged, INVITATION.verifier, AUTHORITY.certificate)


def test_a_request_to_another_consortium_is_refused() -> None:
    """Even under the same secret."""
    with pytest.raises(PeerError, match="for another authority"):
        check_request(REQUEST, INVITATION.verifier, OTHER.certificate)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"code": "../L01"}, "a code that is none"),
        ({"code": "L01\n"}, "a code that is none"),
        ({"transport": "no key"}, "transport key"),
        ({"transport": REQUEST.node}, "not a P-256 key"),
        ({"transport": "; rm -rf /\n" + REQUEST.transport}, "more in its text"),
        ({"node": REQUEST.transport}, "not a P-384 key"),
        ({"node": "x"}, "node key"),
        ({"node": REQUEST.node + "# more"}, "more in its text"),
        ({"public": PUBLIC.hex().upper()}, "a public key is not 32 bytes in hex"),
        ({"public": "00"}, "a public key is not 32 bytes in hex"),
        ({"possession": "00" * 64}, "not that of the new identity key"),
        ({"possession": "zz"}, "a signature is not 64 bytes"),
        ({"proof": "00" * 64}, "not that of the invitation"),
    ],
)
def test_a_wrong_entry_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(PeerError, match=why):
        check_request(replace(REQUEST, **changes), INVITATION.verifier, AUTHORITY.certificate)


@pytest.mark.parametrize("read", [read_request, read_renewal, read_answer])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 5000,
        b'{"code": 1}',
        b" " * (MOST_ANSWER + 1),
        REQUEST.content().replace(b'"L01"', b'"\\ud800"'),
        REQUEST.content().replace(b'"L01"', b"7"),
        REQUEST.content()[:-1] + b',"more":"x"}',
    ],
)
def test_what_is_no_message_is_refused_by_name(
    read: Callable[[bytes], object], content: bytes
) -> None:
    """Empty, not UTF-8, other JSON, lists in lists, too large, wrong types, unknown entries."""
    with pytest.raises(PeerError):
        read(content)


def test_sizes_are_bounded_before_anything_is_parsed() -> None:
    grown = json.dumps(json.loads(REQUEST.content()) | {"code": "x" * MOST_REQUEST}).encode()
    with pytest.raises(PeerError, match=f"more than {MOST_REQUEST} bytes"):
        read_request(grown)


def test_a_man_in_the_middle_with_an_authority_of_his_own_is_found() -> None:
    """His answer is right in all but the authority; only the digest tells. The control takes it
    where nothing is pinned but his own digest.
    """
    theirs = identity_under(OTHER, "coordinator", "coordinator")
    made = replace(
        unsigned(),
        authority=pem(OTHER.certificate),
        certificate=pem(issue(OTHER, "L01", "lender", PUBLIC, **ISSUE)),
        transport=pem(
            issue_transport(OTHER, "L01", "lender", transport_public_of(TRANSPORT), **ISSUE)
        ),
    )
    answer = signed_answer(made, theirs)
    with pytest.raises(PeerError, match="from another authority than the invitation's"):
        accepted(answer)
    accepted(answer, pinned=digest_of(OTHER.certificate))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"gate": "evil.example:1"}, "not that of the coordinator"),
        ({"consortium": "x"}, "not that of the coordinator"),
        ({"bundles": ()}, "not that of the coordinator"),
        ({"members": {"L01": PUBLIC.hex()}}, "not that of the coordinator"),
        ({"coordinator": ANSWER.certificate}, "signed by a lender"),
        ({"coordinator": "x"}, "not one certificate"),
        ({"signature": ""}, "a signature is not 64 bytes"),
    ],
)
def test_an_answer_changed_on_its_way_is_refused(changes: dict[str, Any], why: str) -> None:
    """Nothing of it may be another than the coordinator signed."""
    with pytest.raises(PeerError, match=why):
        accepted(replace(ANSWER, **changes))


def other_identity() -> Identity:
    private = STRANGER(32)
    certificate = issue(AUTHORITY, "L01", "lender", public_of(private), **ISSUE)
    return identity_of(certificate, private, AUTHORITY.certificate, NOW)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"request": "00" * 32}, "for another request"),
        ({"certificate": pem(other_identity().member.certificate)}, "code and identity key"),
        (
            {"certificate": pem(identity_under(AUTHORITY, "L02").member.certificate)},
            "code and identity key",
        ),
        ({"certificate": ANSWER.transport}, "does not hold an Ed25519 key"),
        ({"transport": ANSWER.certificate}, "does not hold a P-256 key"),
        (
            {
                "transport": pem(
                    issue_transport(
                        AUTHORITY,
                        "L01",
                        "lender",
                        transport_public_of(new_transport_key(STRANGER)),
                        **ISSUE,
                    )
                )
            },
            "over another key",
        ),
        ({"gate": "host"}, "gate's address"),
        ({"consortium": "x" * ((1 << 20) + 1)}, "more than"),
        ({"bundles": ("ab",)}, "a bundle's digest"),
        ({"members": {"../L02": "11" * 32, "L01": PUBLIC.hex()}}, "a code that is none"),
        ({"members": {"L02": "11" * 32}}, "does not hold L01's own key"),
        ({"members": {"L01": "11" * 32}}, "does not hold L01's own key"),
        ({"members": {"L01": PUBLIC.hex(), "L02": PUBLIC.hex()}}, "one key stands under two"),
        ({"members": {"L01": PUBLIC.hex(), "L02": "1"}}, "L02's public key"),
    ],
)
def test_a_coordinator_that_answers_wrongly_is_refused(changes: dict[str, Any], why: str) -> None:
    """Signed by the coordinator itself, and still not taken."""
    with pytest.raises(PeerError, match=why):
        accepted(signed_answer(replace(unsigned(), **changes), COORDINATOR))


def test_an_answer_whose_authority_is_expired_is_not_taken() -> None:
    with pytest.raises(OperatorError, match="is expired"):
        accepted(ANSWER, now=NOW + timedelta(days=365))


def test_a_renewal_is_asked_for_by_the_identity_key_alone() -> None:
    """For the transport key in use or a new one. The answer fits as at enrolment."""
    fresh = transport_public_of(new_transport_key(STRANGER))
    current = issue_transport(AUTHORITY, "L01", "lender", transport_public_of(TRANSPORT), **ISSUE)
    request = renew_request("L01", PRIVATE, AUTHORITY.certificate, fresh, current)
    assert read_renewal(request.content()) == request
    check_renewal(request, PUBLIC, AUTHORITY.certificate)
    with pytest.raises(PeerError, match="not that of the identity key"):
        check_renewal(request, public_of(STRANGER(32)), AUTHORITY.certificate)
    for changes in ({"code": "L02"}, {"current": "00" * 32}, {"transport": REQUEST.transport}):
        with pytest.raises(PeerError, match="not that of the identity key"):
            check_renewal(replace(request, **changes), PUBLIC, AUTHORITY.certificate)
    answer = replace(
        unsigned(),
        request=request.name().hex(),
        transport=pem(issue_transport(AUTHORITY, "L01", "lender", fresh, **ISSUE)),
    )
    signed = signed_answer(answer, COORDINATOR)
    check_answer(signed, request, pinned=INVITATION.authority, public=PUBLIC, now=NOW)
    with pytest.raises(PeerError, match="for another request"):
        accepted(signed)


def test_the_signature_of_one_message_serves_no_other() -> None:
    """A renewal's possession is none of an enrolment, and possession is no proof."""
    assert REQUEST.signed_text("possession") != REQUEST.signed_text("proof")
    with pytest.raises(PeerError, match="not that of the invitation"):
        check_request(
            replace(REQUEST, proof=REQUEST.possession), public_of(PRIVATE), AUTHORITY.certificate
        )


def test_a_node_key_is_p384_and_readable_by_flowers_node() -> None:
    """The OpenSSH text loads as Flower loads it; other curves are refused."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_ssh_private_key(NODE, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp384r1"
    check_node_public(node_public_of(NODE))
    with pytest.raises(OperatorError, match="not a P-384 key"):
        check_node_public(transport_public_of(TRANSPORT))
    with pytest.raises(OperatorError, match="not one unencrypted node key"):
        node_public_of(TRANSPORT)
