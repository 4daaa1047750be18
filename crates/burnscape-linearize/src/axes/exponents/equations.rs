//! The equations of a program.

use burn_ir::{OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::groups::{Block, cases};
use super::super::term::{AtomId, Term};
use super::super::walk::Walk;
use super::number::{Fraction, Number};
use super::operations::{is_zero, meaning};
use super::patch::{Moved, Patch, in_bounds, moves, result_starts, step, steps, summed_starts};
use super::relation::{How, Meaning, Relation};
use super::rotation::Special;
use super::solver::{Solver, Sum};
use super::{Mode, Places, ScaledPlace};

pub(super) struct Equations<'w, 'p, N> {
    walk: &'w mut Walk<'p>,
    atoms: FxHashSet<AtomId>,
    mode: Mode,
    pub(super) solver: Solver<N>,
    pub(super) patches: FxHashMap<TensorId, Vec<Patch>>,
    /// The tensors whose values are all zero: they have any exponent.
    zero: FxHashSet<TensorId>,
    pub(super) special: Special,
    /// Of rotations, the gains along each atom.
    pub(super) gains: FxHashMap<AtomId, Vec<usize>>,
    /// Of rotations, the atoms along which means are taken.
    pub(super) with_means: FxHashSet<AtomId>,
    /// Of rotations, the unknowns of gains and of squares, which do not turn.
    pub(super) exempt: FxHashSet<usize>,
}

impl<'w, 'p, N: Number> Equations<'w, 'p, N> {
    pub(super) fn new(
        walk: &'w mut Walk<'p>,
        atoms: &[AtomId],
        (num_free, mode): (usize, Mode),
    ) -> Self {
        let special = match mode {
            Mode::Rotation => Special::of(walk.program, num_free),
            Mode::Scale | Mode::Sign | Mode::Gauge => Special::default(),
        };
        let constants = walk.program.constants.iter();
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let zero = constants.filter(|(_, data)| is_zero(data.as_bytes()));
        Self {
            zero: zero.map(|(id, _)| *id).collect(),
            walk,
            atoms: atoms.iter().copied().collect(),
            mode,
            solver: Solver::new(),
            patches: FxHashMap::default(),
            special,
            gains: FxHashMap::default(),
            with_means: FxHashSet::default(),
            exempt: FxHashSet::default(),
        }
    }

    /// The unknowns of the inputs. They are made first, so that all others are expressed by them.
    pub(super) fn inputs(&mut self, movable: &[bool]) -> Places {
        let mut places = Places::default();
        let program = self.walk.program;
        for (input, port) in program.inputs.iter().enumerate() {
            let patches = self.patches(&port.tensor);
            let labels = self.walk.labels[&port.tensor.id].axes.clone();
            let counts: Vec<usize> = labels
                .iter()
                .map(|axis| self.walk.terms.blocks(axis).len())
                .collect();
            for (index, patch) in patches.iter().enumerate() {
                let blocks = super::relation::unflat(&counts, index);
                for (axis, unknowns) in patch.unknowns.iter().enumerate() {
                    for (factor, unknown) in unknowns.iter().enumerate() {
                        let Some((atom, unknown)) = *unknown else {
                            continue;
                        };
                        if !movable.get(input).copied().unwrap_or(false) {
                            self.solver.vanish(&[(unknown, N::ONE)]);
                            continue;
                        }
                        let place = ScaledPlace {
                            input,
                            blocks: blocks.clone(),
                            axis,
                            factor,
                            exponent: (0, 1),
                        };
                        places.entry(atom).or_default().push((unknown, place));
                    }
                }
            }
        }
        places
    }

    /// Reads every operation of the program.
    pub(super) fn walk(&mut self) {
        let program = self.walk.program;
        for operation in &program.operations {
            self.step(operation);
        }
    }

    pub(super) fn reduced(&mut self, unknown: usize) -> Sum<N> {
        self.solver.reduced(unknown)
    }

    /// The solution that turns every tensor in which the atom occurs.
    pub(super) fn gauge(&mut self, atom: AtomId, inputs: &[usize]) -> Option<Vec<N>> {
        let patches = self.patches.values().flatten();
        let all = patches.flat_map(|patch| patch.unknowns.iter().flatten().flatten());
        let own: Vec<usize> = all
            .filter(|(other, _)| *other == atom)
            .map(|(_, unknown)| *unknown)
            .collect();
        let is_unit = |value: N| value == N::ONE || value == N::ONE.negative();
        let (solver, exempt) = (&mut self.solver, &self.exempt);
        let mut value = |unknown: usize| {
            if exempt.contains(&unknown) {
                return N::ZERO;
            }
            let sum = solver.reduced(unknown);
            sum.into_values().fold(N::ZERO, N::plus)
        };
        let mut own = own.iter().filter(|unknown| !self.exempt.contains(unknown));
        let turns_all = own.all(|&unknown| is_unit(value(unknown)));
        (turns_all && !inputs.is_empty()).then(|| inputs.iter().map(|&u| value(u)).collect())
    }

    fn patches(&mut self, tensor: &TensorIr) -> Vec<Patch> {
        if let Some(patches) = self.patches.get(&tensor.id) {
            return patches.clone();
        }
        let labels = self.walk.labels[&tensor.id].clone();
        let mut patches = Vec::new();
        for (index, mut axes) in cases(&labels).into_iter().enumerate() {
            let single = labels.case.filter(|_| {
                labels
                    .axes
                    .iter()
                    .any(|axis| matches!(axis, Term::Cases(_)))
            });
            let mut blocks: Vec<Vec<Block>> = Vec::new();
            for (axis, term) in axes.iter_mut().enumerate() {
                blocks.push(if single == Some(axis) {
                    vec![Block {
                        offset: index,
                        factors: Vec::new(),
                    }]
                } else {
                    self.walk.terms.blocks(term)
                });
            }
            let mut products: Vec<Vec<Block>> = vec![Vec::new()];
            for blocks in &blocks {
                let longer = products.iter().flat_map(|head| {
                    blocks.iter().map(|block| {
                        let mut head = head.clone();
                        head.push(block.clone());
                        head
                    })
                });
                products = longer.collect();
            }
            patches.extend(products.into_iter().map(|axes| self.patch(axes)));
        }
        self.patches.insert(tensor.id, patches.clone());
        patches
    }

    fn patch(&mut self, axes: Vec<Block>) -> Patch {
        let unknowns = axes.iter().map(|block| {
            let factors = block.factors.iter().map(|factor| {
                let atom = factor.atom.filter(|atom| self.atoms.contains(atom))?;
                Some((atom, self.solver.unknown()))
            });
            factors.collect()
        });
        Patch {
            unknowns: unknowns.collect(),
            axes,
        }
    }

    fn fix(&mut self, tensor: &TensorIr) {
        for patch in self.patches(tensor) {
            self.fix_patch(&patch, None);
        }
    }

    fn fix_patch(&mut self, patch: &Patch, only: Option<AtomId>) {
        for (atom, unknown) in patch.unknowns.iter().flatten().flatten() {
            if only.is_none_or(|only| only == *atom) {
                self.solver.vanish(&[(*unknown, N::ONE)]);
            }
        }
    }

    fn step(&mut self, operation: &OperationIr) {
        let mut outputs = operation.outputs();
        if let Some(out) = outputs.next()
            && let Some(axes) = self.special.squares.get(&out.id).cloned()
        {
            // A square that is only summed: its operand turns along the axes of the sums, and so may it.
            let operand = operation.inputs().next().unwrap_or(out);
            for (tensor, is_square) in [(out, true), (operand, false)] {
                for patch in self.patches(tensor) {
                    for (axis, unknowns) in patch.unknowns.iter().enumerate() {
                        for (_, unknown) in unknowns.iter().flatten() {
                            if !axes.contains(&axis) {
                                self.solver.vanish(&[(*unknown, N::ONE)]);
                            } else if is_square {
                                self.exempt.insert(*unknown);
                            }
                        }
                    }
                }
            }
            return;
        }
        let meaning = meaning(operation, self.mode);
        let mut outputs = operation.outputs();
        if let (Meaning::Related(relations), Some(out)) = (&meaning, outputs.next())
            && out.dtype.is_float()
        {
            if relations.iter().all(|relation| self.vanishes(relation)) {
                self.zero.insert(out.id);
            }
            for relation in relations {
                self.relate(relation, out);
            }
            for out in outputs {
                self.fix(out);
            }
            return;
        }
        if makes_zeros(operation) {
            self.zero
                .extend(operation.outputs().map(|tensor| tensor.id));
            return;
        }
        if matches!(meaning, Meaning::Fixed) {
            for tensor in operation.inputs() {
                self.fix(tensor);
            }
        }
        for out in operation.outputs() {
            self.fix(out);
        }
    }

    fn vanishes(&self, relation: &Relation<'_>) -> bool {
        let mut operands = relation.operands.iter();
        let is_zero = |tensor: &&&TensorIr| self.zero.contains(&tensor.id);
        match relation.how {
            How::Product(_) => operands.next().as_ref().is_some_and(is_zero),
            How::Equal | How::Power(_) => operands.all(|tensor| is_zero(&tensor)),
        }
    }

    fn relate(&mut self, relation: &Relation<'_>, out: &TensorIr) {
        let is_zero = |tensor: &&TensorIr| self.zero.contains(&tensor.id);
        let is_product = matches!(relation.how, How::Product(_));
        if is_product && relation.operands.iter().any(is_zero) {
            return;
        }
        let operands: Vec<Vec<Patch>> = relation
            .operands
            .iter()
            .map(|tensor| self.patches(tensor))
            .collect();
        let starts = summed_starts(relation, &operands);
        for patch in self.patches(out) {
            for to in result_starts(relation, &operands, (out, &patch)) {
                for over in &starts {
                    let Some(places) = (relation.places)(&to, over) else {
                        continue;
                    };
                    self.along_result(relation, &operands, &patch, (&to, over), &places);
                    self.along_sums(relation, &operands, (&to, over), &places);
                }
            }
        }
    }

    /// The equations for the groups of the result.
    fn along_result(
        &mut self,
        relation: &Relation<'_>,
        operands: &[Vec<Patch>],
        patch: &Patch,
        (to, over): (&[usize], &[usize]),
        places: &[Option<Vec<usize>>],
    ) {
        for (axis, block) in patch.axes.iter().enumerate() {
            for (index, factor) in block.factors.iter().enumerate() {
                let Some((atom, unknown)) = patch.unknowns[axis][index] else {
                    continue;
                };
                let mut next = to.to_vec();
                next[axis] += factor.stride;
                let moved = (relation.places)(&next, over);
                let Some(found) = self.moved(relation, operands, atom, places, moved) else {
                    self.solver.vanish(&[(unknown, N::ONE)]);
                    continue;
                };
                self.equate(relation, (atom, unknown), &found);
            }
        }
    }

    fn equate(
        &mut self,
        relation: &Relation<'_>,
        (atom, out): (AtomId, usize),
        found: &[Option<Moved>],
    ) {
        let along = |moved: &Option<Moved>| match moved {
            Some(Moved::Along(unknown)) => Some(*unknown),
            _ => None,
        };
        match &relation.how {
            How::Equal => {
                for moved in found.iter().flatten() {
                    if self.mode == Mode::Rotation && matches!(moved, Moved::Absent) {
                        // A multiple of the vector of ones.
                        self.with_means.insert(atom);
                        continue;
                    }
                    let mut terms = vec![(out, N::ONE)];
                    if let Moved::Along(unknown) = moved {
                        terms.push((*unknown, N::ONE.negative()));
                    }
                    self.solver.vanish(&terms);
                }
            }
            How::Power(power) => {
                let mut terms = vec![(out, N::ONE)];
                let power = number::<N>(*power).negative();
                terms.extend(found.iter().filter_map(along).map(|u| (u, power)));
                self.solver.vanish(&terms);
            }
            How::Product(coefficients) => {
                let factors: Vec<(usize, i64)> = found
                    .iter()
                    .zip(coefficients)
                    .filter_map(|(moved, &coefficient)| Some((along(moved)?, coefficient)))
                    .collect();
                // A change of basis passes products with what does not vary along it.
                let is_linear = matches!(factors[..], [] | [(_, 1)]);
                if self.mode == Mode::Rotation
                    && let [(x, 1), (y, 1)] = factors[..]
                    && let Some((turned, gain, input)) = self.gain(relation, [x, y])
                {
                    self.gains.entry(atom).or_default().push(input);
                    self.exempt.insert(gain);
                    self.exempt_views(atom, input);
                    self.solver
                        .vanish(&[(out, N::ONE), (turned, N::ONE.negative())]);
                    return;
                }
                let is_change_of_basis = matches!(self.mode, Mode::Gauge | Mode::Rotation);
                if is_change_of_basis && !is_linear {
                    self.solver.vanish(&[(out, N::ONE)]);
                    for (unknown, _) in factors {
                        self.solver.vanish(&[(unknown, N::ONE)]);
                    }
                    return;
                }
                let mut terms = vec![(out, N::ONE)];
                terms.extend(factors.iter().map(|&(u, c)| (u, N::of(-c))));
                self.solver.vanish(&terms);
            }
        }
    }

    /// The equations for the groups that are summed over: their factors cancel.
    fn along_sums(
        &mut self,
        relation: &Relation<'_>,
        operands: &[Vec<Patch>],
        (to, over): (&[usize], &[usize]),
        places: &[Option<Vec<usize>>],
    ) {
        for sum in 0..relation.summed.len() {
            for (stride, atom) in steps(operands, places) {
                let mut next = over.to_vec();
                next[sum] += stride;
                // A step that leaves the sum, or moves nothing along the group.
                let moved = (relation.places)(to, &next);
                let Some(moved) = moved.filter(|moved| in_bounds(relation, moved)) else {
                    continue;
                };
                if !moves(operands, atom, places, &moved) {
                    continue;
                }
                let moved = Some(moved);
                let Some(found) = self.moved(relation, operands, atom, places, moved) else {
                    continue;
                };
                let coefficients = match &relation.how {
                    How::Product(coefficients) => coefficients.clone(),
                    How::Equal | How::Power(_) => vec![1; found.len()],
                };
                let terms = found.iter().zip(coefficients);
                let terms = terms.filter_map(|(moved, coefficient)| match moved {
                    Some(Moved::Along(unknown)) => Some((*unknown, N::of(coefficient))),
                    _ => None,
                });
                let terms: Vec<(usize, N)> = terms.collect();
                if self.mode == Mode::Rotation {
                    self.sum_of_turned(relation, atom, &terms);
                    continue;
                }
                self.solver.vanish(&terms);
            }
        }
    }

    /// What each operand does between two places. An operand that is not read or zero says nothing; `None` if it is not
    /// clear for one, and then the atom is fixed in all of them.
    fn moved(
        &mut self,
        relation: &Relation<'_>,
        operands: &[Vec<Patch>],
        atom: AtomId,
        from: &[Option<Vec<usize>>],
        to: Option<Vec<Option<Vec<usize>>>>,
    ) -> Option<Vec<Option<Moved>>> {
        let to = to.unwrap_or_else(|| vec![None; from.len()]);
        let mut found = Vec::new();
        let mut is_clear = true;
        for (index, tensor) in relation.operands.iter().enumerate() {
            let is_silent = self.zero.contains(&tensor.id) || !tensor.dtype.is_float();
            found.push(match (&from[index], &to[index]) {
                _ if is_silent => None,
                (None, None) => None,
                (Some(from), Some(to)) => Some(step(&operands[index], atom, from, to)),
                _ => Some(Moved::Unclear),
            });
            is_clear &= !matches!(found[index], Some(Moved::Unclear));
        }
        if is_clear {
            return Some(found);
        }
        for patches in operands {
            for patch in patches {
                self.fix_patch(patch, Some(atom));
            }
        }
        None
    }
}

fn number<N: Number>(fraction: Fraction) -> N {
    N::of(fraction.numerator).times(N::of(fraction.denominator).inverse())
}

fn makes_zeros(operation: &OperationIr) -> bool {
    use burn_ir::{BaseOperationIr as Base, NumericOperationIr as Numeric};
    match operation {
        OperationIr::BaseFloat(Base::Zeros(_)) => true,
        OperationIr::NumericFloat(_, Numeric::Full(o)) => is_zero(o.value),
        _ => false,
    }
}
