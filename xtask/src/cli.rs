//! The command line.

use std::path::PathBuf;

use crate::browser::Purpose;
use crate::page;
use crate::step::Selection;

pub(crate) const USAGE: &str = "\
usage: cargo xtask <task> [options]

tasks:
  check             run all checks, cheapest first; stop at the first failure
  features          run `cargo check` on burnscape with each backend feature
  golden --check    check the headers of the golden files
  coverage          write crates/burnscape-linearize/coverage.md, which lists the differentiated
                    operations and layers with their tests; with --check, compare it
  figures           draw the pictures of docs/images from the data beside them; with --check,
                    compare them
  studies           write docs/studies.md from the runs in docs/studies; with --check, compare it
  surface           print public names, config verbs and lines of code by room; with --write,
                    save them to docs/surface.md
  sweep NAME        run a test over many seeds in release mode and print its table; --list
                    lists the sweeps
  browser           build the page of examples/browser; with --serve, serve it on this machine;
                    with --test, test it in a headless Chromium
  page              open the page of burnscape-plot's example in a headless Chromium and check it;
                    skipped without Chromium
  package           pack the crates, and check them outside the workspace; with --new-project,
                    run the README's first program in a new project that depends on them
  burn-next         build and test a copy of the workspace with the newest pre-release of Burn

options of check, features and burn-next:
  --only A,B        run only these steps
  --skip A,B        skip these steps
  --list            list the steps

option of features:
  --cuda            include `cuda`

options of page:
  --file PATH       check this report instead
  --screenshots DIR keep pictures of the pages
  --require         fail without Chromium";

#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Check(Selection),
    Features {
        cuda: bool,
        selection: Selection,
    },
    BurnNext(Selection),
    Golden,
    Coverage {
        only_check: bool,
    },
    Figures {
        only_check: bool,
    },
    Studies {
        only_check: bool,
    },
    Surface {
        write: bool,
    },
    Browser(Purpose),
    Page(page::Request),
    Package {
        new_project: bool,
    },
    /// Without a name, the list.
    Sweep {
        name: Option<String>,
    },
}

pub(crate) fn parse(arguments: &[String]) -> Result<Task, String> {
    let mut rest = arguments.iter().map(String::as_str);
    match rest.next() {
        None => Err("missing task".into()),
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
        Some("burn-next") => {
            let (selection, flags) = selection(rest)?;
            no_flags(&flags)?;
            Ok(Task::BurnNext(selection))
        }
        Some("golden") => match (rest.next(), rest.next()) {
            (Some("--check"), None) => Ok(Task::Golden),
            _ => Err("`golden` takes exactly one option: `--check`".into()),
        },
        Some("coverage") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Coverage { only_check: false }),
            (Some("--check"), None) => Ok(Task::Coverage { only_check: true }),
            _ => Err("`coverage` takes no option except `--check`".into()),
        },
        Some("figures") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Figures { only_check: false }),
            (Some("--check"), None) => Ok(Task::Figures { only_check: true }),
            _ => Err("`figures` takes no option except `--check`".into()),
        },
        Some("studies") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Studies { only_check: false }),
            (Some("--check"), None) => Ok(Task::Studies { only_check: true }),
            _ => Err("`studies` takes no option except `--check`".into()),
        },
        Some("surface") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Surface { write: false }),
            (Some("--write"), None) => Ok(Task::Surface { write: true }),
            _ => Err("`surface` takes no option except `--write`".into()),
        },
        Some("browser") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Browser(Purpose::Build)),
            (Some("--serve"), None) => Ok(Task::Browser(Purpose::Serve)),
            (Some("--test"), None) => Ok(Task::Browser(Purpose::Test)),
            _ => Err("`browser` takes `--serve`, `--test` or no option".into()),
        },
        Some("page") => page_request(rest).map(Task::Page),
        Some("package") => match (rest.next(), rest.next()) {
            (None, _) => Ok(Task::Package { new_project: false }),
            (Some("--new-project"), None) => Ok(Task::Package { new_project: true }),
            _ => Err("`package` takes no option except `--new-project`".into()),
        },
        Some("sweep") => match (rest.next(), rest.next()) {
            (Some("--list"), None) => Ok(Task::Sweep { name: None }),
            (Some(name), None) => Ok(Task::Sweep {
                name: Some(name.into()),
            }),
            _ => Err("`sweep` takes the name of one sweep, or `--list`".into()),
        },
        Some(other) => Err(format!("unknown task `{other}`")),
    }
}

fn page_request<'a>(mut rest: impl Iterator<Item = &'a str>) -> Result<page::Request, String> {
    let mut request = page::Request::default();
    while let Some(option) = rest.next() {
        let mut path = || match rest.next() {
            Some(path) => Ok(Some(PathBuf::from(path))),
            None => Err(format!("`{option}` takes a path")),
        };
        match option {
            "--file" => request.file = path()?,
            "--screenshots" => request.screenshots = path()?,
            "--require" => request.require = true,
            other => return Err(format!("unknown option `{other}`")),
        }
    }
    Ok(request)
}

/// Parses `--only`, `--skip` and `--list`, and returns unknown arguments as flags.
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
            "`{option}` takes the names of steps, separated by commas"
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
    fn figures_are_drawn_or_checked() {
        let task = |only_check| Ok(Task::Figures { only_check });
        assert_eq!(parsed("figures"), task(false));
        assert_eq!(parsed("figures --check"), task(true));
    }

    #[test]
    fn studies_are_written_or_checked() {
        let task = |only_check| Ok(Task::Studies { only_check });
        assert_eq!(parsed("studies"), task(false));
        assert_eq!(parsed("studies --check"), task(true));
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
    fn a_page_is_checked_with_its_pictures_kept() {
        let request = page::Request {
            file: Some("a.html".into()),
            screenshots: Some("b".into()),
            require: true,
        };
        assert_eq!(
            parsed("page --require --file a.html --screenshots b"),
            Ok(Task::Page(request))
        );
        assert_eq!(parsed("page"), Ok(Task::Page(page::Request::default())));
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
            "figures surface",
            "surface --check",
            "studies --write",
            "sweep",
            "sweep ends zeros",
            "browser --open",
            "package --verify",
            "page --file",
            "page a.html",
            "burn-next 0.23",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
