//! Until now nothing failed, and nothing was asked for.

use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

pub(super) fn check(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    let counted = tab.evaluate("document.documentElement.dataset.errors")?;
    let faults = tab.faults()?;
    Ok(match faults.first() {
        Some(first) => Verdict::Failed(format!("{first} ({} in all)", faults.len())),
        None if counted != "0" => {
            Verdict::Failed(format!("the page itself counts {counted} errors"))
        }
        None => Verdict::Passed("no error, no request, no dialog".into()),
    })
}
