"""The tutorial's receiver: joins on whichever interface the system picks, and answers everyone.

Prints {"listening": port} first, then one JSON line for each message. Ends after --count
messages, or when nothing came for --timeout seconds.
"""

import argparse
import json
import socket
import struct

options = argparse.ArgumentParser()
options.add_argument("group")
options.add_argument("port", type=int)
options.add_argument("--hex", help="the reply in hexadecimal, in place of the text")
options.add_argument("--count", type=int, default=1)
options.add_argument("--timeout", type=float, default=10)
given = options.parse_args()

reply = bytes.fromhex(given.hex) if given.hex else "組播消息已經收到".encode("UTF-8")

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(given.timeout)
sock.bind(("", given.port))
membership = struct.pack("4sL", socket.inet_aton(given.group), socket.INADDR_ANY)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
print(json.dumps({"listening": given.port}), flush=True)
try:
    for _ in range(given.count):
        data, (address, port) = sock.recvfrom(1024)
        print(json.dumps({"hex": data.hex(), "address": address, "port": port}), flush=True)
        sock.sendto(reply, (address, port))
finally:
    sock.close()
