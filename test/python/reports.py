"""Prints what the membership reports tell that arrive on any interface, IGMPv3 and MLDv2.

node:dgram hears neither. Prints {"listening": true} first, then {"on", "group", "joined", "sources"} for
each record, until it is ended.
"""

import json
import socket
import struct

ETH_P_ALL = 3
# Record types that ask for a group, whatever their sources: MODE_IS_EXCLUDE, CHANGE_TO_EXCLUDE.
EXCLUDE = (2, 4)
# Those that ask for their sources: MODE_IS_INCLUDE, CHANGE_TO_INCLUDE, ALLOW_NEW_SOURCES.
INCLUDE = (1, 3, 5)


def records(report, family):
    """The records of a report, which both protocols write alike but for the size of an address."""
    size = 4 if family == socket.AF_INET else 16
    (count,) = struct.unpack_from("!H", report, 6)
    at = 8
    for _ in range(count):
        kind, beside, sources = struct.unpack_from("!BBH", report, at)
        addresses = [
            socket.inet_ntop(family, report[start : start + size])
            for start in range(at + 4, at + 4 + size * (1 + sources), size)
        ]
        at += 4 + size * (1 + sources) + 4 * beside
        joined = kind in EXCLUDE or (kind in INCLUDE and sources > 0)
        yield {"group": addresses[0], "joined": joined, "sources": addresses[1:]}


def reported(packet, protocol):
    """What a packet reports, if it is a report."""
    if protocol == 0x0800 and packet[9] == 2:
        report = packet[(packet[0] & 15) * 4 :]
        if report[0] == 0x22:
            yield from records(report, socket.AF_INET)
    # MLD stands behind a hop-by-hop header of eight bytes, with the router alert.
    if protocol == 0x86DD and packet[6] == 0 and packet[40] == 58 and packet[48] == 143:
        yield from records(packet[48:], socket.AF_INET6)


sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
print(json.dumps({"listening": True}), flush=True)
while True:
    try:
        packet, (device, protocol, *_rest) = sock.recvfrom(65536)
    except OSError:
        # An interface has gone down.
        continue
    for record in reported(packet, protocol):
        print(json.dumps({"on": device, **record}), flush=True)
