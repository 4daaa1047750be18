//! A window as narrow as a telephone shows all panels and needs no horizontal scrolling.

use super::colors;
use crate::page::album::Album;
use crate::page::tab::{Tab, WINDOW};
use crate::page::verdict::Verdict;

const NARROW: [u32; 2] = [400, 800];

pub(super) fn check(tab: &mut Tab<'_>, album: &Album) -> Result<Verdict, String> {
    tab.set_window(NARROW)?;
    tab.settle()?;
    let width = tab.evaluate("document.documentElement.scrollWidth")?;
    let pictures = colors::panels(tab)?;
    album.keep("narrow.png", || tab.whole())?;
    tab.set_window(WINDOW)?;
    tab.settle()?;
    let width = width.as_u64().unwrap_or(u64::MAX);
    if width > u64::from(NARROW[0]) {
        return Ok(Verdict::Failed(format!(
            "a window of {} pixels scrolls over {width}",
            NARROW[0]
        )));
    }
    colors::verdict(tab, &pictures, false)
}
