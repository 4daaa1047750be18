use std::ops::Bound::{Excluded, Included};

use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::KrylovFault;

use super::search::{End, Search};
use super::{CriticalPoints, FoundPoint};
use crate::curvature::CurvatureError;
use crate::loss::{LossError, Progress, Risk, Work};
use crate::range::{POSITIVE, ensure};

/// Critical points of any index (minima, saddles, maxima), by Newton's method from many starts.
///
/// A step is `w ← w − min(1, max_step |w| / |p|) p` with `p = Σ_i ⟨u_i, g⟩ / λ̃_i u_i` over the eigenpairs of the
/// Hessian, where `λ̃_i` is `λ_i`, and `± floor · |H|` with the sign of `λ_i` where `λ_i` is smaller. Negative
/// eigenvalues keep their sign: unlike an optimizer, the method goes to the critical point of the quadratic model,
/// whatever its kind. It does not descend on `|g|²`, which ends at points that are not critical.
///
/// A start ends where `|g| ≤ gradient_tolerance`, with a [`CriticalPoint`](crate::spectrum::CriticalPoint): the kind,
/// the loss, and how many eigenvalues are negative (the index). Ends with the same loss and the same numbers of
/// negative and positive eigenvalues, where both are known, are one point, unless [`distance`](Self::distance) is set:
/// then they must also be that near.
///
/// # Gradient-flat ends
///
/// Where `|Hg| ≤ zero · |H| |g|`, the gradient is in directions without curvature, and no critical point is near as far
/// as first and second derivatives tell, however small the gradient is: far out on the tail of a loss, or on a long
/// slope. Such ends are listed apart, as [`gradient_flat`](CriticalPoints::gradient_flat). A critical point that is
/// degenerate in the direction of the gradient (`w⁴` at zero) may look the same.
///
/// # What is found
///
/// The points found are critical points, but not all of them, and each as often as its basin is large. Their losses and
/// indices are a sample that depends on the starts: use starts of several scales, and some from training runs.
///
/// # Units
///
/// `gradient_tolerance` is in loss per parameter, `distance` a length in parameter space; other settings have no units.
///
/// # Cost
///
/// A step takes a gradient, and a Hessian-vector product for each parameter (in blocks, on the host afterwards) or
/// `max_basis` of them if there are more parameters; an end a few products more, and as many again for its index. The
/// Hessian is traced once, and again after a start that left the range of numbers. Memory: a matrix of at most
/// `max_basis`² numbers on the host, or `max_basis` vectors on the device, and the weights at which each start ends.
///
/// With more parameters than `max_basis` a step is approximate, and an index is a lower bound.
///
/// # Reproducibility
///
/// Start `i` is made from `seed + i`, and its end depends on nothing else: further starts extend a search.
///
/// # Defaults
///
/// At most 100 steps a start, eigenvalues floored at 1e-4 of the largest, steps of at most half the length of the
/// weights, bases of at most 500 vectors, zero eigenvalues up to 1e-6 of the largest, losses equal to 1e-6: ours.
/// Without a limit of the step most starts end at the same few points; a small limit needs more steps.
///
/// # References
///
/// Dauphin et al. 2014, arXiv:1406.2572, for losses and indices of critical points found by Newton's method; Frye et
/// al. 2021, *Critical point-finding methods reveal gradient-flat regions of deep network losses*, Neural Computation
/// 33, arXiv:2003.10397.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::spectrum::CriticalPointsConfig;
///
/// #[derive(Module, Debug)]
/// struct Point {
///     w: Param<Tensor<1>>,
/// }
///
/// // x² − y² + y⁴/4: a saddle at the origin, minima of −1 at (0, ±√2).
/// let loss = |m: &Point, _: Tensor<1>| {
///     let (x, y) = (m.w.val().slice(0..1).square(), m.w.val().slice(1..2).square());
///     x - y.clone() + y.square() * 0.25
/// };
/// let device = Device::default();
/// let data = [Tensor::<1>::zeros([1], &device)];
/// let start = |seed: u64| {
///     let angle = seed as f32;
///     let w = Tensor::from_data([angle.cos(), angle.sin()], &device);
///     Point { w: Param::from_tensor(w) }
/// };
/// let found = CriticalPointsConfig::new(6, 1e-4).run(&Risk::new(&loss, &data), start)?;
/// let losses: Vec<f64> = found.points.iter().map(|found| found.point.loss.round()).collect();
/// let indices: Vec<_> = found.points.iter().map(|found| found.index()).collect();
/// assert_eq!((losses, indices), (vec![-1.0, 0.0], vec![Some(0), Some(1)]));
/// println!("{found}");
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct CriticalPointsConfig {
    /// Number of starts.
    pub num_starts: usize,
    /// The norm up to which a gradient counts as zero, in its units.
    pub gradient_tolerance: f64,
    /// The most steps of a start.
    #[config(default = 100)]
    pub max_steps: usize,
    /// The size below which an eigenvalue is replaced in a step, as a share of the largest size.
    #[config(default = 1e-4)]
    pub floor: f64,
    /// The largest length of a step, as a share of the length of the weights. None: no limit.
    #[config(default = "Some(0.5)")]
    pub max_step: Option<f64>,
    /// How many vectors a Krylov space may have. With as many as parameters, steps and indices are exact.
    #[config(default = 500)]
    pub max_basis: usize,
    /// The size up to which an eigenvalue counts as zero, as a share of the largest size; rounding, if that is more.
    #[config(default = 1e-6)]
    pub zero: f64,
    /// The difference up to which losses are the same, as a share of the largest loss of a point.
    #[config(default = 1e-6)]
    pub loss_tolerance: f64,
    /// The distance up to which ends with the same loss and index are one point. None: at any distance, so that images
    /// under a symmetry are one point.
    pub distance: Option<f64>,
    /// Seed of the first start, and of random vectors.
    #[config(default = 0)]
    pub seed: u64,
}

impl CriticalPointsConfig {
    /// Searches from the models that `start` makes of the seeds `seed`, `seed + 1`, ….
    ///
    /// The starts must have the same parameters. What is not a parameter of the risk (running statistics, frozen
    /// parameters, those outside its group) is that of the first start at all points.
    ///
    /// The observer of the risk sees [`Work::Start`](crate::loss::Work::Start) after every start. If it breaks, the
    /// result has the starts before.
    ///
    /// A loss, gradient or product that is NaN or infinite ends a start; it is counted.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`]; [`CurvatureError::Stopped`] in the first start; [`CurvatureError::Space`] for
    /// starts with other parameters; other errors of a [`Hessian`](crate::curvature::Hessian).
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        mut start: impl FnMut(u64) -> M,
    ) -> Result<CriticalPoints, CurvatureError> {
        self.check()?;
        let _ = risk.take_break();
        let mut found = CriticalPoints::new(self.clone());
        let mut search = Search::new(self, risk, start(self.seed))?;
        for index in 0..self.num_starts {
            let seed = self.seed.wrapping_add(index as u64);
            let end = if index == 0 {
                search.first_end(seed)
            } else {
                search.end_of(&start(seed), seed)
            };
            match end {
                Ok(End::Critical(point)) => found.points.push(point),
                Ok(End::GradientFlat(point)) => found.gradient_flat.push(point),
                Ok(End::Unfinished) => found.num_unconverged += 1,
                Ok(End::NotFinite) => found.num_not_finite += 1,
                Err(error) if is_not_finite(&error) => found.num_not_finite += 1,
                Err(error) if is_stop(&error) => {
                    if index == 0 {
                        return Err(CurvatureError::Stopped);
                    }
                    found.completed = false;
                    break;
                }
                Err(error) => return Err(error),
            }
            let progress = Progress::new(Work::Start, index + 1).of(self.num_starts);
            let is_stopped = risk.take_break() || risk.report(progress).is_break();
            if is_stopped && index + 1 < self.num_starts {
                found.completed = false;
                break;
            }
        }
        for points in [&mut found.points, &mut found.gradient_flat] {
            *points = self.merged(std::mem::take(points), search.rounding())?;
        }
        found.num_gradients = search.num_gradients;
        found.num_matvecs = search.num_matvecs;
        Ok(found)
    }

    fn check(&self) -> Result<(), CurvatureError> {
        ensure("num_starts", self.num_starts as f64, 1.0..)?;
        ensure("gradient_tolerance", self.gradient_tolerance, POSITIVE)?;
        ensure("max_steps", self.max_steps as f64, 1.0..)?;
        ensure("floor", self.floor, (Excluded(0.0), Included(1.0)))?;
        if let Some(share) = self.max_step {
            ensure("max_step", share, POSITIVE)?;
        }
        ensure("max_basis", self.max_basis as f64, 1.0..)?;
        ensure("zero", self.zero, 0.0..1.0)?;
        ensure("loss_tolerance", self.loss_tolerance, 0.0..)?;
        if let Some(distance) = self.distance {
            ensure("distance", distance, 0.0..)?;
        }
        Ok(())
    }

    /// The distinct ones of some ends, by ascending loss. Losses that differ by `rounding` are the same in any case.
    fn merged(
        &self,
        mut ends: Vec<FoundPoint>,
        rounding: f64,
    ) -> Result<Vec<FoundPoint>, CurvatureError> {
        let sizes = ends.iter().map(|end| end.point.loss.abs());
        let tolerance = self.loss_tolerance * sizes.fold(0.0, f64::max);
        let tolerance = tolerance.max(rounding);
        ends.sort_by(|one, other| one.point.loss.total_cmp(&other.point.loss));
        let mut distinct: Vec<FoundPoint> = Vec::with_capacity(ends.len());
        'ends: for end in ends {
            for known in &mut distinct {
                if known.is_same(&end, tolerance, self.distance)? {
                    known.absorb(end);
                    continue 'ends;
                }
            }
            distinct.push(end);
        }
        Ok(distinct)
    }
}

/// Whether an observer ended the work.
fn is_stop(error: &CurvatureError) -> bool {
    let by_method = CurvatureError::Krylov(KrylovFault::Stopped);
    *error == CurvatureError::Stopped || *error == by_method
}

/// Whether a start left the range of numbers.
fn is_not_finite(error: &CurvatureError) -> bool {
    matches!(
        error,
        CurvatureError::Loss(LossError::NonFinite { .. } | LossError::NonFiniteGradient { .. })
            | CurvatureError::NonFiniteGradient { .. }
            | CurvatureError::NonFiniteProduct { .. }
            | CurvatureError::Krylov(
                KrylovFault::NonFinite { .. }
                    | KrylovFault::NonFiniteArgument { .. }
                    | KrylovFault::OutOfRange { .. }
            )
    )
}
