"""Golden derivatives by the input, and losses that contain them, in PyTorch and f64.

Writes golden/input_derivatives/<case>.json: a small network with its parameters and seven rows of
input, derivatives of its outputs by the input up to the fourth order, and losses made of them with
their gradients and one Hessian product each.

    python golden/scripts/input_derivatives.py

Every number is computed twice, and both must agree to 1e-12 of the largest value of its array:

- `Backward`: reverse mode again and again, torch.autograd.grad with create_graph;
- `Functional`: torch.func, jvp over jvp for the input, jvp over grad for the parameters.

The first one's are written. Nothing is random: parameters, inputs and vectors are MIX below.

Conventions are those of Burn: a linear weight is [d_input, d_output], so a layer is `x @ w + b`;
parameters come in the order in which the fields of the Burn module are declared; layer norm divides
by sqrt(biased variance + 1e-5).
"""

import argparse
import datetime
import json
import math
import pathlib
import platform

import torch
import torch.nn.functional as F

DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "input_derivatives"
ROWS = 7
EPSILON = 1e-5
AGREEMENT = 1e-12
# The gradient penalty has a kink where the gradient vanishes.
LEAST_GRADIENT = 1e-2

MIX = (
    "mix(k) = ((k^3 mod 1013) - 506) / 512; entry k, counted row by row: parameters, all in one "
    "vector, mix(k + 40), times 1/2 for weights of eight inputs and more, times 1/2 for biases, "
    "1 + mix / 4 for gamma and mix / 4 for beta; input mix(k + 300); boundary_input mix(k + 420); "
    "boundary_target mix(k + 480); direction mix(k + 510); cotangent mix(k + 700); "
    "parameter_direction mix(k + 150)"
)


def mix(offset, shape):
    """Dyadic fractions, exact in single precision too. Cubes modulo this prime are a permutation."""
    count = math.prod(shape)
    values = [((k + offset) ** 3 % 1013 - 506) / 512 for k in range(count)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def scaled(path, value):
    if path.endswith("gamma"):
        return 1 + value / 4
    if path.endswith("beta"):
        return value / 4
    halved = path.endswith("bias") or value.shape[0] >= 8
    return value / 2 if halved else value


def linear(name, d_in, d_out):
    return [(f"{name}.weight", [d_in, d_out]), (f"{name}.bias", [d_out])]


def affine(p, name, x):
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


class Mlp:
    """Two hidden layers."""

    def __init__(self, inputs, width, outputs, activation):
        self.shapes = [
            *linear("first", inputs, width),
            *linear("second", width, width),
            *linear("last", width, outputs),
        ]
        self.event, self.outputs = [inputs], outputs
        self.activation = activation

    def __call__(self, p, x):
        for layer in ["first", "second"]:
            x = self.activation(affine(p, layer, x))
        return affine(p, "last", x)


class Attention:
    """norm(x + attention(x)) with two heads, mean over the words, a linear readout to one number.

    A head has four features, whose square root is exact in every precision.
    """

    words, d, heads = 3, 8, 2
    event, outputs = [words, d], 1
    shapes = [
        *[shape for name in ["query", "key", "value", "output"] for shape in linear(f"attention.{name}", 8, 8)],
        ("norm.gamma", [d]),
        ("norm.beta", [d]),
        *linear("last", d, 1),
    ]

    def __call__(self, p, x):
        n, size = x.shape[0], self.d // self.heads
        x = x.reshape(n, self.words, self.d)

        def split(name):
            y = affine(p, f"attention.{name}", x)
            return y.reshape(n, self.words, self.heads, size).transpose(1, 2)

        scores = split("query") @ split("key").transpose(2, 3) / math.sqrt(size)
        context = (torch.softmax(scores, 3) @ split("value")).transpose(1, 2)
        x = x + affine(p, "attention.output", context.reshape(n, self.words, self.d))
        centered = x - x.mean(2, keepdim=True)
        x = centered / torch.sqrt(centered.square().mean(2, keepdim=True) + EPSILON)
        x = x * p["norm.gamma"] + p["norm.beta"]
        return affine(p, "last", x.mean(1))


# A field is a function from inputs [n, m] to values [n, k] that treats rows one by one. Both modes
# turn fields into fields, so that derivatives compose.


class Backward:
    """Reverse mode alone. Inputs are one leaf that requires gradients, whatever is nested."""

    @staticmethod
    def rows(field, x):
        """The gradient of each output, [n, k, m]."""
        y = field(x)
        columns = [
            torch.autograd.grad(y[:, a].sum(), x, create_graph=True, materialize_grads=True)[0]
            for a in range(y.shape[1])
        ]
        return torch.stack(columns, 1)

    @classmethod
    def jvp(cls, field, v):
        return lambda x: (cls.rows(field, x) * v[:, None, :]).sum(2)

    @staticmethod
    def vjp(field, c):
        return lambda x: torch.autograd.grad((field(x) * c).sum(), x, create_graph=True)[0]

    @staticmethod
    def gradient(loss, w, v):
        w = w.clone().requires_grad_()
        value = loss(w)
        (gradient,) = torch.autograd.grad(value, w, create_graph=True)
        (product,) = torch.autograd.grad((gradient * v).sum(), w)
        return value.detach(), gradient.detach(), product


class Functional:
    """torch.func, forward mode by the input wherever it can be."""

    @staticmethod
    def jvp(field, v):
        return lambda x: torch.func.jvp(field, (x,), (v,))[1]

    @staticmethod
    def vjp(field, c):
        return lambda x: torch.func.vjp(field, x)[1](c)[0]

    @staticmethod
    def gradient(loss, w, v):
        slope = torch.func.grad(loss)
        gradient, product = torch.func.jvp(slope, (w,), (v,))
        return loss(w), gradient, product


class Calculus:
    """Derivatives by the input out of a mode's two products."""

    def __init__(self, mode, inputs, outputs):
        self.mode, self.inputs, self.outputs = mode, inputs, outputs
        self.units = torch.eye(inputs, dtype=torch.float64)[:, None, :].repeat(1, ROWS, 1)
        self.ones = torch.ones(ROWS, 1, dtype=torch.float64)

    def partial(self, field, *indices):
        for index in indices:
            field = self.mode.jvp(field, self.units[index])
        return field

    def gradient(self, field):
        return self.mode.vjp(field, self.ones)

    def jacobian(self, field):
        """Row a, column i is the derivative of output a by input i."""
        partials = [self.partial(field, i) for i in range(self.inputs)]
        return lambda x: torch.stack([partial(x) for partial in partials], 2)

    def divergence(self, field):
        jacobian = self.jacobian(field)
        return lambda x: jacobian(x).diagonal(dim1=1, dim2=2).sum(1, keepdim=True)

    def laplacian(self, field):
        """Of each output."""
        seconds = [self.partial(field, i, i) for i in range(self.inputs)]
        return lambda x: sum(second(x) for second in seconds)


def mean_square(field):
    return lambda x: field(x).square().mean()


def equation(residual):
    """A loss out of the residual of a differential equation for u(t, x)."""

    def loss(calculus, u):
        d = {
            name: calculus.partial(u, *indices)
            for name, indices in [("t", [0]), ("x", [1]), ("xx", [1, 1]), ("xxx", [1, 1, 1])]
        }
        return mean_square(lambda x: residual(x, u, d))

    return loss


def convection(x, u, d):
    return d["t"](x) + 3 * d["x"](x)


def burgers(x, u, d):
    return d["t"](x) + u(x) * d["x"](x) - 0.01 * d["xx"](x)


def korteweg_de_vries(x, u, d):
    return d["t"](x) + 6 * u(x) * d["x"](x) + d["xxx"](x)


def gradient_penalty(calculus, u):
    gradient = calculus.gradient(u)

    def loss(x):
        norm = gradient(x).square().sum(1).sqrt()
        assert norm.min() > LEAST_GRADIENT
        return (norm - 1).square().mean()

    return loss


def laplacian(calculus, u):
    return mean_square(lambda x: calculus.laplacian(u)(x) - 1)


def divergence(calculus, f):
    return mean_square(calculus.divergence(f))


def score_matching(calculus, f):
    return lambda x: (calculus.divergence(f)(x) + f(x).square().sum(1, keepdim=True) / 2).mean()


def advection(calculus, f):
    """The mean over rows and components of (f . grad) f - 0.01 Laplacian f, squared."""
    jacobian, bent = calculus.jacobian(f), calculus.laplacian(f)
    return mean_square(lambda x: (jacobian(x) * f(x)[:, None, :]).sum(2) - 0.01 * bent(x))


SCALAR_LOSSES = {
    "convection": equation(convection),
    "burgers": equation(burgers),
    "korteweg_de_vries": equation(korteweg_de_vries),
    "gradient_penalty": gradient_penalty,
}
# These have the mean squared error at the boundary added.
WITH_BOUNDARY = ["burgers"]

# Each list of inputs is one mixed partial derivative; of two inputs all of them up to the order.
TWO_INPUTS = [[0] * (order - ones) + [1] * ones for order in [1, 2, 3, 4] for ones in range(order + 1)]
THREE_INPUTS = [[0], [1], [2], [0, 0], [0, 1], [1, 2], [0, 1, 2], [2, 2, 1], [0, 0, 1, 2], [1, 1, 1, 1]]
# Of attention input k is feature k mod 8 of word k / 8.
WORDS = [[0], [13], [4, 4], [4, 13], [22, 7], [4, 13, 22], [7, 7, 9], [4, 4, 13, 22], [16, 16, 16, 16]]


class Case:
    def __init__(self, network, partials, losses):
        self.network, self.partials, self.losses = network, partials, losses
        self.inputs = math.prod(network.event)
        self.count = sum(math.prod(shape) for _, shape in network.shapes)
        flat, start = mix(40, [self.count]), 0
        self.parameters = {}
        for path, shape in network.shapes:
            end = start + math.prod(shape)
            self.parameters[path] = scaled(path, flat[start:end].reshape(shape))
            start = end
        self.w = torch.cat([value.reshape(-1) for value in self.parameters.values()])
        self.x = mix(300, [ROWS, self.inputs])
        self.boundary = mix(420, [ROWS, self.inputs]), mix(480, [ROWS, network.outputs])
        self.v = mix(510, [ROWS, self.inputs])
        self.c = mix(700, [ROWS, network.outputs])
        self.w_direction = mix(150, [self.count])

    def field(self, w):
        parts = torch.split(w, [math.prod(shape) for _, shape in self.network.shapes])
        p = {path: part.reshape(shape) for (path, shape), part in zip(self.network.shapes, parts)}
        return lambda x: self.network(p, x)

    def event(self, value):
        """With the shape of the input."""
        return array(value.reshape([ROWS, *self.network.event]))

    def derivatives(self, mode):
        """Name and value of everything that has no loss around it, as plain tensors."""
        calculus = Calculus(mode, self.inputs, self.network.outputs)
        f = self.field(self.w)
        along = [f]
        for _ in range(4):
            along.append(mode.jvp(along[-1], self.v))
        fields = {"value": f, "jvp": along[1], "vjp": mode.vjp(f, self.c), "laplacian": calculus.laplacian(f)}
        fields |= {f"directional_{order}": along[order] for order in [2, 3, 4]}
        if self.network.outputs == 1:
            fields["gradient"] = calculus.gradient(f)
            fields["hessian_vector"] = mode.jvp(calculus.gradient(f), self.v)
            fields["gradient_of_laplacian"] = mode.vjp(calculus.laplacian(f), calculus.ones)
        else:
            fields["jacobian"] = calculus.jacobian(f)
            fields["divergence"] = calculus.divergence(f)
            fields["gradient_of_divergence"] = mode.vjp(calculus.divergence(f), calculus.ones)
        if self.inputs == 2:
            fields["bilaplacian"] = calculus.laplacian(calculus.laplacian(f))
        fields |= {f"partial {indices}": calculus.partial(f, *indices) for indices in self.partials}
        x = self.x.clone().requires_grad_()
        return {name: field(x).detach() for name, field in fields.items()}

    def loss(self, mode, name):
        calculus = Calculus(mode, self.inputs, self.network.outputs)
        x = self.x.clone().requires_grad_()

        def value(w):
            f = self.field(w)
            loss = self.losses[name](calculus, f)(x)
            if name in WITH_BOUNDARY:
                edge, target = self.boundary
                loss = loss + (f(edge) - target).square().mean()
            return loss

        value, gradient, product = mode.gradient(value, self.w, self.w_direction)
        return {"loss": value.detach(), "gradient": gradient.detach(), "hessian_vector": product.detach()}

    def run(self):
        found = self.derivatives(Backward)
        worst = agree(found, self.derivatives(Functional))
        losses = {name: self.loss(Backward, name) for name in self.losses}
        for name, loss in losses.items():
            worst = max(worst, agree(loss, self.loss(Functional, name)))
        partials = [{"inputs": p, "value": array(found.pop(f"partial {p}"))} for p in self.partials]
        by_input = ["vjp", "gradient", "hessian_vector", "gradient_of_laplacian", "gradient_of_divergence"]
        case = {
            "formula": MIX,
            "parameters": [
                {"path": path, "shape": list(value.shape), "values": value.reshape(-1).tolist()}
                for path, value in self.parameters.items()
            ],
            "input": self.event(self.x),
            "direction": self.event(self.v),
            "cotangent": array(self.c),
            "parameter_direction": array(self.w_direction),
        }
        if any(name in WITH_BOUNDARY for name in self.losses):
            case["boundary_input"], case["boundary_target"] = map(array, self.boundary)
        case |= {
            name: self.event(value) if name in by_input else array(value)
            for name, value in found.items()
        }
        case["partials"] = partials
        case["losses"] = {
            name: {"loss": loss["loss"].item(), **{key: array(loss[key]) for key in ["gradient", "hessian_vector"]}}
            for name, loss in losses.items()
        }
        return case, worst


def agree(one, other):
    """The largest difference between both modes, of the largest value of its array."""
    worst = 0.0
    for name, value in one.items():
        difference = ((value - other[name]).abs().max() / value.abs().max()).item()
        assert difference <= AGREEMENT, (name, difference)
        worst = max(worst, difference)
    return worst


def array(value):
    return {"shape": list(value.shape), "values": value.reshape(-1).tolist()}


CASES = {
    f"mlp_{name}": Case(Mlp(2, 16, 1, activation), TWO_INPUTS, SCALAR_LOSSES)
    for name, activation in [("tanh", torch.tanh), ("sine", torch.sin), ("gelu", F.gelu), ("silu", F.silu)]
}
CASES["field_tanh"] = Case(
    Mlp(3, 12, 3, torch.tanh),
    THREE_INPUTS,
    {"divergence": divergence, "score_matching": score_matching, "advection": advection},
)
CASES["attention"] = Case(
    Attention(), WORDS, {"gradient_penalty": gradient_penalty, "laplacian": laplacian}
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=pathlib.Path, default=DIRECTORY)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, case in CASES.items():
        fields, worst = case.run()
        header = {
            "script": "golden/scripts/input_derivatives.py",
            "packages": {
                "python": platform.python_version(),
                "torch": torch.__version__.split("+")[0],
            },
            # Nothing is drawn.
            "seed": 0,
            "dtype": "float64",
            "date": datetime.date.today().isoformat(),
        }
        path = directory / f"{name}.json"
        text = json.dumps({"header": header, **fields}, separators=(",", ":"))
        # One field a line, so that a diff says which one changed.
        for key in fields:
            text = text.replace(f',"{key}":', f',\n"{key}":', 1)
        path.write_text(text + "\n")
        print(f"{path.name}: {case.count} parameters, both ways differ by {worst:.1e}, {len(text)} bytes")


if __name__ == "__main__":
    main()
