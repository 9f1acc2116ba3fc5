"""A peer whose connections are secured. It prints their messages and failures.

    security.py server NAME=VALUE...   binds, with an authenticator of pyzmq's; prints "bound ENDPOINT", then each message
                                       with its user id, which it answers, and each handshake that failed; ends when its
                                       input does
    security.py clients                reads a client's NAME=VALUE, tabs between them, from each line of its input; it
                                       connects to `endpoint`, sends "Hello" and prints the answer, or why the handshake
                                       failed

`mechanism` is null, plain or curve. A server takes `domain`, `allow` and `deny` (an address each), `user` and `password`,
`certificate` (its own, a secret file) and `clients` (a directory of certificates, or `any`). A client takes `user` and
`password`, or `certificate` (its own) and `server` (the server's).
"""

import sys
import threading

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

context = zmq.Context()


def open_socket(kind):
    """A socket, and another that receives its failures."""
    socket = context.socket(kind)
    socket.linger = 0
    events = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    return socket, socket.get_monitor_socket(events | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)


def close(socket, failures):
    socket.disable_monitor()
    failures.close()
    socket.close()


def print_failure(failures):
    event = recv_monitor_message(failures)
    print(zmq.Event(event["event"]).name, event["value"], flush=True)


def set_curve(socket, certificate):
    socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(certificate)


def serve(values):
    socket, failures = open_socket(zmq.REP)
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    if "allow" in values:
        authenticator.allow(values["allow"])
    if "deny" in values:
        authenticator.deny(values["deny"])
    if "domain" in values:
        socket.zap_domain = values["domain"].encode()
    if values["mechanism"] == "plain":
        authenticator.configure_plain(passwords={values["user"]: values["password"]})
        socket.plain_server = True
    if values["mechanism"] == "curve":
        clients = values["clients"]
        authenticator.configure_curve(location=zmq.auth.CURVE_ALLOW_ANY if clients == "any" else clients)
        set_curve(socket, values["certificate"])
        socket.curve_server = True
    socket.bind("tcp://127.0.0.1:*")
    print("bound", socket.last_endpoint.decode(), flush=True)

    # The thread below sends a message over this connection at the end of standard input.
    ended, end = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    ended.bind("inproc://end")

    def wait_for_end():
        sys.stdin.read()
        end.connect("inproc://end")
        end.send(b"")

    threading.Thread(target=wait_for_end, daemon=True).start()
    poller = zmq.Poller()
    for one in (socket, failures, ended):
        poller.register(one, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if socket in ready:
            message = socket.recv(copy=False)
            print(message.bytes.decode(), "from", message.get("User-Id"), flush=True)
            socket.send(b"World")
        if failures in ready:
            print_failure(failures)
        if ended in ready:
            break
    authenticator.stop()
    ended.close()
    end.close()
    close(socket, failures)


def ask(values):
    socket, failures = open_socket(zmq.REQ)
    if values["mechanism"] == "plain":
        socket.plain_username = values["user"].encode()
        socket.plain_password = values["password"].encode()
    if values["mechanism"] == "curve":
        set_curve(socket, values["certificate"])
        socket.curve_serverkey, _ = zmq.auth.load_certificate(values["server"])
    socket.reconnect_ivl = -1
    socket.connect(values["endpoint"])
    try:
        socket.send(b"Hello", zmq.NOBLOCK)
    except zmq.Again:
        pass  # The server has refused this client already.
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(failures, zmq.POLLIN)
    if socket in dict(poller.poll()):
        print(socket.recv().decode(), flush=True)
    else:
        print_failure(failures)
    close(socket, failures)


def pairs(texts):
    return dict(text.split("=", 1) for text in texts)


role, *arguments = sys.argv[1:]
if role == "server":
    serve(pairs(arguments))
else:
    for line in sys.stdin:
        ask(pairs(line.rstrip("\n").split("\t")))
context.term()
