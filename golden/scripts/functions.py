"""Writes golden/linearize/functions.json: elementary functions in double precision, by mpmath with 300 bits.

Numbers are the sixteen digits of their bits. With each result is what its rounding left out, in units of its last
place, so that errors below one such unit can be told apart.

    python golden/scripts/functions.py
"""

import datetime
import json
import math
import pathlib
import platform
import random
import struct

import mpmath

SEED = 0
mpmath.mp.prec = 300

TARGET = pathlib.Path(__file__).resolve().parent.parent / "linearize" / "functions.json"


def normal_distribution(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


# With the range outside of which the result is constant, infinite or the argument.
FUNCTIONS = {
    "exp": (mpmath.exp, -745.2, 709.78),
    "tanh": (mpmath.tanh, -19.5, 19.5),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), -745.2, 37.5),
    "erf": (mpmath.erf, -6.0, 6.0),
    "normal_distribution": (normal_distribution, -38.6, 8.4),
    "gelu": (lambda x: x * normal_distribution(x), -38.6, 8.4),
}


def bits(x):
    return struct.pack(">d", x).hex()


def arguments(low, high, draw):
    """The whole range, both sides of zero, orders of magnitude, and neighbors of the ends."""
    yield from (draw.uniform(low, high) for _ in range(150))
    yield from (draw.uniform(-1.5, 1.5) for _ in range(150))
    yield from (draw.choice((-1, 1)) * 2 ** draw.uniform(-60, 2) for _ in range(100))
    for end in (low, high, 0.5, -0.5, math.sqrt(0.5), -math.sqrt(0.5), 1.0, -1.0):
        yield from (math.nextafter(end, -math.inf), end, math.nextafter(end, math.inf))
    # Halfway between multiples of ln 2, where the reduced argument is largest.
    yield from (n * math.log(2) / 4 for n in range(-21, 22, 2))


def point(function, x):
    exact = function(mpmath.mpf(x))
    rounded = float(exact)
    rest = (exact - mpmath.mpf(rounded)) / mpmath.mpf(math.ulp(rounded))
    return [bits(x), bits(rounded), round(float(rest), 3)]


def main():
    draw = random.Random(SEED)
    cases = []
    for name, (function, low, high) in FUNCTIONS.items():
        inside = (x for x in arguments(low, high, draw) if low - 1 < x < high + 1e-6)
        points = [point(function, x) for x in inside]
        cases.append({"name": name, "points": points})
    header = {
        "script": "golden/scripts/functions.py",
        "packages": {"mpmath": mpmath.__version__, "python": platform.python_version()},
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    rows = [
        '    {"name": "%s", "points": [\n      %s\n    ]}'
        % (case["name"], ",\n      ".join(json.dumps(row) for row in case["points"]))
        for case in cases
    ]
    text = '{\n  "header": %s,\n  "functions": [\n%s\n  ]\n}\n' % (
        json.dumps(header),
        ",\n".join(rows),
    )
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
