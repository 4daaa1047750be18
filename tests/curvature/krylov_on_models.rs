//! Krylov methods on the Hessian of a model, in single precision on a device, against the dense matrix in
//! double precision.

use burn::tensor::{Device, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{
    Dense, DensityConfig, DiagonalConfig, DiagonalMethod, EigenMethod, EigenpairsConfig, Inverse,
    LanczosFactorization, SelfAdjoint, Shifted, SolveConfig, Symmetric, TraceConfig, TraceMethod,
    VectorSpace, Which,
};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::TwoLayers;

fn net() -> TwoLayers {
    let net = TwoLayers::new([3, 6, 2], &Device::default());
    // The same weights on every machine.
    let space = ParamSpace::of(&net).unwrap();
    let weight = |i: usize| (1.3 * i as f64).sin() * 0.7;
    let values: Vec<f64> = (0..space.len()).map(weight).collect();
    let vector = ParamVector::from_host(&space, &values).unwrap();
    vector.apply_to(&net).unwrap()
}

fn data() -> [(Tensor<2>, Tensor<2>); 1] {
    let device = Device::default();
    let numbers = |count: usize, step: f32| -> Vec<f32> {
        (0..count).map(|i| (step * i as f32).cos()).collect()
    };
    let tensor = |rows: usize, columns: usize, step: f32| {
        let data = burn::tensor::TensorData::new(numbers(rows * columns, step), [rows, columns]);
        Tensor::<2>::from_data(data, &device)
    };
    [(tensor(16, 3, 0.7), tensor(16, 2, 1.9))]
}

fn loss(net: &TwoLayers, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
    let outputs = net.forward(x, Tensor::tanh);
    (outputs - y).square().mean()
}

/// The matrix, its eigenvalues in ascending order, and its size.
fn reference<A>(hessian: &A) -> (Dense, Vec<f64>, f64)
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
{
    let matrix = Dense::of(hessian).unwrap();
    let n = matrix.num_rows();
    let symmetric = Symmetric::verified(&matrix, 1e-5, 0).unwrap();
    let values = LanczosFactorization::from_random(&symmetric, n, 0)
        .unwrap()
        .ritz_values();
    let size = values.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    (matrix, values, size)
}

#[test]
fn eigenpairs_of_a_hessian() {
    let (net, data) = (net(), data());
    let hessian = Risk::new(&loss, &data).hessian(&net).unwrap();
    let (_, values, size) = reference(&hessian);
    let top: Vec<f64> = values.iter().rev().take(3).copied().collect();
    let single = EigenpairsConfig::new(3, Which::Largest)
        .run(&hessian)
        .unwrap();
    let block = EigenpairsConfig::new(3, Which::Largest)
        .with_method(EigenMethod::Block)
        .with_tolerance(1e-5);
    let block = block.run(&hessian).unwrap();
    let lobpcg = EigenpairsConfig::new(3, Which::Largest)
        .with_method(EigenMethod::Lobpcg)
        .with_tolerance(1e-4);
    let lobpcg = lobpcg.run(&hessian).unwrap();
    let warm = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
    let warm = warm.run_from(&hessian, &single.vectors[..1]).unwrap();
    println!(
        "products: {} single, {} block, {} LOBPCG, {} warm",
        single.num_matvecs, block.num_matvecs, lobpcg.num_matvecs, warm.num_matvecs
    );
    assert!(warm.outcome.is_converged() && warm.num_matvecs <= 12);
    for (method, found) in [("single", &single), ("block", &block), ("LOBPCG", &lobpcg)] {
        assert!(found.outcome.is_converged(), "{method}");
        for (value, expected) in found.values.iter().zip(&top) {
            let error = (value - expected).abs();
            assert!(error < 1e-5 * size, "{method}: {value} {expected}");
        }
    }
    let power = EigenpairsConfig::new(1, Which::LargestMagnitude)
        .with_method(EigenMethod::Power)
        .run(&hessian)
        .unwrap();
    assert!((power.values[0].abs() - size).abs() < 1e-3 * size);
}

#[test]
fn sums_over_a_hessian() {
    let (net, data) = (net(), data());
    let hessian = Risk::new(&loss, &data).hessian(&net).unwrap();
    let (matrix, values, size) = reference(&hessian);
    let n = values.len();
    let exact: f64 = values.iter().sum();
    for method in [
        TraceMethod::HutchPlusPlus,
        TraceMethod::XTrace,
        TraceMethod::Auto,
    ] {
        let config = TraceConfig::new().with_method(method).with_max_matvecs(40);
        let found = config.run(&hessian).unwrap();
        let error = (found.value - exact).abs();
        println!(
            "{method:?}: {} for {exact}, half width {:?}",
            found.value, found.half_width
        );
        assert!(
            error <= 2.0 * found.half_width.unwrap() + 1e-4 * size,
            "{method:?}"
        );
    }
    let diagonal: Vec<f64> = (0..n).map(|i| matrix.row(i).unwrap()[i]).collect();
    for method in [DiagonalMethod::Hutchinson, DiagonalMethod::XDiag] {
        let config = DiagonalConfig::new()
            .with_method(method)
            .with_max_matvecs(40);
        let found = config.run(&hessian).unwrap();
        let rest = found
            .diagonal
            .to_host()
            .unwrap()
            .axpy(-1.0, &diagonal)
            .unwrap();
        let error = rest.norm().unwrap();
        println!("{method:?}: error {error:.2e}, told {:.2e}", found.error);
        assert!(error <= 2.0 * found.error + 1e-4 * size, "{method:?}");
    }
    let density = DensityConfig::new()
        .with_num_probes(6)
        .with_steps(15)
        .with_outliers(3);
    let density = density.run(&hessian).unwrap();
    let distance = density.measure().wasserstein1(&values).unwrap();
    println!("Wasserstein-1 over the size: {:.1e}", distance / size);
    assert!(density.outliers().len() == 3 && distance < 0.02 * size);
}

#[test]
fn records_and_inverses_of_a_hessian() {
    let (net, data) = (net(), data());
    let hessian = Risk::new(&loss, &data).hessian(&net).unwrap();
    let space = ParamSpace::of(&net).unwrap();
    let whole = LanczosFactorization::from_random(&hessian, 12, 0).unwrap();
    let part = LanczosFactorization::from_random(&hessian, 5, 0)
        .unwrap()
        .checkpoint()
        .unwrap();
    let mut resumed = LanczosFactorization::<ParamVector>::from_checkpoint(&space, &part).unwrap();
    resumed.extend(&hessian, 7).unwrap();
    assert!(resumed.checkpoint().unwrap() == whole.checkpoint().unwrap());
    // Damped, it is positive definite: `(H + 2|H|) x = b`.
    let size = whole
        .ritz_values()
        .iter()
        .fold(0.0_f64, |size, x| size.max(x.abs()));
    let damped = Shifted::new(&hessian, 2.0 * size).unwrap();
    let inverse = Inverse::new(
        &damped,
        SolveConfig::conjugate_gradients().with_tolerance(1e-6),
    )
    .unwrap();
    let b = ParamVector::from_host(&space, &vec![1.0; space.len()]).unwrap();
    let found = inverse.solve(&b).unwrap();
    assert!(found.outcome.is_converged() && found.residual < 1e-5);
}
