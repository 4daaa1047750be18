//! Programs written by hand, by what they do with rows.

use burn::backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{IndexingUpdateOp, Scalar, Shape, Slice};

use super::{check, is_by_rows, refused};
use crate::LinearizeError;
use crate::record::{C, Symbol};
use crate::rule::tests::{Given, Line, program};

/// The order of the values along the last axis.
fn order(x: Symbol, given: &Given) -> Symbol {
    C::float_argsort(x, 1, false, given.settings.int_dtype)
}

const APART: &[Line] = &[
    ("heads", &[&[3, 4, 6]], |g| {
        let x = C::float_reshape(g.a(), Shape::from([3, 4, 2, 3]));
        let x = C::float_reshape(C::float_swap_dims(x, 1, 2), Shape::from([6, 4, 3]));
        let x = C::float_matmul(x.clone(), C::float_swap_dims(x, 1, 2));
        C::float_sum_dim(C::float_reshape(x, Shape::from([3, 2, 16])), 1)
    }),
    ("rows on the second axis", &[&[3, 4, 2], &[2, 5]], |g| {
        let x = C::float_permute(g.a(), &[1, 0, 2]);
        let x = C::float_reshape(x, Shape::from([12, 2]));
        let x = C::float_matmul(x, g.b());
        let x = C::float_reshape(x, Shape::from([4, 3, 5]));
        C::float_swap_dims(C::float_cumsum(x, 0), 0, 1)
    }),
    ("axes of length one", &[&[3, 4]], |g| {
        let x = C::float_reshape(g.a(), Shape::from([1, 3, 1, 4, 1]));
        let x = C::float_expand(x, Shape::from([1, 3, 2, 4, 1]));
        C::float_reshape(x, Shape::from([3, 8]))
    }),
    ("a new axis in front", &[&[3, 4], &[2, 1, 1]], |g| {
        let x = C::float_expand(g.a(), Shape::from([2, 3, 4]));
        let sum = C::float_sum_dim(C::float_mul(x, g.b()), 0);
        C::float_reshape(sum, Shape::from([3, 4]))
    }),
    ("rows as columns", &[&[3, 4], &[2, 4]], |g| {
        let product = C::float_matmul(g.b(), C::float_swap_dims(g.a(), 0, 1));
        C::float_swap_dims(product, 0, 1)
    }),
    ("a matrix a row", &[&[3, 4], &[3, 4, 2]], |g| {
        C::float_matmul(C::float_reshape(g.a(), Shape::from([3, 1, 4])), g.b())
    }),
    ("sorted by position", &[&[3, 4]], |g| {
        C::float_gather(1, g.a(), order(g.a(), g))
    }),
    ("scattered by position", &[&[3, 4], &[3, 4]], |g| {
        C::float_scatter(1, g.b(), order(g.a(), g), g.a(), IndexingUpdateOp::Add)
    }),
    ("looked up", &[&[3, 4], &[5, 2]], |g| {
        let words = C::int_reshape(order(g.a(), g), Shape::from([12]));
        C::float_reshape(C::float_select(g.b(), 0, words), Shape::from([3, 8]))
    }),
    ("looked up at a point", &[&[3, 2], &[4, 4, 2]], |g| {
        C::float_gather_nd(g.b(), order(g.a(), g))
    }),
    ("cut off", &[&[3, 4]], |g| {
        let is_positive = C::float_greater_elem(g.a(), Scalar::Float(0.2), g.settings.bool_dtype);
        let inside = C::bool_into_float(is_positive, g.settings.float_dtype);
        C::float_mul(g.a(), C::float_max_dim(inside, 1))
    }),
    ("constants in some rows", &[&[3, 4], &[1, 4]], |g| {
        C::float_slice_assign(g.a(), &[Slice::from(0..1), Slice::from(0..4)], g.b())
    }),
    ("one column in another", &[&[3, 4]], |g| {
        let rows = Slice::from(0..3);
        let column = C::float_slice(g.a(), &[rows, Slice::from(1..2)]);
        C::float_slice_assign(g.a(), &[rows, Slice::from(3..4)], column)
    }),
    ("a mean of other data", &[&[3, 4], &[5, 4]], |g| {
        C::float_sub(g.a(), C::float_mean_dim(g.b(), 0))
    }),
];

#[test]
fn rows_are_followed_through_shapes_and_indices() {
    for &(name, shapes, operation) in APART {
        let program = program(shapes, operation);
        assert_eq!(check(&program, 0), Ok(()), "{name}\n{program}");
        assert!(is_by_rows(&program, 0), "{name}");
    }
}

/// The operation to refuse, what it does, the shapes and the program.
type Mixing = (
    &'static str,
    &'static str,
    &'static [&'static [usize]],
    fn(&Given) -> Symbol,
);

const MIXING: &[Mixing] = &[
    ("NumericFloat::MeanDim", "a mean", &[&[3, 4]], |g| {
        C::float_tanh(C::float_sub(g.a(), C::float_mean_dim(g.a(), 0)))
    }),
    ("NumericFloat::Sum", "a sum", &[&[3, 4]], |g| {
        C::float_sum(g.a())
    }),
    ("NumericFloat::SumDims", "a sum", &[&[3, 4]], |g| {
        C::float_sum_dims(g.a(), &[0, 1])
    }),
    ("NumericFloat::CumSum", "running sums", &[&[3, 4]], |g| {
        C::float_cumsum(g.a(), 0)
    }),
    ("NumericFloat::Sort", "ranks", &[&[3, 4]], |g| {
        C::float_sort(g.a(), 0, false)
    }),
    ("Activation::Softmax", "weights of rows", &[&[3, 4]], |g| {
        C::softmax(g.a(), 0)
    }),
    ("Float::Matmul", "xᵀx", &[&[3, 4]], |g| {
        let turned = C::float_swap_dims(g.a(), 0, 1);
        C::float_matmul(g.a(), C::float_matmul(turned, g.a()))
    }),
    ("Float::Matmul", "xxᵀ", &[&[3, 4]], |g| {
        C::float_matmul(g.a(), C::float_swap_dims(g.a(), 0, 1))
    }),
    ("NumericFloat::Sub", "pairs of rows", &[&[3, 1]], |g| {
        let pairs = C::float_sub(g.a(), C::float_swap_dims(g.a(), 0, 1));
        C::float_sum_dim(pairs, 1)
    }),
    ("BaseFloat::Slice", "one row", &[&[3, 4]], |g| {
        let row = C::float_slice(g.a(), &[Slice::from(1..2), Slice::from(0..4)]);
        C::float_sub(g.a(), row)
    }),
    ("BaseFloat::Slice", "backward", &[&[3, 4]], |g| {
        let rows = Slice::new(0, Some(3), -1);
        C::float_slice(g.a(), &[rows, Slice::from(0..4)])
    }),
    (
        "BaseFloat::SliceAssign",
        "moved rows",
        &[&[3, 4], &[5, 4]],
        |g| C::float_slice_assign(g.b(), &[Slice::from(1..4), Slice::from(0..4)], g.a()),
    ),
    ("BaseFloat::Flip", "backward", &[&[3, 4]], |g| {
        C::float_flip(g.a(), &[0])
    }),
    ("BaseFloat::Cat", "twice", &[&[3, 4]], |g| {
        C::float_cat(vec![g.a(), g.a()], 0)
    }),
    ("BaseFloat::RepeatDim", "twice", &[&[3, 4]], |g| {
        C::float_repeat_dim(g.a(), 0, 2)
    }),
    ("BaseFloat::Unfold", "windows of rows", &[&[3, 4]], |g| {
        C::float_unfold(g.a(), 0, 2, 1)
    }),
    ("BaseFloat::Select", "chosen rows", &[&[3, 4]], |g| {
        C::float_select(g.a(), 0, g.ints(&[2, 0, 1], [3]))
    }),
    ("BaseFloat::Gather", "chosen rows", &[&[3, 4]], |g| {
        let places = g.ints(&[0, 1, 2, 2, 1, 0, 1, 0, 0, 2, 1, 0], [3, 4]);
        C::float_gather(0, g.a(), places)
    }),
    (
        "BaseFloat::Reshape",
        "rows that move inside",
        &[&[3, 4]],
        |g| C::float_tanh(C::float_reshape(g.a(), Shape::from([4, 3]))),
    ),
    ("BaseFloat::Reshape", "rows in two axes", &[&[4, 3]], |g| {
        C::float_sum_dim(C::float_reshape(g.a(), Shape::from([2, 2, 3])), 1)
    }),
    ("BaseFloat::Reshape", "no axis of rows", &[&[3, 4]], |g| {
        C::float_tanh(C::float_reshape(g.a(), Shape::from([12])))
    }),
    ("BaseFloat::SwapDims", "rows as columns", &[&[3, 3]], |g| {
        C::float_tanh(C::float_swap_dims(g.a(), 0, 1))
    }),
    (
        "BaseFloat::ScatterNd",
        "chosen places",
        &[&[3, 4], &[3, 4]],
        |g| {
            let places = g.ints(&[2, 0, 1], [3, 1]);
            C::float_scatter_nd(g.b(), places, g.a(), IndexingUpdateOp::Add)
        },
    ),
    ("BaseBool::Any", "a condition on all", &[&[3, 4]], |g| {
        let kind = g.settings.bool_dtype;
        let is_large = C::float_greater_elem(g.a(), Scalar::Float(0.2), kind);
        let any = C::bool_into_float(C::bool_any(is_large), g.settings.float_dtype);
        C::float_mul(g.a(), C::float_reshape(any, Shape::from([1, 1])))
    }),
];

#[test]
fn what_mixes_or_moves_rows_is_refused_by_name() {
    for &(operation, what, shapes, write) in MIXING {
        let program = program(shapes, write);
        let refused = refused(&program, 0);
        assert_eq!(refused.as_deref(), Some(operation), "{what}\n{program}");
    }
}

#[test]
fn the_error_has_the_shapes_the_parameter_and_the_remedy() {
    let mut program = program(&[&[3, 4], &[4]], |g| {
        let scaled = C::float_mul(g.a(), C::float_reshape(g.b(), Shape::from([1, 4])));
        C::float_sub(scaled.clone(), C::float_mean_dim(scaled, 0))
    });
    program.inputs[0].name = "batch.0".into();
    program.inputs[1].name = "norm.gamma".into();
    let error = check(&program, 0).expect_err("a mean");
    let expected = LinearizeError::MixesRows {
        operation: "NumericFloat::MeanDim".into(),
        shapes: vec![vec![3, 4]],
        origin: " (after `norm.gamma`)".into(),
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "`NumericFloat::MeanDim` with shapes [[3, 4]] (after `norm.gamma`) does not keep the rows of the \
         batch apart, and a derivative by the input needs outputs whose row i depends on row i of the input \
         alone; evaluate batch normalization in evaluation mode (`model.valid()`), and move sums, \
         normalizations and other operations over the batch outside the function that is differentiated"
    );
}

/// One row cannot mix with others, but its result needs an axis for it.
#[test]
fn one_row_passes_anything_that_leaves_one_row() {
    let one = |write: fn(&Given) -> Symbol| refused(&program(&[&[1, 4]], write), 0);
    assert_eq!(one(|g| C::softmax(g.a(), 0)), None);
    assert_eq!(one(|g| C::float_sum(g.a())), None);
    let turned = |g: &Given| C::float_tanh(C::float_swap_dims(g.a(), 0, 1));
    assert_eq!(one(turned).as_deref(), Some("BaseFloat::SwapDims"));
}

/// Its derivative is zero, whatever its shape.
#[test]
fn an_output_that_does_not_depend_on_the_input_passes() {
    let written = program(&[&[3, 4], &[5, 2]], |g| C::float_mean(g.b()));
    assert_eq!(check(&written, 0), Ok(()));
    assert_eq!(refused(&written, 1).as_deref(), Some("NumericFloat::Mean"));
}

/// Only what the output needs is checked.
#[test]
fn operations_beside_the_output_may_mix_rows() {
    let mut written = program(&[&[3, 4]], |g| {
        C::float_add(C::float_mean_dim(g.a(), 0), C::float_tanh(g.a()))
    });
    assert!(refused(&written, 0).is_some());
    let tanh = written.operations.iter().find_map(|operation| {
        let mut outputs = operation.outputs();
        outputs.find(|out| out.shape.as_slice() == [3, 4]).cloned()
    });
    written.outputs[0].tensor = tanh.expect("the tanh");
    assert_eq!(check(&written, 0), Ok(()));
}
