"""Times what measure.ts does, for the cases and the packed bytes that it is given as JSON."""

import json
import statistics
import struct
import sys
import time
import timeit


def nanoseconds(statement, count, names):
    """The time of one of the statement's `count` calls, measured 15 times for at least 10 ms."""
    timer = timeit.Timer(statement, globals=names)
    number = 1
    while timer.timeit(number) < 0.01:
        number *= 2
    return [time / number / count * 1e9 for time in timer.repeat(15, number)]


def measure(case):
    prepared = struct.Struct(case["format"])
    packed = [bytes.fromhex(data) for data in case["packed"]]
    rows = [prepared.unpack(data) for data in packed]
    assert packed == [prepared.pack(*row) for row in rows], case["format"]
    target = bytearray(task["space"])
    for at, data in zip(case["at"], packed):
        target[at : at + len(data)] = data
    names = {
        "rows": rows,
        "packed": packed,
        "target": target,
        "places": [(at, *row) for at, row in zip(case["at"], rows)],
        "offsets": case["at"],
    }
    for method in ("pack", "unpack", "pack_into", "unpack_from"):
        names[method] = getattr(prepared, method)
    # As valuesOf does: few values come from variables, very many from a list.
    few = len(rows[0]) <= 16
    values = ", ".join(f"v{n}" for n in range(len(rows[0]))) if few else "*values"
    row = f"{values}," if few else "values"
    statements = {
        "unpackFrom": "for at in offsets: unpack_from(target, at)",
        "pack": f"for {row} in rows: pack({values})",
        "unpack": "for data in packed: unpack(data)",
        "packInto": f"for at, {values} in places: pack_into(target, at, {values})",
    }
    return {
        operation: nanoseconds(statement, len(rows), names)
        for operation, statement in statements.items()
    }


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
        "times": {case["format"]: measure(case) for case in task["cases"]},
        "first": first_use(task["formats"]),
    },
    sys.stdout,
)
