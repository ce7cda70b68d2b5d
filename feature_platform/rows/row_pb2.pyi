from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TileRow(_message.Message):
    __slots__ = ("features", "counter_ids", "counters")
    class FeaturesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: FeatureValue
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[FeatureValue, _Mapping]] = ...) -> None: ...
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    COUNTER_IDS_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    features: _containers.MessageMap[int, FeatureValue]
    counter_ids: _containers.RepeatedScalarFieldContainer[int]
    counters: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, features: _Optional[_Mapping[int, FeatureValue]] = ..., counter_ids: _Optional[_Iterable[int]] = ..., counters: _Optional[_Iterable[int]] = ...) -> None: ...

class HeadRow(_message.Message):
    __slots__ = ("tiles",)
    TILES_FIELD_NUMBER: _ClassVar[int]
    tiles: _containers.RepeatedCompositeFieldContainer[Tile]
    def __init__(self, tiles: _Optional[_Iterable[_Union[Tile, _Mapping]]] = ...) -> None: ...

class Tile(_message.Message):
    __slots__ = ("level", "start_ms", "row")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    level: int
    start_ms: int
    row: bytes
    def __init__(self, level: _Optional[int] = ..., start_ms: _Optional[int] = ..., row: _Optional[bytes] = ...) -> None: ...

class FeatureValue(_message.Message):
    __slots__ = ("times_ms", "partitions", "offsets", "integers", "reals", "texts", "sketch")
    TIMES_MS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    REALS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    SKETCH_FIELD_NUMBER: _ClassVar[int]
    times_ms: _containers.RepeatedScalarFieldContainer[int]
    partitions: _containers.RepeatedScalarFieldContainer[int]
    offsets: _containers.RepeatedScalarFieldContainer[int]
    integers: _containers.RepeatedScalarFieldContainer[int]
    reals: _containers.RepeatedScalarFieldContainer[float]
    texts: _containers.RepeatedScalarFieldContainer[bytes]
    sketch: bytes
    def __init__(self, times_ms: _Optional[_Iterable[int]] = ..., partitions: _Optional[_Iterable[int]] = ..., offsets: _Optional[_Iterable[int]] = ..., integers: _Optional[_Iterable[int]] = ..., reals: _Optional[_Iterable[float]] = ..., texts: _Optional[_Iterable[bytes]] = ..., sketch: _Optional[bytes] = ...) -> None: ...

class UndoRow(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[UndoEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[UndoEntry, _Mapping]]] = ...) -> None: ...

class UndoEntry(_message.Message):
    __slots__ = ("level", "start_ms", "row")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    level: int
    start_ms: int
    row: bytes
    def __init__(self, level: _Optional[int] = ..., start_ms: _Optional[int] = ..., row: _Optional[bytes] = ...) -> None: ...

class FeaturesCombined(_message.Message):
    __slots__ = ("features",)
    class FeaturesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: FeatureValue
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[FeatureValue, _Mapping]] = ...) -> None: ...
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    features: _containers.MessageMap[int, FeatureValue]
    def __init__(self, features: _Optional[_Mapping[int, FeatureValue]] = ...) -> None: ...

class FeaturesCombinedCompatible(_message.Message):
    __slots__ = ("features",)
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedCompositeFieldContainer[FeatureEntry]
    def __init__(self, features: _Optional[_Iterable[_Union[FeatureEntry, _Mapping]]] = ...) -> None: ...

class FeatureEntry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: int
    value: FeatureValue
    def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[FeatureValue, _Mapping]] = ...) -> None: ...

class FeaturesCombinedLazy(_message.Message):
    __slots__ = ("features",)
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, features: _Optional[_Iterable[bytes]] = ...) -> None: ...
