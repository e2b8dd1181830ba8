"""What the gate answers to a request that it does not pass on."""

from __future__ import annotations

from shared.errors import LianfangError


class RefusedRequestError(LianfangError):
    """`status` of the answer; `reason`: a word for the counts."""

    def __init__(self, status: int, reason: str, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.reason = reason
