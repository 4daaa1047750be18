//! What the browser prints. Chromium leaves all but the contents of pages uncompressed.

/// A printed document.
pub(super) struct Pdf(String);

/// An entry of the table of contents.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bookmark {
    /// As in the file: `(text)`, or in hexadecimal digits.
    pub(super) title: String,
    /// The object of the page that it leads to.
    pub(super) page: u32,
    object: u32,
    parent: u32,
}

impl Pdf {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn num_pages(&self) -> usize {
        let ends = self.0.split("/Type /Page").skip(1);
        // Not the list of all pages.
        ends.filter(|end| !end.starts_with(|next: char| next.is_alphanumeric()))
            .count()
    }

    /// Width and height of the first page in millimeters.
    pub(super) fn size(&self) -> Option<[f64; 2]> {
        let (_, start) = self.0.split_once("/MediaBox [")?;
        let (numbers, _) = start.split_once(']')?;
        let numbers = numbers.split_whitespace().map(str::parse);
        let numbers: Vec<f64> = numbers.collect::<Result<_, _>>().ok()?;
        let [left, bottom, right, top] = numbers[..] else {
            return None;
        };
        let millimeters = |points: f64| points / 72.0 * 25.4;
        Some([millimeters(right - left), millimeters(top - bottom)])
    }

    /// The headings of the document.
    pub(super) fn bookmarks(&self) -> Vec<Bookmark> {
        self.0.split("endobj").filter_map(Bookmark::parse).collect()
    }
}

impl Bookmark {
    fn parse(object: &str) -> Option<Self> {
        let (head, entries) = object.split_once(" 0 obj\n<</Title ")?;
        // A title may contain anything, but only one line is the last that starts like this.
        let (title, target) = entries.rsplit_once("\n/Dest [")?;
        let (_, parent) = target.split_once("/Parent ")?;
        let number = |text: &str| text.split_whitespace().next()?.parse().ok();
        Some(Self {
            title: title.to_string(),
            page: number(target)?,
            object: head.trim().parse().ok()?,
            parent: number(parent)?,
        })
    }

    /// The heading above, if there is one.
    pub(super) fn above<'a>(&self, all: &'a [Self]) -> Option<&'a Self> {
        all.iter().find(|other| other.object == self.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PDF: &[u8] = b"%PDF-1.4\n%\xd3\xeb\n1 0 obj\n<</Title (Report)\n/Creator (C)>>\nendobj\n\
        2 0 obj\n<</Type /Page\n/MediaBox [0 0 594.96 841.92]>>\nendobj\n\
        3 0 obj\n<</Type /Page /Parent 4 0 R>>\nendobj\n4 0 obj\n<</Type /Pages\n/Count 2>>\nendobj\n\
        6 0 obj\n<</Title (b)\n/Dest [3 0 R /XYZ 52.8 157.4 0]\n/Parent 5 0 R\n/SE 118 0 R>>\nendobj\n\
        5 0 obj\n<</Title (a)\n/Dest [2 0 R /XYZ 41 582 0]\n/Parent 9 0 R\n/First 6 0 R>>\nendobj\n";

    #[test]
    fn pages_are_counted_and_not_their_list() {
        assert_eq!(Pdf::new(PDF).num_pages(), 2);
        assert_eq!(Pdf::new(b"").num_pages(), 0);
    }

    #[test]
    fn the_size_is_in_millimeters() {
        let [width, height] = Pdf::new(PDF).size().unwrap();
        assert!((width - 210.0).abs() < 0.5 && (height - 297.0).abs() < 0.5);
        assert_eq!(Pdf::new(b"/MediaBox [0 0 1]").size(), None);
    }

    #[test]
    fn bookmarks_lead_to_pages_and_know_the_heading_above() {
        let bookmarks = Pdf::new(PDF).bookmarks();
        let places: Vec<(&str, u32)> = bookmarks
            .iter()
            .map(|it| (it.title.as_str(), it.page))
            .collect();
        assert_eq!(places, [("(b)", 3), ("(a)", 2)]);
        assert_eq!(bookmarks[0].above(&bookmarks), Some(&bookmarks[1]));
        assert_eq!(bookmarks[1].above(&bookmarks), None);
    }
}
