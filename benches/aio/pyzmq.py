"""pyzmq: MODE ENDPOINT SIZE COUNT, the tasks of benches/c/aio.c by blocking calls."""

import sys
import threading
import time

import zmq

PEERS = 100
SERVER_PUBLIC = b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
SERVER_SECRET = b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
CLIENT_PUBLIC = b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
CLIENT_SECRET = b"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"


def opened(kind):
    socket = context.socket(kind)
    binds = kind in (zmq.PULL, zmq.REP)
    address = endpoint
    if endpoint.startswith("curve://"):
        address = endpoint.replace("curve://", "tcp://")
        if binds:
            socket.curve_server = True
            socket.curve_secretkey = SERVER_SECRET
        else:
            socket.curve_serverkey = SERVER_PUBLIC
            socket.curve_publickey = CLIENT_PUBLIC
            socket.curve_secretkey = CLIENT_SECRET
    if binds:
        socket.bind(address)
    else:
        socket.connect(address)
    return socket


def push(peers=1):
    sockets = [opened(zmq.PUSH) for _ in range(peers)]
    content = bytes(size)
    for message in range(peers + count):
        sockets[message % peers].send(content)
    for socket in sockets:
        socket.close()


def pull(socket, untimed=1):
    for _ in range(untimed):
        socket.recv()
    start = time.perf_counter_ns()
    for _ in range(count):
        socket.recv()
    print(time.perf_counter_ns() - start)
    socket.close()


def to_itself():
    socket, peer = opened(zmq.PULL), opened(zmq.PUSH)
    content = bytes(size)
    start = 0
    for message in range(count + 1):
        peer.send(content)
        socket.recv()
        if message == 0:
            start = time.perf_counter_ns()
    print(time.perf_counter_ns() - start)
    peer.close()
    socket.close()


def req():
    socket = opened(zmq.REQ)
    content = bytes(size)
    times = []
    for _ in range(count + 1):
        socket.send(content)
        socket.recv()
        times.append(time.perf_counter_ns())
    trips = sorted(after - before for before, after in zip(times, times[1:]))
    print(times[-1] - times[0], *(trips[count * part // 1000] for part in (500, 990, 999)))
    socket.close()


def rep(socket):
    for _ in range(count + 1):
        socket.send(socket.recv())
    socket.close()


def beside(peer, *arguments):
    thread = threading.Thread(target=peer, args=arguments)
    thread.start()
    return thread


mode, endpoint, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
context = zmq.Context()
if mode == "push":
    push()
elif mode == "push-many":
    push(PEERS)
elif mode == "pull":
    pull(opened(zmq.PULL))
elif mode == "pull-many":
    pull(opened(zmq.PULL), PEERS)
elif mode == "req":
    req()
elif mode == "rep":
    rep(opened(zmq.REP))
elif mode == "loop":
    to_itself()
elif mode == "inproc":
    receiver = opened(zmq.PULL)
    sender = beside(push)
    pull(receiver)
    sender.join()
elif mode == "inproc-req":
    server = beside(rep, opened(zmq.REP))
    req()
    server.join()
else:
    sys.exit(f"{mode}: no such mode")
# It waits until everything is sent.
context.term()
