//! The first landscape of a page, and how it looks.

use crate::page::picture::Picture;
use crate::page::tab::Tab;

pub(super) const SURFACE: &str = ".landscape canvas.surface";
pub(super) const MAP: &str = ".landscape canvas.plan";
/// The slider of the water level.
pub(super) const WATER: &str = ".landscape .slider input";

/// Pictures of the surface and of the map beside it.
pub(super) struct Look {
    pub(super) surface: Picture,
    pub(super) map: Picture,
}

/// None on a page without a landscape.
pub(super) fn look(tab: &mut Tab<'_>) -> Result<Option<Look>, String> {
    tab.settle()?;
    let (Some(surface), Some(map)) = (tab.area(SURFACE)?, tab.area(MAP)?) else {
        return Ok(None);
    };
    Ok(Some(Look {
        surface: tab.picture(surface)?,
        map: tab.picture(map)?,
    }))
}
