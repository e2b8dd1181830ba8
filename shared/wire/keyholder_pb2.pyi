from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Description(_message.Message):
    __slots__ = ("holder", "keys")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    holder: str
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, holder: _Optional[str] = ..., keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("request_id", "purpose", "reference", "keys", "quorum", "every", "points", "padding")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    purpose: str
    reference: str
    keys: bytes
    quorum: _containers.RepeatedScalarFieldContainer[int]
    every: bool
    points: bytes
    padding: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., purpose: _Optional[str] = ..., reference: _Optional[str] = ..., keys: _Optional[bytes] = ..., quorum: _Optional[_Iterable[int]] = ..., every: _Optional[bool] = ..., points: _Optional[bytes] = ..., padding: _Optional[bytes] = ...) -> None: ...

class EvaluateReply(_message.Message):
    __slots__ = ("points", "proof", "signature")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    points: bytes
    proof: bytes
    signature: bytes
    def __init__(self, points: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("move", "statements")
    MOVE_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    move: str
    statements: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, move: _Optional[str] = ..., statements: _Optional[_Iterable[bytes]] = ...) -> None: ...

class StepReply(_message.Message):
    __slots__ = ("statement", "state", "opening", "signed")
    class SignedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    state: str
    opening: bytes
    signed: _containers.ScalarMap[int, int]
    def __init__(self, statement: _Optional[bytes] = ..., state: _Optional[str] = ..., opening: _Optional[bytes] = ..., signed: _Optional[_Mapping[int, int]] = ...) -> None: ...
