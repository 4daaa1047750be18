//! Files are there as a whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use burnscape_plot::{Content, PlotError, Report};

use crate::parts::page;

/// Keeps a page for a look in a browser.
pub(crate) fn keep(name: &str, page: &str) {
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), page).unwrap();
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn report() -> Report {
    page(Content::Trust(vec![("question".into(), "answer".into())]))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_page_is_written_whole() {
    let folder = folder("page-written");
    let path = folder.join("page.html");
    fs::write(&path, "before").unwrap();
    report().write_html(&path).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        report().to_html().unwrap()
    );
    assert_eq!(names(&folder), ["page.html"]);
}

#[test]
fn a_refused_page_leaves_the_old_one() {
    let folder = folder("page-refused");
    let path = folder.join("page.html");
    fs::write(&path, "before").unwrap();
    assert!(Report::new("empty").write_html(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(names(&folder), ["page.html"]);
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing() {
    let folder = folder("page-unwritable");
    // A folder with a file stands where the page should be.
    let path = folder.join("page.html");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), "").unwrap();
    let error = report().write_html(&path).unwrap_err();
    assert!(matches!(&error, PlotError::File { .. }), "{error}");
    assert!(error.to_string().contains("page.html"));
    assert_eq!(names(&folder), ["page.html"]);
    assert!(matches!(
        report().write_html(folder.join("none/page.html")),
        Err(PlotError::File { .. })
    ));
    assert_eq!(names(&folder), ["page.html"]);
}
