//! What git is about to push, as it tells its pre-push hook.
//!
//! Lines come in, one for each reference (`githooks(5)`): local reference and id, remote reference and
//! id. Of what they name counts what the remote does not have as far as is known here.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::GateError;

/// Bytes of the lines of one push.
pub const MAX_LINES_BYTES: usize = 64 << 20;

/// One reference that is pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its name here, or the revision that was named.
    pub name: BString,
    /// What it will point at; none where it is deleted there.
    pub new: Option<ObjectId>,
    /// What it points at there; none where it is new.
    pub old: Option<ObjectId>,
}

/// Reads the lines of git.
///
/// # Errors
///
/// They are not what git writes.
pub fn updates(lines: &[u8]) -> Result<Vec<Update>, GateError> {
    if lines.len() > MAX_LINES_BYTES {
        return Err(GateError::BadPush("more than 64 MiB".to_owned()));
    }
    lines.lines().filter(|line| !line.is_empty()).map(update).collect()
}

fn update(line: &[u8]) -> Result<Update, GateError> {
    let bad = || GateError::BadPush(line.to_str_lossy().into_owned());
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let &[name, new, _, old] = fields.as_slice() else {
        return Err(bad());
    };
    let id = |hex: &[u8]| ObjectId::from_hex(hex).map_err(|_| bad());
    let (new, old) = (id(new)?, id(old)?);
    let some = |id: ObjectId| Some(id).filter(|id| !id.is_null());
    Ok(Update { name: name.into(), new: some(new), old: some(old) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_are_read_and_others_refused() {
        let (one, zero) = ("1".repeat(40), "0".repeat(40));
        let line =
            format!("refs/heads/main {one} refs/heads/main {zero}\n(delete) {zero} refs/x {one}\n");
        let updates = updates(line.as_bytes()).unwrap();
        let id = ObjectId::from_hex(one.as_bytes()).unwrap();
        assert_eq!((updates[0].new, updates[0].old), (Some(id), None));
        assert_eq!((updates[1].new, updates[1].old), (None, Some(id)));
        let line = |text: &str| super::updates(text.as_bytes());
        assert!(line("").unwrap().is_empty());
        for text in ["main", "a 1 b 2", "a b c d e", &format!("a {one} b {one} c")] {
            assert!(matches!(line(text), Err(GateError::BadPush(_))), "{text}");
        }
        let much = vec![b'\n'; MAX_LINES_BYTES + 1];
        assert!(matches!(super::updates(&much), Err(GateError::BadPush(_))));
    }
}
