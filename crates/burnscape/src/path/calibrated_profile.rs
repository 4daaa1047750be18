use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::calibration::{Moments, calibrate, scores};
use super::places::{Places, chord_lengths};
use super::{Curve, PathError, PathLosses};
use crate::loss::{Classes, LossError, NormalizationPolicy, Progress, Risk, Work};
use crate::space::Grid;
use crate::writing::{Csv, FormatError, csv_of_columns};

/// A measurement of a classifier's cross-entropy along a path, at the best temperature of each place.
///
/// Averaging weights shrinks logits, and a loss can rise for that reason alone; the barrier that is
/// left after calibration is one of the decisions themselves. The temperature is fitted on the same
/// data. Models are evaluated as they are deployed, whatever the mode of the risk.
///
/// # Cost
///
/// One forward pass over the data at every place (two if statistics are re-estimated), the logits of
/// all examples in memory, and about 30 passes over the logits with a host synchronization each.
///
/// # Defaults
///
/// 61 places, statistics re-estimated over all data of the risk.
///
/// # References
///
/// Guo, Pleiss, Sun, Weinberger 2017, *On Calibration of Modern Neural Networks*, arXiv:1706.04599.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Int, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{CalibratedProfileConfig, Segment};
///
/// type Batch = (Tensor<2>, Tensor<1, Int>);
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 3).init(&device));
/// let labels = Tensor::from_ints([0, 1, 2, 0], &device);
/// let data: [Batch; 1] = [(Tensor::ones([4, 2], &device), labels)];
/// let risk = Risk::classes(
///     |model: &Linear, (x, _): &Batch| model.forward(x.clone()),
///     |(_, labels): &Batch| labels.clone(),
///     &data,
/// );
/// let config = CalibratedProfileConfig::new().with_num_points(5);
/// let profile = config.run(&risk, &Segment::new(&a, &b)?)?;
/// assert!(profile.calibrated.max <= profile.losses.max + 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CalibratedProfileConfig {
    places: Places,
    policy: NormalizationPolicy,
}

impl CalibratedProfileConfig {
    /// A profile at 61 places.
    pub fn new() -> Self {
        Self::default()
    }

    /// This many places at equal distances, 2 or more.
    #[must_use]
    pub fn with_num_points(mut self, num_points: usize) -> Self {
        self.places = Places::Equidistant(num_points);
        self
    }

    /// These places, of the whole path or of a part.
    #[must_use]
    pub fn with_grid(mut self, grid: Grid) -> Self {
        self.places = Places::Given(grid);
        self
    }

    /// How running statistics are treated.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Measures the cross-entropy along `curve`.
    ///
    /// # Errors
    ///
    /// [`PathError::BadTargets`], [`PathError::NonFinite`], [`PathError::TimeOutOfRange`] for a grid that
    /// leaves the path, and those of the data.
    pub fn run<'a, M: Module>(
        &self,
        risk: &Risk<'a, M, Classes<'a, M>>,
        curve: &(impl Curve<M> + ?Sized),
    ) -> Result<CalibratedProfile, PathError> {
        let gram = curve.control_points().gram()?;
        let mut times = self.places.times()?;
        let total = times.len();
        let mut lengths = chord_lengths(curve, &gram, &times)?;
        let (mut losses, mut calibrated, mut betas) = (vec![], vec![], vec![]);
        for &t in &times {
            let model = self.policy.point(risk, curve, t)?.valid();
            let all = scores(risk, &model, t)?;
            if all.is_empty() {
                return Err(LossError::EmptyData.into());
            }
            let loss = Moments::at(&all, 1.0)?.loss;
            losses.push(loss);
            let (beta, best) = calibrate(&all)?;
            calibrated.push(best);
            betas.push(beta);
            let progress = Progress::new(Work::Point, betas.len()).of(total);
            if risk.report(progress.value(loss)).is_break() {
                break;
            }
        }
        let completed = betas.len() == total;
        times.truncate(betas.len());
        lengths.truncate(betas.len());
        Ok(CalibratedProfile {
            policy: self.policy,
            losses: PathLosses::new(&times, &lengths, losses, completed),
            calibrated: PathLosses::new(&times, &lengths, calibrated, completed),
            inverse_temperatures: betas,
            completed,
            times,
        })
    }
}

/// The cross-entropy of a classifier along a path, as it is and at the best temperature of each
/// place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CalibratedProfile {
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// The places.
    pub times: Vec<f64>,
    /// The mean cross-entropy `−log softmax(z)_y`.
    pub losses: PathLosses,
    /// `min_β` of the mean of `−log softmax(β z)_y`.
    pub calibrated: PathLosses,
    /// The `β = 1/T` at which the minimum is, between 0 and 1000.
    pub inverse_temperatures: Vec<f64>,
    /// False if the observer stopped the profile: it then ends at the last place measured.
    pub completed: bool,
}

impl Csv for CalibratedProfile {
    /// The columns `t,loss,calibrated_loss,inverse_temperature`.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let columns: [(String, &[f64]); 4] = [
            ("t".into(), &self.times),
            ("loss".into(), &self.losses.losses),
            ("calibrated_loss".into(), &self.calibrated.losses),
            ("inverse_temperature".into(), &self.inverse_temperatures),
        ];
        Ok(csv_of_columns(&columns, writer)?)
    }
}
