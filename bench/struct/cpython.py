"""Does and times what measure.ts does, for the cases that it is given as JSON."""

import json
import platform
import statistics
import struct
import sys
import time
import timeit

REPEATS = 15
SECONDS = 0.01


def value_of(value):
    """JSON has no bytes and no wide integers."""
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"]) if "bytes" in value else int(value["int"])
    return value


def nanoseconds(statement, count, names):
    """The median time of one of the statement's `count` calls."""
    timer = timeit.Timer(statement, globals=names)
    number = 1
    while timer.timeit(number) < SECONDS:
        number *= 2
    times = timer.repeat(REPEATS, number)
    return statistics.median(times) / number / count * 1e9


def measure(case):
    prepared = struct.Struct(case["format"])
    rows = [tuple(map(value_of, row)) for row in case["rows"]]
    packed = [prepared.pack(*row) for row in rows]
    target = bytearray(case["space"])
    for at, data in zip(case["at"], packed):
        target[at : at + len(data)] = data
    places = [(at, *row) for at, row in zip(case["at"], rows)]
    names = {
        "pack": prepared.pack,
        "unpack": prepared.unpack,
        "pack_into": prepared.pack_into,
        "unpack_from": prepared.unpack_from,
        "rows": rows,
        "packed": packed,
        "target": target,
        "places": places,
        "offsets": case["at"],
    }
    each = ", ".join(f"v{index}" for index in range(len(rows[0])))
    if len(rows[0]) > 16:
        row, values = "values", "*values"
        place = "at, *values"
    else:
        row, values = f"{each},", each
        place = f"at, {each}"
    statements = {
        "unpackFrom": "for at in offsets: unpack_from(target, at)",
        "pack": f"for {row} in rows: pack({values})",
        "unpack": "for data in packed: unpack(data)",
        "packInto": f"for {place} in places: pack_into(target, at, {values})",
    }
    times = {
        operation: nanoseconds(statement, len(rows), names)
        for operation, statement in statements.items()
    }
    return {"times": times, "packed": [data.hex() for data in packed]}


def first_use(formats):
    """The median time in µs to pack with a format that was never used before."""
    times = []
    for format in formats:
        start = time.perf_counter_ns()
        struct.Struct(format).pack(1, 2, 3, 4)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


task = json.load(sys.stdin)
json.dump(
    {
        "version": platform.python_version(),
        "cases": {case["format"]: measure(case) for case in task["cases"]},
        "first": first_use(task["formats"]),
    },
    sys.stdout,
)
