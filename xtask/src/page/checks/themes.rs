//! All panels are drawn, in the light theme and in the dark one.

use super::colors;
use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;
use crate::page::view::Medium;

pub(super) fn light(tab: &mut Tab<'_>, album: &Album) -> Result<Verdict, String> {
    in_theme(tab, album, Medium::Light)
}

pub(super) fn dark(tab: &mut Tab<'_>, album: &Album) -> Result<Verdict, String> {
    in_theme(tab, album, Medium::Dark)
}

fn in_theme(tab: &mut Tab<'_>, album: &Album, medium: Medium) -> Result<Verdict, String> {
    let is_dark = medium == Medium::Dark;
    let name = if is_dark { "dark.png" } else { "light.png" };
    tab.set_medium(medium)?;
    tab.point_away()?;
    let pictures = colors::panels(tab)?;
    album.keep(name, || tab.whole())?;
    tab.set_medium(Medium::Light)?;
    tab.settle()?;
    colors::verdict(tab, &pictures, is_dark)
}
