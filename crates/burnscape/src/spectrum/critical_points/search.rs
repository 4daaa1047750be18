use burn::module::Module;
use burnscape_krylov::{LanczosFactorization, LinearOperator};

use super::newton::{Newton, largest, on_host};
use super::{CriticalPointsConfig, FoundPoint};
use crate::curvature::{CurvatureError, Hessian, Kept};
use crate::loss::Risk;
use crate::space::{ParamSpace, ParamVector, epsilon};
use crate::spectrum::Spectrum;

/// Lanczos steps that give the norm of a Hessian, to a few percent.
const NORM_STEPS: usize = 12;

/// How a start ended.
pub(super) enum End {
    Critical(FoundPoint),
    GradientFlat(FoundPoint),
    /// After the last step, the gradient was not small.
    Unfinished,
    NotFinite,
}

/// The state that the starts of a search share.
pub(super) struct Search<'r, 'a, M, K> {
    config: &'r CriticalPointsConfig,
    risk: &'r Risk<'a, M, K>,
    space: ParamSpace,
    /// The machine epsilon of the parameters.
    epsilon: f64,
    /// The first start, of which the others take what is not a parameter.
    template: M,
    /// The programs of the Hessian.
    kept: Option<Kept>,
    /// The largest loss of a start.
    largest_start: f64,
    pub(super) num_gradients: usize,
    pub(super) num_matvecs: usize,
}

/// A point of a start.
struct Place<'h, 'a> {
    hessian: &'h Hessian<'a>,
    gradient: &'h ParamVector,
    norm: f64,
}

impl<'r, 'a, M: Module, K> Search<'r, 'a, M, K> {
    pub(super) fn new(
        config: &'r CriticalPointsConfig,
        risk: &'r Risk<'a, M, K>,
        template: M,
    ) -> Result<Self, CurvatureError> {
        let space = risk.space(&template)?;
        let epsilon = epsilon(space.dtype()?);
        Ok(Self {
            config,
            risk,
            space,
            epsilon,
            template,
            kept: None,
            largest_start: 0.0,
            num_gradients: 0,
            num_matvecs: 0,
        })
    }

    /// How the first start ends.
    pub(super) fn first_end(&mut self, seed: u64) -> Result<End, CurvatureError> {
        let weights = ParamVector::from_module(&self.space, &self.template)?;
        self.descend(weights, seed)
    }

    /// How a start ends.
    pub(super) fn end_of(&mut self, start: &M, seed: u64) -> Result<End, CurvatureError> {
        let weights = ParamVector::from_module(&self.space, start)?;
        self.descend(weights, seed)
    }

    /// The rounding of losses: minima of zero are not exactly zero.
    pub(super) fn rounding(&self) -> f64 {
        self.epsilon * self.largest_start
    }

    fn descend(&mut self, mut weights: ParamVector, seed: u64) -> Result<End, CurvatureError> {
        for step in 0..=self.config.max_steps {
            let model = weights.apply_to(&self.template)?;
            let hessian = Hessian::with_kept(self.risk, &model, self.kept.take())?;
            self.num_gradients += 1;
            self.check_break()?;
            if step == 0 {
                self.largest_start = self.largest_start.max(hessian.loss().abs());
            }
            let gradient = hessian.gradient()?;
            let norm = gradient.norm()?;
            if !norm.is_finite() {
                return Ok(End::NotFinite);
            }
            let is_last = norm <= self.config.gradient_tolerance || step == self.config.max_steps;
            let shift = if is_last {
                None
            } else {
                self.shift(&hessian, &gradient)?
            };
            let place = Place {
                hessian: &hessian,
                gradient: &gradient,
                norm,
            };
            let end = match shift {
                Some(shift) => {
                    weights = match self.moved(weights, &shift)? {
                        Some(moved) => moved,
                        None => return Ok(End::NotFinite),
                    };
                    None
                }
                None => Some(self.judge(&place, &weights, (seed, step))?),
            };
            self.kept = Some(hessian.into_kept());
            if let Some(end) = end {
                return Ok(end);
            }
        }
        Ok(End::Unfinished)
    }

    /// The step of Newton's method, before it is shortened; none without curvature.
    fn shift(
        &mut self,
        hessian: &Hessian<'_>,
        gradient: &ParamVector,
    ) -> Result<Option<ParamVector>, CurvatureError> {
        let newton = Newton {
            max_basis: self.config.max_basis.min(self.space.len()),
            floor: self.config.floor,
            seed: self.config.seed,
        };
        let shift = if self.space.len() <= self.config.max_basis {
            self.num_matvecs += self.space.len();
            let (shift, _) = newton.step(&on_host(hessian)?, gradient.to_host()?)?;
            let shift = shift.map(|shift| ParamVector::from_host(&self.space, &shift));
            shift.transpose()?
        } else {
            let (shift, num_matvecs) = newton.step(hessian, gradient.clone())?;
            self.num_matvecs += num_matvecs;
            shift
        };
        self.check_break()?;
        Ok(shift)
    }

    /// The weights after a step; none if it is not finite.
    fn moved(
        &self,
        weights: ParamVector,
        shift: &ParamVector,
    ) -> Result<Option<ParamVector>, CurvatureError> {
        let length = shift.norm()?;
        if !length.is_finite() {
            return Ok(None);
        }
        let share = self.config.max_step.unwrap_or(f64::INFINITY);
        let longest = match weights.norm()? {
            // From zero, any step is infinitely long.
            0.0 => f64::INFINITY,
            norm => share * norm,
        };
        let factor = if length > longest {
            longest / length
        } else {
            1.0
        };
        Ok(Some(weights.axpy(-factor, shift)?))
    }

    /// What the last point of a start is.
    fn judge(
        &mut self,
        place: &Place<'_, '_>,
        weights: &ParamVector,
        (seed, num_steps): (u64, usize),
    ) -> Result<End, CurvatureError> {
        let (curved_gradient, zero) = self.curved_gradient(place)?;
        let is_flat = curved_gradient.is_some_and(|curved| curved <= zero);
        let tolerance = self.config.gradient_tolerance;
        if !is_flat && place.norm > tolerance {
            return Ok(End::Unfinished);
        }
        let point = Spectrum::of(place.hessian)
            .with_steps(self.config.max_basis)
            .with_zero(zero)
            .with_seed(self.config.seed)
            .critical_point(tolerance)?;
        self.num_matvecs += point.num_matvecs;
        self.check_break()?;
        let found = FoundPoint {
            point,
            curved_gradient,
            seeds: vec![seed],
            num_steps,
            weights: Some(weights.clone()),
        };
        Ok(if is_flat {
            End::GradientFlat(found)
        } else {
            End::Critical(found)
        })
    }

    /// `|Hg| / |g|`, and the size up to which an eigenvalue counts as zero.
    fn curved_gradient(
        &mut self,
        place: &Place<'_, '_>,
    ) -> Result<(Option<f64>, f64), CurvatureError> {
        let (hessian, dimension) = (place.hessian, self.space.len());
        let steps = NORM_STEPS.min(dimension);
        let record = LanczosFactorization::from_random(hessian, steps, self.config.seed)?;
        self.num_matvecs += record.num_matvecs();
        self.check_break()?;
        let rounding = 8.0 * (dimension as f64).sqrt() * self.epsilon;
        let zero = self.config.zero.max(rounding) * largest(&record.ritz_values());
        if place.norm == 0.0 {
            return Ok((None, zero));
        }
        let along = place.gradient.clone().normalize()?;
        let curved = hessian.matvec(&along)?.norm()?;
        self.num_matvecs += 1;
        self.check_break()?;
        Ok((Some(curved), zero))
    }

    fn check_break(&self) -> Result<(), CurvatureError> {
        if self.risk.take_break() {
            return Err(CurvatureError::Stopped);
        }
        Ok(())
    }
}
