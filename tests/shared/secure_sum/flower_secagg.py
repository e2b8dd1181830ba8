"""flwr 1.41's SecAgg+ with its own client steps, in memory, up to the masked uploads.

The peer our defences are compared with: it is not used by this project.
"""

from __future__ import annotations

import importlib

import numpy as np
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.crypto.symmetric_encryption import generate_shared_key
from flwr.common.secure_aggregation.secaggplus_constants import Key
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from flwr.supercore.primitives.asymmetric import bytes_to_private_key, bytes_to_public_key
from numpy.typing import NDArray

# Its package holds a function of the same name in the module's place.
CLIENT = importlib.import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")
MOD, TARGET, CLIP, WEIGHT = 2**32, 2**22, 8.0, 1000.0


class FlowerRound:
    """One round of SecAgg+ over all clients; `quantised`: what each put under its masks."""

    def __init__(self, updates: dict[int, NDArray[np.float32]], threshold: int) -> None:
        self.threshold, self.ids = threshold, list(updates)
        self.clients = {nid: CLIENT.SecAggPlusState() for nid in self.ids}
        self.publics = {nid: self._keys(nid) for nid in self.ids}
        boxes = {nid: CLIENT._share_keys(self.clients[nid], self._named()) for nid in self.ids}
        self.uploads = {nid: self._mask(nid, boxes, updates[nid]) for nid in self.ids}

    def _keys(self, nid: int) -> tuple[bytes, bytes]:
        self.clients[nid].nid = nid
        told = {
            Key.SAMPLE_NUMBER: len(self.ids), Key.SHARE_NUMBER: len(self.ids),
            Key.THRESHOLD: self.threshold, Key.CLIPPING_RANGE: CLIP, Key.TARGET_RANGE: TARGET,
            Key.MOD_RANGE: MOD, Key.MAX_WEIGHT: WEIGHT,
        }  # fmt: skip
        keys = CLIENT._setup(self.clients[nid], told)
        return keys[Key.PUBLIC_KEY_1], keys[Key.PUBLIC_KEY_2]

    def _named(self) -> dict[str, tuple[bytes, bytes]]:
        return {str(nid): keys for nid, keys in self.publics.items()}

    def _mask(
        self, nid: int, boxes: dict[int, dict], update: NDArray[np.float32]
    ) -> list[NDArray[np.int64]]:
        given = {
            other: dict(zip(sent[Key.DESTINATION_LIST], sent[Key.CIPHERTEXT_LIST], strict=True))
            for other, sent in boxes.items()
        }
        sources = [other for other in self.ids if other != nid]
        told = {
            Key.SOURCE_LIST: sources,
            Key.CIPHERTEXT_LIST: [given[source][nid] for source in sources],
        }
        upload = CLIENT._collect_masked_vectors(
            self.clients[nid], told, int(WEIGHT), ndarrays_to_parameters([update])
        )
        return [bytes_to_ndarray(array) for array in upload[Key.MASKED_PARAMETERS]]

    def shares(self, nid: int, active: list[int], dead: list[int]) -> dict[str, dict[int, bytes]]:
        """A client's answer to the unmask question: shares of seeds and of keys, by owner."""
        told = {Key.ACTIVE_NODE_ID_LIST: active, Key.DEAD_NODE_ID_LIST: dead}
        answer = CLIENT._unmask(self.clients[nid], told)
        ids, shares = answer[Key.NODE_ID_LIST], answer[Key.SHARE_LIST]
        cut = len(active)
        return {
            "seeds": dict(zip(ids[:cut], shares[:cut], strict=True)),
            "keys": dict(zip(ids[cut:], shares[cut:], strict=True)),
        }

    def read(self, victim: int, seeds: list[bytes], keys: list[bytes]) -> list[NDArray[np.int64]]:
        """The victim's quantised upload, from enough shares of both its secrets."""
        seed = combine_shares(seeds[: self.threshold])
        key = bytes_to_private_key(combine_shares(keys[: self.threshold]))
        shapes = [array.shape for array in self.uploads[victim]]
        masks = [(1, pseudo_rand_gen(seed, MOD, shapes))]
        for other in self.ids:
            if other != victim:
                pair = generate_shared_key(key, bytes_to_public_key(self.publics[other][0]))
                masks.append((1 if victim > other else -1, pseudo_rand_gen(pair, MOD, shapes)))
        return [
            (array - sum(sign * mask[place] for sign, mask in masks)) % MOD
            for place, array in enumerate(self.uploads[victim])
        ]
