"""Answers each line on standard input with Python's struct: [format, values, bytes as hex] with
[size, packed, that unpacked, the bytes unpacked], and a format alone with its size or what is wrong
with it. Integers are i…, floats f… by the bits of the double, bytes b… in hex."""

import json
import math
import struct
import sys


def decode(value):
    if isinstance(value, bool):
        return value
    if value == "nan":
        return math.nan
    kind, rest = value[0], value[1:]
    if kind == "i":
        return int(rest)
    if kind == "f":
        return struct.unpack(">d", bytes.fromhex(rest))[0]
    return bytes.fromhex(rest)


def encode(value):
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, bytes):
        return "b" + value.hex()
    if math.isnan(value):
        return "nan"
    return "f" + struct.pack(">d", value).hex()


for line in sys.stdin:
    given = json.loads(line)
    if isinstance(given, str):
        try:
            answer = struct.calcsize(given)
        except struct.error as error:
            answer = str(error)
    else:
        format, values, data = given
        packed = struct.pack(format, *map(decode, values))
        answer = [
            struct.calcsize(format),
            packed.hex(),
            [encode(value) for value in struct.unpack(format, packed)],
            [encode(value) for value in struct.unpack(format, bytes.fromhex(data))],
        ]
    print(json.dumps(answer, separators=(",", ":")))
