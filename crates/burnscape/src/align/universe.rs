//! Many models moved to a common universe by soft permutations, by the algorithm of Frank and Wolfe.

use std::f64::consts::PI;
use std::ops::ControlFlow;

use burn::tensor::{DType, Tensor, TensorData};

use super::AlignError;
use super::assignment::assignment;
use super::many_models::HostModels;
use super::soft::SoftAction;
use super::weights::{dot, host_values};
use crate::symmetry::Element;

/// Steps at most.
const MAX_STEPS: usize = 100;
/// A step that gains less than this, relative to the bound of the objective, is the last one.
const LEAST_GAIN: f64 = 1e-10;
/// Points of the grid on which the best length of a step is bracketed, and steps that narrow the bracket.
const GRID: usize = 200;
const NARROWINGS: usize = 60;
/// The error of an interpolated value, relative to the largest one.
const ROUNDING: f64 = 1e-14;

/// Something for each group that has a soft permutation.
type OfGroups<T> = Vec<Option<T>>;
/// The soft permutations of each model.
type Plans = Vec<OfGroups<Tensor<2>>>;
/// The same as the entries on the host.
type Entries = Vec<OfGroups<Vec<f64>>>;
/// The permutations in their place.
type Tables = Vec<OfGroups<Vec<usize>>>;

/// What the search finds.
pub(super) struct Found {
    pub(super) elements: Vec<Element>,
    pub(super) num_assignments: usize,
}

/// The objective `Σ_{p<q} ⟨P_p θ_p, P_q θ_q⟩` of soft permutations of some groups; all others stay as they are.
pub(super) struct Universe<'m> {
    models: &'m HostModels,
    action: SoftAction,
    /// The groups with soft permutations.
    groups: Vec<usize>,
    /// `Σ_{p<q} |θ_p| |θ_q|`.
    bound: f64,
    num_assignments: usize,
}

impl<'m> Universe<'m> {
    /// The groups must have neither parents nor groups within them.
    pub(super) fn new(models: &'m HostModels, groups: Vec<usize>) -> Self {
        let symmetries = models.symmetries();
        let mut is_soft = vec![false; symmetries.groups().len()];
        for &group in &groups {
            is_soft[group] = true;
        }
        let action = SoftAction::new(symmetries, &is_soft);
        let mut bound = 0.0;
        for tensor in (0..models.num_tensors()).filter(|&tensor| action.acts_on(tensor)) {
            let mut before = 0.0;
            for model in 0..models.num_models() {
                let norm = models.norm(model, tensor);
                bound += before * norm;
                before += norm;
            }
        }
        Self {
            models,
            action,
            groups,
            bound,
            num_assignments: 0,
        }
    }

    /// The elements at the end of a search from the barycenter of all permutations.
    ///
    /// The first model stays as it is, which loses nothing: a common permutation of all models changes no product. Were
    /// all models at the barycenter, all units would be equal and no direction better than another one.
    ///
    /// A step goes from all matrices at once towards the permutations with the largest linear gain. On the line the
    /// objective is a polynomial, whose degree is twice the largest number of groups that act on an element of a
    /// tensor. It is interpolated exactly, and the step goes to its maximum. Last, every matrix is rounded by linear
    /// assignment.
    ///
    /// `observe` sees the objective after every step.
    pub(super) fn search(
        mut self,
        observe: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Found, AlignError> {
        let mut plans = self.barycenter();
        if !self.groups.is_empty() && self.bound > 0.0 {
            for _ in 0..MAX_STEPS {
                let (gradient, objective) = self.gradient(&plans)?;
                let vertices = self.rounded(&gradient)?;
                let least = LEAST_GAIN * self.bound;
                if gain(&gradient, &entries(&plans)?, &vertices) <= least {
                    break;
                }
                let vertices = self.plans(&vertices);
                let (length, highest) = self.longest(&plans, &vertices, objective)?;
                if highest - objective <= least {
                    break;
                }
                plans = mixed(&plans, &vertices, length);
                if observe(highest).is_break() {
                    break;
                }
            }
        }
        let tables = self.rounded(&entries(&plans)?)?;
        Ok(Found {
            elements: self.elements(tables)?,
            num_assignments: self.num_assignments,
        })
    }

    /// Uniform matrices, but for the first model, which has none.
    fn barycenter(&self) -> Plans {
        let groups = self.models.symmetries().groups();
        let models = 0..self.models.num_models();
        let plans = models.map(|model| {
            let mut plans = vec![None; groups.len()];
            for &group in self.groups.iter().filter(|_| model > 0) {
                let size = groups[group].size();
                plans[group] = Some(self.plan(size, vec![1.0 / size as f64; size * size]));
            }
            plans
        });
        plans.collect()
    }

    fn plan(&self, size: usize, entries: Vec<f64>) -> Tensor<2> {
        let data = TensorData::new(entries, [size, size]);
        Tensor::from_data(data, (self.models.host(), DType::F64))
    }

    /// The matrices of permutations.
    fn plans(&self, tables: &Tables) -> Plans {
        let of_table = |table: &Vec<usize>| {
            let size = table.len();
            let mut entries = vec![0.0; size * size];
            for (row, column) in table.iter().enumerate() {
                entries[row * size + column] = 1.0;
            }
            self.plan(size, entries)
        };
        let of_model = |tables: &OfGroups<Vec<usize>>| -> OfGroups<Tensor<2>> {
            let tables = tables.iter();
            tables.map(|table| table.as_ref().map(of_table)).collect()
        };
        tables.iter().map(of_model).collect()
    }

    /// A tensor of all models under soft permutations; none if it is not compared.
    fn moved(&self, tensor: usize, plans: &Plans) -> Option<Vec<Tensor<1>>> {
        let models = plans.iter().enumerate();
        let moved = models.map(|(model, plans)| {
            let values = self.models.values(model, tensor)?;
            Some(self.action.moved(tensor, values, plans))
        });
        moved.collect()
    }

    /// The tensors on which the groups act.
    fn tensors(&self) -> impl Iterator<Item = usize> {
        let tensors = 0..self.models.num_tensors();
        tensors.filter(move |&tensor| self.action.acts_on(tensor))
    }

    fn objective(&self, plans: &Plans) -> Result<f64, AlignError> {
        let mut objective = 0.0;
        for tensor in self.tensors() {
            if let Some(moved) = self.moved(tensor, plans) {
                objective += products(&moved)?;
            }
        }
        Ok(objective)
    }

    /// The derivatives by all matrices, and the objective.
    fn gradient(&self, plans: &Plans) -> Result<(Entries, f64), AlignError> {
        let groups = self.models.symmetries().groups();
        let zeros = |plans: &OfGroups<Tensor<2>>| -> OfGroups<Vec<f64>> {
            let plans = plans.iter().zip(groups);
            let zeros = plans.map(|(plan, group)| {
                plan.as_ref()
                    .map(|_| vec![0.0; group.size() * group.size()])
            });
            zeros.collect()
        };
        let mut gradient: Entries = plans.iter().map(zeros).collect();
        let mut objective = 0.0;
        for tensor in self.tensors() {
            let Some(moved) = self.moved(tensor, plans) else {
                continue;
            };
            objective += products(&moved)?;
            let sum = moved.iter().cloned().reduce(|sum, own| sum + own);
            let Some(sum) = sum else { continue };
            for (model, own) in moved.into_iter().enumerate().skip(1) {
                let Some(values) = self.models.values(model, tensor) else {
                    continue;
                };
                let outer = sum.clone() - own;
                let parts = self
                    .action
                    .derivatives(tensor, &values, &plans[model], &outer);
                for (group, part) in parts {
                    let Some(sums) = &mut gradient[model][group] else {
                        continue;
                    };
                    let part = host_values(part.reshape([sums.len()]))?;
                    for (sum, part) in sums.iter_mut().zip(part) {
                        *sum += part;
                    }
                }
            }
        }
        Ok((gradient, objective))
    }

    /// The permutation with the largest sum of entries of each matrix.
    fn rounded(&mut self, entries: &Entries) -> Result<Tables, AlignError> {
        let mut tables = Tables::with_capacity(entries.len());
        for of_model in entries {
            let mut of_groups = Vec::with_capacity(of_model.len());
            for entries in of_model {
                of_groups.push(match entries {
                    Some(entries) => {
                        self.num_assignments += 1;
                        Some(assignment(entries, entries.len().isqrt())?)
                    }
                    None => None,
                });
            }
            tables.push(of_groups);
        }
        Ok(tables)
    }

    /// The length of the best step, from 0 to 1, and the objective there.
    fn longest(
        &self,
        plans: &Plans,
        vertices: &Plans,
        objective: f64,
    ) -> Result<(f64, f64), AlignError> {
        let degree = 2 * self.action.degree();
        let mut values = vec![objective];
        for index in 1..=degree {
            values.push(self.objective(&mixed(plans, vertices, node(index, degree)))?);
        }
        Ok(maximum(&values))
    }

    fn elements(&self, tables: Tables) -> Result<Vec<Element>, AlignError> {
        let symmetries = self.models.symmetries();
        let identity = symmetries.identity();
        let elements = tables.into_iter().map(|tables| {
            let tables = tables.into_iter().enumerate().map(|(group, table)| {
                let own = identity.permutation(group).unwrap_or_default();
                table.unwrap_or_else(|| own.to_vec())
            });
            symmetries
                .element(tables.collect())
                .map_err(AlignError::from)
        });
        elements.collect()
    }
}

/// `(1 − t) P + t V`.
fn mixed(plans: &Plans, vertices: &Plans, t: f64) -> Plans {
    let of_plan = |(plan, vertex): (&Option<Tensor<2>>, &Option<Tensor<2>>)| {
        let (plan, vertex) = (plan.clone()?, vertex.clone()?);
        Some(plan.mul_scalar(1.0 - t) + vertex.mul_scalar(t))
    };
    let models = plans.iter().zip(vertices);
    models
        .map(|(plans, vertices)| plans.iter().zip(vertices).map(of_plan).collect())
        .collect()
}

fn entries(plans: &Plans) -> Result<Entries, AlignError> {
    let of_plan = |plan: &Option<Tensor<2>>| -> Result<Option<Vec<f64>>, AlignError> {
        let Some(plan) = plan else { return Ok(None) };
        let [rows, columns] = plan.dims();
        Ok(Some(host_values(plan.clone().reshape([rows * columns]))?))
    };
    let models = plans.iter();
    models
        .map(|plans| plans.iter().map(of_plan).collect())
        .collect()
}

/// `Σ_{p<q} ⟨θ_p, θ_q⟩` of one tensor.
fn products(moved: &[Tensor<1>]) -> Result<f64, AlignError> {
    let mut product = 0.0;
    let mut before: Vec<f64> = Vec::new();
    for own in moved {
        let own = host_values(own.clone())?;
        if before.is_empty() {
            before = own;
            continue;
        }
        product += dot(&before, &own);
        for (sum, own) in before.iter_mut().zip(own) {
            *sum += own;
        }
    }
    Ok(product)
}

/// The derivative along the line from the plans to the vertices.
fn gain(gradient: &Entries, plans: &Entries, vertices: &Tables) -> f64 {
    let mut gain = 0.0;
    for ((gradient, plans), vertices) in gradient.iter().zip(plans).zip(vertices) {
        for ((gradient, plan), vertex) in gradient.iter().zip(plans).zip(vertices) {
            if let (Some(gradient), Some(plan), Some(vertex)) = (gradient, plan, vertex) {
                let rows = vertex.iter().enumerate();
                let there = rows.map(|(row, column)| gradient[row * vertex.len() + column]);
                gain += there.sum::<f64>() - dot(gradient, plan);
            }
        }
    }
    gain
}

/// A Chebyshev point of 0 to 1, which ends are among them.
fn node(index: usize, degree: usize) -> f64 {
    0.5 - 0.5 * (PI * index as f64 / degree as f64).cos()
}

/// The polynomial through these values at the Chebyshev points, by the barycentric formula.
fn polynomial(values: &[f64], t: f64) -> f64 {
    let degree = values.len() - 1;
    let (mut sum, mut weights) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let distance = t - node(index, degree);
        if distance == 0.0 {
            return *value;
        }
        let size = if index == 0 || index == degree {
            0.5
        } else {
            1.0
        };
        let sign = if index % 2 == 0 { 1.0 } else { -1.0 };
        let weight = sign * size / distance;
        sum += weight * value;
        weights += weight;
    }
    sum / weights
}

/// Where on 0 to 1 the polynomial through values at two or more Chebyshev points is largest, and how large.
fn maximum(values: &[f64]) -> (f64, f64) {
    let largest = values
        .iter()
        .fold(0.0_f64, |all, value| all.max(value.abs()));
    let at = |t: f64| (t, polynomial(values, t));
    // A rise by rounding is none.
    let higher = |one: (f64, f64), other: (f64, f64)| {
        if other.1 - one.1 > ROUNDING * largest {
            other
        } else {
            one
        }
    };
    let place = |index: usize| index as f64 / GRID as f64;
    let on_grid = (0..=GRID).map(|index| at(place(index)));
    let best = on_grid.fold((0.0, values[0]), higher);
    // Golden sections between its neighbors.
    let step = place(1);
    let (mut low, mut high) = ((best.0 - step).max(0.0), (best.0 + step).min(1.0));
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..NARROWINGS {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if at(left).1 < at(right).1 {
            low = left;
        } else {
            high = right;
        }
    }
    higher(best, at(0.5 * (low + high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(polynomial: impl Fn(f64) -> f64, degree: usize) -> Vec<f64> {
        let nodes = (0..=degree).map(|index| node(index, degree));
        nodes.map(polynomial).collect()
    }

    #[test]
    fn polynomials_are_interpolated_exactly() {
        let quartic = |t: f64| 3.0 - 2.0 * t + 7.0 * t.powi(2) - 11.0 * t.powi(3) + 4.0 * t.powi(4);
        for degree in [4, 6, 8] {
            let values = values(quartic, degree);
            for step in 0..=50 {
                let t = f64::from(step) / 50.0;
                assert!((polynomial(&values, t) - quartic(t)).abs() < 1e-13, "{t}");
            }
        }
    }

    #[test]
    fn a_step_goes_to_the_highest_point_of_the_line() {
        // Inside, and not at the lower of two tops.
        let inside = |t: f64| -(t - 0.3).powi(2);
        let (t, value) = maximum(&values(inside, 2));
        assert!((t - 0.3).abs() < 1e-7 && value.abs() < 1e-14, "{t}");
        let tops = |t: f64| -((t - 0.2) * (t - 0.8)).powi(2) + 0.01 * t;
        let (t, value) = maximum(&values(tops, 4));
        assert!((t - 0.8).abs() < 0.03 && value > tops(0.2), "{t}");
        assert!(value >= tops(t + 1e-4) && value >= tops(t - 1e-4));
        // At the ends.
        assert_eq!(maximum(&values(|t| 2.0 * t + t * t, 2)).0, 1.0);
        assert_eq!(maximum(&values(|t| -t, 2)), (0.0, 0.0));
        assert_eq!(maximum(&values(|_| 1.5, 4)), (0.0, 1.5));
    }
}
