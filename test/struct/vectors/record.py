"""Records calls of Python's struct and what became of each, for the library to be held against.

    python3.13 record.py [FILE.json.gz]    everything but the complex codes, which came with 3.14
    record.py --complex [FILE.json.gz]     the complex codes, on 3.14 (see complex.mjs)

Without a file the JSON goes to standard output, uncompressed. The same version of Python writes the
same bytes at every run.

The JSON is {python, errors, vast, formats}:

    formats  [format, calls], and a call is [operation, arguments, outcome, buffer afterwards].
             The last is there where pack_into changed its buffer, even if the call was refused;
             null where what a refused call left there is an accident.
    outcome  a number is a refusal: its message is errors[number]. Anything else is the value.
    vast     [format, size] where the size is more than JavaScript counts exactly (2**53 - 1).

A value is null, a boolean, a list, or a string whose first letter tells its type:

    i int     n int from a code of 64 bits, a bigint in JavaScript     f float
    c complex: two floats     s str     b bytes, in hexadecimal
"""

import gzip
import json
import re
import struct
import sys

PREFIXES = ("", "@", "=", "<", ">", "!")
INTEGERS = "bBhHiIlLqQnNP"
FLOATS = "efd"
COMPLEX = "FD"
CODES = "xc?sp" + INTEGERS + FLOATS
# Of one size and alignment on 64 bits and on wasm32, where the complex codes are recorded.
ANYWHERE = "xc?spbBhHiIqQefd"
WHITESPACE = " \t\n\v\f\r"
EXACT = 2**53 - 1

NAN, INF = float("nan"), float("inf")


class Dice:
    """splitmix64: unlike random.Random's methods it gives the same on every version of Python."""

    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
        return mixed ^ (mixed >> 31)

    def below(self, limit):
        return self.bits() % limit

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def chance(self, percent):
        return self.below(100) < percent

    def bytes(self, length):
        return bytes(self.below(256) for _ in range(length))


dice = Dice(1)


# The values.


def around(*numbers):
    return [near for number in numbers for near in (number - 1, number, number + 1)]


RANGE_ENDS = [2**bits for bits in (7, 8, 15, 16, 31, 32, 53, 63, 64)]
NATURALS = [0, 1, 2, *around(*RANGE_ENDS), 2**65, 2**128, 10**30]
WHOLE = sorted({sign * natural for natural in NATURALS for sign in (1, -1)})

# JavaScript does not tell 1.0 from 1, so only these floats may go where an int is expected.
FRACTIONS = [0.5, -0.5, 1.5, -2.25, 255.5, 4294967295.5, 0.1, 1e-300, 5e-324, NAN, INF, -INF]

HALF_TIES = [
    # Halfway between two neighbours, and a little beside: through a float32 these round twice.
    *(sign * (1 + odd * 2**-11 + beside)
      for odd in (1, 3, 5, 2047) for beside in (0, 2**-40, -(2**-40)) for sign in (1, -1)),
    # Halves of the least subnormal, and where the subnormal begin.
    *(factor * 2**-25 for factor in (0.5, 0.999999999, 1, 1.000000001, 1.5, 2, 3, 5, 7)),
    *(2**-14 - below * 2**-25 for below in (0, 0.5, 1, 1.5, 2, 3)),
    # The greatest, and what rounds to it or beyond.
    65503.99, 65504.0, 65519.0, 65519.99, 65519.99999999999, 65520.0, -65519.99, -65520.0, 65536.0,
]
SINGLE_TIES = [
    *(1 + odd * 2**-24 + beside for odd in (1, 3, 5) for beside in (0, 2**-50, -(2**-50))),
    *(factor * 2**-150 for factor in (0.5, 0.999999999, 1, 1.000000001, 2, 3, 5)),
    2**-126 - 2**-150, 2**-126 - 2**-151, 2**-126, 1.1754942e-38,
    # The greatest, halfway to what would come next, and just below that.
    3.4028234663852886e38, 3.4028235677973366e38, 3.4028235677973362e38, -3.4028235677973366e38,
]
REALS = [
    *FRACTIONS, 0.0, -0.0, 1.0, -1.0, 2.0, 3.141592653589793, 1e16, -1e16, 1e22, 1e38, 1e39, -1e39,
    1e300, -1e300, 1.7976931348623157e308, -5e-324, 2.2250738585072014e-308,
    *HALF_TIES, *SINGLE_TIES,
]
# An int is rounded once on its way to a float. From 2**1024 - 2**970 on it is too large.
LONG = [2**24 + 1, 2**25 + 3, 2**53 + 3, 2**54 + 6, 2**64 + 2**11, 2**64 + 2**11 + 1, 65519, 65520,
        -65520, 2**128 - 2**103, 2**128 - 2**103 - 1, 10**22, 10**23, 10**308,
        2**1024 - 2**970 - 1, 2**1024 - 2**970, 2**1024, -(2**1024)]

OTHERS = [None, True, False, "", "x", "5", "\u00e9", b"", b"\0", b"x", b"5", b"xy", [], [0], [None]]
PAIRS = [complex(a, b) for a in (0.0, -0.0, 1.5, NAN, INF, -INF, 1e39, 3.4028235677973366e38, 1e-46)
         for b in (0.0, -0.0, -2.25, NAN, INF, 1e300, 5e-324)]

RANGES = {
    code: (0, 2**bits - 1) if code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    # P and n, N are of 64 bits; l and L of 32 in the standard sizes, so that these fit everywhere.
    for bits, codes in ((8, "bB"), (16, "hH"), (32, "iIlL"), (64, "qQnNP"))
    for code in codes
}


def trials(code):
    """What every code is tried with: good, bad, and on the edge."""
    if code in INTEGERS:
        return [*WHOLE, *FRACTIONS, *OTHERS]
    if code == "e":
        # JavaScript's 65536 may be the int or the float, whose refusals Python words differently.
        whole = [value for value in WHOLE if abs(value) < 65520 or abs(value) > EXACT]
        return [*whole, *LONG, *REALS, *OTHERS]
    if code in FLOATS:
        return [*WHOLE, *LONG, *REALS, *OTHERS]
    if code in COMPLEX:
        return [*PAIRS, *WHOLE[::5], *LONG, *REALS, *OTHERS]
    if code == "?":
        return [*WHOLE[::2], *FRACTIONS, 0, 0.0, -0.0, 1.0, 1e300, 2**1024, *OTHERS]
    return [0, 1, 255, -1, 2**64, 0.5, NAN, *OTHERS, b"\xff", b"abc", bytes(300)]


def fitting(code, size):
    """A value that the code takes; size is what s and p have."""
    if code in INTEGERS:
        low, high = RANGES[code]
        if dice.chance(50):
            return dice.pick([low, high, 0, 1, max(low, -1), high // 3])
        return low + dice.below(high - low + 1)
    if code == "e":
        return dice.pick([0.0, -0.0, 0.5, -1.75, 65504.0, 1, -7, INF, NAN, 2**-24, 0.1])
    if code == "f":
        return dice.pick([0.0, -0.0, 1.5, -3.25e20, 0.1, 7, -(2**30), INF, NAN, 1e-45])
    if code == "d":
        return dice.pick([0.0, -0.0, 1.5, 0.1, 1e300, 5e-324, 2**53, -(2**63), INF, NAN])
    if code in COMPLEX:
        return dice.pick([1 + 2j, -1.5j, complex(-0.0, 0.1), complex(INF, NAN), 1.5, -0.0, 3, True])
    if code == "?":
        return dice.pick([True, False, 0, 1, 2, 0.0, 0.5, None, "", "x", b"", b"x", [], [0]])
    if code == "c":
        return dice.bytes(1)
    return dice.bytes(max(0, size - 1 + dice.below(3)))


def refused(code, standard):
    """A value that the code refuses, or None where it takes everything."""
    if code in INTEGERS:
        low, high = RANGES[code]
        wide = [] if code in "lL" and not standard else [low - 1, high + 1]
        if code == "P":
            wide = [-(2**63) - 1, 2**64]
        return dice.pick([*wide, 2**64, -(2**64), 0.5, NAN, "7", b"7", None, []])
    if code == "e":
        return dice.pick([65520.0, -1e5, 2**1024, "7", b"7", None, []])
    if code == "f":
        return dice.pick([*([1e39, -1e300] if standard else []), 2**1024, "7", b"7", None, []])
    if code in COMPLEX:
        return dice.pick([2**1024, "7", b"7", None, []])
    if code == "d":
        return dice.pick([2**1024, -(2**1024), "7", b"7", None, []])
    if code == "c":
        return dice.pick([b"", b"xy", "x", 7, None, [b"x"]])
    return dice.pick(["", "xyz", 7, 0.5, None, [b"x"]])


# What a format holds, read as the documentation tells it.

ITEM = re.compile(r"(\d*)([a-zA-Z?])")


def fields(format):
    """(code, size of s or p) of every value. Not for wide counts: it is as long as the values."""
    for digits, code in ITEM.findall(format):
        count = int(digits or "1")
        if code in "sp":
            yield code, count
        elif code != "x":
            for _ in range(count):
                yield code, 0


def arity(format):
    return sum(
        1 if code in "sp" else int(digits or "1")
        for digits, code in ITEM.findall(format) if code != "x"
    )


def wide_codes(format):
    """The codes that are of 64 bits in this format's mode."""
    return "qQ" if format[:1] in tuple("=<>!") else "qQlLnNP"


def size_of(format):
    try:
        return struct.calcsize(format)
    except (struct.error, TypeError, ValueError):
        return None


def writes_outside(format):
    """Whether a 0p comes last: pack_into then writes its length byte behind the field.

    A bug of CPython's, up to 3.15rc1: it writes behind the buffer's end too. It is not to copy.
    """
    return any(
        size_of(format[: match.end()]) == size_of(format)
        for match in re.finditer(r"(?<!\d)0+p", format)
    )


def leaves_accident(format, values):
    """Whether a refused pack_into leaves there the low 64 bits of what it refused.

    CPython's big-endian q and Q see too late that the number is too large, the others in time.
    """
    return format[:1] in (">", "!") and any(
        code in "qQ" and isinstance(value, int)
        and not RANGES[code][0] <= value <= RANGES[code][1]
        for (code, _), value in zip(fields(format), values)
    )


# The calls: each section yields (format, operation, *arguments).


def dirty(length):
    """A buffer in which a byte that was not written, or wrongly zeroed, shows."""
    return bytes(255 - at % 7 for at in range(length))


def single_codes(codes):
    for code in codes:
        for prefix in PREFIXES:
            alone, between = prefix + code, f"{prefix}h{code}b"
            size = size_of(alone)
            if size is None:
                yield alone, "calcsize"
                yield alone, "pack", 1
                yield alone, "pack_into", dirty(8), 0, 1
                yield alone, "unpack", bytes(8)
                yield alone, "unpack_from", bytes(8)
                yield alone, "iter_unpack", bytes(8)
                continue
            for at, value in enumerate(trials(code)):
                yield alone, "pack", value
                # What came before the refused value has been written by then.
                yield between, "pack_into", dirty(size_of(between) + 3), 1 + at % 3, 3, value, -3
                if at % 3 == 0:
                    yield alone, "pack_into", dirty(size + 1), at % 2, value


def bit_patterns(codes):
    for code in codes:
        for prefix in PREFIXES:
            format = prefix + code
            size = size_of(format)
            if size is None:
                continue
            patterns = [bytes(size), b"\xff" * size, b"\x01" + bytes(size - 1), b"\x80" * size]
            for first in (b"\x80", b"\x7f\xff", b"\x7f\x80", b"\xff\x80", b"\x7f\xf0", b"\xff\xf0",
                          b"\x7c", b"\xfc", b"\x7b\xff", b"\x03\xff", b"\x00\x01"):
                pattern = (first + bytes(size))[:size]
                patterns += [pattern, pattern[::-1]]
            patterns += [dice.bytes(size) for _ in range(5)]
            after = f"{prefix}b{code}"
            for at, pattern in enumerate(patterns):
                yield format, "unpack", pattern
                if at % 3 == 0:
                    yield after, "unpack_from", dirty(size_of(after) - size + 2) + pattern, 2
                    yield format, "iter_unpack", pattern + pattern[::-1]


def half_floats():
    """Every exponent with its mantissas' edges, and doubles at midpoints or just beside."""
    for start in range(0, 64):
        halves = [start << 10 | fraction for fraction in (0, 1, 2, 511, 512, 513, 1022, 1023)]
        yield "<8e", "unpack", struct.pack("<8H", *halves)
        yield ">8e", "unpack", struct.pack(">8H", *halves)
    for _ in range(250):
        halves = [dice.below(0x7BFF) for _ in range(4)]
        exact = [struct.unpack("<2e", struct.pack("<2H", half, half + 1)) for half in halves]
        ties = [(a + b) / 2 for a, b in exact]
        nudged = [tie * (1 + dice.pick([0, 2**-52, -(2**-52), 2**-30, -(2**-30)])) for tie in ties]
        yield dice.pick(["<4e", ">4e", "4e"]), "pack", *nudged
        singles = [dice.below(0x7F7FFFFF) for _ in range(3)]
        exact = [struct.unpack("<2f", struct.pack("<2I", single, single + 1)) for single in singles]
        yield dice.pick(["<3f", ">3f", "3f"]), "pack", *((a + b) / 2 for a, b in exact)


def counts(codes):
    for code in codes:
        for prefix in PREFIXES:
            # From the longer ones on an implementation may take another way than for few values.
            longer = ("17", "33", "65") if prefix in ("", ">") else ()
            for count in ("0", "1", "2", "7", "003", "16", *longer):
                format = f"{prefix}{count}{code}"
                size = size_of(format)
                yield format, "calcsize"
                if size is None:
                    continue
                values = [fitting(*field) for field in fields(format)]
                yield format, "pack", *values
                yield format, "pack", *values, 0
                if values:
                    yield format, "pack", *values[1:]
                    yield format, "pack_into", dirty(size), 0, *values[1:]
                yield format, "pack_into", dirty(size + 2), 1, *values
                yield format, "unpack", struct.pack(format, *values)
                yield format, "unpack", bytes(size + 1)
                yield format, "iter_unpack", dirty(2 * size)
                if size:
                    yield format, "unpack", bytes(size - 1)
                    yield format, "unpack", b""
                    yield format, "iter_unpack", bytes(2 * size - 1)
                    yield format, "unpack_from", bytes(size - 1)


WIDE = [1000, 4096, 65536, 2**31 - 1, 2**31, 2**32, 2**40, 10**15, 2**50, 2**53 - 9, 2**56, 10**18,
        2**60, 2**61, 2**62, *around(2**52, 2**53, 2**63, 2**64), 10**19, 10**25, 10**60]


def wide_counts():
    for code in "xBsphlqQPed?c":
        for prefix in ("", "<"):
            for count in WIDE:
                format = f"{prefix}{count}{code}"
                yield format, "calcsize"
                yield format, "pack"
                yield format, "pack", *[0] * 5
                yield format, "pack_into", dirty(4), 0, b"x"
                yield format, "pack_into", dirty(4), 2**63 - 1, b"x"
                yield format, "unpack", b"abcd"
                yield format, "unpack_from", b"abcd", 1
                yield format, "unpack_from", b"abcd", -2
                yield format, "iter_unpack", b"abcd"
    for size, code in ((1000, "B"), (3000, "x"), (2000, "s"), (2000, "p"), (700, "e"), (1000, "?")):
        format = f"<{size}{code}"
        values = [7] * arity(format) if code not in "sp" else [b"abc" * size]
        yield format, "pack", *values
        yield format, "pack_into", dirty(size_of(format) + 1), 0, *values
        yield format, "unpack", bytes(size_of(format))
        yield format, "unpack_from", bytes(size_of(format) + 3), 2
    # Sums and alignment that pass one limit or the other.
    for format in ("9007199254740990xx", "9007199254740990xxx", "9007199254740985xq",
                   "9007199254740983xb0q", "9007199254740985xb0q", "9223372036854775800xq",
                   "9223372036854775806xx", "9223372036854775806xxx", "9223372036854775807x0q",
                   "<9223372036854775807x0q", "4611686018427387903h", "4611686018427387904h",
                   "1152921504606846975q", "1152921504606846976q", "9223372036854775808x!",
                   "99999999999999999999", "99999999999999999999 x", "<9223372036854775807B B",
                   "9007199254740991x!", "9007199254740991x3", "9007199254740991x\0"):
        yield format, "calcsize"
        yield format, "unpack", b""


def strings():
    for code in "sp":
        for length in (0, 1, 2, 3, 10, 254, 255, 256, 257, 300):
            for prefix in ("", "<", ">"):
                format = f"{prefix}{length}{code}"
                lengths = {0, 1, length - 2, length - 1, length, length + 1, length + 40}
                for given in sorted(lengths - {-2, -1}):
                    value = bytes(97 + at % 26 for at in range(given))
                    yield format, "pack", value
                    yield format, "pack_into", dirty(length + 2), 1, value
                    yield f"{format}B", "pack", value, 255
                    yield f"{format}B", "pack_into", dirty(length + 3), 1, value, 255
                    yield f"{prefix}B{format[len(prefix):]}", "pack", 255, value
                for first in (0, 1, 2, 3, 9, 10, 253, 254, 255):
                    data = (bytes([first]) + bytes(98 + at % 25 for at in range(length)))[:length]
                    yield format, "unpack", data
                    yield format, "unpack_from", b"\xff" + data + b"\xff", 1
                    yield f"{format}B", "unpack", data + b"\x7f"
                    yield format, "iter_unpack", data + data[::-1]
    for format in ("0s0s", "0p0p", "0sx", "0p0sB", "3s0s3s", "2p0p2p", "0s0p0s", "h0p0h", "b0p0q"):
        values = [b"abcd" if code in "sp" else 1 for code, _ in fields(format)]
        yield format, "pack", *values
        yield format, "pack", *values[1:]
        yield format, "pack_into", dirty(20), 3, *values
        yield format, "unpack", dirty(size_of(format))
        yield format, "unpack_from", dirty(20), 3


HUGE = [10**6, 2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1, 2**63,
        2**64, 10**30]
NO_OFFSET = [None, "", "1", b"", b"1", [], [1], 0.5, -1.5, NAN, INF]


def offsets(formats, huge):
    """huge is what a Py_ssize_t can or cannot hold: other numbers on 32 bits."""
    places = [*range(-13, 14), *huge, *(-place for place in huge), *around(-(2**63))[: len(huge)]]
    for format in formats:
        size, values = size_of(format), [fitting(*field) for field in fields(format)]
        for length in sorted({0, 1, size, size + 1, 12}):
            for offset in [*places, True, False, *NO_OFFSET]:
                yield format, "pack_into", dirty(length), offset, *values
                yield format, "unpack_from", dirty(length), offset
            yield format, "unpack_from", dirty(length)


def buffers():
    """No buffer at all, and which of several mistakes is told."""
    wrong = [None, True, 0, 7, 2**70, 0.5, NAN, "", "abcd", "\u00e9", [], [1, 2]]
    for format in ("B", "<I", ">hh", "4s", "", "0s", "3x", "q", "Z", "7", "\0", "\u00e9"):
        for buffer in wrong:
            yield format, "unpack", buffer
            yield format, "unpack_from", buffer
            yield format, "unpack_from", buffer, 1
            yield format, "unpack_from", buffer, 0.5
            yield format, "unpack_from", buffer, 2**70
            yield format, "iter_unpack", buffer
            for offset in (0, -9, 2**70, 0.5, None):
                yield format, "pack_into", buffer, offset
                yield format, "pack_into", buffer, offset, 1
                yield format, "pack_into", buffer, offset, 1, 1
                yield format, "pack_into", buffer, offset, "x", "x"
        for offset in (0, 1, -1, -9, 9, 2**63 - 1, 2**70, "0", None, 0.5):
            for length in (0, 4):
                yield format, "unpack_from", dirty(length), offset
                yield format, "pack_into", dirty(length), offset
                yield format, "pack_into", dirty(length), offset, 1
                yield format, "pack_into", dirty(length), offset, b"x"
                yield format, "pack_into", dirty(length), offset, 1, 2
                yield format, "pack_into", dirty(length), offset, 1, 2, 3
                yield format, "pack_into", dirty(length), offset, "x", 2**70
        yield format, "pack_into"
        yield format, "pack_into", dirty(4)
        for length in range(10):
            yield format, "unpack", dirty(length)
            yield format, "iter_unpack", dirty(length)
    for format in (None, 7, 0.5, True, []):
        yield format, "calcsize"
        yield format, "pack", 1
        yield format, "pack_into", dirty(4), 0, 1
        yield format, "unpack", dirty(4)
        yield format, "unpack_from", dirty(4)
        yield format, "iter_unpack", dirty(4)


def long_formats():
    for format in ("bH" * 40, "<" + "Bq" * 33, ">" + "e" * 65, "!" + "2s?" * 20, "<40Hq40B",
                   ">20b20Q3x20d", "17h17q", "<I" + "16B" * 8, "=300sH300pI",
                   "<" + "b3x" * 64 + "?"):
        size = size_of(format)
        for _ in range(3):
            values = [fitting(*field) for field in fields(format)]
            yield format, "pack", *values
            yield format, "pack", *values[1:]
            yield format, "pack_into", dirty(size + 3), 2, *values
            yield format, "unpack", struct.pack(format, *values)
            yield format, "unpack_from", dirty(1) + struct.pack(format, *values), -size
            for at in (0, len(values) // 2, len(values) - 1):
                spoilt = [*values[:at], None, *values[at + 1 :]]
                yield format, "pack", *spoilt
                yield format, "pack_into", dirty(size), 0, *spoilt
        yield format, "iter_unpack", dirty(2 * size)


def iterations():
    for format in ("b", "<h", ">I", "@bh", "q", "<3s", "4p", "2x", "?c", "<ed", "", "0i", "0s",
                   "=bq", "n", "3xB"):
        size = size_of(format)
        for length in sorted({0, 1, 2, *around(size, 2 * size, 3 * size, 8 * size)}):
            if length >= 0:
                yield format, "iter_unpack", bytes(at * 37 % 256 for at in range(length))


ODD = [
    # Beyond ASCII and the first plane, halves of surrogate pairs, Unicode's digits and blanks.
    "B\u00e9", "\u20acB", "\U0001f600", "B\U0001f600B", "\u00e9\u00e9", "B\u00e9\U0001f600h",
    "\ud800", "B\udc00", "\ud800B\udc00", "\u0663B", "\uff22", "\u00a0B", "\u2003B", "\ufeffB",
    "2\u00e9", "\x80", "\xff", "\u0100", "\U0001f600\u00e9\U0001f600B\u00e9",
    # Which of two mistakes is told.
    "B\u00e9\0", "B\0\u00e9", "Z\u00e9", "\u00e9Z", "Z\0", "\0Z", "2\0", "2\u00e9\0",
    "\0", "\0B", "B\0", "<\0", "B\0B", "", " ", "  ",
    "<", "<>", "<<", "<<B", "<B>", "<B>h", "B<", "@@", "=!B", "B@", "2<B",
    "0", "00", "2", "22", "<2", "B2", "B 2", "2 B", "2 2B", "i4", "b1", "ii2", "4i 4", "0B",
    "-1B", "+1B", "1.5B", "1e2B", "0x2B", "1_0B", "B,h", "B;h", "(B)", "B*2", "{B}", "B\\",
    # Codes of other languages' pack.
    *"'\"$uUwgGmtTvZaAOSVjJkKMNrRWXyYzC", "&B", "^B",
]


def spelling():
    """How a format may be written, and how not."""
    for prefix in PREFIXES:
        for char in map(chr, range(128)):
            yield prefix + char, "calcsize"
            yield f"{prefix}B{char}", "calcsize"
            yield f"{prefix}{char}B", "calcsize"
            yield f"{prefix}2{char}", "calcsize"
    for gap in WHITESPACE:
        for format in ("{}", "{}B", "B{}", "{}<B", "<{}B", "B{}h", "2{}B", "{}2B", "2B{}", "B{}2h",
                       "B{}{}h", "<{}", "2{}", "b{}0q", "<B{}>h", "@{}bq", "2{}2B", "s{}3s",
                       "{}\0"):
            spelled = format.replace("{}", gap)
            yield spelled, "calcsize"
            if size_of(spelled) is not None:
                values = [fitting(*field) for field in fields(spelled)]
                yield spelled, "pack", *values
                yield spelled, "unpack", struct.pack(spelled, *values)
    for format in ODD:
        yield format, "calcsize"
        yield format, "pack"
        yield format, "pack", 1
        yield format, "pack_into", dirty(4), 0, 1
        yield format, "unpack", b"a"
        yield format, "unpack_from", b"ab", 1
        yield format, "iter_unpack", b"ab"
    letters = CODES + CODES + "0123456789" + WHITESPACE + "@=<>!" + "FDZk$-\0\u00e9"
    for _ in range(5000):
        length = 1 + dice.below(7)
        format = "".join(dice.pick(letters) for _ in range(length))
        yield format, "calcsize"
    tidy = CODES + CODES + CODES + "0123  "
    for _ in range(2500):
        length = 1 + dice.below(6)
        format = dice.pick(PREFIXES) + "".join(dice.pick(tidy) for _ in range(length))
        yield format, "calcsize"


def alignment(codes):
    for code in codes:
        for prefix in PREFIXES:
            for format in ("0{}", "b0{}", "b0{}b", "3x0{}", "b{}", "b{}b", "{}x0{}", "bh{}",
                           "5x2{}", "{}3s0{}", "{}0d", "b0i0{}", "?{}?0h", "e{}e", "b 0{}",
                           "3p{}0q"):
                spelled = prefix + format.replace("{}", code)
                yield spelled, "calcsize"
                size = size_of(spelled)
                if size is None:
                    continue
                values = [fitting(*field) for field in fields(spelled)]
                yield spelled, "pack", *values
                yield spelled, "pack_into", dirty(size + 1), dice.below(2), *values
                yield spelled, "unpack", dirty(size)


def mixtures(codes, number):
    """Formats of several codes, each through all operations, rightly and wrongly."""
    for _ in range(number):
        prefix = dice.pick(["", "", "@", "@", *PREFIXES])
        format = prefix
        for _ in range(1 + dice.below(5)):
            format += dice.pick(WHITESPACE) if dice.chance(8) else ""
            format += str(dice.below(5)) if dice.chance(30) else ""
            format += dice.pick(codes)
        format += f"0{dice.pick(codes)}" if dice.chance(15) else ""
        yield format, "calcsize"
        size = size_of(format)
        if size is None:
            continue
        layout = list(fields(format))
        values = [fitting(*field) for field in layout]
        packed = struct.pack(format, *values)
        yield format, "pack", *values
        yield format, "unpack", packed
        margin = 1 + dice.below(4)
        around_it = dirty(margin) + packed + dirty(2)
        yield format, "pack_into", dirty(size + margin + 2), margin, *values
        yield format, "pack_into", dirty(size + margin + 2), -size - dice.below(3), *values
        yield format, "unpack_from", around_it, margin
        yield format, "unpack_from", around_it, -size - 2
        yield format, "unpack_from", around_it, margin + dice.below(5)
        yield format, "pack_into", dirty(size + margin), dice.below(2 * margin), *values
        yield format, "iter_unpack", packed * dice.below(4)
        yield format, "unpack", packed[1:]
        if dice.chance(50):
            yield format, "unpack", packed + b"\0"
            yield format, "iter_unpack", packed + b"\0"
        if dice.chance(30):
            yield format, "unpack", dice.bytes(size)
        if not layout:
            continue
        if dice.chance(50):
            yield format, "pack", *values[:-1]
            yield format, "pack_into", dirty(size), 0, *values, 1
        for _ in range(2):
            spoilt = list(values)
            # Two wrong values: the first is the one to be told.
            for at in {dice.below(len(values)), dice.below(len(values))}:
                if layout[at][0] != "?":
                    spoilt[at] = refused(layout[at][0], prefix in tuple("=<>!"))
            yield format, "pack", *spoilt
            yield format, "pack_into", dirty(size + 2), 1, *spoilt


def simple_calls():
    yield from single_codes(CODES)
    yield from bit_patterns(CODES)
    yield from half_floats()
    yield from counts(CODES)
    yield from wide_counts()
    yield from strings()
    yield from offsets(["B", "<H", ">IH", "@bi", "4s", "", "x", "0s"], HUGE)
    yield from buffers()
    yield from iterations()
    yield from long_formats()
    yield from spelling()
    yield from alignment(CODES)
    yield from mixtures(CODES, 1000)


def complex_calls():
    yield from single_codes(COMPLEX)
    for prefix in PREFIXES:
        for code in "bqefdcsp":
            # A complex value where another is expected. (Not for ?: {re: 0, im: 0} is an object.)
            yield f"{prefix}{code}F", "pack", 1 + 2j, 1 + 2j
            yield f"{prefix}D{code}", "pack_into", dirty(30), 1, 1 + 2j, 1 + 2j
    yield from bit_patterns(COMPLEX)
    yield from counts(COMPLEX)
    yield from offsets(["F", "<D", "bD"], [10**6])
    yield from alignment(COMPLEX)
    yield from mixtures(ANYWHERE + COMPLEX * 3, 400)


# The recording.


def encoded(value, wide=False):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return f"{'n' if wide else 'i'}{value}"
    if isinstance(value, float):
        return f"f{value!r}"
    if isinstance(value, complex):
        return f"c{value.real!r} {value.imag!r}"
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, bytes):
        return f"b{value.hex()}"
    return [encoded(item) for item in value]


def row(format, values):
    wide = wide_codes(format)
    return [encoded(value, code in wide) for (code, _), value in zip(fields(format), values)]


def perform(format, operation, arguments):
    """The outcome; a refusal is the exception, not its message."""
    try:
        result = getattr(struct, operation)(format, *arguments)
        if operation == "unpack" or operation == "unpack_from":
            return row(format, result)
        if operation == "iter_unpack":
            return [row(format, values) for values in result]
        return encoded(result)
    except (struct.error, TypeError, ValueError, OverflowError, IndexError, SystemError) as error:
        return error


def sensible(format, operation, arguments):
    """False for what is not recorded: bugs of CPython's, and what would take much memory."""
    if size_of(format) is None:
        return True
    if operation == "pack_into" and writes_outside(format):
        return False
    return operation != "pack" or size_of(format) < 2**16 or arity(format) != len(arguments)


def record(calls, complex_codes):
    seen, errors, vast, formats = set(), {}, {}, {}
    for format, operation, *arguments in calls:
        if isinstance(format, str) and bool(set(format) & set(COMPLEX)) != complex_codes:
            continue
        size = size_of(format)
        if size is not None and size > EXACT:
            vast[format] = size
            continue
        key = json.dumps([encoded(format), operation, encoded(arguments)])
        if key in seen or not sensible(format, operation, arguments):
            continue
        seen.add(key)
        call = [operation, encoded(arguments)]
        buffer = None
        if operation == "pack_into" and arguments and isinstance(arguments[0], bytes):
            buffer = arguments[0] = bytearray(arguments[0])
        outcome = perform(format, operation, arguments)
        refusal = isinstance(outcome, Exception)
        call.append(errors.setdefault(str(outcome), len(errors)) if refusal else outcome)
        if buffer is not None and encoded(bytes(buffer)) != call[1][0]:
            accident = refusal and leaves_accident(format, arguments[2:])
            call.append(None if accident else encoded(bytes(buffer)))
        formats.setdefault(json.dumps(encoded(format)), (format, []))[1].append(call)
    return list(errors), list(vast.items()), list(formats.values())


def text_of(errors, vast, formats):
    """One line for each format, so that a difference can be read."""

    def line(value):
        return json.dumps(value, separators=(",", ":"))

    lines = ",\n".join(line([encoded(format), calls]) for format, calls in formats)
    sizes = [[format, encoded(size)] for format, size in vast]
    version = "%d.%d" % sys.version_info[:2]
    return (
        f'{{"python":{line(version)},\n"errors":{line(errors)},\n'
        f'"vast":{line(sizes)},\n"formats":[\n{lines}\n]}}\n'
    )


def main(arguments):
    complex_codes = "--complex" in arguments
    files = [argument for argument in arguments if not argument.startswith("--")]
    calls = complex_calls() if complex_codes else simple_calls()
    text = text_of(*record(calls, complex_codes))
    if not files:
        sys.stdout.write(text)
        return
    with open(files[0], "wb") as file:
        # Without a time in its header, the same calls give the same file.
        file.write(gzip.compress(text.encode("ascii"), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
