"""The one family of errors, split by whose fault it is.

A message says what was expected, what came, and what to do. It never holds a raw identifier or a
row's values: whoever raises masks them first.
"""


class LianfangError(Exception):
    """Root of every error this project raises on purpose.

    `what` is one sentence about what went wrong; `remedy` is what the reader can do about it.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        """Both; whoever knows more on the way up may have added to the remedy."""
        return f"{self.what}\n  remedy: {self.remedy}" if self.remedy else self.what


class OperatorError(LianfangError):
    """The reader's own input, file or configuration is wrong and can be mended by the reader."""


class PeerError(LianfangError):
    """A message from the other side is not what the protocol allows; nothing was changed."""


class InternalError(LianfangError):
    """Our own fault: an invariant of the code does not hold."""
