use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use burnscape::dynamics::{Cost, Reading};
use burnscape::prelude::Csv;

use super::optimizers::Name;
use super::training::{PASSED, Run};
use crate::Failure;

/// The table, and what it says.
pub(crate) fn print(runs: &[Run]) -> Result<(), Failure> {
    println!(
        "\n{:<17} {:>4}  {:>8} {:>6}  {:<13} {:<6} {:>10} {:>7}  {:<21} ratio over time",
        "optimizer",
        "seed",
        "ratio",
        "sd",
        "band",
        "inside",
        "lambda_max",
        "2/lr",
        "loss in the tail"
    );
    let (mut inside, mut falling, mut count) = (0, 0, 0);
    let mut above = Vec::new();
    for run in runs {
        let Some(optimizer) = run.job.optimizer else {
            continue;
        };
        let (setting, tail) = (optimizer.setting()?, run.tail());
        let (is_inside, losses) = (tail.is_within(setting.band), tail.losses());
        count += 1;
        inside += usize::from(is_inside);
        falling += usize::from(losses.is_some_and(|[first, last]| last < first));
        if run.ratios().first().is_some_and(|ratio| *ratio > 1.0) {
            above.push(format!("{}, seed {}", optimizer.label(), run.job.seed));
        }
        let (low, high) = setting.band;
        let [first, last] = losses.unwrap_or([f64::NAN; 2]);
        println!(
            "{:<17} {:>4}  {:>8.4} {:>6.4}  {:<13} {:<6} {:>10.2} {:>7.1}  {:<21} {}",
            optimizer.label(),
            run.job.seed,
            tail.ratio.0,
            tail.ratio.1,
            format!("[{low}, {high}]"),
            if is_inside { "yes" } else { "no" },
            tail.sharpness(),
            2.0 / setting.lr,
            format!("{first:.2e} to {last:.2e}"),
            sparkline(&run.ratios())
        );
    }
    println!(
        "\nratio: of the sharpness, for Adam and RMSProp the preconditioned one, to the optimizer's own edge; mean over \
         the last third"
    );
    println!(
        "inside their bands: {inside} of {count}; the loss falls over the last third in {falling} of {count}"
    );
    for run in above {
        println!("{run} starts above its edge");
    }
    flow(runs)?;
    let mut cost = Cost::default();
    for seen in runs.iter().flat_map(|run| &run.observations) {
        cost += seen.reading.cost();
    }
    println!("the measurements took {cost}");
    Ok(())
}

/// What the gradient flow does at the edge of gradient descent.
fn flow(runs: &[Run]) -> Result<(), Failure> {
    let edge = 2.0 / Name::GradientDescent.setting()?.lr;
    for run in runs.iter().filter(|run| run.job.optimizer.is_none()) {
        let highest = run.observations.iter().map(|seen| seen.reading.sharpness);
        let highest = highest.fold(f64::NEG_INFINITY, f64::max);
        println!(
            "{}, seed {}: the sharpness reaches {highest:.2}, {:.2} times the edge of gradient descent{}",
            run.job.name(),
            run.job.seed,
            highest / edge,
            if highest > PASSED * edge {
                ", where it was stopped"
            } else {
                ""
            }
        );
    }
    Ok(())
}

/// Ratios from 0 to 1 and above, at most 24 of them.
fn sparkline(ratios: &[f64]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = ratios.len().min(24);
    let shown = (0..columns).map(|column| ratios[column * ratios.len() / columns]);
    shown
        .map(|ratio| LEVELS[((ratio * 7.0).round().max(0.0) as usize).min(7)])
        .collect()
}

/// All readings as one table, with the optimizer and the seed in front.
pub(crate) fn write(runs: &[Run], path: &Path) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    for (index, run) in runs.iter().enumerate() {
        let mut table = Vec::new();
        run.observations.write_csv(&mut table)?;
        let table = String::from_utf8(table)?;
        let mut lines = table.lines();
        if let Some(header) = lines.next().filter(|_| index == 0) {
            writeln!(file, "optimizer,seed,{header}")?;
        }
        for line in lines {
            writeln!(file, "{},{},{line}", run.job.name(), run.job.seed)?;
        }
    }
    Ok(file.flush()?)
}
