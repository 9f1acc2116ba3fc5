"""A DEALER in Python that is monitored: `bind` prints its endpoint, `connect ENDPOINT` connects; then a line for each
event, until a line arrives on standard input."""

import signal
import sys

import zmq
from zmq.utils.monitor import recv_monitor_message

DEADLINE = 60

signal.alarm(DEADLINE)
context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.linger = 0
monitor = socket.get_monitor_socket()
if sys.argv[1] == "bind":
    socket.bind("tcp://127.0.0.1:*")
    print(socket.last_endpoint.decode())
else:
    socket.connect(sys.argv[2])
poller = zmq.Poller()
poller.register(monitor, zmq.POLLIN)
poller.register(sys.stdin, zmq.POLLIN)
while sys.stdin.fileno() not in (ready := dict(poller.poll())):
    if monitor in ready:
        event = recv_monitor_message(monitor)
        print(zmq.Event(event["event"]).name, event["endpoint"].decode())
socket.disable_monitor()
context.destroy()
