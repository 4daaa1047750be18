//! Neighbors on a grid.

use crate::field::strides;
use crate::{Connectivity, TopologyError};

/// The most axes longer than 1 for full connectivity.
const MOST_AXES: usize = 10;

/// A line of cells along the last axis, as seen from another one.
struct Shift {
    /// Steps along all axes but the last.
    steps: Vec<i8>,
    offset: isize,
}

/// A neighbor as seen from a cell.
struct Step {
    steps: Vec<i8>,
    offset: isize,
}

/// A grid whose axes are all longer than 1, unless there is one axis alone.
pub(crate) struct Grid {
    shape: Vec<usize>,
    cells: usize,
    connectivity: Connectivity,
    /// Whether every cell touches the outside, because an axis has length 1.
    is_flat: bool,
    /// Lines with a neighbor, the line itself among them, in the order of their cells.
    shifts: Vec<Shift>,
    neighbors: Vec<Step>,
}

impl Grid {
    pub(crate) fn new(shape: &[usize], connectivity: Connectivity) -> Result<Self, TopologyError> {
        let mut longer: Vec<usize> = shape.iter().copied().filter(|&n| n > 1).collect();
        if connectivity == Connectivity::Full && longer.len() > MOST_AXES {
            return Err(TopologyError::TooManyAxes {
                axes: longer.len(),
                limit: MOST_AXES,
            });
        }
        let is_flat = longer.len() < shape.len();
        if longer.is_empty() {
            longer.push(1);
        }
        let strides = strides(&longer);
        let offset = |steps: &[i8]| -> isize {
            let terms = steps.iter().zip(&strides);
            terms
                .map(|(&step, &stride)| isize::from(step) * stride as isize)
                .sum()
        };
        let d = longer.len();
        let mut shifts: Vec<Shift> = blocks(d - 1, connectivity)
            .into_iter()
            .map(|steps| Shift {
                offset: offset(&steps),
                steps,
            })
            .collect();
        shifts.sort_by_key(|shift| shift.offset);
        let mut neighbors: Vec<Step> = blocks(d, connectivity)
            .into_iter()
            .filter(|steps| steps.iter().any(|&step| step != 0))
            .map(|steps| Step {
                offset: offset(&steps),
                steps,
            })
            .collect();
        neighbors.sort_by_key(|step| step.offset);
        Ok(Self {
            cells: longer.iter().product(),
            shape: longer,
            connectivity,
            is_flat,
            shifts,
            neighbors,
        })
    }

    pub(crate) fn cells(&self) -> usize {
        self.cells
    }

    pub(crate) fn connectivity(&self) -> Connectivity {
        self.connectivity
    }

    /// The number of neighbors of a cell that is not at the border.
    pub(crate) fn num_neighbors(&self) -> usize {
        self.neighbors.len()
    }

    /// The number of cells in a line.
    pub(crate) fn length(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    pub(crate) fn lines(&self) -> usize {
        self.cells / self.length()
    }

    /// Whether a cell touches the outside.
    pub(crate) fn is_border(&self, cell: usize) -> bool {
        let at = crate::field::coordinates(&self.shape, cell);
        let mut axes = at.iter().zip(&self.shape);
        self.is_flat || axes.any(|(&x, &n)| x == 0 || x + 1 == n)
    }

    /// A walk over lines that begins with this one.
    pub(crate) fn walk(&self, line: usize) -> Walk<'_> {
        let leading = &self.shape[..self.shape.len() - 1];
        Walk {
            grid: self,
            line,
            at: if leading.is_empty() {
                Vec::new()
            } else {
                crate::field::coordinates(leading, line)
            },
            offsets: Vec::new(),
        }
    }

    /// Calls with each neighbor of a cell, in their order.
    pub(crate) fn for_neighbors(&self, cell: usize, mut each: impl FnMut(usize)) {
        // Axes at whose first or last point the cell is, as bits.
        let (mut firsts, mut lasts) = (0_u64, 0_u64);
        let mut rest = cell as u32;
        for (axis, &n) in self.shape.iter().enumerate().rev() {
            let n = n as u32;
            let (quotient, x) = if axis == 0 {
                (0, rest)
            } else {
                (rest / n, rest % n)
            };
            firsts |= u64::from(x == 0) << axis;
            lasts |= u64::from(x + 1 == n) << axis;
            rest = quotient;
        }
        if firsts | lasts == 0 {
            for step in &self.neighbors {
                each(cell.wrapping_add_signed(step.offset));
            }
            return;
        }
        for step in &self.neighbors {
            let mut steps = step.steps.iter().enumerate();
            let leaves = steps.any(|(axis, &step)| {
                (step < 0 && firsts >> axis & 1 == 1) || (step > 0 && lasts >> axis & 1 == 1)
            });
            if !leaves {
                each(cell.wrapping_add_signed(step.offset));
            }
        }
    }
}

/// All steps along `d` axes, the zero step among them.
fn blocks(d: usize, connectivity: Connectivity) -> Vec<Vec<i8>> {
    match connectivity {
        Connectivity::Full => (0..d).fold(vec![Vec::new()], |shorter, _| {
            let longer = |steps: Vec<i8>| {
                [-1, 0, 1].map(|step| {
                    let mut steps = steps.clone();
                    steps.push(step);
                    steps
                })
            };
            shorter.into_iter().flat_map(longer).collect()
        }),
        Connectivity::Axis => {
            let mut all = vec![vec![0; d]];
            for axis in 0..d {
                for step in [-1, 1] {
                    let mut steps = vec![0; d];
                    steps[axis] = step;
                    all.push(steps);
                }
            }
            all
        }
    }
}

/// A place among the lines of a grid.
pub(crate) struct Walk<'g> {
    grid: &'g Grid,
    line: usize,
    at: Vec<usize>,
    offsets: Vec<isize>,
}

impl Walk<'_> {
    /// The first cell of the line.
    pub(crate) fn start(&self) -> usize {
        self.line * self.grid.length()
    }

    /// Whether all cells of the line touch the outside.
    pub(crate) fn is_border(&self) -> bool {
        let mut axes = self.at.iter().zip(&self.grid.shape);
        self.grid.is_flat || axes.any(|(&x, &n)| x == 0 || x + 1 == n)
    }

    /// Where the lines with a neighbor start, relative to this one, ascending; this one among them.
    pub(crate) fn offsets(&mut self) -> &[isize] {
        self.offsets.clear();
        for shift in &self.grid.shifts {
            let mut axes = self.at.iter().zip(&self.grid.shape).zip(&shift.steps);
            let leaves =
                axes.any(|((&x, &n), &step)| (step < 0 && x == 0) || (step > 0 && x + 1 == n));
            if !leaves {
                self.offsets.push(shift.offset);
            }
        }
        &self.offsets
    }

    pub(crate) fn step(&mut self) {
        self.line += 1;
        for (x, &n) in self.at.iter_mut().zip(&self.grid.shape).rev() {
            *x += 1;
            if *x < n {
                return;
            }
            *x = 0;
        }
    }
}
