//! Plans of least cost, exactly.

use crate::align::AlignError;
use crate::align::assignment::assignment;

/// The plan of least cost between `n` and `m` units of equal masses, in row-major order, as whole numbers: rows sum to
/// `m / g` and columns to `n / g`, where `g` is the greatest common divisor. Costs must be finite.
///
/// Of equal sizes it is a permutation. Among equal ones it is that with the most fixed points, and of other sizes that
/// which gives first units to first units.
///
/// # Cost
///
/// O(n³) of equal sizes. Else O(n m) for each path along which mass is sent: one to a few for each unit in practice.
pub(super) fn exact(costs: &[f64], [rows, columns]: [usize; 2]) -> Result<Vec<u64>, AlignError> {
    if rows == columns {
        let gains: Vec<f64> = costs.iter().map(|cost| -cost).collect();
        let mut flows = vec![0; costs.len()];
        for (row, column) in assignment(&gains, rows)?.into_iter().enumerate() {
            flows[row * columns + column] = 1;
        }
        return Ok(flows);
    }
    let common = greatest_common_divisor(rows, columns) as u64;
    let supplies = vec![columns as u64 / common; rows];
    let demands = vec![rows as u64 / common; columns];
    let mut network = Network::new(costs, supplies, demands);
    if network.send_all() {
        Ok(network.by_row())
    } else {
        Err(AlignError::Similarity {
            group: None,
            message: "costs of transport are not finite; scale the parameters down".to_string(),
        })
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        b => greatest_common_divisor(b, a % b),
    }
}

/// A transportation problem, solved by shortest augmenting paths with potentials.
struct Network<'c> {
    /// Row-major.
    costs: &'c [f64],
    /// What each row has still to send, and each column to receive.
    supplies: Vec<u64>,
    demands: Vec<u64>,
    /// Column by column.
    flows: Vec<u64>,
    /// Potentials: `cost − row − column` is not negative, and zero where something flows.
    rows: Vec<f64>,
    columns: Vec<f64>,
}

/// The shortest paths from a row.
struct Paths {
    /// To each column, and the row before it.
    distances: Vec<f64>,
    before: Vec<usize>,
    is_final: Vec<bool>,
    /// To each row that is reached.
    rows: Vec<Option<Reached>>,
    /// The nearest column that has to receive something.
    end: usize,
}

/// A row on a path.
#[derive(Debug, Clone, Copy)]
struct Reached {
    distance: f64,
    /// The column before it, from which it takes flow back. None at the start.
    from: Option<usize>,
}

impl<'c> Network<'c> {
    fn new(costs: &'c [f64], supplies: Vec<u64>, demands: Vec<u64>) -> Self {
        let (n, m) = (supplies.len(), demands.len());
        let mut columns = vec![f64::INFINITY; m];
        for costs in costs.chunks_exact(m) {
            for (least, cost) in columns.iter_mut().zip(costs) {
                *least = least.min(*cost);
            }
        }
        let rows = costs.chunks_exact(m).map(|costs| {
            let pairs = costs.iter().zip(&columns);
            let reduced = pairs.map(|(cost, column)| cost - column);
            reduced.fold(f64::INFINITY, f64::min)
        });
        Self {
            rows: rows.collect(),
            columns,
            flows: vec![0; n * m],
            costs,
            supplies,
            demands,
        }
    }

    /// Sends everything. False if that is impossible: if costs are not finite, or sums differ.
    fn send_all(&mut self) -> bool {
        for row in 0..self.supplies.len() {
            while self.supplies[row] > 0 {
                let Some(paths) = self.search(row) else {
                    return false;
                };
                self.send(row, &paths);
            }
        }
        true
    }

    /// The algorithm of Dijkstra, until a column is reached that has to receive something.
    fn search(&self, start: usize) -> Option<Paths> {
        let (n, m) = (self.rows.len(), self.columns.len());
        let mut paths = Paths {
            distances: vec![f64::INFINITY; m],
            before: vec![start; m],
            is_final: vec![false; m],
            rows: vec![None; n],
            end: 0,
        };
        paths.rows[start] = Some(Reached {
            distance: 0.0,
            from: None,
        });
        let mut fresh = vec![(start, 0.0)];
        loop {
            for (row, distance) in fresh.drain(..) {
                self.scan(row, distance, &mut paths);
            }
            let column = self.nearest(&paths)?;
            paths.is_final[column] = true;
            if self.demands[column] > 0 {
                paths.end = column;
                return Some(paths);
            }
            let distance = paths.distances[column];
            let flows = self.flows[column * n..][..n].iter().enumerate();
            for (row, _) in flows.filter(|(_, flow)| **flow > 0) {
                if paths.rows[row].is_none() {
                    paths.rows[row] = Some(Reached {
                        distance,
                        from: Some(column),
                    });
                    fresh.push((row, distance));
                }
            }
        }
    }

    /// Goes on from a row.
    fn scan(&self, row: usize, distance: f64, paths: &mut Paths) {
        let m = self.columns.len();
        let costs = &self.costs[row * m..][..m];
        for (column, cost) in costs.iter().enumerate() {
            let through = distance + (cost - self.rows[row] - self.columns[column]);
            if !paths.is_final[column] && through < paths.distances[column] {
                paths.distances[column] = through;
                paths.before[column] = row;
            }
        }
    }

    /// The nearest column; of equal ones the first that has to receive something, or else the first.
    fn nearest(&self, paths: &Paths) -> Option<usize> {
        let mut nearest: Option<usize> = None;
        let open = (0..self.columns.len()).filter(|&column| !paths.is_final[column]);
        for column in open.filter(|&column| paths.distances[column] < f64::INFINITY) {
            let is_nearer = nearest.is_none_or(|known| {
                let (own, other) = (paths.distances[column], paths.distances[known]);
                let is_open = self.demands[column] > 0 && self.demands[known] == 0;
                own < other || (own == other && is_open)
            });
            if is_nearer {
                nearest = Some(column);
            }
        }
        nearest
    }

    /// Sends as much as possible along the path to the end, and moves the potentials.
    fn send(&mut self, start: usize, paths: &Paths) {
        let n = self.rows.len();
        // Where the flow grows, and where it falls.
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let mut column = Some(paths.end);
        while let Some(to) = column {
            let row = paths.before[to];
            up.push(to * n + row);
            column = paths.rows[row].and_then(|reached| reached.from);
            down.extend(column.map(|from| from * n + row));
        }
        let most = self.supplies[start].min(self.demands[paths.end]);
        let amount = down.iter().map(|&place| self.flows[place]);
        let amount = amount.fold(most, u64::min);
        for place in up {
            self.flows[place] += amount;
        }
        for place in down {
            self.flows[place] -= amount;
        }
        self.supplies[start] -= amount;
        self.demands[paths.end] -= amount;
        let length = paths.distances[paths.end];
        for (potential, reached) in self.rows.iter_mut().zip(&paths.rows) {
            if let Some(reached) = reached {
                *potential += length - reached.distance;
            }
        }
        let columns = self.columns.iter_mut().zip(&paths.distances);
        for ((potential, distance), is_final) in columns.zip(&paths.is_final) {
            if *is_final {
                *potential -= length - distance;
            }
        }
    }

    /// The flows in row-major order.
    fn by_row(&self) -> Vec<u64> {
        let (n, m) = (self.rows.len(), self.columns.len());
        let places = (0..n).flat_map(|row| (0..m).map(move |column| column * n + row));
        places.map(|place| self.flows[place]).collect()
    }
}

#[cfg(test)]
mod tests {
    use burnscape_testkit::golden::load;
    use rand::RngExt;
    use serde::Deserialize;

    use super::*;
    use crate::space::stream;

    /// A part of `golden/align/transport.json`.
    #[derive(Deserialize)]
    struct Golden {
        masses: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        supplies: Vec<u64>,
        demands: Vec<u64>,
        costs: Vec<f64>,
        least: f64,
    }

    fn total(costs: &[f64], flows: &[u64]) -> f64 {
        let pairs = costs.iter().zip(flows);
        pairs.map(|(cost, flow)| cost * *flow as f64).sum()
    }

    /// Whether rows and columns sum to what they have to.
    fn fits(flows: &[u64], supplies: &[u64], demands: &[u64]) -> bool {
        let m = demands.len();
        let mut rows = flows.chunks_exact(m).zip(supplies);
        let is_sent = rows.all(|(row, supply)| row.iter().sum::<u64>() == *supply);
        let column = |column: usize| flows.iter().skip(column).step_by(m).sum::<u64>();
        is_sent && (0..m).all(|at| column(at) == demands[at])
    }

    #[test]
    fn costs_are_those_of_linear_programming() {
        let golden: Golden = load("align", "transport").unwrap();
        assert!(golden.masses.len() >= 8);
        for (index, case) in golden.masses.iter().enumerate() {
            let (supplies, demands) = (case.supplies.clone(), case.demands.clone());
            let mut network = Network::new(&case.costs, supplies, demands);
            assert!(network.send_all(), "case {index}");
            let flows = network.by_row();
            assert!(fits(&flows, &case.supplies, &case.demands), "case {index}");
            let found = total(&case.costs, &flows);
            let gap = (found - case.least).abs();
            assert!(
                gap <= 1e-9 * case.least.abs().max(1.0),
                "case {index}: {gap:e}"
            );
        }
    }

    /// Optimal by duality: no reduced cost is negative, and what flows has none.
    #[test]
    fn potentials_prove_that_no_plan_costs_less() {
        for (seed, (n, m)) in [(7, 5), (5, 7), (12, 18), (40, 31), (1, 6), (6, 1)]
            .into_iter()
            .enumerate()
        {
            let mut rng = stream(seed as u64, 4);
            let draws = (0..n * m).map(|_| rng.random::<f64>());
            // Every other time with many ties.
            let costs: Vec<f64> = match seed % 2 {
                0 => draws.collect(),
                _ => draws.map(|draw| (4.0 * draw).floor()).collect(),
            };
            let common = greatest_common_divisor(n, m);
            let supplies = vec![(m / common) as u64; n];
            let demands = vec![(n / common) as u64; m];
            let mut network = Network::new(&costs, supplies.clone(), demands.clone());
            assert!(network.send_all());
            let flows = network.by_row();
            assert!(fits(&flows, &supplies, &demands));
            for (place, flow) in flows.iter().enumerate() {
                let potentials = network.rows[place / m] + network.columns[place % m];
                let reduced = costs[place] - potentials;
                assert!(reduced >= -1e-12, "{reduced:e}");
                assert!(*flow == 0 || reduced <= 1e-12, "{reduced:e}");
            }
            let rows = network.rows.iter().map(|row| row * supplies[0] as f64);
            let columns = network.columns.iter();
            let columns = columns.map(|column| column * demands[0] as f64);
            let dual: f64 = rows.sum::<f64>() + columns.sum::<f64>();
            assert!((dual - total(&costs, &flows)).abs() <= 1e-10 * dual.abs().max(1.0));
            assert_eq!(exact(&costs, [n, m]).unwrap(), flows);
        }
    }

    #[test]
    fn equal_sizes_give_a_permutation() {
        let costs = [3.0, 0.0, 2.0, 1.0, 3.0, 0.0, 0.0, 2.0, 4.0];
        assert_eq!(exact(&costs, [3, 3]).unwrap(), [0, 1, 0, 0, 0, 1, 1, 0, 0]);
        assert_eq!(exact(&[0.0; 4], [2, 2]).unwrap(), [1, 0, 0, 1]);
    }

    #[test]
    fn equal_costs_give_first_units_to_first_units() {
        assert_eq!(exact(&[0.0; 8], [4, 2]).unwrap(), [1, 0, 1, 0, 0, 1, 0, 1]);
        assert_eq!(exact(&[2.0; 8], [2, 4]).unwrap(), [1, 1, 0, 0, 0, 0, 1, 1]);
        assert_eq!(exact(&[1.0; 6], [2, 3]).unwrap(), [2, 1, 0, 0, 1, 2]);
    }

    #[test]
    fn costs_that_are_not_finite_are_refused() {
        let refusal = exact(&[f64::INFINITY; 6], [2, 3]).unwrap_err().to_string();
        assert!(refusal.contains("not finite"), "{refusal}");
        assert!(exact(&[f64::NAN; 4], [2, 2]).is_err());
    }
}
