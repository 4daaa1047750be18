//! What a page has to do. Each check leaves the page as it was.

mod colors;
mod hostile;
mod hover;
mod landscape;
mod not_finite;
mod paint;
mod policy;
mod print;
mod ready;
mod silence;
mod themes;
mod turning;
mod water;
mod width;
mod words;

pub(super) use paint::paint;
pub(super) use ready::ready;

use super::album::Album;
use super::tab::Tab;
use super::verdict::Verdict;

/// An error is a problem after which nothing more can be said about the page.
type Run = fn(&mut Tab<'_>, &Album) -> Result<Verdict, String>;

/// A check and its name.
#[derive(Clone, Copy)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) run: Run,
}

impl Check {
    const fn new(name: &'static str, run: Run) -> Self {
        Self { name, run }
    }
}

/// On every page. The last ones look back at all that happened, and then provoke errors.
pub(super) const EVERY: &[Check] = &[
    Check::new("words", words::check),
    Check::new("light", themes::light),
    Check::new("dark", themes::dark),
    Check::new("drag", turning::drag),
    Check::new("keys", turning::keys),
    Check::new("water", water::floods),
    Check::new("narrow", width::check),
    Check::new("print", print::check),
    Check::new("silence", silence::check),
    Check::new("policy", policy::check),
];

/// For a landscape with several wells.
pub(super) const LAKES: Check = Check::new("lakes", water::divides);
/// For a page with a training run and its curves.
pub(super) const HOVER: Check = Check::new("hover", hover::check);
/// For a landscape with cells that are not finite.
pub(super) const NOT_FINITE: Check = Check::new("holes", not_finite::check);
/// For a page whose texts are programs.
pub(super) const HOSTILE: Check = Check::new("hostile", hostile::check);
