//! Paths of keys and indices, shared by all values below them.

use std::sync::{Arc, OnceLock};

/// Longest path in bytes. Of a longer one the outermost steps are left out: `$..visits[3].note`.
const MAX_PATH: usize = 1024;

/// Bytes that a byte of a key takes at most in a path: a control character, `\u0001`.
const MOST_WRITTEN: usize = 6;

/// Room for a step of most arrays: `[1234]`.
const INDEX_ROOM: usize = 6;

/// One step down.
#[derive(Clone)]
pub(super) enum Step {
    Key(Arc<str>),
    Index(u64),
}

/// A container: the path to it, from the inside out.
#[derive(Clone)]
pub(super) struct Node {
    outer: Option<(Arc<Node>, Step)>,
    /// The path to it, written when it is first asked for; none where it is too long to be whole.
    path: OnceLock<Option<Box<str>>>,
}

impl Node {
    pub(super) fn root() -> Node {
        Node { outer: None, path: OnceLock::new() }
    }

    pub(super) fn below(outer: Arc<Node>, step: Step) -> Node {
        Node { outer: Some((outer, step)), path: OnceLock::new() }
    }

    /// The path to a value in this container, or with no step to the container, and the nearest
    /// key on it, empty where there is none.
    pub(super) fn path(&self, last: Option<&Step>) -> (Arc<str>, Arc<str>) {
        let key = last.into_iter().chain(self.steps()).find_map(|step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Index(_) => None,
        });
        let mut path = String::new();
        let is_whole = self.whole_path().is_some_and(|outer| {
            let room = match last {
                Some(Step::Key(key)) => key.len() + ".".len(),
                _ => INDEX_ROOM,
            };
            path.reserve_exact(outer.len() + room);
            path.push_str(outer);
            if let Some(step) = last {
                step.write(&mut path);
            }
            path.len() <= MAX_PATH + "$".len()
        });
        if !is_whole {
            path = self.cut_path(last).0;
        }
        (path.into(), key.unwrap_or_default())
    }

    /// The path to this container; none where it is too long to be whole.
    fn whole_path(&self) -> Option<&str> {
        let path = self.path.get_or_init(|| match self.outer_path() {
            Some((outer, step)) => {
                let mut path = String::with_capacity(outer.len() + INDEX_ROOM);
                path.push_str(outer);
                step.write(&mut path);
                (path.len() <= MAX_PATH + "$".len()).then(|| path.into())
            }
            None => match self.cut_path(None) {
                (path, true) => Some(path.into()),
                (_, false) => None,
            },
        });
        path.as_deref()
    }

    /// The path to the container of this one, where it was written before or is that of the root, and the
    /// step from there.
    fn outer_path(&self) -> Option<(&str, &Step)> {
        let (outer, step) = self.outer.as_ref()?;
        let path = match &outer.outer {
            None => Some("$"),
            Some(_) => outer.path.get()?.as_deref(),
        };
        Some((path?, step))
    }

    /// As much of the path as there is room for, and whether that is all of it.
    fn cut_path(&self, last: Option<&Step>) -> (String, bool) {
        let mut steps = last.into_iter().chain(self.steps());
        let (mut parts, mut length) = (Vec::new(), 0);
        let is_whole = loop {
            let Some(step) = steps.next() else {
                break true;
            };
            let mut part = String::new();
            step.write(&mut part);
            length += part.len();
            if length > MAX_PATH && !parts.is_empty() {
                break false;
            }
            parts.push(part);
        };
        let mut path = String::from("$");
        if !is_whole {
            let dots =
                if parts.last().is_some_and(|part| part.starts_with('.')) { "." } else { ".." };
            path.push_str(dots);
        }
        path.extend(parts.into_iter().rev());
        (path, is_whole)
    }

    /// Writes the keys on the path, the nearest first, each so that no two paths with other keys are
    /// written alike; false where the path may be too long to be whole.
    pub(super) fn write_names(&self, last: Option<&Step>, names: &mut String) -> bool {
        let mut length = 0;
        for step in last.into_iter().chain(self.steps()) {
            match step {
                Step::Key(key) => {
                    names.push_str(key);
                    names.push('\0');
                    // An end that says how long the key is cannot be part of one.
                    names.extend(u32::try_from(key.len()).ok().and_then(char::from_u32));
                    length += key.len() * MOST_WRITTEN + 4;
                }
                Step::Index(_) => length += 22,
            }
            if length > MAX_PATH {
                return false;
            }
        }
        true
    }

    /// From the inside out.
    fn steps(&self) -> impl Iterator<Item = &Step> {
        let mut node = self;
        std::iter::from_fn(move || {
            let (outer, step) = node.outer.as_ref()?;
            node = outer;
            Some(step)
        })
    }
}

impl Step {
    fn write(&self, path: &mut String) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        match self {
            Step::Index(index) => {
                path.push('[');
                let highest = index.checked_ilog10().unwrap_or(0);
                for place in (0..=highest).rev() {
                    path.push(char::from(b'0' + (index / 10u64.pow(place) % 10) as u8));
                }
                path.push(']');
            }
            Step::Key(key) if !key.is_empty() && key.bytes().all(is_plain) => {
                path.push('.');
                path.push_str(key);
            }
            Step::Key(key) => path.push_str(&key_step(key)),
        }
    }
}

/// A key as a step of a path, in brackets and quotes.
pub fn key_step(key: &str) -> String {
    let mut written = String::from("[\"");
    for character in key.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            c if c.is_control() => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written + "\"]"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Step {
        Step::Key(key.into())
    }

    fn below(outer: Node, step: Step) -> Node {
        Node::below(Arc::new(outer), step)
    }

    #[test]
    fn steps_are_written_so_that_they_read_back() {
        let node = below(Node::root(), key("a-b_1"));
        let node = below(node, Step::Index(3));
        let (path, nearest) = node.path(Some(&key("say \"é\"\\\n")));
        assert_eq!(&*path, r#"$.a-b_1[3]["say \"é\"\\\u000a"]"#);
        assert_eq!(&*nearest, "say \"é\"\\\n");
        let (path, nearest) = node.path(None);
        assert_eq!((&*path, &*nearest), ("$.a-b_1[3]", "a-b_1"));
        let below_it = below(node, key("c"));
        assert_eq!(&*below_it.path(Some(&Step::Index(0))).0, "$.a-b_1[3].c[0]");
        for index in [0, 7, 9, 10, 99, 100, 1_234_567, u64::MAX] {
            let (path, _) = Node::root().path(Some(&Step::Index(index)));
            assert_eq!(*path, format!("$[{index}]"));
        }
        let (path, nearest) = Node::root().path(Some(&key("")));
        assert_eq!((&*path, &*nearest), (r#"$[""]"#, ""));
        let (path, nearest) = Node::root().path(None);
        assert_eq!((&*path, &*nearest), ("$", ""));
    }

    #[test]
    fn long_paths_keep_their_inner_steps() {
        let mut node = Node::root();
        for _ in 0..10 {
            node = below(node, key(&"k".repeat(199)));
            node = below(node, Step::Index(0));
        }
        let (path, _) = node.path(Some(&key("ssn")));
        assert!(path.len() <= MAX_PATH + 3);
        assert!(path.starts_with("$..[0].kkk") && path.ends_with("k[0].ssn"));
        let node = (0..10).fold(Node::root(), |node, _| below(node, key(&"k".repeat(199))));
        assert!(node.path(None).0.starts_with("$..kkk"));
        // Whole up to the last byte that there is room for, also behind a path that was written down.
        let node = below(Node::root(), key(&"k".repeat(MAX_PATH - 5)));
        for _ in 0..2 {
            assert!(node.path(Some(&key("abc"))).0.starts_with("$.kkk"));
            assert_eq!(&*node.path(Some(&key("abcd"))).0, "$..abcd");
            assert_eq!(node.path(None).0.len(), 1 + MAX_PATH - 4);
        }
    }
}
