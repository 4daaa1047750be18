use crate::{Estimate, Quadrature};

/// The distribution of an operator's eigenvalues, as quadratures from several random vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralDensity {
    probes: Vec<Quadrature>,
    /// The same without the outliers, with their mass missing.
    bulk: Vec<Quadrature>,
    outliers: Vec<f64>,
    dimension: usize,
    products: usize,
}

impl SpectralDensity {
    pub(crate) fn new(probes: Vec<Quadrature>, dimension: usize, products: usize) -> Self {
        Self {
            bulk: probes.clone(),
            probes,
            outliers: Vec::new(),
            dimension,
            products,
        }
    }

    /// The density of `outliers`, each with the mass of one eigenvalue, and of quadratures that stand for
    /// the rest.
    pub(super) fn with_outliers(
        rest: Vec<Quadrature>,
        outliers: Vec<f64>,
        (dimension, products): (usize, usize),
    ) -> Self {
        let n = dimension as f64;
        let share = (n - outliers.len() as f64) / n;
        let scaled = |mut probe: Quadrature| {
            probe.weights.iter_mut().for_each(|weight| *weight *= share);
            probe
        };
        let bulk: Vec<Quadrature> = rest.into_iter().map(scaled).collect();
        let whole = |probe: &Quadrature| {
            let points = probe
                .nodes
                .iter()
                .copied()
                .zip(probe.weights.iter().copied());
            let exact = outliers.iter().map(|value| (*value, n.recip()));
            let mut points: Vec<(f64, f64)> = points.chain(exact).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (nodes, weights) = points.into_iter().unzip();
            Quadrature { nodes, weights }
        };
        Self {
            probes: bulk.iter().map(whole).collect(),
            bulk,
            outliers,
            dimension,
            products,
        }
    }

    /// The same with more products counted.
    pub(super) fn with_products(mut self, more: usize) -> Self {
        self.products += more;
        self
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
    pub fn products(&self) -> usize {
        self.products
    }

    /// The raw measure: the nodes of all probes, ascending, with weights that sum to one.
    pub fn measure(&self) -> Quadrature {
        let share = 1.0 / self.probes.len() as f64;
        let points = self.probes.iter().flat_map(|probe| {
            let points = probe.nodes.iter().zip(&probe.weights);
            points.map(|(node, weight)| (*node, weight * share))
        });
        let mut points: Vec<(f64, f64)> = points.collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (nodes, weights) = points.into_iter().unzip();
        Quadrature { nodes, weights }
    }

    /// The mean of `f` over the eigenvalues, `tr f(A) / n`, with its standard error over the probes.
    pub fn mean_of(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let values: Vec<f64> = self
            .probes
            .iter()
            .map(|probe| probe.integrate(&f))
            .collect();
        Estimate::of(&values)
    }

    /// `tr f(A)`, with its standard error.
    pub fn trace_of(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let n = self.dimension as f64;
        let mean = self.mean_of(f);
        Estimate {
            value: n * mean.value,
            standard_error: mean.standard_error.map(|error| n * error),
            samples: mean.samples,
        }
    }

    /// `Σ λ / (λ + gamma)` over the positive eigenvalues: how many of them count against `gamma`, in the
    /// units of an eigenvalue.
    pub fn effective_dimension(&self, gamma: f64) -> Estimate {
        // Zero does not count, whatever gamma is.
        let share = |value: f64| value / (value + gamma);
        self.trace_of(|value| if value > 0.0 { share(value) } else { 0.0 })
    }

    /// The fraction of eigenvalues at most `x`.
    pub fn fraction_below(&self, x: f64) -> Estimate {
        self.mean_of(|value| f64::from(u8::from(value <= x)))
    }

    /// `log det A = tr log A` of a positive definite operator. Not a number if a node is negative.
    pub fn log_determinant(&self) -> Estimate {
        self.trace_of(f64::ln)
    }

    /// The density as a curve: each node of [`measure`](Self::measure) as a normal law of standard
    /// deviation `width`, at the points of `grid`, outliers included. A picture; numbers come from the
    /// raw measure. [`CurveConfig`](crate::CurveConfig) chooses width and grid, and adds an error band.
    pub fn smoothed(&self, grid: &[f64], width: f64) -> Vec<f64> {
        let measure = self.measure();
        let scale = 1.0 / (width * (2.0 * std::f64::consts::PI).sqrt());
        let bump = |distance: f64| scale * (-0.5 * (distance / width).powi(2)).exp();
        grid.iter()
            .map(|x| measure.integrate(|node| bump(x - node)))
            .collect()
    }
}
