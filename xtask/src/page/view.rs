//! How a tab is seen: its size, its theme, pictures of it, and its print.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::picture::Picture;
use super::tab::{Tab, text};

/// A box in the page, in pixels from the upper left corner of its first line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What the reader prefers, or holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Medium {
    Light,
    Dark,
    Paper,
}

impl Tab<'_> {
    pub(super) fn set_window(&mut self, [width, height]: [u32; 2]) -> Result<(), String> {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .map(drop)
    }

    pub(super) fn set_medium(&mut self, medium: Medium) -> Result<(), String> {
        let (kind, scheme) = match medium {
            Medium::Light => ("", "light"),
            Medium::Dark => ("", "dark"),
            Medium::Paper => ("print", "light"),
        };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let media = json!({ "media": kind, "features": [feature] });
        self.call("Emulation.setEmulatedMedia", media).map(drop)
    }

    /// The boxes of all elements that match a selector and are shown.
    pub(super) fn areas(&mut self, selector: &str) -> Result<Vec<Area>, String> {
        let boxes = self.evaluate(&format!(
            "[...document.querySelectorAll({})].map((node) => node.getBoundingClientRect())
                .filter((box) => box.width > 0 && box.height > 0)
                .map((box) => [box.x + scrollX, box.y + scrollY, box.width, box.height])",
            json!(selector)
        ))?;
        let boxes = boxes.as_array().map_or(&[][..], Vec::as_slice);
        Ok(boxes.iter().filter_map(Area::parse).collect())
    }

    /// The box of the first of these elements.
    pub(super) fn area(&mut self, selector: &str) -> Result<Option<Area>, String> {
        Ok(self.areas(selector)?.first().copied())
    }

    /// A picture of a part of the page as a PNG.
    pub(super) fn screenshot(&mut self, area: Area) -> Result<Vec<u8>, String> {
        let [x, y] = [area.x.ceil(), area.y.ceil()];
        let clip = json!({
            "x": x, "y": y, "width": (area.x + area.width).floor() - x,
            "height": (area.y + area.height).floor() - y, "scale": 1,
        });
        let params = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true });
        let answer = self.call("Page.captureScreenshot", params)?;
        from_base64(&text(&answer["data"]))
    }

    pub(super) fn picture(&mut self, area: Area) -> Result<Picture, String> {
        Picture::decode(&self.screenshot(area)?)
    }

    /// What a canvas holds. Unlike a screenshot, this leaves the window as it is, and so the mouse where it points at.
    pub(super) fn canvas(&mut self, selector: &str) -> Result<Picture, String> {
        let url = self.evaluate(&format!(
            "document.querySelector({}).toDataURL('image/png')",
            json!(selector)
        ))?;
        let data = url.as_str().and_then(|url| url.split_once(','));
        let (_, data) = data.ok_or("the canvas has no picture")?;
        Picture::decode(&from_base64(data)?)
    }

    /// All of the page as a PNG.
    pub(super) fn whole(&mut self) -> Result<Vec<u8>, String> {
        let whole = self.area("html")?.ok_or("the page has no size")?;
        self.screenshot(whole)
    }

    pub(super) fn print(&mut self) -> Result<Vec<u8>, String> {
        let params = json!({ "preferCSSPageSize": true, "printBackground": true, "generateTaggedPDF": true, "generateDocumentOutline": true });
        let answer = self.call("Page.printToPDF", params)?;
        from_base64(&text(&answer["data"]))
    }
}

impl Area {
    fn parse(value: &Value) -> Option<Self> {
        let numbers = value.as_array()?.iter().map(Value::as_f64);
        let numbers = numbers.collect::<Option<Vec<f64>>>()?;
        let [x, y, width, height] = numbers[..] else {
            return None;
        };
        Some(Self {
            x,
            y,
            width,
            height,
        })
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    BASE64
        .decode(text.as_bytes())
        .map_err(|error| format!("the browser sent a broken file: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_has_four_numbers() {
        let area = Area::parse(&json!([1, 2.5, 3, 4])).unwrap();
        assert_eq!(
            [area.x, area.y, area.width, area.height],
            [1.0, 2.5, 3.0, 4.0]
        );
        assert_eq!(Area::parse(&json!([1, 2, 3])), None);
        assert_eq!(Area::parse(&json!([1, 2, 3, null])), None);
    }

    #[test]
    fn files_come_as_base64() {
        assert_eq!(from_base64("UERG").unwrap(), b"PDF");
        assert!(from_base64("?").is_err());
    }
}
