//! What `git merge` is about to commit, as it tells its pre-merge-commit hook.
//!
//! Names of variables come in, the commits that are merged into the head go out. Git writes `MERGE_HEAD`
//! once the hook has passed; before that only `GITHEAD_ID` says what is merged, one variable for each
//! commit, whose value is the name that somebody gave it.

use std::ffi::OsStr;

use gix::ObjectId;

/// What the name of each such variable begins with.
const PREFIX: &[u8] = b"GITHEAD_";

/// The commits that names of variables speak of. Other variables are none of it.
pub fn merged_heads<N: AsRef<OsStr>>(names: impl IntoIterator<Item = N>) -> Vec<ObjectId> {
    let id = |name: N| {
        let hex = name.as_ref().as_encoded_bytes().strip_prefix(PREFIX)?;
        ObjectId::from_hex(hex).ok()
    };
    let mut heads: Vec<ObjectId> = names.into_iter().filter_map(id).collect();
    heads.sort_unstable();
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_merge_are_told_from_others() {
        let (one, two) = ("1".repeat(40), "a".repeat(64));
        let names =
            ["PATH", "GITHEAD_", "GITHEAD_x", &format!("GITHEAD_{two}"), &format!("GITHEAD_{one}")];
        let heads = merged_heads(names).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(heads, [one, two]);
    }
}
