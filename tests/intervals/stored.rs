//! The Hessian of a network as a stored matrix (rounded to single precision, a matrix of its own): products take
//! less than a millisecond, and its spectrum is known.

use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::krylov::{LinearOperator, SelfAdjoint};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::{Symmetric, eigenvalues};

pub(crate) struct Stored {
    pub(crate) space: ParamSpace,
    matrix: Symmetric,
    /// Ascending.
    pub(crate) eigenvalues: Vec<f64>,
}

impl Stored {
    pub(crate) fn of(hessian: &Hessian<'_>) -> Self {
        let space = hessian.space().clone();
        let n = space.len();
        let mut entries: Vec<f64> = Vec::with_capacity(n * n);
        for start in (0..n).step_by(64) {
            let units: Vec<ParamVector> = (start..(start + 64).min(n))
                .map(|i| {
                    let mut unit = vec![0.0; n];
                    unit[i] = 1.0;
                    ParamVector::from_host(&space, &unit).unwrap()
                })
                .collect();
            for product in hessian.matmat(&units).unwrap() {
                entries.extend(product.to_host().unwrap());
            }
        }
        let matrix = Symmetric::rounded(&entries);
        Self {
            space,
            eigenvalues: eigenvalues(&matrix.entries()),
            matrix,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.space.len()
    }

    pub(crate) fn entry(&self, i: usize, j: usize) -> f64 {
        self.matrix.entry(i, j)
    }

    /// The sum of the diagonal entries from one place to another.
    pub(crate) fn trace(&self, from: usize, to: usize) -> f64 {
        (from..to).map(|i| self.entry(i, i)).sum()
    }

    pub(crate) fn count(&self, is_one: impl Fn(f64) -> bool) -> usize {
        self.eigenvalues.iter().filter(|x| is_one(**x)).count()
    }

    pub(crate) fn size(&self) -> f64 {
        self.eigenvalues
            .iter()
            .fold(0.0, |most: f64, x| most.max(x.abs()))
    }
}

impl LinearOperator for Stored {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.space.clone()
    }

    fn range(&self) -> ParamSpace {
        self.space.clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let product = self.matrix.product(&v.to_host()?);
        Ok(ParamVector::from_host(&self.space, &product)?)
    }
}

impl SelfAdjoint for Stored {}

/// `A²`: positive semidefinite.
pub(crate) struct Square<'a>(pub(crate) &'a Stored);

impl LinearOperator for Square<'_> {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.0.domain()
    }

    fn range(&self) -> ParamSpace {
        self.0.domain()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        self.0.matvec(&self.0.matvec(v)?)
    }
}

impl SelfAdjoint for Square<'_> {}
