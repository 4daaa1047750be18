"""Writes golden/dynamics/commutator.json and commutator_grokking.json: commutators of gradient steps, by NumPy and JAX.

    pip install jax numpy
    python golden/scripts/commutator.py

The bracket of two batches is C = H_B g_A − H_A g_B. Reported are |C|/(|g_A||g_B|) ("bracket") and
|C|/(|H_B g_A| + |H_A g_B|) ("relative").

`commutator.json`: two quadratics; and a linear regression of six examples with everything that Hoeffding's decomposition
says of its brackets, by enumeration of all draws, in f64 by NumPy.

`commutator_grokking.json`: modular addition with a network of quadratic units (Gromov 2023), after 400 steps of AdamW
in f32 on 40 % of all pairs: all of them are memorized. For five pairs of batches of 64, the bracket in f64 at these weights, and what a
script finds that takes both orders of two gradient steps in f32 and divides the distance of their ends by the lengths of
the steps, as the public script of Xu 2026 (arXiv:2602.16967) does, 1e-12 in its denominator included. Also that distance in f64.
"""

import datetime
import itertools
import json
import pathlib
import platform

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

TARGET = pathlib.Path(__file__).resolve().parent.parent / "dynamics"

SEED = 5
EXAMPLES, DIMENSION = 6, 3

P, WIDTH, FRACTION = 31, 256, 0.4
STEPS, EVERY, BATCH, PAIRS = 400, 100, 64, 5
RATE = 1e-3
# Rate of the finite steps in f64.
FINITE_RATE = 3e-2


def measures(h_a, g_a, h_b, g_b):
    one, other = h_b @ g_a, h_a @ g_b
    c = np.linalg.norm(one - other)
    return {
        "c": list(one - other),
        "bracket": c / (np.linalg.norm(g_a) * np.linalg.norm(g_b)),
        "relative": c / (np.linalg.norm(one) + np.linalg.norm(other)),
    }


def quadratics():
    a, b = np.array([[2.0, 1.0], [1.0, 1.0]]), np.diag([1.0, 3.0])
    w = np.array([1.0, 1.0])
    g_a, g_b = a @ (w - [1.0, 0.0]), b @ (w - [0.0, -1.0])
    mean = (a + b) / 2
    found = measures(a, g_a, b, g_b)
    found["sharpness"] = np.linalg.eigvalsh(mean)[-1]
    return found


def regression():
    rng = np.random.default_rng(SEED)
    n = EXAMPLES
    x, w, y = rng.standard_normal((n, DIMENSION)), rng.standard_normal(DIMENSION), rng.standard_normal(n)
    h = [np.outer(row, row) for row in x]
    g = [row * (row @ w - target) for row, target in zip(x, y)]
    whole, mean = sum(h) / n, sum(g) / n
    one_sided = [own @ mean - whole @ gradient for own, gradient in zip(h, g)]
    variance = np.mean([a @ a for a in one_sided])
    rest = [
        h[i] @ g[j] - h[j] @ g[i] - (one_sided[i] - one_sided[j])
        for i, j in itertools.product(range(n), repeat=2)
    ]
    rest = np.mean([r @ r for r in rest])

    def square(a, b):
        g_a, g_b = (sum(g[i] for i in batch) / len(batch) for batch in (a, b))
        h_a, h_b = (sum(h[i] for i in batch) / len(batch) for batch in (a, b))
        c = h_b @ g_a - h_a @ g_b
        return c @ c

    def mean_square(size):
        batches = list(itertools.product(range(n), repeat=size))
        return np.mean([square(a, b) for a in batches for b in batches])

    return {
        "x": {"shape": list(x.shape), "values": list(x.reshape(-1))},
        "y": {"shape": [n], "values": list(y)},
        "w": {"shape": [DIMENSION], "values": list(w)},
        "variance": variance,
        "rest": rest,
        "invariant": np.sqrt(variance) / (mean @ mean),
        # E|C|², all draws with replacement, for batches of 1 and 2.
        "mean_squares": [mean_square(1), mean_square(2)],
    }


def grokking():
    p = P
    rng = np.random.default_rng(0)
    pairs = np.array([(i, j) for i in range(p) for j in range(p)])
    labels = pairs.sum(1) % p
    permutation = rng.permutation(p * p)
    num_train = int(FRACTION * p * p)
    train, test = permutation[:num_train], permutation[num_train:]
    x, y = jnp.array(pairs[train]), jnp.array(labels[train])
    keys = jax.random.split(jax.random.PRNGKey(0), 12)
    parameters = {
        "U": jax.random.normal(keys[0], (2 * p, WIDTH)) / np.sqrt(2 * p) * np.sqrt(p) * 0.5,
        "V": jax.random.normal(keys[1], (WIDTH, p)) / np.sqrt(WIDTH),
    }
    theta, unravel = ravel_pytree(parameters)

    def logits(theta, x):
        parameters = unravel(theta)
        hidden = parameters["U"][x[:, 0]] + parameters["U"][p + x[:, 1]]
        return (hidden * hidden) @ parameters["V"]

    def loss(theta, x, y):
        return -jnp.mean(jax.nn.log_softmax(logits(theta, x))[jnp.arange(len(y)), y])

    gradient = jax.grad(loss)

    def step(carry, _):
        theta, m, v, t = carry
        g = gradient(theta, x, y)
        t = t + 1
        m = 0.9 * m + 0.1 * g
        v = 0.98 * v + 0.02 * g * g
        update = (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.98**t)) + 1e-8)
        return (theta * (1 - 1e-3) - 1e-3 * update, m, v, t), None

    chunk = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=EVERY)[0])
    carry = (theta, jnp.zeros_like(theta), jnp.zeros_like(theta), 0.0)
    key = jax.random.PRNGKey(77)
    for _ in range(STEPS // EVERY):
        key, _, _ = jax.random.split(key, 3)
        carry = chunk(carry)
    _, drawn, _ = jax.random.split(key, 3)
    theta = carry[0]

    def parted(g, theta, rate, one, other):
        """The ends of both orders of two steps."""
        first = theta - rate * g(theta, *one)
        first = first - rate * g(first, *other)
        second = theta - rate * g(theta, *other)
        second = second - rate * g(second, *one)
        return jnp.linalg.norm(first - second)

    # As the study calls it: compiled, with all pairs in one loop.
    def naive(key):
        chosen = jax.random.permutation(key, num_train)[: 2 * BATCH]
        one, other = ((x[part], y[part]) for part in (chosen[:BATCH], chosen[BATCH:]))
        lengths = [jnp.linalg.norm(RATE * gradient(theta, *batch)) for batch in (one, other)]
        distance, steps = parted(gradient, theta, RATE, one, other), lengths[0] * lengths[1]
        return chosen, jnp.array([distance / (steps + 1e-12), distance / steps])

    chosen, script = jax.jit(lambda keys: jax.lax.map(naive, keys))(jax.random.split(drawn, PAIRS))
    chosen, script = np.array(chosen), np.array(script)
    accuracy = [
        float(np.mean(np.argmax(logits(theta, pairs[part]), 1) == labels[part])) for part in (train, test)
    ]
    single = np.array(theta)
    weights = {name: np.array(value) for name, value in unravel(theta).items()}

    found = []
    with jax.enable_x64(True):
        at = jnp.array(single, dtype=jnp.float64)
        unravel = ravel_pytree({name: jnp.array(w, dtype=jnp.float64) for name, w in weights.items()})[1]
        g = jax.jit(gradient)
        product = jax.jit(lambda v, x, y: jax.jvp(lambda theta: gradient(theta, x, y), (at,), (v,))[1])
        for own, (with_floor, without) in zip(chosen, script):
            batches = [train[own[:BATCH]], train[own[BATCH:]]]
            one, other = ((jnp.array(pairs[batch]), jnp.array(labels[batch])) for batch in batches)
            g_a, g_b = g(at, *one), g(at, *other)
            b_a, a_b = product(g_a, *other), product(g_b, *one)
            norms = [float(jnp.linalg.norm(v)) for v in (g_a, g_b)]
            c = float(jnp.linalg.norm(b_a - a_b))
            finite = float(parted(g, at, FINITE_RATE, one, other)) / FINITE_RATE**2
            found.append(
                {
                    # The pair (i, j) is i · 31 + j.
                    "batches": [[int(index) for index in batch] for batch in batches],
                    "gradient_norms": norms,
                    "bracket": c / (norms[0] * norms[1]),
                    "relative": c / float(jnp.linalg.norm(b_a) + jnp.linalg.norm(a_b)),
                    "script": float(with_floor),
                    "script_without_floor": float(without),
                    "finite_in_f64": finite / (norms[0] * norms[1]),
                }
            )

    def shortest(values):
        return [float(str(value)) for value in values.reshape(-1)]

    median = lambda name: float(np.median([pair[name] for pair in found]))
    result = {
        "step": STEPS,
        "accuracy": accuracy,
        "rate": RATE,
        "finite_rate": FINITE_RATE,
        "parameter_norm": float(np.linalg.norm(single.astype(np.float64))),
        "bracket": median("bracket"),
        "script": median("script"),
        "pairs": found,
        "weights": {
            name: {"shape": list(value.shape), "values": shortest(value)} for name, value in weights.items()
        },
    }
    print(f"step {STEPS}, accuracy {accuracy}, |w| {result['parameter_norm']:.4f}")
    for pair in found:
        print({name: pair[name] for name in pair if name != "batches"})
    print(f"medians: bracket {result['bracket']:.4f}, script {result['script']:.4f}")
    return result


def write(name, seed, dtype, content):
    header = {
        "script": "golden/scripts/commutator.py",
        "packages": {
            "python": platform.python_version(),
            "jax": jax.__version__,
            "jaxlib": jax.lib.__version__,
            "numpy": np.__version__,
        },
        "seed": seed,
        "dtype": dtype,
        "date": datetime.date.today().isoformat(),
    }
    TARGET.mkdir(exist_ok=True)
    (TARGET / f"{name}.json").write_text(json.dumps({"header": header, **content}) + "\n")


def main():
    small = {"quadratics": quadratics(), "regression": regression()}
    print(small["quadratics"])
    print({name: value for name, value in small["regression"].items() if name not in "xyw"})
    write("commutator", SEED, "float64", small)
    write("commutator_grokking", 0, "float32", grokking())


if __name__ == "__main__":
    main()
