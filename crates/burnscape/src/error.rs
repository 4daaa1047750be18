use burnscape_krylov::KrylovFault;
use burnscape_linearize::LinearizeError;
use burnscape_topology::TopologyError;
use thiserror::Error;

use crate::align::AlignError;
use crate::curvature::CurvatureError;
use crate::dynamics::DynamicsError;
use crate::landscape::LandscapeError;
use crate::loss::LossError;
use crate::merge::MergeError;
use crate::optim::OptimError;
use crate::path::PathError;
use crate::posterior::PosteriorError;
use crate::sharpness::SharpnessError;
use crate::space::SpaceError;
use crate::symmetry::SymmetryError;
use crate::trajectory::TrajectoryError;
use crate::{FormatError, OutOfRange};

/// Any error of this library. The errors of all modules convert into it, so `?` works in a function that uses several modules.
///
/// One cause has one shape, whichever module it comes from: a device that failed is always [`Error::Space`] with
/// [`SpaceError::Device`], a loss that is not finite [`Error::Loss`], an observer that broke [`Error::Stopped`]. Only the
/// error of one of several monitors stays [`DynamicsError::Watch`], which has the name of the monitor and the cause.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::krylov::{EigenpairsConfig, Which};
/// use burnscape::prelude::*;
/// use burnscape::sharpness::AverageSharpnessConfig;
///
/// fn ratio(risk: &Risk<'_, Linear>, model: &Linear) -> Result<f64, burnscape::Error> {
///     let top = EigenpairsConfig::new(1, Which::Largest).run(&risk.hessian(model)?)?;
///     let rise = AverageSharpnessConfig::new(0.1).run(risk, model)?;
///     Ok(rise.rise / top.values[0])
/// }
///
/// let model = LinearConfig::new(2, 1).init(&Device::default());
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean() / 0.0;
/// let data = [Tensor::<2>::ones([4, 2], &Device::default())];
/// let error = ratio(&Risk::new(&loss, &data), &model).unwrap_err();
/// assert!(matches!(error, burnscape::Error::Loss(_)), "{error}");
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An observer stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Parameters, vectors, or their device.
    #[error(transparent)]
    Space(SpaceError),
    /// Losses, batches and data.
    #[error(transparent)]
    Loss(LossError),
    /// Traces and derivatives of programs.
    #[error(transparent)]
    Linearize(#[from] LinearizeError),
    /// Methods on operators, and vectors and matrices on the host.
    #[error(transparent)]
    Krylov(#[from] KrylovFault),
    /// Merge trees and diagrams.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Curvature operators.
    #[error(transparent)]
    Curvature(CurvatureError),
    /// Measures of sharpness.
    #[error(transparent)]
    Sharpness(SharpnessError),
    /// Slices of the loss.
    #[error(transparent)]
    Landscape(LandscapeError),
    /// Optimizers.
    #[error(transparent)]
    Optim(OptimError),
    /// Paths between models.
    #[error(transparent)]
    Path(PathError),
    /// Monitors of training.
    #[error(transparent)]
    Dynamics(DynamicsError),
    /// Posteriors and learning coefficients.
    #[error(transparent)]
    Posterior(PosteriorError),
    /// Trajectories of training.
    #[error(transparent)]
    Trajectory(TrajectoryError),
    /// Symmetries of models.
    #[error(transparent)]
    Symmetry(SymmetryError),
    /// Alignments of models.
    #[error(transparent)]
    Align(AlignError),
    /// Merges of models.
    #[error(transparent)]
    Merge(MergeError),
    /// Figures and pages.
    #[cfg(feature = "report")]
    #[error(transparent)]
    Plot(#[from] burnscape_plot::PlotError),
    /// Results that are written or read.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// Converts the errors of a room: causes from below keep their own shape, whatever they are wrapped in.
macro_rules! converted {
    ($error:ident as $own:ident; $($cause:pat => $root:expr),+ $(,)?) => {
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                match error {
                    $($cause => $root,)+
                    other => Self::$own(other),
                }
            }
        }
    };
}

converted!(SpaceError as Space; SpaceError::Krylov(fault) => fault.into());
converted!(LossError as Loss;
    LossError::Stopped { .. } => Self::Stopped,
    LossError::Space(error) => error.into(),
);
converted!(CurvatureError as Curvature;
    CurvatureError::Stopped => Self::Stopped,
    CurvatureError::OutOfRange(error) => error.into(),
    CurvatureError::Linearize(error) => error.into(),
    CurvatureError::Loss(error) => error.into(),
    CurvatureError::Space(error) => error.into(),
    CurvatureError::Krylov(fault) => fault.into(),
);
converted!(SharpnessError as Sharpness;
    SharpnessError::Stopped => Self::Stopped,
    SharpnessError::OutOfRange(error) => error.into(),
    SharpnessError::Curvature(error) => error.into(),
    SharpnessError::Krylov(fault) => fault.into(),
    SharpnessError::Loss(error) => error.into(),
    SharpnessError::Space(error) => error.into(),
);
converted!(LandscapeError as Landscape;
    LandscapeError::Stopped => Self::Stopped,
    LandscapeError::OutOfRange(error) => error.into(),
    LandscapeError::Topology(error) => error.into(),
    LandscapeError::Loss(error) => error.into(),
    LandscapeError::Space(error) => error.into(),
);
converted!(OptimError as Optim;
    OptimError::OutOfRange(error) => error.into(),
    OptimError::Loss(error) => error.into(),
    OptimError::Space(error) => error.into(),
    OptimError::Curvature(error) => error.into(),
);
converted!(PathError as Path;
    PathError::Stopped => Self::Stopped,
    PathError::OutOfRange(error) => error.into(),
    PathError::Optim(error) => error.into(),
    PathError::Loss(error) => error.into(),
    PathError::Space(error) => error.into(),
);
converted!(DynamicsError as Dynamics;
    DynamicsError::OutOfRange(error) => error.into(),
    DynamicsError::Curvature(error) => error.into(),
    DynamicsError::Loss(error) => error.into(),
    DynamicsError::Space(error) => error.into(),
);
converted!(PosteriorError as Posterior;
    PosteriorError::Stopped => Self::Stopped,
    PosteriorError::OutOfRange(error) => error.into(),
    PosteriorError::Curvature(error) => error.into(),
    PosteriorError::Krylov(fault) => fault.into(),
    PosteriorError::Loss(error) => error.into(),
    PosteriorError::Space(error) => error.into(),
);
converted!(TrajectoryError as Trajectory;
    TrajectoryError::Stopped => Self::Stopped,
    TrajectoryError::OutOfRange(error) => error.into(),
    TrajectoryError::Loss(error) => error.into(),
    TrajectoryError::Space(error) => error.into(),
);
converted!(AlignError as Align;
    AlignError::OutOfRange(error) => error.into(),
    AlignError::Loss(error) => error.into(),
    AlignError::Optim(error) => error.into(),
    AlignError::Symmetry(error) => error.into(),
    AlignError::Space(error) => error.into(),
);
converted!(MergeError as Merge;
    MergeError::Stopped { .. } => Self::Stopped,
    MergeError::OutOfRange(error) => error.into(),
    MergeError::Symmetry(error) => error.into(),
    MergeError::Linearize(error) => error.into(),
    MergeError::Loss(error) => error.into(),
    MergeError::Space(error) => error.into(),
);
converted!(SymmetryError as Symmetry;
    SymmetryError::OutOfRange(error) => error.into(),
    SymmetryError::Linearize(error) => error.into(),
    SymmetryError::Space(error) => error.into(),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_device_has_one_shape_from_every_room() {
        let lost = || SpaceError::Device {
            message: "lost".to_string(),
        };
        let loss = || LossError::from(lost());
        let curvature = || CurvatureError::from(loss());
        for error in [
            Error::from(lost()),
            loss().into(),
            curvature().into(),
            SharpnessError::from(curvature()).into(),
            LandscapeError::from(loss()).into(),
            OptimError::from(curvature()).into(),
            PathError::from(OptimError::from(loss())).into(),
            DynamicsError::from(curvature()).into(),
            DynamicsError::from(loss()).into(),
            PosteriorError::from(curvature()).into(),
            TrajectoryError::from(loss()).into(),
            SymmetryError::from(lost()).into(),
            AlignError::from(lost()).into(),
            MergeError::from(loss()).into(),
        ] {
            assert_eq!(error, Error::Space(lost()));
        }
    }

    #[test]
    fn a_stop_and_a_fault_have_one_shape_from_every_room() {
        let stopped = LossError::Stopped { batches: 3 };
        let curvature = CurvatureError::from(stopped.clone());
        assert_eq!(
            Error::from(PathError::from(stopped.clone())),
            Error::Stopped
        );
        assert_eq!(Error::from(LandscapeError::from(stopped)), Error::Stopped);
        let posterior = PosteriorError::from(curvature.clone());
        assert_eq!(Error::from(posterior), Error::Stopped);
        assert_eq!(Error::from(SharpnessError::from(curvature)), Error::Stopped);
        let fault = CurvatureError::from(KrylovFault::HutchinsonOnly);
        let error = SharpnessError::from(fault);
        assert_eq!(
            Error::from(error),
            Error::Krylov(KrylovFault::HutchinsonOnly)
        );
    }
}
