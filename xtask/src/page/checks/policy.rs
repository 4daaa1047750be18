//! The Content-Security-Policy refuses what would load or evaluate something.

use serde_json::json;

use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// The directives that refuse something. Nothing listens on this port.
const SCRIPT: &str = "new Promise((done) => {
    const refused = new Set();
    addEventListener('securitypolicyviolation', (event) => {
        refused.add(event.effectiveDirective);
        if (refused.size === 4) done([...refused]);
    });
    const url = 'http://127.0.0.1:9/';
    fetch(url).catch(() => {});
    new Image().src = url;
    for (const [tag, name] of [['script', 'src'], ['iframe', 'src']]) {
        const node = document.createElement(tag);
        node[name] = url;
        document.head.append(node);
    }
    setTimeout(() => done([...refused]), 5000);
})";

const EXPECTED: [&str; 4] = ["connect-src", "frame-src", "img-src", "script-src-elem"];

pub(super) fn check(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    let found = tab.evaluate(SCRIPT)?;
    let found = found.as_array().map_or(&[][..], Vec::as_slice);
    let open: Vec<&str> = EXPECTED
        .into_iter()
        .filter(|directive| !found.iter().any(|it| it == directive))
        .collect();
    if !open.is_empty() {
        return Ok(Verdict::Failed(format!(
            "nothing refuses {}",
            open.join(", ")
        )));
    }
    let params = json!({ "expression": "eval('1')", "allowUnsafeEvalBlockedByCSP": false });
    let answer = tab.call("Runtime.evaluate", params)?;
    Ok(if answer["exceptionDetails"].is_null() {
        Verdict::Failed("nothing refuses eval".into())
    } else {
        Verdict::Passed(
            "refuses requests, frames, scripts and pictures from elsewhere, and eval".into(),
        )
    })
}
