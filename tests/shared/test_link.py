"""Framed messages over a real socket pair, whole, in order, and an end that is noticed."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from lab import link
from lab.link import Link, LinkClosed
from lab.v1.event_pb2 import LogWritten
from lab.v1.worker_pb2 import WorkerCommand, WorkerEvent


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def event(text: str) -> WorkerEvent:
    return WorkerEvent(log_written=LogWritten(text=text))


def test_messages_arrive_whole_and_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = Link(pair[0]), Link(pair[1])
    texts = ["", "a", "b" * 100_000, "é" * 1000]  # one of them fills the socket's buffer

    def send() -> None:
        for text in texts:
            sender.send(event(text))

    sending = threading.Thread(target=send)
    sending.start()
    received = [receiver.receive(WorkerEvent).log_written.text for _ in texts]
    sending.join()
    assert received == texts


def test_threads_that_send_at_once_do_not_mix_their_bytes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sender, receiver = Link(pair[0]), Link(pair[1])

    def send(letter: str) -> None:
        for _ in range(50):
            sender.send(event(letter * 20_000))

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    received = [receiver.receive(WorkerEvent).log_written.text for _ in range(150)]
    for thread in threads:
        thread.join()
    assert sorted(received) == sorted(letter * 20_000 for letter in "abc" for _ in range(50))


def test_a_closed_link_wakes_the_thread_that_waits(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    receiver, ended = Link(pair[1]), threading.Event()

    def wait() -> None:
        with pytest.raises(LinkClosed):
            receiver.receive(WorkerCommand)
        ended.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    receiver.close()
    assert ended.wait(5)
    waiting.join()


def test_an_end_in_the_middle_of_a_message_is_an_end(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].sendall(link.encode(event("half"))[:-1])
    pair[0].close()
    with pytest.raises(LinkClosed):
        Link(pair[1]).receive(WorkerEvent)


def test_sending_to_nobody_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(LinkClosed):
        Link(pair[0]).send(event("anybody?"))


def test_a_length_no_message_has_means_out_of_step(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].sendall(struct.pack(">I", link.MAX_MESSAGE_BYTES + 1))
    with pytest.raises(LinkClosed, match="out of step"):
        Link(pair[1]).receive(WorkerEvent)


def test_a_message_over_the_limit_is_not_sent() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        link.encode(event("x" * link.MAX_MESSAGE_BYTES))


async def test_the_asyncio_end_reads_the_same_frames(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sender = Link(pair[0])
    reader, writer = await asyncio.open_connection(sock=pair[1])
    sender.send(event("one"))
    sender.send(event("two"))
    assert (await link.receive(reader, WorkerEvent)).log_written.text == "one"
    assert (await link.receive(reader, WorkerEvent)).log_written.text == "two"
    sender.close()
    with pytest.raises(LinkClosed):
        await link.receive(reader, WorkerEvent)
    writer.close()
