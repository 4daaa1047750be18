//! Texts that are programs are shown as texts.

use serde_json::Value;

use crate::page::album::Album;
use crate::page::tab::Tab;
use crate::page::verdict::Verdict;

/// What must not be there, and what must. The texts of the page set `hostile` if one runs.
const SCRIPT: &str = "(() => {
    const titles = [...document.querySelectorAll('h2')].map((node) => node.textContent);
    const title = document.querySelector('h1');
    const has = (text) => titles.some((it) => it.includes(text));
    return {
        'a script of a text ran': 'hostile' in window,
        'a text became an element': document.querySelectorAll('img, iframe, object, base, h2 *:not(.number)').length > 0,
        'a script too many or too few': document.querySelectorAll('script').length !== 4,
        'no title shows the end of a script': !has('</scr' + 'ipt>'),
        'no title shows quotes': !has('\"') || !has(\"'\") || !has('`'),
        'no title shows an entity': !has('&amp;'),
        'no title goes from right to left': !has('\\u05e9\\u05dc\\u05d5\\u05dd'),
        'a long title is lost': !(title.textContent.length >= 10000 && title.title.length >= 10000),
        'a long title takes more than a few lines': title.getBoundingClientRect().height > 200,
    };
})()";

pub(super) fn check(tab: &mut Tab<'_>, _: &Album) -> Result<Verdict, String> {
    let found = tab.evaluate(SCRIPT)?;
    let claims = found
        .as_object()
        .ok_or("the script of the check says nothing")?;
    let wrong: Vec<&str> = claims
        .iter()
        .filter(|(_, is_so)| **is_so != Value::Bool(false))
        .map(|(claim, _)| claim.as_str())
        .collect();
    Ok(if wrong.is_empty() {
        Verdict::Passed("all texts are text".into())
    } else {
        Verdict::Failed(wrong.join("; "))
    })
}
