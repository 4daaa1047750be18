//! Every method can be watched, and stopped between two products and within one.

mod methods;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::counted::Counted;
use burnscape_krylov::{
    Deflated, Dense, EigenpairsConfig, Inverse, KrylovFault, LanczosFactorization, LinearOperator,
    Orthonormal, Outcome, Product, Restricted, Scaled, SelfAdjoint, Shifted, SolveConfig, Step,
    Sum, Symmetric, TraceConfig, VectorSpace, Which,
};
use methods::{Breaking, DIMENSION, Failure, Fragile, b, methods};

#[test]
fn every_method_shows_its_steps() {
    for (name, task, run) in methods() {
        let a = Counted::new(Fragile::whole());
        let mut steps = Vec::<Step>::new();
        let observed = (&a).observed(|step| {
            steps.push(step.clone());
            ControlFlow::Continue(())
        });
        let (_, products, _) = run(&observed).unwrap();
        assert_eq!(products, a.num_matvecs(), "{name}");
        assert!(
            steps.iter().any(|step| step.task == task),
            "{name}: {steps:?}"
        );
        for pair in steps.windows(2) {
            assert!(
                pair[0].num_matvecs < pair[1].num_matvecs,
                "{name}: {pair:?}"
            );
        }
        let last = steps.last().unwrap();
        assert!(
            last.num_matvecs <= products && last.limit.is_some(),
            "{name}: {last}"
        );
        // All but the blocks of a sketch, and a product for the residual, are shown one by one.
        assert!(steps.len() >= 3, "{name}: {}", steps.len());
    }
}

#[test]
fn an_observer_that_sees_everything_changes_nothing() {
    for (name, _, run) in methods() {
        let observed = Fragile::whole().observed(|_| ControlFlow::Continue(()));
        let (outcome, products, value) = run(&observed).unwrap();
        let plain = run(&Fragile::whole()).unwrap();
        assert_eq!((outcome, products), (plain.0, plain.1), "{name}");
        assert_eq!(value.to_bits(), plain.2.to_bits(), "{name}");
    }
}

#[test]
fn a_break_ends_every_method_with_what_it_has() {
    for (name, _, run) in methods() {
        let whole = run(&Fragile::whole()).unwrap();
        for at in [1, 2, 3, 7] {
            let a = Counted::new(Fragile::whole());
            let calls = AtomicUsize::new(0);
            let observed =
                (&a).observed(|_| match calls.fetch_add(1, Ordering::Relaxed) + 1 == at {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                });
            let (outcome, products, value) = run(&observed).unwrap();
            let calls = calls.into_inner();
            // Some have fewer blocks than that.
            assert!(calls <= at, "{name}, {at}: {calls} calls");
            let is_cut_short = calls == at && products < whole.1;
            assert_eq!(outcome == Outcome::Stopped, is_cut_short, "{name}, {at}");
            assert!(value.is_finite(), "{name}, {at}: {value}");
            assert_eq!(products, a.num_matvecs(), "{name}, {at}");
        }
    }
}

#[test]
fn a_break_within_a_product_ends_every_method_with_what_it_has() {
    for (name, _, run) in methods() {
        // Nothing was found: the error itself.
        let error = run(&Fragile::new(1)).unwrap_err();
        assert_eq!(error, Failure::Ended, "{name}");
        // The pilot of the automatic choice is a block of eight.
        let first = if name == "auto" { 9 } else { 5 };
        for last in [first, 7.max(first), 12] {
            let a = Counted::new(Fragile::new(last));
            let found = run(&a);
            let (outcome, products, value) =
                found.unwrap_or_else(|error| panic!("{name}, {last}: {error}"));
            assert_eq!(outcome, Outcome::Stopped, "{name}, {last}");
            assert!(
                value.is_finite() && products < last,
                "{name}, {last}: {products}"
            );
        }
    }
}

#[test]
fn a_lanczos_run_that_was_stopped_within_a_product_can_be_extended() {
    let whole = LanczosFactorization::from_random(&Fragile::whole(), 20, 0).unwrap();
    let mut record = LanczosFactorization::from_random(&Fragile::new(7), 20, 0).unwrap();
    assert_eq!(
        (record.len(), record.num_matvecs(), record.is_stopped()),
        (6, 6, true)
    );
    record.extend(&Fragile::whole(), 14).unwrap();
    assert!(!record.is_stopped());
    assert_eq!(record.ritz_values(), whole.ritz_values());
    assert_eq!(record.projected().unwrap(), whole.projected().unwrap());
    assert_eq!(record.checkpoint().unwrap(), whole.checkpoint().unwrap());
    // Stopped again at once, it has what it had.
    record.extend(&Fragile::new(1), 5).unwrap();
    assert!(record.is_stopped() && record.len() == 20);
}

#[test]
fn residuals_are_estimated_where_an_observer_ends_their_products() {
    let run = |a: &Fragile| {
        EigenpairsConfig::new(2, Which::Largest)
            .with_tolerance(1e-4)
            .run(a)
            .unwrap()
    };
    let whole = run(&Fragile::whole());
    // The first of the two products for the residuals.
    let found = run(&Fragile::new(whole.num_matvecs - 1));
    assert_eq!(found.num_matvecs, whole.num_matvecs - 2);
    assert_eq!(
        (&found.values, &found.vectors),
        (&whole.values, &whole.vectors)
    );
    for (found, whole) in found.residuals.iter().zip(&whole.residuals) {
        assert!((found - whole).abs() < 1e-10);
    }
    let solved = SolveConfig::conjugate_gradients()
        .run(&Fragile::whole(), &b())
        .unwrap();
    let stopped = SolveConfig::conjugate_gradients()
        .run(&Fragile::new(solved.num_matvecs), &b())
        .unwrap();
    assert_eq!(
        (&stopped.x, stopped.num_matvecs),
        (&solved.x, solved.num_matvecs - 1)
    );
    assert_eq!(stopped.outcome, Outcome::Stopped);
    assert!((stopped.residual - solved.residual).abs() < 1e-10);
}

/// Work that an observer does.
trait Work: Send + Sync {
    fn trace(&self) -> f64;
}

impl<A: SelfAdjoint<Error = Failure> + Send + Sync> Work for A {
    fn trace(&self) -> f64 {
        let config = TraceConfig::new().with_max_matvecs(3);
        config.run(self).unwrap().value
    }
}

#[test]
fn an_observer_may_multiply_the_operator_that_it_observes() {
    let plain = EigenpairsConfig::new(1, Which::Largest)
        .run(&Fragile::whole())
        .unwrap();
    let steps = Arc::new(AtomicUsize::new(0));
    let place = Arc::new(OnceLock::<Weak<dyn Work>>::new());
    let (counter, itself) = (Arc::clone(&steps), Arc::clone(&place));
    let observed = Arc::new(Fragile::whole().observed(move |step| {
        assert_eq!(step.task, "eigenpairs");
        counter.fetch_add(1, Ordering::Relaxed);
        let operator = itself.get().unwrap().upgrade().unwrap();
        assert!(operator.trace() > 0.0);
        ControlFlow::Continue(())
    }));
    let reference: Arc<dyn Work> = observed.clone();
    assert!(place.set(Arc::downgrade(&reference)).is_ok());
    let found = EigenpairsConfig::new(1, Which::Largest)
        .run(&*observed)
        .unwrap();
    assert_eq!(found.values[0], plain.values[0]);
    assert_eq!(steps.load(Ordering::Relaxed), found.num_matvecs - 1);
}

#[test]
fn an_observer_that_panics_is_called_again() {
    let calls = AtomicUsize::new(0);
    let a = Fragile::whole().observed(|_| {
        assert!(calls.fetch_add(1, Ordering::Relaxed) != 2, "the third call");
        ControlFlow::Continue(())
    });
    let run = || LanczosFactorization::from_random(&a, 6, 0).unwrap().len();
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert_eq!(run(), 6);
    assert_eq!(calls.load(Ordering::Relaxed), 9);
}

#[test]
fn combinators_pass_steps_and_stops_on() {
    let line = || {
        let mut e = vec![0.0; DIMENSION];
        e[0] = 1.0;
        Orthonormal::<Vec<f64>>::checked(&DIMENSION, vec![e]).unwrap()
    };
    let all = || {
        let unit = |i: usize| {
            (0..DIMENSION)
                .map(|j| f64::from(u8::from(i == j)))
                .collect()
        };
        Orthonormal::<Vec<f64>>::checked(&DIMENSION, (0..DIMENSION).map(unit).collect()).unwrap()
    };
    fn check<A: SelfAdjoint>(name: &str, a: &A, seen: &AtomicUsize)
    where
        A::Vector: VectorSpace,
    {
        let record = LanczosFactorization::from_random(a, 4, 0).map_err(|e| e.to_string());
        let record = record.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(record.is_stopped() && record.len() < 4, "{name}");
        assert!(seen.load(Ordering::Relaxed) > 0, "{name}");
    }
    let stopped = Fragile::new;
    // By a report: a break at the third step.
    let each = |run: &dyn Fn(&Breaking<'_>, &AtomicUsize)| {
        let seen = AtomicUsize::new(0);
        run(&Breaking(stopped(usize::MAX), &seen, 3), &seen);
    };
    each(&|a, n| check("shifted", &Shifted::new(a, 1.0).unwrap(), n));
    each(&|a, n| check("scaled", &Scaled::new(a, 2.0).unwrap(), n));
    each(&|a, n| check("counted", &Counted::new(a), n));
    each(&|a, n| check("boxed", &Box::new(a), n));
    each(&|a, n| check("deflated", &Deflated::new(a, line()).unwrap(), n));
    each(&|a, n| check("restricted", &Restricted::new(a, all()).unwrap(), n));
    each(&|a, n| check("sum", &Sum::new(stopped(usize::MAX), a).unwrap(), n));
    each(&|a, n| {
        let square = Product::new(stopped(usize::MAX), a).unwrap();
        check("product", &Symmetric::verified(square, 1e-9, 0).unwrap(), n);
    });
    each(&|a, n| check("observed", &a.observed(|_| ControlFlow::Continue(())), n));
    // Within the third product.
    let one = AtomicUsize::new(1);
    let a = || stopped(3);
    check("shifted", &Shifted::new(a(), 1.0).unwrap(), &one);
    check("scaled", &Scaled::new(a(), 2.0).unwrap(), &one);
    check("counted", &Counted::new(a()), &one);
    check("deflated", &Deflated::new(a(), line()).unwrap(), &one);
    check("restricted", &Restricted::new(a(), all()).unwrap(), &one);
    check("sum", &Sum::new(stopped(usize::MAX), a()).unwrap(), &one);
    check("sum", &Sum::new(a(), stopped(usize::MAX)).unwrap(), &one);
    check(
        "observed",
        &a().observed(|_| ControlFlow::Continue(())),
        &one,
    );
    let square = Product::new(stopped(usize::MAX), stopped(7)).unwrap();
    check(
        "product",
        &Symmetric::verified(square, 1e-9, 0).unwrap(),
        &one,
    );
}

#[test]
fn an_inverse_ends_with_its_solver() {
    // Half of the solver's first steps, and the observer has seen enough.
    let steps = AtomicUsize::new(0);
    let a = Fragile::whole().observed(|_| match steps.fetch_add(1, Ordering::Relaxed) < 100 {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    });
    let inverse = Inverse::new(&a, SolveConfig::conjugate_gradients()).unwrap();
    let record = LanczosFactorization::from_random(&inverse, 50, 0).unwrap();
    assert!(record.is_stopped() && !record.is_empty());
    assert_eq!(
        inverse.matvec(&b()),
        Err(Failure::Fault(KrylovFault::Stopped))
    );
    let fragile = Inverse::new(Fragile::new(3), SolveConfig::minres()).unwrap();
    assert_eq!(
        fragile.matvec(&b()),
        Err(Failure::Fault(KrylovFault::Stopped))
    );
}

#[test]
fn an_observed_operator_is_shared_between_threads() {
    fn accepts<T: Send + Sync>(_: &T) {}
    let counter = std::cell::Cell::new(0);
    let observed = Fragile::whole().observed(move |_| {
        counter.set(counter.get() + 1);
        ControlFlow::Continue(())
    });
    accepts(&observed);
    assert!(format!("{observed:?}").starts_with("Observed"));
}

#[test]
fn a_part_of_a_matrix_is_none() {
    let stopped = Fragile::whole().observed(|_| ControlFlow::Break(()));
    let refused = Dense::of(&stopped).map(|_| ());
    assert_eq!(refused, Err(Failure::Fault(KrylovFault::Stopped)));
    let seen = AtomicUsize::new(0);
    let watched = Fragile::whole().observed(|step| {
        seen.store(step.num_matvecs, Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    assert_eq!(Dense::of(&watched).unwrap().num_rows(), DIMENSION);
    assert_eq!(seen.load(Ordering::Relaxed), DIMENSION);
}
