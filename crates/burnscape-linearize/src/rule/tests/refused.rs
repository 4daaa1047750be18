//! An operation without a rule is an error that names it, its shapes and the parameter, never a number. No
//! gradient recorded by Burn contains one, so these programs are built by hand.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, GridSampleOptions};
use burn::tensor::{IndexingUpdateOp, Tensor, TensorData};

use super::{Given, plain, program};
use crate::LinearizeError;
use crate::record::{C, Symbol};

/// The error of differentiating the operation along its first argument, `encoder.conv.weight`.
fn refusal(shapes: &[&[usize]], operation: fn(&Given) -> Symbol) -> LinearizeError {
    let mut written = program(shapes, operation);
    written.inputs[0].name = "encoder.conv.weight".into();
    for (index, port) in written.inputs[1..].iter_mut().enumerate() {
        port.name = format!("batch.{index}");
    }
    let derivative = written.jvp(&[0], plain().settings());
    derivative.map(|_| ()).expect_err("no rule")
}

#[test]
fn an_operation_without_a_rule_is_named_with_its_shapes_and_the_parameter_it_reads() {
    let error = refusal(&[&[1, 2, 3, 3], &[1, 2, 2, 2]], |g| {
        C::float_grid_sample_2d(g.a(), g.b(), GridSampleOptions::default())
    });
    let expected = LinearizeError::NoRule {
        operation: "Float::GridSample2d".into(),
        shapes: vec![vec![1, 2, 3, 3], vec![1, 2, 2, 2]],
        origin: " (it reads `encoder.conv.weight`)".into(),
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "no derivative rule for `Float::GridSample2d` with shapes [[1, 2, 3, 3], [1, 2, 2, 2]] (it \
         reads `encoder.conv.weight`); use operations that have one (`coverage` lists them)"
    );
}

#[test]
fn an_operation_that_reads_no_parameter_is_named_with_the_last_one_before_it() {
    let error = refusal(&[&[1, 2, 3, 3], &[1, 2, 2, 2]], |g| {
        C::float_grid_sample_2d(C::float_tanh(g.a()), g.b(), GridSampleOptions::default())
    });
    let text = error.to_string();
    assert!(text.contains("(after `encoder.conv.weight`)"), "{text}");
}

#[test]
fn scattering_that_is_not_linear_is_refused() {
    for update in [
        IndexingUpdateOp::Mul,
        IndexingUpdateOp::Min,
        IndexingUpdateOp::Max,
    ] {
        let mut written = program(&[&[3, 4], &[3, 2]], |g| {
            let places = g.ints(&[1, 1, 0, 3, 2, 2], [3, 2]);
            C::float_scatter(1, g.a(), places, g.b(), update)
        });
        written.inputs[0].name = "w".into();
        let error = written
            .jvp(&[0, 1], plain().settings())
            .expect_err("no rule");
        let text = error.to_string();
        assert!(
            text.contains("`BaseFloat::Scatter` with shapes [[3, 4]"),
            "{text}"
        );
        assert!(text.contains("(it reads `w`)"), "{text}");
    }
}

/// Tests for zero depend on the values.
#[test]
fn any_and_all_of_numbers_are_refused_at_zeros() {
    let asked: [fn(&Given) -> Symbol; 4] = [
        |g| C::float_any(g.a(), g.settings.bool_dtype),
        |g| C::float_all(g.a(), g.settings.bool_dtype),
        |g| C::float_any_dim(g.a(), 0, g.settings.bool_dtype),
        |g| C::float_all_dim(g.a(), 0, g.settings.bool_dtype),
    ];
    for asked in asked {
        let written = program(&[&[3], &[1]], |g| {
            let answer = C::bool_into_float(asked(g), g.settings.float_dtype);
            C::float_mul(g.b(), answer)
        });
        let derivative = written
            .jvp(&[0, 1], plain().settings())
            .expect("a derivative");
        let at = |x: [f64; 3]| {
            let inputs = [x.to_vec(), vec![2.0], vec![1.0; 3], vec![1.0]];
            let bind = |x: &Vec<f64>| {
                let data = TensorData::new(x.clone(), [x.len()]);
                Tensor::<1>::from_data(data, &plain()).into_dispatch()
            };
            let inputs: Vec<_> = inputs.iter().map(bind).collect();
            derivative.program.run(&inputs, &plain()).map(|_| ())
        };
        assert_eq!(at([1.0, 2.0, -1.0]), Ok(()));
        let refused = at([1.0, 0.0, 0.0]);
        assert!(
            matches!(refused, Err(LinearizeError::Tie { count: 2, .. })),
            "{refused:?}"
        );
    }
}

/// An operation without a rule is allowed if its argument has no tangent.
#[test]
fn what_does_not_move_needs_no_rule() {
    let written = program(&[&[2, 2, 2, 2], &[1, 2, 3, 3], &[1, 2, 2, 2]], |g| {
        let sampled = C::float_grid_sample_2d(g.b(), g.c(), GridSampleOptions::default());
        let scale = C::float_reshape(C::float_sum(sampled), [1, 1, 1, 1].into());
        C::float_mul(g.a(), scale)
    });
    let derivative = written.jvp(&[0], plain().settings());
    assert_eq!(derivative.map(|jvp| jvp.tangent_outputs), Ok(vec![Some(1)]));
}
