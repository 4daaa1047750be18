//! Findings of the literature, each by one command: a table with standard errors over seeds, and a verdict from a
//! criterion that was fixed beforehand and can be "not reproduced".
//!
//! ```text
//! cargo run --release -p burnscape --features files,report --example study -- --list
//! cargo run --release -p burnscape --features files,report --example study -- saddle-escape --report saddle.html
//! ```
//!
//! Pilots from which criteria were fixed used the seeds 0 to 9 (`--pilot`); verdicts are on the seeds 100 to 104. A quick
//! look (`--quick`) has tiny sizes and pilot seeds, and its numbers mean nothing.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use studies::frame::{Finished, Measured, Outcome, Plan, Study};
use studies::{json, page, provenance, table};

/// The frame of all studies, the studies, and in `criteria` what decides on them.
mod studies {
    pub(crate) mod criteria;
    #[allow(dead_code, reason = "each study uses a part of it")]
    pub(crate) mod digits;
    #[allow(dead_code, reason = "each study uses a part of it")]
    pub(crate) mod frame;
    pub(crate) mod json;
    #[allow(dead_code, reason = "each study uses a part of it")]
    pub(crate) mod losses;
    #[allow(dead_code, reason = "each study uses a part of it")]
    pub(crate) mod measured;
    #[allow(dead_code, reason = "each study uses a part of it")]
    pub(crate) mod network;
    pub(crate) mod numbers;
    pub(crate) mod numpy_order;
    pub(crate) mod page;
    pub(crate) mod provenance;
    pub(crate) mod table;
    #[allow(dead_code, reason = "each study uses a part of it")]
    pub(crate) mod training;
    #[allow(dead_code, reason = "each criterion uses a part of it")]
    pub(crate) mod verdict;
    mod workers;

    pub(crate) mod architecture;
    pub(crate) mod batch_size;
    pub(crate) mod critical_points;
    pub(crate) mod curriculum;
    pub(crate) mod does_sam_help;
    pub(crate) mod double_descent;
    pub(crate) mod edge_of_stability;
    pub(crate) mod flat_minima_caveats;
    pub(crate) mod gradient_noise;
    pub(crate) mod grokking;
    pub(crate) mod late_sam;
    pub(crate) mod layer_wise;
    pub(crate) mod lazy_rich;
    pub(crate) mod lottery_ticket;
    pub(crate) mod merging;
    pub(crate) mod mode_connectivity;
    pub(crate) mod momentum;
    pub(crate) mod optimizers;
    pub(crate) mod overparameterization;
    pub(crate) mod pinn;
    pub(crate) mod rate_decay;
    pub(crate) mod saddle_escape;
    pub(crate) mod samplers;
    pub(crate) mod stages;
    pub(crate) mod warm_restarts;
    pub(crate) mod warmup;
}

/// The survey's data and its date.
#[allow(dead_code, reason = "the survey uses more of it")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod date;
}

/// The linear network of the example of learning coefficients.
mod coefficients {
    pub(crate) mod linear_network;
}

pub(crate) type Failure = Box<dyn Error>;

/// In the order of `--list`.
static STUDIES: &[&Study] = &[
    &studies::edge_of_stability::STUDY,
    &studies::grokking::STUDY,
    &studies::double_descent::STUDY,
    &studies::mode_connectivity::STUDY,
    &studies::batch_size::STUDY,
    &studies::critical_points::STUDY,
    &studies::lottery_ticket::STUDY,
    &studies::pinn::STUDY,
    &studies::architecture::STUDY,
    &studies::lazy_rich::STUDY,
    &studies::samplers::STUDY,
    &studies::saddle_escape::STUDY,
    &studies::merging::STUDY,
    &studies::late_sam::STUDY,
    &studies::does_sam_help::STUDY,
    &studies::flat_minima_caveats::STUDY,
    &studies::overparameterization::STUDY,
    &studies::layer_wise::STUDY,
    &studies::momentum::STUDY,
    &studies::warmup::STUDY,
    &studies::rate_decay::STUDY,
    &studies::warm_restarts::STUDY,
    &studies::curriculum::STUDY,
    &studies::optimizers::STUDY,
    &studies::stages::STUDY,
    &studies::gradient_noise::STUDY,
];

/// The seeds of verdicts start here; those of pilots at zero.
const FIRST_SEED: u64 = 100;
const NUM_SEEDS: u64 = 5;
/// Of a quick look.
const FEW_SEEDS: u64 = 2;

/// Reproduce a finding of the literature, or not.
#[derive(Parser)]
struct Args {
    /// The studies, or `all`.
    #[arg(required_unless_present = "list")]
    names: Vec<String>,
    /// Lists the studies.
    #[arg(long)]
    list: bool,
    /// The number of seeds, from 100 on; 5 by default.
    #[arg(long)]
    seeds: Option<u64>,
    /// These seeds.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["seeds", "pilot"])]
    seed_list: Vec<u64>,
    /// Takes seeds from 0 on, from which criteria are fixed.
    #[arg(long)]
    pilot: bool,
    /// Tiny sizes and two pilot seeds, for a quick look, whose numbers mean nothing.
    #[arg(long)]
    quick: bool,
    /// Writes numbers and verdict there: to this file, or of each study to a file in this folder.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes a page with the charts there: to this file, or of each study to a file in this folder.
    #[arg(long)]
    report: Option<PathBuf>,
}

impl Args {
    fn are_all(&self) -> bool {
        self.names.iter().any(|name| name == "all")
    }

    fn studies(&self) -> Result<Vec<&'static Study>, Failure> {
        if self.are_all() {
            return Ok(STUDIES.to_vec());
        }
        let studies = self.names.iter().map(|name| {
            let found = STUDIES.iter().find(|study| study.name == name);
            found.copied().ok_or_else(|| {
                let known: Vec<&str> = STUDIES.iter().map(|study| study.name).collect();
                let known = known.join(", ");
                format!("no study `{name}`; choose from {known}, or `all`").into()
            })
        });
        studies.collect()
    }

    fn seeds(&self) -> Vec<u64> {
        if !self.seed_list.is_empty() {
            return self.seed_list.clone();
        }
        let count = if self.quick { FEW_SEEDS } else { NUM_SEEDS };
        // A quick look sees nothing of the final seeds.
        let is_final = !self.pilot && !self.quick;
        let first = if is_final { FIRST_SEED } else { 0 };
        (first..first + self.seeds.unwrap_or(count)).collect()
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    if args.list {
        for study in STUDIES {
            println!("{:<18} {}", study.name, study.claim);
        }
        return Ok(());
    }
    let (chosen, seeds) = (args.studies()?, args.seeds());
    if seeds.is_empty() {
        return Err("`--seeds` must be at least 1".into());
    }
    let are_several = chosen.len() > 1 || args.are_all();
    // Folders first, so that no run is lost.
    let folders = [&args.json, &args.report].into_iter().flatten();
    for folder in folders.filter(|_| are_several) {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    }
    let mut outcomes = Vec::new();
    for study in chosen {
        let outcome = run_one(study, args, seeds.clone())?;
        outcomes.push(format!("  {:<18} {outcome}", study.name));
    }
    if are_several {
        println!("Verdicts\n{}", outcomes.join("\n"));
    }
    Ok(())
}

fn run_one(study: &Study, args: &Args, seeds: Vec<u64>) -> Result<Outcome, Failure> {
    provenance::forget_peak();
    let plan = Plan::new(study.name, seeds, args.quick);
    let mut found = Measured::default();
    (study.run)(&plan, &mut found)?;
    let verdict = (study.judge)(&found);
    let finished = Finished {
        study,
        plan: &plan,
        found: &found,
        verdict: &verdict,
        seconds: plan.seconds(),
        peak_bytes: provenance::peak_bytes(),
    };
    print!("{}", table::text(&finished));
    let megabytes = finished.peak_bytes.map(|bytes| bytes as f64 / 1e6);
    let memory = megabytes.map_or(String::new(), |bytes| format!(", {bytes:.0} MB of memory"));
    println!("  Took {:.0} s{memory}.\n", finished.seconds.ceil());
    if let Some(path) = &args.json {
        let path = file(path, study.name, "json");
        json::write(&path, &finished)?;
        println!("Numbers and verdict are in {}.", path.display());
    }
    if let Some(path) = &args.report {
        let path = file(path, study.name, "html");
        page::page(&finished).write_html(&path)?;
        println!("The page: {}", path.display());
    }
    Ok(verdict.outcome)
}

/// The file itself, or that of the study in a folder.
fn file(path: &Path, name: &str, extension: &str) -> PathBuf {
    match path.is_dir() {
        true => path.join(format!("{name}.{extension}")),
        false => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::parse_from(line.split_whitespace())
    }

    #[test]
    fn names_are_different_and_can_be_chosen() {
        for study in STUDIES {
            let found = args(&format!("study {}", study.name)).studies().unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].name, study.name);
            let same = STUDIES.iter().filter(|other| other.name == study.name);
            assert_eq!(same.count(), 1);
        }
        let all = args("study all").studies().unwrap();
        assert_eq!(all.len(), STUDIES.len());
        let Err(error) = args("study nothing").studies() else {
            panic!("a study without a name");
        };
        assert!(error.to_string().contains("saddle-escape"));
    }

    #[test]
    fn a_study_says_what_it_is() {
        for study in STUDIES {
            let texts = [study.claim, study.ran, study.would_change, study.wrong];
            let are_sentences = texts.iter().all(|text| text.ends_with('.'));
            assert!(are_sentences && !study.papers.is_empty(), "{}", study.name);
        }
    }

    #[test]
    fn final_seeds_are_those_from_100_on() {
        assert_eq!(args("study a").seeds(), [100, 101, 102, 103, 104]);
        assert_eq!(args("study a --pilot --seeds 2").seeds(), [0, 1]);
        assert_eq!(args("study a --quick").seeds(), [0, 1]);
        assert_eq!(args("study a --seed-list 7,9").seeds(), [7, 9]);
    }

    #[test]
    fn criteria_fail_without_numbers() {
        for study in STUDIES {
            let verdict = (study.judge)(&Measured::default());
            assert_eq!(verdict.outcome, Outcome::NotReproduced, "{}", study.name);
        }
    }
}
