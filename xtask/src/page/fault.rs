//! What a page must not do: fail, complain, ask for anything, or open dialogs.

use serde_json::Value;

use super::devtools::Event;

/// What is wrong about an event of the page at `page`, if anything is.
pub(super) fn fault(event: &Event, page: &str) -> Option<String> {
    let params = &event.params;
    match event.method.as_str() {
        "Runtime.exceptionThrown" => Some(format!("error: {}", exception(params))),
        "Runtime.consoleAPICalled" => {
            let kind = params["type"].as_str().unwrap_or_default();
            matches!(kind, "error" | "assert")
                .then(|| format!("console.{kind}: {}", arguments(params)))
        }
        "Log.entryAdded" => {
            let entry = &params["entry"];
            (entry["level"] == "error").then(|| format!("log: {}", text(&entry["text"])))
        }
        "Network.requestWillBeSent" => {
            let url = text(&params["request"]["url"]);
            (!is_own(url, page)).then(|| format!("request: {}", shortened(url)))
        }
        "Network.webSocketCreated" => Some(format!("request: {}", text(&params["url"]))),
        "Page.javascriptDialogOpening" => Some(format!("dialog: {}", text(&params["message"]))),
        "Page.windowOpen" => Some(format!("window: {}", text(&params["url"]))),
        _ => None,
    }
}

/// The page itself, and what it contains.
fn is_own(url: &str, page: &str) -> bool {
    let without_fragment = |url: &str| url.split('#').next().unwrap_or_default().to_string();
    url.starts_with("data:") || without_fragment(url) == without_fragment(page)
}

fn exception(params: &Value) -> String {
    let details = &params["exceptionDetails"];
    let message = match details["exception"]["description"].as_str() {
        Some(description) => description,
        None => text(&details["text"]),
    };
    let line = details["lineNumber"].as_u64().map_or(0, |line| line + 1);
    format!("{} (line {line})", shortened(message))
}

fn arguments(params: &Value) -> String {
    let list = params["args"].as_array().map_or(&[][..], Vec::as_slice);
    let texts: Vec<String> = list
        .iter()
        .map(|argument| match argument["description"].as_str() {
            Some(description) => description.to_string(),
            None => argument["value"].to_string(),
        })
        .collect();
    shortened(&texts.join(" "))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The first line, not longer than a line of a terminal.
pub(super) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGE: &str = "file:///a/page.html";

    fn of(method: &str, params: Value) -> Option<String> {
        let event = Event {
            session: "S".into(),
            method: method.into(),
            params,
        };
        fault(&event, PAGE)
    }

    fn request(url: &str) -> Option<String> {
        of(
            "Network.requestWillBeSent",
            json!({ "request": { "url": url } }),
        )
    }

    #[test]
    fn a_page_may_ask_for_itself_only() {
        assert_eq!(request(PAGE), None);
        assert_eq!(request("file:///a/page.html#panel-1"), None);
        assert_eq!(request("data:text/csv,a"), None);
        for url in [
            "https://example.org/",
            "file:///etc/passwd",
            "file:///a/page.html/b",
            "//a",
        ] {
            assert_eq!(request(url), Some(format!("request: {url}")));
        }
    }

    #[test]
    fn errors_are_told_with_their_place_and_warnings_are_not() {
        let details = json!({ "exceptionDetails": {
            "text": "Uncaught", "lineNumber": 6, "exception": { "description": "TypeError: x\n at y" },
        } });
        assert_eq!(
            of("Runtime.exceptionThrown", details).unwrap(),
            "error: TypeError: x… (line 7)"
        );
        let console =
            |kind: &str| json!({ "type": kind, "args": [{ "value": "a" }, { "value": 1 }] });
        assert_eq!(
            of("Runtime.consoleAPICalled", console("error")).unwrap(),
            "console.error: \"a\" 1"
        );
        assert_eq!(of("Runtime.consoleAPICalled", console("log")), None);
        let entry = |level: &str| json!({ "entry": { "level": level, "text": "refused" } });
        assert_eq!(
            of("Log.entryAdded", entry("error")).unwrap(),
            "log: refused"
        );
        assert_eq!(of("Log.entryAdded", entry("warning")), None);
    }

    #[test]
    fn dialogs_are_faults() {
        let dialog = json!({ "message": "1", "type": "alert" });
        assert_eq!(
            of("Page.javascriptDialogOpening", dialog).unwrap(),
            "dialog: 1"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        let short = shortened(&"é".repeat(10_000));
        assert_eq!(short.chars().count(), 121);
    }
}
