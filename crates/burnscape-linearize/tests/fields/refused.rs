//! Fields that have no derivative, and derivatives that are zero.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{DType, Tensor};
use burnscape_linearize::{Field, GradientTrace, LinearizeError, LinearizedGradient, caught};
use burnscape_testkit::double::device;

use super::evaluated::{assert_close, at, numbers, of, tensor};

/// Four rows of three columns.
fn batch() -> Tensor<2> {
    let numbers = (0..12).map(|i| (1.9 * f64::from(i)).sin());
    tensor(&numbers.collect::<Vec<_>>(), [4, 3])
}

fn trace(
    loss: impl FnOnce(&Linear, Tensor<2>) -> Tensor<1>,
) -> Result<GradientTrace, LinearizeError> {
    let layer = LinearConfig::new(3, 2).init(&device().autodiff());
    let settings = device().settings();
    GradientTrace::new(layer, settings, |inputs| inputs.float(batch()), loss)
}

/// The refusal of a derivative of a linear layer, after which the next one works.
fn refused<const D: usize>(
    derivative: impl FnOnce(&Linear, Tensor<2>) -> Tensor<D>,
) -> (LinearizeError, String) {
    let error = trace(|layer, x| derivative(layer, x).sum() + layer.weight.val().sum());
    let error = error.expect_err("a refusal");
    trace(|layer, x| Field::new(x, |x| layer.forward(x).sin()).laplacian().sum())
        .expect("a derivative");
    let text = error.to_string();
    (error, text)
}

fn field(layer: &Linear, x: Tensor<2>) -> Field<2, 2> {
    Field::new(x, |x| layer.forward(x).tanh())
}

fn assert_mismatch((error, text): (LinearizeError, String), words: [&str; 3]) {
    let LinearizeError::Mismatch {
        what,
        expected,
        found,
    } = error
    else {
        panic!("{text}");
    };
    assert_eq!([what.as_str(), &expected, &found], words);
    assert!(
        text.contains(&format!("expected {expected}, found {found}")),
        "{text}"
    );
}

#[test]
fn partial_derivatives_of_order_zero_and_five_are_refused() {
    let order = "the order of a partial derivative";
    let none = refused(|layer, x| field(layer, x).partial(&[]));
    assert_mismatch(none, [order, "1 to 4", "0"]);
    let five = refused(|layer, x| field(layer, x).partial(&[0, 1, 2, 0, 1]));
    assert_mismatch(five, [order, "1 to 4", "5"]);
}

#[test]
fn a_column_that_the_input_does_not_have_is_refused() {
    let refusal = refused(|layer, x| field(layer, x).partial(&[0, 3]));
    assert_mismatch(
        refusal,
        ["a column of a partial derivative", "below 3", "3"],
    );
}

#[test]
fn the_gradient_of_a_vector_is_refused() {
    let refusal = refused(|layer, x| field(layer, x).gradient());
    let expected = "one number for each of the 4 rows";
    assert_mismatch(
        refusal,
        ["the gradient of a field", expected, "shape [4, 2]"],
    );
    // A sum over the batch is a scalar, but not one of each row.
    let refusal = refused(|layer, x| Field::new(x, |x| layer.forward(x).sum()).gradient());
    assert_mismatch(refusal, ["the gradient of a field", expected, "shape [1]"]);
}

#[test]
fn the_divergence_of_other_outputs_than_inputs_is_refused() {
    let refusal = refused(|layer, x| field(layer, x).divergence());
    let expected = "as many outputs as inputs, 3";
    assert_mismatch(refusal, ["the divergence of a field", expected, "2"]);
}

#[test]
fn operands_of_other_shapes_and_types_are_refused() {
    let jvp = |f: fn(Tensor<2>) -> Tensor<2>| refused(|layer, x| field(layer, x.clone()).jvp(f(x)));
    let what = "the direction of `Field::jvp`";
    let expected = "[4, 3] F64";
    assert_mismatch(jvp(|x| x.narrow(1, 0, 2)), [what, expected, "[4, 2] F64"]);
    // Rows are not repeated either.
    assert_mismatch(jvp(|x| x.narrow(0, 0, 1)), [what, expected, "[1, 3] F64"]);
    assert_mismatch(jvp(|x| x.cast(DType::F32)), [what, expected, "[4, 3] F32"]);
    let refusal = refused(|layer, x| field(layer, x.clone()).vjp(x));
    let what = "the cotangent of `Field::vjp`";
    assert_mismatch(refusal, [what, "[4, 2] F64", "[4, 3] F64"]);
}

#[test]
#[should_panic(
    expected = "only while a loss is recorded; wrap the loss in `burnscape::loss::Recorded`"
)]
fn a_field_outside_of_a_recording_panics_with_the_remedy() {
    let _ = Field::new(batch(), Tensor::tanh);
}

#[test]
fn a_field_outside_of_a_recording_is_not_recorded() {
    let made = caught(
        || Field::new(batch(), Tensor::tanh).value(),
        |message| LinearizeError::Panicked { message },
        |error| error,
    );
    assert_eq!(made.err(), Some(LinearizeError::NotRecorded));
}

#[test]
fn tensors_that_are_not_in_the_batch_are_refused_by_the_method_that_takes_them() {
    let assert_foreign = |(error, text): (LinearizeError, String), call: &str| {
        let LinearizeError::ForeignTensor { place } = error else {
            panic!("{text}");
        };
        assert_eq!(place.call.as_deref(), Some(call));
        assert!(
            text.contains(&format!("from another device by `{call}`")),
            "{text}"
        );
        assert!(text.contains("Add it to the batch"), "{text}");
    };
    let input = refused(|layer, _| field(layer, batch()).laplacian());
    assert_foreign(input, "Field::new");
    let value = refused(|_, x| Field::new(x, |_| batch()).laplacian());
    assert_foreign(value, "Field::new");
    let direction = refused(|layer, x| field(layer, x).jvp(batch()));
    assert_foreign(direction, "Field::jvp");
    let cotangent = refused(|layer, x| field(layer, x).vjp(batch().narrow(1, 0, 2)));
    assert_foreign(cotangent, "Field::vjp");
}

#[test]
fn a_value_that_is_read_in_a_field_is_refused_by_the_call_that_reads() {
    let (error, text) = refused(|layer, x| {
        let f = |x: Tensor<2>| {
            let first = x.clone().sum().into_scalar::<f64>();
            if first > 0.0 {
                layer.forward(x)
            } else {
                layer.forward(-x)
            }
        };
        Field::new(x, f).laplacian()
    });
    let LinearizeError::ReadValue { place } = error else {
        panic!("{text}");
    };
    assert_eq!(place.call.as_deref(), Some("into_scalar"));
    assert!(text.contains("`mask_where` instead of `if`"), "{text}");
}

#[test]
fn a_panic_in_a_field_is_an_error_with_its_words() {
    let (error, text) = refused(|_, x| {
        let f = |_: Tensor<2>| -> Tensor<2> { panic!("the cat sat on the keyboard") };
        Field::new(x, f).laplacian()
    });
    assert!(matches!(error, LinearizeError::Panicked { .. }), "{text}");
    assert!(text.contains("the cat sat on the keyboard"), "{text}");
}

/// A derivative of each row, by name.
type ByRows = (&'static str, fn(Field<2, 2>) -> Tensor<2>);

const BY_ROWS: [ByRows; 4] = [
    ("partial", |u| u.partial(&[1])),
    ("laplacian", |u| u.laplacian()),
    ("divergence", |u| u.divergence()),
    ("jacobian", |u| u.jacobian().sum_dim(2).squeeze_dim(2)),
];

/// Refused by the operation that mixes the rows.
fn assert_mixes((error, text): (LinearizeError, String), name: &str, by: &str) {
    let LinearizeError::MixesRows { operation, .. } = error else {
        panic!("{name}: {text}");
    };
    assert_eq!(operation, by, "{name}");
    assert!(
        text.contains(&format!("`{operation}` with shapes")),
        "{text}"
    );
    assert!(
        text.contains("does not keep the rows of the batch apart"),
        "{text}"
    );
    assert!(text.contains("in evaluation mode"), "{text}");
}

#[test]
fn functions_that_mix_rows_are_refused_by_the_operation_that_mixes_them() {
    type Mixing = (&'static str, fn(Tensor<2>) -> Tensor<2>);
    let mixing: [Mixing; 3] = [
        ("Activation::Softmax", |x| softmax(x, 0)),
        ("NumericFloat::MeanDim", |x| x.clone() - x.mean_dim(0)),
        ("BaseFloat::Flip", |x| x.flip([0]).tanh()),
    ];
    for (by, f) in mixing {
        for (name, derivative) in BY_ROWS {
            let refusal = refused(|_, x| derivative(Field::new(x, f)));
            assert_mixes(refusal, name, by);
        }
        let refusal = refused(|_, x| Field::new(x, |x| f(x).sum_dim(1)).gradient());
        assert_mixes(refusal, "gradient", by);
    }
}

/// The softmax over the batch has the derivative `s (v − Σ s v)`, which is symmetric.
#[test]
fn functions_that_mix_rows_have_directional_derivatives() {
    let x = batch();
    let v = x.clone().cos();
    let s = softmax(x.clone(), 0);
    let inner = (s.clone() * v.clone()).sum_dim(0);
    let expected = numbers(s * (v.clone() - inner));
    let all = [x, v];
    let of = |f: &dyn Fn(Field<2, 2>, Tensor<2>) -> Tensor<2>| {
        let u = |all: &[Tensor<2>]| Field::new(all[0].clone(), |x| softmax(x, 0));
        let found = of(&all, |all| f(u(all), all[1].clone()));
        found.expect("a derivative").numbers
    };
    assert_close("jvp", &of(&|u, v| u.jvp(v)), &expected, 1e-14);
    assert_close("vjp", &of(&|u, c| u.vjp(c)), &expected, 1e-14);
}

fn of_batch_norm<const D: usize>(
    derivative: impl FnOnce(Field<2, 2>) -> Tensor<D>,
) -> Result<GradientTrace, LinearizeError> {
    let norm = BatchNormConfig::new(3).init(&device().autodiff());
    let x = batch();
    GradientTrace::new(
        norm,
        device().settings(),
        |inputs| inputs.float(x),
        |norm: &BatchNorm, x| {
            let u = Field::new(x, |x| norm.forward(x));
            (derivative(u) * norm.gamma.val().sum().reshape([1; D])).sum()
        },
    )
}

#[test]
fn a_batch_norm_in_training_is_refused_by_row_and_not_along_directions() {
    for (name, derivative) in BY_ROWS {
        let error = of_batch_norm(derivative).expect_err("a refusal");
        let text = error.to_string();
        assert_mixes((error, text), name, "NumericFloat::MeanDim");
    }
    let x = |u: &Field<2, 2>| u.value().cos();
    of_batch_norm(|u| u.jvp(x(&u))).expect("a directional derivative");
    of_batch_norm(|u| u.vjp(x(&u))).expect("a pullback");
}

/// Two parameters.
#[derive(Module, Debug)]
struct Pair {
    first: Param<Tensor<1>>,
    second: Param<Tensor<1>>,
}

fn pair() -> Pair {
    let device = device().autodiff();
    let param = |numbers: [f64; 3]| Param::from_tensor(Tensor::from_data(numbers, &device));
    Pair {
        first: param([1.0, -2.0, 3.0]),
        second: param([0.5, 0.25, -1.0]),
    }
}

type Derivative = (&'static str, fn(Field<2, 2>, Tensor<2>) -> Tensor<2>);

/// A field that its input does not enter has derivatives that are zero; what only they read has no gradient.
#[test]
fn derivatives_by_an_input_that_is_not_used_are_zero_and_told() {
    let zeros: [Derivative; 7] = [
        ("Partial([0, 1])", |u, _| u.partial(&[1, 0])),
        ("Laplacian", |u, _| u.laplacian()),
        ("Divergence", |u, _| u.divergence()),
        ("Jacobian", |u, _| u.jacobian().sum_dim(2).squeeze_dim(2)),
        ("Jvp", |u, x| u.jvp(x)),
        ("Vjp", |u, x| u.vjp(x)),
        ("Gradient", |u, x| {
            Field::new(x, |_| u.value().sum_dim(1)).gradient()
        }),
    ];
    for (name, zero) in zeros {
        let trace = GradientTrace::new(
            pair(),
            device().settings(),
            |inputs| inputs.float(batch()),
            |pair: &Pair, x| {
                let second = pair.second.val().reshape([1, 3]).expand([4, 3]);
                let u = Field::new(x.clone(), |_| second);
                pair.first.val().square().sum() + zero(u, x).add_scalar(2.0).square().sum()
            },
        );
        let trace = trace.expect("a trace");
        assert_eq!(trace.field_notes.zeros, [name]);
        let at = LinearizedGradient::new(&trace, device().settings(), &device());
        let mut at = at.expect("a point");
        let elements = match name {
            "Divergence" => 4.0,
            _ => 12.0,
        };
        let expected = [14.0 + 4.0 * elements];
        assert_close(name, &numbers(at.loss().clone()), &expected, 1e-14);
        let [first, second] = at.gradients() else {
            panic!("{name}: two parameters");
        };
        let first = first.clone().expect("a gradient");
        assert_close(name, &numbers(first), &[2.0, -4.0, 6.0], 1e-14);
        assert!(second.is_none(), "{name}");
        let direction = |x: f64| Tensor::<1>::full([3], x, &device());
        let product = at
            .hvp(&[direction(1.0), direction(1.0)])
            .expect("a product");
        assert_close(
            name,
            &numbers(product[0].clone().expect("a part")),
            &[2.0; 3],
            1e-14,
        );
        assert!(product[1].is_none(), "{name}");
    }
}

#[test]
fn derivatives_of_higher_order_than_a_polynomial_are_zero_and_told() {
    let x = batch();
    let linear = of(std::slice::from_ref(&x), |x| {
        Field::new(x[0].clone(), |x| x * 3.0).laplacian()
    });
    let linear = linear.expect("a value");
    assert_eq!(linear.numbers, [0.0; 12]);
    assert_eq!(linear.notes.zeros, ["Laplacian"]);
    let square = of(std::slice::from_ref(&x), |x| {
        Field::new(x[0].clone(), |x| x.clone() * x).partial(&[0, 0, 0])
    });
    assert_eq!(square.expect("a value").numbers, [0.0; 12]);
}

#[test]
fn second_derivatives_of_a_relu_network_are_zero_and_its_kinks_are_told() {
    let network = |x: Tensor<2>| relu(x * 2.0 + 0.3) * 1.5;
    let x = batch();
    let first = at(&x, |x| Field::new(x, network).partial(&[1]));
    let expected = numbers(x.clone())
        .into_iter()
        .enumerate()
        .map(|(index, x)| {
            let is_on = index % 3 == 1 && 2.0 * x + 0.3 > 0.0;
            if is_on { 3.0 } else { 0.0 }
        });
    assert_close("slope", &first, &expected.collect::<Vec<_>>(), 1e-14);
    let second = of(std::slice::from_ref(&x), |x| {
        Field::new(x[0].clone(), network).laplacian()
    });
    let second = second.expect("a value");
    assert_eq!(second.numbers, [0.0; 12]);
    assert_eq!(second.notes.kinks.len(), 1, "{:?}", second.notes.kinks);
    assert!(
        second.notes.kinks[0].contains("Relu"),
        "{:?}",
        second.notes.kinks
    );
    let smooth = of(std::slice::from_ref(&x), |x| {
        Field::new(x[0].clone(), Tensor::tanh).laplacian()
    });
    let notes = smooth.expect("a value").notes;
    assert_eq!((notes.kinks, notes.zeros), (vec![], vec![]));
}

#[test]
fn an_empty_batch_has_empty_derivatives() {
    let x = tensor::<2>(&[], [0, 3]);
    let empty: [Derivative; 6] = [
        ("partial", |u, _| u.partial(&[0, 0])),
        ("laplacian", |u, _| u.laplacian()),
        ("divergence", |u, _| u.divergence()),
        ("jacobian", |u, _| u.jacobian().sum_dim(2).squeeze_dim(2)),
        ("jvp", |u, x| u.jvp(x)),
        ("vjp", |u, x| u.vjp(x)),
    ];
    for (name, derivative) in empty {
        let found = of(std::slice::from_ref(&x), |x| {
            derivative(Field::new(x[0].clone(), Tensor::tanh), x[0].clone())
        });
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found.numbers.is_empty(), "{name}");
    }
    // An empty batch has no numbers, and yet the field is a vector.
    let refusal = of(std::slice::from_ref(&x), |x| {
        Field::new(x[0].clone(), Tensor::tanh).gradient()
    });
    let error = refusal.expect_err("a vector");
    assert!(matches!(error, LinearizeError::Mismatch { .. }), "{error}");
}
