"""What is said of a service that cannot be reached."""

from __future__ import annotations

import grpc
import pytest

from client.exchange.reaching import UnreachableError, reached


class Answer(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A call that ended with a status."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return ""


Answer.__abstractmethods__ = frozenset()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, "another service answers there"),
        (grpc.StatusCode.UNAVAILABLE, "its code is the one in its certificate"),
    ],
)
def test_the_remedy_fits_what_answered(code: grpc.StatusCode, told: str) -> None:
    """Another service at the address is told from none; what was kept leaves later in both."""

    def call() -> None:
        raise Answer(code)

    with pytest.raises(UnreachableError, match="the case desk cannot be reached") as raised:
        reached(call, 1, lambda _: None, "the case desk")
    assert told in str(raised.value)
