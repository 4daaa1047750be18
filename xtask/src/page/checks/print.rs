//! On A4, all panels are printed and none is cut.

use crate::page::album::Album;
use crate::page::fault::shortened;
use crate::page::pdf::{Bookmark, Pdf};
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;
use crate::page::view::Medium;

/// The heading at the end of each panel, as a PDF writes it.
const END: &str = "(What this cannot tell you)";
/// As many panels are more than a page.
const MANY: usize = 4;
/// Panels that end with the heading, and those of them that may be cut.
const SCRIPT: &str = "(() => {
    const panels = [...document.querySelectorAll('.panel:has(.cannot)')];
    const cut = panels.filter((panel) => getComputedStyle(panel).breakInside !== 'avoid');
    return [panels.length, cut.map((panel) => panel.id)];
})()";

pub(super) fn check(tab: &mut Tab<'_>, album: &Album) -> Result<Verdict, String> {
    tab.set_medium(Medium::Paper)?;
    let panels = tab.evaluate(SCRIPT)?;
    tab.set_medium(Medium::Light)?;
    let printed = tab.print()?;
    album.keep("print.pdf", || Ok(printed.clone()))?;
    tab.settle()?;
    if let Some(id) = panels[1][0].as_str() {
        return Ok(Verdict::Failed(format!(
            "{id} has no `break-inside: avoid`"
        )));
    }
    let expected = panels[0].as_u64().unwrap_or_default();
    Ok(verdict(&Pdf::new(&printed), expected as usize))
}

fn verdict(pdf: &Pdf, expected: usize) -> Verdict {
    let [width, height] = pdf.size().unwrap_or_default();
    if (width - 210.0).abs() > 1.0 || (height - 297.0).abs() > 1.0 {
        return Verdict::Failed(format!("the paper has {width:.0} × {height:.0} mm, not A4"));
    }
    let all = pdf.bookmarks();
    let ends: Vec<&Bookmark> = all.iter().filter(|it| it.title == END).collect();
    if ends.len() != expected {
        return Verdict::Failed(format!("{} of {expected} panels are printed", ends.len()));
    }
    let is_cut = |end: &&&Bookmark| end.above(&all).is_none_or(|start| start.page != end.page);
    if let Some(end) = ends.iter().find(is_cut) {
        let title = end.above(&all).map_or("a panel", |start| &start.title);
        return Verdict::Failed(format!("cut between two pages: {}", shortened(title)));
    }
    let num_pages = pdf.num_pages();
    Verdict::of(
        num_pages > usize::from(expected >= MANY),
        format!("{expected} whole panels on {num_pages} pages of A4"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two panels. The first starts on the page 2.
    fn printed(pages: [u32; 3]) -> Pdf {
        let item = |object: u32, title: &str, page: u32, parent: u32| {
            format!(
                "{object} 0 obj\n<</Title {title}\n/Dest [{page} 0 R /XYZ 1 1 0]\n/Parent {parent} 0 R>>\nendobj\n"
            )
        };
        let pages = [
            "1 0 obj\n<</Type /Page\n/MediaBox [0 0 595 842]>>\nendobj\n",
            &item(6, END, pages[0], 5),
            &item(5, "(A)", 2, 4),
            &item(8, END, pages[1], 7),
            &item(7, "(B)", pages[2], 4),
        ];
        Pdf::new(pages.concat().as_bytes())
    }

    fn passes(pages: [u32; 3], expected: usize) -> bool {
        matches!(verdict(&printed(pages), expected), Verdict::Passed(_))
    }

    #[test]
    fn panels_pass_if_they_end_on_the_page_where_they_start() {
        assert!(passes([2, 3, 3], 2));
        assert!(!passes([3, 3, 3], 2));
        assert!(!passes([2, 3, 2], 2));
    }

    #[test]
    fn a_panel_that_is_not_printed_is_missed() {
        assert!(!passes([2, 3, 3], 3));
    }
}
