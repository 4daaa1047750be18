use burn::backend::DispatchTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{Scalar, Shape, Tensor, TensorData};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::map::LinearMap;
use crate::program::Program;
use crate::record::{C, Symbol};
use crate::rule::tests::{Given, plain, program, run, values};
use crate::run::{Checkpointing, Linearized};

const SHAPE: &[usize] = &[2, 3];
/// Two factors, and two tangents.
const SHAPES: [&[usize]; 4] = [SHAPE; 4];

type Steps = fn(Symbol, Symbol, Symbol, Symbol) -> Symbol;

/// A map of `f(a, b, t, u)`, linear in `t` and `u`.
fn map(f: impl Fn(Symbol, Symbol, Symbol, Symbol) -> Symbol) -> (Program, LinearMap) {
    let whole = program(&SHAPES, |given: &Given| {
        // Computed factors, which take memory like residuals.
        let factor = |index| C::float_exp(given.at(index));
        f(factor(0), factor(1), given.at(2), given.at(3))
    });
    let map = LinearMap::new(whole.clone(), 2, 0, plain().settings()).expect("a map");
    (whole, map)
}

/// The product of the map, and the result of the original program.
fn both(whole: &Program, map: &LinearMap) -> (Vec<f64>, Vec<f64>) {
    let given = values(whole, 0.4);
    let tensor = |x: &Vec<f64>| Tensor::<1>::from_data(TensorData::new(x.clone(), [6]), &plain());
    let bound: Vec<DispatchTensor> = given[..2]
        .iter()
        .map(|x| tensor(x).into_dispatch())
        .collect();
    let mut linearized = Linearized::new(map, &plain()).expect("a device");
    let point = linearized
        .point(&bound, Checkpointing::Store)
        .expect("a point");
    let tangents = [tensor(&given[2]), tensor(&given[3])];
    let product = linearized.apply(&point, &tangents).expect("a product");
    let product = product[0].clone().into_data().iter::<f64>().collect();
    (product, run(whole, &[&given], 0))
}

fn assert_near(found: &[f64], expected: &[f64]) {
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() <= 1e-12 * (1.0 + y.abs()), "{x} for {y}");
    }
}

#[test]
fn factors_are_multiplied_beforehand() {
    let cases: [(&str, usize, Steps); 12] = [
        ("(t a) b", 1, |a, b, t, _| {
            C::float_mul(C::float_mul(t, a), b)
        }),
        ("-2 (t a) b", 1, |a, b, t, _| {
            let chain = C::float_mul(C::float_mul(t, a), b);
            C::float_neg(C::float_mul_scalar(chain, Scalar::Float(2.0)))
        }),
        ("t a + t b", 1, |a, b, t, _| {
            C::float_add(C::float_mul(t.clone(), a), C::float_mul(b, t))
        }),
        ("t a - t", 1, |a, _, t, _| {
            C::float_sub(C::float_mul(t.clone(), a), t)
        }),
        ("t - t a / b", 1, |a, b, t, _| {
            C::float_sub(t.clone(), C::float_div(C::float_mul(t, a), b))
        }),
        ("t / a + t / b", 1, |a, b, t, _| {
            C::float_add(C::float_div(t.clone(), a), C::float_div(t, b))
        }),
        ("t + t", 1, |_, _, t, _| C::float_add(t.clone(), t)),
        // A sum in brackets is not multiplied term by term.
        ("(t + u) a", 2, |a, _, t, u| {
            C::float_mul(C::float_add(t, u), a)
        }),
        ("-t a + u", 2, |a, _, t, u| {
            C::float_add(C::float_neg(C::float_mul(t, a)), u)
        }),
        ("t a - (-u)", 2, |a, _, t, u| {
            C::float_sub(C::float_mul(t, a), C::float_neg(u))
        }),
        ("(t a) b + (t a) a", 1, |a, b, t, _| {
            let shared = C::float_mul(t, a.clone());
            C::float_add(C::float_mul(shared.clone(), b), C::float_mul(shared, a))
        }),
        // A reduction needs its operand computed explicitly.
        ("sum(t a) b", 3, |a, b, t, _| {
            let sum = C::float_sum_dim(C::float_mul(t, a), 1);
            C::float_mul(C::float_expand(sum, Shape::from(SHAPE.to_vec())), b)
        }),
    ];
    for (name, steps, f) in cases {
        let (whole, map) = map(f);
        let (found, expected) = both(&whole, &map);
        assert_near(&found, &expected);
        let left = map.each().operation_names();
        let left: Vec<_> = left.filter(|name| !name.contains("Expand")).collect();
        assert_eq!(left.len(), steps, "{name}: {left:?}");
    }
}

/// Combines two values that depend on tangents, using the factors `a` and `b`.
fn step(kind: usize, x: Symbol, y: Symbol, a: &Symbol, b: &Symbol) -> Symbol {
    let (a, b) = (a.clone(), b.clone());
    match kind {
        0 => C::float_add(x, y),
        1 => C::float_sub(x, y),
        2 => C::float_neg(x),
        3 => C::float_mul_scalar(x, Scalar::Float(0.5)),
        4 => C::float_mul(x, a),
        5 => C::float_mul(b, x),
        // Never near zero.
        6 => C::float_div(
            x,
            C::float_add_scalar(C::float_mul(b.clone(), b), Scalar::Float(1.0)),
        ),
        // Also used by another operation.
        _ => C::float_add(C::float_cumsum(x, 1), y),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_line_of_steps_keeps_its_value(
        links in vec((0_usize..8, any::<Index>(), any::<Index>()), 1..24),
    ) {
        let (whole, map) = map(|a, b, t, u| {
            let mut moving = vec![t, u];
            for (kind, late, any) in &links {
                let recent = &moving[moving.len().saturating_sub(4)..];
                let (x, y) = (late.get(recent).clone(), any.get(&moving).clone());
                moving.push(step(*kind, x, y, &a, &b));
            }
            let last = moving.pop().expect("a value");
            // Both tangents are inputs even if the program reads only one.
            moving.into_iter().take(2).fold(last, C::float_add)
        });
        let (found, expected) = both(&whole, &map);
        for (x, y) in found.iter().zip(&expected) {
            prop_assert!((x - y).abs() <= 1e-10 * (1.0 + y.abs()), "{x} for {y}");
        }
        let steps_before = whole.num_operations();
        prop_assert!(map.each().num_operations() <= steps_before);
    }
}
