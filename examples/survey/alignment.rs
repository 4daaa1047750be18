//! The line between two networks, the second one aligned to the first, as it is and repaired.

use std::error::Error;

use burn::tensor::Tensor;
use burnscape::align::{ActivationMatchingConfig, ActivationMeasure, WeightMatchingConfig};
use burnscape::loss::{Batch, NormalizationPolicy, Risk};
use burnscape::merge::{RepairConfig, interpolate};
use burnscape::path::{Barriers, Curve, PolygonalChain};
use burnscape::symmetry::{Symmetries, SymmetriesConfig};
use serde::Serialize;

use super::data::{Digits, Split};
use super::models::Classifier;
use super::train::loss;

/// By what the second network is permuted.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(tag = "by", content = "measure", rename_all = "snake_case")]
pub(crate) enum By {
    /// It stays as it is.
    Nothing,
    /// Its weights.
    Weights,
    /// What its units compute on the training images.
    Activations(ActivationMeasure),
}

impl By {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nothing => "not aligned",
            Self::Weights => "by weights",
            Self::Activations(ActivationMeasure::Covariance) => "by activations (covariances)",
            Self::Activations(ActivationMeasure::Correlation) => "by activations (correlations)",
        }
    }

    /// What the units are compared by, in a word.
    pub(crate) fn basis(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Weights => "weights",
            Self::Activations(_) => "activations",
        }
    }

    /// The second network, permuted. Units without activations are permuted by their weights.
    fn applied<M: Classifier>(
        self,
        symmetries: &Symmetries,
        digits: &Digits,
        [a, b]: [&M; 2],
    ) -> Result<M, Box<dyn Error>> {
        let measure = match self {
            Self::Nothing => return Ok(b.clone()),
            Self::Weights => return Ok(WeightMatchingConfig::new().run(symmetries, a, b)?.model),
            Self::Activations(measure) => measure,
        };
        let data = std::slice::from_ref(digits);
        let found = ActivationMatchingConfig::new()
            .with_measure(measure)
            .with_weights_for_the_rest(true)
            .run(symmetries, &logits::<M>, data, a, b)?;
        Ok(found.model)
    }
}

/// The losses on one set of images.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Losses {
    pub(crate) values: Vec<f64>,
    pub(crate) barriers: Barriers,
}

/// The straight line between two networks.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Line {
    pub(crate) length: f64,
    pub(crate) times: Vec<f64>,
    pub(crate) train: Losses,
    pub(crate) test: Losses,
}

/// The line from the first network to the second one.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct AlignedLine {
    #[serde(flatten)]
    pub(crate) by: By,
    /// Whether every place between the ends was repaired.
    pub(crate) repaired: bool,
    #[serde(flatten)]
    pub(crate) line: Line,
}

/// The outputs of a network.
pub(crate) fn logits<M: Classifier>(model: &M, digits: &Digits) -> Tensor<2> {
    model.logits(digits.images.clone())
}

/// The lines from `a` to `b`, aligned in each of these ways; each as it is and repaired.
pub(crate) fn lines<M: Classifier>(
    split: &Split,
    [a, b]: [&M; 2],
    ways: &[By],
    num_points: usize,
    progress: &dyn Fn(&str),
) -> Result<Vec<AlignedLine>, Box<dyn Error>> {
    let (a, b) = (a.valid(), b.valid());
    let few = split.train.select(&[0, 1])?;
    let symmetries = SymmetriesConfig::new().run(&logits::<M>, &a, few)?;
    let mut found = Vec::with_capacity(2 * ways.len());
    for &by in ways {
        progress(by.title());
        let aligned = by.applied(&symmetries, &split.train, [&a, &b])?;
        for repaired in [false, true] {
            found.push(AlignedLine {
                by,
                repaired,
                line: line(split, [&a, &aligned], num_points, repaired)?,
            });
        }
    }
    Ok(found)
}

/// The losses on the line between two networks at equal distances. Statistics of batch norm are those of the training
/// images at every place, the ends included.
pub(crate) fn line<M: Classifier>(
    split: &Split,
    [a, b]: [&M; 2],
    num_points: usize,
    is_repaired: bool,
) -> Result<Line, Box<dyn Error>> {
    let loss = loss::<M>;
    let (train_data, test_data) = ([split.train.clone()], [split.test.clone()]);
    let train = Risk::new(&loss, &train_data);
    let test = Risk::new(&loss, &test_data);
    let again = NormalizationPolicy::ReestimateAll;
    let end = |model: &M| {
        let plain = model.valid();
        again.normalize(&train, &plain, &[(&plain, 1.0)])
    };
    let (a, b) = (end(a)?, end(b)?);
    let last = num_points.saturating_sub(1).max(1);
    let times: Vec<f64> = (0..=last).map(|place| place as f64 / last as f64).collect();
    let (mut on_train, mut on_test) = (Vec::new(), Vec::new());
    for &t in &times {
        let merged = interpolate(&a, &b, t)?;
        let mut model = again.normalize(&train, &merged, &[(&a, 1.0 - t), (&b, t)])?;
        if is_repaired && 0.0 < t && t < 1.0 {
            let repair = RepairConfig::new();
            let repaired = repair.run(&logits::<M>, &train_data, &a, &b, &model, t)?;
            model = repaired.model;
        }
        on_train.push(train.loss(&model)?.value);
        on_test.push(test.loss(&model)?.value);
    }
    let losses = |values: Vec<f64>| {
        let barriers = Barriers::of(&times, &values).ok_or("too few places for a barrier")?;
        Ok::<_, Box<dyn Error>>(Losses { values, barriers })
    };
    let (train, test) = (losses(on_train)?, losses(on_test)?);
    Ok(Line {
        length: PolygonalChain::line(&a, &b)?.length()?,
        times,
        train,
        test,
    })
}
