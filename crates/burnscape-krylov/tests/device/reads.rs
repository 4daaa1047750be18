//! Host synchronizations of each method on a device whose block splits vectors with one of them.

use burnscape_krylov::{
    DensityConfig, EigenpairsConfig, FlowConfig, LanczosFactorization, LinearOperator,
    Preconditioned, SolveConfig, Which,
};

use super::device_vector::{DeviceError, DeviceSpace};
use super::operators::{Diagonal, Spectrum};

fn spectrum(n: usize) -> Spectrum {
    let values = (0..n).map(|i| 1.0 + 0.9 * (i as f32).sin()).collect();
    Spectrum(DeviceSpace::new("model", n), values)
}

/// How many synchronizations more `what` has of size `large` than of size `small`, for each unit.
fn each(a: &Spectrum, what: impl Fn(&Spectrum, usize), small: usize, large: usize) -> f64 {
    let used = |size: usize| {
        let before = a.0.num_syncs();
        what(a, size);
        a.0.num_syncs() - before
    };
    let (few, many) = (used(small), used(large));
    (many as f64 - few as f64) / (large - small) as f64
}

#[test]
fn a_step_of_lanczos_reads_once() {
    let a = spectrum(300);
    let run = |a: &Spectrum, steps: usize| drop(LanczosFactorization::from_random(a, steps, 0));
    assert_eq!(each(&a, run, 5, 25), 1.0);
    // And once for the norm of the start.
    let before = a.0.num_syncs();
    run(&a, 5);
    assert_eq!(a.0.num_syncs() - before, 6);
}

#[test]
fn a_restart_reads_nothing() {
    let a = spectrum(300);
    let run = |a: &Spectrum, most: usize| {
        let config = EigenpairsConfig::new(2, Which::Largest)
            .with_max_basis(10)
            .with_max_matvecs(most)
            .with_tolerance(1e-30);
        let found = config.run(a).unwrap();
        assert_eq!(found.num_matvecs, most);
    };
    assert_eq!(each(&a, run, 30, 90), 1.0);
}

#[test]
fn an_iteration_of_conjugate_gradients_and_of_minres_reads_twice() {
    let a = spectrum(300);
    let b = a.matvec(&burnscape_krylov::Probe::Gaussian.draw(&a.0, 1, 0).unwrap());
    let b = b.unwrap();
    for config in [SolveConfig::conjugate_gradients(), SolveConfig::minres()] {
        let run = |a: &Spectrum, most: usize| {
            let config = config.clone().with_max_matvecs(most).with_tolerance(1e-30);
            let found = config.run(a, &b).unwrap();
            assert_eq!(found.num_matvecs, most + 1);
        };
        assert_eq!(each(&a, run, 4, 9), 2.0, "{config:?}");
    }
}

#[test]
fn an_iteration_of_preconditioned_conjugate_gradients_reads_three_times() {
    let a = spectrum(300);
    let values = (0..300).map(|i| 1.0 + 0.5 * (i as f32).cos()).collect();
    let preconditioner = Spectrum(a.0.clone(), values);
    let b = a.matvec(&burnscape_krylov::Probe::Gaussian.draw(&a.0, 1, 0).unwrap());
    let b = b.unwrap();
    let run = |a: &Spectrum, most: usize| {
        let config = SolveConfig::conjugate_gradients();
        let config = config.with_max_matvecs(most).with_tolerance(1e-30);
        let operator = Preconditioned::new(a, &preconditioner).unwrap();
        let found = config.run(&operator, &b).unwrap();
        assert_eq!(found.num_matvecs, most + 1);
    };
    assert_eq!(each(&a, run, 4, 9), 3.0);
    // And once each for the right-hand side, the first direction, its form and the true residual.
    let before = a.0.num_syncs();
    run(&a, 4);
    assert_eq!(a.0.num_syncs() - before, 3 * 4 + 4);
}

#[test]
fn a_density_reads_once_for_each_product() {
    let a = spectrum(300);
    let run = |a: &Spectrum, steps: usize| {
        drop(
            DensityConfig::new()
                .with_num_probes(1)
                .with_steps(steps)
                .run(a),
        );
    };
    assert_eq!(each(&a, run, 5, 15), 1.0);
}

#[test]
fn an_iteration_of_lobpcg_reads_once_and_three_times_for_each_pair() {
    let a = spectrum(300);
    let pairs = 3;
    let run = |a: &Spectrum, iterations: usize| {
        let config = EigenpairsConfig::new(pairs, Which::Largest)
            .with_method(burnscape_krylov::EigenMethod::Lobpcg)
            .with_guards(0)
            .with_max_matvecs(pairs * (iterations + 1))
            .with_tolerance(1e-30);
        drop(config.run(a).unwrap());
    };
    assert_eq!(each(&a, run, 3, 6), 1.0 + 3.0 * pairs as f64);
}

#[test]
fn a_product_reads_nothing() {
    let space = DeviceSpace::new("model", 5);
    let v = burnscape_krylov::Probe::Gaussian
        .draw(&space, 1, 0)
        .unwrap();
    drop(Diagonal(space.clone()).matvec(&v));
    assert_eq!(space.num_syncs(), 0);
}

#[test]
fn an_attempt_of_a_flow_reads_twice() {
    let a = spectrum(300);
    let start: super::device_vector::DeviceVector =
        burnscape_krylov::Probe::Gaussian.draw(&a.0, 1, 0).unwrap();
    let run = |a: &Spectrum, steps: usize| {
        let config = FlowConfig::new(0.5 * steps as f64)
            .with_tolerances(1e3, 0.0)
            .with_first_step(0.5)
            .with_max_step(0.5);
        let flow = config.run(
            start.clone(),
            |_, y| Ok::<_, DeviceError>(burnscape_krylov::VectorSpace::scale(a.matvec(y)?, -1.0)),
            |_| Ok(std::ops::ControlFlow::Continue(())),
        );
        assert_eq!(flow.unwrap().num_accepted, steps);
    };
    assert_eq!(each(&a, run, 5, 25), 2.0);
}
