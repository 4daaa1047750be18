//! Cells that are not a number and infinite cells are counted below the map.

use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// Numbers of both in the data, and in the notes of the page.
const SCRIPT: &str = "(() => {
    const { panels } = JSON.parse(document.getElementById('data').textContent);
    const [field] = panels.find(({ kind }) => kind === 'landscapes').views[0].fields;
    const told = (text) => {
        const note = [...document.querySelectorAll('.landscape .notes li')].find((it) => it.textContent.includes(text));
        return note ? Number(note.textContent.replace(/[^0-9]/g, '')) : 0;
    };
    return [field.nan.length, told('not a number'), field.inf.length, told('infinite')];
})()";

pub(super) fn check(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    let counts = tab.evaluate(SCRIPT)?;
    let [nan, told_nan, inf, told_inf] = [0, 1, 2, 3].map(|index| counts[index].as_u64());
    let is_met = nan > Some(0) && inf > Some(0) && nan == told_nan && inf == told_inf;
    let number = |count: Option<u64>| count.unwrap_or_default();
    Ok(Verdict::of(
        is_met,
        format!(
            "{} of {} cells that are not a number and {} of {} infinite ones are told",
            number(told_nan),
            number(nan),
            number(told_inf),
            number(inf)
        ),
    ))
}
