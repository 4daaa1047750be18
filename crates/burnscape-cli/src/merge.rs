//! A merge from the command line to the file.

use std::fs;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::tensor::FloatDType;
use burnscape::merge::FileMerge;
use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::MergeArguments;
use super::copied_files;
use super::error::CommandError;
use super::job::{ElementType, Job};
use super::layout::layout;
use super::output::{print, print_json, warn};
use super::recipe::{check_patterns, counted, recipe};
use super::size::Size;
use super::summary::{Summary, renamed};
use super::warnings::{differing_copies, missing_files, repeated_models, unused_rules};
use super::words::refused;

const BAR: &str = "merging {bar:20} {pos} of {len} tensors ({per_sec}, {eta} left)";

/// What is printed.
#[derive(Debug, Clone, Copy)]
struct Shown {
    is_verbose: bool,
    is_quiet: bool,
    is_json: bool,
}

pub(crate) fn run(arguments: MergeArguments) -> Result<(), CommandError> {
    let (is_forced, is_dry) = (arguments.force, arguments.dry_run);
    let shown = Shown {
        is_verbose: arguments.verbose,
        is_quiet: arguments.quiet,
        is_json: arguments.json,
    };
    let job = Job::new(arguments)?;
    let mut notes = Vec::new();
    let merge = files(&job, &mut notes)?;
    let place = &job.own.place;
    let plan = merge.plan().map_err(|error| refused(error, place))?;
    check_patterns(&job, &plan)?;
    warn_all(repeated_models(&job));
    warn_all(unused_rules(&job, &plan));
    notes.extend(missing_files(&job));
    let exists = job.out.is_file();
    if is_dry {
        let summary = Summary {
            out: &job.out,
            dry_run: true,
            would_refuse: Some(exists && !is_forced),
            bytes: None,
            seconds: None,
            notes,
            report: renamed(plan, &job),
        };
        return if shown.is_json {
            print_json(&summary)
        } else {
            print(&summary.text(&job, true)?)
        };
    }
    if exists && !is_forced {
        return Err(CommandError::File {
            path: job.out.display().to_string(),
            message: "exists; write to another file, or replace it with --force".to_string(),
        });
    }
    merged(merge, &job, shown, notes)
}

fn warn_all(warnings: Vec<String>) {
    for warning in warnings {
        warn(&format!("warning: {warning}"));
    }
}

/// The merge, and what there is to say about it.
fn files(job: &Job, notes: &mut Vec<String>) -> Result<FileMerge, CommandError> {
    let mut merge = FileMerge::new(recipe(job)?, &job.models, &job.out);
    if let Some(base) = &job.base {
        merge = merge.with_base(base);
    }
    if let Some(dtype) = job.dtype {
        merge = merge.with_dtype(match dtype {
            ElementType::F64 => FloatDType::F64,
            ElementType::F32 => FloatDType::F32,
            ElementType::F16 => FloatDType::F16,
            ElementType::Bf16 => FloatDType::BF16,
        });
    }
    if let Some(Size(bytes)) = job.max_shard_size {
        merge = merge.with_max_shard_size(bytes);
    }
    if let Some(known) = layout(job)? {
        merge = merge.with_layout(known.layouts);
        if known.is_found {
            notes.push("layout: out-in, as PyTorch writes it".to_string());
        }
    }
    Ok(merge)
}

fn merged(
    merge: FileMerge,
    job: &Job,
    shown: Shown,
    mut notes: Vec<String>,
) -> Result<(), CommandError> {
    let start = Instant::now();
    let bar = if shown.is_quiet {
        ProgressBar::hidden()
    } else {
        bar()
    };
    let drawn = bar.clone();
    let merge = merge.with_observer(move |progress| {
        drawn.set_length(progress.total.unwrap_or(0) as u64);
        drawn.set_position(progress.done as u64);
        ControlFlow::Continue(())
    });
    let report = merge.run();
    bar.finish_and_clear();
    let report = report.map_err(|error| refused(error, &job.own.place))?;
    let bytes = size(&job.out).unwrap_or(0);
    if let Some(from) = &job.copy_from {
        let names = copied_files::copy(from, &job.out)?;
        let (number, folder) = (counted(names.len(), "file"), from.display());
        notes.push(format!(
            "copied {number} from {folder}: {}",
            names.join(", ")
        ));
    }
    warn_all(differing_copies(&report));
    let summary = Summary {
        out: &job.out,
        dry_run: false,
        would_refuse: None,
        bytes: Some(bytes),
        seconds: Some(start.elapsed().as_secs_f64()),
        notes,
        report: renamed(report, job),
    };
    if shown.is_json {
        return print_json(&summary);
    }
    if shown.is_quiet {
        return Ok(());
    }
    print(&summary.text(job, shown.is_verbose)?)?;
    if io::stderr().is_terminal() {
        warn(summary.advice());
    }
    Ok(())
}

/// A bar on standard error, if that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar
}

/// The size of a file, or of the files of a directory.
fn size(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
