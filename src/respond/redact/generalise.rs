//! Values made coarse.
//!
//! A category and a value come in; a text that says less comes out, or none where the category
//! knows no coarser form or the value is not understood: then it is masked.

/// The coarse form of a value of this category. `scalar`: it has to be a JSON number.
pub(super) fn generalise(category: &str, value: &str, scalar: bool) -> Option<String> {
    let _ = (category, value, scalar);
    None
}
