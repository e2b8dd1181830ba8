from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CasesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CasesReply(_message.Message):
    __slots__ = ("cases",)
    CASES_FIELD_NUMBER: _ClassVar[int]
    cases: _containers.RepeatedCompositeFieldContainer[CaseStanding]
    def __init__(self, cases: _Optional[_Iterable[_Union[CaseStanding, _Mapping]]] = ...) -> None: ...

class CaseStanding(_message.Message):
    __slots__ = ("case", "standing")
    CASE_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    case: bytes
    standing: bytes
    def __init__(self, case: _Optional[bytes] = ..., standing: _Optional[bytes] = ...) -> None: ...

class PageRequest(_message.Message):
    __slots__ = ("case", "stage", "page", "padding")
    CASE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    case: bytes
    stage: str
    page: bytes
    padding: bytes
    def __init__(self, case: _Optional[bytes] = ..., stage: _Optional[str] = ..., page: _Optional[bytes] = ..., padding: _Optional[bytes] = ...) -> None: ...

class PageReply(_message.Message):
    __slots__ = ("receipt", "certificate")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    certificate: bytes
    def __init__(self, receipt: _Optional[bytes] = ..., certificate: _Optional[bytes] = ...) -> None: ...

class ToldRequest(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: bytes
    def __init__(self, case: _Optional[bytes] = ...) -> None: ...

class ToldChunk(_message.Message):
    __slots__ = ("ids", "said")
    IDS_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    said: bytes
    def __init__(self, ids: _Optional[bytes] = ..., said: _Optional[bytes] = ...) -> None: ...

class HeadsRequest(_message.Message):
    __slots__ = ("case", "since")
    CASE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    case: bytes
    since: int
    def __init__(self, case: _Optional[bytes] = ..., since: _Optional[int] = ...) -> None: ...

class HeadReply(_message.Message):
    __slots__ = ("head",)
    HEAD_FIELD_NUMBER: _ClassVar[int]
    head: bytes
    def __init__(self, head: _Optional[bytes] = ...) -> None: ...

class ContentRequest(_message.Message):
    __slots__ = ("case", "version")
    CASE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    case: bytes
    version: int
    def __init__(self, case: _Optional[bytes] = ..., version: _Optional[int] = ...) -> None: ...

class ContentChunk(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...
