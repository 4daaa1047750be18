//! Cost and accuracy of measurements along a training run.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureReading, Due, EdgeRule, Moment, Monitor, Observation, Reading,
    Watch,
};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::Risk;

use super::model::{Batch, Mlp, clusters, cross_entropy, step};

/// Fifty steps on minibatches, measured over all data after every `every` steps with at most `most` products.
fn train(
    (every, seed, most): (usize, u64, usize),
    mut look: impl FnMut(&Observation<CurvatureReading>, &Mlp, &[Batch]),
) -> Vec<CurvatureReading> {
    let device = Device::default().autodiff();
    let all = clusters(240, 64, 10, &device);
    let batches: Vec<Batch> = (0..6)
        .map(|index| {
            let rows = index * 40..(index + 1) * 40;
            (
                all.0.clone().slice([rows.clone()]),
                all.1.clone().slice([rows]),
            )
        })
        .collect();
    let mut model = Mlp::new([64, 32, 32, 10], seed, &device);
    let momentum = MomentumConfig::new();
    let sgd = SgdConfig::new().with_momentum(Some(momentum));
    let config = CurvatureMonitorConfig::new()
        .with_optimizer(EdgeRule::of(&sgd).unwrap())
        .with_max_warm_matvecs(most);
    let mut sgd = sgd.init();
    let risk = Risk::new(&cross_entropy, &batches);
    let mut watch = Watch::new(Due::Every(every), config.init().unwrap(), risk).unwrap();
    for index in 0..50 {
        let seen = watch.observe(&Moment::new(index, 0.05, &model)).unwrap();
        if let Some(seen) = seen {
            look(&seen, &model, &batches);
        }
        let batch = &batches[index % batches.len()];
        model = step(&mut sgd, 0.05, model, cross_entropy, batch);
    }
    let observations = watch.readings().to_vec();
    observations.into_iter().map(|seen| seen.reading).collect()
}

/// `λ_max` of a converged search.
fn exact(model: &Mlp, batches: &[Batch]) -> f64 {
    let hessian = Risk::new(&cross_entropy, batches).hessian(model).unwrap();
    let exact = EigenpairsConfig::new(1, Which::Largest)
        .run(&hessian)
        .unwrap();
    assert!(exact.outcome.is_converged());
    exact.values[0]
}

#[test]
fn a_warm_measurement_takes_a_dozen_products_and_is_right() {
    for seed in [1, 2] {
        let (mut worst, mut num_open) = (0.0_f64, 0);
        let readings = train((1, seed, 12), |seen, model, batches| {
            let reading = &seen.reading;
            // Readings that ran out of products are the least reliable ones.
            num_open += usize::from(!reading.outcome.is_converged());
            if reading.outcome.is_converged() && seen.step % 7 > 0 {
                return;
            }
            let error = (reading.sharpness / exact(model, batches) - 1.0).abs();
            assert!(error * reading.sharpness <= reading.residual);
            worst = worst.max(error);
        });
        let products: Vec<usize> = readings.iter().map(|reading| reading.num_matvecs).collect();
        println!("products {products:?}, {num_open} open, worst error {worst:.1e}");
        assert_eq!(products.len(), 50);
        assert!(
            products[1..].iter().all(|&products| products <= 12),
            "{products:?}"
        );
        assert!(
            products[1..].iter().sum::<usize>() <= 49 * 8,
            "{products:?}"
        );
        assert!(num_open <= 2, "{num_open}");
        assert!(worst < 1e-3, "{worst}");
        // The run learns something, so that the Hessian changes.
        let (first, last) = (&readings[0], &readings[49]);
        assert!(last.loss < 0.1 * first.loss, "{} {}", first.loss, last.loss);
    }
}

#[test]
fn if_weights_move_far_the_limit_is_kept_and_a_higher_one_converges() {
    let every_fifth = |most: usize| {
        let mut worst = 0.0_f64;
        let readings = train((5, 1, most), |seen, model, batches| {
            let reading = &seen.reading;
            let error = (reading.sharpness / exact(model, batches) - 1.0).abs();
            // A reading that has not converged is a Ritz value below the eigenvalue, by at most its residual.
            assert!(error * reading.sharpness <= reading.residual);
            worst = worst.max(error);
        });
        let readings = &readings[1..];
        let most_taken = readings.iter().map(|reading| reading.num_matvecs).max();
        let num_open = readings
            .iter()
            .filter(|reading| !reading.outcome.is_converged())
            .count();
        println!("{most_taken:?} products at most, {num_open} open, worst error {worst:.1e}");
        (most_taken.unwrap(), num_open, worst)
    };
    let (most_taken, num_open, worst) = every_fifth(12);
    assert!(most_taken == 12 && num_open > 0 && worst < 5e-3);
    let (most_taken, num_open, worst) = every_fifth(60);
    assert!(most_taken > 12 && num_open == 0 && worst < 1e-3);
}

#[test]
fn a_cold_start_costs_more() {
    let every_step = train((1, 1, 12), |_, _, _| ());
    let mut cold = CurvatureMonitorConfig::new().init().unwrap();
    let mut from_nothing = Vec::new();
    let again = train((1, 1, 12), |seen, model, batches| {
        cold.forget();
        let risk = Risk::new(&cross_entropy, batches);
        let moment = Moment::new(seen.step, 0.05, model);
        from_nothing.push(cold.measure(&risk, &moment).unwrap());
    });
    assert_eq!(every_step, again);
    let total = |readings: &[CurvatureReading]| -> usize {
        readings[1..]
            .iter()
            .map(|reading| reading.cost().num_matvecs)
            .sum()
    };
    let (warm, cold) = (total(&every_step), total(&from_nothing));
    println!("{warm} products warm, {cold} cold, in 49 measurements");
    assert!(3 * warm < 2 * cold, "{warm} {cold}");
}

#[test]
fn a_limit_of_products_is_kept_and_reported() {
    let device = Device::default().autodiff();
    let data = [clusters(60, 64, 10, &device)];
    let model = Mlp::new([64, 32, 32, 10], 1, &device);
    let config = CurvatureMonitorConfig::new()
        .with_tolerance(1e-6)
        .with_max_matvecs(6);
    let mut monitor = config.init().unwrap();
    let risk = Risk::new(&cross_entropy, &data);
    let moment = Moment::new(0, 0.1, &model);
    let first = monitor.measure(&risk, &moment).unwrap();
    assert!(!first.outcome.is_converged() && first.residual > 1e-6 * first.sharpness);
    assert_eq!(first.num_matvecs, 6 + 2);
    // The vectors found are starting vectors all the same: at the same weights the search continues.
    let mut last = first;
    for _ in 1..30 {
        let next = monitor.measure(&risk, &moment).unwrap();
        assert!(next.sharpness >= last.sharpness * (1.0 - 1e-5));
        last = next;
    }
    let hessian = risk.hessian(&model).unwrap();
    let exact = EigenpairsConfig::new(1, Which::Largest)
        .run(&hessian)
        .unwrap();
    let error = (last.sharpness / exact.values[0] - 1.0).abs();
    assert!(error < 1e-3, "{error}");
}

#[test]
fn a_measurement_traces_only_what_it_has_not_traced() {
    let device = Device::default().autodiff();
    let (traces, runs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // The loss with a factor that a trace holds fixed.
    let times = |factor: f64| {
        let (traces, runs) = (&traces, &runs);
        move |model: &Mlp, batch: Batch| {
            let is_traced = format!("{:?}", batch.0.device()).contains("Capture");
            traces.fetch_add(usize::from(is_traced), Ordering::Relaxed);
            runs.fetch_add(1, Ordering::Relaxed);
            cross_entropy(model, batch) * factor
        }
    };
    let sizes = |sizes: &[usize]| {
        let batches = sizes.iter().enumerate();
        let batches = batches.map(|(index, size)| clusters(*size + index, 6, 3, &device));
        batches.collect::<Vec<_>>()
    };
    let models: Vec<Mlp> = (0..4)
        .map(|seed| Mlp::new([6, 4, 4, 3], seed, &device))
        .collect();
    let (small, large, other) = (sizes(&[20]), sizes(&[30, 9]), sizes(&[20]));
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let mut measure = |model: &Mlp, factor: f64, data: &Vec<Batch>| {
        let loss = times(factor);
        let risk = Risk::new(&loss, data).with_checks(false);
        let moment = Moment::new(0, 0.1, model);
        // A copy of a monitor has the vectors, but no programs.
        let mut copy = monitor.clone();
        let fresh = copy.measure(&risk, &moment).unwrap();
        for count in [&traces, &runs] {
            count.store(0, Ordering::Relaxed);
        }
        assert_eq!(monitor.measure(&risk, &moment).unwrap(), fresh);
        [&traces, &runs].map(|count| count.load(Ordering::Relaxed))
    };
    assert_eq!(measure(&models[0], 1.0, &small), [1, 1]);
    // One forward pass compares the program with the closure.
    assert_eq!(measure(&models[1], 1.0, &small), [0, 1]);
    assert_eq!(measure(&models[2], 1.0, &other), [0, 1]);
    // Two new shapes; nothing to compare.
    assert_eq!(measure(&models[2], 1.0, &large), [2, 2]);
    assert_eq!(measure(&models[3], 1.0, &small), [0, 1]);
    assert_eq!(measure(&models[3], 1.0, &large), [0, 1]);
    // The comparison fails; a new trace confirms it, and another one is used.
    assert_eq!(measure(&models[3], 2.0, &small), [2, 3]);
    assert_eq!(measure(&models[0], 2.0, &small), [0, 1]);
    monitor.forget();
    let model = Mlp::new([6, 5, 4, 3], 1, &device);
    let loss = times(1.0);
    traces.store(0, Ordering::Relaxed);
    let (risk, moment) = (Risk::new(&loss, &small), Moment::new(0, 0.1, &model));
    monitor.measure(&risk, &moment).unwrap();
    assert!(traces.load(Ordering::Relaxed) > 0);
}
