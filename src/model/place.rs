//! Where something is in the structure of a payload.

use std::sync::Arc;

/// The cell or the JSON path that holds a byte.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A cell of a CSV or TSV table.
    Cell {
        /// Data row, counted from 1; the header row is 0.
        row: u64,
        /// Name of the column from the header, or `#3` (counted from 1) without one.
        column: Arc<str>,
    },
    /// A value in JSON or NDJSON.
    Json {
        /// Path of keys and indices, `$.patients[3].ssn`; for NDJSON the first index is the record.
        json_path: Arc<str>,
        /// The nearest object key above the value; empty where there is none.
        key: Arc<str>,
    },
}

impl Place {
    /// The column name or JSON key that labels the value, as the payload spells it.
    pub fn name(&self) -> &str {
        match self {
            Place::Cell { column, .. } => column,
            Place::Json { key, .. } => key,
        }
    }

    /// The column name, or the keys of the JSON path, the nearest to the value first. Of a path
    /// that was cut for its length, those that are left.
    pub fn names(&self) -> Vec<String> {
        match self {
            Place::Cell { column, .. } => vec![column.to_string()],
            Place::Json { json_path, .. } => {
                let mut keys = keys_of(json_path);
                keys.reverse();
                keys
            }
        }
    }
}

/// The keys of a path as trackers write it: `.plain`, `["any \"text\""]`, `[3]` for an index.
fn keys_of(path: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = path.trim_start_matches('$');
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let mut key = String::new();
            let mut characters = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((at, character)) = characters.next() {
                match character {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' => key.extend(characters.next().map(|(_, escaped)| escaped)),
                    character => key.push(character),
                }
            }
            keys.push(key);
            rest = quoted.get(end..).unwrap_or_default();
            rest = rest.strip_prefix(']').unwrap_or(rest);
        } else if first == '[' {
            rest = rest.split_once(']').map_or("", |(_, behind)| behind);
        } else {
            let plain = rest.trim_start_matches('.');
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            let (key, behind) = plain.split_at_checked(end).unwrap_or((plain, ""));
            keys.extend((!key.is_empty()).then(|| key.to_owned()));
            rest = behind;
        }
    }
    keys
}

/// Names come from the payload and may hold regulated data, so only the numbers are shown.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Cell { row, .. } => {
                f.debug_struct("Cell").field("row", row).finish_non_exhaustive()
            }
            Place::Json { .. } => f.debug_struct("Json").finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_path_are_its_keys_from_the_inside_out() {
        let names = |path: &str| Place::Json { json_path: path.into(), key: "".into() }.names();
        assert_eq!(names("$.patients[3].ssn"), ["ssn", "patients"]);
        assert_eq!(names(r#"$["a.b [1] \"c\" \\"][0].x"#), ["x", r#"a.b [1] "c" \"#]);
        assert_eq!(names("$..visits[3].note"), ["note", "visits"]);
        assert!(names("$").is_empty() && names("$[7]").is_empty());
        assert_eq!(names("$[\"cut"), ["cut"]);
        let cell = Place::Cell { row: 1, column: "Tax Id".into() };
        assert_eq!(cell.names(), ["Tax Id"]);
    }
}
