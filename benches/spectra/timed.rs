//! An operator that says how long its products took.

use std::cell::Cell;
use std::time::Instant;

use burnscape::curvature::CurvatureError;
use burnscape::krylov::{LinearOperator, SelfAdjoint};
use burnscape::space::{ParamSpace, ParamVector};

pub(crate) struct Timed<'a, A> {
    operator: &'a A,
    seconds: Cell<f64>,
}

impl<'a, A> Timed<'a, A> {
    pub(crate) fn new(operator: &'a A) -> Self {
        Self {
            operator,
            seconds: Cell::new(0.0),
        }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.seconds.get()
    }
}

impl<A> LinearOperator for Timed<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
{
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.operator.domain()
    }

    fn range(&self) -> ParamSpace {
        self.operator.range()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let start = Instant::now();
        let product = self.operator.matvec(v);
        let seconds = self.seconds.get() + start.elapsed().as_secs_f64();
        self.seconds.set(seconds);
        product
    }
}

impl<A> SelfAdjoint for Timed<'_, A> where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>
{
}
