"""Ends a conversation that goes on for too long, however busily.

Invariants:
- A timeout of a socket is for each receive; whoever sends a byte now and then is heard for ever.
  Here the whole has an end: the connection is shut down, and what was heard is not taken.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def ended_after(spoken: socket.socket, seconds: float) -> Iterator[None]:
    """Shut `spoken` down after so many seconds of the body; TimeoutError at its end then, whatever
    it returns or raises.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            # Not TLS's own: what waits for a record is to hear of an end, and of nothing in clear.
            socket.socket.shutdown(spoken, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError
