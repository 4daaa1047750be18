//! Densities and traces: exact where they can be, and within their intervals where they are drawn.

use std::ops::ControlFlow;

use burnscape_krylov::{
    Axis, Dense, DensityConfig, Estimate, KrylovFault, LanczosFactorization, LinearOperator, Probe,
    Scaled, Shifted, Symmetric, TraceConfig, TraceMethod, VectorSpace,
};

/// `H D H` with a Householder reflection `H`.
fn with_spectrum(values: &[f64]) -> Symmetric<Dense> {
    let n = values.len();
    let v: Vec<f64> = Probe::Gaussian.draw(&n, 99, 0).unwrap();
    let square = v.dot(&v).unwrap();
    let reflection = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square;
    let entry = |index: usize| {
        let (i, j) = (index / n, index % n);
        let terms = values.iter().enumerate();
        terms
            .map(|(k, value)| reflection(i, k) * value * reflection(k, j))
            .sum::<f64>()
    };
    let dense = Dense::from_row_major(n, n, (0..n * n).map(entry).collect()).unwrap();
    Symmetric::verified(dense, 1e-10, 0).unwrap()
}

/// Wasserstein-1 distance of a measure from equal weights on `values`, over their range.
fn distance(measure: &burnscape_krylov::Quadrature, values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mut steps: Vec<(f64, f64)> = values.iter().map(|value| (*value, -1.0 / n)).collect();
    steps.extend(
        measure
            .nodes
            .iter()
            .copied()
            .zip(measure.weights.iter().copied()),
    );
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut total, mut gap) = (0.0, 0.0_f64);
    for pair in steps.windows(2) {
        gap += pair[0].1;
        total += gap.abs() * (pair[1].0 - pair[0].0);
    }
    let (low, high) = (values[0], values[values.len() - 1]);
    total / (high - low)
}

fn spectrum(n: usize) -> Vec<f64> {
    // A bulk near zero, a tail, and two outliers, as Hessians have them.
    let mut values: Vec<f64> = (0..n)
        .map(|i| (i as f64 / n as f64).powi(6) - 0.01)
        .collect();
    values[n - 2] = 3.0;
    values[n - 1] = 5.0;
    values
}

#[test]
fn densities_come_near_the_spectrum_and_know_its_moments() {
    let values = spectrum(150);
    let a = with_spectrum(&values);
    let density = DensityConfig::new()
        .with_num_probes(10)
        .with_steps(40)
        .run(&a)
        .unwrap();
    assert_eq!((density.num_matvecs(), density.probes().len()), (400, 10));
    let measure = density.measure();
    assert!((measure.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(measure.weights.iter().all(|weight| *weight >= 0.0));
    let distance = distance(&measure, &values);
    println!("Wasserstein-1 distance over the range: {distance:.4}");
    assert!(distance < 0.01);
    // Moments within four standard errors.
    for k in 1..6 {
        let exact: f64 = values.iter().map(|x| x.powi(k)).sum();
        let found = density.trace_of(|x| x.powi(k));
        let error = found.standard_error.unwrap();
        assert!(
            (found.value - exact).abs() < 4.0 * error,
            "{k}: {found:?} {exact}"
        );
    }
    // The curve has the mass of the measure.
    let curve = density.curve(Axis::Linear, 4000, Some(0.05)).unwrap();
    let step = curve.grid[1] - curve.grid[0];
    assert!((curve.density.iter().sum::<f64>() * step - 1.0).abs() < 1e-4);
}

#[test]
fn densities_are_exact_where_the_space_is_exhausted() {
    let a = with_spectrum(&[2.0; 12]);
    let density = DensityConfig::new().with_num_probes(3).run(&a).unwrap();
    assert_eq!(density.num_matvecs(), 3);
    assert!((density.log_determinant().value - 12.0 * 2.0_f64.ln()).abs() < 1e-12);
    assert_eq!(density.fraction_below(1.9).value, 0.0);
    assert!((density.fraction_below(2.1).value - 1.0).abs() < 1e-14);
}

#[test]
fn densities_move_with_the_operator() {
    let a = with_spectrum(&spectrum(60));
    let config = DensityConfig::new().with_num_probes(3).with_steps(20);
    let one = config.run(&a).unwrap().measure();
    let scaled = config
        .run(&Scaled::new(&a, -8.0).unwrap())
        .unwrap()
        .measure();
    let mut mirrored: Vec<f64> = one.nodes.iter().map(|x| x * -8.0).collect();
    mirrored.reverse();
    for (a, b) in mirrored.iter().zip(&scaled.nodes) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
    let shifted = config
        .run(&Shifted::new(&a, 4.0).unwrap())
        .unwrap()
        .measure();
    for (a, b) in one.nodes.iter().zip(&shifted.nodes) {
        assert!(((a - b).abs() - 4.0).abs() < 1e-10, "{a} {b}");
    }
}

#[test]
fn intervals_cover_the_trace_as_often_as_they_say() {
    let values = spectrum(60);
    let a = with_spectrum(&values);
    let exact: f64 = values.iter().sum();
    for method in [TraceMethod::Hutchinson, TraceMethod::HutchPlusPlus] {
        let config = TraceConfig::new().with_method(method).with_max_matvecs(48);
        let covers = |seed: &u64| {
            let found = config.clone().with_seed(*seed).run(&a).unwrap();
            (found.value - exact).abs() <= found.half_width.unwrap()
        };
        let covered = (0..1000).filter(covers).count();
        println!("{method:?}: {covered} of 1000 intervals cover the trace");
        assert!((930..=985).contains(&covered), "{method:?}: {covered}");
    }
}

#[test]
fn hutch_plus_plus_wins_where_eigenvalues_decay() {
    let values: Vec<f64> = (0..80).map(|i| 0.6_f64.powi(i)).collect();
    let a = with_spectrum(&values);
    let exact: f64 = values.iter().sum();
    let error = |method: TraceMethod| {
        let errors = (0..50).map(|seed| {
            let config = TraceConfig::new().with_method(method).with_max_matvecs(30);
            let found = config.with_seed(seed).run(&a).unwrap();
            (found.value - exact).powi(2)
        });
        (errors.sum::<f64>() / 50.0).sqrt() / exact
    };
    let (plain, better) = (
        error(TraceMethod::Hutchinson),
        error(TraceMethod::HutchPlusPlus),
    );
    println!("relative errors: Hutchinson {plain:.1e}, Hutch++ {better:.1e}");
    assert!(better < 0.05 * plain);
    // Low rank is exact.
    let mut values = vec![0.0; 40];
    values[0] = 7.0;
    values[1] = -2.0;
    let low = with_spectrum(&values);
    let config = TraceConfig::new().with_method(TraceMethod::HutchPlusPlus);
    let found = config.with_max_matvecs(20).run(&low).unwrap();
    assert!((found.value - 5.0).abs() < 1e-12);
}

#[test]
fn traces_stop_at_their_tolerance_and_repeat() {
    let a = with_spectrum(&spectrum(60));
    let config = TraceConfig::new()
        .with_max_matvecs(5000)
        .with_tolerance(0.05);
    let found = config.run(&a).unwrap();
    assert!(found.outcome.is_converged() && found.num_matvecs < 5000);
    assert!(found.half_width.unwrap() <= 0.05 * found.value.abs());
    // The first samples do not depend on how many there are.
    let mut seen = Vec::new();
    let observed = (&a).observed(|step| {
        seen.extend(step.value);
        ControlFlow::Continue(())
    });
    let long = TraceConfig::new().with_max_matvecs(20);
    long.run(&observed).unwrap();
    let short = TraceConfig::new().with_max_matvecs(7).run(&a).unwrap();
    assert_eq!(seen[6], short.value);
}

#[test]
fn estimates_follow_students_law() {
    let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!((estimate.value, estimate.samples), (3.0, 5));
    // The 97.5 % point of Student's t with four degrees of freedom is 2.776445.
    let half = estimate.half_width(0.95).unwrap();
    assert!((half - 2.776_445 * 0.5_f64.sqrt()).abs() < 1e-5, "{half}");
    assert_eq!(Estimate::of(&[1.0]).half_width(0.95), None);
    assert_eq!(estimate.half_width(1.0), None);
}

#[test]
fn skew_samples_have_the_interval_of_halls_transformation() {
    // `scipy.stats.skew(bias=False)`, and the root of the transformation by `scipy.optimize.brentq`.
    let eight: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 20.0];
    let six: &[f64] = &[1.0, 1.0, 2.0, 9.0, 40.0, 3.0];
    for (samples, skewness, confidence, half) in [
        (eight, 2.222_222_222_222_222, 0.5, 2.455_496_723_618_833),
        (eight, 2.222_222_222_222_222, 0.95, 16.092_482_459_004_98),
        (eight, 2.222_222_222_222_222, 0.99, 18.047_748_950_034_64),
        (six, 2.256_116_892_964_178, 0.95, 43.734_007_987_676_85),
        (
            &[0.0, 0.0, 1.0, 5.0],
            1.779_179_400_882_648,
            0.95,
            9.039_663_063_439_804,
        ),
    ] {
        let found = Estimate::of(samples);
        assert!((found.skewness - skewness).abs() < 1e-14 * skewness);
        let width = found.half_width(confidence).unwrap();
        assert!((width - half).abs() < 1e-9 * half, "{width} {half}");
        // The same from the other side, and in every unit.
        let negative: Vec<f64> = samples.iter().map(|x| -x).collect();
        assert_eq!(Estimate::of(&negative).half_width(confidence), Some(width));
        let tiny: Vec<f64> = samples.iter().map(|x| 2.0_f64.powi(-700) * x).collect();
        let tiny = Estimate::of(&tiny).half_width(confidence).unwrap();
        assert_eq!(tiny * 2.0_f64.powi(700), width);
    }
    // Never narrower than Student's, whatever the confidence: 63.656741 is its point for one degree of freedom, 9.924843
    // for two.
    let few = Estimate::of(&[0.0, 0.0, 3.0]);
    assert!((few.half_width(0.99).unwrap() - 9.924_843).abs() < 1e-5);
    let two = Estimate::of(&[0.0, 2.0]);
    assert_eq!(two.skewness, 0.0);
    assert!((two.half_width(0.99).unwrap() - 63.656_741).abs() < 1e-4);
    assert_eq!(Estimate::of(&[7.0; 5]).half_width(0.95), Some(0.0));
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let a = with_spectrum(&[1.0, 2.0]);
    let few = TraceConfig::new()
        .with_method(TraceMethod::HutchPlusPlus)
        .with_max_matvecs(2);
    assert_eq!(
        few.run(&a).unwrap_err().to_string(),
        "Hutch++ needs `max_matvecs` to be at least 3, found 2; raise it"
    );
    let tolerance = TraceConfig::new().with_tolerance(-1.0).run(&a).map(|_| ());
    assert_eq!(
        tolerance,
        Err(KrylovFault::OutOfBounds {
            name: "tolerance",
            value: -1.0,
            allowed: "a positive, finite number"
        })
    );
    let confidence = TraceConfig::new().with_confidence(1.0).run(&a).map(|_| ());
    assert!(matches!(
        confidence,
        Err(KrylovFault::OutOfBounds {
            name: "confidence",
            ..
        })
    ));
}

#[test]
fn shares_of_a_known_measure_lie_between_their_bounds() {
    // Eigenvalues over many scales and of both signs, and the mass that a start has at each.
    let values: Vec<f64> = (0..400)
        .map(|i| {
            let size = 10.0_f64.powf(-6.0 + 0.02 * f64::from(i % 300));
            if i % 3 == 0 { -size } else { size }
        })
        .collect();
    let start: Vec<f64> = (0..400).map(|i| 1.0 + (0.7 * f64::from(i)).sin()).collect();
    let total: f64 = start.iter().map(|x| x * x).sum();
    let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
    let mass = |x: f64| {
        let pairs = values.iter().zip(&start).filter(|(value, _)| **value <= x);
        pairs.map(|(_, v)| v * v / total).sum::<f64>()
    };
    for steps in [1, 2, 5, 20, 60] {
        let record = LanczosFactorization::from_vector(&a, start.clone(), steps, 0).unwrap();
        let density = record.density().unwrap();
        let nodes = density.probes()[0].nodes.clone();
        let grid = (-40_i32..40)
            .map(|i| f64::from(i).signum() * 10.0_f64.powf(f64::from(i.abs()) * 0.25 - 8.0));
        // At nodes themselves and next to them as well.
        let near = nodes.iter().flat_map(|node| [*node, node * (1.0 + 1e-9)]);
        for x in grid.chain(near).chain([0.0]) {
            let share = density.fraction_below(x);
            let truth = mass(x);
            let slack = 1e-9;
            assert!(
                share.low.value <= truth + slack,
                "{steps} {x}: {share:?} {truth}"
            );
            assert!(
                truth <= share.high.value + slack,
                "{steps} {x}: {share:?} {truth}"
            );
            let above = density.fraction_above(x);
            assert!((above.low.value + share.high.value - 1.0).abs() < 1e-12);
            let certain = values.iter().filter(|value| **value > x).count();
            assert!(density.at_least_above(x) <= certain);
            assert!(density.at_least_below(x) <= 400 - certain);
        }
        let between = density.fraction_between(-1e-2, 1e-2);
        let truth = mass(1e-2) - mass(-1e-2);
        assert!(between.low.value <= truth + 1e-9 && truth <= between.high.value + 1e-9);
    }
}

#[test]
fn two_densities_are_drawn_on_one_grid() {
    let run = |scale: f64| {
        let values: Vec<f64> = (1..=40).map(|i| scale * f64::from(i)).collect();
        let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
        DensityConfig::new().with_steps(10).run(&a).unwrap()
    };
    let (first, second) = (run(1.0), run(1.5));
    let axis = Axis::SymmetricLog { scale: 1.0 };
    let curve = first.curve(axis, 50, None).unwrap();
    assert_eq!(first.curve_on(axis, &curve.grid, None).unwrap(), curve);
    let width = Some(curve.bandwidth);
    let other = second.curve_on(axis, &curve.grid, width).unwrap();
    assert_eq!(other.grid, curve.grid);
    assert_ne!(other.density, curve.density);
    // The measure as a sum of normal laws.
    let found = second.curve_on(Axis::Linear, &[30.0], Some(2.0)).unwrap();
    let bump = |x: f64| (-0.125 * (30.0 - x).powi(2)).exp() / (8.0 * std::f64::consts::PI).sqrt();
    assert!((found.density[0] - second.measure().integrate(bump)).abs() < 1e-12);
    let refused = second.curve_on(axis, &[0.0, f64::NAN], None);
    assert!(matches!(
        refused,
        Err(KrylovFault::NonFiniteArgument { .. })
    ));
}

#[test]
fn an_effective_dimension_lies_between_the_rules_of_gauss_and_of_gauss_and_radau() {
    let values: Vec<f64> = (0..300).map(|i| 0.95_f64.powi(i)).collect();
    let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
    // On a diagonal matrix every Rademacher vector has the same share of all eigenvalues: no draw.
    for gamma in [1.0, 1e-2, 1e-4, 1e-6] {
        let exact: f64 = values.iter().map(|x| x / (x + gamma)).sum();
        for steps in [3, 10, 40] {
            let config = DensityConfig::new().with_num_probes(2).with_steps(steps);
            let found = config.run(&a).unwrap().effective_dimension(gamma);
            let (low, high) = (found.low.value, found.high.value);
            assert!(
                low <= exact + 1e-9 && exact <= high + 1e-9,
                "{gamma} {steps}: {found:?}"
            );
            assert!(low <= found.value && found.value <= high);
            if gamma >= 1e-2 && steps == 40 {
                assert!(high - low < 1e-4, "{found:?}");
            }
            if gamma <= 1e-6 && steps == 3 {
                assert!(high - low > 1.0, "{found:?}");
            }
        }
    }
}
