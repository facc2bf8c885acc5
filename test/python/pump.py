"""Sends 0, 1, 2, … to an IPv4 group, one every 10 ms, and then tells that it has: {"sent"}."""

import json
import socket
import sys
import time

group, port, source, count = sys.argv[1:]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
for number in range(int(count)):
    sock.sendto(str(number).encode(), (group, int(port)))
    time.sleep(0.01)
print(json.dumps({"sent": int(count)}), flush=True)
