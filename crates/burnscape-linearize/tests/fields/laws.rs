//! Laws that derivatives by the input obey whatever the function: of harmonic functions, products, compositions, and
//! those among the derivatives themselves.

use burn::tensor::{Tensor, TensorData};
use burnscape_linearize::Field;

use super::evaluated::{assert_close, at, of, of_model, size, tensor};
use super::program::{Net, Program};

/// Up to rounding, relative to the size of the terms.
const ROUNDING: f64 = 1e-13;

/// Five points away from the axes.
fn points(inputs: usize) -> Tensor<2> {
    let numbers = (0..5 * inputs).map(|i| 0.4 + (1.7 * i as f64).sin());
    tensor(&numbers.collect::<Vec<_>>(), [5, inputs])
}

fn column(x: &Tensor<2>, index: usize) -> Tensor<2> {
    x.clone().narrow(1, index, 1)
}

/// A network of tanh with fixed weights, from `inputs` to `outputs`.
fn smooth(x: Tensor<2>, inputs: usize, outputs: usize, phase: f64) -> Tensor<2> {
    let device = x.device();
    let matrix = |rows: usize, columns: usize, phase: f64| {
        let numbers = (0..rows * columns).map(|i| (2.3 * i as f64 + phase).sin());
        let data = TensorData::new(numbers.collect::<Vec<_>>(), [rows, columns]);
        Tensor::<2>::from_data(data, &device)
    };
    let hidden = (x.matmul(matrix(inputs, 4, phase)) + matrix(1, 4, phase + 1.0)).tanh();
    hidden.matmul(matrix(4, outputs, phase + 2.0))
}

type Function = fn(Tensor<2>) -> Tensor<2>;

/// The derivative of a function of `[5, inputs]`.
fn of_field<const D: usize>(
    inputs: usize,
    f: impl Fn(Tensor<2>) -> Tensor<2>,
    derivative: impl Fn(Field<2, 2>) -> Tensor<D>,
) -> Vec<f64> {
    at(&points(inputs), |x| derivative(Field::new(x, &f)))
}

#[test]
fn the_laplacian_of_harmonic_functions_is_zero_to_rounding() {
    /// Real and imaginary part of `(x + iy)^k`.
    fn power(x: &Tensor<2>, k: usize) -> [Tensor<2>; 2] {
        let (a, b) = (column(x, 0), column(x, 1));
        let (mut re, mut im) = (a.clone(), b.clone());
        for _ in 1..k {
            (re, im) = (
                re.clone() * a.clone() - im.clone() * b.clone(),
                re * b.clone() + im * a.clone(),
            );
        }
        [re, im]
    }
    for k in 1..=4 {
        for part in 0..2 {
            let name = format!("part {part} of the power {k}");
            let f = |x: Tensor<2>| power(&x, k)[part].clone();
            assert_close(
                &name,
                &of_field(2, f, |u| u.laplacian()),
                &[0.0; 5],
                ROUNDING,
            );
            // In three dimensions, by any two of the columns and linear in the third.
            let f = |x: Tensor<2>| power(&x, k)[part].clone() * column(&x, 2);
            assert_close(
                &name,
                &of_field(3, f, |u| u.laplacian()),
                &[0.0; 5],
                ROUNDING,
            );
        }
    }
    let solid: [(&str, usize, Function); 8] = [
        ("2z² − x² − y²", 3, |x| {
            column(&x, 2).square() * 3.0 - x.square().sum_dim(1)
        }),
        ("xyz", 3, |x| x.prod_dim(1)),
        ("z(2z² − 3x² − 3y²)", 3, |x| {
            let z = column(&x, 2);
            z.clone() * (z.square() * 5.0 - x.square().sum_dim(1) * 3.0)
        }),
        ("x(4z² − x² − y²)", 3, |x| {
            column(&x, 0) * (column(&x, 2).square() * 5.0 - x.square().sum_dim(1))
        }),
        ("35z⁴ − 30z²r² + 3r⁴", 3, |x| {
            let (z, r) = (column(&x, 2).square(), x.square().sum_dim(1));
            z.clone().square() * 35.0 - z * r.clone() * 30.0 + r.square() * 3.0
        }),
        ("xy(6z² − x² − y²)", 3, |x| {
            let inner = column(&x, 2).square() * 7.0 - x.clone().square().sum_dim(1);
            column(&x, 0) * column(&x, 1) * inner
        }),
        ("exp x cos y", 2, |x| {
            column(&x, 0).exp() * column(&x, 1).cos()
        }),
        ("1 / r", 3, |x| x.square().sum_dim(1).sqrt().recip()),
    ];
    for (name, inputs, f) in solid {
        // Terms that cancel are larger than one.
        let tolerance = ROUNDING * 100.0;
        assert_close(
            name,
            &of_field(inputs, f, |u| u.laplacian()),
            &[0.0; 5],
            tolerance,
        );
        let twice = |u: Field<2, 2>| u.partial(&[0, 0]);
        assert!(
            size(&of_field(inputs, f, twice)) > 0.1 || name == "xyz",
            "{name}"
        );
    }
}

#[test]
fn partial_derivatives_of_monomials_are_exact_up_to_the_fourth_order() {
    let f = |x: Tensor<2>| column(&x, 0).powi_scalar(4) * column(&x, 1).powi_scalar(3);
    let numbers = points(2).into_data();
    let numbers: Vec<f64> = numbers.iter::<f64>().collect();
    // The derivative of order k of x^n.
    let of_power = |x: f64, n: i32, k: i32| {
        let factor: f64 = (0..k).map(|i| f64::from(n - i)).product();
        factor * x.powi((n - k).max(0))
    };
    for columns in [
        &[0][..],
        &[1],
        &[1, 0],
        &[0, 0],
        &[1, 1, 0],
        &[0, 1, 0],
        &[1, 1, 1],
        &[0, 0, 0, 0],
        &[1, 0, 1, 0],
        &[1, 1, 1, 1],
    ] {
        let count = |column: usize| columns.iter().filter(|c| **c == column).count() as i32;
        let expected = numbers
            .chunks(2)
            .map(|row| of_power(row[0], 4, count(0)) * of_power(row[1], 3, count(1)));
        let expected: Vec<f64> = expected.collect();
        let found = of_field(2, f, |u| u.partial(columns));
        assert_close(&format!("{columns:?}"), &found, &expected, ROUNDING);
    }
}

#[test]
fn the_derivative_of_a_product_follows_the_product_rule() {
    let f = |x: Tensor<2>| smooth(x, 3, 1, 0.1);
    let g = |x: Tensor<2>| smooth(x, 3, 1, 0.7);
    let product = |x: Tensor<2>| f(x.clone()) * g(x);
    let x = points(3);
    let pair = |x: Tensor<2>| (Field::new(x.clone(), f), Field::new(x, g));
    let found = at(&x, |x| Field::new(x, product).gradient());
    let expected = at(&x, |x| {
        let (f, g) = pair(x);
        f.gradient() * g.value() + g.gradient() * f.value()
    });
    assert_close("gradient", &found, &expected, ROUNDING);
    let found = at(&x, |x| Field::new(x, product).partial(&[0, 2]));
    let expected = at(&x, |x| {
        let (f, g) = pair(x);
        let mixed = f.partial(&[0]) * g.partial(&[2]) + f.partial(&[2]) * g.partial(&[0]);
        f.partial(&[0, 2]) * g.value() + mixed + g.partial(&[0, 2]) * f.value()
    });
    assert_close("partial", &found, &expected, ROUNDING);
    let found = at(&x, |x| Field::new(x, product).laplacian());
    let expected = at(&x, |x| {
        let (f, g) = pair(x);
        let inner = (f.gradient() * g.gradient()).sum_dim(1);
        f.value() * g.laplacian() + inner * 2.0 + g.value() * f.laplacian()
    });
    assert_close("laplacian", &found, &expected, ROUNDING);
    // A scalar field times a vector field.
    let v = |x: Tensor<2>| smooth(x, 3, 3, 0.3);
    let found = at(&x, |x| Field::new(x, |x| f(x.clone()) * v(x)).divergence());
    let expected = at(&x, |x| {
        let (f, v) = (Field::new(x.clone(), f), Field::new(x, v));
        (f.gradient() * v.value()).sum_dim(1) + f.value() * v.divergence()
    });
    assert_close("divergence", &found, &expected, ROUNDING);
}

#[test]
fn the_derivative_of_a_composition_follows_the_chain_rule() {
    let f = |x: Tensor<2>| smooth(x, 3, 2, 0.2);
    let g = |y: Tensor<2>| smooth(y, 2, 4, 0.9);
    let x = points(3);
    let v = |x: &Tensor<2>| smooth(x.clone(), 3, 3, 1.4);
    // The inner derivative is the direction of the outer one.
    let found = at(&x, |x| Field::new(x.clone(), |x| g(f(x))).jvp(v(&x)));
    let expected = at(&x, |x| {
        let inner = Field::new(x.clone(), f);
        Field::new(inner.value(), g).jvp(inner.jvp(v(&x)))
    });
    assert_close("jvp", &found, &expected, ROUNDING);
    let c = |x: &Tensor<2>| smooth(x.clone(), 3, 4, 0.4);
    let found = at(&x, |x| Field::new(x.clone(), |x| g(f(x))).vjp(c(&x)));
    let expected = at(&x, |x| {
        let inner = Field::new(x.clone(), f);
        inner.vjp(Field::new(inner.value(), g).vjp(c(&x)))
    });
    assert_close("vjp", &found, &expected, ROUNDING);
    let found = at(&x, |x| Field::new(x, |x| g(f(x))).jacobian());
    let expected = at(&x, |x| {
        let inner = Field::new(x, f);
        Field::new(inner.value(), g)
            .jacobian()
            .matmul(inner.jacobian())
    });
    assert_close("jacobian", &found, &expected, ROUNDING);
    // Δ sin(u) = cos(u) Δu − sin(u) |∇u|².
    let u = |x: Tensor<2>| smooth(x, 3, 1, 0.5);
    let found = at(&x, |x| Field::new(x, |x| u(x).sin()).laplacian());
    let expected = at(&x, |x| {
        let u = Field::new(x, u);
        let slope = u.gradient().square().sum_dim(1);
        u.value().cos() * u.laplacian() - u.value().sin() * slope
    });
    assert_close("laplacian", &found, &expected, ROUNDING);
}

#[test]
fn partial_derivatives_commute_with_nested_ones_in_any_order() {
    let x = points(3);
    let f = |x: Tensor<2>| smooth(x, 3, 2, 0.6);
    let nested = |x: Tensor<2>, i: usize, j: usize| {
        Field::new(x, |x| Field::new(x, f).partial(&[i])).partial(&[j])
    };
    for (i, j) in [(0, 1), (1, 2), (0, 2)] {
        let expected = at(&x, |x| Field::new(x, f).partial(&[i, j]));
        let names = format!("{i}, {j}");
        assert!(size(&expected) > 0.01);
        assert_close(
            &names,
            &at(&x, |x| Field::new(x, f).partial(&[j, i])),
            &expected,
            0.0,
        );
        assert_close(&names, &at(&x, |x| nested(x, i, j)), &expected, ROUNDING);
        assert_close(&names, &at(&x, |x| nested(x, j, i)), &expected, ROUNDING);
    }
    let expected = at(&x, |x| Field::new(x, f).partial(&[0, 1, 2, 1]));
    let found = at(&x, |x| {
        Field::new(x, |x| Field::new(x, f).partial(&[2, 1])).partial(&[1, 0])
    });
    assert_close("order four", &found, &expected, ROUNDING * 10.0);
}

#[test]
fn derivatives_are_linear_in_the_function_and_in_the_direction() {
    let (f, g): (Function, Function) = (|x| smooth(x, 2, 2, 0.1), |x| smooth(x, 2, 2, 0.8));
    let x = points(2);
    fn compare<const D: usize>(
        x: &Tensor<2>,
        [f, g]: [Function; 2],
        of: fn(Field<2, 2>) -> Tensor<D>,
    ) {
        let found = at(x, |x| {
            of(Field::new(x, |x| f(x.clone()) * 3.0 - g(x) * 0.5))
        });
        let expected = at(x, |x| {
            of(Field::new(x.clone(), f)) * 3.0 - of(Field::new(x, g)) * 0.5
        });
        assert_close("a sum", &found, &expected, ROUNDING);
    }
    compare(&x, [f, g], |u| u.partial(&[0, 1, 1]));
    compare(&x, [f, g], |u| u.laplacian());
    compare(&x, [f, g], |u| u.divergence());
    compare(&x, [f, g], |u| u.jacobian());
    let (v, w) = (x.clone().sin(), x.clone().cos());
    let batch = [x, v, w];
    let evaluate = |f: &dyn Fn(&[Tensor<2>]) -> Tensor<2>| of(&batch, f).expect("a value").numbers;
    let u = |all: &[Tensor<2>]| Field::new(all[0].clone(), f);
    let found = evaluate(&|all| u(all).jvp(all[1].clone() * 2.0 - all[2].clone()));
    let expected = evaluate(&|all| u(all).jvp(all[1].clone()) * 2.0 - u(all).jvp(all[2].clone()));
    assert_close("jvp", &found, &expected, ROUNDING);
    let found = evaluate(&|all| u(all).vjp(all[1].clone() * 2.0 - all[2].clone()));
    let expected = evaluate(&|all| u(all).vjp(all[1].clone()) * 2.0 - u(all).vjp(all[2].clone()));
    assert_close("vjp", &found, &expected, ROUNDING);
}

/// The first derivatives of random programs among each other.
#[test]
fn first_derivatives_of_random_programs_agree_with_each_other() {
    for index in 0..40 {
        let program = Program::new(index);
        let (net, batch) = (program.net(), program.batch());
        let (rows, inputs, outputs) = (program.rows, program.inputs, program.outputs);
        let x = batch[0].clone();
        let with = |f: &dyn Fn(&Net, Field<2, 2>) -> Tensor<2>| {
            let found = of_model(&net, std::slice::from_ref(&x), |net, batch| {
                let [x, _] = program.moved(net, [batch[0].clone(), batch[0].clone()]);
                f(net, Field::new(x, |x| program.field(net, x)))
            });
            found.expect("a value").numbers
        };
        let constant = |numbers: &[f64], x: &Tensor<2>| {
            let shape = [rows, numbers.len() / rows];
            Tensor::<2>::from_data(TensorData::new(numbers.to_vec(), shape), &x.device())
        };
        let v = &program.directions[0];
        let c: Vec<f64> = (0..rows * outputs)
            .map(|i| (1.3 * i as f64).cos())
            .collect();
        let jv = with(&|_, u| u.jvp(constant(v, &u.value())));
        let vjp = with(&|_, u| u.vjp(constant(&c, &u.value())));
        let flat = |all: Tensor<3>| all.reshape([rows, outputs * inputs]);
        let jacobian = with(&|_, u| flat(u.jacobian()));
        let name = |what: &str| format!("{what} of {index}, {:?}", program.layers());
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert_close(&name("adjoint"), &[dot(&c, &jv)], &[dot(&vjp, v)], 1e-12);
        let entry = |i: usize, k: usize, j: usize| jacobian[(i * outputs + k) * inputs + j];
        let each = |f: &dyn Fn(usize, usize) -> f64, width: usize| -> Vec<f64> {
            (0..rows * width)
                .map(|at| f(at / width, at % width))
                .collect()
        };
        for column in 0..inputs {
            let partial = with(&|_, u| u.partial(&[column]));
            let expected = each(&|i, k| entry(i, k, column), outputs);
            assert_close(&name("partial"), &partial, &expected, 1e-12);
        }
        let product = |i: usize, k: usize| {
            (0..inputs)
                .map(|j| entry(i, k, j) * v[i * inputs + j])
                .sum()
        };
        assert_close(&name("jvp"), &jv, &each(&product, outputs), 1e-12);
        let product = |i: usize, j: usize| {
            (0..outputs)
                .map(|k| entry(i, k, j) * c[i * outputs + k])
                .sum()
        };
        assert_close(&name("vjp"), &vjp, &each(&product, inputs), 1e-12);
        if inputs == outputs {
            let trace = |i: usize, _: usize| (0..inputs).map(|j| entry(i, j, j)).sum();
            let divergence = with(&|_, u| u.divergence());
            assert_close(&name("divergence"), &divergence, &each(&trace, 1), 1e-12);
        }
        if outputs == 1 {
            let gradient = with(&|_, u| u.gradient());
            assert_close(&name("gradient"), &gradient, &jacobian, 1e-12);
        }
    }
}
