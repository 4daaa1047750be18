use std::fmt;

use burnscape_krylov::Step;

/// A report to an observer: `done` pieces of some [`Work`], out of `total`.
///
/// It prints as one line, for instance `sample 3 of 100: 0.0123`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The kind of work.
    pub work: Work,
    /// Pieces done, including the one reported.
    pub done: usize,
    /// All pieces, or an upper bound, if known.
    pub total: Option<usize>,
    /// The value of the last piece or the estimate so far; see [`Work`].
    pub value: Option<f64>,
}

/// The pieces that [`Progress`] counts. After the semicolon: the meaning of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Work {
    /// Batches whose loss was evaluated; the loss of the batch. In a landscape no value, since several losses are read
    /// together.
    Loss,
    /// Batches whose loss and gradient were evaluated; the loss of the batch.
    Gradient,
    /// Batches at which an operator was linearized; no value.
    Linearization,
    /// Batches of a product with a vector or a block of vectors; no value.
    Product,
    /// Products of a method on an operator; its estimate so far.
    Matvec,
    /// Samples of a measure; the rise of the loss at the last one.
    Sample,
    /// Gradients of an ascent, over all its starts; the rise at the best point of the current start.
    AscentStep,
    /// Points of a landscape or of a path; the loss there.
    Point,
    /// Layers of a model; no value.
    Layer,
    /// Steps at which a training run branched; the barrier between the branches.
    Branch,
    /// Measures of a report; no value.
    Measure,
    /// Steps of a fit, a relaxation or a flow, with the loss; steps of a search for a PAC-Bayes σ, with the rise of the
    /// loss.
    Step,
    /// Training runs of a search; the score of the last one.
    Training,
    /// Starts of a search for critical points; no value.
    Start,
    /// Tensors of a merge of files; no value.
    Tensor,
}

impl Progress {
    pub(crate) fn new(work: Work, done: usize) -> Self {
        Self {
            work,
            done,
            total: None,
            value: None,
        }
    }

    pub(crate) fn of(mut self, total: impl Into<Option<usize>>) -> Self {
        self.total = total.into();
        self
    }

    pub(crate) fn value(mut self, value: impl Into<Option<f64>>) -> Self {
        self.value = value.into();
        self
    }

    /// The report of a method that runs on an operator.
    pub(crate) fn of_step(step: &Step) -> Self {
        Self::new(Work::Matvec, step.num_matvecs)
            .of(step.limit)
            .value(step.value)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loss => "loss of batch",
            Self::Gradient => "gradient of batch",
            Self::Linearization => "linearization of batch",
            Self::Product => "product of batch",
            Self::Matvec => "product",
            Self::Sample => "sample",
            Self::AscentStep => "ascent step",
            Self::Point => "point",
            Self::Layer => "layer",
            Self::Branch => "branch",
            Self::Measure => "measure",
            Self::Step => "step",
            Self::Training => "training run",
            Self::Start => "start",
            Self::Tensor => "tensor",
        })
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.work, self.done)?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        if let Some(value) = self.value {
            write!(f, ": {value:.6}")?;
        }
        Ok(())
    }
}
