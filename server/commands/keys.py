"""`lianfang-server keys …`: the coordinator relays key ceremonies; it never sees a share.

`keys.toml` in the coordinator's folder:

    [keys]
    context   = "Five lenders"
    threshold = 2
    [holders]                       in order
    K1 = "k1.example:7443"
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.commands import serving
from server.commands.printing import bar
from server.commands.service_folder import add_init, write_folder
from shared.errors import OperatorError, PeerError

if TYPE_CHECKING:
    from server.keyholder.ceremony import Holder, Relay
    from shared.tokens.signed_keys import SignedKeys
    from shared.wire import keyholder_pb2 as wire

FILE = "keys.toml"
_STEPS = 5
"""Of each holder in a ceremony: status, open, deal, confirm, activate."""
EXAMPLES = """examples:
  lianfang-server keys init /srv/operator --code C1 --context "Five lenders" --threshold 2 \\
      --holder K1=k1.example:7443 --holder K2=k2.example:7443 --holder K3=k3.example:7443
  lianfang-server keys generate /srv/operator      the consortium's first key, without a dealer
  lianfang-server keys status /srv/operator        what every holder has in use
  lianfang-server keys refresh /srv/operator       new shares of the same key: now and then
  lianfang-server keys rotate /srv/operator        a new key beside the old one; then lenders open
                                                   the epoch, consent, and re-file

Interrupted, give the same command again.

Exit status: 0 done; 1 (status) not all holders answer or have the same keys; 2 it did not work
(the message says why and what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `keys` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "keys", help="make, refresh, rotate the token key", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="keys_command", required=True, metavar="COMMAND")
    init = add_init(own, "coordinator", EXAMPLES)
    init.add_argument("--context", required=True, help="the consortium's name, without '|'")
    init.add_argument("--threshold", type=int, required=True)
    init.add_argument("--holder", action="append", default=[], metavar="CODE=HOST:PORT")
    init.set_defaults(handler=_init)
    for name, text in (
        ("generate", "the first key, made by all holders together"),
        ("refresh", "new shares of the key in use"),
        ("rotate", "a key of the next epoch beside the one in use"),
        ("status", "what every holder has in use"),
    ):
        command = serving.command(own, name, text, EXAMPLES)
        command.add_argument("folder", type=Path, help=f"the coordinator's folder, with {FILE}")
        command.add_argument("--json", action="store_true", help="one JSON line for scripts")
        command.set_defaults(handler=_status if name == "status" else _ceremony, ceremony=name)


def settings_text(context: str, threshold: int, holders: dict[str, str]) -> str:
    """The text of `keys.toml`."""
    lines = [f"{code} = {serving.quoted(address)}\n" for code, address in holders.items()]
    head = f"[keys]\ncontext = {serving.quoted(context)}\nthreshold = {threshold}\n[holders]\n"
    return head + "".join(lines)


def relay_from(folder: Path) -> Relay:
    """A relay for the coordinator in `folder`; OperatorError names what is wrong in it."""
    from server.actor import read_actor
    from server.keyholder.ceremony import relay_of
    from shared.secure_sum.trust import Trust
    from shared.tokens.ceremony_checks import Terms

    context, threshold, holders = _settings(folder / FILE)
    actor = read_actor(folder, "coordinator", serving.now())
    terms = Terms(context, threshold, tuple(holders))
    trust = Trust(actor.authority, serving.now)
    return relay_of(actor, terms, holders, trust, secrets.token_bytes)


def _settings(path: Path) -> tuple[str, int, dict[str, str]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}",
            remedy="name the coordinator's folder, or make one: lianfang-server keys init -h",
        ) from error
    except ValueError as error:
        raise OperatorError(f"{path} is not TOML: {error}", remedy="mend that line") from error
    keys, holders = document.pop("keys", None), document.pop("holders", None)
    right = (
        not document
        and isinstance(keys, dict)
        and {*keys} == {"context", "threshold"}
        and isinstance(keys["context"], str)
        and type(keys["threshold"]) is int
        and isinstance(holders, dict)
        and all(isinstance(address, str) for address in holders.values())
        and 2 <= keys["threshold"] <= len(holders)
    )
    if not right:
        raise OperatorError(
            f"{path}: it does not hold what it should",
            remedy="[keys] has context and threshold (2 or more), [holders] a line CODE = "
            '"HOST:PORT" for each, and nothing else is there',
        )
    return keys["context"], keys["threshold"], holders


def _init(arguments: argparse.Namespace) -> int:
    holders = serving.pairs_of(arguments.holder)
    text = settings_text(arguments.context, arguments.threshold, holders)
    said = write_folder(
        arguments.folder, arguments.code, "coordinator", arguments.authority, FILE, text
    )
    _settings(arguments.folder / FILE)
    serving.said(arguments, said)
    return 0


def _ceremony(arguments: argparse.Namespace) -> int:
    relay = relay_from(arguments.folder)
    _check_answering(relay, _settings(arguments.folder / FILE)[2], arguments.ceremony)
    with bar("steps", _STEPS * len(relay.holders)) as told:
        holders = {code: _Counted(one, told) for code, one in relay.holders.items()}
        counted = replace(relay, holders=holders)
        signed: SignedKeys = getattr(counted, arguments.ceremony)()
    content: dict[str, object] = {
        "epoch": signed.keys.epoch,
        "generation": signed.keys.generation,
        "threshold": signed.keys.threshold,
        "holders": list(signed.holders),
        "keys": signed.keys.name.hex(),
    }
    if arguments.json:
        serving.said(arguments, content)
    else:
        sys.stdout.write(
            f"in use at all of {', '.join(signed.holders)}: epoch {signed.keys.epoch}, generation "
            f"{signed.keys.generation}, any {signed.keys.threshold} of them answer; "
            f"keys {signed.keys.name.hex()[:16]}\n"
        )
    return 0


def _check_answering(relay: Relay, addresses: dict[str, str], ceremony: str) -> None:
    """OperatorError that names every holder who is down: better known before a ceremony begins."""
    down = []
    for code, holder in relay.holders.items():
        try:
            holder.describe()
        except PeerError as error:
            down.append(f"{code} at {addresses[code]} ({error.what})")
    if down:
        left = len(relay.holders) - len(down)
        lookups = f"meanwhile lookups go on with the other {left}"
        if left < relay.terms.threshold:
            lookups = f"until then nobody can look anything up: {relay.terms.threshold} are needed"
        raise OperatorError(
            f"{ceremony} needs all key holders, and not all answer: {', '.join(down)}; nothing was "
            "begun",
            remedy="start it where it runs (lianfang-server keyholder serve FOLDER), look at its "
            f"log and at its address in {FILE}, then give this command again; {lookups}",
        )


@dataclass(frozen=True)
class _Counted:
    """A holder that tells of every step it took."""

    holder: Holder
    told: Callable[[int], None]

    def step(self, move: str, statements: Sequence[bytes]) -> wire.StepReply:
        reply = self.holder.step(move, statements)
        self.told(1)
        return reply

    def describe(self) -> wire.Description:
        return self.holder.describe()


def _status(arguments: argparse.Namespace) -> int:
    from shared.tokens.signed_keys import check_signed, read_signed

    relay = relay_from(arguments.folder)
    rows: list[dict[str, Any]] = []
    for code, holder in relay.holders.items():
        row: dict[str, Any] = {"holder": code, "keys": [], "problem": ""}
        try:
            for text in holder.describe().keys:
                signed = read_signed(text)
                check_signed(signed, relay.trust)
                keys = signed.keys
                row["keys"].append([keys.epoch, keys.generation, keys.name.hex()])
        except PeerError as error:
            row["problem"] = error.what
        rows.append(row)
    same = all(row["keys"] == rows[0]["keys"] and not row["problem"] for row in rows)
    if arguments.json:
        sys.stdout.write(json.dumps({"same": same, "holders": rows}) + "\n")
        return 0 if same else 1
    for row in rows:
        told = [f"epoch {e}, generation {g} ({name[:16]})" for e, g, name in row["keys"]]
        sys.stdout.write(f"{row['holder']}  {row['problem'] or '; '.join(told) or 'no key yet'}\n")
    if not same:
        sys.stdout.write(
            "some do not answer, or not all have the same: give an interrupted command again\n"
        )
    return 0 if same else 1
