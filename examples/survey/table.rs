//! What is printed.

use super::arguments::Arguments;
use super::data::{ATTRIBUTION, Split};
use super::estimate::Estimate;
use super::reading::reading;
use super::settings::{
    BALL, BALL_STARTS, BALL_STEPS, BATCH_SIZE, DAMPENING, LEARNING_RATE, MOMENTUM, NOISE,
    NOISE_SAMPLES,
};
use super::sparkline::sparkline;
use super::summary::{Row, Summary};

/// What is about to be done.
pub(crate) fn heading(arguments: &Arguments, split: &Split) -> String {
    let steps = split.num_train.div_ceil(BATCH_SIZE);
    let seeds = arguments.seeds();
    let seeds = match (seeds.first(), seeds.last()) {
        (Some(first), Some(last)) if first != last => format!("seeds {first} to {last}"),
        _ => format!("seed {}", arguments.seed),
    };
    let rho = match arguments.rho {
        Some(rho) => format!("rho {rho} from the command line"),
        None => "rho as in each method's paper (SAM: 0.05)".to_string(),
    };
    format!(
        "Handwritten digits: {} images of 8×8 to train on, {} to test, split in the order of the \
         file.\n\
         {} epochs of {steps} batches of {BATCH_SIZE}, {seeds}, device {}.\n\
         SGD: momentum {MOMENTUM}, dampening {DAMPENING} (Burn's default is 0.1), learning rate \
         {LEARNING_RATE} falling to 0, no weight decay.\n\
         The others are built around this SGD, {rho}. Nothing was tuned on the test images.\n\n",
        split.num_train, split.num_test, arguments.epochs, arguments.device,
    )
}

/// All that was found.
pub(crate) fn results(arguments: &Arguments, summary: &Summary, seconds: f64) -> String {
    let sections = [
        fit(&summary.rows),
        sharpness(&summary.rows),
        curves(&summary.rows),
        readings(arguments, summary),
        warnings(&summary.rows),
    ];
    let mut text = sections.concat();
    text += &format!("Took {:.0} s. Data: {ATTRIBUTION}.\n", seconds.ceil());
    text
}

fn fit(rows: &[Row]) -> String {
    let columns = [
        numbers("train loss", rows, 1.0, |row| row.train_loss),
        numbers("test loss", rows, 1.0, |row| row.test_loss),
        numbers("train accuracy %", rows, 100.0, |row| row.train_accuracy),
        numbers("test accuracy %", rows, 100.0, |row| row.test_accuracy),
    ];
    let errors = match rows.iter().any(|row| row.seeds > 1) {
        true => "mean ± standard error over the seeds",
        false => "one seed, so nothing is known about the spread",
    };
    format!("Loss and accuracy ({errors})\n{}\n", table(rows, &columns))
}

fn sharpness(rows: &[Row]) -> String {
    let plain = |title: &str, value: &dyn Fn(&Row) -> String| {
        let cells = rows.iter().map(value);
        std::iter::once(title.to_string()).chain(cells).collect()
    };
    let columns = [
        numbers("average rise", rows, 1.0, |row| row.average_rise),
        numbers("worst-case rise", rows, 1.0, |row| row.worst_case_rise),
        plain("gradients", &|row| thousands(row.gradients.mean)),
        plain("ms/step", &|row| {
            format!("{:.2}", row.seconds_per_step.mean * 1e3)
        }),
    ];
    format!(
        "Sharpness and cost\n{}  \
         average rise: of the training loss, over {NOISE_SAMPLES} Gaussian displacements, {} % of \
         each filter's norm\n  \
         worst-case rise: the largest found in a ball of radius {BALL} in {BALL_STARTS} ascents of \
         {BALL_STEPS} steps\n  \
         gradients: forward and backward passes of one training run\n\n",
        table(rows, &columns),
        NOISE * 100.0,
    )
}

fn curves(rows: &[Row]) -> String {
    let losses = || rows.iter().flat_map(|row| &row.loss_history).copied();
    let usable = || losses().filter(|loss| loss.is_finite() && *loss > 0.0);
    let (low, high) = (
        usable().fold(f64::INFINITY, f64::min),
        usable().fold(0.0, f64::max),
    );
    if low >= high {
        return String::new();
    }
    let curve = |row: &Row| {
        let mut cells = vec![String::new()];
        cells.push(sparkline(&row.loss_history, low, high));
        cells
    };
    let mut text =
        format!("Training loss by epoch (logarithmic, from {high:.2} down to {low:.1e})\n");
    let widths = label_widths(rows);
    for row in rows {
        let line = curve(row).concat();
        text += &format!("  {}  {line}\n", label(row, widths));
    }
    text + "\n"
}

fn readings(arguments: &Arguments, summary: &Summary) -> String {
    if summary.comparisons.is_empty() {
        return String::new();
    }
    let mut text = match arguments.seeds {
        1 => "In words (one seed: these differences may be chance; ask for more --seeds)\n".into(),
        count => format!(
            "In words (differences seed by seed over {count} seeds, ± their standard error; clear \
             is beyond 95 % of Student's t)\n"
        ),
    };
    for comparison in &summary.comparisons {
        let baseline = summary
            .rows
            .iter()
            .find(|row| (row.model, row.optimizer) == (comparison.model, comparison.baseline));
        if let Some(row) = baseline {
            let rises = (row.average_rise.mean, row.worst_case_rise.mean);
            text += &reading(comparison, rises);
        }
    }
    text += "  The seeds cover initial weights and batch order; that other test images would give \
             other\n  numbers is not in the errors.";
    let cost = |row: &&Row| row.gradients.mean;
    let most = summary
        .rows
        .iter()
        .max_by(|a, b| cost(a).total_cmp(&cost(b)));
    let least = summary
        .rows
        .iter()
        .min_by(|a, b| cost(a).total_cmp(&cost(b)));
    if let (Some(most), Some(least)) = (most, least)
        && cost(&most) > cost(&least)
    {
        text += &format!(
            " {} took {:.2} times the gradients of {};\n  `--optimizer sgd,sgd-twice,sam` compares \
             at equal cost.",
            most.optimizer,
            cost(&most) / cost(&least),
            least.optimizer,
        );
    }
    text + "\n\n"
}

fn warnings(rows: &[Row]) -> String {
    let skipped = rows.iter().filter(|row| row.skipped_steps > 0);
    let line = |row: &Row| {
        format!(
            "Warning: {} with {} left out {} steps because a number was not finite.\n",
            row.model, row.optimizer, row.skipped_steps
        )
    };
    skipped.map(line).collect()
}

/// A column of means with errors. All cells have as many decimals as the smallest error needs for
/// two digits.
fn numbers(title: &str, rows: &[Row], scale: f64, value: impl Fn(&Row) -> Estimate) -> Vec<String> {
    let errors = rows.iter().filter_map(|row| value(row).standard_error);
    let smallest = errors
        .map(|error| error * scale)
        .filter(|error| *error > 0.0);
    let smallest = smallest.fold(f64::INFINITY, f64::min);
    let decimals = match smallest.is_finite() {
        true => (1.0 - smallest.log10().floor()).clamp(2.0, 5.0) as usize,
        false => 4,
    };
    let cell = |row: &Row| {
        let Estimate {
            mean,
            standard_error,
        } = value(row);
        let mean = format!("{:.decimals$}", mean * scale);
        match standard_error {
            Some(error) => format!("{mean} ± {:.decimals$}", error * scale),
            None => mean,
        }
    };
    let cells = rows.iter().map(cell);
    std::iter::once(title.to_string()).chain(cells).collect()
}

/// Columns of text, right-aligned beside the names of the rows; the first cell is the heading.
fn table(rows: &[Row], columns: &[Vec<String>]) -> String {
    let widths = label_widths(rows);
    let mut lines = vec![format!("  {}", " ".repeat(widths.0 + 2 + widths.1))];
    lines.extend(rows.iter().map(|row| format!("  {}", label(row, widths))));
    for column in columns {
        let width = column.iter().map(|cell| cell.chars().count()).max();
        let width = width.unwrap_or(0);
        for (line, cell) in lines.iter_mut().zip(column) {
            *line += &format!("  {cell:>width$}");
        }
    }
    lines.join("\n") + "\n"
}

fn label_widths(rows: &[Row]) -> (usize, usize) {
    let longest = |name: &dyn Fn(&Row) -> String| {
        let lengths = rows.iter().map(|row| name(row).chars().count());
        lengths.max().unwrap_or(0)
    };
    (
        longest(&|row| row.model.to_string()),
        longest(&|row| row.optimizer.to_string()),
    )
}

fn label(row: &Row, widths: (usize, usize)) -> String {
    let (model, optimizer) = widths;
    format!("{:<model$}  {:<optimizer$}", row.model, row.optimizer)
}

/// `12,345`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(600.0), "600");
        assert_eq!(thousands(1200.0), "1,200");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }
}
