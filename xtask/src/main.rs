//! Tasks of the project: `cargo xtask check | features | golden | coverage | figures | studies | surface | sweep | browser |
//! page | package | burn-next`.

mod browser;
mod burn_next;
mod check;
mod cli;
mod coverage;
mod examples;
mod features;
mod figures;
mod finding;
mod golden;
mod invocation;
mod package;
mod page;
mod rules;
mod runner;
mod step;
mod studies;
mod surface;
mod sweep;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cli::Task;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = match cli::parse(&arguments) {
        Ok(task) => task,
        Err(message) => {
            eprintln!("{message}\n\n{}", cli::USAGE);
            return ExitCode::FAILURE;
        }
    };
    let root = root();
    let done = match task {
        Task::Help => {
            println!("{}", cli::USAGE);
            Ok(())
        }
        Task::Check(selection) => runner::run(&root, &check::steps(), &selection),
        Task::Features { cuda, selection } => {
            runner::run(&root, &features::steps(cuda), &selection)
        }
        Task::Coverage { only_check } => coverage::run(&root, only_check),
        Task::Figures { only_check } => figures::run(&root, only_check),
        Task::Studies { only_check } => studies::run(&root, only_check),
        Task::Surface { write } => surface::run(&root, write),
        Task::Sweep { name } => sweep::run(&root, name.as_deref()),
        Task::Package { new_project } => package::run(&root, new_project),
        Task::BurnNext(selection) => burn_next::run(&root, &selection),
        Task::Browser(purpose) => browser::run(&root, purpose),
        Task::Page(request) => page::run(&root, &request),
        Task::Golden => runner::run(&root, &[golden::step()], &Default::default()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\n{message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace: the folder above this package.
fn root() -> PathBuf {
    // Cargo sets the variable at run time. The compiled-in value is for a binary started by hand.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
