"""What a training step with derivatives by the input costs in PyTorch, on the networks of benches/pinn.

    pip install torch numpy
    cargo bench -p burnscape --bench pinn -- --json ours.json
    python benches/peers/pinn.py --ours ours.json

A step is the loss, the mean of (D u - f)^2 over 1,000 points, and its gradient by all parameters, without
an optimizer, in single precision. The network u has three hidden layers of 64 with tanh and one output.
Cases, which are the names in the file of our benchmark, {"cases": [{"name": ..., "ms": ...}]}:

- laplacian: two inputs, D the Laplacian
- order_0 to order_4: one input, D the derivative of this order; order_0 is plain regression
- dimension_1 to dimension_10: this many inputs, D the Laplacian

Ways, each also with torch.compile around the whole step, which must be told to follow torch.autograd:

- backward: torch.autograd.grad with create_graph again and again, for a Laplacian once more for every input
- fwd-rev:  torch.func.jvp of torch.func.grad, with all inputs at once by vmap
- fwd-fwd:  jvp of jvp, with all inputs at once by vmap
- hessian:  the trace of torch.func.hessian of every point, by vmap; not compiled
- by hand:  Laplacians propagated through the layers by formulas for this very network. It is nothing that
  PyTorch offers, and is shown beside the others without a place among the best.

Before anything is timed, the gradients of all ways are compared. Prints medians in ms with one thread and
with all, what does not compile, and the quickest way of each case over both; with --ours also our time over
it: below one is quicker. At last the growth with order and dimension. A compilation takes from ten seconds
to more than a minute and the whole an hour; --only and --no-compile make it shorter. Run both benchmarks on
the same quiet machine. The PyTorch that pip installs is the build for CUDA; here it runs on the CPU.
"""

import argparse
import functools
import json
import math
import os
import statistics
import time
import warnings

import torch
import torch.nn.functional as F
from torch.func import grad, hessian, jvp, vmap

# Tracing tools warn of their own internals.
warnings.filterwarnings("ignore")

POINTS, WIDTH, HIDDEN = 1000, 64, 3
# Of gradients of different ways, relative to the largest entry: single precision in another order.
AGREEMENT = 1e-3


def network(inputs):
    """Weights and biases, alternating."""
    sizes = [inputs, *[WIDTH] * HIDDEN, 1]
    parameters = []
    for before, after in zip(sizes, sizes[1:]):
        parameters += [torch.randn(after, before) / math.sqrt(before), torch.randn(after) / 10]
    return [p.requires_grad_() for p in parameters]


def outputs(parameters, x):
    for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
        x = torch.tanh(F.linear(x, weight, bias))
    return F.linear(x, *parameters[-2:])


# A way takes a function u of points [n, d] with values [n, 1], and the points.


def units(x):
    """For every input the direction in which it alone moves, at all points: [d, n, d]."""
    d = x.shape[1]
    return torch.eye(d)[:, None, :].expand(d, x.shape[0], d)


def laplacian_backward(u, x):
    (slope,) = torch.autograd.grad(u(x).sum(), x, create_graph=True)
    seconds = [
        torch.autograd.grad(slope[:, i].sum(), x, create_graph=True)[0][:, i]
        for i in range(x.shape[1])
    ]
    return sum(seconds)[:, None]


def laplacian_forward_reverse(u, x):
    slope = grad(lambda x: u(x).sum())

    def second(v):
        return (jvp(slope, (x,), (v,))[1] * v).sum(1, keepdim=True)

    return vmap(second)(units(x)).sum(0)


def laplacian_forward_forward(u, x):
    def second(v):
        return jvp(lambda x: jvp(u, (x,), (v,))[1], (x,), (v,))[1]

    return vmap(second)(units(x)).sum(0)


def laplacian_hessian(u, x):
    def trace(point):
        return hessian(lambda point: u(point[None])[0, 0])(point).trace()

    return vmap(trace)(x)[:, None]


def laplacian_by_hand(parameters, x):
    """Carries the values, their derivatives by every input, and their Laplacian."""
    slopes, laplacian = units(x), torch.zeros_like(x)
    for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
        x, slopes, laplacian = F.linear(x, weight, bias), slopes @ weight.T, laplacian @ weight.T
        x = torch.tanh(x)
        first = 1 - x * x
        laplacian = first * (laplacian - 2 * x * slopes.square().sum(0))
        slopes = first * slopes
    return laplacian @ parameters[-2].T


def order_backward(order, u, x):
    y = u(x)
    for _ in range(order):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return y


def order_forward(field, order, x):
    """A derivative of a field along ones."""
    ones = torch.ones_like(x)

    def derivative(field):
        return lambda x: jvp(field, (x,), (ones,))[1]

    for _ in range(order):
        field = derivative(field)
    return field(x)


def order_forward_reverse(order, u, x):
    return order_forward(grad(lambda x: u(x).sum()), order - 1, x)


def order_forward_forward(order, u, x):
    return order_forward(u, order, x)


def cases():
    """Name, number of inputs, and the ways by their names."""
    laplacian = {
        "backward": laplacian_backward,
        "fwd-rev": laplacian_forward_reverse,
        "fwd-fwd": laplacian_forward_forward,
        "hessian": laplacian_hessian,
    }
    yield "laplacian", 2, laplacian
    for order in range(5):
        ways = {"backward": order_backward}
        if order:
            ways |= {"fwd-rev": order_forward_reverse, "fwd-fwd": order_forward_forward}
        yield f"order_{order}", 1, {name: functools.partial(way, order) for name, way in ways.items()}
    for inputs in range(1, 11):
        yield f"dimension_{inputs}", inputs, laplacian


NOT_COMPILED = ["hessian"]
UNCOUNTED = ["by hand", "by hand c"]
WAYS = ["backward", "fwd-rev", "fwd-fwd", "hessian", "backward c", "fwd-rev c", "fwd-fwd c", *UNCOUNTED]


def steps(inputs, ways, compiles):
    """Name and work of everything that is timed, after a look at the gradients."""
    parameters = network(inputs)
    x = torch.rand(POINTS, inputs).requires_grad_()
    f = torch.sin(3 * x.detach().sum(1, keepdim=True))

    def gradient(residual, parameters, x):
        loss = (residual(parameters, x) - f).square().mean()
        # Derivatives do not depend on the last bias.
        return torch.autograd.grad(loss, parameters, materialize_grads=True)

    residuals = {
        name: lambda parameters, x, way=way: way(functools.partial(outputs, parameters), x)
        for name, way in ways.items()
    }
    if "hessian" in ways:
        residuals["by hand"] = laplacian_by_hand
    works = {name: functools.partial(gradient, residual) for name, residual in residuals.items()}
    if compiles:
        works |= {
            f"{name} c": torch.compile(work)
            for name, work in works.items()
            if name not in NOT_COMPILED
        }
    found, expected = {}, None
    for name, work in works.items():
        try:
            result = work(parameters, x)
        except Exception as error:
            # Compilers fail in many ways, and what they refuse is a result.
            if not name.endswith(" c"):
                raise
            print(f"  {name} does not compile: {str(error).splitlines()[0]}", flush=True)
            continue
        expected = expected or result
        for one, other in zip(result, expected):
            if (one - other).abs().max() > AGREEMENT * other.abs().max():
                raise SystemExit(f"{name} has another gradient than backward")
        found[name] = functools.partial(work, parameters, x)
    return found


def medians(found, rounds):
    """Rounds interleave what is compared: a slow minute of the machine falls on all of it."""
    times = {name: [] for name in found}
    for turn in range(rounds + 2):
        for name, work in found.items():
            start = time.perf_counter()
            work()
            if turn >= 2:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(threads, arguments):
    print(f"\n{threads} thread{'s' * (threads > 1)}; c: compiled")
    print(f"{'case':<13}" + "".join(f"{name:>12}" for name in WAYS))
    torch.set_num_threads(threads)
    figures = {}
    for name, inputs, ways in cases():
        if arguments.only not in name:
            continue
        torch.manual_seed(1)
        # Compiled code is for one number of threads.
        torch.compiler.reset()
        row = medians(steps(inputs, ways, arguments.compile), arguments.rounds)
        cells = (f"{row[way]:>12.2f}" if way in row else f"{'-':>12}" for way in WAYS)
        print(f"{name:<13}" + "".join(cells), flush=True)
        figures[name] = row
    return figures


def best(figures):
    """For each case time, way and threads of the quickest."""
    found = {}
    for threads, rows in figures.items():
        for name, row in rows.items():
            for way, ms in row.items():
                if way not in UNCOUNTED and (name not in found or ms < found[name][0]):
                    found[name] = ms, way, threads
    return found


def growth(quickest, ours):
    for family, base in [("order", "order_0"), ("dimension", "dimension_1")]:
        names = [name for name in quickest if name.startswith(f"{family}_")]
        if base not in names:
            continue
        print(f"\ntimes over those of {base}" + (": theirs, ours" if ours else ""))
        for name in names:
            columns = [quickest[name][0] / quickest[base][0]]
            if name in ours and base in ours:
                columns.append(ours[name] / ours[base])
            print(f"{name:<13}" + "".join(f"{ratio:>10.2f}" for ratio in columns))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="what `cargo bench --bench pinn -- --json` wrote")
    parser.add_argument("--json", help="where to write the medians")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count()}))
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    arguments = parser.parse_args()
    # Without it, torch.autograd.grad interrupts what is compiled.
    torch._dynamo.config.trace_autograd_ops = True
    ours = {}
    if arguments.ours:
        with open(arguments.ours) as file:
            ours = {case["name"]: case["ms"] for case in json.load(file)["cases"]}
    print(f"torch {torch.__version__}, {POINTS} points, medians of {arguments.rounds} rounds in ms")
    figures = {threads: measure(threads, arguments) for threads in arguments.threads}
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=1)
    quickest = best(figures)
    print(f"\n{'case':<13}{'best ms':>10}{'ours ms':>10}{'ours/best':>11}  best way")
    for name, (ms, way, threads) in quickest.items():
        own = f"{ours[name]:>10.2f}{ours[name] / ms:>11.2f}" if name in ours else f"{'-':>10}{'-':>11}"
        print(f"{name:<13}{ms:>10.2f}{own}  {way}, {threads} thread{'s' * (threads > 1)}")
    growth(quickest, ours)


if __name__ == "__main__":
    main()
