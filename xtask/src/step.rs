//! The steps of a task.

use std::io;
use std::path::Path;

use crate::finding::Finding;
use crate::invocation::Invocation;

/// One named step.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// A short description.
    pub(crate) about: &'static str,
    pub(crate) work: Work,
}

/// The work of a step.
pub(crate) enum Work {
    /// Runs commands one after another.
    Run(Vec<Invocation>),
    /// Runs a command if the probe succeeds; otherwise skips the step.
    IfInstalled {
        probe: Invocation,
        command: Invocation,
    },
    /// Runs a command that has to fail and say something.
    Refused {
        command: Invocation,
        message: &'static str,
    },
    /// Inspects the files of the workspace.
    Inspect(fn(&Path) -> io::Result<Vec<Finding>>),
}

/// The steps to run. An empty `only` selects all.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selection {
    pub(crate) only: Vec<String>,
    pub(crate) skip: Vec<String>,
    pub(crate) list: bool,
}

impl Selection {
    /// The selected steps in their original order. An unknown name is an error.
    pub(crate) fn of<'a>(&self, steps: &'a [Step]) -> Result<Vec<&'a Step>, String> {
        let unknown = self
            .only
            .iter()
            .chain(&self.skip)
            .find(|name| steps.iter().all(|step| step.name != **name));
        if let Some(name) = unknown {
            let known: Vec<&str> = steps.iter().map(|step| step.name).collect();
            return Err(format!(
                "unknown step `{name}`; choose from {}",
                known.join(", ")
            ));
        }
        let has = |names: &[String], step: &Step| names.iter().any(|name| name == step.name);
        Ok(steps
            .iter()
            .filter(|step| self.only.is_empty() || has(&self.only, step))
            .filter(|step| !has(&self.skip, step))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &Selection) -> Result<Vec<&'static str>, String> {
        let steps = ["fmt", "clippy", "doc"].map(|name| Step {
            name,
            about: "",
            work: Work::Run(Vec::new()),
        });
        let selected = selection.of(&steps)?;
        Ok(selected.iter().map(|step| step.name).collect())
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn an_empty_selection_is_everything() {
        assert_eq!(
            names(&Selection::default()).unwrap(),
            ["fmt", "clippy", "doc"]
        );
    }

    #[test]
    fn the_order_is_that_of_the_steps() {
        let selection = Selection {
            only: owned(&["doc", "fmt", "clippy"]),
            skip: owned(&["clippy"]),
            list: false,
        };
        assert_eq!(names(&selection).unwrap(), ["fmt", "doc"]);
    }

    #[test]
    fn a_misspelled_step_is_an_error_and_not_an_empty_run() {
        let selection = Selection {
            skip: owned(&["docs"]),
            ..Selection::default()
        };
        assert!(names(&selection).unwrap_err().contains("`docs`"));
    }
}
