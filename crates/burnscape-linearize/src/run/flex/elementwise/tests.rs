use burn::backend::DispatchTensor;
use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::{Shape, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::FlexTensor;
use super::operand::Broadcast;
use super::*;
use crate::record::{C, Symbol};
use crate::rule::tests::{Given, plain, program, values};
use crate::run::engine::{engine, flat};
use crate::run::executable::Executable;

/// The numbers of a program with Burn's kernels and with chains, bit by bit, and the operations with chains.
fn both(program: &Program) -> ([Vec<u64>; 2], usize) {
    let mut chains = Cow::Borrowed(program);
    replace(&mut chains);
    let values = values(program, 0.5);
    let found = [program, &*chains].map(|program| {
        let mut engine = engine(&plain()).expect("a device");
        engine.constants(program);
        let bound = values.iter().map(|x| -> DispatchTensor {
            let data = TensorData::new(x.clone(), [x.len()]);
            Tensor::<1>::from_data(data, &plain()).into_dispatch()
        });
        let bound: Vec<_> = bound.collect();
        let outputs = engine
            .run(&Executable::new(program), &bound)
            .expect("a run");
        let numbers = outputs
            .into_iter()
            .flat_map(|output| flat(output).into_data().iter::<f64>().collect::<Vec<_>>());
        // What is not a number may have any bits.
        let bits = |x: f64| if x.is_nan() { f64::NAN } else { x }.to_bits();
        numbers.map(bits).collect()
    });
    (found, chains.operations.len())
}

fn arithmetic(code: usize, a: Symbol, b: Symbol, scalar: f64) -> Symbol {
    match code {
        0 => C::float_add(a, b),
        1 => C::float_sub(a, b),
        2 => C::float_mul(a, b),
        3 => C::float_div(a, b),
        4 => C::float_add_scalar(a, scalar.into()),
        5 => C::float_sub_scalar(a, scalar.into()),
        6 => C::float_mul_scalar(a, scalar.into()),
        7 => C::float_div_scalar(a, scalar.into()),
        8 => C::relu_backward(a, b),
        // Not of a chain.
        _ => C::float_exp(a),
    }
}

/// What each step does, and its operands among the inputs and earlier steps, counted from the last one.
fn steps() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    proptest::collection::vec((0..=9_usize, 0..4_usize, 0..9_usize), 1..=20)
}

fn recorded(steps: &[(usize, usize, usize)], given: &Given, num_inputs: usize) -> Symbol {
    let mut known: Vec<Symbol> = (0..num_inputs).map(|index| given.at(index)).collect();
    for (index, &(code, a, b)) in steps.iter().enumerate() {
        let from_end = |back: usize| known[known.len() - 1 - back.min(known.len() - 1)].clone();
        // Chains start with a whole tensor.
        let a = if index == 0 {
            known[0].clone()
        } else {
            from_end(a)
        };
        let next = arithmetic(code, a, from_end(b), 0.3 + 0.1 * index as f64);
        known.push(next);
    }
    let last = known.pop().unwrap_or_else(|| given.at(0));
    // All of it has the shape of the first input.
    C::float_add(last, given.at(0))
}

#[test]
fn chains_have_the_bits_of_their_steps() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[31; 32]);
    let config = Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let sizes = (0..5_usize, steps());
    let outcome = TestRunner::new_with_rng(config, rng).run(&sizes, |(size, steps)| {
        // From too few numbers for a chain to several chunks, of which the last is not full.
        let whole = [
            [1, 2, 3, 5],
            [3, 5, 17, 23],
            [2, 9, 31, 33],
            [4, 7, 33, 41],
            [130, 3, 15, 17],
        ][size];
        let [n, c, h, w] = whole;
        let shapes: [&[usize]; 6] = [
            &whole,
            &[1, c, 1, 1],
            &[n, c, 1, 1],
            &[1, 1, 1, w],
            &[1, 1, 1, 1],
            &[n, 1, h, 1],
        ];
        let program = program(&shapes, |given| recorded(&steps, given, shapes.len()));
        let ([burn, ours], _) = both(&program);
        prop_assert_eq!(burn, ours);
        Ok(())
    });
    outcome.expect("the same bits");
}

#[test]
fn a_chain_is_one_operation() {
    let shapes: [&[usize]; 4] = [
        &[2, 4, 32, 32],
        &[1, 4, 1, 1],
        &[1, 4, 1, 1],
        &[2, 4, 32, 32],
    ];
    let program = program(&shapes, |given| {
        let normalized = C::float_sub(given.at(0), given.at(1));
        let scaled = C::float_mul(C::float_mul_scalar(normalized, 0.5.into()), given.at(2));
        C::float_add(C::relu_backward(given.at(3), scaled), given.at(0))
    });
    assert_eq!(program.operations.len(), 5);
    let ([burn, ours], num_operations) = both(&program);
    assert_eq!(burn, ours);
    assert_eq!(num_operations, 1);
}

#[test]
fn what_others_read_ends_a_chain() {
    let shapes: [&[usize]; 2] = [&[64, 128]; 2];
    let program = program(&shapes, |given| {
        let product = C::float_mul(given.at(0), given.at(1));
        let sum = C::float_add(product.clone(), given.at(1));
        // The first one reads the product a second time; the second one is a kernel of another kind.
        let chain = C::float_mul(C::float_div(sum, product), given.at(0));
        C::float_sub(C::float_exp(chain), given.at(1))
    });
    let ([burn, ours], num_operations) = both(&program);
    assert_eq!(burn, ours);
    // The product, the chain from sum to product, the exponential, and the difference.
    assert_eq!(num_operations, 4);
}

#[test]
fn results_overwrite_memory_that_nothing_else_reads() {
    let len = 5 * 1024;
    let steps = [
        Step {
            code: expression::Code::Mul,
            operands: [0, 1],
            scalar: 0.0,
        },
        Step {
            code: expression::Code::Sub,
            operands: [2, 0],
            scalar: 0.0,
        },
    ];
    let numbers = |phase: f32| -> Vec<f32> { (0..len).map(|i| (i as f32 + phase).sin()).collect() };
    let tensor = |phase| FlexTensor::from_data(TensorData::new(numbers(phase), [len]));
    let expected: Vec<f32> = numbers(1.0)
        .into_iter()
        .zip(numbers(2.0))
        .map(|(a, b)| a * b - a)
        .collect();
    let shape = Shape::from([len]);
    for is_shared in [[false, false], [true, false], [true, true]] {
        let inputs = [tensor(1.0), tensor(2.0)];
        let kept = is_shared.map(|is_shared| is_shared.then_some(()));
        let kept: Vec<FlexTensor> = inputs
            .iter()
            .zip(kept)
            .filter_map(|(input, kept)| kept.map(|()| input.clone()))
            .collect();
        let found = chunks::computed::<f32>(&steps, inputs.to_vec(), &shape);
        drop(inputs);
        assert_eq!(found.storage::<f32>(), &expected[..]);
        for (kept, phase) in kept.iter().zip([1.0, 2.0]) {
            assert_eq!(kept.storage::<f32>(), &numbers(phase)[..]);
        }
        let inputs = vec![tensor(1.0), tensor(2.0)];
        let memory = inputs[0].storage::<f32>().as_ptr();
        let found = chunks::computed::<f32>(&steps, inputs, &shape);
        assert_eq!(found.storage::<f32>().as_ptr(), memory);
        assert_eq!(found.storage::<f32>(), &expected[..]);
    }
}

#[test]
fn axes_between_repeated_ones_are_not_repeated() {
    let broadcast = |shape: &[usize]| {
        Broadcast::new(&Shape::from(shape.to_vec()), &Shape::from([2, 3, 4, 5]))
            .map(|Broadcast { inner, count }| [inner, count])
    };
    assert_eq!(broadcast(&[2, 3, 4, 5]), Some([1, 120]));
    assert_eq!(broadcast(&[1, 3, 1, 1]), Some([20, 3]));
    assert_eq!(broadcast(&[2, 3, 1, 1]), Some([20, 6]));
    assert_eq!(broadcast(&[1, 1, 4, 5]), Some([1, 20]));
    assert_eq!(broadcast(&[1, 1, 1, 1]), Some([120, 1]));
    assert_eq!(broadcast(&[2, 1, 4, 1]), None);
    assert_eq!(broadcast(&[5]), None);
}
