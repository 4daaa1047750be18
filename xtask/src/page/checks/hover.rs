//! The mouse on a training curve moves the mark on the map.

use super::landscape::MAP;
use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// Where uPlot listens.
const CURVE: &str = ".uplot .u-over";

pub(super) fn check(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    if tab.area(MAP)?.is_none() || tab.area(CURVE)?.is_none() {
        return Ok(Verdict::Absent);
    }
    tab.point_away()?;
    let before = tab.canvas(MAP)?;
    let center = tab.reach(CURVE)?;
    tab.point_at(center)?;
    tab.settle()?;
    let during = tab.canvas(MAP)?;
    tab.point_away()?;
    let after = tab.canvas(MAP)?;
    let [mark, left] = [during, after].map(|it| 100.0 * before.difference(&it));
    Ok(Verdict::of(
        mark > 0.0 && mark < 10.0 && left == 0.0,
        format!("the mark changes {mark:.2} % of the map, {left:.2} % when it is gone"),
    ))
}
