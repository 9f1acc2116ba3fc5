"""Prints the version of the libzmq that pyzmq brings with it."""

import zmq

print(zmq.zmq_version())
