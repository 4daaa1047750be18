//! Training to a loss, and what is measured there.

use std::ops::ControlFlow;
use std::slice::from_ref;

use burn::module::{Module, ParamGroup};
use burn::optim::{AdjustLrFn, ModuleOptimizer, MuonConfig, SgdConfig};
use burn::tensor::{DType, Device};
use burnscape::dynamics::{CurvatureMonitorConfig, EdgeRule, Moment, Monitor};
use burnscape::krylov::Dense;
use burnscape::loss::{Recorded, Risk};
use burnscape::space::{ParamLeaf, ParamSpace, ParamVector};

use super::{COLUMNS, End, FEW, Setting};
use crate::Failure;
use crate::studies::criteria::optimizers::GOAL;
use crate::studies::digits::{CLASSES, Digits, NUM_TRAIN, PIXELS};
use crate::studies::frame::Plan;
use crate::studies::losses::{accuracy, cross_entropy, number};
use crate::studies::network::{Activation, Mlp};
use crate::studies::training::{Course, Draws, Seen, Watched, adam, adam_w, heavy_ball, minibatch};

const WIDTH: usize = 64;
const BATCH: usize = 64;
/// Steps to the goal at most.
const MOST: usize = 6000;
/// Steps between two points of a chart.
const SHOWN: usize = 5;
const MOMENTUM: f64 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Of AdamW.
const DECAY: f32 = 0.1;
/// Of the trace.
const PROBES: usize = 64;
/// The weights between the two hidden layers.
const MIDDLE_LAYER: &str = "layers.1.weight";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Sgd,
    Momentum,
    Adam,
    AdamW,
    Muon,
}

impl Method {
    /// The optimizer of a network, with the rule of its edge.
    fn optimizer(self, net: &Mlp) -> Result<(ModuleOptimizer, EdgeRule), Failure> {
        Ok(match self {
            Self::Sgd => {
                let config = SgdConfig::new();
                (config.init(), EdgeRule::of(&config)?)
            }
            Self::Momentum => {
                let config = heavy_ball(MOMENTUM);
                (config.init(), EdgeRule::of(&config)?)
            }
            Self::Adam => {
                let config = adam(BETA_2, EPSILON);
                (config.init(), EdgeRule::of(&config)?)
            }
            Self::AdamW => {
                let config = adam_w(BETA_2, DECAY);
                (config.init(), EdgeRule::of(&config)?)
            }
            Self::Muon => (muon(net)?, EdgeRule::none()),
        })
    }
}

/// Muon for the matrices, which are all that it can step, and Adam for the biases.
fn muon(net: &Mlp) -> Result<ModuleOptimizer, Failure> {
    let space = ParamSpace::of(net)?;
    let leaves = space.leaves().iter();
    let matrices = leaves.filter(|leaf| leaf.shape().len() == 2);
    let matrices = ParamGroup::from_ids(matrices.map(ParamLeaf::id).collect());
    let muon = MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW);
    let biases = ModuleOptimizer::from(adam(BETA_2, EPSILON).build());
    Ok(biases.with_group(matrices, muon.build(), None))
}

/// What became of a training.
pub(super) struct Run {
    /// Without autodiff; none if the goal was not reached.
    pub(super) net: Option<Mlp>,
    /// Numbers that are none if it was not.
    pub(super) end: End,
    /// Where the edge is known.
    pub(super) edge_ratio: Option<f64>,
    /// Steps and training losses.
    pub(super) curve: Vec<(f64, f64)>,
}

pub(super) fn trained(
    plan: &Plan,
    setting: &Setting,
    seed: u64,
    digits: &Digits,
) -> Result<Run, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let count = plan.pick(NUM_TRAIN, FEW);
    let (train, test) = (digits.labeled(0..count, place), digits.test(place));
    let width = plan.pick(WIDTH, 16);
    let sizes = [PIXELS, width, width, CLASSES];
    let start = Mlp::new(&sizes, Activation::Relu, seed, place)?;
    let (mut optimizer, rule) = setting.method.optimizer(&start)?;
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let mut draws = Draws::epochs(count, BATCH, 2 * seed + u64::from(setting.has_own_order));
    let course = Course::constant(plan.steps(MOST), setting.rate);
    let goal = plan.pick(GOAL, 1.0);
    let (mut reached, mut curve) = (None, Vec::new());
    let watch = |seen: &Seen<'_, Mlp>| -> Watched {
        let value = number(loss.loss_on(seen.model, train.clone())?)?;
        if seen.step.is_multiple_of(SHOWN) {
            curve.push((seen.step as f64, value));
        }
        if value <= goal {
            reached = Some(seen.step);
        }
        Ok(match value > goal {
            true => ControlFlow::Continue(()),
            // Also where the loss is no number.
            false => ControlFlow::Break(()),
        })
    };
    let net = minibatch(
        start.clone(),
        &mut optimizer,
        &loss,
        &train,
        &mut draws,
        course,
        watch,
    )?;
    let Some(step) = reached else {
        return Ok(Run {
            net: None,
            end: [f64::NAN; COLUMNS.len()],
            edge_ratio: None,
            curve,
        });
    };

    let risk = Risk::new(&loss, from_ref(&train));
    let mut monitor = CurvatureMonitorConfig::new()
        .with_optimizer(rule)
        .with_tolerance(1e-3)
        .with_max_matvecs(plan.pick(100, 20))
        .with_num_probes(plan.pick(PROBES, 4))
        .init()?;
    let moment = Moment::new(step, setting.rate, &net).with_optimizer(&optimizer);
    let reading = monitor.measure(&risk, &moment)?;
    let change = change(&start, &net)?;
    let (spectral, rank) = middle_layer(&change)?;
    Ok(Run {
        end: [
            step as f64,
            reading.loss,
            reading.sharpness,
            reading.trace.unwrap_or(f64::NAN),
            change.norm()?,
            spectral,
            rank,
            number(cross_entropy(&net, test.clone()))?,
            accuracy(&net, &test)?,
        ],
        edge_ratio: reading.edge_ratio,
        net: Some(net.valid()),
        curve,
    })
}

/// What a training has added to the weights.
fn change(start: &Mlp, end: &Mlp) -> Result<ParamVector, Failure> {
    let space = ParamSpace::of(start)?;
    let start = ParamVector::from_module(&space, start)?;
    let end = ParamVector::from_module(&space, end)?;
    Ok(end.axpy(-1.0, &start)?)
}

/// The spectral norm of the change of the middle layer, and its stable rank: the sum of its squared singular values
/// over the largest of them.
fn middle_layer(change: &ParamVector) -> Result<(f64, f64), Failure> {
    let mut leaves = change.space().leaves().iter();
    let leaf = leaves.find(|leaf| leaf.path() == MIDDLE_LAYER);
    let leaf = leaf.ok_or("a network without a middle layer")?;
    let &[rows, columns] = leaf.shape() else {
        return Err("a middle layer that is no matrix".into());
    };
    let entries = change.leaf(leaf).try_into_vec_as::<f64>()?;
    let matrix = Dense::from_row_major(rows, columns, entries)?;
    let (_, values, _) = matrix.svd().ok_or("a change that is not finite")?;
    let largest = values.first().copied().unwrap_or(f64::NAN);
    let squares: f64 = values.iter().map(|value| value * value).sum();
    Ok((largest, squares / (largest * largest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::training::unwatched;

    /// The change by some steps.
    fn stepped(method: Method, steps: usize) -> ParamVector {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let data = Digits::load(0).unwrap().labeled(0..256, place);
        let sizes = [PIXELS, 32, 32, CLASSES];
        let start = Mlp::new(&sizes, Activation::Relu, 0, place).unwrap();
        let (mut optimizer, _) = method.optimizer(&start).unwrap();
        let loss = Recorded::new(cross_entropy::<Mlp>);
        let (mut draws, course) = (Draws::epochs(256, BATCH, 0), Course::constant(steps, 0.01));
        let end = minibatch(
            start.clone(),
            &mut optimizer,
            &loss,
            &data,
            &mut draws,
            course,
            unwatched,
        );
        change(&start, &end.unwrap()).unwrap()
    }

    #[test]
    fn every_optimizer_moves_weights_and_biases() {
        for method in [
            Method::Sgd,
            Method::Momentum,
            Method::Adam,
            Method::AdamW,
            Method::Muon,
        ] {
            let norms = stepped(method, 3).leaf_norms().unwrap();
            assert!(
                norms.iter().all(|norm| *norm > 0.0),
                "{method:?}: {norms:?}"
            );
        }
    }

    #[test]
    fn a_step_of_muon_goes_in_many_directions() {
        let [sgd, muon] = [Method::Sgd, Method::Muon].map(|method| stepped(method, 1));
        let [sgd, muon] = [sgd, muon].map(|change| middle_layer(&change).unwrap());
        assert!(muon.1 > 2.0 * sgd.1, "{sgd:?}, {muon:?}");
        // 0.2 √32 of the rate for each direction, to the accuracy of Muon's iteration.
        let expected = 0.2 * 32.0_f64.sqrt() * 0.01;
        assert!((muon.0 / expected - 1.0).abs() < 0.4, "{muon:?}");
    }
}
