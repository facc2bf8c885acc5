"""Sends datagrams with any source to a group, one for each address given, from the port that they are to.

They are put on the cable as whole frames, since no kernel would send them.
"""

import socket
import struct
import sys

device, group, port, *sources = sys.argv[1:]
port = int(port)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source, payload):
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, group)
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", port, port, length, 0) + payload
    total = checksum(ends + struct.pack("!IxxxB", length, socket.IPPROTO_UDP) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", total) + udp[8:]
    if family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 1) + ends + udp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 1, socket.IPPROTO_UDP, 0) + ends
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + udp


packed = socket.inet_pton(socket.AF_INET6 if ":" in group else socket.AF_INET, group)
if ":" in group:
    kind, destination = 0x86DD, b"\x33\x33" + packed[-4:]
else:
    kind, destination = 0x0800, b"\x01\x00\x5e" + bytes([packed[1] & 0x7F]) + packed[2:]

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as cable:
    cable.bind((device, 0))
    own = cable.getsockname()[4]
    for source in sources:
        frame = destination + own + struct.pack("!H", kind) + datagram(source, source.encode())
        cable.send(frame)
