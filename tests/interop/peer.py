"""A peer in Python: opens one socket and takes the steps that its arguments name, as peer.c explains.

`buffer` sends and receives bytes, frame by frame; `msg` sends and receives pyzmq's messages, all of them in one call.
"""

import select
import signal
import sys

import zmq

DEADLINE = 60
SHOWN = 34
REPEAT = 0.01


def make_pattern():
    """A mebibyte of the bytes i * 167 + (i >> 8) * 13: rows of 256 that differ by what is added to the first."""
    row = bytes(i * 167 & 255 for i in range(256))
    added = [row.translate(bytes((byte + add) & 255 for byte in range(256))) for add in range(256)]
    return b"".join(added[i * 13 & 255] for i in range(4096))


PATTERN = make_pattern()


def parse_frame(text):
    if text.startswith("#"):
        return PATTERN[: int(text[1:])]
    if text.startswith("%"):
        return bytes.fromhex(text[1:])
    return text.encode()


def parse(text):
    return [parse_frame(frame) for frame in text.split("|")]


def show(frames):
    def content(frame):
        if len(frame) <= SHOWN:
            return frame.hex()
        return "pattern" if PATTERN.startswith(frame) else "unknown"

    print("|".join(f"{len(frame)}:{content(frame)}" for frame in frames))


class Peer:
    def __init__(self, functions, socket):
        self.whole = functions == "msg"
        self.socket = socket
        self.received = []
        self.awaited = None

    def send(self, frames):
        if self.whole:
            self.socket.send_multipart([zmq.Frame(frame) for frame in frames])
            return
        for frame in frames[:-1]:
            self.socket.send(frame, zmq.SNDMORE)
        self.socket.send(frames[-1])

    def receive(self):
        if self.whole:
            self.received = [frame.bytes for frame in self.socket.recv_multipart(copy=False)]
            return self.received
        self.received = [self.socket.recv()]
        while self.socket.getsockopt(zmq.RCVMORE):
            self.received.append(self.socket.recv())
        return self.received

    def receive_chunk(self):
        """What a STREAM receives: the address, and bytes."""
        address, chunk = self.receive()
        assert len(address) == 5, address
        return chunk

    def publish(self, frames):
        self.send(frames)
        while not select.select([sys.stdin], [], [], REPEAT)[0]:
            self.send(frames)
        assert sys.stdin.readline(), "standard input ended"

    def take(self, step):
        name, _, value = step.partition(":")
        if name == "id":
            self.socket.setsockopt(zmq.ROUTING_ID, parse_frame(value))
        elif name == "subscribe":
            self.socket.setsockopt(zmq.SUBSCRIBE, parse_frame(value))
        elif name == "bind":
            self.socket.bind(value)
            print("bound", self.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode())
        elif name == "connect":
            self.socket.connect(value)
        elif name == "send":
            self.send(parse(value))
        elif name == "recv":
            while self.receive() == self.awaited:
                pass
            show(self.received)
        elif name == "echo":
            self.send(self.received)
        elif name == "publish":
            self.publish(parse(value))
        elif name == "await":
            self.awaited = parse(value)
            show(self.receive())
            assert self.received == self.awaited
        elif name == "greet":
            assert self.receive_chunk() == b"", "this is no notice of a connection"
            print("5:address|0:")
        elif name == "write":
            self.send([self.received[0], parse_frame(value)])
        elif name == "read":
            whole = b""
            while len(whole) < int(value):
                chunk = self.receive_chunk()
                assert chunk, "the connection has ended"
                whole += chunk
            show([whole])
        else:
            raise ValueError(step)


def main():
    signal.alarm(DEADLINE)
    functions, kind, *steps = sys.argv[1:]
    with zmq.Context() as context, context.socket(getattr(zmq, kind)) as socket:
        peer = Peer(functions, socket)
        for step in steps:
            peer.take(step)
    print("done")


main()
