//! The command `burnscape`: merges, inspects and compares checkpoints.
//!
//! It ends with 0 if all went well, 1 if a file cannot be read, written or merged, and 2 if the command is wrong.

mod arguments;
mod bytes;
mod columns;
mod config;
mod copied_files;
mod distance;
mod error;
mod help;
mod inspect;
mod job;
mod layout;
mod merge;
mod method;
mod near;
mod number;
mod output;
mod place;
mod recipe;
mod scoped;
mod settings;
mod size;
mod summary;
mod warnings;
mod words;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use error::CommandError;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::warn(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Merge(arguments) => merge::run(*arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Distance(arguments) => distance::run(&arguments),
    }
}
