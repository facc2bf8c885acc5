"""Hears a group, IPv4 or IPv6, and prints the TTL or hop limit that each datagram arrived with.

node:dgram cannot read it: the kernel tells it beside the data, through recvmsg.
Prints {"listening": port} first, then {"hops", "hex"} for each of --count datagrams.
"""

import argparse
import json
import socket
import struct

# Not in Python's socket before 3.14; this is Linux's.
IP_RECVTTL = 12

options = argparse.ArgumentParser()
options.add_argument("group")
options.add_argument("port", type=int)
options.add_argument("interface", help="its name")
options.add_argument("--count", type=int, default=1)
options.add_argument("--timeout", type=float, default=10)
given = options.parse_args()

index = socket.if_nametoindex(given.interface)
if ":" in given.group:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    group = socket.inet_pton(socket.AF_INET6, given.group)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("=I", index))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
else:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    group = socket.inet_aton(given.group)
    # ip_mreqn: the group, any address, the interface's index.
    mreqn = struct.pack("=4s4si", group, bytes(4), index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreqn)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
sock.settimeout(given.timeout)
sock.bind(("", given.port))
print(json.dumps({"listening": given.port}), flush=True)
try:
    for _ in range(given.count):
        data, beside, _flags, _address = sock.recvmsg(1024, socket.CMSG_SPACE(4))
        hops = struct.unpack("=i", beside[0][2])[0]
        print(json.dumps({"hops": hops, "hex": data.hex()}), flush=True)
finally:
    sock.close()
