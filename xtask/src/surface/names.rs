//! The names that a user of a crate can reach.

use syn::{Attribute, Ident, Item, UseTree, Visibility};

use super::sources::{NO_ROOM, Sources};
use super::test_only::is_test_only;

/// The origin of a public name; `Own` is first in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The crate defines it.
    Own,
    /// Another crate defines it.
    Foreign,
}

/// A public item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The room that defines or re-exports it.
    pub(super) room: String,
    pub(super) name: String,
    pub(super) origin: Origin,
}

/// All public items except modules. An item with two paths counts once.
pub(super) fn public(sources: &Sources) -> Result<Vec<Name>, String> {
    let root = sources.get(&[]).ok_or("the crate has no root module")?;
    let mut names = Vec::new();
    visit(sources, &[], &root.file.items, &mut names)?;
    names.sort();
    names.dedup();
    Ok(names)
}

fn visit(
    sources: &Sources,
    at: &[String],
    items: &[Item],
    names: &mut Vec<Name>,
) -> Result<(), String> {
    for item in items {
        match item {
            Item::Mod(module) if is_shown(&module.vis, &module.attrs) => {
                let inner = [at, &[module.ident.to_string()]].concat();
                match (&module.content, sources.get(&inner)) {
                    (Some((_, items)), _) => visit(sources, &inner, items, names)?,
                    (None, Some(module)) => visit(sources, &inner, &module.file.items, names)?,
                    (None, None) => {
                        return Err(format!("the module {} does not exist", inner.join("::")));
                    }
                }
            }
            Item::Use(shown) if is_shown(&shown.vis, &shown.attrs) => {
                for path in leaves(&shown.tree)? {
                    names.extend(re_exported(sources, at, &path));
                }
            }
            item => names.extend(defined(item).map(|name| Name {
                room: room_of(sources, at),
                name: name.to_string(),
                origin: Origin::Own,
            })),
        }
    }
    Ok(())
}

fn is_shown(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_))
        && !is_test_only(attributes)
        && !attributes.iter().any(is_hidden)
}

fn is_hidden(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
        && attribute
            .parse_args::<Ident>()
            .is_ok_and(|word| word == "hidden")
}

/// The name of a public item that is neither a module nor a `use`.
fn defined(item: &Item) -> Option<&Ident> {
    let (visibility, attributes, name) = match item {
        Item::Const(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Enum(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Fn(item) => (&item.vis, &item.attrs, &item.sig.ident),
        Item::Static(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Struct(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Trait(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Type(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Union(item) => (&item.vis, &item.attrs, &item.ident),
        _ => return None,
    };
    is_shown(visibility, attributes).then_some(name)
}

/// The paths of a `use`, each from its first segment to the public name.
fn leaves(tree: &UseTree) -> Result<Vec<Vec<String>>, String> {
    match tree {
        UseTree::Path(path) => {
            let first = path.ident.to_string();
            let rest = leaves(&path.tree)?;
            Ok(rest
                .into_iter()
                .map(|rest| [vec![first.clone()], rest].concat())
                .collect())
        }
        UseTree::Name(name) => Ok(vec![vec![name.ident.to_string()]]),
        UseTree::Rename(rename) => Ok(vec![vec![rename.rename.to_string()]]),
        UseTree::Group(group) => {
            let parts: Result<Vec<_>, _> = group.items.iter().map(leaves).collect();
            Ok(parts?.concat())
        }
        UseTree::Glob(_) => Err("a public glob `use` hides its names; list them".into()),
    }
}

/// `None` for a re-exported crate, which counts as a module.
fn re_exported(sources: &Sources, at: &[String], path: &[String]) -> Option<Name> {
    let (name, place) = path.split_last()?;
    let (base, place): (&[String], _) = match place.first().map(String::as_str) {
        None => return None,
        Some("crate") => (&[], &place[1..]),
        Some("self") => (at, &place[1..]),
        Some(_) => (at, place),
    };
    let defines = [base, place.get(..1).unwrap_or_default()].concat();
    let (module, origin) = match sources.get(&defines) {
        Some(_) => (defines.as_slice(), Origin::Own),
        None => (at, Origin::Foreign),
    };
    Some(Name {
        room: room_of(sources, module),
        name: name.clone(),
        origin,
    })
}

/// An inline module belongs to the room of its file.
fn room_of(sources: &Sources, module: &[String]) -> String {
    (0..=module.len())
        .rev()
        .find_map(|length| sources.get(&module[..length]))
        .map_or_else(|| NO_ROOM.to_string(), |module| module.room())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `room::name`, with `*` for what is another crate's.
    fn names(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let sources = Sources::follow(|path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_string())
        })?;
        let mark = |origin| if origin == Origin::Own { "" } else { "*" };
        let names = public(&sources)?.into_iter();
        Ok(names
            .map(|name| format!("{}::{}{}", name.room, name.name, mark(name.origin)))
            .collect())
    }

    #[test]
    fn only_what_can_be_reached_is_public() {
        let files = [
            (
                "lib.rs",
                "mod hidden;\npub mod room;\npub use hidden::shown;",
            ),
            ("hidden.rs", "pub fn shown() {}\npub fn not_shown() {}"),
            (
                "room/mod.rs",
                "mod a;\npub use a::{A, B as C};\npub(crate) use a::D;\npub const E: u8 = 1;\n\
                 #[doc(hidden)]\npub use a::F;\n#[cfg(test)]\npub use a::G;\nfn h() {}\n\
                 #[cfg(feature = \"train\")]\npub use a::I;",
            ),
            ("room/a.rs", "pub struct A;"),
        ];
        let expected = ["room::A", "room::C", "room::E", "room::I", "src::shown"];
        assert_eq!(names(&files).unwrap(), expected);
    }

    #[test]
    fn a_name_belongs_to_the_room_that_defines_it() {
        let files = [
            (
                "lib.rs",
                "mod room;\npub use room::A;\n\
                 pub mod prelude {\n    pub use crate::room::{A, B};\n    pub use crate::other::C;\n}",
            ),
            ("room/mod.rs", "pub struct A;\npub struct B;"),
        ];
        assert_eq!(names(&files).unwrap(), ["room::A", "room::B", "src::C*"]);
    }

    #[test]
    fn crates_are_places_and_their_items_are_foreign() {
        let files = [
            ("lib.rs", "pub use other_crate as other;\npub mod room;"),
            ("room/mod.rs", "pub use other_crate::Item;"),
        ];
        assert_eq!(names(&files).unwrap(), ["room::Item*"]);
    }

    #[test]
    fn a_glob_is_refused() {
        let files = [("lib.rs", "mod a;\npub use a::*;"), ("a.rs", "")];
        assert!(names(&files).is_err());
    }
}
