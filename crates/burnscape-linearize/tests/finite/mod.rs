//! Points at which a second derivative is finite and a formula for it is `0 · ∞`; ties, at which it is that of
//! the side that Burn's gradient takes, or refused; and infinities, which stay what they are.

mod ties;

use burn::module::{Module, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::{GroupNormConfig, LayerNormConfig, RmsNormConfig};
use burn::tensor::activation::{
    celu, elu, gelu, log_sigmoid, log_softmax, mish, quiet_softmax, selu, sigmoid, silu, softmax,
    softplus,
};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient};
use burnscape_testkit::double::device as plain;

fn on(device: &Device, x: &[f64]) -> Tensor<1> {
    Tensor::from_data(TensorData::new(x.to_vec(), [x.len()]), device)
}

#[derive(Module, Debug)]
struct Point {
    x: Param<Tensor<1>>,
}

fn at(x: &[f64]) -> Point {
    let x = TensorData::new(x.to_vec(), [x.len()]);
    Point {
        x: Param::from_tensor(Tensor::from_data(x, &plain().autodiff())),
    }
}

type Loss = fn(Tensor<1>) -> Tensor<1>;

fn gradient(x: &[f64], loss: Loss) -> Vec<f64> {
    let point = at(x);
    let gradients = loss(point.x.val()).backward();
    let gradient = point.x.val().grad(&gradients).expect("a gradient");
    gradient.into_data().iter::<f64>().collect()
}

fn product(x: &[f64], v: &[f64], loss: Loss) -> Result<Vec<f64>, LinearizeError> {
    let settings = plain().settings();
    let trace = GradientTrace::new(at(x), settings, |_| (), |point, ()| loss(point.x.val()))?;
    let product = LinearizedGradient::new(&trace, settings, &plain())?.hvp(&[on(&plain(), v)])?;
    Ok(match &product[0] {
        Some(part) => part.clone().into_data().iter::<f64>().collect(),
        None => vec![0.0; x.len()],
    })
}

/// Differences of Burn's gradient.
fn differences(x: &[f64], v: &[f64], loss: Loss) -> Vec<f64> {
    let step = 1e-5;
    let moved = |scale: f64| -> Vec<f64> { x.iter().zip(v).map(|(x, v)| x + scale * v).collect() };
    let (up, down) = (gradient(&moved(step), loss), gradient(&moved(-step), loss));
    up.iter()
        .zip(&down)
        .map(|(a, b)| (a - b) / (2.0 * step))
        .collect()
}

/// The expected outcome of a case.
enum Right {
    /// Differences of Burn's gradient.
    Differences,
    /// The product with `(1, 1.5, 2, …)`.
    Product(&'static [f64]),
}

use Right::{Differences, Product};

fn direction(len: usize) -> Vec<f64> {
    (0..len).map(|i| 1.0 + 0.5 * i as f64).collect()
}

fn hold(cases: Vec<(&str, Vec<f64>, Right, Loss)>) {
    let mut failed = Vec::new();
    for (name, x, right, loss) in cases {
        let v = direction(x.len());
        let found = product(&x, &v, loss).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = match right {
            Differences => differences(&x, &v, loss),
            Product(expected) => expected.to_vec(),
        };
        println!("{name:32} {found:.6?} for {expected:.6?}");
        let is_right = |(a, b): (&f64, &f64)| (a - b).abs() < 2e-4 * b.abs().max(1.0);
        if found.len() != expected.len() || !found.iter().zip(&expected).all(is_right) {
            failed.push(name);
        }
    }
    assert_eq!(failed, [""; 0]);
}

#[test]
fn powers_at_zero_have_the_derivatives_of_polynomials() {
    hold(vec![
        (
            "exponents 1 and 2",
            vec![0.0, 0.0],
            Product(&[0.0, 3.0]),
            |x| {
                let n = on(&x.device(), &[1.0, 2.0]);
                x.powf(n).sum()
            },
        ),
        (
            "exponents 3 and 2.5",
            vec![0.0, 0.0],
            Product(&[0.0, 0.0]),
            |x| {
                let n = on(&x.device(), &[3.0, 2.5]);
                x.powf(n).sum()
            },
        ),
        (
            "exponents 4 and 0",
            vec![0.0, 1.0],
            Product(&[0.0, 0.0]),
            |x| {
                let n = on(&x.device(), &[4.0, 0.0]);
                x.powf(n).sum()
            },
        ),
        (
            "one base for three exponents",
            vec![-1.0],
            Product(&[2.0]),
            |x| {
                let n = on(&x.device(), &[1.0, 2.0, 3.0]);
                (x + 1.0).expand([3]).powf(n).sum()
            },
        ),
        ("an exponent that moves", vec![1.0, 2.0], Differences, |x| {
            x.clone().powf(x.flip([0])).sum()
        }),
        ("powf_scalar 1", vec![0.0, 1.0], Differences, |x| {
            x.powf_scalar(1.0).sum()
        }),
        ("powf_scalar 2", vec![0.0, 1.0], Differences, |x| {
            x.powf_scalar(2.0).sum()
        }),
        ("powf_scalar 3", vec![0.0, 1.0], Differences, |x| {
            x.powf_scalar(3.0).sum()
        }),
        (
            "powf_scalar 2.5",
            vec![0.0, 1.0],
            Product(&[0.0, 5.625]),
            |x| x.powf_scalar(2.5).sum(),
        ),
        ("powf_scalar 0", vec![0.0, 1.0], Differences, |x| {
            x.powf_scalar(0.0).sum()
        }),
        ("powi_scalar 1", vec![0.0, 1.0], Differences, |x| {
            (x.clone().powi_scalar(1) * x).sum()
        }),
        ("powi_scalar 3", vec![0.0, 1.0], Differences, |x| {
            x.powi_scalar(3).sum()
        }),
        ("powi_scalar 4", vec![0.0, 1.0], Differences, |x| {
            x.powi_scalar(4).sum()
        }),
    ]);
}

#[test]
fn activations_are_smooth_far_from_zero() {
    let far = || vec![-800.0, 0.0, 800.0];
    hold(vec![
        ("softplus", far(), Differences, |x| softplus(x, 1.0).sum()),
        ("log_sigmoid", far(), Differences, |x| log_sigmoid(x).sum()),
        ("sigmoid", far(), Differences, |x| sigmoid(x).sum()),
        ("silu", far(), Differences, |x| silu(x).sum()),
        ("mish", far(), Differences, |x| mish(x).sum()),
        ("gelu", far(), Differences, |x| gelu(x).sum()),
        ("tanh", far(), Differences, |x| x.tanh().sum()),
    ]);
}

fn masked(x: Tensor<1>, mask: [bool; 3], value: f64) -> Tensor<1> {
    let mask = Tensor::<1, Bool>::from_data(mask, &x.device());
    x.mask_fill(mask, value)
}

/// `Σ p² x + x²`
fn used(p: Tensor<1>, x: Tensor<1>) -> Tensor<1> {
    (p.square() * x.clone()).sum() + x.square().sum()
}

#[test]
fn masks_of_minus_infinity_and_of_large_numbers_leave_the_others_alone() {
    let at = || vec![1.0, 2.0, 3.0];
    hold(vec![
        ("softmax, −∞", at(), Differences, |x| {
            let p = softmax(
                masked(x.clone(), [false, true, false], f64::NEG_INFINITY),
                0,
            );
            used(p, x)
        }),
        ("log_softmax, −1e9", at(), Differences, |x| {
            log_softmax(masked(x, [false, true, false], -1e9), 0).narrow(0, 0, 1)
        }),
        ("log_softmax, −∞", at(), Differences, |x| {
            log_softmax(masked(x, [false, true, false], f64::NEG_INFINITY), 0).narrow(0, 0, 1)
        }),
        ("softmax of padding, −1e9", at(), Differences, |x| {
            used(softmax(masked(x.clone(), [true; 3], -1e9), 0), x)
        }),
        ("quiet_softmax of padding, −∞", at(), Differences, |x| {
            used(
                quiet_softmax(masked(x.clone(), [true; 3], f64::NEG_INFINITY), 0),
                x,
            )
        }),
        ("quiet_softmax of padding, −1e4", at(), Differences, |x| {
            used(quiet_softmax(masked(x.clone(), [true; 3], -1e4), 0), x)
        }),
        ("quiet_softmax, −1e4", at(), Differences, |x| {
            used(
                quiet_softmax(masked(x.clone(), [true, false, true], -1e4), 0),
                x,
            )
        }),
        (
            "quiet_softmax, very negative",
            vec![-1000.0, -1001.0, -999.0],
            Differences,
            |x| used(quiet_softmax(x.clone(), 0), x),
        ),
        (
            "logsumexp, as it is written",
            vec![1000.0, 2.0, 3.0],
            Differences,
            |x| {
                let m = x.clone().max_dim(0);
                (x - m.clone()).exp().sum_dim(0).log() + m
            },
        ),
        (
            "attention of padding",
            vec![1.0, 2.0, 3.0, 4.0],
            Differences,
            |x| {
                let q = x.reshape([1, 1, 2, 2]);
                let mask =
                    Tensor::<4, Bool>::from_data([[[[true, true], [false, true]]]], &q.device());
                let attended = burn::tensor::module::attention(
                    q.clone(),
                    q.clone(),
                    q,
                    Some(mask),
                    None,
                    Default::default(),
                );
                attended.square().sum()
            },
        ),
    ]);
}

#[test]
fn quiet_attention_over_a_sequence_of_padding_has_a_hessian() {
    let (plain, settings) = (plain(), plain().settings());
    let device = plain.clone().autodiff();
    let config = MultiHeadAttentionConfig::new(4, 2).with_dropout(0.0);
    let layer = config.with_quiet_softmax(true).init(&device);
    let x: Vec<f64> = (0..16).map(|i| (1.3 * f64::from(i)).sin()).collect();
    let x = Tensor::<3>::from_data(TensorData::new(x, [2, 2, 4]), &plain);
    let padding = Tensor::<2, Bool>::from_data([[true, true], [false, true]], &plain);
    let loss = |layer: &MultiHeadAttention, (x, padding): (Tensor<3>, Tensor<2, Bool>)| {
        let input = MhaInput::self_attn(x).mask_pad(padding);
        layer.forward(input).context.square().mean()
    };
    let trace = GradientTrace::new(
        layer,
        settings,
        |inputs| (inputs.float(x), inputs.bool(padding)),
        loss,
    );
    let trace = trace.expect("a trace");
    let mut at = LinearizedGradient::new(&trace, settings, &plain).expect("a linearization");
    let direction = trace.parameters.iter().map(|parameter| {
        let shape = trace.program.inputs()[parameter.input].shape();
        let len = shape.iter().product::<usize>();
        on(
            &plain,
            &(0..len).map(|i| (0.7 * i as f64).cos()).collect::<Vec<_>>(),
        )
    });
    let direction: Vec<Tensor<1>> = direction.collect();
    let product = at.hvp(&direction).expect("a product");
    let numbers = product.iter().flatten().flat_map(|part| {
        let part = part.clone().into_data();
        part.iter::<f64>().collect::<Vec<_>>()
    });
    let size: f64 = numbers.map(|x| x * x).sum::<f64>().sqrt();
    assert!(size.is_finite() && size > 0.01, "{size}");
}

#[test]
fn functions_and_layers_are_smooth_at_zeros_and_at_constants() {
    hold(vec![
        ("hypot, one zero", vec![0.0, 1.0], Differences, |x| {
            x.clone().hypot(x.flip([0])).sum()
        }),
        ("atan2, one zero", vec![0.0, 1.0], Differences, |x| {
            x.clone().atan2(x.flip([0]) * 2.0).sum()
        }),
        ("log1p at zero", vec![0.0, 1.0], Differences, |x| {
            x.log1p().sum()
        }),
        ("recip", vec![2.0, 1.0], Differences, |x| x.recip().sum()),
        // √(|x|² + ε²) at zero: the Hessian is I/ε.
        (
            "norm with an epsilon",
            vec![0.0, 0.0],
            Product(&[1e6, 1.5e6]),
            |x| (x.square().sum() + 1e-12).sqrt(),
        ),
        // Both sides of the mask are finite.
        (
            "x log x under a double mask",
            vec![0.0, 1.0],
            Product(&[2.0, 4.5]),
            |x| {
                let is_zero = x.clone().lower_equal_elem(0.0);
                let safe = x.clone().mask_fill(is_zero.clone(), 1.0);
                (safe.clone().log() * safe).mask_fill(is_zero, 0.0).sum() + x.square().sum()
            },
        ),
        ("a computed mask", vec![0.0, 1.0], Differences, |x| {
            let is_low = x.clone().lower_elem(0.5);
            x.clone().mask_where(is_low, x.square()).square().sum()
        }),
        (
            "variance of a constant",
            vec![1.0, 1.0, 1.0],
            Differences,
            |x| x.var(0).sum(),
        ),
        (
            "deviation of a constant",
            vec![1.0, 1.0, 1.0],
            Differences,
            |x| (x.var(0) + 1e-5).sqrt().sum(),
        ),
        (
            "LayerNorm of a constant",
            vec![1.0, 1.0, 1.0],
            Differences,
            |x| {
                let device = x.device();
                let layer = LayerNormConfig::new(3).init(&device);
                let weights = on(&device, &[1.0, 2.0, 4.0]).reshape([1, 3]);
                (layer.forward(x.reshape([1, 3])) * weights)
                    .powi_scalar(3)
                    .sum()
            },
        ),
        (
            "RmsNorm of zeros",
            vec![0.0, 0.0, 0.0],
            Product(&[2e5, 1.2e6, 6.4e6]),
            |x| {
                let device = x.device();
                let layer = RmsNormConfig::new(3).init(&device);
                let weights = on(&device, &[1.0, 2.0, 4.0]).reshape([1, 3]);
                (layer.forward(x.reshape([1, 3])) * weights).square().sum()
            },
        ),
        (
            "GroupNorm of a constant",
            vec![1.0, 1.0, 1.0, 1.0],
            Differences,
            |x| {
                let device = x.device();
                let layer = GroupNormConfig::new(2, 4).init(&device);
                let weights = on(&device, &[1.0, 2.0, 4.0, 3.0]).reshape([1, 4, 1]);
                (layer.forward(x.reshape([1, 4, 1])) * weights)
                    .square()
                    .sum()
            },
        ),
    ]);
}

/// Up to the end of the range: only what `quiet_softmax` divides by is held within it.
#[test]
fn exponentials_of_extrema_are_those_of_burn() {
    hold(vec![
        ("exp(max)", vec![709.7815, 1.0], Differences, |x| {
            x.max_dim(0).exp() * 1e-300
        }),
        ("exp(−max)", vec![-709.7815, -800.0], Differences, |x| {
            x.max_dim(0).neg().exp() * 1e-300
        }),
        ("exp(min)", vec![709.7815, 800.0], Differences, |x| {
            x.min_dim(0).exp() * 1e-300
        }),
    ]);
}

/// Functions without a finite derivative have none here: a norm at zero, a root at zero, the logarithm under a mask that
/// comes after it. Burn's gradient is NaN or infinite as well.
#[test]
fn infinities_stay() {
    let cases: [(&str, &[f64], Loss); 11] = [
        ("norm", &[0.0, 0.0], |x| x.square().sum().sqrt()),
        ("root", &[0.0, 1.0], |x| x.sqrt().sum()),
        ("hypot", &[0.0, 0.0], |x| x.clone().hypot(x.flip([0])).sum()),
        ("atan2", &[0.0, 0.0], |x| {
            x.clone().atan2(x.flip([0]) * 2.0).sum()
        }),
        ("x^1.5", &[0.0, 1.0], |x| x.powf_scalar(1.5).sum()),
        ("log under a mask", &[0.0, 1.0], |x| {
            let is_zero = x.clone().lower_equal_elem(0.0);
            x.log().mask_fill(is_zero, 0.0).sum()
        }),
        ("elu", &[0.5, 800.0], |x| elu(x, 1.0).sum()),
        ("selu", &[0.5, 800.0], |x| selu(celu(x, 1.0)).sum()),
        ("exp(max)", &[800.0, 1.0], |x| x.max_dim(0).exp()),
        ("ln exp(−max)", &[-800.0, -801.0], |x| {
            x.max_dim(0).neg().exp().log()
        }),
        ("ln of a divisor", &[-800.0, -801.0], |x| {
            let m = x.clone().detach().max_dim(0);
            let sum = (x - m.clone()).exp().sum_dim(0) + m.neg().exp();
            sum.log()
        }),
    ];
    for (name, x, loss) in cases {
        let found = product(x, &direction(2), loss).expect("a product");
        assert!(found.iter().any(|x| !x.is_finite()), "{name}: {found:?}");
    }
}
