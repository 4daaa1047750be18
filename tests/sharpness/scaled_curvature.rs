//! λ_max and trace of a curvature matrix as it is and in a scale, and the report's trace and Frobenius norm.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnscape::krylov::{Dense, EigenpairsConfig, LinearOperator, TraceConfig, Which};
use burnscape::loss::Risk;
use burnscape::sharpness::{
    Region, SharpnessMeasure, SharpnessReport, SharpnessReportConfig, WorstCaseSharpnessConfig,
};
use burnscape::space::{ParamSpace, ParamVector, Scale, UnfilteredRule};
use burnscape::spectrum::Spectrum;

use super::networks::{
    Point, close, device, diagonal, matrix, net, net_loss, quadratic, regression, waves,
};

const ELEMENT: Scale = Scale::ElementRelative;
const FILTER: Scale = Scale::FilterRelative(UnfilteredRule::AsOneFilter);
const SCALES: [Scale; 3] = [Scale::Absolute, ELEMENT, FILTER];

fn largest() -> EigenpairsConfig {
    EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-4)
}

#[test]
fn the_largest_eigenvalue_of_a_quadratic_is_that_of_its_matrix() {
    let (model, data) = (Point::new(&[1.0, 2.0]), matrix([[2.0, 1.0], [1.0, 2.0]]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let top = largest().run(&hessian).unwrap();
    close(top.values[0], 3.0, 1e-12);
    assert!(top.outcome.is_converged() && top.residuals[0] < 1e-10);
    let in_scale = |scale| {
        let scaled = hessian.scaled(&model, scale).unwrap();
        largest().run(&scaled).unwrap().values[0]
    };
    // |w| H |w| is [[2, 2], [2, 8]].
    close(in_scale(ELEMENT), 5.0 + 13.0_f64.sqrt(), 1e-12);
    // One filter of norm √5 over two elements.
    close(in_scale(FILTER), 3.0 * 2.5, 1e-12);
}

#[test]
fn a_negative_largest_eigenvalue_is_found() {
    let (model, data) = (Point::new(&[1.0, 1.0, 1.0]), diagonal([-3.0, -1.0, -2.0]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    close(largest().run(&hessian).unwrap().values[0], -1.0, 1e-12);
}

#[test]
fn products_are_limited_and_counted() {
    let values = std::array::from_fn(|i| (i as f64 + 1.0).sqrt());
    let (model, data) = (Point::new(&[1.0; 40]), diagonal::<40>(values));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let config = largest().with_tolerance(1e-10).with_max_matvecs(200);
    let top = config.clone().with_max_matvecs(5).run(&hessian).unwrap();
    assert!(top.num_matvecs <= 5 && !top.outcome.is_converged());
    assert!(top.values[0] < 40.0_f64.sqrt());
    let top = config.run(&hessian).unwrap();
    assert!(top.outcome.is_converged() && top.num_matvecs > 5);
    close(top.values[0], 40.0_f64.sqrt(), 1e-12);
}

#[test]
fn the_scaled_operator_is_the_matrix_between_diagonals() {
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&net_loss, &data).hessian(&model).unwrap();
    let space = ParamSpace::of(&model).unwrap();
    let weights = ParamVector::from_module(&space, &model).unwrap();
    let weights = weights.to_host().unwrap();
    let (plain, scaled) = (
        Dense::of(&hessian).unwrap(),
        Dense::of(&hessian.scaled(&model, ELEMENT).unwrap()).unwrap(),
    );
    let n = space.len();
    for i in 0..n {
        for j in 0..n {
            let index = i * n + j;
            let exact = weights[i].abs() * plain.as_slice()[index] * weights[j].abs();
            assert!((scaled.as_slice()[index] - exact).abs() < 1e-12);
        }
    }
    // A block of vectors gives what single ones do.
    let operator = hessian.scaled(&model, FILTER).unwrap();
    let vectors = [1, 2].map(|seed| ParamVector::gaussian(&space, seed).unwrap());
    let block = operator.matmat(&vectors).unwrap();
    for (v, product) in vectors.iter().zip(block) {
        let single = operator.matvec(v).unwrap();
        assert!(single.axpy(-1.0, &product).unwrap().norm().unwrap() < 1e-12);
    }
}

#[test]
fn adaptive_lambda_max_is_what_the_adaptive_ball_rises_by() {
    // At the minimum of a quadratic the worst rise is ρ²/2 λ_max(C H C); the weights are those of a
    // second quadratic's center.
    let center = [0.5, -2.0];
    let [h] = matrix([[2.0, 1.0], [1.0, 2.0]]);
    let shift = Tensor::<1>::from_data(center, &device());
    let (model, data) = (Point::new(&center), [(h, shift)]);
    let loss = |m: &Point, (h, shift): (Tensor<2>, Tensor<1>)| {
        let w = (m.w.val() - shift).reshape([1, 2]);
        (w.clone().matmul(h) * w).sum() * 0.5
    };
    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&model).unwrap();
    let rho = 0.1;
    for scale in SCALES {
        let scaled = hessian.scaled(&model, scale).unwrap();
        let top = largest().run(&scaled).unwrap();
        let worst = WorstCaseSharpnessConfig::new(rho)
            .with_region(Region::Ball(scale))
            .with_num_steps(200)
            .with_tolerance(1e-9)
            .run(&risk, &model)
            .unwrap();
        close(worst.rise, 0.5 * rho * rho * top.values[0], 1e-8);
    }
}

/// The rows of traces and Frobenius norms from `num_matvecs` products; the others as cheap as can be.
fn moments<M: Module>(risk: &Risk<'_, M>, model: &M, num_matvecs: usize) -> SharpnessReport {
    SharpnessReportConfig::new()
        .with_scales(SCALES.to_vec())
        .with_num_samples(1)
        .with_num_steps(1)
        .with_trace_matvecs(num_matvecs)
        .run(risk, model)
        .unwrap()
}

/// Two parameters, with a diagonal Hessian of 3 and 5.
#[derive(Module, Debug)]
struct Two {
    a: Param<Tensor<2>>,
    b: Param<Tensor<1>>,
}

#[test]
fn every_sample_of_a_diagonal_matrix_is_exact_also_by_parameter() {
    let model = Two {
        a: Param::from_tensor(waves([3, 2], 1.0)),
        b: Param::from_tensor(waves([4], 2.0)),
    };
    let loss = |m: &Two, x: Tensor<1>| {
        (m.a.val().square().sum() * 1.5 + m.b.val().square().sum() * 2.5) * x
    };
    let data = [Tensor::<1>::ones([1], &device())];
    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&model).unwrap();
    let found = Spectrum::of(&hessian).with_num_probes(3).trace_by_layer();
    let found = found.unwrap();
    close(found.total.value, 3.0 * 6.0 + 5.0 * 4.0, 1e-12);
    assert!(found.total.half_width.unwrap() < 1e-11);
    let names: Vec<&str> = found.parameters.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    close(found.parameters[0].value, 18.0, 1e-12);
    close(found.parameters[1].value, 20.0, 1e-12);
    assert_eq!(found.num_matvecs, 3);

    let report = moments(&risk, &model, 3);
    let row = report
        .row(SharpnessMeasure::Trace, Some(Scale::Absolute))
        .unwrap();
    close(row.value.unwrap(), 38.0, 1e-12);
    assert!(row.standard_error.unwrap() < 1e-12);
    close(
        report
            .value(SharpnessMeasure::FrobeniusNorm, Some(Scale::Absolute))
            .unwrap(),
        (9.0 * 6.0 + 25.0 * 4.0_f64).sqrt(),
        1e-12,
    );
    let squares = |values: Vec<f64>| values.iter().map(|w| w * w).sum::<f64>();
    let [a, b] = [
        model.a.val().into_data().try_to_vec::<f64>().unwrap(),
        model.b.val().into_data().try_to_vec::<f64>().unwrap(),
    ];
    let adaptive = report
        .value(SharpnessMeasure::Trace, Some(ELEMENT))
        .unwrap();
    close(adaptive, 3.0 * squares(a) + 5.0 * squares(b), 1e-12);
}

#[test]
fn trace_and_frobenius_norm_of_a_network_are_within_their_errors() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let hessian = risk.hessian(&model).unwrap();
    let report = moments(&risk, &model, 300);
    for scale in SCALES {
        let scaled = hessian.scaled(&model, scale).unwrap();
        let dense = Dense::of(&scaled).unwrap();
        let n = hessian.space().len();
        let trace: f64 = (0..n).map(|i| dense.as_slice()[i * n + i]).sum();
        let norm = dense.as_slice().iter().map(|x| x * x).sum::<f64>().sqrt();
        for (measure, exact) in [
            (SharpnessMeasure::Trace, trace),
            (SharpnessMeasure::FrobeniusNorm, norm),
        ] {
            let row = report.row(measure, Some(scale)).unwrap();
            let (found, error) = (row.value.unwrap(), row.standard_error.unwrap());
            assert!(error < 0.1 * exact, "{error} of {exact}");
            assert!((found - exact).abs() < 4.0 * error);
        }
        let layers = Spectrum::of(&scaled).with_num_probes(300).trace_by_layer();
        for (leaf, part) in hessian
            .space()
            .leaves()
            .iter()
            .zip(&layers.unwrap().parameters)
        {
            let range = leaf.offset()..leaf.offset() + leaf.len();
            let exact: f64 = range.map(|i| dense.as_slice()[i * n + i]).sum();
            let half_width = part.half_width.unwrap();
            // 1.9 half widths at 95 % are below four standard errors. A last bias has a constant Hessian: every
            // sample is exact.
            assert!(
                (part.value - exact).abs() < 1.9 * half_width + 1e-12 * trace,
                "{}",
                part.path
            );
        }
    }
}

#[test]
fn intervals_of_the_trace_cover_it_as_often_as_they_say() {
    // vᵀHv is 4 ± 2 with equal probability; 40 seeds at 80 % cover 32 times in the mean, with a
    // standard deviation of 2.5.
    let (model, data) = (Point::new(&[1.0, 2.0]), matrix([[2.0, 1.0], [1.0, 2.0]]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let covers = |seed| {
        let found = TraceConfig::new()
            .with_confidence(0.8)
            .with_max_matvecs(30)
            .with_seed(seed)
            .run(&hessian)
            .unwrap();
        (found.value - 4.0).abs() <= found.half_width.unwrap()
    };
    let covered = (0..40).filter(|&seed| covers(seed)).count();
    assert!((24..=39).contains(&covered), "{covered}");
}

#[test]
fn a_tolerance_ends_the_trace_early() {
    let (model, data) = (Point::new(&[1.0, 2.0]), matrix([[20.0, 0.1], [0.1, 20.0]]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let run = |tolerance| {
        let config = TraceConfig::new().with_tolerance(tolerance);
        let found = config.run(&hessian).unwrap();
        (found.num_matvecs, found.outcome.is_converged())
    };
    assert_eq!(run(0.05), (24, true));
    assert_eq!(run(1e-6), (64, false));
}
