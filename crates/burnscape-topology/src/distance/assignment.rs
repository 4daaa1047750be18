//! Linear assignment.

/// The column of each row in an assignment of least total cost. Costs are row-major, finite, and there are at most as
/// many rows as columns.
///
/// # References
///
/// Crouse 2016, *On implementing 2D rectangular assignment algorithms*, the algorithm of SciPy and of `lsap`.
pub(super) fn assign(costs: &Vec<f64>, rows: usize, columns: usize) -> Vec<usize> {
    let mut assigned = vec![0; rows];
    // Finite costs always have an assignment.
    if let Ok((found, of)) = lsap::solve(rows, columns, costs, false) {
        for (row, column) in found.into_iter().zip(of) {
            if let Some(place) = assigned.get_mut(row) {
                *place = column;
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(
        costs: &[f64],
        rows: usize,
        columns: usize,
        row: usize,
        taken: &mut Vec<usize>,
    ) -> f64 {
        if row == rows {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..columns {
            if !taken.contains(&column) {
                taken.push(column);
                let rest = least(costs, rows, columns, row + 1, taken);
                taken.pop();
                best = best.min(costs[row * columns + column] + rest);
            }
        }
        best
    }

    #[test]
    fn the_cost_is_the_least_of_all_assignments() {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            state >> 60
        };
        for case in 0..400 {
            let rows = case % 6;
            let columns = rows + case % 3;
            let costs: Vec<f64> = (0..rows * columns)
                .map(|_| -(next() as f64) / 4.0)
                .collect();
            let found = assign(&costs, rows, columns);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), rows);
            let sum: f64 = found
                .iter()
                .enumerate()
                .map(|(row, column)| costs[row * columns + column])
                .sum();
            assert_eq!(sum, least(&costs, rows, columns, 0, &mut Vec::new()));
        }
    }
}
