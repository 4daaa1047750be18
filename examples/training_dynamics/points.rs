//! The critical points of a linear network, beside the exact list.

use burn::tensor::Device;
use burnscape::loss::Risk;
use burnscape::spectrum::{CriticalPointsConfig, FoundPoint};

use super::linear_net::{ENDS, HIDDEN, LinearNet, VALUES, loss, target};
use super::table::{heading, meaning, table};
use crate::{Args, Failure};

const STARTS: usize = 60;
const MAX_STEPS: usize = 50;
const GRADIENT_TOLERANCE: f64 = 1e-9;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let starts = args.length(STARTS, 2);
    heading(
        "Critical points",
        &format!(
            "½ |U V − T|² for U of {ENDS}×{HIDDEN}, V of {HIDDEN}×{ENDS}, and a T with the singular values {}, {} \
             and {}. Newton's method from {starts} random starts.",
            VALUES[0], VALUES[1], VALUES[2]
        ),
    );
    eprintln!("searching for critical points…");
    let device = Device::default();
    let data = [target(&device)];
    let risk = Risk::new(&loss, &data);
    let found = CriticalPointsConfig::new(starts, GRADIENT_TOLERANCE)
        .with_max_steps(MAX_STEPS)
        .with_seed(args.seed)
        .run(&risk, |seed| LinearNet::random(seed, &device))?;
    let mut exact: Vec<Exact> = (0..1_usize << ENDS).map(Exact::of).collect();
    exact.sort_by(|one, other| one.loss.total_cmp(&other.loss));
    let rows: Vec<Vec<String>> = exact
        .iter()
        .map(|row| {
            let point = found.points.iter().find(|point| row.is(point));
            let shown = |value: Option<String>| value.unwrap_or_else(|| "–".to_string());
            let count = |count: Option<usize>| count.map(|count| count.to_string());
            vec![
                row.name(),
                row.loss.to_string(),
                shown(point.map(|found| format!("{:.6}", found.point.loss))),
                row.index.to_string(),
                shown(point.and_then(|found| count(found.index()))),
                row.zeros.to_string(),
                shown(point.and_then(|found| count(found.num_zero()))),
                point.map_or(0, |found| found.seeds.len()).to_string(),
            ]
        })
        .collect();
    table(
        &[
            "kept", "loss", "found", "index", "found", "zeros", "found", "starts",
        ],
        &rows,
    );
    let in_a_row = |point: &&FoundPoint| exact.iter().any(|row| row.is(point));
    let known = found.points.iter().filter(in_a_row).count();
    println!(
        "  {} of {} points found are in the list. {} starts did not converge, {} ended where the gradient is flat.\n",
        known,
        found.points.len(),
        found.num_unconverged,
        found.gradient_flat.len()
    );
    meaning(
        "A critical point keeps some of the singular values. Its index is the number of directions in which the \
         loss falls: all but the lowest are saddles, none is a bad minimum. Zeros are directions that change \
         nothing.",
    );
    Ok(())
}

/// A critical point of the list.
struct Exact {
    /// A bit for each singular value that is kept.
    kept: usize,
    loss: f64,
    index: usize,
    zeros: usize,
}

impl Exact {
    fn of(kept: usize) -> Self {
        let is_kept = |index: usize| kept & (1 << index) != 0;
        let missing: Vec<usize> = (0..ENDS).filter(|&index| !is_kept(index)).collect();
        let rank = ENDS - missing.len();
        let squares = missing.iter().map(|&index| VALUES[index] * VALUES[index]);
        // A kept value that is smaller than a missing one can be exchanged for it.
        let exchanges = missing.iter().map(|&index| {
            let smaller = (0..ENDS).filter(|&own| is_kept(own) && VALUES[own] < VALUES[index]);
            smaller.count()
        });
        Self {
            kept,
            // From zero: the sum of nothing is −0.
            loss: squares.fold(0.0, |sum, square| sum + 0.5 * square),
            index: (HIDDEN - rank) * missing.len() + exchanges.sum::<usize>(),
            // The dimension of the set of such points.
            zeros: rank * (ENDS + HIDDEN + 1 - rank),
        }
    }

    fn name(&self) -> String {
        let kept = (0..ENDS).filter(|index| self.kept & (1 << index) != 0);
        let kept: Vec<String> = kept.map(|index| VALUES[index].to_string()).collect();
        if kept.is_empty() {
            "none".to_string()
        } else {
            kept.join(", ")
        }
    }

    fn is(&self, found: &FoundPoint) -> bool {
        (found.point.loss - self.loss).abs() < 1e-6
    }
}
