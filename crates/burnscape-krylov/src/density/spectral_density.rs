use serde::{Deserialize, Serialize};

use crate::lanczos::Jacobi;
use crate::{Estimate, Quadrature};

/// The distribution of an operator's eigenvalues, as quadratures from several random vectors.
///
/// Every number computed from it has two errors. The first is that of the random vectors, which the standard error of
/// [`Estimate`] measures. The second is the resolution of the quadrature: it is zero for polynomials of a degree below
/// twice the number of nodes, and small for functions that are smooth on the scale of the distances between nodes. Counts
/// are integrals of a step, so they are a [`Bracket`](crate::Bracket), which covers both errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpectralDensity {
    probes: Vec<Quadrature>,
    /// The quadratures without the outliers; their mass is missing.
    bulk: Vec<Quadrature>,
    /// The recurrences of the bulk, of mass one.
    pub(super) recurrences: Vec<Jacobi>,
    pub(super) outliers: Vec<f64>,
    pub(super) dimension: usize,
    pub(super) num_matvecs: usize,
    /// The largest error of an eigenvalue in the probes: by rounding, and by the residuals of outliers.
    pub(super) margin: f64,
    pub(super) is_stopped: bool,
}

/// How far rounding moves the eigenvalues of a Lanczos run, relative to the norm and the type.
const ROUNDING: f64 = 64.0;

impl SpectralDensity {
    /// The density of probes of vectors whose type rounds to `epsilon`.
    pub(crate) fn new(
        probes: Vec<(Quadrature, Jacobi)>,
        epsilon: f64,
        (dimension, products): (usize, usize),
    ) -> Self {
        let (probes, recurrences): (Vec<Quadrature>, _) = probes.into_iter().unzip();
        let nodes = probes.iter().flat_map(|probe| &probe.nodes);
        let size = nodes.fold(0.0_f64, |most, node| most.max(node.abs()));
        Self {
            bulk: probes.clone(),
            probes,
            recurrences,
            outliers: Vec::new(),
            dimension,
            num_matvecs: products,
            margin: ROUNDING * epsilon * size,
            is_stopped: false,
        }
    }

    /// The density of an operator whose eigenvalues are all known.
    pub(super) fn of_outliers(outliers: Vec<f64>, residual: f64) -> Self {
        let nothing = Quadrature {
            nodes: Vec::new(),
            weights: Vec::new(),
        };
        let whole = Self {
            dimension: outliers.len(),
            probes: vec![nothing.clone()],
            bulk: vec![nothing],
            ..Self::new(Vec::new(), 0.0, (0, 0))
        };
        whole.with_outliers(outliers, residual)
    }

    /// Adds `outliers`, each with the mass of one eigenvalue, to quadratures of the rest. `residual` is the norm of the
    /// residuals of the outliers' vectors.
    pub(super) fn with_outliers(mut self, outliers: Vec<f64>, residual: f64) -> Self {
        let n = self.dimension as f64;
        let share = (n - outliers.len() as f64) / n;
        for probe in &mut self.bulk {
            probe.weights.iter_mut().for_each(|weight| *weight *= share);
        }
        let whole = |probe: &Quadrature| {
            let exact = outliers.iter().map(|value| (*value, n.recip()));
            Quadrature::of_points(probe.points().chain(exact).collect())
        };
        self.probes = self.bulk.iter().map(whole).collect();
        self.outliers = outliers;
        // The coupling to the rest, and the error of the outliers themselves, are at most that each.
        self.margin += 2.0 * residual;
        self
    }

    /// Whether an observer ended the run before all probes were finished.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// The eigenvalues that are in the density exactly, each with the mass `1/n`; the outermost first.
    pub fn outliers(&self) -> &[f64] {
        &self.outliers
    }

    pub(super) fn bulk(&self) -> &[Quadrature] {
        &self.bulk
    }

    /// The quadrature of each probe, outliers included.
    pub fn probes(&self) -> &[Quadrature] {
        &self.probes
    }

    /// Dimension of the operator.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Products used.
    pub fn num_matvecs(&self) -> usize {
        self.num_matvecs
    }

    /// The raw measure: the nodes of all probes, ascending, with weights that sum to one.
    pub fn measure(&self) -> Quadrature {
        let share = 1.0 / self.probes.len() as f64;
        let points = self.probes.iter().flat_map(Quadrature::points);
        let points = points.map(|(node, weight)| (node, weight * share));
        Quadrature::of_points(points.collect())
    }

    /// The mean of `f` over the eigenvalues, `tr f(A) / n`. Its standard error over the probes covers the random vectors
    /// only, not the resolution of the quadratures for a function that is not smooth between their nodes.
    pub fn mean_of(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let values: Vec<f64> = self
            .probes
            .iter()
            .map(|probe| probe.integrate(&f))
            .collect();
        Estimate::of(&values)
    }

    /// `tr f(A)`, with the standard error of [`mean_of`](Self::mean_of).
    pub fn trace_of(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let n = self.dimension as f64;
        let mean = self.mean_of(f);
        Estimate {
            value: n * mean.value,
            standard_error: mean.standard_error.map(|error| n * error),
            ..mean
        }
    }

    /// `log det A = tr log A` of a positive definite operator. Not a number if a node is negative.
    ///
    /// The standard error covers the random vectors only. Quadrature of the logarithm is never too small, and much too
    /// large if eigenvalues are closer to zero than the smallest node.
    pub fn log_determinant(&self) -> Estimate {
        self.trace_of(f64::ln)
    }
}
