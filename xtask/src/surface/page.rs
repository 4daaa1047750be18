//! The page with all counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::names::Origin;
use super::{Room, Surface};

const ABOUT: &str = "\
# Public surface

`cargo xtask surface` prints this page; `cargo xtask surface --write` saves it.

- *Names*: public items without modules. An item with two paths counts once, in the room that defines it. *Re-exported* items
  are defined in another crate.
- *Verbs*: public config methods that make or run something: they take `self` and return a value of another type.
- *Code*: lines of code, without blank lines, comments and test-only code.
- A room is a folder below `src`; `src` stands for the files directly in it.
";

pub(super) fn page(surfaces: &[Surface]) -> String {
    let mut page = ABOUT.to_string();
    counts(&mut page, surfaces);
    duplicates(&mut page, surfaces);
    verbs(&mut page, surfaces);
    names(&mut page, surfaces);
    page
}

fn counts(page: &mut String, surfaces: &[Surface]) {
    page.push_str(
        "\n## Rooms\n\n| crate | room | names | re-exported | configs | verbs | code |\n",
    );
    page.push_str("|---|---|--:|--:|--:|--:|--:|\n");
    let mut total = Counts::default();
    for Surface { name, rooms } in surfaces {
        let mut sum = Counts::default();
        for (room, shown) in rooms {
            let counts = Counts::of(shown);
            sum = sum.plus(&counts);
            let _ = writeln!(page, "| `{name}` | `{room}` | {counts}");
        }
        total = total.plus(&sum);
        let _ = writeln!(page, "| **`{name}`** | | {sum}");
    }
    let _ = writeln!(page, "| **all** | | {total}");
}

/// The numbers of a room, or of several.
#[derive(Default)]
struct Counts {
    own: usize,
    foreign: usize,
    configs: usize,
    verbs: usize,
    code_lines: usize,
}

impl Counts {
    fn of(room: &Room) -> Self {
        let num = |origin| {
            room.names
                .values()
                .filter(|found| **found == origin)
                .count()
        };
        Self {
            own: num(Origin::Own),
            foreign: num(Origin::Foreign),
            configs: room
                .names
                .keys()
                .filter(|name| name.ends_with("Config"))
                .count(),
            verbs: room.verbs.len(),
            code_lines: room.code_lines,
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            own: self.own + other.own,
            foreign: self.foreign + other.foreign,
            configs: self.configs + other.configs,
            verbs: self.verbs + other.verbs,
            code_lines: self.code_lines + other.code_lines,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            own,
            foreign,
            configs,
            verbs,
            code_lines,
        } = self;
        write!(
            f,
            "{own} | {foreign} | {configs} | {verbs} | {code_lines} |"
        )
    }
}

/// Names defined in two rooms.
fn duplicates(page: &mut String, surfaces: &[Surface]) {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (surface, room, shown) in all_rooms(surfaces) {
        let own = shown
            .names
            .iter()
            .filter(|(_, origin)| **origin == Origin::Own);
        for (name, _) in own {
            places
                .entry(name)
                .or_default()
                .push(format!("`{surface}` `{room}`"));
        }
    }
    places.retain(|_, places| places.len() > 1);
    let _ = writeln!(
        page,
        "\n## Names defined in several rooms: {}\n",
        places.len()
    );
    for (name, places) in places {
        let _ = writeln!(page, "- `{name}`: {}", places.join(", "));
    }
}

fn verbs(page: &mut String, surfaces: &[Surface]) {
    let mut configs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, _, shown) in all_rooms(surfaces) {
        for (config, verb) in &shown.verbs {
            configs.entry(verb).or_default().insert(config);
        }
    }
    let _ = writeln!(page, "\n## Verbs of configs: {}\n", configs.len());
    page.push_str("| verb | configs | |\n|---|--:|---|\n");
    for (verb, configs) in configs {
        let list = quoted(configs.iter().copied());
        let _ = writeln!(page, "| `{verb}` | {} | {list} |", configs.len());
    }
}

fn names(page: &mut String, surfaces: &[Surface]) {
    page.push_str("\n## Names\n");
    for (surface, room, shown) in all_rooms(surfaces) {
        if !shown.names.is_empty() {
            let list = quoted(shown.names.keys().map(String::as_str));
            let _ = writeln!(page, "\n`{surface}` `{room}`: {list}");
        }
    }
}

fn all_rooms(surfaces: &[Surface]) -> impl Iterator<Item = (&str, &str, &Room)> {
    surfaces.iter().flat_map(|surface| {
        let rooms = surface.rooms.iter();
        rooms.map(|(room, shown)| (surface.name, room.as_str(), shown))
    })
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(names: &[(&str, Origin)], verbs: &[(&str, &str)], code_lines: usize) -> Room {
        Room {
            names: names
                .iter()
                .map(|(name, origin)| ((*name).into(), *origin))
                .collect(),
            verbs: verbs
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect(),
            code_lines,
        }
    }

    #[test]
    fn the_page_has_sums_duplicates_and_verbs() {
        let trace = room(
            &[("TraceConfig", Origin::Own), ("Estimate", Origin::Own)],
            &[("TraceConfig", "run")],
            100,
        );
        let other = room(
            &[("Estimate", Origin::Own), ("Batch", Origin::Foreign)],
            &[],
            20,
        );
        let third = room(&[("Batch", Origin::Own)], &[], 3);
        let surfaces = [
            Surface {
                name: "one",
                rooms: [("trace".into(), trace), ("other".into(), other)].into(),
            },
            Surface {
                name: "two",
                rooms: [("src".into(), third)].into(),
            },
        ];
        let page = page(&surfaces);
        for line in [
            "| `one` | `other` | 1 | 1 | 0 | 0 | 20 |",
            "| **`one`** | | 3 | 1 | 1 | 1 | 120 |",
            "| **all** | | 4 | 1 | 1 | 1 | 123 |",
            "## Names defined in several rooms: 1",
            "- `Estimate`: `one` `other`, `one` `trace`",
            "| `run` | 1 | `TraceConfig` |",
            "`one` `trace`: `Estimate`, `TraceConfig`",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
