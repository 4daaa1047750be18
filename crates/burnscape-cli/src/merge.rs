//! A merge from the command line to the file.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::tensor::FloatDType;
use burnscape::merge::{ByPath, FileMerge, WeightLayout};
use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::MergeArguments;
use super::error::CommandError;
use super::job::{ElementType, Job, Layout};
use super::output::{print, print_json};
use super::recipe::{check_patterns, recipe};
use super::scoped::by_path;
use super::size::Size;
use super::summary::{Summary, plan_text};

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
    let merge = files(&job)?;
    let plan = merge.plan()?;
    check_patterns(&job, &plan)?;
    if is_dry {
        return if shown.is_json {
            print_json(&plan)
        } else {
            print(&plan_text(&plan, &job.out))
        };
    }
    if job.out.is_file() && !is_forced {
        return Err(CommandError::File {
            path: job.out.display().to_string(),
            message: "it exists; write to another file, or replace it with --force".to_string(),
        });
    }
    merged(merge, &job, shown)
}

fn files(job: &Job) -> Result<FileMerge, CommandError> {
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
    if !job.layout.is_empty() {
        merge = merge.with_layout(layouts(job)?);
    }
    Ok(merge)
}

/// The layout of every tensor. There is no default: one has to be given without a pattern.
fn layouts(job: &Job) -> Result<ByPath<WeightLayout>, CommandError> {
    let all = job.layout.iter().find(|scoped| scoped.pattern.is_none());
    let Some(all) = all else {
        let message = "`layout` is given for parts of the model only; give one for the rest, too";
        return Err(CommandError::Usage(message.to_string()));
    };
    let paths = by_path::<Layout>("layout", all.value, &job.layout)?;
    let mut layouts = ByPath::new(WeightLayout::from(paths.default));
    for (pattern, layout) in paths.rules {
        layouts = layouts.with(pattern, layout.into());
    }
    Ok(layouts)
}

fn merged(merge: FileMerge, job: &Job, shown: Shown) -> Result<(), CommandError> {
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
    let summary = Summary {
        out: &job.out,
        bytes: size(&job.out).unwrap_or(0),
        seconds: start.elapsed().as_secs_f64(),
        report: report?,
    };
    if shown.is_json {
        return print_json(&summary);
    }
    if shown.is_quiet {
        return Ok(());
    }
    if shown.is_verbose {
        print(&format!("{}\n{}", summary.report, summary.text()))
    } else {
        print(&summary.text())
    }
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
