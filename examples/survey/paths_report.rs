//! The printed report of paths.

use burnscape::path::{CurveProfile, PathValues};

use super::alignment_report;
use super::arguments::Arguments;
use super::paths_run::Connected;
use super::sparkline::sparkline;

/// The section; empty without paths.
pub(crate) fn section(arguments: &Arguments, paths: &[Connected]) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "Paths between two networks trained from different seeds, in {} passes over the data \
         each; both curves fitted in {}.\n  Loss from one network (left) to the other, on one logarithmic \
         scale for each pair. Statistics of\n  batch norm are re-estimated at every place. The \
         barrier is that above the straight line between the losses of the ends.\n\n",
        arguments.path_epochs.div_ceil(2),
        arguments.path_epochs
    );
    for connected in paths {
        text += &pair(connected);
        text.push('\n');
        text += &alignment_report::section(connected);
        text.push('\n');
    }
    text
}

fn pair(connected: &Connected) -> String {
    let connection = &connected.connection;
    let profiles = [
        ("line", &connection.line),
        ("Bézier", &connection.bezier),
        ("chain", &connection.chain),
        ("random", &connection.random),
    ];
    let [first, second] = connection.seeds;
    let mut text = format!(
        "  {}, seeds {first} and {second}, {:.1} apart\n",
        connected.network.title(),
        connection.line.length()
    );
    text += &format!(
        "  {:66}{:>10} {:>10} {:>10}\n",
        "", "worst", "barrier", "accuracy"
    );
    for (title, side) in [("train", Side::Train), ("test", Side::Test)] {
        let sides = profiles.map(|(name, profile)| (name, profile, side.of(profile)));
        let all = || {
            let known = sides.iter().filter_map(|(_, _, losses)| *losses);
            known.flat_map(|losses| losses.values.iter().copied())
        };
        let low = all().fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE);
        let high = all().fold(low, f64::max);
        for (name, profile, losses) in sides {
            let Some(losses) = losses else { continue };
            let bars = sparkline(&losses.values, low, high);
            // The end of the random line is not a trained network.
            let barrier = match (name, losses.barriers) {
                ("random", _) | (_, None) => "-".to_string(),
                (_, Some(barriers)) => format!("{:.4}", barriers.above_line),
            };
            let accuracy = side.accuracy(profile).iter().copied().fold(1.0, f64::min);
            text += &format!(
                "  {title:5} {name:6} {bars:60}{:>10.4} {barrier:>10} {:>8.1} %\n",
                losses.max,
                100.0 * accuracy,
            );
        }
    }
    let (again, left) = (&connection.bezier.train, &connection.bezier_left.train);
    if left.max > 2.0 * again.max {
        text += &format!(
            "  With statistics left as they are at the nearer end the Bézier's worst would be {:.4}.\n",
            left.max
        );
    }
    text
}

#[derive(Clone, Copy)]
enum Side {
    Train,
    Test,
}

impl Side {
    fn of(self, profile: &CurveProfile) -> Option<&PathValues> {
        match self {
            Self::Train => Some(&profile.train),
            Self::Test => profile.test.as_ref(),
        }
    }

    /// The accuracy at every place.
    fn accuracy(self, profile: &CurveProfile) -> &[f64] {
        let name = match self {
            Self::Train => "train_accuracy",
            Self::Test => "test_accuracy",
        };
        let metric = profile.metrics.iter().find(|metric| metric.name == name);
        metric.map_or(&[], |metric| &metric.values)
    }
}
