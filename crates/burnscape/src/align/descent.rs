//! Steps of coordinate descent: the best permutation of one group, with the others in place.

use std::cell::Cell;

use super::assignment::assignment;
use super::quadratic::frank_wolfe;
use super::similarity::{trace, wrong_length};
use super::units::Unit;
use super::{AlignError, Similarity};
use crate::symmetry::Element;

/// The rise of the objective, relative to the objective, up to which it counts as rounding.
const ROUNDING: f64 = 1e-12;

/// An element and its objective.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) element: Element,
    pub(super) objective: f64,
}

impl Point {
    /// Whether the objective is larger than another one by more than rounding.
    pub(super) fn is_above(&self, objective: f64) -> bool {
        self.objective - objective > ROUNDING * objective.abs()
    }

    /// Whether the objective is a bound to rounding.
    pub(super) fn attains(&self, bound: f64) -> bool {
        bound - self.objective <= ROUNDING * bound.abs()
    }
}

/// The steps that a similarity suggests.
pub(super) struct Descent<'s> {
    similarity: &'s dyn Similarity,
    /// The tables of the identity.
    identity: Vec<Vec<usize>>,
    num_assignments: Cell<usize>,
}

/// The best permutations of a child for each pair of its parent's values.
struct Child {
    group: usize,
    /// What they gain over the order as it is.
    gains: Vec<f64>,
    permutations: Vec<Vec<usize>>,
}

impl<'s> Descent<'s> {
    pub(super) fn new(similarity: &'s dyn Similarity) -> Self {
        Self {
            similarity,
            identity: tables(similarity, &similarity.symmetries().identity()),
            num_assignments: Cell::new(0),
        }
    }

    /// Linear assignments solved so far.
    pub(super) fn num_assignments(&self) -> usize {
        self.num_assignments.get()
    }

    pub(super) fn at(&self, element: Element) -> Result<Point, AlignError> {
        let objective = self.similarity.objective(&element)?;
        if objective.is_finite() {
            Ok(Point { element, objective })
        } else {
            Err(AlignError::Similarity {
                group: None,
                message: format!("the objective is {objective}; return a finite number"),
            })
        }
    }

    /// The point after a step of some groups; `None` if no step raises the objective by more than rounding.
    pub(super) fn step(&self, unit: &Unit, from: &Point) -> Result<Option<Point>, AlignError> {
        match unit {
            Unit::Tree {
                parent,
                children,
                is_exact,
            } => self.step_of_tree(*parent, children, *is_exact, from),
            Unit::Within(group) => self.step_within(*group, from),
        }
    }

    /// A parent with its children: the best permutations of the children for each pair of the parent's values, and the
    /// best permutation of the parent for what these gain.
    ///
    /// It is exact if the parent and each child meet every tensor once, and no tensor has two of the children.
    /// Otherwise it is a linearization, and if that fails, the parent is tried with one child and with none.
    fn step_of_tree(
        &self,
        parent: usize,
        children: &[usize],
        is_exact: bool,
        from: &Point,
    ) -> Result<Option<Point>, AlignError> {
        let own = self.matrix(parent, &from.element)?;
        let mut best = Vec::with_capacity(children.len());
        for &child in children {
            best.push(self.child(child, parent, &from.element)?);
        }
        let mut found = self.tried_tree(parent, &own, &best, from)?;
        if let Some(mean) = self.similarity.mean_matrix(parent, &from.element)? {
            let table = self.quadratic_step(parent, &mean, from)?;
            found = better(found, self.tried(vec![(parent, table)], from)?);
        }
        if found.is_none() && !is_exact && !best.is_empty() {
            let none: &[Child] = &[];
            let mut parts = vec![none];
            if best.len() > 1 {
                parts.extend(best.chunks(1));
            }
            for part in parts {
                found = better(found, self.tried_tree(parent, &own, part, from)?);
            }
        }
        Ok(found)
    }

    fn tried_tree(
        &self,
        parent: usize,
        own: &[f64],
        children: &[Child],
        from: &Point,
    ) -> Result<Option<Point>, AlignError> {
        let mut outer = own.to_vec();
        for child in children {
            for (entry, gain) in outer.iter_mut().zip(&child.gains) {
                *entry += gain;
            }
        }
        let size = self.size(parent);
        let sources = self.assignment(parent, &outer, size)?;
        let mut changes = Vec::with_capacity(children.len() + 1);
        for child in children {
            let rows = sources.iter().enumerate();
            let rows = rows.flat_map(|(row, source)| &child.permutations[row * size + source]);
            changes.push((child.group, rows.copied().collect()));
        }
        changes.push((parent, sources));
        self.tried(changes, from)
    }

    fn child(&self, group: usize, parent: usize, element: &Element) -> Result<Child, AlignError> {
        let matrix = self.matrix(group, element)?;
        let (size, rows) = (self.size(group), self.size(parent));
        let mut gains = Vec::with_capacity(rows * rows);
        let mut permutations = Vec::with_capacity(rows * rows);
        for row in 0..rows {
            for column in 0..rows {
                let block = block(&matrix, rows * size, size, [row, column]);
                let permutation = self.assignment(group, &block, size)?;
                let entries = block.chunks_exact(size).zip(&permutation);
                let best: f64 = entries.map(|(row, &column)| row[column]).sum();
                gains.push(best - trace(&block, size));
                permutations.push(permutation);
            }
        }
        Ok(Child {
            group,
            gains,
            permutations,
        })
    }

    /// The permutations of a group, one for each combination of its parents' values, with the parents in place.
    fn step_within(&self, group: usize, from: &Point) -> Result<Option<Point>, AlignError> {
        let matrix = self.matrix(group, &from.element)?;
        let size = self.size(group);
        let mut table = Vec::with_capacity(self.width(group));
        for block in self.diagonal(group, &matrix).chunks_exact(size * size) {
            table.extend(self.assignment(group, block, size)?);
        }
        let mut found = self.tried(vec![(group, table)], from)?;
        if let Some(mean) = self.similarity.mean_matrix(group, &from.element)? {
            let table = self.quadratic_step(group, &mean, from)?;
            found = better(found, self.tried(vec![(group, table)], from)?);
        }
        Ok(found)
    }

    /// The permutations of a group in whose permutation the objective is quadratic, with its parents in place and its
    /// children moving along.
    fn quadratic_step(
        &self,
        group: usize,
        mean: &[f64],
        from: &Point,
    ) -> Result<Vec<usize>, AlignError> {
        let (size, width) = (self.size(group), self.width(group));
        if mean.len() != width * width {
            return Err(wrong_length(group, mean.len(), width));
        }
        let gradient_at = |table: &[usize]| -> Result<Vec<f64>, AlignError> {
            let element = self.moved(vec![(group, table.to_vec())], from)?;
            let moved = self.matrix(group, &element)?;
            let moved = self.diagonal(group, &moved);
            // Column `j` is the unit that the permutation takes from `p(j)`.
            let mut gradient = vec![0.0; moved.len()];
            let blocks = gradient.chunks_exact_mut(size * size);
            let blocks = blocks.zip(moved.chunks_exact(size * size));
            for ((gradient, moved), sources) in blocks.zip(table.chunks_exact(size)) {
                let rows = gradient
                    .chunks_exact_mut(size)
                    .zip(moved.chunks_exact(size));
                for (gradient, moved) in rows {
                    for (entry, &source) in moved.iter().zip(sources) {
                        gradient[source] = *entry;
                    }
                }
            }
            Ok(gradient)
        };
        let assign = |block: &[f64], size: usize| self.assignment(group, block, size);
        frank_wolfe(size, self.diagonal(group, mean), &gradient_at, &assign)
    }

    /// The element after new permutations of some groups, relative to a point.
    fn moved(
        &self,
        changes: Vec<(usize, Vec<usize>)>,
        from: &Point,
    ) -> Result<Element, AlignError> {
        let mut tables = self.identity.clone();
        for (group, table) in changes {
            tables[group] = table;
        }
        let step = self.similarity.symmetries().element(tables)?;
        Ok(step.compose(&from.element)?)
    }

    /// The point after new permutations of some groups, if the objective rises.
    fn tried(
        &self,
        changes: Vec<(usize, Vec<usize>)>,
        from: &Point,
    ) -> Result<Option<Point>, AlignError> {
        let is_identity = |(group, table): &(usize, Vec<usize>)| self.identity[*group] == *table;
        if changes.iter().all(is_identity) {
            return Ok(None);
        }
        let point = self.at(self.moved(changes, from)?)?;
        Ok(point.is_above(from.objective).then_some(point))
    }

    fn assignment(
        &self,
        group: usize,
        matrix: &[f64],
        size: usize,
    ) -> Result<Vec<usize>, AlignError> {
        self.num_assignments.set(self.num_assignments.get() + 1);
        assignment(matrix, size).map_err(|error| match error {
            AlignError::Similarity { message, .. } => AlignError::Similarity {
                group: Some(group),
                message,
            },
            other => other,
        })
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        let matrix = self.similarity.matrix(group, element)?;
        let width = self.width(group);
        if matrix.len() == width * width {
            Ok(matrix)
        } else {
            Err(wrong_length(group, matrix.len(), width))
        }
    }

    fn size(&self, group: usize) -> usize {
        self.similarity.symmetries().groups()[group].size()
    }

    /// The number of units for all combinations of the parents' values.
    fn width(&self, group: usize) -> usize {
        self.identity[group].len()
    }

    /// The blocks on the diagonal, one after the other.
    fn diagonal(&self, group: usize, matrix: &[f64]) -> Vec<f64> {
        let (size, width) = (self.size(group), self.width(group));
        let rows = 0..width / size;
        rows.flat_map(|row| block(matrix, width, size, [row, row]))
            .collect()
    }
}

/// The permutations of all groups.
pub(super) fn tables(similarity: &dyn Similarity, element: &Element) -> Vec<Vec<usize>> {
    let groups = 0..similarity.symmetries().groups().len();
    groups
        .map(|group| element.permutation(group).unwrap_or_default().to_vec())
        .collect()
}

/// One of the square blocks of a matrix.
fn block(matrix: &[f64], width: usize, size: usize, [row, column]: [usize; 2]) -> Vec<f64> {
    let mut block = Vec::with_capacity(size * size);
    for row in row * size..(row + 1) * size {
        let from = row * width + column * size;
        block.extend_from_slice(&matrix[from..from + size]);
    }
    block
}

fn better(one: Option<Point>, other: Option<Point>) -> Option<Point> {
    match (one, other) {
        (Some(one), Some(other)) if other.objective > one.objective => Some(other),
        (one, other) => one.or(other),
    }
}
