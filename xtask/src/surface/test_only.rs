//! Detects test-only code.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether one of the attributes is `#[cfg(test)]`, `#[cfg(doctest)]`, or `#[cfg(all(test, …))]`.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| is_test_cfg(&attribute.meta))
}

/// The same for the content of an attribute.
pub(super) fn is_test_cfg(meta: &Meta) -> bool {
    match meta {
        Meta::List(list) if list.path.is_ident("cfg") => list
            .parse_args()
            .is_ok_and(|condition| needs_test(&condition)),
        _ => false,
    }
}

fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("doctest"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(needs_test)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_a_test_build_is_test_only() {
        let is = |meta: &str| is_test_cfg(&syn::parse_str(meta).unwrap());
        assert!(is("cfg(test)"));
        assert!(is("cfg(doctest)"));
        assert!(is("cfg(all(feature = \"train\", test))"));
        assert!(!is("cfg(feature = \"train\")"));
        assert!(!is("cfg(not(test))"));
        assert!(!is("cfg(any(test, feature = \"train\"))"));
        assert!(!is("test"));
    }
}
