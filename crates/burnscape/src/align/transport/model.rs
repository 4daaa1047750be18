//! A model on the way to another one: the plans of all groups, one after the other.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::cost::{Comparison, Costs};
use super::entropic::entropic;
use super::exact::exact;
use super::moved::{Plan, Region, joined, regions};
use super::pairing::{Pairing, check_tensors};
use super::roles::Roles;
use super::{TransportConfig, TransportPlan, Transported};
use crate::align::AlignError;
use crate::align::filter::{active, describe, first_member};
use crate::loss::Batch;
use crate::space::{FloatTensor, float_tensors, to_host, with_values};
use crate::symmetry::{Symmetries, SymmetriesConfig, Traced, moved};

/// A group that gets a plan, with its numbers of units in both models.
type Step = (usize, [usize; 2]);

/// The first model moved onto the second.
pub(super) fn transported<M, B, T, F>(
    config: &TransportConfig,
    outputs: &F,
    batch: &B,
    [source, target]: [&M; 2],
) -> Result<Transported<M>, AlignError>
where
    M: Module,
    B: Batch,
    T: Batch,
    F: Fn(&M, &B) -> T,
{
    let (from, to) = (float_tensors(source)?, float_tensors(target)?);
    check_tensors(&from, &to)?;
    let (own, other) = (on_host("source", &from)?, on_host("target", &to)?);
    let finder = SymmetriesConfig::new();
    let of_source = finder.run(outputs, source, beside(batch, &from))?;
    let of_target = finder.run(outputs, target, beside(batch, &to))?;
    let traced = Traced::of(outputs, target, beside(batch, &to))?;
    let roles = Roles::of(&traced);
    let pairing = Pairing::new(&of_source, &of_target)?;
    let is_active = active(&of_target, &config.only, &config.except)?;
    let (steps, kept) = steps(&of_target, &pairing, &roles, &is_active)?;

    let mut moving = divided(&of_source, own, &|group| pairing.name(group));
    let fixed = divided(&of_target, other, &Some::<usize>);
    let is_parameter: Vec<bool> = to.iter().map(|one| !one.is_running_statistic).collect();
    let mut is_placed = vec![false; of_target.groups().len()];
    for &group in &kept {
        is_placed[group] = true;
    }
    let mut plans = Vec::with_capacity(steps.len());
    for (group, sizes) in steps {
        let comparison = Comparison {
            source: &moving,
            target: &fixed,
            roles: &roles,
            is_parameter: &is_parameter,
            is_placed: &is_placed,
        };
        let costs = comparison.costs(group, sizes);
        let (plan, report) = planned(config, &of_target, (group, sizes), costs)?;
        for (tensor, regions) in moving.iter_mut().enumerate() {
            let role = |axis: usize| roles.at(tensor, axis);
            for region in regions {
                region.transport(group, &plan, &role);
            }
        }
        is_placed[group] = true;
        plans.push(report);
    }

    let axes = of_target.layout().tensors.iter();
    let values = to.iter().zip(axes).zip(&moving);
    let values = values.map(|((tensor, axes), regions)| {
        let values = joined(axes, regions);
        (tensor, placed(values, &tensor.values))
    });
    Ok(Transported {
        model: with_values(target, values),
        plans,
        kept,
    })
}

/// A batch on the device of a model.
fn beside<B: Batch>(batch: &B, tensors: &[FloatTensor]) -> B {
    let first = tensors.first();
    let device = first.map_or_else(Device::default, |tensor| tensor.values.device());
    moved(batch.clone(), &device)
}

/// Which groups get a plan, in order, and which keep their order.
fn steps(
    target: &Symmetries,
    pairing: &Pairing,
    roles: &Roles,
    is_active: &[bool],
) -> Result<(Vec<Step>, Vec<usize>), AlignError> {
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    for (group, &is_active) in is_active.iter().enumerate() {
        let Some(sizes) = pairing.sizes[group] else {
            continue;
        };
        let [own, other] = sizes;
        if pairing.is_dependent[group] {
            if own != other {
                let group = format!("{}, {own} or {other} in number,", describe(target, group));
                return Err(AlignError::DependentGroup { group });
            }
            kept.push(group);
        } else if !is_active {
            if own != other {
                return Err(AlignError::DifferentStructure {
                    message: format!(
                        "{} has {own} units in `source` and {other} in `target`, and is left out by `only` and \
                         `except`; let it have a plan",
                        describe(target, group)
                    ),
                });
            }
            kept.push(group);
        } else {
            roles.check_resizing(target, group, sizes)?;
            steps.push((group, sizes));
        }
    }
    Ok((steps, kept))
}

/// The values of a model's float tensors, which must be finite.
fn on_host(model: &'static str, tensors: &[FloatTensor]) -> Result<Vec<Vec<f64>>, AlignError> {
    let mut all = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let values = if tensor.shape.contains(&0) {
            Vec::new()
        } else {
            to_host(tensor.values.clone())?
        };
        let mut numbers = values.iter().copied().enumerate();
        if let Some((index, value)) = numbers.find(|(_, value)| !value.is_finite()) {
            return Err(AlignError::NonFinite {
                model,
                path: tensor.paths.first().cloned().unwrap_or_default(),
                index,
                value,
            });
        }
        all.push(values);
    }
    Ok(all)
}

/// The regions of a model's float tensors, with `name` for its groups.
fn divided(
    symmetries: &Symmetries,
    values: Vec<Vec<f64>>,
    name: &dyn Fn(usize) -> Option<usize>,
) -> Vec<Vec<Region>> {
    let tensors = symmetries.layout().tensors.iter().zip(values);
    let divided = tensors.map(|(axes, values)| regions(axes, &values, name));
    divided.collect()
}

/// The plan of a group.
fn planned(
    config: &TransportConfig,
    target: &Symmetries,
    (group, sizes): Step,
    costs: Costs,
) -> Result<(Plan, TransportPlan), AlignError> {
    let Costs {
        values: costs,
        num_compared,
    } = costs;
    if let Some(cost) = costs.iter().find(|cost| !cost.is_finite()) {
        return Err(AlignError::Similarity {
            group: Some(group),
            message: format!(
                "a squared distance of two units is {cost}; scale the parameters down"
            ),
        });
    }
    let (plan, num_iterations, deviation) = match config.regularization {
        None => {
            let flows = exact(&costs, sizes)?;
            let total: u64 = flows.iter().sum();
            let masses: Vec<f64> = flows.into_iter().map(|flow| flow as f64).collect();
            (Plan::new(&masses, total as f64, sizes), 0, 0.0)
        }
        Some(regularization) => {
            let limits = (config.max_iterations, config.tolerance);
            let found = entropic(&costs, sizes, regularization, limits);
            if !found.is_converged {
                return Err(AlignError::NotConverged {
                    what: format!("the transport plan of {}", describe(target, group)),
                    iterations: found.iterations,
                    change: found.deviation,
                });
            }
            let plan = Plan::new(&found.values, 1.0, sizes);
            (plan, found.iterations, found.deviation)
        }
    };
    let pairs = plan.values.iter().zip(&costs);
    let report = TransportPlan {
        group,
        member: first_member(target, group),
        sizes,
        cost: pairs.map(|(share, cost)| share * cost).sum(),
        plan: plan.values.clone(),
        num_compared,
        is_exact: config.regularization.is_none(),
        num_iterations,
        deviation,
    };
    Ok((plan, report))
}

/// Values on the device and in the element type of others.
fn placed(values: Vec<f64>, like: &Tensor<1>) -> Tensor<1> {
    let data = TensorData::new(values, like.shape());
    Tensor::from_data(data, (&like.device(), like.dtype()))
}
