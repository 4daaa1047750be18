//! Derivatives by the input and losses of them, against PyTorch in double precision: `golden/input_derivatives`.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, silu};
use burn::tensor::{DType, Device, Tensor};
use burnscape_linearize::{Field, GradientTrace, LinearizedGradient, OutputTrace};
use burnscape_testkit::double::device;
use burnscape_testkit::golden::{self, GoldenArray};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A network whose outputs are `[n, k]`, of inputs `[n, m]`.
trait Net: Module {
    fn outputs(&self, x: Tensor<2>) -> Tensor<2>;
}

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
    #[module(skip)]
    activation: Activation,
}

#[derive(Debug, Clone, Copy)]
enum Activation {
    Tanh,
    Sine,
    Gelu,
    Silu,
}

impl Mlp {
    fn new(widths: [usize; 4], activation: Activation, device: &Device) -> Self {
        let layer = |index: usize| LinearConfig::new(widths[index], widths[index + 1]).init(device);
        Self {
            first: layer(0),
            second: layer(1),
            last: layer(2),
            activation,
        }
    }
}

impl Net for Mlp {
    fn outputs(&self, x: Tensor<2>) -> Tensor<2> {
        let activate = |x: Tensor<2>| match self.activation {
            Activation::Tanh => x.tanh(),
            Activation::Sine => x.sin(),
            Activation::Gelu => gelu(x),
            Activation::Silu => silu(x),
        };
        let x = activate(self.first.forward(x));
        self.last.forward(activate(self.second.forward(x)))
    }
}

#[derive(Module, Debug)]
struct Attentive {
    attention: MultiHeadAttention,
    norm: LayerNorm,
    last: Linear,
}

impl Net for Attentive {
    fn outputs(&self, x: Tensor<2>) -> Tensor<2> {
        let [rows, _] = x.dims();
        let x = x.reshape([rows, 3, 8]);
        let attended = self.attention.forward(MhaInput::self_attn(x.clone()));
        let x = self.norm.forward(x + attended.context);
        self.last.forward(x.mean_dim(1).reshape([rows, 8]))
    }
}

#[derive(Deserialize)]
struct Parameter {
    path: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Partial {
    inputs: Vec<usize>,
    value: GoldenArray,
}

struct Golden {
    all: Map<String, Value>,
    parameters: Vec<Parameter>,
}

impl Golden {
    fn load(case: &str) -> Self {
        let all: Map<String, Value> =
            golden::load("input_derivatives", case).expect("a golden file");
        let parameters = all["parameters"].clone();
        Self {
            parameters: serde_json::from_value(parameters).expect("parameters"),
            all,
        }
    }

    fn array(&self, name: &str) -> GoldenArray {
        serde_json::from_value(self.all[name].clone()).expect("an array")
    }

    fn rows(&self, name: &str) -> Tensor<2> {
        let GoldenArray { shape, values } = self.array(name);
        let rows = shape[0];
        let width = shape[1..].iter().product();
        let flat = GoldenArray {
            shape: vec![rows, width],
            values,
        };
        flat.tensor(&device(), DType::F64).expect("rows")
    }

    /// The network with the parameters of the file.
    fn fill<M: Module>(&self, model: M) -> M {
        let mut fill = Fill {
            parameters: self.parameters.iter(),
            path: Vec::new(),
        };
        let model = model.map(&mut fill);
        assert!(fill.parameters.next().is_none(), "a parameter is missing");
        model
    }
}

struct Fill<'p> {
    parameters: std::slice::Iter<'p, Parameter>,
    path: Vec<String>,
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let golden = self.parameters.next().expect("a parameter");
        assert_eq!(self.path.join("."), golden.path);
        let values = GoldenArray {
            shape: golden.shape.clone(),
            values: golden.values.clone(),
        };
        param.map(|tensor| {
            let values = values
                .tensor(&tensor.device().inner(), DType::F64)
                .expect("values");
            Tensor::from_inner(values).require_grad()
        })
    }
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1e-3_f64, |all, x| all.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= 1e-10 * size,
            "{what}[{index}]: {found} instead of {expected}"
        );
    }
}

/// A tensor of the network at the rows of the file.
fn values<M: Net, const D: usize>(
    net: &M,
    x: &Tensor<2>,
    f: impl Fn(&M, Tensor<2>) -> Tensor<D>,
) -> Vec<f64> {
    let trace = OutputTrace::new(
        net.clone(),
        device().settings(),
        |inputs| inputs.float(x.clone()),
        |net: &M, x| f(net, x.clone()),
    );
    let trace = trace.expect("a trace");
    let found = trace
        .forward()
        .run(&trace.bindings, &device())
        .expect("outputs");
    found[0].to_data().try_to_vec().expect("numbers")
}

fn field<M: Net>(net: &M, x: Tensor<2>) -> Field<2, 2> {
    Field::new(x, |x| net.outputs(x))
}

/// A derivative along the same vectors again and again.
fn directional<M: Net>(net: &M, x: Tensor<2>, v: &Tensor<2>, order: usize) -> Tensor<2> {
    if order == 0 {
        return net.outputs(x);
    }
    let v = v.clone();
    Field::new(x, |x| directional(net, x, &v, order - 1)).jvp(v.clone())
}

fn derivatives<M: Net>(net: &M, golden: &Golden) {
    let x = golden.rows("input");
    let check = |name: &str, found: Vec<f64>| {
        if golden.all.contains_key(name) {
            assert_close(name, &found, &golden.array(name).values);
        }
    };
    let has = |name: &str| golden.all.contains_key(name);
    check("value", values(net, &x, |net, x| field(net, x).value()));
    let (v, c) = (golden.rows("direction"), golden.rows("cotangent"));
    check(
        "laplacian",
        values(net, &x, |net, x| field(net, x).laplacian()),
    );
    let partials: Vec<Partial> =
        serde_json::from_value(golden.all["partials"].clone()).expect("partials");
    for Partial { inputs, value } in partials {
        let found = values(net, &x, |net, x| field(net, x).partial(&inputs));
        assert_close(&format!("partial {inputs:?}"), &found, &value.values);
    }
    if has("gradient") {
        check(
            "gradient",
            values(net, &x, |net, x| field(net, x).gradient()),
        );
        let of_laplacian =
            |net: &M, x: Tensor<2>| Field::new(x, |x| field(net, x).laplacian()).gradient();
        check("gradient_of_laplacian", values(net, &x, of_laplacian));
    }
    if has("bilaplacian") {
        let twice =
            |net: &M, x: Tensor<2>| Field::new(x, |x| field(net, x).laplacian()).laplacian();
        check("bilaplacian", values(net, &x, twice));
    }
    if has("jacobian") {
        check(
            "jacobian",
            values(net, &x, |net, x| field(net, x).jacobian()),
        );
        check(
            "divergence",
            values(net, &x, |net, x| field(net, x).divergence()),
        );
        let of_divergence =
            |net: &M, x: Tensor<2>| Field::new(x, |x| field(net, x).divergence()).gradient();
        check("gradient_of_divergence", values(net, &x, of_divergence));
    }
    // With vectors of the batch.
    let with = |f: &dyn Fn(&M, Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>| {
        let trace = OutputTrace::new(
            net.clone(),
            device().settings(),
            |inputs| {
                (
                    inputs.float(x.clone()),
                    inputs.float(v.clone()),
                    inputs.float(c.clone()),
                )
            },
            |net: &M, (x, v, c)| f(net, x.clone(), v.clone(), c.clone()),
        );
        let trace = trace.expect("a trace");
        let found = trace
            .forward()
            .run(&trace.bindings, &device())
            .expect("outputs");
        found[0].to_data().try_to_vec::<f64>().expect("numbers")
    };
    check("jvp", with(&|net, x, v, _| field(net, x).jvp(v)));
    check("vjp", with(&|net, x, _, c| field(net, x).vjp(c)));
    for order in 2..=4 {
        let found = with(&|net, x, v, _| directional(net, x, &v, order));
        check(&format!("directional_{order}"), found);
    }
    if has("hessian_vector") {
        let product = |net: &M, x: Tensor<2>, v: Tensor<2>, _: Tensor<2>| {
            Field::new(x, |x| field(net, x).gradient()).jvp(v)
        };
        check("hessian_vector", with(&product));
    }
}

fn losses<M: Net>(net: &M, golden: &Golden, loss: impl Fn(&str, &M, [Tensor<2>; 3]) -> Tensor<1>) {
    let device = device();
    let x = golden.rows("input");
    let boundary = |name: &str| {
        if golden.all.contains_key(name) {
            golden.rows(name)
        } else {
            Tensor::zeros([1, 1], &device)
        }
    };
    let (edge, target) = (boundary("boundary_input"), boundary("boundary_target"));
    let direction = golden.array("parameter_direction").values;
    let Value::Object(all) = &golden.all["losses"] else {
        panic!("no losses");
    };
    for (name, expected) in all {
        let trace = GradientTrace::new(
            net.clone(),
            device.settings(),
            |inputs| [&x, &edge, &target].map(|tensor| inputs.float(tensor.clone())),
            |net: &M, batch| loss(name, net, batch),
        );
        let trace = trace.expect("a trace");
        let mut at = LinearizedGradient::new(&trace, device.settings(), &device).expect("a point");
        let numbers = |tensor: &Tensor<1>| tensor.to_data().try_to_vec::<f64>().expect("numbers");
        let found = numbers(at.loss());
        let number = expected["loss"].as_f64().expect("a loss");
        assert_close(&format!("{name}: loss"), &found, &[number]);
        let array = |field: &str| -> GoldenArray {
            serde_json::from_value(expected[field].clone()).expect("an array")
        };
        let lengths = golden
            .parameters
            .iter()
            .map(|parameter| parameter.values.len());
        let lengths: Vec<usize> = lengths.collect();
        let joined = |parts: &[Option<Tensor<1>>]| -> Vec<f64> {
            let parts = parts.iter().zip(&lengths);
            let parts = parts.flat_map(|(part, len)| match part {
                Some(part) => numbers(part),
                None => vec![0.0; *len],
            });
            parts.collect()
        };
        assert_close(
            &format!("{name}: gradient"),
            &joined(at.gradients()),
            &array("gradient").values,
        );
        let mut start = 0;
        let parts: Vec<Tensor<1>> = lengths
            .iter()
            .map(|len| {
                let part = &direction[start..start + len];
                start += len;
                Tensor::from_data(part, (&device, DType::F64))
            })
            .collect();
        let product = at.hvp(&parts).expect("a product");
        assert_close(
            &format!("{name}: product"),
            &joined(&product),
            &array("hessian_vector").values,
        );
    }
}

const T: usize = 0;
const X: usize = 1;

fn of_mlp(name: &str, net: &Mlp, [x, edge, target]: [Tensor<2>; 3]) -> Tensor<1> {
    let u = field(net, x);
    match name {
        "convection" => (u.partial(&[T]) + u.partial(&[X]) * 3.0).square().mean(),
        "burgers" => {
            let residual =
                u.partial(&[T]) + u.value() * u.partial(&[X]) - u.partial(&[X, X]) * 0.01;
            residual.square().mean() + (net.outputs(edge) - target).square().mean()
        }
        "korteweg_de_vries" => {
            let residual =
                u.partial(&[T]) + u.value() * u.partial(&[X]) * 6.0 + u.partial(&[X, X, X]);
            residual.square().mean()
        }
        "gradient_penalty" => penalty(&u),
        other => panic!("{other}"),
    }
}

fn penalty(u: &Field<2, 2>) -> Tensor<1> {
    let norm = u.gradient().square().sum_dim(1).sqrt();
    (norm - 1.0).square().mean()
}

fn mlp(case: &str, widths: [usize; 4], activation: Activation) -> (Mlp, Golden) {
    let golden = Golden::load(case);
    let net = Mlp::new(widths, activation, &device().autodiff());
    (golden.fill(net), golden)
}

#[test]
fn scalar_networks() {
    for (case, activation) in [
        ("mlp_tanh", Activation::Tanh),
        ("mlp_sine", Activation::Sine),
        ("mlp_gelu", Activation::Gelu),
        ("mlp_silu", Activation::Silu),
    ] {
        let (net, golden) = mlp(case, [2, 16, 16, 1], activation);
        derivatives(&net, &golden);
        losses(&net, &golden, of_mlp);
    }
}

#[test]
fn a_vector_field() {
    let (net, golden) = mlp("field_tanh", [3, 12, 12, 3], Activation::Tanh);
    derivatives(&net, &golden);
    losses(&net, &golden, |name, net, [x, ..]| {
        let f = field(net, x);
        match name {
            "divergence" => f.divergence().square().mean(),
            "score_matching" => {
                let energy = f.value().square().sum_dim(1) * 0.5;
                (f.divergence() + energy).mean()
            }
            "advection" => (f.jvp(f.value()) - f.laplacian() * 0.01).square().mean(),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn attention() {
    let golden = Golden::load("attention");
    let device = device().autodiff();
    let net = golden.fill(Attentive {
        attention: MultiHeadAttentionConfig::new(8, 2)
            .with_dropout(0.0)
            .init(&device),
        norm: LayerNormConfig::new(8).init(&device),
        last: LinearConfig::new(8, 1).init(&device),
    });
    derivatives(&net, &golden);
    losses(&net, &golden, |name, net, [x, ..]| {
        let u = field(net, x);
        match name {
            "gradient_penalty" => penalty(&u),
            "laplacian" => (u.laplacian() - 1.0).square().mean(),
            other => panic!("{other}"),
        }
    });
}
