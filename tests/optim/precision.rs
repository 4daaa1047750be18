//! Single and half precision: the same steps to their rounding.

use burn::tensor::{DType, Tensor};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::Risk;
use burnscape::optim::{SaddleFreeNewtonConfig, SamConfig};
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{assert_near, device, sgd};

#[test]
fn narrow_types_take_the_steps_of_wide_ones() {
    // Rounding, times what a step divides by.
    let cases = [(DType::F32, 1e-5), (DType::F16, 0.02), (DType::BF16, 0.15)];
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[4.0, -1.0]);
    for (dtype, tolerance) in cases {
        let nothing = Tensor::<1>::zeros([1], (&device(), dtype));
        let point = |w: &[f64]| Point::new(w, &device(), dtype);
        let config = SamConfig::sa_gd_trust_region().with_seed(0).with_rho(0.5);
        let mut sam = config.init(sgd()).expect("a valid configuration");
        // (μ − 4) x = 4 and (μ + 1) y = −1 with x² + y² = ¼.
        let (mut x, mut y, mut low, mut high) = (0.0_f64, 0.0_f64, 4.0, 20.0);
        for _ in 0..200 {
            let mu = 0.5 * (low + high);
            (x, y) = (4.0 / (mu - 4.0), -1.0 / (mu + 1.0));
            match x.hypot(y) > 0.5 {
                true => low = mu,
                false => high = mu,
            }
        }
        let mut model = point(&[1.0, 1.0]);
        let report = sam.step_on(0.25, &mut model, nothing.clone(), &loss);
        let report = report.expect("a step");
        let inner = report.inner.expect("a maximization");
        assert!(
            inner.outcome.is_converged() && inner.certified,
            "{dtype:?}: {inner:?}"
        );
        let moved = model.coordinates();
        assert_near(moved[0], 1.0 - (1.0 + x), tolerance);
        assert_near(moved[1], 1.0 + 0.25 * (1.0 + y), tolerance);

        let mut model = point(&[1.0, 1.0]);
        let newton = SaddleFreeNewtonConfig::new()
            .with_steps(2)
            .with_escape(1e-3);
        let mut newton = newton.init().expect("a valid configuration");
        let report = newton.step_on(0.5, &mut model, nothing.clone(), &loss);
        let moved = model.coordinates();
        assert_near(moved[0], 1.0 - 0.5 * 4.0 / 4.001, tolerance);
        assert_near(moved[1], 1.0 + 0.5 / 1.001, tolerance);
        let lowest = report.expect("a step").lowest_ritz.expect("a Ritz value");
        assert_near(lowest, -1.0, 3.0 * tolerance);

        let data = [nothing];
        let hessian = Risk::new(&loss, &data).hessian(&model).expect("a Hessian");
        let found = EigenpairsConfig::new(1, Which::Smallest).run(&hessian);
        let found = found.expect("a measurement");
        assert_near(found.values[0], -1.0, 3.0 * tolerance);
        assert!(found.outcome.is_converged(), "{dtype:?}: {found:?}");
    }
}
