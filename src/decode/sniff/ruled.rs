//! Tables with a rule line below their header, as Markdown has them.

/// The first such table of a text.
pub(super) struct Ruled {
    /// Whether its header is the first line of the text, blank and ruled lines aside.
    pub(super) is_first: bool,
    /// Whether its header begins with `|`.
    pub(super) is_piped: bool,
}

/// The first table in `head` whose header stands right above a rule line of as many cells. A line
/// that the head cuts does not count: `whole` says that the last one is not cut.
pub(super) fn ruled_table(head: &[u8], whole: bool) -> Option<Ruled> {
    let complete = match memchr::memrchr(b'\n', head) {
        _ if whole => head,
        Some(end) => head.get(..end)?,
        None => return None,
    };
    memchr::memchr2(b'|', b'+', complete)?;
    let (mut above, mut lines): (&[u8], usize) = (b"", 0);
    let ends = memchr::memchr_iter(b'\n', complete).chain([complete.len()]);
    let mut start = 0;
    for end in ends {
        let line = complete.get(start..end).unwrap_or_default().trim_ascii();
        start = end + 1;
        let rule = rule_cells(line);
        if let Some(cells) = rule
            && cells_of(above) == cells
            && !is_ruled(above)
        {
            return Some(Ruled { is_first: lines == 1, is_piped: above.starts_with(b"|") });
        }
        lines += usize::from(!is_ruled(line));
        above = line;
    }
    None
}

/// How many cells a rule line has: dashes, with a colon before or behind them or not, and `|` or
/// `+` between them.
fn rule_cells(line: &[u8]) -> Option<usize> {
    let is_bar = |byte: &u8| matches!(byte, b'|' | b'+');
    if !is_ruled(line) || !line.iter().any(is_bar) {
        return None;
    }
    let inner = line.strip_prefix(b"|").or_else(|| line.strip_prefix(b"+")).unwrap_or(line);
    let inner = inner.strip_suffix(b"|").or_else(|| inner.strip_suffix(b"+")).unwrap_or(inner);
    inner.split(is_bar).try_fold(0, |cells, cell| {
        let cell = cell.trim_ascii();
        let cell = cell.strip_prefix(b":").unwrap_or(cell);
        let cell = cell.strip_suffix(b":").unwrap_or(cell);
        (!cell.is_empty() && cell.iter().all(|byte| *byte == b'-')).then_some(cells + 1)
    })
}

/// Whether a line holds nothing but what rule lines are made of; also an empty one.
fn is_ruled(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'-' | b':' | b'+' | b'|'))
}

/// How many cells a line has; none where it has no `|` that delimits.
fn cells_of(line: &[u8]) -> usize {
    let inner = line.strip_prefix(b"|").unwrap_or(line);
    let (mut bars, mut is_escaped, mut ends) = (0, false, false);
    for byte in inner {
        ends = *byte == b'|' && !is_escaped;
        bars += usize::from(ends);
        is_escaped = *byte == b'\\' && !is_escaped;
    }
    match inner.len() == line.len() && bars == 0 {
        true => 0,
        false => bars + usize::from(!ends),
    }
}
