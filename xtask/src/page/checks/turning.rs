//! The surface turns, by mouse and by keys, and the map stays.

use super::landscape::{Look, SURFACE, look};
use crate::page::album::Album;
use crate::page::input::Key;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// How much of the surface has to look different.
const LEAST: f64 = 0.05;

pub(super) fn drag(tab: &mut Tab<'_>, album: &Album) -> Result<Verdict, String> {
    tab.point_away()?;
    let Some(before) = look(tab)? else {
        return Ok(Verdict::Absent);
    };
    let center = tab.reach(SURFACE)?;
    tab.drag(center, [170.0, 40.0])?;
    tab.point_away()?;
    let after = look(tab)?;
    album.keep("turned.png", || {
        let panel = tab.area(".panel:has(.landscape)")?;
        tab.screenshot(panel.ok_or("the landscape has no panel")?)
    })?;
    reset(tab)?;
    Ok(turned(&before, after.as_ref()))
}

pub(super) fn keys(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    if tab.area(SURFACE)?.is_none() {
        return Ok(Verdict::Absent);
    }
    if !tab.tab_to(SURFACE)? {
        return Ok(Verdict::Failed("no key leads to the surface".into()));
    }
    let Some(before) = look(tab)? else {
        return Ok(Verdict::Absent);
    };
    for _ in 0..5 {
        tab.press(Key::Right)?;
    }
    let after = look(tab)?;
    reset(tab)?;
    Ok(turned(&before, after.as_ref()))
}

fn turned(before: &Look, after: Option<&Look>) -> Verdict {
    let Some(after) = after else {
        return Verdict::Failed("the surface is gone".into());
    };
    let surface = before.surface.difference(&after.surface);
    let map = before.map.difference(&after.map);
    Verdict::of(
        surface >= LEAST && map == 0.0,
        format!(
            "{:.0} % of the surface and {:.0} % of the map change",
            100.0 * surface,
            (100.0 * map).ceil()
        ),
    )
}

fn reset(tab: &mut Tab<'_>) -> Result<(), String> {
    tab.evaluate(
        "document.activeElement.blur(), document.querySelector('.landscape .reset').click()",
    )?;
    tab.settle()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::picture::Picture;

    fn look(surface: usize, map: usize) -> Look {
        let with = |changed: usize| {
            let pixels: Vec<[u8; 3]> = (0..100).map(|at| [u8::from(at < changed); 3]).collect();
            Picture::of(10, &pixels)
        };
        Look {
            surface: with(surface),
            map: with(map),
        }
    }

    #[test]
    fn the_surface_has_to_turn_and_the_map_must_not() {
        let passes = |surface: usize, map: usize| {
            matches!(
                turned(&look(0, 0), Some(&look(surface, map))),
                Verdict::Passed(_)
            )
        };
        assert!(passes(5, 0));
        assert!(!passes(4, 0));
        assert!(!passes(50, 1));
        assert!(matches!(turned(&look(0, 0), None), Verdict::Failed(_)));
    }
}
