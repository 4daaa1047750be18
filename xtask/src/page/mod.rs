//! The page of a report in a real browser, driven by the DevTools protocol.

mod album;
mod checks;
mod chromium;
mod devtools;
mod fault;
mod input;
mod pdf;
mod picture;
mod subject;
mod tab;
mod verdict;
mod view;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::browser::chromium as installed;
use album::Album;
use chromium::Chromium;
use devtools::DevTools;
use subject::Subject;
use tab::Tab;
use verdict::{Tally, Verdict};

/// What to look at.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Request {
    /// A report; without it, the pages of the example of `burnscape-plot`.
    pub(crate) file: Option<PathBuf>,
    /// Where to keep pictures of the pages.
    pub(crate) screenshots: Option<PathBuf>,
    /// Whether a missing browser is an error.
    pub(crate) require: bool,
}

/// Opens the pages in a headless Chromium and checks them. Without Chromium, it is skipped.
pub(crate) fn run(root: &Path, request: &Request) -> Result<(), String> {
    let Some(program) = installed(root) else {
        let missing = "no Chromium (on Debian: `apt-get install chromium`)";
        if request.require {
            return Err(missing.into());
        }
        println!("skipped: {missing}");
        return Ok(());
    };
    let start = Instant::now();
    let subjects = match &request.file {
        Some(file) => vec![subject::report(file)?],
        None => subject::examples(root)?,
    };
    let (browser, address) = Chromium::start(program)?;
    let mut devtools = DevTools::connect(&address)?;
    let tally = look_at_all(&mut devtools, &subjects, request.screenshots.as_deref());
    // The browser may end before it answers.
    let _ = devtools.call("", "Browser.close", json!({}));
    drop(browser);
    println!("{:.0} s", start.elapsed().as_secs_f64());
    tally?.close()
}

fn look_at_all(
    devtools: &mut DevTools,
    subjects: &[Subject],
    screenshots: Option<&Path>,
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for subject in subjects {
        let album = Album::new(screenshots, &subject.name)?;
        look_at(devtools, subject, &album, &mut tally)
            .map_err(|error| format!("{}: {error}", subject.file.display()))?;
    }
    Ok(tally)
}

fn look_at(
    devtools: &mut DevTools,
    subject: &Subject,
    album: &Album,
    tally: &mut Tally,
) -> Result<(), String> {
    println!("{}", subject.file.display());
    let mut add = |check: &str, verdict: Verdict| {
        tally.add(&subject.name, check, verdict, subject.is_ours);
    };
    let mut tab = Tab::open(devtools, &subject.file)?;
    let ready = checks::ready(&mut tab)?;
    let is_ready = matches!(ready, Verdict::Passed(_));
    add("ready", ready);
    let checks = subject.checks.iter().filter(|_| is_ready);
    for check in checks {
        match (check.run)(&mut tab, album) {
            Ok(verdict) => add(check.name, verdict),
            Err(problem) => {
                add(check.name, Verdict::Failed(problem));
                break;
            }
        }
    }
    tab.close()?;
    if is_ready {
        add("paint", checks::paint(devtools, &subject.file)?);
    }
    Ok(())
}
