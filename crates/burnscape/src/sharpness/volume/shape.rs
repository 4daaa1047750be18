use burnscape_krylov::{
    EigenpairsConfig, LanczosFactorization, Orthonormal, Outcome, SelfAdjoint, TraceConfig,
    VectorBlock, VectorSpace, Which,
};

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::sharpness::SharpnessError;
use crate::space::{ParamSpace, ParamVector, SpaceError, epsilon};

/// Curvatures count as this share of the largest one at least. Any positive units give the same volume.
const FLOOR: f64 = 1e-6;

/// The accuracy of eigenvectors, relative to the norm of the matrix.
const TOLERANCE: f64 = 1e-3;

/// A linear map `M` of directions, along which radii vary less than along those of the sphere.
pub(super) struct Shape {
    map: Map,
    /// `ln |det M|`.
    pub(super) log_determinant: f64,
    /// The sum of the logarithms of all curvatures, if all are known and positive.
    pub(super) log_curvatures: Option<f64>,
    /// Products used.
    pub(super) num_matvecs: usize,
}

#[allow(clippy::large_enum_variant, reason = "one a measurement")]
enum Map {
    Identity,
    /// `diag(d)`.
    Diagonal(ParamVector),
    /// `a I + Σ (b_k − a) q_k q_kᵀ`, for orthonormal `q_k`.
    Spectral {
        vectors: <ParamVector as VectorSpace>::Block,
        units: Vec<f64>,
        rest: f64,
    },
}

impl Shape {
    /// The sphere.
    pub(super) fn round() -> Self {
        Self {
            map: Map::Identity,
            log_determinant: 0.0,
            log_curvatures: None,
            num_matvecs: 0,
        }
    }

    /// The ellipsoid with these curvatures along the coordinates.
    pub(super) fn diagonal(curvatures: &ParamVector) -> Result<Self, SharpnessError> {
        let space = curvatures.space();
        let values = curvatures.to_host()?;
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(OutOfRange::new("curvatures", value, "finite numbers").into());
        }
        let scale = Units::of(&values, FLOOR)?;
        let units: Vec<f64> = values.iter().map(|value| scale.unit(*value)).collect();
        let is_positive = values.iter().all(|value| *value > 0.0);
        Ok(Self {
            log_determinant: log_sum(&units),
            log_curvatures: is_positive.then(|| log_sum(&values)),
            map: Map::Diagonal(ParamVector::from_host(space, &units)?),
            num_matvecs: 0,
        })
    }

    /// The ellipsoid of a matrix: its largest eigenpairs, and the mean of the other eigenvalues.
    pub(super) fn spectral<A>(
        operator: &A,
        num_eigenpairs: usize,
        seed: u64,
    ) -> Result<Self, SharpnessError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let space = operator.domain();
        if space.len() <= num_eigenpairs {
            Self::whole(operator, &space, seed)
        } else {
            Self::outermost(operator, &space, num_eigenpairs, seed)
        }
    }

    /// All eigenpairs.
    fn whole<A>(operator: &A, space: &ParamSpace, seed: u64) -> Result<Self, SharpnessError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let record = LanczosFactorization::from_random(operator, space.len(), seed)?;
        if record.len() < space.len() {
            return Err(SharpnessError::Stopped);
        }
        let pairs = record.eigenpairs(operator, Which::Largest, space.len())?;
        let rounding = rounding(space)?;
        let scale = Units::of(&pairs.values, FLOOR.max(rounding))?;
        let units: Vec<f64> = pairs
            .values
            .iter()
            .map(|value| scale.unit(*value))
            .collect();
        let is_positive = |value: &f64| *value > rounding * scale.largest;
        Ok(Self {
            log_determinant: log_sum(&units),
            log_curvatures: pairs
                .values
                .iter()
                .all(is_positive)
                .then(|| log_sum(&pairs.values)),
            num_matvecs: record.num_matvecs() + pairs.num_matvecs,
            map: Map::Spectral {
                vectors: Orthonormal::orthonormalize(space, pairs.vectors)?.into_block(),
                units,
                rest: 0.0,
            },
        })
    }

    fn outermost<A>(
        operator: &A,
        space: &ParamSpace,
        num_eigenpairs: usize,
        seed: u64,
    ) -> Result<Self, SharpnessError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let pairs = EigenpairsConfig::new(num_eigenpairs, Which::LargestMagnitude)
            .with_tolerance(TOLERANCE)
            .with_seed(seed)
            .run(operator)?;
        let trace = TraceConfig::new().with_seed(seed).run(operator)?;
        if [pairs.outcome, trace.outcome].contains(&Outcome::Stopped) {
            return Err(SharpnessError::Stopped);
        }
        let count = (space.len() - pairs.values.len()) as f64;
        let mean = (trace.value - pairs.values.iter().sum::<f64>()) / count;
        let scale = Units::of(&pairs.values, FLOOR.max(rounding(space)?))?;
        let units: Vec<f64> = pairs
            .values
            .iter()
            .map(|value| scale.unit(*value))
            .collect();
        let rest = scale.unit(mean);
        Ok(Self {
            log_determinant: log_sum(&units) + count * rest.ln(),
            log_curvatures: None,
            num_matvecs: pairs.num_matvecs + trace.num_matvecs,
            map: Map::Spectral {
                vectors: Orthonormal::orthonormalize(space, pairs.vectors)?.into_block(),
                units,
                rest,
            },
        })
    }

    /// `M u`.
    pub(super) fn apply(&self, u: ParamVector) -> Result<ParamVector, SpaceError> {
        match &self.map {
            Map::Identity => Ok(u),
            Map::Diagonal(units) => u.hadamard(units),
            Map::Spectral {
                vectors,
                units,
                rest,
            } => {
                let along = vectors.dots(&u)?.into_iter().zip(units);
                let along: Vec<f64> = along.map(|(along, unit)| (unit - rest) * along).collect();
                vectors.linear_combination(&along)?.axpy(*rest, &u)
            }
        }
    }
}

/// The lengths that belong to curvatures, `1/√λ`.
struct Units {
    largest: f64,
    least: f64,
}

impl Units {
    /// `floor` is the share of the largest curvature that the others have at least.
    fn of(curvatures: &[f64], floor: f64) -> Result<Self, SharpnessError> {
        let largest = curvatures.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        if largest == 0.0 {
            return Err(SharpnessError::NoCurvature);
        }
        Ok(Self {
            largest,
            least: floor * largest,
        })
    }

    fn unit(&self, curvature: f64) -> f64 {
        curvature.abs().max(self.least).sqrt().recip()
    }
}

/// What rounding makes of an eigenvalue of zero, in units of the largest one.
fn rounding(space: &ParamSpace) -> Result<f64, SpaceError> {
    Ok(8.0 * (space.len() as f64).sqrt() * epsilon(space.dtype()?))
}

fn log_sum(values: &[f64]) -> f64 {
    values.iter().map(|value| value.ln()).sum()
}
