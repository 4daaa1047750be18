//! Limits of the public surface.
//!
//! The numbers are ceilings, not budgets. A change that needs more names raises `NAMES` accordingly and gives the reason
//! in its commit.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::names::Origin;
use super::{PAGE, Surface, read};
use crate::finding::Finding;
use crate::step::{Step, Work};

/// Distinct public items of all crates: methods excluded, hidden ones counted, re-exports once.
const NAMES: usize = 515;
/// Names defined in two rooms.
const SHARED_NAMES: usize = 0;
/// Lines of code, without blank lines, comments and tests.
const CODE_LINES: usize = 103_000;
/// The methods that a config may have: they make something with state, or return a result. `run_deflated`, `run_from` and
/// `run_integrands` take vectors or a closure, which plain data cannot hold; `run_top` is the diagram of another dimension.
/// `run_on` takes a potential of one's own in place of a risk, and `resume` and `resume_on` a record of the run; `run_readings` takes
/// what a watch has kept; `run_with_…` take the curvature that sets the units. `nbeta` is a
/// number that follows from two settings.
const VERBS: &[&str] = &[
    "init",
    "maximize",
    "minimize",
    "nbeta",
    "resume",
    "resume_on",
    "run",
    "run_deflated",
    "run_from",
    "run_integrands",
    "run_on",
    "run_readings",
    "run_top",
    "run_with_curvature",
    "run_with_diagonal",
];

pub(crate) fn step() -> Step {
    Step {
        name: "surface",
        about: "public names, config verbs and lines of code are within their limits",
        work: Work::Inspect(check),
    }
}

fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let surfaces = read(root).map_err(io::Error::other)?;
    let findings = messages(&surfaces).into_iter();
    Ok(findings
        .map(|message| Finding::new(Path::new(PAGE), 1, message))
        .collect())
}

fn messages(surfaces: &[Surface]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut lines, mut messages) = (0, Vec::new());
    for (room, shown) in surfaces.iter().flat_map(|surface| &surface.rooms) {
        lines += shown.code_lines;
        for (name, origin) in &shown.names {
            if *origin == Origin::Own {
                places.entry(name).or_default().push(room);
            }
        }
        for (config, verb) in &shown.verbs {
            if !VERBS.contains(&verb.as_str()) {
                messages.push(format!(
                    "`{config}::{verb}` is not an allowed config verb; use one of {}",
                    VERBS.join(", ")
                ));
            }
        }
    }
    let mut ceiling = |what: &str, found: usize, most: usize| {
        if found > most {
            messages.push(format!("{found} {what}, at most {most}"));
        }
    };
    ceiling("public names", places.len(), NAMES);
    ceiling("lines of code", lines, CODE_LINES);
    let shared: Vec<String> = places
        .iter()
        .filter(|(_, rooms)| rooms.len() > 1)
        .map(|(name, rooms)| format!("`{name}` ({})", rooms.join(", ")))
        .collect();
    ceiling(
        &format!("names in more than one room: {}", shared.join("; ")),
        shared.len(),
        SHARED_NAMES,
    );
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::Room;

    fn surface(names: impl IntoIterator<Item = String>, verb: &str) -> Surface {
        let room = Room {
            names: names.into_iter().map(|name| (name, Origin::Own)).collect(),
            verbs: [("AConfig".to_string(), verb.to_string())].into(),
            code_lines: 10,
        };
        Surface {
            name: "a",
            rooms: [("room".to_string(), room)].into(),
        }
    }

    #[test]
    fn what_is_above_a_ceiling_is_found() {
        let names = |count: usize| (0..count).map(|index| format!("Name{index}"));
        assert!(messages(&[surface(names(NAMES), "run")]).is_empty());
        let found = messages(&[surface(names(NAMES + 1), "compute")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`AConfig::compute`"));
        assert!(found[1].contains("public names"));
        // Equal names in two crates are one item, and shared.
        let twice = [surface(names(9), "run"), surface(names(9), "run")];
        assert!(messages(&twice)[0].contains("`Name0` (room, room)"));
    }
}
