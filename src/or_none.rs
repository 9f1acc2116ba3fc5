//! `OrNone`: an argument that can be missing.

/// A `T`, `None` or an `Option<T>`, by `Into<Option<T>>`.
///
/// The trait exists for its error message. That of `Into` lists implementations of other crates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither `{T}` nor `None`",
    label = "expected `{T}`, `None` or `Option<{T}>`",
    note = "a value needs no `Some`; `None` stands for C's -1 or null, and `Duration::from_millis(..)` for its milliseconds"
)]
pub trait OrNone<T>: Into<Option<T>> {}

#[diagnostic::do_not_recommend]
impl<T, V: Into<Option<T>>> OrNone<T> for V {}
