"""Hands packed values to the kernel, and prints what the kernel makes of them.

Each argument is OPTION=HEX, for a socket of its own. A membership is added, looked up in /proc/net
and dropped again with the same bytes: {"joined": ["device group source"], "left": all of them}. Of
another option the value is read back: {"value"}. What the kernel refuses is {"error": errno's name}.
"""

import errno
import json
import socket
import struct
import sys

IP, IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
# Not in Python's socket before 3.12; these are Linux's.
IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP = 39, 40
MEMBERSHIPS = {
    "IP_ADD_MEMBERSHIP": (IP, socket.IP_ADD_MEMBERSHIP, socket.IP_DROP_MEMBERSHIP),
    "IP_ADD_SOURCE_MEMBERSHIP": (IP, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP),
    "IPV6_JOIN_GROUP": (IPV6, socket.IPV6_JOIN_GROUP, socket.IPV6_LEAVE_GROUP),
}
VALUES = {
    "IP_MULTICAST_TTL": (IP, socket.IP_MULTICAST_TTL),
    "IPV6_MULTICAST_HOPS": (IPV6, socket.IPV6_MULTICAST_HOPS),
}


def rows(name):
    with open(f"/proc/net/{name}") as table:
        return [line.split() for line in table]


def memberships():
    """Every membership of this network namespace: its device, group and source, if it has one."""
    found = set()
    device = None
    for row in rows("igmp")[1:]:
        if row[0].isdigit():
            device = row[1]
        else:
            found.add(f"{device} {socket.inet_ntoa(struct.pack('=I', int(row[0], 16)))}")
    for _index, device, group, source, *_counts in rows("mcfilter")[1:]:
        addresses = [socket.inet_ntoa(struct.pack("!I", int(hex, 16))) for hex in (group, source)]
        found.add(" ".join([device, *addresses]))
    for _index, device, group, *_counts in rows("igmp6"):
        found.add(f"{device} {socket.inet_ntop(socket.AF_INET6, bytes.fromhex(group))}")
    return found


def answer(option, value):
    level = (MEMBERSHIPS.get(option) or VALUES[option])[0]
    family = socket.AF_INET if level == IP else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        if option in VALUES:
            sock.setsockopt(*VALUES[option], value)
            return {"value": sock.getsockopt(*VALUES[option])}
        _level, add, drop = MEMBERSHIPS[option]
        before = memberships()
        sock.setsockopt(level, add, value)
        joined = sorted(memberships() - before)
        sock.setsockopt(level, drop, value)
        return {"joined": joined, "left": memberships() == before}


for given in sys.argv[1:]:
    option, value = given.split("=")
    try:
        line = answer(option, bytes.fromhex(value))
    except OSError as error:
        line = {"error": errno.errorcode[error.errno]}
    print(json.dumps(line), flush=True)
