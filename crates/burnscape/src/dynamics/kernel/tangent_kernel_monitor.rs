use burn::module::Module;

use super::config::Settings;
use super::matrix::{center, centered_vector};
use super::numbers::{Compared, Numbers, is_zero};
use super::products::{matrix, probe, products};
use super::sampled::{OfTargets, form, of_products};
use super::state::Start;
use super::{LinearizedModel, TangentKernelMonitorState, TangentKernelReading};
use crate::OutOfRange;
use crate::curvature::{Ntk, Outputs};
use crate::dynamics::{Cost, DynamicsError, Moment, Monitor};
use crate::loss::{DataReading, Risk, Split};
use crate::space::{ParamVector, epsilon};

/// The rounding of a kernel relative to its norm, in units of the rounding of its element type.
const ROUNDING: f64 = 100.0;

/// Follows the [tangent kernel](super::TangentKernelConfig) of a model along a training run.
///
/// The first measurement is the start: later ones compare their kernel, weights and outputs with it. Its own drift is
/// 0.
///
/// The linearized model has the weights of the start, and everything else of the moment: parameters outside the
/// [group](Risk::with_group) of the risk, and in [`Mode::Eval`](crate::loss::Mode::Eval) running statistics. What those
/// do to the outputs is not in the gap; it is in the drift.
///
/// # Cost
///
/// Between measurements it keeps, on the host, the kernel of the start and its weights. Traces are not kept.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{Due, Moment, TangentKernelConfig, Watch};
/// use burnscape::loss::Risk;
///
/// type Batch = (Tensor<2>, Tensor<2>);
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let x = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], &device);
/// let y = Tensor::<2>::from_data([[1.0], [-1.0], [0.0]], &device);
/// let data = [(x, y.clone())];
/// let risk = Risk::split(
///     |m: &Linear, (x, _): &Batch| m.forward(x.clone()),
///     |z: Tensor<2>, (_, y): Batch| (z - y).square().mean(),
///     &data,
/// );
///
/// let monitor = TangentKernelConfig::new().with_targets(y).init()?;
/// let mut watch = Watch::new(Due::Every(2), monitor, risk.clone())?;
/// let mut sgd = SgdConfig::new().init();
/// for step in 0..=4 {
///     watch.observe(&Moment::new(step, 0.1, &model))?;
///     let gradient = risk.loss_and_gradient(&model)?.gradient;
///     model = sgd.step(0.1, model, gradient.into_gradients());
/// }
/// let readings = watch.readings().to_vec();
/// // The kernel of a linear model stays what it is: the products of the inputs, and 1 for the bias.
/// let last = &readings[2].reading;
/// assert_eq!((last.drift, last.distance), (0.0, Some(0.0)));
/// assert!((last.trace - 10.0).abs() < 1e-5);
/// // yᵀ K y = 5 and |y|² = 2; the kernel is [[2, 1, 2], [1, 5, 3], [2, 3, 3]].
/// let alignment = (2.0 - 2.0 + 5.0) / (66.0_f64.sqrt() * 2.0);
/// assert!(last.alignment.is_some_and(|found| (found - alignment).abs() < 1e-6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TangentKernelMonitor {
    settings: Settings,
    start: Option<Start>,
}

impl TangentKernelMonitor {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            start: None,
        }
    }

    /// The number of probes and their seed; none for a matrix.
    fn probes(&self) -> Option<(usize, u64)> {
        Some((self.settings.num_probes?, self.settings.seed))
    }

    /// A reading, and the start if this is the first one.
    fn read<M: Module>(
        &self,
        risk: &Risk<'_, M, Split>,
        moment: &Moment<'_, M>,
    ) -> Result<(TangentKernelReading, Option<Start>), DynamicsError> {
        let model = moment.model;
        let outputs = risk.outputs(model)?;
        self.check_outputs(&outputs)?;
        let kernel = risk.ntk(model)?;
        let (size, dtype) = (kernel.outputs().len(), kernel.outputs().dtype());
        let weights = ParamVector::from_module(kernel.space(), model)?;
        let start_weights = match &self.start {
            Some(start) => ParamVector::from_host(kernel.space(), &start.weights)?,
            None => weights.clone(),
        };
        let own = match self.probes() {
            None => matrix(risk, &kernel)?,
            Some((count, seed)) => products(risk, &kernel, count, |i| probe(size, seed, i))?,
        };
        check_finite(&own, moment.step)?;
        let start = self.start.as_ref();
        let start = start.map_or(own.as_slice(), |start| start.kernel.as_slice());
        if is_zero(start) {
            return Err(DynamicsError::ZeroKernel);
        }
        let compared = Compared {
            start,
            now: &own,
            targets: self.settings.targets.as_deref(),
            per_example: outputs.per_example,
            rounding: ROUNDING * epsilon(dtype),
        };
        let (numbers, num_products) = match self.probes() {
            None => (Numbers::of_matrix(&compared, size), size),
            Some((count, seed)) => {
                let (of_targets, more) = self.of_targets(risk, &kernel, &compared, moment.step)?;
                let probe = |index| probe(size, seed, index);
                let numbers = of_products(&compared, size, &of_targets, probe)?;
                (numbers, count + more)
            }
        };
        drop(kernel);
        let is_first = self.start.is_none();
        let gap = if is_first {
            None
        } else {
            let linearized = LinearizedModel::new(risk, &start_weights.apply_to(model)?)?;
            linearized.gap_of(model, &outputs.values)?
        };
        let length = start_weights.norm()?;
        let moved = weights.clone().axpy(-1.0, &start_weights)?.norm()?;
        let checks = usize::from(risk.has_checks());
        let reading = TangentKernelReading {
            drift: numbers.drift.0.unwrap_or(f64::NAN),
            drift_standard_error: numbers.drift.1,
            distance: numbers.distance.0,
            distance_standard_error: numbers.distance.1,
            alignment: numbers.alignment.0,
            alignment_standard_error: numbers.alignment.1,
            centered_alignment: numbers.centered_alignment.0,
            centered_alignment_standard_error: numbers.centered_alignment.1,
            alignment_per_output: numbers.alignment_per_output,
            centered_alignment_per_output: numbers.centered_alignment_per_output,
            effective_rank: numbers.effective_rank.0,
            effective_rank_standard_error: numbers.effective_rank.1,
            trace: numbers.trace.0.unwrap_or(f64::NAN),
            trace_standard_error: numbers.trace.1,
            relative_move: (length > 0.0).then(|| moved / length),
            linearization_gap: gap,
            num_examples: outputs.num_examples,
            num_outputs: size,
            num_probes: self.settings.num_probes,
            cost: Cost {
                // The outputs, and the two passes of an operator.
                num_losses: if is_first { 3 } else { 6 },
                num_gradients: checks,
                num_matvecs: num_products + checks + usize::from(!is_first),
            },
        };
        let start = is_first.then(|| {
            Ok::<_, DynamicsError>(Start {
                weights: weights.to_host()?,
                kernel: own,
                num_outputs: size,
                probes: self.probes(),
                digests: None,
            })
        });
        Ok((reading, start.transpose()?))
    }

    /// Refuses outputs that cannot be compared, before there is work.
    fn check_outputs(&self, outputs: &Outputs) -> Result<(), DynamicsError> {
        let found = outputs.values.space().len();
        let refused = |name, value: usize, expected: String| {
            Err(OutOfRange::new(name, value as f64, expected).into())
        };
        if found == 0 {
            return Err(DynamicsError::ZeroKernel);
        }
        let max_outputs = self.settings.max_outputs;
        if self.settings.num_probes.is_none() && found > max_outputs {
            let expected = format!(
                "at least {found}, the outputs of all examples, or fewer examples, or no matrix (`with_num_probes`)"
            );
            return refused("max_outputs", max_outputs, expected);
        }
        if let Some(targets) = self.settings.targets.as_ref().map(Vec::len)
            && targets != found
        {
            let expected = format!(
                "{found} numbers, one for each output of each example (one-hot for classes)"
            );
            return refused("targets.len()", targets, expected);
        }
        match &self.start {
            Some(start) if start.num_outputs != found => {
                let known = start.num_outputs;
                let expected =
                    format!("the data of the first measurement, with {known}, or a new monitor");
                refused("num_outputs", found, expected)
            }
            _ => Ok(()),
        }
    }

    /// What the targets need besides the products with the probes, and the products that it took.
    fn of_targets<M: Module>(
        &self,
        risk: &Risk<'_, M, Split>,
        kernel: &Ntk<'_>,
        compared: &Compared<'_>,
        step: usize,
    ) -> Result<(OfTargets, usize), DynamicsError> {
        let (Some(targets), Some((count, seed))) = (compared.targets, self.probes()) else {
            return Ok((OfTargets::default(), 0));
        };
        let size = targets.len();
        let outputs = compared.per_example;
        let centered =
            outputs.and_then(|outputs| Some((centered_vector(targets, outputs)?, outputs)));
        let total = match &centered {
            Some(_) => 2 + count,
            None => 1,
        };
        let images = products(risk, kernel, total, |index| match (index, &centered) {
            (1, Some((own, _))) => Ok(own.clone()),
            (2.., Some((_, outputs))) => {
                let mut probe = probe(size, seed, index - 2)?;
                center(&mut probe, *outputs);
                Ok(probe)
            }
            _ => Ok(targets.to_vec()),
        })?;
        check_finite(&images, step)?;
        let image = |index: usize| images.chunks_exact(size).nth(index);
        let of_targets = OfTargets {
            form: image(0).and_then(|image| form(targets, image)),
            centered_form: centered.as_ref().and_then(|(own, _)| form(own, image(1)?)),
            centered: images.get(2 * size..).unwrap_or_default().to_vec(),
        };
        Ok((of_targets, total))
    }
}

/// Refuses a kernel that is not finite.
fn check_finite(kernel: &[f64], step: usize) -> Result<(), DynamicsError> {
    match kernel.iter().find(|number| !number.is_finite()) {
        Some(&value) => Err(DynamicsError::NonFinite {
            what: "the tangent kernel",
            step,
            value,
        }),
        None => Ok(()),
    }
}

impl<M: Module> Monitor<M, Split> for TangentKernelMonitor {
    type Reading = TangentKernelReading;
    type State = TangentKernelMonitorState;

    fn name(&self) -> &'static str {
        "tangent_kernel"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, Split>,
        moment: &Moment<'_, M>,
    ) -> Result<TangentKernelReading, DynamicsError> {
        risk.in_time(moment.model, || {
            let mut digests = None;
            if risk.has_checks() {
                let found = risk.read_data()?.digests;
                let start = self.start.as_ref();
                if let Some(known) = start.and_then(|start| start.digests.as_ref()) {
                    DataReading::check_same(known, &found)?;
                }
                digests = Some(found);
            }
            let checks = risk.has_checks() && self.start.is_none();
            let risk = risk.clone().with_checks(checks);
            let (reading, first) = self.read(&risk, moment)?;
            if let Some(first) = first {
                self.start = Some(first);
            }
            if let Some(start) = &mut self.start {
                start.digests = digests.or(start.digests.take());
            }
            Ok(reading)
        })
    }

    fn to_state(&self) -> Result<TangentKernelMonitorState, DynamicsError> {
        Ok(TangentKernelMonitorState {
            start: self.start.clone(),
        })
    }

    /// A state of another model or of other data is refused by the next measurement.
    fn load_state(&mut self, state: TangentKernelMonitorState) -> Result<(), DynamicsError> {
        if let Some(start) = &state.start
            && (start.probes != self.probes() || !start.is_whole())
        {
            let message = "it is that of a monitor with other probes, or is damaged; use the settings of the monitor \
                           that wrote it, or start a new one";
            return Err(DynamicsError::Record {
                message: message.into(),
            });
        }
        self.start = state.start;
        Ok(())
    }
}
