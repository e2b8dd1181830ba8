"""What `lianfang-server init` refuses before it makes anything, by the option's own name.

Invariants:
- Where no option was given nothing is said here: the schema file's own [terms] are checked with
  the file.
"""

from __future__ import annotations

import argparse

from server.deployment.enrolment import listening_at
from shared.errors import OperatorError
from shared.identity.address import host_and_port
from shared.training.agreement import FLOOR, MOST_MINIMUM_CELL, MOST_ROUNDS

_EXAMPLE = "write HOST:PORT, e.g. --gate coordinator.example:8443"


def check_options(arguments: argparse.Namespace) -> None:
    """OperatorError names the option, and what it may be."""
    for name in ("gate", "enrol"):
        try:
            host_and_port(getattr(arguments, name))
        except OperatorError as error:
            raise OperatorError(f"--{name}: {error.what}", remedy=_EXAMPLE) from error
    check_two_addresses(arguments.gate, arguments.enrol)
    floor = FLOOR[arguments.profile]
    of = f", the {arguments.profile} profile's floor"
    _check("--rounds", arguments.rounds, 1, MOST_ROUNDS)
    _check("--minimum-lenders", arguments.minimum_lenders, floor, None, of)
    _check("--minimum-cell", arguments.minimum_cell, 1, MOST_MINIMUM_CELL)


def check_two_addresses(gate: str, enrol: str) -> None:
    """OperatorError when gate and enrolment would listen at one port of one address."""
    (host, port), (other, second) = listening_at(gate), listening_at(enrol)
    if port == second and (host.lower() == other.lower() or not (host and other)):
        raise OperatorError(
            f"--gate {gate} and --enrol {enrol} are one: both would listen at port {port}",
            remedy="give each a port of its own, e.g. 8443 and 8444",
        )


def _check(option: str, given: int | None, least: int, most: int | None, of: str = "") -> None:
    if given is None or (given >= least and (most is None or given <= most)):
        return
    allowed = f"at least {least}{of}" if most is None else f"within {least:,} … {most:,}"
    raise OperatorError(f"{option} {given} is not {allowed}", remedy=f"give {option} {allowed}")
