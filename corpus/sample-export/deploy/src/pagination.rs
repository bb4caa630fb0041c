//! Cuts a list into pages.

/// The items of page `number`, counted from 1, with `size` items each.
pub fn page<T>(items: &[T], number: usize, size: usize) -> &[T] {
    let start = number.saturating_sub(1).saturating_mul(size).min(items.len());
    let end = start.saturating_add(size).min(items.len());
    &items[start..end]
}

#[test]
fn the_last_page_is_short() {
    let items: Vec<u32> = (0..25).collect();
    assert_eq!(page(&items, 3, 10), [20, 21, 22, 23, 24]);
    assert!(page(&items, 4, 10).is_empty());
}
