//! Counts lines of code, without blank lines, comments and tests.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::test_only::is_test_cfg;

/// The number of lines of `text` with a token of code that is not test-only.
pub(super) fn count(text: &str) -> Result<usize, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
    let mut lines = BTreeSet::new();
    collect(tokens, &mut lines);
    // The parser converts doc comments to attributes.
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    let texts = (1..).zip(text.lines());
    let code = texts.filter(|(line, text)| lines.contains(line) && !is_comment(text));
    Ok(code.count())
}

fn collect(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_hash(&token)
            && let Some(TokenTree::Group(attribute)) = tokens.peek()
            && is_test_attribute(attribute)
        {
            skip_item(&mut tokens);
            continue;
        }
        match token {
            TokenTree::Group(group) => {
                lines.insert(group.span_open().start().line);
                lines.insert(group.span_close().end().line);
                collect(group.stream(), lines);
            }
            token => lines.extend(token.span().start().line..=token.span().end().line),
        }
    }
}

fn is_hash(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#')
}

fn is_test_attribute(group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket
        && syn::parse2(group.stream()).is_ok_and(|meta| is_test_cfg(&meta))
}

/// An item ends with a semicolon, a block, or both (`use a::{b, c};`).
fn skip_item(tokens: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) {
    let is_semicolon =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    for token in tokens.by_ref() {
        if is_semicolon(&token) {
            return;
        }
        if matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace) {
            break;
        }
    }
    tokens.next_if(is_semicolon);
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn blank_lines_and_comments_are_no_code() {
        let text = "//! A module.\n\nuse a::b; // why\n\n/// A struct.\n#[derive(Debug)]\n\
                    struct S {\n    // A comment.\n    x: f64,\n    /* Another. */\n}\n";
        assert_eq!(count(text), Ok(5));
    }

    #[test]
    fn every_line_of_an_expression_counts() {
        let text =
            "const A: &str = \"one\ntwo\n\nfour\";\nfn f() {\n    g(\n        1,\n    );\n}\n";
        assert_eq!(count(text), Ok(9));
    }

    #[test]
    fn what_is_compiled_for_tests_alone_is_left_out() {
        for tests in [
            "#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n",
            "#[cfg(test)]\n#[allow(unused)]\nmod tests;\n",
            "#[cfg(test)]\nuse a::{b, c};\n",
            "#[cfg(test)]\npub(crate) fn f<A, B>(a: A) -> [B; 2] {\n    [a; 2]\n}\n",
        ] {
            let text = format!("fn before() {{}}\n{tests}fn after() {{}}\n");
            assert_eq!(count(&text), Ok(2), "{tests}");
        }
        let method = "impl S {\n    #[cfg(test)]\n    fn f(&self) {\n    }\n    fn g() {}\n}\n";
        assert_eq!(count(method), Ok(3));
    }

    #[test]
    fn features_are_code() {
        assert_eq!(count("#[cfg(feature = \"train\")]\nmod learner;\n"), Ok(2));
    }
}
