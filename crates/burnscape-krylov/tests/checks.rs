//! What the checks see, and what they do not invent.
#![cfg(test)]

use std::cell::Cell;

use burnscape_krylov::{
    Counted, Dense, HasAdjoint, HostError, KrylovFault, LinearOperator, Scaled, Shifted, Symmetric,
    VectorSpace, adjoint_defect, adjoint_defect_between, linearity_defect, symmetry_defect,
    symmetry_defect_between, to_dense,
};

/// Any function on host vectors, linear or not.
struct Map<F>(usize, F);

impl<F: Fn(&[f64]) -> Vec<f64>> LinearOperator for Map<F> {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = HostError;

    fn domain(&self) -> usize {
        self.0
    }

    fn range(&self) -> usize {
        self.0
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, HostError> {
        Ok(self.1(v))
    }
}

fn skew() -> Dense {
    Dense::from_rows(&[[0.0, 1.0], [-1.0, 0.0]]).unwrap()
}

#[test]
fn the_symmetry_defect_is_its_formula() {
    // uᵀAv = 1, vᵀAu = −1, |u||Av| = |v||Au| = 1.
    let defect = symmetry_defect_between(&skew(), &vec![1.0, 0.0], &vec![0.0, 1.0]);
    assert_eq!(defect, Ok(2.0));
    // Au = 0: the other side of the maximum decides.
    let shift = Dense::from_rows(&[[0.0, 1.0], [0.0, 0.0]]).unwrap();
    let defect = symmetry_defect_between(&shift, &vec![1.0, 0.0], &vec![0.0, 1.0]);
    assert_eq!(defect, Ok(1.0));
}

#[test]
fn every_seed_sees_a_skew_matrix() {
    for seed in 0..200 {
        let defect = symmetry_defect(&skew(), 1, seed).unwrap();
        assert!(defect > 1e-4, "seed {seed}: {defect:e}");
    }
}

#[test]
fn given_vectors_see_asymmetry_in_any_dimension() {
    // A cyclic shift of 1,000 coordinates: random pairs give about 1/√n, u = Av the order of 1.
    let shift = Map(1000, |v: &[f64]| {
        let mut moved = v.to_vec();
        moved.rotate_right(1);
        moved
    });
    assert!(symmetry_defect(&shift, 2, 0).unwrap() < 0.2);
    let v: Vec<f64> = (0..1000).map(|i| f64::from(i % 7) - 3.0).collect();
    let u = shift.matvec(&v).unwrap();
    assert!(symmetry_defect_between(&shift, &u, &v).unwrap() > 0.5);
}

#[test]
fn defects_do_not_move_under_powers_of_two() {
    let a = Dense::from_rows(&[[1.0, 2.0], [2.5, -1.0]]).unwrap();
    let defect = symmetry_defect(&a, 3, 1).unwrap();
    assert!(defect > 0.0);
    for factor in [2.0_f64.powi(-100), 2.0_f64.powi(100)] {
        let scaled = Scaled::new(&a, factor).unwrap();
        assert_eq!(symmetry_defect(&scaled, 3, 1), Ok(defect));
    }
}

#[test]
fn more_pairs_keep_the_pairs_there_were() {
    let a = Dense::from_rows(&[[1.0, 2.0], [2.5, -1.0]]).unwrap();
    let defects: Vec<f64> = (1..8)
        .map(|pairs| symmetry_defect(&a, pairs, 4).unwrap())
        .collect();
    assert!(defects.is_sorted(), "{defects:?}");
    assert_ne!(symmetry_defect(&a, 1, 4), symmetry_defect(&a, 1, 5));
}

#[test]
fn zero_operators_have_no_defect() {
    let zero = Dense::diagonal(&[0.0; 3]);
    assert_eq!(symmetry_defect(&zero, 2, 0), Ok(0.0));
    assert_eq!(adjoint_defect(&zero, 2, 0), Ok(0.0));
    assert_eq!(linearity_defect(&zero, 2, 0), Ok(0.0));
    let nothing = Dense::identity(0);
    assert_eq!(symmetry_defect(&nothing, 1, 0), Ok(0.0));
    assert_eq!(linearity_defect(&nothing, 1, 0), Ok(0.0));
}

#[test]
fn maps_that_are_not_linear_are_seen() {
    let affine = Map(3, |v: &[f64]| v.iter().map(|x| x + 1.0).collect());
    let magnitude = Map(3, |v: &[f64]| v.iter().map(|x| x.abs()).collect());
    assert!(linearity_defect(&affine, 1, 0).unwrap() > 0.1);
    assert!(linearity_defect(&magnitude, 1, 0).unwrap() > 0.1);
    let calls = Cell::new(0.0);
    let unsteady = Map(3, |v: &[f64]| {
        calls.set(calls.get() + 1.0);
        v.iter().map(|x| x * calls.get()).collect()
    });
    assert!(linearity_defect(&unsteady, 1, 0).unwrap() > 0.1);
    assert!(symmetry_defect(&unsteady, 1, 0).unwrap() > 0.01);
}

#[test]
fn a_wrong_adjoint_is_seen() {
    struct Wrong(Dense);
    impl LinearOperator for Wrong {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = HostError;

        fn domain(&self) -> usize {
            self.0.domain()
        }

        fn range(&self) -> usize {
            self.0.range()
        }

        fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, HostError> {
            self.0.matvec(v)
        }
    }
    impl HasAdjoint for Wrong {
        fn matvec_adjoint(&self, u: &Vec<f64>) -> Result<Vec<f64>, HostError> {
            Ok(self.0.matvec_adjoint(u)?.scale(2.0))
        }
    }
    let wrong = Wrong(Dense::from_rows(&[[1.0, 2.0, 0.0]]).unwrap());
    assert!(adjoint_defect(&wrong, 2, 0).unwrap() > 0.1);
    // ⟨u, Av⟩ = 1, ⟨Aᵀu, v⟩ = 2, |v||Aᵀu| = 2√5.
    let defect = adjoint_defect_between(&wrong, &vec![1.0], &vec![1.0, 0.0, 0.0]).unwrap();
    assert!((defect - 0.5 / 5.0_f64.sqrt()).abs() < 1e-15);
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
        let error = symmetry_defect(&breaks_at(product), 3, 0);
        let product = product as usize;
        assert_eq!(
            error,
            Err(HostError::Fault(KrylovFault::NonFinite { product }))
        );
    }
    for product in [0, 2, 4] {
        let error = linearity_defect(&breaks_at(product), 3, 0);
        let product = product as usize;
        assert_eq!(
            error,
            Err(HostError::Fault(KrylovFault::NonFinite { product }))
        );
    }
    let error = to_dense(&breaks_at(1)).map(|_| ());
    assert_eq!(
        error,
        Err(HostError::Fault(KrylovFault::NonFinite { product: 1 }))
    );
}

#[test]
fn the_operator_is_not_blamed_for_a_vector() {
    let error = symmetry_defect_between(&skew(), &vec![1.0, 0.0], &vec![f64::INFINITY, 0.0]);
    let value = f64::INFINITY;
    assert_eq!(
        error,
        Err(HostError::Fault(KrylovFault::NonFiniteArgument {
            name: "v",
            value
        }))
    );
}

#[test]
fn checks_cost_what_they_say() {
    let counted = Counted::new(Dense::identity(3));
    symmetry_defect(&counted, 3, 0).unwrap();
    assert_eq!(counted.num_matvecs(), 6);
    linearity_defect(&counted, 1, 0).unwrap();
    assert_eq!(counted.num_matvecs(), 9);
    adjoint_defect(&counted, 2, 0).unwrap();
    assert_eq!(
        (counted.num_matvecs(), counted.num_matvecs_adjoint()),
        (11, 2)
    );
    to_dense(&Shifted::new(&counted, 1.0).unwrap()).unwrap();
    assert_eq!(counted.num_matvecs(), 14);
}

#[test]
fn a_refused_claim_says_by_how_much() {
    let refused = Symmetric::verified(skew(), 1e-12, 0).unwrap_err();
    let HostError::Fault(KrylovFault::NotSymmetric { defect, tolerance }) = refused else {
        panic!("{refused}")
    };
    assert!(defect > 1e-3 && tolerance == 1e-12);
    for tolerance in [-1.0, f64::NAN] {
        let refused = Symmetric::verified(skew(), tolerance, 0).unwrap_err();
        assert!(
            matches!(
                refused,
                HostError::Fault(KrylovFault::InvalidTolerance { .. })
            ),
            "{refused}"
        );
    }
}
