//! Panels show something: each has many colors.

use crate::page::picture::{Picture, brightness};
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// A panel without text and figure has one color, one with letters has their shades.
const FEWEST: usize = 20;
const CONTENT: &str = ".panel[data-kind] > .content";
const ALL: &str = "document.querySelectorAll('.panel[data-kind]').length";

/// Pictures of the content of all panels.
pub(super) fn panels(tab: &mut Tab<'_>) -> Result<Vec<Picture>, String> {
    tab.settle()?;
    let areas = tab.areas(CONTENT)?;
    areas.into_iter().map(|area| tab.picture(area)).collect()
}

/// All panels of the page are there, each has more than the fewest colors, and the ground of each is as bright as it has
/// to be.
pub(super) fn verdict(
    tab: &mut Tab<'_>,
    pictures: &[Picture],
    is_dark: bool,
) -> Result<Verdict, String> {
    let all = tab.evaluate(ALL)?.as_u64().unwrap_or_default() as usize;
    if pictures.len() != all {
        let shown = pictures.len();
        return Ok(Verdict::Failed(format!(
            "{shown} of {all} panels are shown"
        )));
    }
    let problem = (1..).zip(pictures).find_map(|(number, picture)| {
        Some(format!("panel {number} {}", problem(picture, is_dark)?))
    });
    let fewest = pictures.iter().map(Picture::num_colors).min();
    Ok(match problem {
        Some(problem) => Verdict::Failed(problem),
        None => Verdict::Passed(format!(
            "{all} panels with at least {} colors each",
            fewest.unwrap_or_default()
        )),
    })
}

fn problem(picture: &Picture, is_dark: bool) -> Option<String> {
    let colors = picture.num_colors();
    if colors <= FEWEST {
        return Some(format!("has only {colors} colors"));
    }
    let ground = picture.main_color();
    ((brightness(ground) < 0.5) != is_dark).then(|| format!("has a ground of the color {ground:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(ground: u8, shades: u8) -> Picture {
        let text = (0..shades).map(|shade| [shade, 7, 7]);
        let pixels: Vec<[u8; 3]> = text.chain([[ground; 3]; 300]).collect();
        Picture::of(1, &pixels)
    }

    #[test]
    fn a_panel_has_more_than_twenty_colors() {
        assert_eq!(problem(&panel(255, 20), false), None);
        assert!(problem(&panel(255, 19), false).is_some());
    }

    #[test]
    fn the_ground_is_that_of_the_theme() {
        assert_eq!(problem(&panel(20, 99), true), None);
        assert!(problem(&panel(255, 99), true).is_some());
        assert!(problem(&panel(20, 99), false).is_some());
    }
}
