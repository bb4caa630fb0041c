//! The Hyperscan kernel: keywords as caseless literals, found by the C library `libhs`, and sets of
//! patterns.
//!
//! A thin layer over the raw interface. The library says where a match ends and never where it
//! starts. A keyword has one length, so its start is the end less that, and its bytes are compared
//! here; of a pattern the ends are all that is said. A tile is one block, far below the 4 GiB that a
//! block's length can state; longer ones are refused.

use std::ffi::{CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;
use std::sync::Arc;

use hyperscan_sys as hs;

use super::keywords::KeywordTable;
use super::tile::Tile;
use super::{AnchorKind, LOOK_AHEAD, pack};

/// What the library's calls return where all went well.
const SUCCESS: hs::hs_error_t = hs::HS_SUCCESS as hs::hs_error_t;

/// Whether the library runs on this CPU.
pub fn is_available() -> bool {
    // SAFETY: the call takes nothing and asks the CPU for its features.
    unsafe { hs::hs_valid_platform() == SUCCESS }
}

/// The keywords as the library has compiled them; identifiers are their positions in the table.
/// Where there are no keywords there is no database, since the library refuses an empty one.
#[derive(Debug)]
pub struct Literals {
    database: Option<Arc<Database>>,
}

impl Literals {
    /// Compiles the keywords; none where the library does not run here, or cannot.
    pub fn new(keywords: &KeywordTable) -> Option<Literals> {
        if !is_available() {
            return None;
        }
        if keywords.is_empty() {
            return Some(Literals { database: None });
        }
        let database = Some(Arc::new(Database::compile(keywords)?));
        Some(Literals { database })
    }

    /// Appends the keywords that begin in the tile. False where the library failed: then some may
    /// be missing, and others appended.
    pub fn keywords(
        &self,
        tile: &Tile,
        table: &KeywordTable,
        room: &mut Room,
        found: &mut Vec<u64>,
    ) -> bool {
        let Some(database) = &self.database else { return true };
        let end = (tile.len() + LOOK_AHEAD).min(tile.text_end());
        let text = &tile.buffer()[Tile::ORIGIN..Tile::ORIGIN + end];
        if !room.scan(database, text) {
            return false;
        }
        for End { keyword, at } in room.ends.iter().copied() {
            let Some(bytes) = table.get(keyword) else { return false };
            let Some(start) = at.checked_sub(bytes.len()) else { return false };
            let is_keyword = text.get(start..at).is_some_and(|it| it.eq_ignore_ascii_case(bytes));
            if is_keyword && start < tile.len() {
                found.push(pack(start, AnchorKind::keyword(keyword)));
            }
        }
        true
    }
}

/// Patterns that are looked for together.
#[derive(Debug)]
pub struct Patterns {
    database: Arc<Database>,
    is_taken: Vec<bool>,
}

impl Patterns {
    /// Compiles patterns in the library's syntax; identifiers are their positions. What it does not
    /// take is left out. None where it takes none, or not those together that it takes alone.
    pub fn new(patterns: &[String]) -> Option<Patterns> {
        if !is_available() {
            return None;
        }
        let alone = |pattern: &String| Database::of_patterns([(0, pattern.as_str())]).is_some();
        let is_taken: Vec<bool> = patterns.iter().map(alone).collect();
        let numbered = patterns.iter().map(String::as_str).enumerate();
        let taken = numbered.zip(&is_taken).filter(|(_, is_taken)| **is_taken);
        let database = Arc::new(Database::of_patterns(taken.map(|(pattern, _)| pattern))?);
        Some(Patterns { database, is_taken })
    }

    /// Whether the library took the pattern at a position.
    pub fn has(&self, position: usize) -> bool {
        self.is_taken.get(position).is_some_and(|is_taken| *is_taken)
    }

    /// Tells `end` the position of a pattern and where a match of it ends, for all matches in the
    /// text, in no order and perhaps more than once, until it answers false. False where it did, or
    /// where the library failed: then some were not told. `end` must not panic.
    pub fn ends(
        &self,
        text: &[u8],
        room: &mut Room,
        mut end: impl FnMut(usize, usize) -> bool,
    ) -> bool {
        room.scan_with(&self.database, text, &mut end)
    }
}

/// A compiled database. INVARIANT: what the library gave out, or null, which its calls refuse.
#[derive(Debug)]
struct Database(*mut hs::hs_database_t);

// SAFETY: a database is not changed after it was compiled, and the library's documentation lets any
// number of threads scan with one, each with a scratch of its own.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Database {
    fn compile(keywords: &KeywordTable) -> Option<Database> {
        // The interface wants texts that end with NUL, and takes their lengths all the same.
        let texts: Vec<Vec<u8>> =
            keywords.iter().map(|keyword| [keyword, b"\0"].concat()).collect();
        let pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr().cast()).collect();
        let lengths: Vec<usize> = keywords.iter().map(<[u8]>::len).collect();
        let flags: Vec<c_uint> = vec![hs::HS_FLAG_CASELESS; texts.len()];
        let count = c_uint::try_from(texts.len()).ok()?;
        let numbers: Vec<c_uint> = (0..count).collect();
        let (mut database, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the four arrays have `count` elements, each text is as long as its length says,
        // and all of them outlive the call; null asks for a database for this CPU; the last two
        // are places to write a pointer to.
        let code = unsafe {
            hs::hs_compile_lit_multi(
                pointers.as_ptr(),
                flags.as_ptr(),
                numbers.as_ptr(),
                lengths.as_ptr(),
                count,
                hs::HS_MODE_BLOCK,
                ptr::null(),
                &mut database,
                &mut error,
            )
        };
        // SAFETY: what the call has written.
        unsafe { Database::of_call(code, database, error) }
    }

    /// Patterns with their identifiers; none where there is no pattern, or one that is not taken.
    fn of_patterns<'a>(patterns: impl IntoIterator<Item = (usize, &'a str)>) -> Option<Database> {
        let (numbers, patterns): (Vec<usize>, Vec<&str>) = patterns.into_iter().unzip();
        let texts: Vec<CString> =
            patterns.into_iter().map(CString::new).collect::<Result<_, _>>().ok()?;
        let numbers: Vec<c_uint> =
            numbers.into_iter().map(c_uint::try_from).collect::<Result<_, _>>().ok()?;
        let pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let count = c_uint::try_from(texts.len()).ok()?;
        let (mut database, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the arrays have `count` elements, each text ends with NUL, and all of them outlive
        // the call; null stands for no flags, and for a database for this CPU; the last two are
        // places to write a pointer to.
        let code = unsafe {
            hs::hs_compile_multi(
                pointers.as_ptr(),
                ptr::null(),
                numbers.as_ptr(),
                count,
                hs::HS_MODE_BLOCK,
                ptr::null(),
                &mut database,
                &mut error,
            )
        };
        // SAFETY: what the call has written.
        unsafe { Database::of_call(code, database, error) }
    }

    /// What a call that compiles has made of a database.
    ///
    /// # Safety
    ///
    /// Both pointers are null, or the call has written them and nobody else holds them.
    unsafe fn of_call(
        code: c_int,
        database: *mut hs::hs_database_t,
        error: *mut hs::hs_compile_error_t,
    ) -> Option<Database> {
        // SAFETY: as the caller promises; null is taken, too.
        unsafe { hs::hs_free_compile_error(error) };
        let database = Database(database);
        (code == SUCCESS && !database.0.is_null()).then_some(database)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: null, or a database that the library has made; a scan holds a reference to this
        // value, so none is under way.
        unsafe { hs::hs_free_database(self.0) };
    }
}

/// Where a keyword ends in the text that was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    keyword: usize,
    at: usize,
}

/// Room for one worker. INVARIANT: `scratch` is null, or what the library gave out and large enough
/// for the database in `made_for`, which is kept so that no other can take its place in memory.
#[derive(Debug)]
pub struct Room {
    scratch: *mut hs::hs_scratch_t,
    made_for: Option<Arc<Database>>,
    ends: Vec<End>,
}

// SAFETY: a scratch is memory that is bound to no thread, and only `&mut self` reaches it.
unsafe impl Send for Room {}
// SAFETY: nothing can be done with it by a shared reference.
unsafe impl Sync for Room {}

impl Default for Room {
    fn default() -> Room {
        Room { scratch: ptr::null_mut(), made_for: None, ends: Vec::new() }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: null, or a scratch that the library has made and no scan uses.
        unsafe { hs::hs_free_scratch(self.scratch) };
    }
}

impl Room {
    /// Fills `ends` with the keywords of the text, each once. False where that failed.
    fn scan(&mut self, database: &Arc<Database>, text: &[u8]) -> bool {
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        // Where memory runs out the scan ends, which thereby fails.
        let is_whole = self.scan_with(database, text, &mut |keyword, at| {
            let has_room = ends.try_reserve(1).is_ok();
            if has_room {
                ends.push(End { keyword, at });
            }
            has_room
        });
        // The library does not promise to say a thing only once.
        ends.sort_unstable();
        ends.dedup();
        self.ends = ends;
        is_whole
    }

    /// Tells `end` what ends where. False where that failed, or `end` answered so.
    fn scan_with<F: FnMut(usize, usize) -> bool>(
        &mut self,
        database: &Arc<Database>,
        text: &[u8],
        end: &mut F,
    ) -> bool {
        let Ok(length) = c_uint::try_from(text.len()) else { return false };
        if !self.fit(database) {
            return false;
        }
        // SAFETY: database and scratch are live and fit each other, which `fit` saw to, or null,
        // which the call refuses; `text` holds `length` bytes; the context is the closure that
        // `tell` of its type expects, and nothing else touches it until the call returns.
        let code = unsafe {
            hs::hs_scan(
                database.0,
                text.as_ptr().cast(),
                length,
                0,
                self.scratch,
                Some(tell::<F>),
                ptr::from_mut(end).cast(),
            )
        };
        code == SUCCESS
    }

    /// Makes the scratch large enough for this database.
    fn fit(&mut self, database: &Arc<Database>) -> bool {
        if self.made_for.as_ref().is_some_and(|made_for| Arc::ptr_eq(made_for, database)) {
            return true;
        }
        self.made_for = None;
        // SAFETY: the database is live or null, which the call refuses; the scratch is one of the
        // library's own or null, and the call writes back what becomes of it.
        let code = unsafe { hs::hs_alloc_scratch(database.0, &mut self.scratch) };
        if code != SUCCESS {
            return false;
        }
        self.made_for = Some(Arc::clone(database));
        true
    }
}

/// Hands on one end. The library calls it from C, so it must not unwind: neither this nor the
/// closures that it is given do anything that can panic.
///
/// # Safety
///
/// `context` is an `F` that nobody else touches.
unsafe extern "C" fn tell<F: FnMut(usize, usize) -> bool>(
    id: c_uint,
    _from: c_ulonglong,
    to: c_ulonglong,
    _flags: c_uint,
    context: *mut c_void,
) -> c_int {
    // SAFETY: the caller vouches for it.
    let end = unsafe { &mut *context.cast::<F>() };
    let (Ok(id), Ok(at)) = (usize::try_from(id), usize::try_from(to)) else { return 1 };
    c_int::from(!end(id, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pairs::Pairs;
    use super::super::tile::TILE;
    use super::super::{Anchor, Kernel, Scratch, Sweep};
    use super::*;

    fn sweep(keywords: &[&str], kernel: Kernel) -> Sweep {
        let sweep =
            Sweep::new(&keywords.iter().map(ToString::to_string).collect::<Vec<_>>(), kernel);
        assert_eq!(sweep.kernel(), kernel);
        sweep
    }

    fn anchors(sweep: &Sweep, text: &[u8], scratch: &mut Scratch) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        sweep.find(text, 0, text.len(), scratch, &mut anchors);
        anchors
    }

    /// The keywords by comparing each with each place.
    fn naive(keywords: &[&str], text: &[u8]) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        for at in 0..text.len() {
            for (number, keyword) in keywords.iter().enumerate() {
                let head = text[at..].get(..keyword.len());
                if head.is_some_and(|head| head.eq_ignore_ascii_case(keyword.as_bytes())) {
                    anchors.push(Anchor { at, kind: AnchorKind::keyword(number) });
                }
            }
        }
        anchors
    }

    #[track_caller]
    fn assert_found(keywords: &[&str], text: &[u8]) {
        let found = anchors(&sweep(keywords, Kernel::Hyperscan), text, &mut Scratch::default());
        let found: Vec<Anchor> = found
            .into_iter()
            .filter(|anchor| anchor.kind.index() >= AnchorKind::keyword(0).index())
            .collect();
        assert_eq!(found, naive(keywords, text));
    }

    #[test]
    fn keywords_of_every_length_are_found_at_the_borders_of_tiles() {
        let letters = "qwertzuiopasdfghjklyxcvbnm_-+.#!~";
        for length in 3..=32 {
            let keyword = &letters[..length];
            for at in (0..3).chain(TILE - length - 1..=TILE + 1).chain([2 * TILE - 1]) {
                let mut text = vec![b' '; at];
                text.extend(keyword.bytes().map(|byte| byte.to_ascii_uppercase()));
                assert_found(&[keyword], &text);
                assert_eq!(naive(&[keyword], &text).len(), 1);
                text.push(b'x');
                assert_found(&[keyword], &text);
                text.truncate(at + length - 1);
                assert_found(&[keyword], &text);
            }
        }
    }

    #[test]
    fn keywords_that_overlap_are_all_found() {
        let keywords = ["aaa", "aaaa", "pass", "password", "word", "sword", "ssw", "rdp"];
        assert_found(&keywords, b"aAaaAaaaa passwordpassword PASSWORDP");
        assert_found(&keywords, &b"a".repeat(3 * TILE + 7));
    }

    #[test]
    fn nul_bytes_and_bytes_beyond_ascii_are_bytes_like_others() {
        let keywords = ["a\0b", "\0\0\0", "abc\0", "geb\u{fc}hr", "\u{c9}\u{c9}"];
        let text = "A\0b\0\0\0\0 ABC\0abc GEB\u{fc}HR geb\u{dc}hr \u{c9}\u{c9} \u{e9}\u{e9} a\0";
        assert_found(&keywords, text.as_bytes());
        assert_eq!(naive(&keywords, text.as_bytes()).len(), 6);
    }

    #[test]
    fn only_the_case_of_letters_is_ignored() {
        let keywords = ["msh|^~", "[a-z]", "a.c", "^x$", "-----begin", "@[\\"];
        assert_found(&keywords, b"MSH|^~ msh\\^~ [a-Z] abc A.C ^X$ x -----BEGIN @[\\ `{| @{\\");
    }

    #[test]
    fn no_keywords_are_no_error() {
        assert_found(&[], b"nothing to find");
        let shapes = anchors(&sweep(&[], Kernel::Hyperscan), b"a@b", &mut Scratch::default());
        assert_eq!(shapes.len(), 1);
    }

    #[test]
    fn many_keywords_are_taken() {
        let keywords: Vec<String> = (0..5000).map(|number| format!("key{number:05}")).collect();
        let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
        assert_found(&keywords, b"KEY00000 key04999key05000 key0123");
    }

    #[test]
    fn one_scratch_serves_sweeps_in_turn_and_survives_them() {
        let text = b"akia password AKIA Word eyj".repeat(300);
        let mut scratch = Scratch::default();
        for round in 0..3 {
            let all: Vec<String> = (0..400).map(|number| format!("{round}{number:03}")).collect();
            let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
            all.extend(["akia", "eyj"]);
            for keywords in [&["akia"][..], &["password", "word", "sword"], &all] {
                let expected =
                    anchors(&sweep(keywords, Kernel::Portable), &text, &mut Scratch::default());
                let sweep = sweep(keywords, Kernel::Hyperscan);
                assert_eq!(anchors(&sweep, &text, &mut scratch), expected);
                assert_eq!(anchors(&sweep, &text, &mut scratch), expected);
            }
        }
    }

    #[test]
    fn a_tile_on_which_the_library_fails_is_scanned_again() {
        let keywords = ["akia", "password"];
        let text = b"AKIA 078-05-1120 passWORD ".repeat(500);
        let expected = anchors(&sweep(&keywords, Kernel::Portable), &text, &mut Scratch::default());
        assert!(expected.len() >= 1500);
        let mut sweep = sweep(&keywords, Kernel::Hyperscan);
        let mut scratch = Scratch::default();
        assert_eq!(anchors(&sweep, &text, &mut scratch), expected);

        // A database that the library refuses.
        let broken = Arc::new(Database(ptr::null_mut()));
        sweep.hyperscan = Some(Literals { database: Some(Arc::clone(&broken)) });
        assert!(!scratch.hyperscan.scan(&broken, &text));
        assert_eq!(anchors(&sweep, &text, &mut scratch), expected);

        // A database whose keywords are others than the table's.
        let other = KeywordTable::new(&["akia", "078", "1120"].map(String::from), &Pairs::read());
        sweep.hyperscan = Literals::new(&other);
        assert_eq!(anchors(&sweep, &text, &mut scratch), expected);
    }

    #[test]
    fn threads_share_a_sweep() {
        let keywords = ["akia", "password", "word"];
        let text = b"AKIA passWORD sword ".repeat(2000);
        let sweep = sweep(&keywords, Kernel::Hyperscan);
        let expected = naive(&keywords, &text);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        assert_eq!(anchors(&sweep, &text, &mut Scratch::default()), expected);
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn any_keywords_are_found(
            keywords in proptest::collection::hash_set("[ab\\-\0.é]{3,6}", 1..12),
            text in "[abAB\\-\0.éÉ]{0,300}",
            pad in prop_oneof![Just(0), TILE - 150..TILE],
        ) {
            let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
            let text = [vec![b' '; pad].as_slice(), text.as_bytes()].concat();
            assert_found(&keywords, &text);
        }
    }
}
