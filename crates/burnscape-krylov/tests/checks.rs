//! Checks detect false claims, and only those.

use std::cell::Cell;

use crate::counted::Counted;
use burnscape_krylov::{
    Dense, HasAdjoint, KrylovFault, LinearOperator, Probe, Scaled, Shifted, Square, Symmetric,
    VectorSpace,
};

/// Any function on host vectors, linear or not.
struct Map<F>(usize, F);

impl<F: Fn(&[f64]) -> Vec<f64>> LinearOperator for Map<F> {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        self.0
    }

    fn range(&self) -> usize {
        self.0
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        Ok(self.1(v))
    }
}

fn skew() -> Dense {
    Dense::from_rows(&[[0.0, 1.0], [-1.0, 0.0]]).unwrap()
}

#[test]
fn the_symmetry_defect_is_its_formula() {
    let [u, v] = [0, 1].map(|index| Probe::Gaussian.draw::<Vec<f64>>(&2, 5, index).unwrap());
    let a = Dense::from_rows(&[[0.5, 1.0], [0.0, -2.0]]).unwrap();
    let (au, av) = (a.matvec(&u).unwrap(), a.matvec(&v).unwrap());
    let difference = (u.dot(&av).unwrap() - v.dot(&au).unwrap()).abs();
    let norm = |x: &Vec<f64>| x.norm().unwrap();
    let scale = (norm(&u) * norm(&av)).max(norm(&v) * norm(&au));
    assert_eq!(a.symmetry_defect(1, 5), Ok(difference / scale));
}

#[test]
fn every_seed_sees_a_skew_matrix() {
    for seed in 0..200 {
        let defect = skew().symmetry_defect(1, seed).unwrap();
        assert!(defect > 1e-4, "seed {seed}: {defect:e}");
    }
}

#[test]
fn defects_do_not_move_under_powers_of_two() {
    let a = Dense::from_rows(&[[1.0, 2.0], [2.5, -1.0]]).unwrap();
    let defect = a.symmetry_defect(3, 1).unwrap();
    assert!(defect > 0.0);
    for factor in [2.0_f64.powi(-100), 2.0_f64.powi(100)] {
        let scaled = Scaled::new(&a, factor).unwrap();
        assert_eq!(scaled.symmetry_defect(3, 1), Ok(defect));
    }
}

#[test]
fn more_pairs_keep_the_pairs_there_were() {
    let a = Dense::from_rows(&[[1.0, 2.0], [2.5, -1.0]]).unwrap();
    let defects: Vec<f64> = (1..8)
        .map(|pairs| a.symmetry_defect(pairs, 4).unwrap())
        .collect();
    assert!(defects.is_sorted(), "{defects:?}");
    assert_ne!(a.symmetry_defect(1, 4), a.symmetry_defect(1, 5));
}

#[test]
fn zero_operators_have_no_defect() {
    let zero = Dense::diagonal(&[0.0; 3]);
    assert_eq!(zero.symmetry_defect(2, 0), Ok(0.0));
    assert_eq!(zero.adjoint_defect(2, 0), Ok(0.0));
    assert_eq!(zero.linearity_defect(2, 0), Ok(0.0));
    let nothing = Dense::identity(0);
    assert_eq!(nothing.symmetry_defect(1, 0), Ok(0.0));
    assert_eq!(nothing.linearity_defect(1, 0), Ok(0.0));
}

#[test]
fn maps_that_are_not_linear_are_seen() {
    let affine = Map(3, |v: &[f64]| v.iter().map(|x| x + 1.0).collect());
    let magnitude = Map(3, |v: &[f64]| v.iter().map(|x| x.abs()).collect());
    assert!(affine.linearity_defect(1, 0).unwrap() > 0.1);
    assert!(magnitude.linearity_defect(1, 0).unwrap() > 0.1);
    let calls = Cell::new(0.0);
    let unsteady = Map(3, |v: &[f64]| {
        calls.set(calls.get() + 1.0);
        v.iter().map(|x| x * calls.get()).collect()
    });
    assert!(unsteady.linearity_defect(1, 0).unwrap() > 0.1);
    assert!(unsteady.symmetry_defect(1, 0).unwrap() > 0.01);
}

#[test]
fn a_wrong_adjoint_is_seen() {
    struct Wrong(Dense);
    impl LinearOperator for Wrong {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;

        fn domain(&self) -> usize {
            self.0.domain()
        }

        fn range(&self) -> usize {
            self.0.range()
        }

        fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            self.0.matvec(v)
        }
    }
    impl HasAdjoint for Wrong {
        fn matvec_adjoint(&self, u: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            Ok(self.0.matvec_adjoint(u)?.scale(2.0))
        }
    }
    let wrong = Wrong(Dense::from_rows(&[[1.0, 2.0, 0.0]]).unwrap());
    assert!(wrong.adjoint_defect(2, 0).unwrap() > 0.1);
}

#[test]
fn a_product_that_is_not_finite_is_named() {
    let calls = Cell::new(0);
    let breaks_at = |broken: i32| {
        calls.set(0);
        let calls = &calls;
        Map(2, move |v: &[f64]| {
            let call = calls.replace(calls.get() + 1);
            v.iter()
                .map(|x| if call == broken { f64::NAN } else { *x })
                .collect()
        })
    };
    for product in [0, 1, 4, 5] {
        let error = breaks_at(product).symmetry_defect(3, 0);
        let product = product as usize;
        assert_eq!(error, Err(KrylovFault::NonFinite { product }));
    }
    for product in [0, 2, 4] {
        let error = breaks_at(product).linearity_defect(3, 0);
        let product = product as usize;
        assert_eq!(error, Err(KrylovFault::NonFinite { product }));
    }
    let error = Dense::of(&breaks_at(1)).map(|_| ());
    assert_eq!(error, Err(KrylovFault::NonFinite { product: 1 }));
}

#[test]
fn checks_cost_what_they_say() {
    let counted = Counted::new(Dense::identity(3));
    counted.symmetry_defect(3, 0).unwrap();
    assert_eq!(counted.num_matvecs(), 6);
    counted.linearity_defect(1, 0).unwrap();
    assert_eq!(counted.num_matvecs(), 9);
    counted.adjoint_defect(2, 0).unwrap();
    assert_eq!(
        (counted.num_matvecs(), counted.num_matvecs_adjoint()),
        (11, 2)
    );
    Dense::of(&Shifted::new(&counted, 1.0).unwrap()).unwrap();
    assert_eq!(counted.num_matvecs(), 14);
}

#[test]
fn a_refused_claim_says_by_how_much() {
    let refused = Symmetric::verified(skew(), 1e-12, 0).unwrap_err();
    let KrylovFault::NotSymmetric { defect, tolerance } = refused else {
        panic!("{refused}")
    };
    assert!(defect > 1e-3 && tolerance == 1e-12);
    for tolerance in [-1.0, f64::NAN] {
        let refused = Symmetric::verified(skew(), tolerance, 0).unwrap_err();
        assert!(
            matches!(
                refused,
                KrylovFault::OutOfBounds {
                    name: "tolerance",
                    ..
                }
            ),
            "{refused}"
        );
    }
}
