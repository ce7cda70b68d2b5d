from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Storage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORAGE_INT64: _ClassVar[Storage]
    STORAGE_FLOAT64: _ClassVar[Storage]
    STORAGE_BOOLEAN: _ClassVar[Storage]
    STORAGE_TEXT: _ClassVar[Storage]
    STORAGE_LIST: _ClassVar[Storage]
STORAGE_INT64: Storage
STORAGE_FLOAT64: Storage
STORAGE_BOOLEAN: Storage
STORAGE_TEXT: Storage
STORAGE_LIST: Storage

class ServedRows(_message.Message):
    __slots__ = ("format", "request_id", "instant_ms", "list", "version", "heads", "kinds", "origins", "row_count", "status", "ages_ms", "shown", "int64", "float64", "booleans", "texts", "lists", "large")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANT_MS_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AGES_MS_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    INT64_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_FIELD_NUMBER: _ClassVar[int]
    BOOLEANS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    LARGE_FIELD_NUMBER: _ClassVar[int]
    format: int
    request_id: str
    instant_ms: int
    list: str
    version: int
    heads: _containers.RepeatedCompositeFieldContainer[Head]
    kinds: _containers.RepeatedCompositeFieldContainer[Kind]
    origins: _containers.RepeatedCompositeFieldContainer[Origin]
    row_count: int
    status: bytes
    ages_ms: bytes
    shown: bytes
    int64: bytes
    float64: bytes
    booleans: bytes
    texts: _containers.RepeatedCompositeFieldContainer[Texts]
    lists: _containers.RepeatedCompositeFieldContainer[Lists]
    large: _containers.RepeatedCompositeFieldContainer[Large]
    def __init__(self, format: _Optional[int] = ..., request_id: _Optional[str] = ..., instant_ms: _Optional[int] = ..., list: _Optional[str] = ..., version: _Optional[int] = ..., heads: _Optional[_Iterable[_Union[Head, _Mapping]]] = ..., kinds: _Optional[_Iterable[_Union[Kind, _Mapping]]] = ..., origins: _Optional[_Iterable[_Union[Origin, _Mapping]]] = ..., row_count: _Optional[int] = ..., status: _Optional[bytes] = ..., ages_ms: _Optional[bytes] = ..., shown: _Optional[bytes] = ..., int64: _Optional[bytes] = ..., float64: _Optional[bytes] = ..., booleans: _Optional[bytes] = ..., texts: _Optional[_Iterable[_Union[Texts, _Mapping]]] = ..., lists: _Optional[_Iterable[_Union[Lists, _Mapping]]] = ..., large: _Optional[_Iterable[_Union[Large, _Mapping]]] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("name", "type", "storage")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    storage: Storage
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., storage: _Optional[_Union[Storage, str]] = ...) -> None: ...

class Kind(_message.Message):
    __slots__ = ("name", "keys")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    name: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("featureset", "written")
    FEATURESET_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    featureset: str
    written: bytes
    def __init__(self, featureset: _Optional[str] = ..., written: _Optional[bytes] = ...) -> None: ...

class Texts(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class Lists(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[ListOfValues]
    def __init__(self, values: _Optional[_Iterable[_Union[ListOfValues, _Mapping]]] = ...) -> None: ...

class ListOfValues(_message.Message):
    __slots__ = ("texts", "integers", "reals", "booleans")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    REALS_FIELD_NUMBER: _ClassVar[int]
    BOOLEANS_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    integers: _containers.RepeatedScalarFieldContainer[int]
    reals: _containers.RepeatedScalarFieldContainer[float]
    booleans: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., integers: _Optional[_Iterable[int]] = ..., reals: _Optional[_Iterable[float]] = ..., booleans: _Optional[_Iterable[bool]] = ...) -> None: ...

class Large(_message.Message):
    __slots__ = ("column", "row", "digits")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    column: int
    row: int
    digits: str
    def __init__(self, column: _Optional[int] = ..., row: _Optional[int] = ..., digits: _Optional[str] = ...) -> None: ...
