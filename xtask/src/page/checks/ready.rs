//! The page draws all its panels.

use std::time::Instant;

use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// The number of panels that the page says it has drawn, and of all that it has.
const COUNTS: &str = "[Number(document.documentElement.dataset.panels), document.querySelectorAll('.panel[data-kind]').length]";

pub(in crate::page) fn ready(tab: &mut Tab<'_>) -> Result<Verdict, String> {
    let start = Instant::now();
    let is_ready = tab.becomes_ready()?;
    let time = start.elapsed();
    let mut problem = match tab.faults()?.first() {
        Some(fault) => format!(" ({fault})"),
        None => String::new(),
    };
    if !is_ready {
        return Ok(Verdict::Failed(format!(
            "the page is not within {} s{problem}",
            time.as_secs()
        )));
    }
    let counts = tab.evaluate(COUNTS)?;
    let [drawn, all] = [0, 1].map(|index| counts[index].as_u64().unwrap_or_default());
    let is_whole = drawn == all && all > 0;
    if is_whole {
        problem.clear();
    }
    Ok(Verdict::of(
        is_whole,
        format!("{drawn} of {all} panels are drawn{problem}"),
    ))
}
