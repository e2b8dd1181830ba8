"""Shares of a set-up's secrets, sealed from member to member through the coordinator.

A box holds, for every slot, the receiver's share of the sender's self-mask seed and of its mask
key. Its key comes from the two transport keys and the set-up's name, and seals this one box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.errors import PeerError
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.lender_secrets import LenderSetUp, SlotSecrets
from shared.secure_sum.shamir import SHARE_BYTES, split
from shared.secure_sum.statements import Delivery, Roll, accepting_transcript
from shared.secure_sum.suite import Randomness, Suite

Boxes = tuple[tuple[str, bytes], ...]
_PAIR = 2 * SHARE_BYTES


def seal_boxes(
    suite: Suite,
    set_up: LenderSetUp,
    roll: Roll,
    name: bytes,
    slots: Sequence[SlotSecrets],
    randomness: Randomness,
) -> tuple[Boxes, list[SlotSecrets]]:
    """One box for every other member of the roll, and the slots with this lender's own shares."""
    holders, me = len(roll.keys), roll.places[set_up.own.member]
    shared = [_split(slot, roll.threshold, holders, randomness) for slot in slots]
    boxes = []
    others = [keys for keys in roll.keys if keys.member != set_up.own.member]
    private = suite.private_key(set_up.transport)
    try:
        agreed = suite.agree_many(private, [keys.transport for keys in others])
    except PeerError as error:
        raise RefusedError("point", came="transport") from error
    for keys, secret in zip(others, agreed, strict=True):
        info, place = _info(set_up.own.member, keys.member), roll.places[keys.member]
        content = b"".join(shares[place] for shares in shared)
        sealed = suite.seal(suite.derive(secret, name, info), content, name + info)
        boxes.append((keys.member, sealed))
    own = [
        replace(slot, shares=_with((bytes(_PAIR),) * holders, me, shares[me]))
        for slot, shares in zip(slots, shared, strict=True)
    ]
    return tuple(boxes), own


def open_boxes(
    suite: Suite, set_up: LenderSetUp, delivery: Delivery, slots: Sequence[SlotSecrets]
) -> list[SlotSecrets]:
    """The slots with the shares of all members.

    RefusedError when a member's box is missing or does not open, or it did not accept the roll.
    """
    roll, me = set_up.roll[0], set_up.place(set_up.own.member)
    if [sender for sender, _, _ in delivery.boxes] != set_up.others():
        raise RefusedError("delivery")
    transports = [roll.keys[set_up.place(code)].transport for code in set_up.others()]
    agreed = suite.agree_many(suite.private_key(set_up.transport), transports)
    contents = []
    for (sender, box, accepted), secret in zip(delivery.boxes, agreed, strict=True):
        _check_accepted(suite, set_up, sender, accepted)
        contents.append(_content(suite, set_up, sender, box, secret, len(slots)))
    opened = []
    for number, slot in enumerate(slots):
        part = slice(_PAIR * number, _PAIR * (number + 1))
        shares = [content[part] for content in contents]
        opened.append(replace(slot, shares=(*shares[:me], slot.shares[me], *shares[me:])))
    return opened


def _content(
    suite: Suite, set_up: LenderSetUp, sender: str, box: bytes, secret: bytes, slots: int
) -> bytes:
    info = _info(sender, set_up.own.member)
    try:
        key = suite.derive(secret, set_up.name, info)
        content = suite.unseal(key, box, set_up.name + info)
    except PeerError as error:
        raise RefusedError("box", came=sender) from error
    if len(content) != _PAIR * slots:
        raise RefusedError("box", came=sender)
    return content


def _check_accepted(suite: Suite, set_up: LenderSetUp, sender: str, accepted: bytes) -> None:
    try:
        public = set_up.publics[set_up.place(sender)]
        suite.verify(public, accepted, accepting_transcript(set_up.name))
    except PeerError as error:
        raise RefusedError("accepted", came=sender) from error


def _split(slot: SlotSecrets, threshold: int, holders: int, randomness: Randomness) -> list[bytes]:
    seeds = split(slot.seed, threshold, holders, randomness)
    masks = split(slot.mask, threshold, holders, randomness)
    return [seed + mask for seed, mask in zip(seeds, masks, strict=True)]


def _with(shares: tuple[bytes, ...], place: int, share: bytes) -> tuple[bytes, ...]:
    return (*shares[:place], share, *shares[place + 1 :])


def _info(sender: str, receiver: str) -> bytes:
    return f"lianfang/shares|{len(sender)}|{sender}|{receiver}".encode()
