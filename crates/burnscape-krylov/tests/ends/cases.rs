//! Spectra with one outlier at the other end, and what every method says of their near end.

use burnscape_krylov::{EigenMethod, Eigenpairs, EigenpairsConfig, KrylovFault, Which};

use crate::spectra::{Diagonal, size};

/// A method with its defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Lanczos,
    /// Lanczos with verification.
    Verified,
    Block,
    Lobpcg,
    Davidson,
    Power,
}

pub(crate) const METHODS: [Method; 6] = [
    Method::Lanczos,
    Method::Verified,
    Method::Block,
    Method::Lobpcg,
    Method::Davidson,
    Method::Power,
];

/// The eigenvalues near the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Apart from each other by a thousandth of the breadth of the spectrum.
    Apart,
    /// Copies, up to the given number, or eigenvalues as near as copies.
    Copies(usize),
    /// Nearer than that and yet apart: with a far outlier a goal relative to the norm does not tell them
    /// apart, and only a block large enough for all of them does.
    Near,
}

/// Eigenvalues without the outlier, by name.
pub(crate) struct Bulk {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<f64>,
    kind: Kind,
}

impl Bulk {
    /// Whether a method claims to find the ends of such a spectrum. A Krylov space of `p` vectors has `p`
    /// copies, unless it is exhausted: whatever it is multiplied with, the space of one vector `b` has of an
    /// eigenspace only the direction of `b`'s part in it. A second vector sees the others, and costs about as
    /// many products again.
    pub(crate) fn is_for(&self, method: Method, k: usize) -> bool {
        match (self.kind, method) {
            // Of a later pair, it takes small residuals for granted.
            (_, Method::Power) => self.kind == Kind::Apart && k == 1,
            (Kind::Apart, _) | (_, Method::Lobpcg | Method::Verified) => true,
            (Kind::Copies(copies), Method::Block) => k.min(4) >= copies.min(k),
            (Kind::Copies(_), _) => k == 1 || self.name == "steps",
            (Kind::Near, _) => false,
        }
    }

    /// Whether its limit of products is enough.
    pub(crate) fn is_within_defaults(&self, method: Method, k: usize) -> bool {
        match method {
            // A hundred products.
            Method::Power => false,
            // To rule out a neighbor as near as that takes more than its limit.
            Method::Verified => self.kind != Kind::Near,
            Method::Davidson => self.name != "ladder" || k < 3,
            _ => true,
        }
    }
}

pub(crate) fn bulks() -> Vec<Bulk> {
    let map = |n: usize, f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
    let bulk = |name, kind, values| Bulk { name, values, kind };
    vec![
        bulk("one", Kind::Apart, vec![2.0]),
        bulk("two", Kind::Apart, vec![2.0, -1.0]),
        bulk("tenths", Kind::Apart, map(5, &|i| 0.1 * (i + 1) as f64)),
        bulk("ladder", Kind::Apart, map(299, &|i| (i + 1) as f64)),
        bulk("unit", Kind::Apart, map(100, &|i| i as f64 / 100.0)),
        bulk(
            "decay",
            Kind::Apart,
            map(120, &|i| -(0.8_f64.powi(i as i32))),
        ),
        bulk(
            "signs",
            Kind::Apart,
            map(150, &|i| (i as f64 - 40.0).powi(3) / 1e3),
        ),
        bulk(
            "waves",
            Kind::Near,
            map(250, &|i| (1.3 * i as f64).sin() + 0.2 * i as f64),
        ),
        bulk(
            "semicircle",
            Kind::Near,
            map(200, &|i| -(0.0157 * i as f64).cos()),
        ),
        bulk("steps", Kind::Copies(25), map(100, &|i| (i / 25) as f64)),
        bulk(
            "triple",
            Kind::Copies(3),
            map(150, &|i| i.saturating_sub(2) as f64),
        ),
        bulk("pairs", Kind::Copies(2), map(80, &|i| (i / 2) as f64)),
        bulk(
            "null",
            Kind::Copies(61),
            map(90, &|i| i.saturating_sub(60) as f64),
        ),
        bulk(
            "clusters",
            Kind::Copies(4),
            map(120, &|i| (i / 4) as f64 + 1e-9 * (i % 4) as f64),
        ),
    ]
}

/// The result of a run.
pub(crate) struct Said {
    pub(crate) converged: bool,
    pub(crate) num_matvecs: usize,
    /// How far the worst value is beyond what its residual and the rounding allow, over that.
    pub(crate) excess: f64,
}

impl Said {
    pub(crate) fn is_right(&self) -> bool {
        self.excess <= 1.0
    }
}

/// The eigenvalues that are wanted, the outermost first.
pub(crate) fn wanted(values: &[f64], which: Which, k: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match which {
        Which::Largest => sorted.reverse(),
        Which::Smallest => {}
        Which::LargestMagnitude => sorted.sort_by(|a, b| b.abs().total_cmp(&a.abs())),
        Which::BothEnds => {
            let mut rest = std::collections::VecDeque::from(sorted);
            sorted = Vec::new();
            while let Some(top) = rest.pop_back() {
                sorted.push(top);
                sorted.extend(rest.pop_front());
            }
        }
    }
    sorted.truncate(k);
    sorted
}

type Run = Result<Eigenpairs<Vec<f64>>, KrylovFault>;

pub(crate) fn run(method: Method, a: &Diagonal, (k, end): (usize, Which), seed: u64) -> Run {
    match method {
        Method::Lanczos => EigenpairsConfig::new(k, end).with_seed(seed).run(a),
        Method::Verified => EigenpairsConfig::new(k, end)
            .with_verification(true)
            .with_seed(seed)
            .run(a),
        Method::Block => EigenpairsConfig::new(k, end)
            .with_method(EigenMethod::Block)
            .with_seed(seed)
            .run(a),
        Method::Lobpcg => EigenpairsConfig::new(k, end)
            .with_method(EigenMethod::Lobpcg)
            .with_seed(seed)
            .run(a),
        Method::Power => EigenpairsConfig::new(k, Which::LargestMagnitude)
            .with_method(EigenMethod::Power)
            .with_seed(seed)
            .run(a),
        Method::Davidson => EigenpairsConfig::new(k, end)
            .with_method(EigenMethod::Davidson)
            .with_seed(seed)
            .run(a),
    }
}

pub(crate) fn say(method: Method, values: &[f64], what: (usize, Which), seed: u64) -> Said {
    let a = Diagonal(values.to_vec());
    let found = run(method, &a, what, seed).unwrap();
    let (converged, products) = (found.outcome.is_converged(), found.num_matvecs);
    let rounding = 8.0 * f64::EPSILON * size(values);
    let wanted = wanted(values, what.1, what.0);
    let excess = found.values.iter().zip(&found.residuals).zip(&wanted).map(
        |((value, residual), wanted)| {
            // Values of one size and either sign may change places.
            let distance = match what.1 {
                Which::LargestMagnitude => (value.abs() - wanted.abs()).abs(),
                _ => (value - wanted).abs(),
            };
            distance / (residual + rounding).max(f64::MIN_POSITIVE)
        },
    );
    let excess = excess.fold(0.0_f64, f64::max);
    let is_whole = found.values.len() == what.0;
    Said {
        converged,
        num_matvecs: products,
        excess: if is_whole { excess } else { f64::INFINITY },
    }
}
