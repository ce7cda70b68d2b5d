from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Numbers(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NUMBERS_EXACT: _ClassVar[Numbers]
    NUMBERS_FLOAT64: _ClassVar[Numbers]
    NUMBERS_FLOAT32: _ClassVar[Numbers]

class Layout(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAYOUT_COLUMNS: _ClassVar[Layout]
    LAYOUT_ROWS: _ClassVar[Layout]
    LAYOUT_PACKED: _ClassVar[Layout]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_OK: _ClassVar[Status]
    STATUS_NO_DATA: _ClassVar[Status]
    STATUS_UNAVAILABLE: _ClassVar[Status]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_VALUE: _ClassVar[State]
    STATE_ZERO: _ClassVar[State]
    STATE_NO_DATA: _ClassVar[State]
    STATE_EXPIRED: _ClassVar[State]
    STATE_STALE: _ClassVar[State]
    STATE_NOT_YET_VALID: _ClassVar[State]
    STATE_NOT_KEPT: _ClassVar[State]
    STATE_OUT_OF_RANGE: _ClassVar[State]
    STATE_UNAVAILABLE: _ClassVar[State]
NUMBERS_EXACT: Numbers
NUMBERS_FLOAT64: Numbers
NUMBERS_FLOAT32: Numbers
LAYOUT_COLUMNS: Layout
LAYOUT_ROWS: Layout
LAYOUT_PACKED: Layout
STATUS_OK: Status
STATUS_NO_DATA: Status
STATUS_UNAVAILABLE: Status
STATE_VALUE: State
STATE_ZERO: State
STATE_NO_DATA: State
STATE_EXPIRED: State
STATE_STALE: State
STATE_NOT_YET_VALID: State
STATE_NOT_KEPT: State
STATE_OUT_OF_RANGE: State
STATE_UNAVAILABLE: State

class GetFeaturesRequest(_message.Message):
    __slots__ = ("list", "features", "version", "entities", "at_ms", "numbers", "layout", "states", "kinds")
    class EntitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Keys
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Keys, _Mapping]] = ...) -> None: ...
    LIST_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    list: str
    features: _containers.RepeatedScalarFieldContainer[str]
    version: int
    entities: _containers.MessageMap[str, Keys]
    at_ms: int
    numbers: Numbers
    layout: Layout
    states: bool
    kinds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, list: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ..., entities: _Optional[_Mapping[str, Keys]] = ..., at_ms: _Optional[int] = ..., numbers: _Optional[_Union[Numbers, str]] = ..., layout: _Optional[_Union[Layout, str]] = ..., states: bool = ..., kinds: _Optional[_Iterable[str]] = ...) -> None: ...

class Keys(_message.Message):
    __slots__ = ("texts", "numbers", "for_all_rows")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    FOR_ALL_ROWS_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    for_all_rows: bool
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., numbers: _Optional[_Iterable[int]] = ..., for_all_rows: bool = ...) -> None: ...

class GetFeaturesResponse(_message.Message):
    __slots__ = ("list", "version", "row_count", "heads", "columns", "rows", "status", "errors", "counts_since_ms", "now_ms", "read_ms", "blocks")
    class ErrorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class CountsSinceMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LIST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    READ_MS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    list: str
    version: int
    row_count: int
    heads: _containers.RepeatedCompositeFieldContainer[ColumnHead]
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    rows: _containers.RepeatedCompositeFieldContainer[Row]
    status: bytes
    errors: _containers.ScalarMap[str, str]
    counts_since_ms: _containers.ScalarMap[str, int]
    now_ms: int
    read_ms: bytes
    blocks: _containers.RepeatedCompositeFieldContainer[Block]
    def __init__(self, list: _Optional[str] = ..., version: _Optional[int] = ..., row_count: _Optional[int] = ..., heads: _Optional[_Iterable[_Union[ColumnHead, _Mapping]]] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[Row, _Mapping]]] = ..., status: _Optional[bytes] = ..., errors: _Optional[_Mapping[str, str]] = ..., counts_since_ms: _Optional[_Mapping[str, int]] = ..., now_ms: _Optional[int] = ..., read_ms: _Optional[bytes] = ..., blocks: _Optional[_Iterable[_Union[Block, _Mapping]]] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("kind", "heads", "numbers", "row_bytes", "rows", "others", "entities")
    class OthersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: Column
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[Column, _Mapping]] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    ROW_BYTES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    heads: _containers.RepeatedScalarFieldContainer[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    row_bytes: int
    rows: bytes
    others: _containers.MessageMap[int, Column]
    entities: bytes
    def __init__(self, kind: _Optional[str] = ..., heads: _Optional[_Iterable[int]] = ..., numbers: _Optional[_Iterable[int]] = ..., row_bytes: _Optional[int] = ..., rows: _Optional[bytes] = ..., others: _Optional[_Mapping[int, Column]] = ..., entities: _Optional[bytes] = ...) -> None: ...

class ColumnHead(_message.Message):
    __slots__ = ("name", "type", "kind", "default")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    kind: str
    default: Value
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., kind: _Optional[str] = ..., default: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("present", "filled", "states", "float64", "float32", "int64", "booleans", "texts", "lists", "large")
    class LargeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_FIELD_NUMBER: _ClassVar[int]
    INT64_FIELD_NUMBER: _ClassVar[int]
    BOOLEANS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    LARGE_FIELD_NUMBER: _ClassVar[int]
    present: bytes
    filled: bytes
    states: bytes
    float64: bytes
    float32: bytes
    int64: bytes
    booleans: bytes
    texts: _containers.RepeatedScalarFieldContainer[str]
    lists: _containers.RepeatedCompositeFieldContainer[ListOfValues]
    large: _containers.ScalarMap[int, str]
    def __init__(self, present: _Optional[bytes] = ..., filled: _Optional[bytes] = ..., states: _Optional[bytes] = ..., float64: _Optional[bytes] = ..., float32: _Optional[bytes] = ..., int64: _Optional[bytes] = ..., booleans: _Optional[bytes] = ..., texts: _Optional[_Iterable[str]] = ..., lists: _Optional[_Iterable[_Union[ListOfValues, _Mapping]]] = ..., large: _Optional[_Mapping[int, str]] = ...) -> None: ...

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

class Row(_message.Message):
    __slots__ = ("status", "values")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    status: Status
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, status: _Optional[_Union[Status, str]] = ..., values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("integer", "real", "boolean", "text", "list", "digits", "state", "is_default")
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    REAL_FIELD_NUMBER: _ClassVar[int]
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    integer: int
    real: float
    boolean: bool
    text: str
    list: ListOfValues
    digits: str
    state: State
    is_default: bool
    def __init__(self, integer: _Optional[int] = ..., real: _Optional[float] = ..., boolean: bool = ..., text: _Optional[str] = ..., list: _Optional[_Union[ListOfValues, _Mapping]] = ..., digits: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., is_default: bool = ...) -> None: ...

class DescribeListRequest(_message.Message):
    __slots__ = ("list", "features", "version")
    LIST_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    list: str
    features: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, list: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListDescription(_message.Message):
    __slots__ = ("list", "version", "heads", "kinds", "entities_max")
    LIST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_MAX_FIELD_NUMBER: _ClassVar[int]
    list: str
    version: int
    heads: _containers.RepeatedCompositeFieldContainer[ColumnHead]
    kinds: _containers.RepeatedCompositeFieldContainer[KindOfEntity]
    entities_max: int
    def __init__(self, list: _Optional[str] = ..., version: _Optional[int] = ..., heads: _Optional[_Iterable[_Union[ColumnHead, _Mapping]]] = ..., kinds: _Optional[_Iterable[_Union[KindOfEntity, _Mapping]]] = ..., entities_max: _Optional[int] = ...) -> None: ...

class KindOfEntity(_message.Message):
    __slots__ = ("name", "type", "featuresets")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FEATURESETS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    featuresets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., featuresets: _Optional[_Iterable[str]] = ...) -> None: ...

class ErrorDetail(_message.Message):
    __slots__ = ("error", "entities", "unavailable")
    class EntitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    error: str
    entities: _containers.ScalarMap[str, str]
    unavailable: int
    def __init__(self, error: _Optional[str] = ..., entities: _Optional[_Mapping[str, str]] = ..., unavailable: _Optional[int] = ...) -> None: ...
