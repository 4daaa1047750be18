//! Diagonals: right within their errors, exact where the range is found.

use std::ops::ControlFlow;

use crate::counted::Counted;
use crate::spectra::{Diagonal, Single, size, with_spectrum};
use burnscape_krylov::{
    Dense, DiagonalConfig, DiagonalMethod, KrylovFault, LinearOperator, Scaled, VectorSpace,
};

const METHODS: [DiagonalMethod; 2] = [DiagonalMethod::Hutchinson, DiagonalMethod::XDiag];

fn diagonal(a: &burnscape_krylov::Symmetric<burnscape_krylov::Dense>) -> Vec<f64> {
    let matrix = Dense::of(a).unwrap();
    (0..matrix.num_rows())
        .map(|i| matrix.row(i).unwrap()[i])
        .collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f64>().sqrt()
}

#[test]
fn errors_are_what_they_say() {
    let values: Vec<f64> = (0..40).map(|i| 0.85_f64.powi(i) - 0.1).collect();
    let a = with_spectrum(&values, 2);
    let exact = diagonal(&a);
    for method in METHODS {
        let config = DiagonalConfig::new()
            .with_method(method)
            .with_max_matvecs(32);
        let (mut actual, mut stated, mut covered) = (0.0, 0.0, 0);
        let mut mean = vec![0.0; 40];
        for seed in 0..300 {
            let found = config.clone().with_seed(seed).run(&a).unwrap();
            actual += distance(&found.diagonal, &exact).powi(2) / 300.0;
            stated += found.error.powi(2) / 300.0;
            assert!((found.variance.iter().sum::<f64>().sqrt() - found.error).abs() < 1e-12);
            // Two standard errors of one coordinate.
            let off = (found.diagonal[7] - exact[7]).abs();
            covered += usize::from(off <= 2.0 * found.variance[7].sqrt());
            mean = mean.axpy(1.0 / 300.0, &found.diagonal).unwrap();
        }
        let (actual, stated) = (f64::sqrt(actual), f64::sqrt(stated));
        println!(
            "{method:?}: error {actual:.2e}, stated {stated:.2e}; {covered} of 300 within two"
        );
        // Unbiased: the mean over seeds is as much closer as it must be.
        assert!(distance(&mean, &exact) < 3.0 * actual / 300.0_f64.sqrt());
        match method {
            DiagonalMethod::Hutchinson => {
                assert!((0.9..1.1).contains(&(stated / actual)) && covered > 270);
            }
            DiagonalMethod::XDiag => assert!((0.5..1.1).contains(&(stated / actual))),
        }
    }
}

#[test]
fn xdiag_wins_where_eigenvalues_decay() {
    let a = with_spectrum(&(0..60).map(|i| 0.6_f64.powi(i)).collect::<Vec<_>>(), 2);
    let exact = diagonal(&a);
    let errors = METHODS.map(|method| {
        let config = DiagonalConfig::new()
            .with_method(method)
            .with_max_matvecs(40);
        distance(&config.run(&a).unwrap().diagonal, &exact)
    });
    println!("Hutchinson {:.1e}, XDiag {:.1e}", errors[0], errors[1]);
    assert!(errors[1] < 1e-2 * errors[0]);
}

#[test]
fn prescribed_spectra_have_their_diagonals() {
    for (name, values) in crate::spectra::all(40) {
        let a = Counted::new(with_spectrum(&values, 6));
        let exact = diagonal(a.operator());
        let single = Single::of(a.operator().operator());
        let scale = size(&values).max(1e-300);
        for method in METHODS {
            let config = DiagonalConfig::new()
                .with_method(method)
                .with_max_matvecs(30);
            let before = a.num_matvecs();
            let found = config.run(&a).unwrap();
            assert_eq!(found.num_matvecs, a.num_matvecs() - before, "{name}");
            let off = distance(&found.diagonal, &exact);
            assert!(
                off <= 3.0 * found.error + 1e-12 * scale,
                "{name} {method:?}: {off:e}"
            );
            if name == "rank 3" && method == DiagonalMethod::XDiag {
                assert!(off < 1e-12 * scale && found.num_matvecs < 12);
            }
            let found = config.run(&single).unwrap();
            let off = distance(&found.diagonal.to_host().unwrap(), &exact);
            assert!(
                off <= 3.0 * found.error + 2e-5 * scale,
                "{name} {method:?}: {off:e}"
            );
        }
    }
}

#[test]
fn diagonals_stop_scale_and_repeat() {
    let a = with_spectrum(&(0..30).map(f64::from).collect::<Vec<_>>(), 5);
    for method in METHODS {
        let config = DiagonalConfig::new().with_method(method);
        let found = config
            .clone()
            .with_max_matvecs(20_000)
            .with_tolerance(0.05)
            .run(&a)
            .unwrap();
        assert!(found.outcome.is_converged() && found.num_matvecs < 20_000);
        assert!(found.error <= 0.05 * found.diagonal.norm().unwrap());
        // A power of two goes through exactly.
        let one = config.run(&a).unwrap().diagonal;
        let two = config
            .run(&Scaled::new(&a, 0.125).unwrap())
            .unwrap()
            .diagonal;
        assert_eq!(one.scale(0.125), two);
        // The first samples do not depend on how many there are.
        let mut stops = Vec::new();
        let observed = (&a).observed(|step| {
            stops.push(step.num_matvecs);
            ControlFlow::Continue(())
        });
        config.run(&observed).unwrap();
        let at = stops[stops.len() / 2];
        let short = config.clone().with_max_matvecs(at).run(&a).unwrap();
        let stopped = (&a).observed(|step| match step.num_matvecs == at {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        let stopped = config.run(&stopped).unwrap();
        assert_eq!(short.diagonal, stopped.diagonal, "{method:?}");
        assert_eq!(stopped.num_matvecs, at);
    }
    // Hutchinson's method is exact for a diagonal matrix from one product on.
    let exact = DiagonalConfig::new()
        .with_max_matvecs(1)
        .run(&Diagonal(vec![1.0, -2.0, 4.0]));
    let exact = exact.unwrap();
    assert_eq!(
        (exact.diagonal, exact.error),
        (vec![1.0, -2.0, 4.0], f64::INFINITY)
    );
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let a = Diagonal(vec![1.0, 2.0, 3.0]);
    for (method, fewest) in METHODS.into_iter().zip([1, 4]) {
        let config = DiagonalConfig::new().with_method(method);
        let few = config.clone().with_max_matvecs(fewest - 1).run(&a);
        let found = fewest - 1;
        assert!(
            matches!(few.map(|_| ()), Err(KrylovFault::NoProbes { needed, found: limit, .. })
                if needed == fewest && limit == found)
        );
        let tolerance = config.clone().with_tolerance(-1.0).run(&a).map(|_| ());
        assert_eq!(
            tolerance,
            Err(KrylovFault::OutOfBounds {
                name: "tolerance",
                value: -1.0,
                allowed: "a positive, finite number"
            })
        );
        let nan = config.run(&Diagonal(vec![1.0, f64::NAN])).map(|_| ());
        assert_eq!(nan, Err(KrylovFault::NonFinite { product: 0 }));
    }
}
