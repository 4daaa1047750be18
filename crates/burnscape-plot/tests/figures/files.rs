//! Files are there as a whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use burnscape_plot::{Figure, PlotError};

use crate::data::all;
use crate::documents::drawing;

/// A new folder, which the test removes.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("burnscape-plot-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn figure() -> Figure {
    all().remove(0).1
}

#[test]
fn both_formats_are_written() {
    let folder = folder("formats");
    for name in ["a.svg", "b.PNG", "c.Svg"] {
        figure().write(folder.join(name), &drawing(false)).unwrap();
    }
    assert_eq!(names(&folder), ["a.svg", "b.PNG", "c.Svg"]);
    assert_eq!(
        fs::read_to_string(folder.join("a.svg")).unwrap(),
        figure().to_svg(&drawing(false)).unwrap()
    );
    assert!(
        fs::read(folder.join("b.PNG"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    // Again, over what is there.
    figure()
        .write(folder.join("a.svg"), &drawing(true))
        .unwrap();
    assert_eq!(
        fs::read_to_string(folder.join("a.svg")).unwrap(),
        figure().to_svg(&drawing(true)).unwrap()
    );
    assert_eq!(names(&folder).len(), 3);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn other_extensions_are_refused() {
    let folder = folder("extensions");
    for name in ["a", "a.jpg", ".svg", "svg"] {
        let path = folder.join(name);
        let error = figure().write(&path, &drawing(false)).unwrap_err();
        let path = path.display().to_string();
        assert_eq!(error, PlotError::Extension { path });
    }
    assert!(names(&folder).is_empty());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_failure_leaves_nothing() {
    let folder = folder("failures");
    // A folder has this name.
    fs::create_dir_all(folder.join("taken.svg/inside")).unwrap();
    for path in [
        folder.join("taken.svg"),
        folder.join("no such folder/a.svg"),
    ] {
        let error = figure().write(&path, &drawing(false)).unwrap_err();
        assert!(matches!(error, PlotError::File { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()));
    }
    assert_eq!(names(&folder), ["taken.svg"]);
    // A figure that cannot be drawn does not touch what is there.
    fs::write(folder.join("old.svg"), "old").unwrap();
    let error = Figure::Bars(vec![]).write(folder.join("old.svg"), &drawing(false));
    assert!(matches!(error, Err(PlotError::Empty { .. })));
    assert_eq!(fs::read_to_string(folder.join("old.svg")).unwrap(), "old");
    fs::remove_dir_all(folder).unwrap();
}
