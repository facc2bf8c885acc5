"""Answers calls of socket's address functions and of struct.pack.

Reads a JSON list of [function, *arguments] from standard input and prints a JSON list of answers:
{"hex"} for bytes, {"text"} for a string, {"error", "type"} for an exception. Arguments that are
bytes come as {"hex"}, an address family by its name.
"""

import json
import socket
import struct
import sys

FUNCTIONS = {
    "inet_aton": socket.inet_aton,
    "inet_ntoa": socket.inet_ntoa,
    "inet_pton": lambda family, address: socket.inet_pton(getattr(socket, family), address),
    "inet_ntop": lambda family, packed: socket.inet_ntop(getattr(socket, family), packed),
    "pack": struct.pack,
}


def argument(given):
    return bytes.fromhex(given["hex"]) if isinstance(given, dict) else given


def answer(function, *given):
    try:
        result = FUNCTIONS[function](*map(argument, given))
    except Exception as error:
        return {"error": str(error), "type": type(error).__name__}
    return {"hex": result.hex()} if isinstance(result, bytes) else {"text": result}


# Not json.dump, which makes its text without the compiled encoder.
sys.stdout.write(json.dumps([answer(*call) for call in json.load(sys.stdin)]))
