"""Certificate files of pyzmq.

    certificates.py create DIRECTORY NAME [KEY VALUE]   makes a pair of files and prints their names
    certificates.py load FILE                           prints the public key, and the secret one if it is there
    certificates.py load-all DIRECTORY                  prints the public keys of all *.key files, sorted
"""

import sys

import zmq.auth

command, *arguments = sys.argv[1:]
if command == "create":
    directory, name, *metadata = arguments
    for path in zmq.auth.create_certificates(directory, name, metadata=dict([metadata]) if metadata else None):
        print(path)
elif command == "load":
    for key in zmq.auth.load_certificate(arguments[0]):
        print(key.decode() if key else "none")
else:
    for key in sorted(zmq.auth.load_certificates(arguments[0])):
        print(key.decode())
