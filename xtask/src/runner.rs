//! Runs the steps of a task and reports their times.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::step::{Selection, Step, Work};

enum Outcome {
    Passed,
    Skipped(String),
}

/// Runs the selected steps in order and stops at the first failure.
pub(crate) fn run(root: &Path, steps: &[Step], selection: &Selection) -> Result<(), String> {
    let selected = selection.of(steps)?;
    if selection.list {
        for step in selected {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(());
    }
    if selected.is_empty() {
        return Err("no step is selected; check `--only` and `--skip`".into());
    }
    // Examples write to this folder; cargo may build elsewhere.
    std::fs::create_dir_all(root.join("target"))
        .map_err(|error| format!("cannot create target: {error}"))?;
    let mut summary = Vec::new();
    for step in &selected {
        println!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let outcome = work(root, step);
        let time = start.elapsed();
        match outcome {
            Ok(Outcome::Passed) => summary.push(line("ok", step, time, "")),
            Ok(Outcome::Skipped(reason)) => summary.push(line("skipped", step, time, &reason)),
            Err(message) => {
                print_all(&summary);
                println!("{}", line("FAILED", step, time, ""));
                let name = step.name;
                return Err(format!(
                    "step `{name}` failed: {message}\nrun it alone with `--only {name}`"
                ));
            }
        }
        if let Some(last) = summary.last() {
            println!("{last}");
        }
    }
    if selected.len() > 1 {
        print_all(&summary);
    }
    Ok(())
}

fn print_all(summary: &[String]) {
    println!("\n== summary");
    for line in summary {
        println!("{line}");
    }
}

fn line(word: &str, step: &Step, time: Duration, note: &str) -> String {
    let seconds = time.as_secs_f64();
    let line = format!("{word:<8} {:<10} {seconds:8.1} s  {note}", step.name);
    line.trim_end().to_string()
}

fn work(root: &Path, step: &Step) -> Result<Outcome, String> {
    match &step.work {
        Work::Run(commands) => {
            for command in commands {
                println!("$ {command}");
                command.run(root)?;
            }
            Ok(Outcome::Passed)
        }
        Work::IfInstalled { probe, command } => {
            if !probe.succeeds(root) {
                let reason = format!("not installed (`{probe}` failed)");
                return Ok(Outcome::Skipped(reason));
            }
            println!("$ {command}");
            command.run(root)?;
            Ok(Outcome::Passed)
        }
        Work::Refused { command, message } => {
            println!("$ {command}");
            match command.output(root) {
                Ok(_) => Err(format!(
                    "`{command}` succeeded; it should fail with: {message}"
                )),
                Err(error) if error.contains(message) => Ok(Outcome::Passed),
                Err(error) => Err(error),
            }
        }
        Work::Inspect(inspect) => {
            let findings =
                inspect(root).map_err(|error| format!("cannot read the sources: {error}"))?;
            for finding in &findings {
                println!("{finding}");
            }
            match findings.len() {
                0 => Ok(Outcome::Passed),
                1 => Err("1 finding, listed above".into()),
                n => Err(format!("{n} findings, listed above")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::finding::Finding;
    use crate::invocation::Invocation;

    fn clean(_: &Path) -> io::Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn dirty(_: &Path) -> io::Result<Vec<Finding>> {
        Ok(vec![Finding::new(Path::new("a.rs"), 1, "is wrong")])
    }

    fn unreachable(_: &Path) -> io::Result<Vec<Finding>> {
        panic!("a step after a failure ran")
    }

    fn step(name: &'static str, inspect: fn(&Path) -> io::Result<Vec<Finding>>) -> Step {
        Step {
            name,
            about: "",
            work: Work::Inspect(inspect),
        }
    }

    fn run_all(steps: &[Step]) -> Result<(), String> {
        run(Path::new("."), steps, &Selection::default())
    }

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let steps = [step("a", clean), step("b", dirty), step("c", unreachable)];
        assert!(run_all(&steps).unwrap_err().contains("step `b` failed"));
    }

    #[test]
    fn a_missing_tool_is_a_skip_and_not_a_failure() {
        let missing = Invocation::new("no-such-program --version");
        let step = Step {
            name: "tool",
            about: "",
            work: Work::IfInstalled {
                probe: missing.clone(),
                command: missing,
            },
        };
        assert!(matches!(
            work(Path::new("."), &step),
            Ok(Outcome::Skipped(_))
        ));
    }

    #[test]
    fn nothing_selected_is_an_error() {
        assert!(run_all(&[]).is_err());
    }
}
