//! What a reader without pictures gets: captions, limits, and descriptions.

use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// The number of descriptions, and what has none.
const SCRIPT: &str = "(() => {
    const shown = (node) => node.getClientRects().length > 0;
    const missing = [];
    const panels = [...document.querySelectorAll('.panel[data-kind]')];
    for (const panel of panels) {
        for (const part of ['h2', '.caption', '.cannot p']) {
            const node = panel.querySelector(part);
            if (!node || !node.textContent.trim()) missing.push(`${panel.id} has no ${part}`);
        }
    }
    const pictures = [...document.querySelectorAll('canvas, .content svg')].filter(shown)
        .filter((node) => !node.closest('[aria-hidden=true], .uplot, svg svg'));
    for (const picture of pictures) {
        const { id } = picture.closest('.panel');
        const label = picture.getAttribute('aria-label') || picture.querySelector(':scope > title')?.textContent;
        if (picture.getAttribute('role') !== 'img' || !label) missing.push(`${id} has a picture without a description`);
    }
    return [panels.length, pictures.length, missing];
})()";

pub(super) fn check(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    let found = tab.evaluate(SCRIPT)?;
    let missing = found[2].as_array().map_or(&[][..], Vec::as_slice);
    Ok(match missing.first().and_then(|first| first.as_str()) {
        Some(first) => Verdict::Failed(format!("{first} ({} in all)", missing.len())),
        None => Verdict::Passed(format!(
            "{} captions, {} descriptions of pictures",
            found[0], found[1]
        )),
    })
}
