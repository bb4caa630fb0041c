//! A configuration and those that it builds on, as one.
//!
//! As in gitleaks 8: a rule with the id of one that it builds on changes what it states and adds to lists;
//! `disabledRules` leaves rules of those files out; two files are followed, one behind the other.

use std::path::{Component, Path, PathBuf};

use super::read::{Config, MAX_RULES, RawRule, read};
use super::{ImportError, Note, Turn};

/// How many files gitleaks follows.
const MAX_EXTENDED: usize = 2;

/// Gives the text of a file, as far as it may be read.
pub type ReadFile<'r> = dyn FnMut(&Path) -> Result<String, String> + 'r;

/// Reads a configuration with those that it builds on. Files lie below `root`.
///
/// # Errors
///
/// What is wrong with one of them.
pub fn resolve(
    path: &Path,
    root: &Path,
    read_file: &mut ReadFile<'_>,
    notes: &mut Vec<Note>,
) -> Result<Config, ImportError> {
    let mut seen = vec![plain(path)];
    resolve_at(path, root, read_file, notes, &mut seen)
}

fn resolve_at(
    path: &Path,
    root: &Path,
    read_file: &mut ReadFile<'_>,
    notes: &mut Vec<Note>,
    seen: &mut Vec<PathBuf>,
) -> Result<Config, ImportError> {
    let file = path.display().to_string();
    let text =
        read_file(path).map_err(|why| ImportError::Unreadable { file: file.clone(), why })?;
    let mut config = read(&text, &file, notes)?;
    let extend = config.extend.clone();
    if extend.url {
        let what = "`extend.url` is not followed, here or by gitleaks".to_owned();
        notes.push(Note::new(&file, extend.line, None, Turn::Left, what));
    }
    if extend.use_default && extend.path.is_some() {
        let what =
            "`extend.path` beside `useDefault`: gitleaks follows `useDefault` alone".to_owned();
        notes.push(Note::new(&file, extend.line, None, Turn::Ignored, what));
    } else if let Some(named) = &extend.path {
        let wrong = |what: &str| ImportError::wrong(&file, extend.line, what);
        let folder = path.parent().unwrap_or(Path::new(""));
        // gitleaks reads it from its working directory, which is that of the file as a rule.
        let next = [folder, root]
            .map(|from| from.join(named))
            .into_iter()
            .find(|next| is_below(next, root));
        let Some(next) = next else {
            return Err(wrong(
                "`extend.path` leads out of the folder of the file; name one above both with `--root`",
            ));
        };
        if seen.contains(&plain(&next)) {
            return Err(wrong("`extend.path` leads in a circle"));
        }
        if seen.len() > MAX_EXTENDED {
            let what = "`extend.path` is the third in a row, and gitleaks follows two".to_owned();
            notes.push(Note::new(&file, extend.line, None, Turn::Ignored, what));
        } else {
            seen.push(plain(&next));
            let base = resolve_at(&next, root, read_file, notes, seen)?;
            merge(&mut config, base);
        }
    }
    if config.rules.len() > MAX_RULES {
        return Err(ImportError::wrong(&file, 1, &format!("more than {MAX_RULES} rules")));
    }
    Ok(config)
}

/// A path without `.` and without `..` that follow a name. No link is followed to say it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn is_below(path: &Path, root: &Path) -> bool {
    let (path, root) = (plain(path), plain(root));
    path.is_absolute() == root.is_absolute()
        && path.starts_with(&root)
        && !path
            .components()
            .skip(root.components().count())
            .any(|part| part == Component::ParentDir)
}

fn merge(config: &mut Config, base: Config) {
    config.extend.use_default |= base.extend.use_default;
    for rule in base.rules {
        if config.extend.disabled.contains(&rule.id) {
            continue;
        }
        match config.rules.iter_mut().find(|own| own.id == rule.id) {
            Some(own) => change(own, rule),
            None => config.rules.push(rule),
        }
    }
    config.allowlists.extend(base.allowlists);
    let disabled = base.extend.disabled.into_iter();
    config.extend.disabled.extend(disabled);
}

/// A rule that changes one of its base.
fn change(own: &mut RawRule, base: RawRule) {
    if own.description.is_empty() {
        own.description = base.description;
    }
    if own.entropy == 0 {
        (own.entropy, own.is_rounded) = (base.entropy, base.is_rounded);
    }
    if own.secret_group == 0 {
        own.secret_group = base.secret_group;
    }
    own.regex = own.regex.take().or(base.regex);
    own.path = own.path.take().or(base.path);
    own.skip_report |= base.skip_report;
    own.keywords.extend(base.keywords);
    own.tags.extend(base.tags);
    own.requires.extend(base.requires);
    own.allowlists.extend(base.allowlists);
}
