//! The command line.

use crate::step::Selection;

pub(crate) const USAGE: &str = "\
usage: cargo xtask <task> [options]

tasks:
  check             every check, cheapest first; stops at the first failure
  features          cargo check of burnscape under each backend feature
  golden --check    headers of the golden files
  coverage          which operations and layers are differentiated, and what tests them;
                    writes crates/burnscape-linearize/coverage.md, with --check
                    compares with it
  surface           public names, config verbs and lines of code, by room; with --write
                    keeps them in docs/surface.md
  sweep NAME        a test over many seeds, in release, with its table; --list names them

options of check and features:
  --only A,B        run these steps
  --skip A,B        leave these out
  --list            print the steps and stop

option of features:
  --cuda            try `cuda` as well";

#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Check(Selection),
    Features {
        cuda: bool,
        selection: Selection,
    },
    Golden,
    Coverage {
        only_check: bool,
    },
    Surface {
        write: bool,
    },
    /// Without a name, the list.
    Sweep {
        name: Option<String>,
    },
}

pub(crate) fn parse(arguments: &[String]) -> Result<Task, String> {
    let mut rest = arguments.iter().map(String::as_str);
    match rest.next() {
        None => Err("no task given".into()),
        Some("help" | "--help" | "-h") => Ok(Task::Help),
        Some("check") => {
            let (selection, flags) = selection(rest)?;
            no_flags(&flags)?;
            Ok(Task::Check(selection))
        }
        Some("features") => {
            let (selection, mut flags) = selection(rest)?;
            let before = flags.len();
            flags.retain(|flag| flag != "--cuda");
            let cuda = flags.len() < before;
            no_flags(&flags)?;
            Ok(Task::Features { cuda, selection })
        }
        Some("golden") => match (rest.next(), rest.next()) {
            (Some("--check"), None) => Ok(Task::Golden),
            _ => Err("`golden` needs `--check` and nothing else".into()),
        },
        Some("coverage") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Coverage { only_check: false }),
            (Some("--check"), None) => Ok(Task::Coverage { only_check: true }),
            _ => Err("`coverage` takes `--check` and nothing else".into()),
        },
        Some("surface") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Surface { write: false }),
            (Some("--write"), None) => Ok(Task::Surface { write: true }),
            _ => Err("`surface` takes `--write` and nothing else".into()),
        },
        Some("sweep") => match (rest.next(), rest.next()) {
            (Some("--list"), None) => Ok(Task::Sweep { name: None }),
            (Some(name), None) => Ok(Task::Sweep {
                name: Some(name.into()),
            }),
            _ => Err("`sweep` needs the name of one sweep, or `--list`".into()),
        },
        Some(other) => Err(format!("unknown task `{other}`")),
    }
}

/// Reads `--only`, `--skip` and `--list`; what it does not know comes back as flags.
fn selection<'a>(
    mut rest: impl Iterator<Item = &'a str>,
) -> Result<(Selection, Vec<String>), String> {
    let mut selection = Selection::default();
    let mut flags = Vec::new();
    while let Some(argument) = rest.next() {
        match argument {
            "--list" => selection.list = true,
            "--only" => selection.only.extend(names(argument, rest.next())?),
            "--skip" => selection.skip.extend(names(argument, rest.next())?),
            other => flags.push(other.to_string()),
        }
    }
    Ok((selection, flags))
}

fn names(option: &str, value: Option<&str>) -> Result<Vec<String>, String> {
    let names: Vec<String> = value
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_string)
        .collect();
    if names.is_empty() {
        Err(format!(
            "`{option}` needs names of steps, separated by commas"
        ))
    } else {
        Ok(names)
    }
}

fn no_flags(flags: &[String]) -> Result<(), String> {
    match flags.first() {
        None => Ok(()),
        Some(flag) => Err(format!("unknown option `{flag}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        parse(&words)
    }

    #[test]
    fn steps_are_selected_by_name() {
        let Ok(Task::Check(selection)) = parsed("check --only fmt,clippy --skip doc --list") else {
            panic!("a task");
        };
        assert_eq!(selection.only, ["fmt", "clippy"]);
        assert_eq!(selection.skip, ["doc"]);
        assert!(selection.list);
    }

    #[test]
    fn cuda_belongs_to_features_alone() {
        let expected = Task::Features {
            cuda: true,
            selection: Selection::default(),
        };
        assert_eq!(parsed("features --cuda"), Ok(expected));
        assert!(parsed("check --cuda").is_err());
    }

    #[test]
    fn coverage_is_written_or_checked() {
        let task = |only_check| Ok(Task::Coverage { only_check });
        assert_eq!(parsed("coverage"), task(false));
        assert_eq!(parsed("coverage --check"), task(true));
    }

    #[test]
    fn the_surface_is_printed_or_written() {
        let task = |write| Ok(Task::Surface { write });
        assert_eq!(parsed("surface"), task(false));
        assert_eq!(parsed("surface --write"), task(true));
    }

    #[test]
    fn a_sweep_has_one_name() {
        let task = |name: Option<&str>| {
            Ok(Task::Sweep {
                name: name.map(str::to_string),
            })
        };
        assert_eq!(parsed("sweep ends"), task(Some("ends")));
        assert_eq!(parsed("sweep --list"), task(None));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "",
            "verify",
            "check --only",
            "check --first fmt",
            "golden",
            "coverage --write",
            "surface --check",
            "sweep",
            "sweep ends zeros",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
