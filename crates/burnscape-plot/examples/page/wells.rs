//! A merge tree of a grid, as short as it can be; `burnscape-topology` has the real one.

use burnscape_plot::TreeBranch;

pub(crate) struct Grid<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
}

impl Grid<'_> {
    /// The branches, and the one of each cell. Cells come from low to high; where two wells meet, the shallower one ends.
    pub(crate) fn wells(&self, values: &[f64]) -> (Vec<TreeBranch>, Vec<u32>) {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut basins = vec![u32::MAX; values.len()];
        let mut branches: Vec<TreeBranch> = Vec::new();
        // The living branch that each branch has become a part of.
        let mut owner: Vec<usize> = Vec::new();
        for cell in order {
            let mut near: Vec<usize> = self
                .neighbors(cell)
                .filter(|&next| basins[next] != u32::MAX)
                .map(|next| root(&owner, basins[next] as usize))
                .collect();
            near.sort_unstable();
            near.dedup();
            let Some((&eldest, younger)) = near.split_first() else {
                basins[cell] = branches.len() as u32;
                owner.push(branches.len());
                let at = vec![self.x[cell / self.y.len()], self.y[cell % self.y.len()]];
                branches.push(TreeBranch {
                    birth: values[cell],
                    volume: 1,
                    at,
                    ..TreeBranch::default()
                });
                continue;
            };
            for &branch in younger {
                branches[branch].death = Some(values[cell]);
                branches[branch].parent = Some(eldest);
                owner[branch] = eldest;
            }
            // Downhill: the lowest neighbor says which basin.
            let lowest = self
                .neighbors(cell)
                .filter(|&next| basins[next] != u32::MAX);
            let lowest = lowest.min_by(|&a, &b| values[a].total_cmp(&values[b]));
            basins[cell] = lowest.map_or(eldest as u32, |next| basins[next]);
            branches[basins[cell] as usize].volume += 1;
        }
        for (index, branch) in branches.iter_mut().enumerate() {
            branch.is_resolved = Some(branch.death.is_none_or(|death| death - branch.birth > 0.1));
            branch.label = char::from(b'A' + (index % 26) as u8).to_string();
        }
        (branches, basins)
    }

    fn neighbors(&self, cell: usize) -> impl Iterator<Item = usize> {
        let (nx, ny) = (self.x.len(), self.y.len());
        let (i, j) = (cell / ny, cell % ny);
        let rows = i.saturating_sub(1)..=(i + 1).min(nx - 1);
        rows.flat_map(move |a| (j.saturating_sub(1)..=(j + 1).min(ny - 1)).map(move |b| a * ny + b))
            .filter(move |&next| next != cell)
    }
}

fn root(owner: &[usize], mut branch: usize) -> usize {
    while owner[branch] != branch {
        branch = owner[branch];
    }
    branch
}
