//! Input that cannot be right: each a typed error with its values and its remedy.

use burnscape_krylov::{
    Deflated, Dense, KrylovFault, LinearOperator, Orthonormal, Product, Restricted, Scaled,
    Shifted, Square, Sum, Symmetric, VectorBlock, VectorList, VectorSpace,
};

const MISMATCH: KrylovFault = KrylovFault::DimensionMismatch {
    expected: 2,
    found: 3,
};

fn tall() -> Dense {
    Dense::from_row_major(3, 2, vec![1.0; 6]).unwrap()
}

fn two() -> Dense {
    Dense::identity(2)
}

fn three() -> Dense {
    Dense::identity(3)
}

fn refusal<T>(result: Result<T, KrylovFault>) -> KrylovFault {
    match result {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

#[test]
fn parts_that_do_not_fit_are_refused_when_they_are_put_together() {
    let basis = || Orthonormal::checked(&3, vec![vec![1.0, 0.0, 0.0]]).unwrap();
    let mismatch = MISMATCH;
    assert_eq!(refusal(Sum::new(two(), three())), mismatch);
    assert_eq!(refusal(Product::new(two(), tall())), mismatch);
    assert_eq!(refusal(Deflated::new(two(), basis())), mismatch);
    assert_eq!(refusal(Restricted::new(two(), basis())), mismatch);
}

#[test]
fn what_needs_a_square_operator_refuses_another() {
    let mismatch = MISMATCH;
    let nothing = || Orthonormal::<Vec<f64>>::checked(&2, vec![]).unwrap();
    assert_eq!(tall().check_square(), Err(MISMATCH));
    assert_eq!(refusal(Shifted::new(tall(), 1.0)), mismatch);
    assert_eq!(refusal(Symmetric::verified(tall(), 1.0, 0)), mismatch);
    assert_eq!(refusal(Deflated::new(tall(), nothing())), mismatch);
    assert_eq!(refusal(Restricted::new(tall(), nothing())), mismatch);
    assert_eq!(refusal(tall().symmetry_defect(1, 0)), mismatch);
}

#[test]
fn scalars_must_be_finite() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (name, error) in [
            ("sigma", refusal(Shifted::new(two(), value))),
            ("factor", refusal(Scaled::new(two(), value))),
        ] {
            let KrylovFault::NonFiniteArgument {
                name: named,
                value: found,
            } = error
            else {
                panic!("{error}")
            };
            assert!(named == name && found.to_bits() == value.to_bits());
        }
    }
}

#[test]
fn a_check_with_no_vectors_is_refused() {
    let none = KrylovFault::NoProbes {
        method: "the check",
        name: "pairs",
        needed: 1,
        found: 0,
    };
    assert_eq!(two().symmetry_defect(0, 0), Err(none.clone()));
    assert_eq!(two().linearity_defect(0, 0), Err(none));
}

#[test]
fn a_matrix_that_is_too_large_is_refused_before_any_product() {
    struct Large(usize);
    impl LinearOperator for Large {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;

        fn domain(&self) -> usize {
            self.0
        }

        fn range(&self) -> usize {
            self.0
        }

        fn matvec(&self, _v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            panic!("a product was requested")
        }
    }
    for dimension in [8193, usize::MAX] {
        let error = KrylovFault::TooLarge {
            rows: dimension,
            columns: dimension,
            limit: Dense::MAX_ENTRIES,
        };
        assert_eq!(refusal(Dense::of(&Large(dimension))), error);
    }
}

#[test]
fn an_operator_that_loses_products_is_refused() {
    struct Forgetful;
    impl LinearOperator for Forgetful {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;

        fn domain(&self) -> usize {
            3
        }

        fn range(&self) -> usize {
            3
        }

        fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            Ok(v.clone())
        }

        fn matmat(&self, vectors: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, KrylovFault> {
            Ok(vectors[1..].to_vec())
        }
    }
    let error = KrylovFault::ProductCount {
        expected: 3,
        found: 2,
    };
    assert_eq!(refusal(Dense::of(&Forgetful)), error);
    assert_eq!(
        refusal(Dense::of(&Shifted::new(Forgetful, 1.0).unwrap())),
        error
    );
}

#[test]
fn a_product_of_another_space_is_refused() {
    struct Liar;
    impl LinearOperator for Liar {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;

        fn domain(&self) -> usize {
            2
        }

        fn range(&self) -> usize {
            2
        }

        fn matvec(&self, _v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            Ok(vec![1.0; 3])
        }
    }
    assert_eq!(refusal(Dense::of(&Liar)), MISMATCH);
    assert_eq!(refusal(Liar.symmetry_defect(1, 0)), MISMATCH);
}

#[test]
fn vectors_of_two_spaces_do_not_combine() {
    let (short, long) = (vec![1.0, 2.0], vec![1.0, 2.0, 3.0]);
    assert_eq!(short.dot(&long), Err(MISMATCH));
    assert_eq!(short.clone().axpy(1.0, &long), Err(MISMATCH));
    assert_eq!(Vec::<f64>::from_host(&2, &long), Err(MISMATCH));
    assert_eq!(Vec::<f64>::check_same(&2, &3), Err(MISMATCH));
}

#[test]
fn blocks_refuse_what_is_not_of_their_shape() {
    let mut block = VectorList::<Vec<f64>>::from_vectors(&2, vec![vec![1.0, 0.0]]).unwrap();
    assert_eq!(block.push(vec![1.0; 3]), Err(MISMATCH));
    assert_eq!(block.len(), 1);
    assert_eq!(block.dots(&vec![1.0; 3]), Err(MISMATCH));
    assert_eq!(block.project_out(vec![1.0; 3]), Err(MISMATCH));
    let count = KrylovFault::CoefficientCount {
        expected: 1,
        found: 2,
    };
    assert_eq!(block.linear_combination(&[1.0, 2.0]), Err(count.clone()));
    assert_eq!(block.transform(&two()).unwrap_err(), count);
    // No rows would hide the mismatch if only rows were looked at.
    let no_rows = Dense::from_row_major(0, 2, vec![]).unwrap();
    assert_eq!(block.transform(&no_rows).unwrap_err(), count);
    block.truncate(0);
    assert_eq!(block.project_out(vec![1.0; 3]), Err(MISMATCH));
    assert_eq!(block.dots(&vec![1.0; 3]), Err(MISMATCH));
}

#[test]
fn matrices_refuse_entries_that_do_not_fit() {
    let count = KrylovFault::EntryCount {
        rows: 2,
        columns: 2,
        found: 3,
    };
    assert_eq!(Dense::from_row_major(2, 2, vec![0.0; 3]), Err(count));
    // The product of the sizes overflows.
    assert!(Dense::from_row_major(usize::MAX, 2, vec![]).is_err());
    let ragged = KrylovFault::RaggedRows {
        row: 1,
        expected: 2,
        found: 1,
    };
    assert_eq!(Dense::from_rows(&[vec![1.0, 2.0], vec![3.0]]), Err(ragged));
    assert_eq!(two().multiply(&three()), Err(MISMATCH));
    assert_eq!(two().row(2), None);
}

#[test]
fn messages_name_the_remedy() {
    let dependent = Orthonormal::orthonormalize(&2, vec![vec![1.0_f64, 0.0], vec![2.0, 0.0]]);
    let message = refusal(dependent).to_string();
    assert!(message.starts_with("vector 1 is dependent"), "{message}");
    assert!(message.ends_with("leave it out"), "{message}");
    let message = refusal(Shifted::new(two(), f64::NAN)).to_string();
    assert_eq!(message, "`sigma` is NaN; give a finite one");
    // The operator's own message is not wrapped in another.
    assert_eq!(MISMATCH.to_string(), MISMATCH.to_string());
}
