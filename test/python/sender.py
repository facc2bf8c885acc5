"""The tutorial's sender: one message to the group, then replies until the socket times out.

Prints one JSON line for each reply, and {"end": "timeout"} last.
"""

import argparse
import json
import socket
import struct

options = argparse.ArgumentParser()
options.add_argument("group")
options.add_argument("port", type=int)
options.add_argument("--hex", help="the message in hexadecimal, in place of the text")
options.add_argument("--timeout", type=float, default=1, help="seconds of silence that end it")
options.add_argument("--most", type=int, default=100, help="replies after which it gives up")
given = options.parse_args()

message = bytes.fromhex(given.hex) if given.hex else "群發的消息,你不必回".encode("UTF-8")

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(given.timeout)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("b", 1))
try:
    sock.sendto(message, (given.group, given.port))
    for _ in range(given.most):
        try:
            data, (address, port) = sock.recvfrom(1024)
        except socket.timeout:
            print(json.dumps({"end": "timeout"}), flush=True)
            break
        print(json.dumps({"hex": data.hex(), "address": address, "port": port}), flush=True)
finally:
    sock.close()
