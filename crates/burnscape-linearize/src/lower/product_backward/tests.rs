use super::*;
use crate::coverage::describe;
use crate::derive::Jvp;
use crate::lower::lower;
use crate::record::C;
use crate::rule::tests::{moved, plain, program, run, values};
use burn::tensor::{DType, Shape};
use burn_ir::TensorStatus;

type Operation = fn(
    <AC as burn::backend::BackendTypes>::FloatTensorPrimitive,
) -> <AC as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// The gradient of `Σ cᵢ yᵢ` for the products `y` of factors `[2, n]`, with `c` the second input.
fn gradient(n: usize, operation: Operation) -> Program {
    let len = |given: &crate::rule::tests::Given| {
        let leaf =
            <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(given.at(0)), true);
        let y = operation(leaf.clone());
        let shape = y.shape();
        let count = shape.num_elements();
        let c = C::float_slice(given.at(1), &[burn::tensor::Slice::from(0..count)]);
        let c = AC::from_inner(C::float_reshape(c, shape));
        let gradients = AC::backward(AC::float_sum(AC::float_mul(y, c)));
        AC::grad(&leaf, &gradients).expect("a gradient")
    };
    program(&[&[2, n], &[2 * n]], len)
}

fn products() -> [(&'static str, Operation); 4] {
    [
        ("prod", |x| AC::float_prod(x)),
        ("prod_dim", |x| AC::float_prod_dim(x, 1)),
        ("prod_dim, first axis", |x| AC::float_prod_dim(x, 0)),
        ("cumprod", |x| AC::float_cumprod(x, 1)),
    ]
}

fn compares(program: &Program) -> Vec<String> {
    let names = program.operation_names();
    names
        .filter(|name| name.contains("Equal") || name.contains("Lower"))
        .collect()
}

#[test]
fn the_masks_of_burns_backward_pass_are_gone() {
    for (name, operation) in products() {
        for n in [1, 2, 5] {
            let recorded = gradient(n, operation);
            assert!(
                !compares(&recorded).is_empty(),
                "{name}: Burn has no masks any more"
            );
            let lowered = lower(recorded, plain().settings()).expect("a program");
            assert_eq!(compares(&lowered), [""; 0], "{name} of {n}");
        }
    }
}

/// Fails if Burn changes a backward pass. The pattern then changes with it, and must be reviewed to still be
/// the gradient of a product.
#[test]
fn burns_backward_passes_are_those_that_were_read() {
    let steps = |kind| {
        let factors = TensorIr {
            id: TensorId::new(0),
            shape: Shape::from([2, 3]),
            status: TensorStatus::ReadOnly,
            dtype: DType::F64,
        };
        let pattern = Pattern::of(&Product { kind, factors }, plain().settings());
        let operations = pattern.expect("a pattern").program.operations;
        let names = operations.iter().map(|op| describe(op).0);
        let short = names.map(|name| name.split("::").last().unwrap_or_default().to_string());
        short.collect::<Vec<_>>().join(" ")
    };
    let all = "Ones Reshape Mul Mul EqualElem Bool Add Sum Prod LowerElem LowerElem Bool Bool \
               Reshape Reshape Expand Expand Div Zeros MaskWhere MaskWhere MaskWhere Mul";
    let along = "Ones Ones Reshape Mul Mul EqualElem Bool Add SumDim ProdDim LowerElem LowerElem Bool \
                 Bool Expand Expand Div Zeros MaskWhere MaskWhere MaskWhere Mul";
    let running = "Ones Ones Reshape Mul Mul EqualElem Bool CumSum LowerElem Bool LowerElem Bool Mul Add \
                   CumProd Mul Add Mul Slice CumSum Slice Div Mul Slice CumSum Slice Mul Mul Add";
    let found = [Kind::All, Kind::Along(1), Kind::Running(1)].map(steps);
    assert_eq!(found, [all, along, running]);
}

/// Two backward passes of one product, and of products of one shape.
#[test]
fn every_backward_pass_of_a_program_is_found() {
    let recorded = program(&[&[2, 3], &[2, 3]], |given| {
        let leaf = |index| {
            <AC as FloatTensorOps<AC>>::float_set_require_grad(
                AC::from_inner(given.at(index)),
                true,
            )
        };
        let (a, b) = (leaf(0), leaf(1));
        let (p, q) = (AC::float_cumprod(a.clone(), 1), AC::float_cumprod(b, 1));
        let again = AC::float_exp(AC::float_cumprod(a.clone(), 1));
        let along = AC::float_prod_dim(a.clone(), 1);
        let sum = AC::float_add(AC::float_mul(p, q), AC::float_mul(again, along));
        let gradients = AC::backward(AC::float_sum(sum));
        AC::grad(&a, &gradients).expect("a gradient")
    });
    let lowered = lower(recorded, plain().settings()).expect("a program");
    assert_eq!(compares(&lowered), [""; 0]);
}

/// `Π x` and its gradient, by brute force: the sum over `i` of `c_r Π_{j ≠ i}`, and so on for every derivative.
fn brute(c: &[f64], x: &[f64], along: &[&[f64]], is_running: bool) -> Vec<f64> {
    let n = x.len() / 2;
    let mut total = vec![0.0; 2 * n];
    for row in 0..2 {
        for end in 0..n {
            if !is_running && end + 1 < n {
                continue;
            }
            let weight = if is_running { c[row * n + end] } else { c[row] };
            let xs = &x[row * n..=row * n + end];
            for i in 0..=end {
                total[row * n + i] += weight * without(xs, &[i], along, row * n);
            }
        }
    }
    total
}

/// The product of all but some, differentiated along the directions.
fn without(x: &[f64], left_out: &[usize], along: &[&[f64]], start: usize) -> f64 {
    let places = (0..x.len()).filter(|i| !left_out.contains(i));
    let Some((direction, others)) = along.split_first() else {
        return places.map(|i| x[i]).product();
    };
    let terms = places.map(|i| {
        let left_out: Vec<usize> = left_out.iter().copied().chain([i]).collect();
        direction[start + i] * without(x, &left_out, others, start)
    });
    terms.sum()
}

#[test]
fn derivatives_of_products_are_those_of_the_polynomial_at_any_number_of_zeros() {
    let settings = plain().settings();
    for zeros in 0..=5 {
        for n in [1, 2, 3, 4, 5, 6, 7] {
            let mut x = values(&gradient(n, products()[1].1), 0.5);
            for value in x[0].iter_mut().step_by(2).take(zeros) {
                *value = 0.0;
            }
            let direction = |phase| values(&gradient(n, products()[1].1), phase)[0].clone();
            let (u, v) = (direction(3.0), direction(8.0));
            for (operation, is_running) in [(products()[1].1, false), (products()[3].1, true)] {
                let recorded = gradient(n, operation);
                let first = lower(recorded, settings).expect("a program");
                let second = first.jvp(&[0], settings).expect("a derivative");
                let third = second.program.jvp(&[0], settings).expect("a derivative");
                let read = |jvp: &Jvp, of: Option<usize>, inputs: &[Vec<f64>]| {
                    let index = of.and_then(|of| jvp.tangent_outputs[of]);
                    index.map_or_else(|| vec![0.0; 2 * n], |i| run(&jvp.program, &[inputs], i))
                };
                let c = &x[1];
                let given = x.clone();
                let (mut once, mut twice) = (given.clone(), given.clone());
                once.push(u.clone());
                twice.extend([u.clone(), v.clone()]);
                let along = second.tangent_outputs[0];
                let found = [
                    run(&first, &[&given], 0),
                    read(&second, Some(0), &once),
                    read(&third, along, &twice),
                ];
                let expected = [
                    brute(c, &x[0], &[], is_running),
                    brute(c, &x[0], &[&u], is_running),
                    brute(c, &x[0], &[&u, &v], is_running),
                ];
                for (order, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    for (a, b) in found.iter().zip(expected) {
                        let what =
                            format!("order {order}, {n} factors, {zeros} zeros, {is_running}");
                        assert!((a - b).abs() < 1e-12, "{what}: {a} for {b}");
                    }
                }
            }
        }
    }
}

/// Forward mode without a gradient: the rules of the products themselves.
#[test]
fn products_move_with_every_factor_at_zeros_too() {
    let settings = plain().settings();
    let forward: [fn(&crate::rule::tests::Given) -> Symbol; 3] = [
        |g| C::float_prod(g.at(0)),
        |g| C::float_prod_dim(g.at(0), 0),
        |g| C::float_cumprod(g.at(0), 0),
    ];
    for operation in forward {
        for zeros in 0..4 {
            let written = program(&[&[5, 1]], operation);
            let first = written.jvp(&[0], settings).expect("a derivative");
            let mut x = values(&written, 0.5);
            for value in x[0].iter_mut().skip(1).take(zeros) {
                *value = 0.0;
            }
            let u = values(&written, 4.0);
            let found = run(&first.program, &[&x, &u], 1);
            // A polynomial of degree five: six points are exact.
            let at = |scale| run(&written, &[&moved(&x, &u, scale)], 0);
            let (one, two, three) = (
                [at(0.5), at(-0.5)],
                [at(1.0), at(-1.0)],
                [at(1.5), at(-1.5)],
            );
            for i in 0..found.len() {
                let difference = |pair: &[Vec<f64>; 2]| pair[0][i] - pair[1][i];
                let expected =
                    (45.0 * difference(&one) - 9.0 * difference(&two) + difference(&three)) / 30.0;
                assert!(
                    (found[i] - expected).abs() < 1e-12,
                    "{} {expected}",
                    found[i]
                );
            }
        }
    }
}
