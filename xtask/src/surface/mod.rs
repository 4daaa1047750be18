//! The public names of the library and the size of its code.

mod code_lines;
mod gate;
mod names;
mod page;
mod sources;
mod test_only;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub(crate) use gate::step;
use names::Origin;
use sources::Sources;

const PAGE: &str = "docs/surface.md";

const CRATES: [&str; 5] = [
    "burnscape",
    "burnscape-krylov",
    "burnscape-linearize",
    "burnscape-plot",
    "burnscape-topology",
];

/// The public names of a room and its lines of code.
#[derive(Debug, Default, PartialEq)]
struct Room {
    names: BTreeMap<String, Origin>,
    /// Config methods that make or run something, as pairs of config and method.
    verbs: BTreeSet<(String, String)>,
    code_lines: usize,
}

/// The rooms of one crate by name.
struct Surface {
    name: &'static str,
    rooms: BTreeMap<String, Room>,
}

/// Prints the page; with `write`, saves it.
pub(crate) fn run(root: &Path, write: bool) -> Result<(), String> {
    let page = page::page(&read(root)?);
    print!("{page}");
    if write {
        fs::write(root.join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))?;
    }
    Ok(())
}

fn read(root: &Path) -> Result<Vec<Surface>, String> {
    let surfaces = CRATES.into_iter().map(|name| {
        let sources = Sources::read(&root.join("crates").join(name).join("src"))?;
        let rooms = rooms(&sources).map_err(|error| format!("{name}: {error}"))?;
        Ok(Surface { name, rooms })
    });
    surfaces.collect()
}

fn rooms(sources: &Sources) -> Result<BTreeMap<String, Room>, String> {
    let mut rooms: BTreeMap<String, Room> = BTreeMap::new();
    let names = names::public(sources)?;
    let configs: BTreeSet<String> = names
        .iter()
        .map(|name| &name.name)
        .filter(|name| name.ends_with("Config"))
        .cloned()
        .collect();
    for name in names {
        let room = rooms.entry(name.room).or_default();
        let origin = room.names.entry(name.name).or_insert(name.origin);
        // A name with both origins, for instance a trait and a re-exported derive, counts as own.
        *origin = (*origin).min(name.origin);
    }
    for module in sources.modules() {
        let room = rooms.entry(module.room()).or_default();
        room.code_lines += code_lines::count(&module.text)?;
        let verbs = verbs::of_configs(&module.file.items);
        let public = verbs.filter(|(config, _)| configs.contains(config));
        room.verbs.extend(public);
    }
    Ok(rooms)
}
