//! The attribute of tests that must end in time.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// `#[test]` with a deadline: runs the body of the function in `within_deadline` of `tests/common/mod.rs`.
///
/// `#[deadline::test(patches = [12, 1002])]` reports the test as skipped if the linked libzmq lacks one of these patches
/// (`libzmq-vendor/patches`).
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = function.into_iter().collect();
    let Some(TokenTree::Group(body)) = tokens.pop() else { panic!("a function has a body") };
    let body = Group::new(Delimiter::Brace, [skip(arguments), body.stream()].into_iter().collect());
    let mut call = parse("crate::common::within_deadline");
    call.extend([parenthesized(parse("||").into_iter().chain([body.into()]).collect())]);
    let mut test = parse("#[::core::prelude::v1::test]");
    test.extend(tokens);
    test.extend([TokenTree::from(Group::new(Delimiter::Brace, call))]);
    test
}

/// The statement that skips the test, or nothing without arguments.
fn skip(arguments: TokenStream) -> TokenStream {
    let arguments: Vec<TokenTree> = arguments.into_iter().collect();
    let [name, equals, TokenTree::Group(patches)] = &arguments[..] else {
        assert!(arguments.is_empty(), "the argument is `patches = [numbers]`");
        return TokenStream::new();
    };
    assert_eq!((name.to_string().as_str(), equals.to_string().as_str()), ("patches", "="));
    let mut skip = parse("if crate::common::skip_unless_patched");
    skip.extend([parenthesized(parse(&format!("&{patches}")))]);
    skip.extend(parse("{ return; }"));
    skip
}

fn parenthesized(tokens: TokenStream) -> TokenTree {
    Group::new(Delimiter::Parenthesis, tokens).into()
}

fn parse(source: &str) -> TokenStream {
    source.parse().expect("valid tokens")
}
