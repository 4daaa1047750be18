//! The gradients of parts of the data, and what they have in common.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;

use super::NoiseEstimator;
use super::moments::Moments;
use super::quadratic_forms::{Forms, QuadraticForms};
use crate::OutOfRange;
use crate::curvature::Hessian;
use crate::dynamics::DynamicsError;
use crate::loss::{Draws, LossError, PartGradient, Risk};
use crate::space::{LeafVector, ParamSpace, ParamVector, RunningMean, as_accumulator};

/// The share of the terms that a squared distance may be. Below, it has lost two digits, and the difference is formed.
const CANCELLED: f64 = 1e-2;

/// What the gradients of parts of the data say.
pub(super) struct Sampled {
    pub(super) num_examples: usize,
    /// Examples of a gradient; of the larger one for two sizes.
    pub(super) batch_size: usize,
    pub(super) num_samples: usize,
    /// The mean loss of an example.
    pub(super) loss: f64,
    /// `|ḡ|²`.
    pub(super) mean_square: f64,
    pub(super) moments: Moments,
    pub(super) forms: Option<Forms>,
    /// Gradients over all data that it took.
    pub(super) num_passes: usize,
}

/// Samples gradients at one point, and their forms in a Hessian there.
pub(super) fn sampled<M: Module, K>(
    estimator: NoiseEstimator,
    risk: &Risk<'_, M, K>,
    model: &M,
    hessian: Option<&Hessian<'_>>,
) -> Result<Sampled, DynamicsError> {
    match estimator {
        NoiseEstimator::PerExample => per_example(risk, model, hessian),
        NoiseEstimator::MicroBatches { size } => micro_batches(risk, model, size, hessian),
        NoiseEstimator::TwoSizes { small } => two_sizes(risk, model, small, hessian),
    }
}

/// One example after the other, against the mean of a pass before. Three vectors are kept.
fn per_example<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    hessian: Option<&Hessian<'_>>,
) -> Result<Sampled, DynamicsError> {
    let space = risk.space(model)?;
    // The draws of an example are others in a batch.
    let size = (risk.draws() != Draws::Refused).then_some(1);
    let (mut gradients, mut loss, mut num_examples) = (RunningMean::new(), 0.0, 0);
    each_part(risk, model, size, |part| {
        num_examples += part.num_examples;
        let weight = part.num_examples as f64;
        loss += weight * part.loss;
        gradients.add(widened(&part.gradient), weight)?;
        Ok(())
    })?;
    if num_examples < 2 {
        return Err(too_few(num_examples, "examples"));
    }
    let mean = mean_vector(&space, gradients)?;
    let mean_square = square(&mean)?;
    let mut forms = hessian.map(QuadraticForms::new);
    let (mut distances, mut along) = (Vec::new(), Vec::new());
    each_part(risk, model, Some(1), |part| {
        let deviation = part.gradient.axpy(-1.0, &mean)?;
        distances.push(square(&deviation)?);
        along.push(deviation.dot(&mean)?);
        if let Some(forms) = &mut forms {
            forms.add(deviation)?;
        }
        Ok(())
    })?;
    if distances.len() != num_examples {
        let [first, second] = [num_examples, distances.len()].map(|count| count as f64);
        return Err(LossError::NotDeterministic {
            what: "number of examples",
            first,
            second,
        }
        .into());
    }
    Ok(Sampled {
        num_examples,
        batch_size: 1,
        num_samples: num_examples,
        loss: loss / num_examples as f64,
        mean_square,
        moments: Moments::of_gradients(1, &distances, &along, mean_square),
        forms: forms.map(|forms| forms.finish(&mean)).transpose()?,
        num_passes: 2,
    })
}

/// All micro-batches at once. Their gradients are kept: a second pass would cost them again.
fn micro_batches<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    size: Option<usize>,
    hessian: Option<&Hessian<'_>>,
) -> Result<Sampled, DynamicsError> {
    let (mut expected, mut loss) = (size, 0.0);
    let mut gradients: Vec<LeafVector> = Vec::new();
    each_part_of(
        |visit| risk.each_part_leaves(model, size, visit),
        |part| {
            let expected = *expected.get_or_insert(part.num_examples);
            if size.is_some() && part.batch_examples < expected {
                return Err(DynamicsError::BatchSize {
                    size: expected,
                    available: part.batch_examples,
                });
            }
            check_equal(expected, part.num_examples)?;
            loss += part.loss;
            gradients.push(part.gradient.widen());
            Ok(())
        },
    )?;
    let count = gradients.len();
    if count < 2 {
        return Err(too_few(count, "micro-batches"));
    }
    let Some(batch_size) = expected else {
        return Err(LossError::EmptyData.into());
    };
    let mean = mean_of(&gradients)?;
    let Deviations {
        distances,
        along,
        mean_square,
    } = Deviations::of(&gradients, &mean)?;
    Ok(Sampled {
        num_examples: count * batch_size,
        batch_size,
        num_samples: count,
        loss: loss / count as f64,
        mean_square,
        moments: Moments::of_gradients(batch_size, &distances, &along, mean_square),
        forms: match hessian {
            Some(_) => {
                let gradients = gradients.iter().map(ParamVector::from_leaves);
                let gradients = gradients.collect::<Result<Vec<_>, _>>()?;
                forms_of(hessian, &gradients, &ParamVector::from_leaves(&mean)?)?
            }
            None => None,
        },
        num_passes: 1,
    })
}

fn mean_of(gradients: &[LeafVector]) -> Result<LeafVector, DynamicsError> {
    let Some((first, others)) = gradients.split_first() else {
        return Err(LossError::EmptyData.into());
    };
    let mut sum = first.clone();
    for gradient in others {
        sum = sum.axpby(1.0, 1.0, gradient)?;
    }
    Ok(sum.scale(1.0 / gradients.len() as f64))
}

/// `|gₖ − ḡ|²` and `(gₖ − ḡ)·ḡ` of gradients, and `|ḡ|²`.
struct Deviations {
    distances: Vec<f64>,
    along: Vec<f64>,
    mean_square: f64,
}

impl Deviations {
    /// By `|gₖ|² − 2 gₖ·ḡ + |ḡ|²` where that is accurate: it makes no vectors, and reads once.
    fn of(gradients: &[LeafVector], mean: &LeafVector) -> Result<Self, DynamicsError> {
        let mut pairs = vec![(mean, mean)];
        pairs.extend(gradients.iter().map(|gradient| (gradient, gradient)));
        pairs.extend(gradients.iter().map(|gradient| (gradient, mean)));
        let (products, _) = LeafVector::dots(&pairs, &[])?;
        let (squares, along) = products.split_at(gradients.len() + 1);
        for &square in squares {
            finite_square(square)?;
        }
        let (mean_square, squares) = (squares[0], &squares[1..]);
        let along: Vec<f64> = along.iter().map(|along| along - mean_square).collect();
        let pairs = squares.iter().zip(&along);
        let distances = pairs.map(|(square, along)| square - mean_square - 2.0 * along);
        let distances: Vec<f64> = distances.map(|distance| distance.max(0.0)).collect();
        let terms = squares.iter().sum::<f64>() + gradients.len() as f64 * mean_square;
        if distances.iter().sum::<f64>() > CANCELLED * terms {
            return Ok(Self {
                distances,
                along,
                mean_square,
            });
        }
        let (mut distances, mut along) = (Vec::new(), Vec::new());
        for gradient in gradients {
            let deviation = gradient.axpby(1.0, -1.0, mean)?;
            let pairs = [(&deviation, &deviation), (&deviation, mean)];
            let (found, _) = LeafVector::dots(&pairs, &[])?;
            distances.push(found[0]);
            along.push(found[1]);
        }
        Ok(Self {
            distances,
            along,
            mean_square,
        })
    }
}

/// The forms of a Hessian in the deviations of gradients, one block after the other.
fn forms_of(
    hessian: Option<&Hessian<'_>>,
    gradients: &[ParamVector],
    mean: &ParamVector,
) -> Result<Option<Forms>, DynamicsError> {
    let Some(hessian) = hessian else {
        return Ok(None);
    };
    let mut forms = QuadraticForms::new(hessian);
    for gradient in gradients {
        forms.add(gradient.clone().axpy(-1.0, mean)?)?;
    }
    forms.finish(mean).map(Some)
}

/// A batch of which some parts have been read.
struct Partial {
    batch: usize,
    /// `|g|²` of its first part.
    small: f64,
    num_examples: usize,
    mean: RunningMean<Tensor<1>>,
}

/// Batches in parts: the first part is the small batch, and the mean of all parts the large one.
fn two_sizes<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    small: usize,
    hessian: Option<&Hessian<'_>>,
) -> Result<Sampled, DynamicsError> {
    let space = risk.space(model)?;
    let (mut large, mut loss, mut squares) = (None, 0.0, Vec::new());
    let mut batches = RunningMean::new();
    let mut gradients = Vec::new();
    let mut partial: Option<Partial> = None;
    each_part(risk, model, Some(small), |part| {
        let available = part.batch_examples;
        check_equal(*large.get_or_insert(available), available)?;
        if small >= available {
            let expected = format!("less than the {available} examples of a batch");
            return Err(OutOfRange::new("small", small as f64, expected).into());
        }
        let weight = part.num_examples as f64;
        loss += weight * part.loss;
        let known = partial.take().filter(|known| known.batch == part.batch);
        let mut current = match known {
            Some(known) => known,
            None => Partial {
                batch: part.batch,
                small: square(&part.gradient)?,
                num_examples: 0,
                mean: RunningMean::new(),
            },
        };
        current.num_examples += part.num_examples;
        current.mean.add(widened(&part.gradient), weight)?;
        if current.num_examples < available {
            partial = Some(current);
            return Ok(());
        }
        let of_small = current.small;
        let gradient = mean_vector(&space, current.mean)?;
        squares.push([of_small, square(&gradient)?]);
        batches.add(widened(&gradient), 1.0)?;
        if hessian.is_some() {
            gradients.push(gradient);
        }
        Ok(())
    })?;
    let Some(large) = large else {
        return Err(LossError::EmptyData.into());
    };
    let count = squares.len();
    if hessian.is_some() && count < 2 {
        return Err(too_few(count, "batches"));
    }
    let mean = mean_vector(&space, batches)?;
    Ok(Sampled {
        num_examples: count * large,
        batch_size: large,
        num_samples: count,
        loss: loss / (count * large) as f64,
        mean_square: square(&mean)?,
        moments: Moments::of_sizes([small, large], &squares),
        forms: forms_of(hessian, &gradients, &mean)?,
        num_passes: 1,
    })
}

/// Passes the gradient of every part of at most `size` examples to `visit`.
fn each_part<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    size: Option<usize>,
    visit: impl FnMut(PartGradient) -> Result<(), DynamicsError>,
) -> Result<(), DynamicsError> {
    each_part_of(|visit| risk.each_part_gradient(model, size, visit), visit)
}

type Visit<'v, V> = dyn FnMut(PartGradient<V>) -> Result<ControlFlow<()>, LossError> + 'v;

/// Runs a pass over parts. An estimate needs all parts, so that an observer that stops the pass is an error.
fn each_part_of<V>(
    pass: impl FnOnce(&mut Visit<'_, V>) -> Result<bool, LossError>,
    mut visit: impl FnMut(PartGradient<V>) -> Result<(), DynamicsError>,
) -> Result<(), DynamicsError> {
    let (mut failed, mut batches) = (None, 0);
    let completed = pass(&mut |part| {
        batches = part.batch;
        Ok(match visit(part) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
    })?;
    match failed {
        Some(error) => Err(error),
        None if completed => Ok(()),
        None => Err(LossError::Stopped { batches }.into()),
    }
}

/// The numbers of a vector, in f32 at least.
fn widened(vector: &ParamVector) -> Tensor<1> {
    as_accumulator(vector.values().clone())
}

fn mean_vector(
    space: &ParamSpace,
    mean: RunningMean<Tensor<1>>,
) -> Result<ParamVector, DynamicsError> {
    match mean.into_mean() {
        Some(mean) => Ok(ParamVector::from_values(space, mean)?),
        None => Err(LossError::EmptyData.into()),
    }
}

/// `|v|²` of a gradient.
fn square(gradient: &ParamVector) -> Result<f64, DynamicsError> {
    finite_square(gradient.dot(gradient)?)
}

fn finite_square(square: f64) -> Result<f64, DynamicsError> {
    if square.is_finite() {
        Ok(square)
    } else {
        let norm = square.sqrt();
        Err(LossError::NonFiniteGradient { norm }.into())
    }
}

fn check_equal(first: usize, second: usize) -> Result<(), DynamicsError> {
    if first == second {
        Ok(())
    } else {
        Err(DynamicsError::UnequalBatches { first, second })
    }
}

fn too_few(found: usize, what: &'static str) -> DynamicsError {
    DynamicsError::TooFewBatches {
        needed: 2,
        found,
        what,
        remedy: "use smaller batches, or micro-batches of a smaller size",
    }
}
