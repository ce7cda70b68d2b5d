"""The few bytes of protobuf that are written by hand, so that kept ones need no message. No I/O."""

LENGTH_DELIMITED = 2
_SEVEN_BITS, _MORE = 0x7F, 0x80


def varint(number: int) -> bytes:
    """Return a number that is not negative as a varint."""
    written = bytearray()
    while number > _SEVEN_BITS:
        written.append(number & _SEVEN_BITS | _MORE)
        number >>= 7
    written.append(number)
    return bytes(written)


def prefix(number: int, size: int) -> bytes:
    """Return what is before the bytes of a text, bytes or a message.

    Args:
        number: Of the field.
        size: How many bytes follow.
    """
    return varint(number << 3 | LENGTH_DELIMITED) + varint(size)


def field(number: int, content: bytes) -> bytes:
    """Return a field of bytes; nothing if it is empty, as protobuf does."""
    return prefix(number, len(content)) + content if content else b""
