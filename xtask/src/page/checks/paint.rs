//! The first picture comes soon.

use std::path::Path;
use std::time::Duration;

use crate::page::devtools::DevTools;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

const VISITS: usize = 3;
/// In milliseconds.
const LIMIT: f64 = 1000.0;
const PAINTED: &str = "performance.getEntriesByName('first-contentful-paint').length > 0";
/// In milliseconds since the page was asked for.
const TIME: &str = "performance.getEntriesByName('first-contentful-paint')[0].startTime";

/// The time to the first paint with content, the best of three visits.
pub(in crate::page) fn paint(devtools: &mut DevTools, file: &Path) -> Result<Verdict, String> {
    let mut best = f64::INFINITY;
    for _ in 0..VISITS {
        let mut tab = Tab::open(devtools, file)?;
        if tab.wait_for(PAINTED, Duration::from_secs(10))? {
            let time = tab.evaluate(TIME)?.as_f64().unwrap_or(f64::INFINITY);
            best = best.min(time);
        }
        tab.close()?;
    }
    Ok(Verdict::of(
        best < LIMIT,
        format!("first after {best:.0} ms, the best of {VISITS} visits"),
    ))
}
