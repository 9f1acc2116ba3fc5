//! The attribute of tests that must end in time.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// `#[test]` with a deadline: runs the body of the function in `within_deadline` of `tests/common/mod.rs`.
#[proc_macro_attribute]
pub fn test(_arguments: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = function.into_iter().collect();
    let body = tokens.pop().expect("a function has a body");
    let mut call: TokenStream = "crate::common::within_deadline".parse().expect("a path");
    let mut closure: TokenStream = "||".parse().expect("a closure without parameters");
    closure.extend([body]);
    call.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, closure))]);
    let mut test: TokenStream = "#[::core::prelude::v1::test]".parse().expect("an attribute");
    test.extend(tokens);
    test.extend([TokenTree::from(Group::new(Delimiter::Brace, call))]);
    test
}
