//! Blocks of vectors go down through every combinator as blocks.

use burnscape_krylov::{
    Deflated, Dense, HasAdjoint, KrylovFault, LinearOperator, Product, Restricted, Scaled, Shifted,
    Sum, Transposed,
};

use crate::counted::Counted;

use super::cases::AnyOperator;
use super::matrices::{basis, general};

/// Every combinator that does not ask for self-adjointness, around one operator.
fn wrapped<'a, A>(a: &'a A) -> Vec<AnyOperator<'a>>
where
    A: HasAdjoint<Domain = Vec<f64>, Range = Vec<f64>, Error = KrylovFault>,
{
    let dimension = a.domain();
    vec![
        Box::new(Scaled::new(a, 2.0).unwrap()),
        Box::new(Shifted::new(a, 2.0).unwrap()),
        Box::new(Sum::new(a, a).unwrap()),
        Box::new(Product::new(a, a).unwrap()),
        Box::new(Transposed::new(a)),
        Box::new(Deflated::new(a, basis(2, dimension)).unwrap()),
        Box::new(Restricted::new(a, basis(2, dimension)).unwrap()),
        Box::new(Counted::new(a)),
    ]
}

#[test]
fn combinators_take_a_block_as_a_block() {
    // Through `matmat` of an operator that has no `matvec` at all.
    struct OnlyBlocks(Dense);
    impl LinearOperator for OnlyBlocks {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;

        fn domain(&self) -> usize {
            self.0.domain()
        }

        fn range(&self) -> usize {
            self.0.range()
        }

        fn matvec(&self, _v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            panic!("a single product was requested")
        }

        fn matmat(&self, vectors: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, KrylovFault> {
            self.0.matmat(vectors)
        }
    }
    impl HasAdjoint for OnlyBlocks {
        fn matvec_adjoint(&self, _u: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            panic!("a single product was requested")
        }

        fn matmat_adjoint(&self, vectors: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, KrylovFault> {
            self.0.matmat_adjoint(vectors)
        }
    }
    let counted = Counted::new(OnlyBlocks(general(5, 5)));
    for nested in wrapped(&counted) {
        Dense::of(&nested).unwrap();
        Dense::of(&Transposed::new(&nested)).unwrap();
    }
    assert!(counted.num_matvecs() > 0 && counted.num_matvecs_adjoint() > 0);
}
