//! A tab with a page, and questions to it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::devtools::DevTools;
use super::fault::fault;
use super::view::Medium;

/// The size of the window of a desk.
pub(super) const WINDOW: [u32; 2] = [1280, 900];
/// How long a page may take to draw itself.
const READY: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(40);

/// An open page.
pub(super) struct Tab<'a> {
    devtools: &'a mut DevTools,
    target: String,
    session: String,
    url: String,
    faults: Vec<String>,
}

impl<'a> Tab<'a> {
    /// Opens a file in a new tab.
    pub(super) fn open(devtools: &'a mut DevTools, file: &Path) -> Result<Self, String> {
        let target = devtools.call("", "Target.createTarget", json!({ "url": "about:blank" }))?;
        let target = text(&target["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let session = devtools.call("", "Target.attachToTarget", attach)?;
        let mut tab = Self {
            devtools,
            target,
            session: text(&session["sessionId"]),
            url: file_url(file),
            faults: Vec::new(),
        };
        for domain in ["Page", "Runtime", "Network", "Log", "Inspector"] {
            tab.call(&format!("{domain}.enable"), json!({}))?;
        }
        tab.set_window(WINDOW)?;
        tab.set_medium(Medium::Light)?;
        tab.call(
            "Emulation.setFocusEmulationEnabled",
            json!({ "enabled": true }),
        )?;
        let opened = tab.call("Page.navigate", json!({ "url": tab.url }))?;
        if let Some(error) = opened["errorText"].as_str() {
            return Err(format!("cannot open {}: {error}", tab.url));
        }
        Ok(tab)
    }

    /// Waits until the page says that it has drawn itself, and returns whether it did.
    pub(super) fn becomes_ready(&mut self) -> Result<bool, String> {
        self.wait_for("document.documentElement?.dataset.ready === '1'", READY)
    }

    pub(super) fn close(self) -> Result<(), String> {
        let target = json!({ "targetId": self.target });
        self.devtools
            .call("", "Target.closeTarget", target)
            .map(drop)
    }

    /// Sends a command to the tab.
    pub(super) fn call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.devtools.call(&self.session, method, params)
    }

    /// The value of an expression in the page. Promises are awaited.
    pub(super) fn evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let mut answer = self.call("Runtime.evaluate", params)?;
        let details = &answer["exceptionDetails"];
        if !details.is_null() {
            let what = details["exception"]["description"].as_str();
            let what = what.unwrap_or("an exception that is no error");
            return Err(format!("`{}` throws {what}", expression.trim()));
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true, and returns whether it became so.
    pub(super) fn wait_for(&mut self, condition: &str, limit: Duration) -> Result<bool, String> {
        let end = Instant::now() + limit;
        loop {
            if self.evaluate(condition)? == true {
                return Ok(true);
            }
            if Instant::now() > end {
                return Ok(false);
            }
            sleep(PAUSE);
        }
    }

    /// Waits until the page has drawn what it was asked to draw.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        // The page draws once a frame; the second frame comes after that.
        let frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => \
            setTimeout(() => done(true)))))";
        self.evaluate(frames).map(drop)
    }

    /// What the page did wrong until now.
    pub(super) fn faults(&mut self) -> Result<&[String], String> {
        // Events come before the answer.
        self.evaluate("1")?;
        let events = self.devtools.take_events(&self.session);
        let faults = events.iter().filter_map(|event| fault(event, &self.url));
        self.faults.extend(faults);
        Ok(&self.faults)
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// The address of a file.
fn file_url(file: &Path) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let path = file.to_string_lossy();
    let escaped = path.bytes().map(|byte| {
        if is_plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    format!("file://{}", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_addresses() {
        assert_eq!(
            file_url(Path::new("/a b/é#1?.html")),
            "file:///a%20b/%C3%A9%231%3F.html"
        );
    }
}
