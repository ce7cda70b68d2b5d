"""The sockets that the service listens on."""

import asyncio
import socket

from feature_platform.service.ports import bound


def test_an_answer_is_sent_at_once() -> None:
    """Its body does not wait for the acknowledgement of its head, which takes 40 ms."""
    delays: list[int] = []

    async def answered(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = writer.get_extra_info("socket")
        delays.append(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def ask() -> None:
        listening = bound("127.0.0.1", 0, "service.http_port", shared=True)
        port = listening.getsockname()[1]
        async with await asyncio.start_server(answered, sock=listening):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await reader.read()
            writer.close()

    asyncio.run(ask())
    assert delays == [1]
