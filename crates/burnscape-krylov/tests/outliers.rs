//! Densities with outliers taken out, their curves, and how far they are from the spectrum.

use std::ops::ControlFlow;

use crate::counted::Counted;
use crate::spectra::{Diagonal, Single, with_spectrum};
use burnscape_krylov::{
    Axis, DensityConfig, EigenpairsConfig, KrylovFault, LinearOperator, Quadrature, SelfAdjoint,
    SpectralDensity, Which,
};

/// A bulk near zero and four outliers, ascending.
fn spectrum(n: usize) -> Vec<f64> {
    let mut values: Vec<f64> = (0..n)
        .map(|i| 0.2 * (i as f64 / n as f64).powi(3) - 0.05)
        .collect();
    values[n - 4..].copy_from_slice(&[3.0, 5.0, 8.0, 20.0]);
    values
}

#[test]
fn outliers_have_their_mass_exactly() {
    let values = spectrum(120);
    let a = Counted::new(with_spectrum(&values, 4));
    let config = DensityConfig::new().with_num_probes(6).with_steps(20);
    let density = config.clone().with_outliers(4).run(&a).unwrap();
    assert_eq!(density.num_matvecs(), a.num_matvecs());
    assert_eq!(density.outliers().len(), 4);
    for (found, exact) in density.outliers().iter().zip([20.0, 8.0, 5.0, 3.0]) {
        assert!((found - exact).abs() < 1e-9);
    }
    let measure = density.measure();
    assert!((measure.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    // What is above the bulk is counted without chance, and nothing is at the zeros of deflation.
    let above = density.mean_of(|x| f64::from(u8::from(x > 1.0)));
    assert!((120.0 * above.value - 4.0).abs() < 1e-12);
    assert!(above.standard_error.unwrap() < 1e-15);
    let at_zero = density.mean_of(|x| f64::from(u8::from(x.abs() < 1e-9)));
    assert_eq!(at_zero.value, 0.0);
    // Nearer to the spectrum than without.
    let plain = config.run(&a).unwrap();
    let distance =
        |density: &SpectralDensity| density.measure().wasserstein1(&values).unwrap() / 20.05;
    let (with, without) = (distance(&density), distance(&plain));
    println!(
        "Wasserstein-1 over the range: {with:.1e} with outliers taken out, {without:.1e} without"
    );
    assert!(with < 3e-4 && with < 0.1 * without);
    // Moments too: the trace is exact but for the bulk.
    let exact: f64 = values.iter().sum();
    let (with, without) = (density.trace_of(|x| x), plain.trace_of(|x| x));
    assert!((with.value - exact).abs() < 4.0 * with.standard_error.unwrap());
    assert!(with.standard_error < without.standard_error.map(|error| 0.1 * error));
}

#[test]
fn the_bulk_is_unbiased() {
    let values = spectrum(30);
    let a = with_spectrum(&values, 4);
    let pairs = EigenpairsConfig::new(4, Which::Largest)
        .with_tolerance(1e-12)
        .run(&a)
        .unwrap();
    let exact: f64 = values.iter().map(|x| x * x).sum();
    let config = DensityConfig::new().with_num_probes(400).with_steps(3);
    let found = config.run_deflated(&a, &pairs).unwrap();
    let square = found.trace_of(|x| x * x);
    assert!((square.value - exact).abs() < 3.0 * square.standard_error.unwrap());
    assert!(square.standard_error.unwrap() < 1e-3 * exact);
    // The first probes do not depend on how many there are.
    let few = DensityConfig::new().with_num_probes(7).with_steps(3);
    let few = few.run_deflated(&a, &pairs).unwrap();
    assert_eq!(few.probes(), &found.probes()[..7]);
}

#[test]
fn everything_can_be_an_outlier() {
    let values = [4.0, -2.0, 1.0];
    let a = with_spectrum(&values, 1);
    let density = DensityConfig::new().with_outliers(3).run(&a).unwrap();
    assert!(density.measure().wasserstein1(&values).unwrap() < 1e-12);
    assert!((density.trace_of(|x| x).value - 3.0).abs() < 1e-12);
    let curve = density.curve(Axis::Linear, 512, None).unwrap();
    assert!(curve.grid.is_empty() && curve.outliers.len() == 3);
    let curve = density.curve_on(Axis::Linear, &[1.0], None).unwrap();
    assert_eq!(curve.density, [0.0]);
    let many = DensityConfig::new().with_outliers(4).run(&a).map(|_| ());
    let error = KrylovFault::TooMany {
        name: "eigenpairs",
        asked: 4,
        available: 3,
    };
    assert_eq!(many, Err(error));
    // Vectors that are no basis are refused.
    let mut twice = EigenpairsConfig::new(2, Which::Largest).run(&a).unwrap();
    twice.vectors[1] = twice.vectors[0].clone();
    let refused = DensityConfig::new().run_deflated(&a, &twice);
    assert!(matches!(refused, Err(KrylovFault::NotOrthonormal { .. })));
}

#[test]
fn single_precision_keeps_the_mass() {
    let values = spectrum(80);
    let a = Single::of(with_spectrum(&values, 4).operator());
    let density = DensityConfig::new()
        .with_num_probes(5)
        .with_steps(15)
        .with_outliers(4)
        .run(&a)
        .unwrap();
    assert_eq!(density.outliers().len(), 4);
    let above = density.mean_of(|x| f64::from(u8::from(x > 1.0)));
    assert!((80.0 * above.value - 4.0).abs() < 1e-9);
    let distance = density.measure().wasserstein1(&values).unwrap() / 20.0;
    assert!(distance < 3e-4, "{distance}");
}

#[test]
fn curves_have_the_area_and_the_band_of_their_density() {
    let values = spectrum(120);
    let a = Diagonal(values.clone());
    for axis in [Axis::Linear, Axis::SymmetricLog { scale: 1e-3 }] {
        for outliers in [0, 4] {
            let density = DensityConfig::new()
                .with_num_probes(8)
                .with_steps(24)
                .with_outliers(outliers)
                .run(&a)
                .unwrap();
            let curve = density.curve(axis, 4000, None).unwrap();
            let step = curve.grid[1] - curve.grid[0];
            let area = curve.density.iter().sum::<f64>() * step;
            let expected = (120 - outliers) as f64 / 120.0;
            assert!((area - expected).abs() < 1e-3, "{axis:?} {area}");
            assert_eq!(curve.outliers.len(), outliers);
            // The bandwidth is the range over the depth.
            let nodes: Vec<f64> = density.measure().nodes;
            let bulk = nodes.iter().filter(|x| outliers == 0 || **x < 1.0);
            let places: Vec<f64> = bulk.map(|x| axis.place(*x)).collect();
            let low = places.iter().copied().fold(f64::INFINITY, f64::min);
            let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!((curve.bandwidth - (high - low) / 24.0).abs() < 1e-12);
            // The band is the spread of the probes, drawn one by one.
            let error = curve.standard_error.as_ref().unwrap();
            assert!(error.iter().all(|error| *error >= 0.0) && error.iter().any(|e| *e > 0.0));
        }
    }
    let scale = Axis::SymmetricLog { scale: 0.1 };
    for value in [-7.0, -0.01, 0.0, 0.3, 1e5] {
        assert!((scale.value(scale.place(value)) - value).abs() <= 1e-10 * (1.0 + f64::abs(value)));
    }
    assert!((scale.place(1e4) - 5.0).abs() < 1e-9);
}

/// The density at zero, drawn with a bandwidth of 1/2.
fn height_at_zero(density: &SpectralDensity) -> f64 {
    let scale = 2.0 / (2.0 * std::f64::consts::PI).sqrt();
    let measure = density.measure();
    measure.integrate(|node| scale * (-2.0 * node * node).exp())
}

#[test]
fn bands_cover_the_expected_curve() {
    // At a grid point, the mean curve over many probes is within two standard errors of few, mostly.
    let a = with_spectrum(&spectrum(40), 4);
    let curve = |seed: u64, probes: usize| {
        let config = DensityConfig::new().with_num_probes(probes).with_steps(12);
        let density = config.with_seed(seed).run(&a).unwrap();
        let curve = density.curve(Axis::Linear, 41, Some(0.5)).unwrap();
        (height_at_zero(&density), curve)
    };
    let expected = curve(1000, 600).0;
    let covered = (0..100).filter(|&seed| {
        let (_, curve) = curve(seed, 10);
        let at = curve.grid.iter().position(|x| x.abs() < 0.3).unwrap();
        // The grid is that of the run; its nearest point to zero is drawn again.
        let width = curve.standard_error.unwrap()[at];
        let density = DensityConfig::new()
            .with_num_probes(10)
            .with_steps(12)
            .with_seed(seed);
        let value = height_at_zero(&density.run(&a).unwrap());
        (value - expected).abs() <= 2.26 * width
    });
    let covered = covered.count();
    println!("the band covers the curve {covered} times of 100");
    assert!((85..=100).contains(&covered));
}

#[test]
fn curves_refuse_what_cannot_be_drawn() {
    let density = DensityConfig::new().run(&Diagonal(vec![1.0; 5])).unwrap();
    let log = Axis::SymmetricLog { scale: -1.0 };
    for (axis, points, bandwidth, refused) in [
        (Axis::Linear, 9, Some(0.0), "bandwidth"),
        (Axis::Linear, 9, Some(f64::NAN), "bandwidth"),
        (log, 9, None, "scale"),
        (Axis::Linear, 0, None, "points"),
    ] {
        let error = density.curve(axis, points, bandwidth).unwrap_err();
        assert!(matches!(error, KrylovFault::OutOfBounds { name, .. } if name == refused));
    }
    // A single point of mass has no range.
    let curve = density.curve(Axis::Linear, 512, None).unwrap();
    assert!((curve.bandwidth - 0.01).abs() < 1e-12 && curve.density.iter().all(|x| x.is_finite()));
}

/// Gives NaN from a product on.
struct Broken(std::cell::Cell<usize>);

impl LinearOperator for Broken {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;
    fn domain(&self) -> usize {
        30
    }
    fn range(&self) -> usize {
        30
    }
    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        if self.0.get() == 0 {
            return Ok(vec![f64::NAN; 30]);
        }
        self.0.set(self.0.get() - 1);
        Diagonal(spectrum(30)).matvec(v)
    }
}

impl SelfAdjoint for Broken {}

#[test]
fn failures_are_counted_over_all_products() {
    let config = DensityConfig::new().with_num_probes(3).with_steps(5);
    let broken = |good: usize| Broken(std::cell::Cell::new(good));
    let named = |product: usize| Err(KrylovFault::NonFinite { product });
    assert_eq!(config.run(&broken(7)).map(|_| ()), named(7));
    let search = EigenpairsConfig::new(2, Which::LargestMagnitude);
    let products = search.run(&broken(1000)).unwrap().num_matvecs;
    let good = products + 6;
    let config = config.with_outliers(2);
    assert_eq!(config.run(&broken(good)).map(|_| ()), named(good));
    // A run that is stopped has the probes that were finished.
    let observed = Diagonal(spectrum(30)).observed(|step| {
        match step.task == "density" && step.num_matvecs == products + 8 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let density = config.run(&observed).unwrap();
    assert!(density.is_stopped() && density.probes().len() == 1);
    assert_eq!(density.num_matvecs(), products + 8);
}

#[test]
fn distances_are_those_on_paper() {
    let measure = Quadrature {
        nodes: vec![0.0, 10.0],
        weights: vec![0.75, 0.25],
    };
    assert_eq!(measure.wasserstein1(&[0.0, 0.0, 0.0, 10.0]), Some(0.0));
    assert_eq!(measure.wasserstein1(&[0.0, 10.0]), Some(2.5));
    assert_eq!(measure.wasserstein1(&[-1.0, -1.0, -1.0, 9.0]), Some(1.0));
    assert_eq!(measure.wasserstein1(&[]), None);
    assert_eq!(measure.wasserstein1(&[f64::NAN]), None);
}
