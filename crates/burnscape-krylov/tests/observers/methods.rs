//! Operators that end a run, and every method that they end.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burnscape_krylov::{
    DensityConfig, DiagonalConfig, DiagonalMethod, EigenMethod, EigenpairsConfig, KrylovFault,
    LanczosFactorization, LinearOperator, Outcome, SelfAdjoint, SolveConfig, Step, TraceConfig,
    TraceMethod, TrustRegionConfig, VectorSpace, Which,
};

pub(crate) const DIMENSION: usize = 60;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    Fault(KrylovFault),
    /// A product was ended half-way.
    Ended,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Failure {}

impl From<KrylovFault> for Failure {
    fn from(fault: KrylovFault) -> Self {
        Self::Fault(fault)
    }
}

/// A diagonal operator whose products end from number `last` on.
#[derive(Debug)]
pub(crate) struct Fragile {
    values: Vec<f64>,
    last: usize,
    count: AtomicUsize,
}

impl Fragile {
    pub(crate) fn new(last: usize) -> Self {
        let values = (0..DIMENSION).map(|i| 1.0 + (i as f64).powi(2) / 50.0);
        Self {
            values: values.collect(),
            last,
            count: AtomicUsize::new(0),
        }
    }

    pub(crate) fn whole() -> Self {
        Self::new(usize::MAX)
    }
}

impl LinearOperator for Fragile {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = Failure;

    fn domain(&self) -> usize {
        DIMENSION
    }

    fn range(&self) -> usize {
        DIMENSION
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, Failure> {
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 >= self.last {
            return Err(Failure::Ended);
        }
        Ok(v.iter().zip(&self.values).map(|(x, d)| x * d).collect())
    }

    fn is_stop(&self, error: &Failure) -> bool {
        *error == Failure::Ended
    }
}

impl SelfAdjoint for Fragile {}

/// An operator that breaks at a step, and counts those that it sees.
pub(crate) struct Breaking<'a>(
    pub(crate) Fragile,
    pub(crate) &'a AtomicUsize,
    pub(crate) usize,
);

impl LinearOperator for Breaking<'_> {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = Failure;

    fn domain(&self) -> usize {
        DIMENSION
    }

    fn range(&self) -> usize {
        DIMENSION
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, Failure> {
        self.0.matvec(v)
    }

    fn report(&self, _: &Step) -> ControlFlow<()> {
        match self.1.fetch_add(1, Ordering::Relaxed) + 1 == self.2 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl SelfAdjoint for Breaking<'_> {}

/// How a run ended: what it says, its products, and its first number.
pub(crate) type Ended = Result<(Outcome, usize, f64), Failure>;
pub(crate) type Operator<'a> =
    dyn SelfAdjoint<Vector = Vec<f64>, Domain = Vec<f64>, Range = Vec<f64>, Error = Failure> + 'a;
pub(crate) type Run = for<'a> fn(&Operator<'a>) -> Ended;

pub(crate) fn b() -> Vec<f64> {
    (0..DIMENSION).map(|i| 1.0 + (i as f64).sin()).collect()
}

macro_rules! eigen {
    ($config:expr) => {
        |a| {
            let found = $config.run(a)?;
            Ok((found.outcome, found.num_matvecs, found.values[0]))
        }
    };
}

macro_rules! trace {
    ($method:ident) => {
        |a| {
            let config = TraceConfig::new().with_method(TraceMethod::$method);
            let found = config.run(a)?;
            Ok((found.outcome, found.num_matvecs, found.value))
        }
    };
}

pub(crate) fn stopped(is_stopped: bool) -> Outcome {
    if is_stopped {
        Outcome::Stopped
    } else {
        Outcome::Converged
    }
}

/// Every method, with a task that it reports.
pub(crate) fn methods() -> Vec<(&'static str, &'static str, Run)> {
    vec![
        (
            "eigenpairs",
            "eigenpairs",
            eigen!(EigenpairsConfig::new(2, Which::Largest)),
        ),
        (
            "estimated",
            "eigenpairs",
            eigen!(EigenpairsConfig::new(2, Which::Largest).with_estimated_residuals(true)),
        ),
        (
            "block Lanczos",
            "eigenpairs",
            eigen!(EigenpairsConfig::new(2, Which::Largest).with_method(EigenMethod::Block)),
        ),
        (
            "LOBPCG",
            "eigenpairs",
            eigen!(EigenpairsConfig::new(1, Which::Largest).with_method(EigenMethod::Lobpcg)),
        ),
        (
            "Davidson",
            "eigenpairs",
            eigen!(EigenpairsConfig::new(2, Which::Largest).with_method(EigenMethod::Davidson)),
        ),
        (
            "power",
            "eigenpairs",
            eigen!(
                EigenpairsConfig::new(1, Which::LargestMagnitude).with_method(EigenMethod::Power)
            ),
        ),
        ("Lanczos", "Lanczos", |a| {
            let record = LanczosFactorization::from_random(a, 20, 0)?;
            let value = record.ritz_values().pop().unwrap();
            Ok((stopped(record.is_stopped()), record.num_matvecs(), value))
        }),
        ("Hutchinson", "trace", trace!(Hutchinson)),
        ("Hutch++", "trace", trace!(HutchPlusPlus)),
        ("XTrace", "trace", trace!(XTrace)),
        ("XNysTrace", "trace", trace!(XNysTrace)),
        ("auto", "trace", trace!(Auto)),
        ("integrands", "means of integrands", |a| {
            let integrands = |v: &Vec<f64>, w: &Vec<f64>| Ok(vec![v.dot(w)?, w.dot(w)?]);
            let found = TraceConfig::new().run_integrands(a, integrands)?;
            Ok((found[0].outcome, found[0].num_matvecs, found[0].value))
        }),
        ("diagonal", "diagonal", |a| {
            let found = DiagonalConfig::new().run(a)?;
            Ok((found.outcome, found.num_matvecs, found.diagonal[0]))
        }),
        ("XDiag", "diagonal", |a| {
            let config = DiagonalConfig::new().with_method(DiagonalMethod::XDiag);
            let found = config.run(a)?;
            Ok((found.outcome, found.num_matvecs, found.diagonal[0]))
        }),
        ("density", "density", |a| {
            let density = DensityConfig::new()
                .with_num_probes(3)
                .with_steps(10)
                .run(a)?;
            let value = density.mean_of(|x| x).value;
            Ok((stopped(density.is_stopped()), density.num_matvecs(), value))
        }),
        ("conjugate gradients", "linear system", |a| {
            let found = SolveConfig::conjugate_gradients().run(a, &b())?;
            Ok((found.outcome, found.num_matvecs, found.x[0]))
        }),
        ("MINRES", "linear system", |a| {
            let found = SolveConfig::minres().run(a, &b())?;
            Ok((found.outcome, found.num_matvecs, found.x[0]))
        }),
        ("trust region", "trust region", |a| {
            let found = TrustRegionConfig::new(1.0).minimize(a, &b())?;
            Ok((found.outcome, found.num_matvecs, found.value))
        }),
        ("trust region, zero gradient", "certificate", |a| {
            let found = TrustRegionConfig::new(1.0).maximize(a, &vec![0.0; DIMENSION])?;
            Ok((found.outcome, found.num_matvecs, found.value))
        }),
    ]
}
