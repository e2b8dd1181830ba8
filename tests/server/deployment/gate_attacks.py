"""What somebody sends to the gate's port that is no request of a node: each attack is bytes on the
wire, drawn with `random`, over plain TCP or over a member's own TLS connection.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from random import Random

from tests.server.deployment.open_gate import HOST, OpenGate, answer_on

Attack = Callable[[OpenGate, Random], None]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _HEADERS, _CONTINUATION, _RESET = 4, 1, 9, 3
_HELLO = bytes.fromhex(  # TLS 1.2 at most, RSA ciphers: RFC 5246 §7.4.1.2
    "16030100310100002d0303" + "5a" * 32 + "000006002f0035000a0100"
)


def _plain(door: OpenGate, content: bytes, *, reset: bool) -> None:
    """Over TCP, without waiting for an answer."""
    with socket.create_connection((HOST, door.port), 20) as line, suppress(ConnectionError):
        line.sendall(content)
        if reset:  # RST in place of FIN
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _spoken(door: OpenGate, content: bytes, *, wait: bool) -> None:
    """Over a member's own connection. `wait`: for what is answered, else it closes at once."""
    with door.connected() as line, suppress(ConnectionError, ssl.SSLError):
        line.sendall(content)
        if wait:
            line.settimeout(0.2)
            with suppress(TimeoutError):
                answer_on(line)


def garbage(door: OpenGate, random: Random) -> None:
    """Bytes of any kind before a handshake."""
    heads = (b"", _HELLO, _HELLO[:20], b"\x16\x03\x01\xff\xff", b"GET / HTTP/1.1\r\n\r\n", PREFACE)
    noise = random.randbytes(random.choice((0, 10, 3_000)))
    _plain(door, random.choice(heads) + noise, reset=random.random() < 0.5)


def cut_hello(door: OpenGate, random: Random) -> None:
    """A handshake of today that stops, or is changed, somewhere."""
    out = ssl.MemoryBIO()
    shaking = door.context("L01").wrap_bio(ssl.MemoryBIO(), out)
    with suppress(ssl.SSLWantReadError):
        shaking.do_handshake()
    hello = bytearray(out.read())
    hello[random.randrange(len(hello))] ^= 1 << random.randrange(8)
    _plain(door, bytes(hello[: random.randrange(1, len(hello) + 1)]), reset=random.random() < 0.5)


def no_certificate(door: OpenGate, random: Random) -> None:
    """A handshake without a member's certificate, and a request at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(ConnectionError, ssl.SSLError),
        socket.create_connection((HOST, door.port), 20) as plain,
        context.wrap_socket(plain) as line,
    ):
        line.sendall(request(door))
        assert not line.recv(1)


def request(door: OpenGate, more: bytes = b"", body: bytes = b"") -> bytes:
    """A node's honest call, with more lines in its head."""
    return (
        b"POST /v1/fleet/pull-messages HTTP/1.1\r\nhost: gate\r\nflwr-public-key: "
        + door.key_header("L01").encode()
        + b"\r\n"
        + (more or b"content-length: %d\r\n" % len(body))
        + b"\r\n"
        + body
    )


def changed(door: OpenGate, random: Random) -> None:
    """A call with bytes changed, put in, cut out, cut off."""
    content = bytearray(request(door, body=b"x" * 50))
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(content))
        content[place : place + random.randrange(4)] = random.randbytes(random.randrange(4))
    end = random.choice((len(content), random.randrange(len(content))))
    _spoken(door, bytes(content[:end]), wait=random.random() < 0.5)


def head_bomb(door: OpenGate, random: Random) -> None:
    """Heads that are long, or have many lines, or odd ones."""
    more = random.choice(
        (
            b"x: " + b"a" * 40_000 + b"\r\n",
            b"a: b\r\n" * 7_000,
            b"a: b\r\n" * 700 + b"content-length: 0\r\n",
            b"x: a\r\n  folded\r\ncontent-length: 0\r\n",
            b"x\0y: \xff\r\n",
            b"content-length: 5\r\ncontent-length: 6\r\n",
            b"content-length: -1\r\n",
            b"content-length: " + b"9" * 5_000 + b"\r\n",
            b"content-length: 3\r\ntransfer-encoding: chunked\r\n",
            b"transfer-encoding: gzip, chunked\r\n",
            b"expect: 100-continue\r\ncontent-length: 10\r\n",
            b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n",
            b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\ncontent-length: 0\r\n",
        )
    )
    _spoken(door, request(door, more), wait=True)


def chunk_bomb(door: OpenGate, random: Random) -> None:
    """Chunks that announce more than they have, have long extensions, or have no end."""
    chunks = random.choice(
        (
            b"ffffffffffffffffffff\r\n",
            b"7fffffffffffffff\r\nabc",
            b"1;" + b"e" * 40_000 + b"\r\nx\r\n",
            b"1\r\nx\r\n" * 400,
            b"1\r\nx\r\n" * 70_000 + b"0\r\n\r\n",
            b"0\r\n" + b"t: u\r\n" * 9_000 + b"\r\n",
            b"zz\r\n",
            b"2\r\nxyz\r\n",
        )
    )
    content = request(door, b"transfer-encoding: chunked\r\n") + chunks
    _spoken(door, content, wait=random.random() < 0.7)


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """RFC 9113 §4.1."""
    size = len(content).to_bytes(3, "big")
    return size + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def http2(door: OpenGate, random: Random) -> None:
    """HTTP/2, which the gate does not speak: a flood of CONTINUATION, of resets, broken frames."""
    flood = {
        "continued": _frame(_HEADERS, 0, 1, b"\x82")
        + _frame(_CONTINUATION, 0, 1, b"\0" * 99) * 900,
        "reset": b"".join(
            _frame(_HEADERS, 5, 2 * n + 1, b"\x82") + _frame(_RESET, 0, 2 * n + 1, b"\0\0\0\x08")
            for n in range(900)
        ),
        "broken": b"\xff\xff\xff" + random.randbytes(200),
    }
    content = PREFACE + _frame(_SETTINGS, 0, 0, b"") + flood[random.choice(sorted(flood))]
    _spoken(door, content, wait=random.random() < 0.7)


def pipelined(door: OpenGate, random: Random) -> None:
    """Many calls at once, whose answers nobody waits for; or a body after a question without."""
    content = random.choice(
        (
            request(door) * random.randrange(2, 60),
            b"GET /lianfang/terms HTTP/1.1\r\nhost: x\r\ncontent-length: 999999\r\n\r\n"
            + b"y" * 9_000,
            b"HEAD /lianfang/terms HTTP/1.1\r\nhost: x\r\n\r\n" * 30,
            b"GET /lianfang/" + b"%2e" * 5_000 + b" HTTP/1.0\r\n\r\n" + request(door),
        )
    )
    _spoken(door, content, wait=random.random() < 0.5)


def raw_within(door: OpenGate, random: Random) -> None:
    """Bytes that are no TLS records, in the middle of a connection that was."""
    with door.connected() as line, suppress(ConnectionError, ssl.SSLError):
        line.sendall(request(door)[: random.randrange(1, 60)])
        with socket.socket(fileno=os.dup(line.fileno())) as under:
            under.sendall(random.choice((b"\x15\x03\x03\x00\x02\x02\x28", random.randbytes(400))))


ATTACKS: tuple[Attack, ...] = (
    garbage, cut_hello, no_certificate, changed, changed, head_bomb, chunk_bomb, http2, pipelined,
    raw_within,
)  # fmt: skip
