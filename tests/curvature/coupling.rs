//! Squares of the blocks between parameter tensors, against dense matrices.

use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use burnscape::OutOfRange;
use burnscape::curvature::{CurvatureError, LayerCoupling, LayerCouplingConfig};
use burnscape::krylov::{Dense, KrylovFault, LinearOperator};
use burnscape::loss::{Reduction, Risk};
use burnscape::prelude::Csv;
use burnscape::space::ParamVector;

use super::fixture::{batches, cross_entropy, dense, device, net};

const LENS: [usize; 3] = [30, 20, 10];

/// Three vectors of 30, 20 and 10 numbers.
#[derive(Module, Debug)]
struct Three {
    a: Param<Tensor<1>>,
    b: Param<Tensor<1>>,
    c: Param<Tensor<1>>,
}

impl Three {
    fn new() -> Self {
        let [a, b, c] = LENS.map(|len| Param::from_tensor(Tensor::zeros([len], &device())));
        Self { a, b, c }
    }
}

/// `½ wᵀHw` over all sixty numbers.
fn quadratic(model: &Three, h: Tensor<2>) -> Tensor<1> {
    let parts = vec![model.a.val(), model.b.val(), model.c.val()];
    let w = Tensor::cat(parts, 0).unsqueeze::<2>();
    (w.clone().matmul(h) * w).sum() * 0.5
}

fn entry(i: usize, j: usize) -> f64 {
    let own = if i == j { (i % 3) as f64 } else { 0.0 };
    (0.3 * ((i + 1) * (j + 1)) as f64).cos() + own
}

fn matrix(entry: impl Fn(usize, usize) -> f64) -> [Tensor<2>; 1] {
    let numbers: Vec<f64> = (0..3600).map(|at| entry(at / 60, at % 60)).collect();
    [Tensor::from_data(
        TensorData::new(numbers, [60, 60]),
        &device(),
    )]
}

/// The squares of the blocks of a matrix, from the numbers of coordinates.
fn squares(lens: &[usize], entry: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let owners = lens.iter().enumerate();
    let owners: Vec<usize> = owners.flat_map(|(i, len)| vec![i; *len]).collect();
    let mut sums = vec![vec![0.0; lens.len()]; lens.len()];
    for (i, row) in owners.iter().enumerate() {
        for (j, column) in owners.iter().enumerate() {
            sums[*row][*column] += entry(i, j).powi(2);
        }
    }
    sums
}

#[track_caller]
fn assert_near(found: &LayerCoupling, exact: &[Vec<f64>], tolerance: f64) {
    let pairs = found.squares.iter().flatten().zip(exact.iter().flatten());
    for (found, exact) in pairs {
        assert!(
            (found - exact).abs() <= tolerance * exact,
            "{found} {exact}"
        );
    }
}

#[test]
fn as_many_products_as_parameters_give_the_blocks_of_the_dense_matrix() {
    let (model, data) = (net(), batches(&[4, 3]));
    let hessian = cross_entropy(Reduction::Mean, &data)
        .hessian(&model)
        .unwrap();
    let found = LayerCouplingConfig::new().run(&hessian).unwrap();
    assert!(found.exact && found.completed);
    assert_eq!(
        (found.num_matvecs, found.paths.len()),
        (hessian.space().len(), 4)
    );
    let matrix: Dense = dense(&hessian);
    let columns = matrix.num_columns();
    let entry = |i: usize, j: usize| matrix.as_slice()[i * columns + j];
    assert_near(&found, &squares(&found.lens, entry), 1e-10);
    let total: f64 = matrix.as_slice().iter().map(|entry| entry * entry).sum();
    let own: f64 = (0..4).map(|i| found.squares[i][i]).sum();
    let share = found.off_diagonal_share().unwrap();
    assert!((share - (1.0 - own / total)).abs() < 1e-10 && share > 0.0);
    for errors in found.standard_errors.unwrap() {
        assert_eq!(errors, [0.0; 4]);
    }
}

#[test]
fn estimates_hold_the_exact_squares_within_their_errors() {
    let (model, data) = (Three::new(), matrix(entry));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let exact = squares(&LENS, entry);
    for seed in 0..3 {
        let config = LayerCouplingConfig::new()
            .with_num_probes(19)
            .with_seed(seed);
        let found = config.run(&hessian).unwrap();
        assert!(!found.exact && found.num_matvecs == 57);
        let errors = found.standard_errors.as_ref().unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let error = (found.squares[i][j] - exact[i][j]).abs();
                assert!(error < 4.0 * errors[i][j], "{seed} {i} {j}: {found:?}");
                assert!(errors[i][j] < 0.15 * exact[i][j]);
                assert_eq!(found.squares[i][j], found.squares[j][i]);
            }
        }
    }
    // More than the products of 19 probes are as many as the parameters.
    let all = LayerCouplingConfig::new().with_num_probes(20);
    assert_near(&all.run(&hessian).unwrap(), &exact, 1e-12);
}

#[test]
fn blocks_that_are_apart_have_no_coupling_and_a_matrix_of_rank_one_has_all() {
    let model = Three::new();
    let run = |data: &[Tensor<2>; 1], num_probes: usize| {
        let hessian = Risk::new(&quadratic, data).hessian(&model).unwrap();
        let config = LayerCouplingConfig::new().with_num_probes(num_probes);
        config.run(&hessian).unwrap()
    };
    let owner = |i: usize| usize::from(i >= 30) + usize::from(i >= 50);
    let diagonal = |i: usize| (1 + owner(i)) as f64;
    let apart = matrix(|i, j| if i == j { diagonal(i) } else { 0.0 });
    for num_probes in [2, 20] {
        let found = run(&apart, num_probes);
        // The product with a vector of signs has one length, whatever the signs.
        assert_near(
            &found,
            &squares(&LENS, |i, j| if i == j { diagonal(i) } else { 0.0 }),
            1e-12,
        );
        assert_eq!(found.off_diagonal_share(), Some(0.0));
        assert_eq!(found.normalized(0, 1), Some(0.0));
        assert!((found.normalized(2, 2).unwrap() - 1.0).abs() < 1e-12);
    }
    let one = run(&matrix(|i, j| ((i + 1) * (j + 1)) as f64), 20);
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        assert!((one.normalized(i, j).unwrap() - 1.0).abs() < 1e-12);
    }
    // Neither an index out of range nor a tensor without curvature has a coupling.
    assert_eq!(one.normalized(0, 3), None);
    let flat = run(&matrix(|i, j| f64::from(u8::from(i == 0 && j == 0))), 20);
    assert_eq!((flat.normalized(0, 1), flat.normalized(1, 1)), (None, None));
    let zero = run(&matrix(|_, _| 0.0), 20);
    assert_eq!(zero.off_diagonal_share(), None);
}

#[test]
fn a_loss_four_times_as_large_has_the_same_couplings() {
    let model = Three::new();
    let run = |factor: f64| {
        let data = matrix(|i, j| factor * entry(i, j));
        let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
        LayerCouplingConfig::new().run(&hessian).unwrap()
    };
    let (one, four) = (run(1.0), run(4.0));
    for i in 0..3 {
        for j in 0..3 {
            assert_eq!(16.0 * one.squares[i][j], four.squares[i][j]);
            assert_eq!(one.normalized(i, j), four.normalized(i, j));
        }
    }
}

#[test]
fn a_stopped_run_has_the_rounds_that_were_completed() {
    let (model, data) = (Three::new(), matrix(entry));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let config = LayerCouplingConfig::new().with_num_probes(5);
    let stopped_after = |reports: usize| {
        let mut count = 0;
        let observed = (&hessian).observed(move |_| {
            count += 1;
            match count == reports {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        config.run(&observed)
    };
    assert_eq!(stopped_after(1), Err(CurvatureError::Stopped));
    let found = stopped_after(3).unwrap();
    let two = config.clone().with_num_probes(2).run(&hessian).unwrap();
    assert!(!found.completed && found.num_matvecs == 9);
    assert_eq!(found.squares, two.squares);
    assert_eq!(found.standard_errors, two.standard_errors);
    // A break after the last product has cut nothing short.
    assert!(stopped_after(5).unwrap().completed);
    let exactly = config.with_num_probes(20);
    let observed = (&hessian).observed(|_| ControlFlow::Break(()));
    assert_eq!(exactly.run(&observed), Err(CurvatureError::Stopped));
}

#[test]
fn a_single_round_has_no_errors_and_the_seed_matters() {
    let (model, data) = (Three::new(), matrix(entry));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let run = |config: LayerCouplingConfig| config.run(&hessian).unwrap();
    let one = run(LayerCouplingConfig::new().with_num_probes(1));
    assert_eq!(one.standard_errors, None);
    let other = run(LayerCouplingConfig::new().with_num_probes(1).with_seed(1));
    assert_ne!(one.squares, other.squares);
    let mut text = Vec::new();
    one.write_csv(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "first,second,square,standard_error,normalized");
    assert_eq!(lines.len(), 7);
    let start = format!("a,b,{},,", one.squares[0][1]);
    assert!(lines[2].starts_with(&start), "{text}");
}

#[test]
fn no_probes_and_products_that_are_not_finite_are_refused() {
    let (model, data) = (Three::new(), matrix(entry));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let error = LayerCouplingConfig::new().with_num_probes(0).run(&hessian);
    assert!(matches!(
        error,
        Err(CurvatureError::OutOfRange(OutOfRange {
            name: "num_probes",
            ..
        }))
    ));
    let space = hessian.space();
    for (value, expected) in [
        (f64::NAN, KrylovFault::NonFinite { product: 0 }),
        (
            1e200,
            KrylovFault::OutOfRange {
                name: "square",
                exponent: f64::MAX_EXP,
            },
        ),
    ] {
        let diagonal = ParamVector::from_host(space, &[value; 60]).unwrap();
        let diagonal = burnscape::curvature::Diagonal::new(diagonal);
        let error = LayerCouplingConfig::new().with_num_probes(2).run(&diagonal);
        assert_eq!(error, Err(CurvatureError::Krylov(expected)));
    }
}
