"""What curvature products cost in PyTorch, on the networks of benches/curvature.

    pip install torch numpy curvlinops-for-pytorch
    cargo bench -p burnscape --bench curvature -- --json ours.json
    python benches/peers/curvature.py --ours ours.json

The networks are all eleven of there, in evaluation mode, with the same sizes, batches and mean
cross-entropy. Prints, in ms on two threads and in single precision, the medians of a gradient and
of one Hessian-vector product by

- retained:  a gradient graph made once, differentiated again for every vector
- fresh:     two backward passes for every vector
- jvp-grad:  torch.func.jvp of torch.func.grad
- linearize: torch.func.linearize of torch.func.grad, made once
- curvlinops: its HessianLinearOperator

and of one Gauss-Newton product by torch.func (ggn: jvp of the outputs, criterion, vjp back; ggn
kept: the same with the outputs linearized once, as ours keeps residuals) and by curvlinops'
GGNLinearOperator. Each is timed as ours: the mean over 5 ms of a loop that has run for 10 ms.
With --ours, one table of the best of these and of our absolute times over them: below one is
quicker. Networks that were left out there have no ratio. Run both on the same quiet machine. The
PyTorch that pip installs is the build for CUDA; here it runs on the CPU.
"""

import argparse
import json
import math
import statistics
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, jvp, linearize, vjp


# Tracing tools warn of their own internals.
warnings.filterwarnings("ignore")


class Mlp(nn.Module):
    def __init__(self, width, activation):
        super().__init__()
        sizes = [784, width, width, width, 10]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.activation = activation

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class DigitsCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(16)
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first_norm(self.first(x))), 2)
        x = F.max_pool2d(F.relu(self.second_norm(self.second(x))), 2)
        return self.last(x.flatten(1))


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.second = nn.Conv2d(8, 16, 3)
        self.last = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        x = F.max_pool2d(F.relu(self.second(x)), 2)
        return self.last(x.flatten(1))


class EncoderLayer(nn.Module):
    """Burn's layer, written out: attention by softmax, norm after, Gelu by erf."""

    def __init__(self, d, inner, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(d, d) for _ in range(4))
        self.inner, self.outer = nn.Linear(d, inner), nn.Linear(inner, d)
        self.norm_1, self.norm_2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x):
        n, words, d = x.shape
        size = d // self.heads

        def split(y):
            return y.reshape(n, words, self.heads, size).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(size), 3)
        x = self.norm_1(x + self.output((weights @ v).transpose(1, 2).reshape(n, words, d)))
        return self.norm_2(x + self.outer(F.gelu(self.inner(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(128, 512, 4) for _ in range(4))
        self.last = nn.Linear(128, 10)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.last(x.mean(1))


class ResidualBlock(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x):
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-18 for 32x32 images: a 3x3 stem without pooling."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(64)
        blocks = []
        for before, after, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
            blocks += [ResidualBlock(before, after, stride), ResidualBlock(after, after, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(512, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.stem_norm(self.stem(x))))
        return self.last(x.mean((2, 3)))


class GptLayer(EncoderLayer):
    """The same with the norms first and causal attention."""

    def forward(self, x):
        n, words, d = x.shape
        size = d // self.heads

        def split(y):
            return y.reshape(n, words, self.heads, size).transpose(1, 2)

        y = self.norm_2(x)
        q, k, v = split(self.query(y)), split(self.key(y)), split(self.value(y))
        future = torch.ones(words, words, dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(2, 3) / math.sqrt(size)).masked_fill(future, -1e4)
        weights = torch.softmax(scores, 3)
        x = x + self.output((weights @ v).transpose(1, 2).reshape(n, words, d))
        return x + self.outer(F.gelu(self.inner(self.norm_1(x))))


class Gpt(nn.Module):
    def __init__(self, d=256, layers=4, context=128, tokens=256):
        super().__init__()
        self.tokens, self.places = nn.Embedding(tokens, d), nn.Embedding(context, d)
        self.layers = nn.ModuleList(GptLayer(d, 4 * d, d // 32) for _ in range(layers))
        self.norm = nn.LayerNorm(d)
        self.last = nn.Linear(d, tokens, bias=False)

    def forward(self, x):
        x = self.tokens(x) + self.places.weight
        for layer in self.layers:
            x = layer(x)
        return self.last(self.norm(x)).flatten(0, 1)


def classes(shape):
    """Random inputs of a shape, and a class for each."""
    return torch.randn(shape), torch.arange(shape[0]) % 10


def tokens(rows, context):
    """Random tokens, and the token after each."""
    x = torch.randint(0, 256, (rows, context + 1))
    return x[:, :-1].contiguous(), x[:, 1:].flatten()


def networks():
    for name, activation in [("tanh", torch.tanh), ("relu", F.relu)]:
        for width in [64, 256, 512]:
            yield f"mlp_{name}_{width}", Mlp(width, activation), classes([width, 784])
    yield "digits_cnn", DigitsCnn(), classes([64, 1, 8, 8])
    yield "conv_28", ConvNet(), classes([128, 1, 28, 28])
    yield "transformer", Transformer(), classes([4, 64, 128])
    yield "resnet_18", ResNet(), classes([16, 3, 32, 32])
    yield "gpt_4", Gpt(), tokens(4, 128)


def ways(model, x, y):
    """Name and work of everything that is timed."""
    parameters = dict(model.named_parameters())
    names, values = list(parameters), [p for p in parameters.values()]
    vectors = [torch.randn_like(p) for p in values]
    criterion = nn.CrossEntropyLoss()

    def gradient(create_graph=False):
        return torch.autograd.grad(criterion(model(x), y), values, create_graph=create_graph)

    def again(gradients, retain):
        inner = sum((g * v).sum() for g, v in zip(gradients, vectors))
        return torch.autograd.grad(inner, values, retain_graph=retain)

    kept = gradient(create_graph=True)
    detached = {name: p.detach() for name, p in parameters.items()}
    direction = dict(zip(names, vectors))

    def outputs(p):
        return functional_call(model, p, (x,))

    slope = grad(lambda p: criterion(outputs(p), y))

    def gauss_newton():
        z, moved = jvp(outputs, (detached,), (direction,))
        _, bent = jvp(grad(lambda z: criterion(z, y)), (z,), (moved,))
        _, back = vjp(outputs, detached)
        return back(bent)

    def kept_gauss_newton():
        z, forward = linearize(outputs, detached)
        _, back = vjp(outputs, detached)
        slope_at = grad(lambda z: criterion(z, y))

        def product():
            _, bent = jvp(slope_at, (z,), (forward(direction),))
            return back(bent, create_graph=False)

        # Refused here or not at all.
        product()
        return product

    found = {
        "gradient": gradient,
        "retained": lambda: again(kept, True),
        "fresh": lambda: again(gradient(create_graph=True), False),
        "jvp-grad": lambda: jvp(slope, (detached,), (direction,)),
        "ggn": gauss_newton,
    }
    try:
        _, linear = linearize(slope, detached)
        found["linearize"] = lambda: linear(direction)
        found["ggn kept"] = kept_gauss_newton()
    except (RuntimeError, NotImplementedError) as error:
        print(f"  torch.func.linearize refuses: {str(error).splitlines()[0]}")
    try:
        from curvlinops import GGNLinearOperator, HessianLinearOperator

        def operator(kind):
            built = kind(model, criterion, values, [(x, y)], check_deterministic=False)
            flat = torch.cat([v.reshape(-1) for v in vectors])
            return lambda: built @ flat

        found["curvlinops"] = operator(HessianLinearOperator)
        found["curvlinops ggn"] = operator(GGNLinearOperator)
    except ImportError:
        pass
    return found


def steady(work):
    """Milliseconds in a loop of it: the first 10 ms do not count."""

    def mean_over(span):
        start, runs = time.perf_counter(), 0
        while True:
            work()
            runs += 1
            elapsed = (time.perf_counter() - start) * 1e3
            if elapsed >= span:
                return elapsed / runs

    mean_over(10)
    return mean_over(5)


def medians(found, rounds):
    """Rounds interleave what is compared: a slow minute of the machine falls on all of it."""
    times = {name: [] for name in found}
    for turn in range(rounds + 2):
        for name, work in found.items():
            elapsed = steady(work)
            if turn >= 2:
                times[name].append(elapsed)
    return {name: statistics.median(values) for name, values in times.items()}


HVPS = ["retained", "fresh", "jvp-grad", "linearize", "curvlinops"]
GGNS = ["ggn", "ggn kept", "curvlinops ggn"]
COLUMNS = ["gradient", *HVPS, *GGNS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="what `cargo bench --bench curvature -- --json` wrote")
    parser.add_argument("--json", help="where to write the medians")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", default="", help="part of a network's name")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, medians of {arguments.rounds} rounds in ms")
    print(f"{'network':<14}" + "".join(f"{name:>15}" for name in COLUMNS))
    figures = {}
    for name, model, (x, y) in networks():
        if arguments.only not in name:
            continue
        model.eval()
        row = figures[name] = medians(ways(model, x, y), arguments.rounds)
        cells = (f"{row[column]:>15.2f}" if column in row else f"{'-':>15}" for column in COLUMNS)
        print(f"{name:<14}" + "".join(cells))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=1)
    if arguments.ours:
        with open(arguments.ours) as file:
            ours = json.load(file)
        print("\nthe best of theirs in ms, and ours over it")
        print("| network | gradient | hvp | ggn | ours / gradient | ours / hvp | ours / ggn |")
        print("|---|---|---|---|---|---|---|")
        for name, row in figures.items():
            best = [
                min(row[way] for way in names if way in row)
                for names in (["gradient"], HVPS, GGNS)
            ]
            own = ours.get(name)
            keys = ("gradient_ms", "hvp_ms", "ggn_ms")
            ratios = [own[key] / ms for key, ms in zip(keys, best)] if own else []
            cells = [f"{number:.2f}" for number in best + ratios]
            cells += ["-"] * (6 - len(cells))
            print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
