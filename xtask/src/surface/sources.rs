//! The modules of a crate, without tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{File, Item};

use super::test_only::is_test_only;

/// The room of the files that are not in a folder.
pub(super) const NO_ROOM: &str = "src";

/// A module in a separate file.
pub(super) struct Module {
    /// Relative to the `src` of the crate.
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) file: File,
}

impl Module {
    /// The folder below `src`.
    pub(super) fn room(&self) -> String {
        let mut parts = self.path.iter();
        let first = parts.next().map(|part| part.to_string_lossy().into_owned());
        match (first, parts.next()) {
            (Some(room), Some(_)) => room,
            _ => NO_ROOM.to_string(),
        }
    }
}

/// The modules of a crate by their path; the path of the root is empty.
#[derive(Default)]
pub(super) struct Sources(BTreeMap<Vec<String>, Module>);

impl Sources {
    /// Follows `mod name;`, starting from `lib.rs`.
    pub(super) fn read(src: &Path) -> Result<Self, String> {
        Self::follow(|path| fs::read_to_string(src.join(path)).ok())
            .map_err(|error| format!("{}: {error}", src.display()))
    }

    /// `read` returns the text of a file below `src`, or `None` if the file does not exist.
    pub(super) fn follow(read: impl Fn(&Path) -> Option<String>) -> Result<Self, String> {
        let mut found = Self::default();
        let mut waiting = vec![(Vec::new(), PathBuf::from("lib.rs"))];
        while let Some((module, path)) = waiting.pop() {
            let text = read(&path).ok_or_else(|| format!("{} is missing", path.display()))?;
            let file = syn::parse_file(&text)
                .map_err(|error| format!("{} does not parse: {error}", path.display()))?;
            for name in children(&file) {
                let folder = folder_of(&path);
                let flat = folder.join(format!("{name}.rs"));
                let nested = folder.join(&name).join("mod.rs");
                let child = if read(&flat).is_some() { flat } else { nested };
                waiting.push(([module.as_slice(), &[name]].concat(), child));
            }
            found.0.insert(module, Module { path, text, file });
        }
        Ok(found)
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.0.values()
    }

    pub(super) fn get(&self, module: &[String]) -> Option<&Module> {
        self.0.get(module)
    }
}

fn children(file: &File) -> impl Iterator<Item = String> {
    file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() && !is_test_only(&module.attrs) => {
            Some(module.ident.to_string())
        }
        _ => None,
    })
}

/// The folder of the modules that a file declares.
fn folder_of(path: &Path) -> PathBuf {
    if path.ends_with("lib.rs") || path.ends_with("mod.rs") {
        path.parent().unwrap_or(path).to_path_buf()
    } else {
        path.with_extension("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_followed_into_files_and_folders_but_not_into_tests() {
        let files = [
            ("lib.rs", "mod flat;\nmod room;\n#[cfg(test)]\nmod tests;\n"),
            ("flat.rs", "mod below;"),
            ("flat/below.rs", ""),
            ("room/mod.rs", "mod inner;\nmod inline {}"),
            ("room/inner.rs", ""),
            ("tests.rs", "fn f() {}"),
            ("forgotten.rs", "fn f() {}"),
        ];
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_string())
        };
        let sources = Sources::follow(read).unwrap();
        let found: Vec<(String, String)> = sources
            .modules()
            .map(|module| (module.path.display().to_string(), module.room()))
            .collect();
        let expected = [
            ("lib.rs", "src"),
            ("flat.rs", "src"),
            ("flat/below.rs", "flat"),
            ("room/mod.rs", "room"),
            ("room/inner.rs", "room"),
        ];
        assert_eq!(
            found,
            expected.map(|(path, room)| (path.into(), room.into()))
        );
    }

    #[test]
    fn a_module_without_a_file_is_an_error_that_names_it() {
        let read = |path: &Path| path.ends_with("lib.rs").then(|| "mod gone;".to_string());
        let error = Sources::follow(read).err().unwrap();
        assert!(error.contains("gone/mod.rs"), "{error}");
    }
}
