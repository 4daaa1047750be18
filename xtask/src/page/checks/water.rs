//! The water level floods the landscape and counts its lakes.

use super::landscape::{WATER, look};
use crate::page::album::Album;
use crate::page::input::Key;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// A key raises the water by a tenth.
const LEVELS: usize = 10;

/// From dry land to a sea, and the map shows it.
pub(super) fn floods(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    tab.point_away()?;
    let Some(dry) = look(tab)? else {
        return Ok(Verdict::Absent);
    };
    if !tab.tab_to(WATER)? {
        return Ok(Verdict::Failed("no key leads to the water level".into()));
    }
    let counts = counts(tab)?;
    let wet = look(tab)?;
    dry_again(tab)?;
    let again = look(tab)?;
    let (Some(wet), Some(again)) = (wet, again) else {
        return Ok(Verdict::Failed("the landscape is gone".into()));
    };
    let [flooded, left] = [wet, again].map(|look| 100.0 * dry.map.difference(&look.map));
    let is_met = counts[0] == 0
        && counts[1..].iter().all(|&count| count > 0)
        && flooded > 30.0
        && left == 0.0;
    Ok(Verdict::of(
        is_met,
        format!(
            "lakes: {}; {flooded:.0} % of the map are flooded, {left:.0} % when it is dry again",
            joined(&counts)
        ),
    ))
}

/// The number of lakes goes up and down.
pub(super) fn divides(tab: &mut Tab<'_>, album: &Album) -> Result<Verdict, String> {
    if tab.area(WATER)?.is_none() {
        return Ok(Verdict::Absent);
    }
    tab.tab_to(WATER)?;
    let counts = counts(tab)?;
    let most = counts.iter().copied().max().unwrap_or_default();
    let highest = counts.iter().position(|&count| count == most);
    // The level with most lakes is the one to look at.
    tab.press(Key::Home)?;
    for _ in 0..highest.unwrap_or_default() {
        tab.press(Key::PageUp)?;
    }
    tab.settle()?;
    album.keep("lakes.png", || {
        let panel = tab.area(".panel:has(.landscape)")?;
        tab.screenshot(panel.ok_or("the landscape has no panel")?)
    })?;
    dry_again(tab)?;
    // Between the first puddle and the sea, lakes come or become one.
    let is_met = most > 1 && counts[1..].iter().any(|&count| count < most);
    Ok(Verdict::of(is_met, format!("lakes: {}", joined(&counts))))
}

/// The number of lakes that the page tells at each level.
fn counts(tab: &mut Tab<'_>) -> Result<Vec<u64>, String> {
    tab.press(Key::Home)?;
    let mut counts = vec![count(tab)?];
    for _ in 0..LEVELS {
        tab.press(Key::PageUp)?;
        counts.push(count(tab)?);
    }
    Ok(counts)
}

/// The number must be what the reader is told.
fn count(tab: &mut Tab<'_>) -> Result<u64, String> {
    let said = tab.evaluate(
        "(() => {
            const slider = document.querySelector('.landscape .slider');
            const told = slider.querySelector('output').textContent.match(/([0-9]+) lake/);
            const count = slider.dataset.lakes;
            return count === (told ? told[1] : '0') ? Number(count) : null;
        })()",
    )?;
    said.as_u64()
        .ok_or_else(|| "the page does not tell the number of lakes that it counts".into())
}

fn dry_again(tab: &mut Tab<'_>) -> Result<(), String> {
    tab.press(Key::Home)?;
    tab.evaluate("document.activeElement.blur()")?;
    tab.settle()
}

fn joined(counts: &[u64]) -> String {
    let texts: Vec<String> = counts.iter().map(u64::to_string).collect();
    texts.join(" ")
}
