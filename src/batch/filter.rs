//! Which files a scan leaves out.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Include and exclude globs.
///
/// A glob without `/` is matched against the name, at any depth; one with `/` against the path
/// below the root, where `*` stays within a component and `**` crosses them. A final `/` makes a glob
/// stand for directories: one that is excluded is not entered, all files below one that is
/// included are. Excluding wins over including.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    exclude_directories: GlobSet,
}

/// A glob that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("invalid glob `{glob}`: {reason}")]
pub struct FilterError {
    glob: String,
    reason: String,
}

impl Filter {
    /// Compiles the globs. Without `include`, all files are included.
    ///
    /// # Errors
    /// The first glob that does not parse.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Filter, FilterError> {
        let (for_directories, for_all): (Vec<&String>, Vec<&String>) =
            exclude.iter().partition(|glob| glob.ends_with('/'));
        Ok(Filter {
            include: if include.is_empty() { None } else { Some(compile(include, "/**")?) },
            exclude: compile(for_all, "")?,
            exclude_directories: compile(for_directories, "")?,
        })
    }

    /// Why the file or directory at this path below its root is left out; none where it is not.
    pub(crate) fn skips(&self, below: &Path, is_directory: bool) -> Option<&'static str> {
        if self.exclude.is_match(below)
            || (is_directory && self.exclude_directories.is_match(below))
        {
            return Some("excluded by a glob");
        }
        let include = self.include.as_ref().filter(|_| !is_directory)?;
        (!include.is_match(below)).then_some("matched by no include glob")
    }
}

/// Compiles globs; `directories` is appended to those that end in `/`.
fn compile<'a>(
    globs: impl IntoIterator<Item = &'a String>,
    directories: &str,
) -> Result<GlobSet, FilterError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let error = |error: globset::Error| FilterError {
            glob: glob.clone(),
            reason: error.kind().to_string(),
        };
        let (body, end) = glob.strip_suffix('/').map_or((glob.as_str(), ""), |b| (b, directories));
        let start = match body.strip_prefix("./").or_else(|| body.strip_prefix('/')) {
            Some(anchored) => anchored.to_owned(),
            None if body.contains('/') => body.to_owned(),
            None => format!("**/{body}"),
        };
        if body.is_empty() {
            return Err(FilterError { glob: glob.clone(), reason: "it is empty".to_owned() });
        }
        set.add(
            GlobBuilder::new(&format!("{start}{end}"))
                .literal_separator(true)
                .build()
                .map_err(error)?,
        );
    }
    set.build()
        .map_err(|error| FilterError { glob: String::new(), reason: error.kind().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(include: &[&str], exclude: &[&str], path: &str, is_directory: bool) -> bool {
        let owned = |globs: &[&str]| globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
        let filter = Filter::new(&owned(include), &owned(exclude)).unwrap();
        filter.skips(Path::new(path), is_directory).is_some()
    }

    #[test]
    fn names_match_at_any_depth_and_paths_from_the_root() {
        assert!(skipped(&[], &["*.log"], "a/b/x.log", false));
        assert!(!skipped(&[], &["/*.log"], "a/x.log", false));
        assert!(skipped(&[], &["/*.log"], "x.log", false));
        assert!(skipped(&[], &["a/*.log"], "a/x.log", false));
        assert!(!skipped(&[], &["a/*.log"], "a/b/x.log", false));
        assert!(skipped(&[], &["a/**/*.log"], "a/b/c/x.log", false));
        assert!(skipped(&[], &["cache/"], "a/cache", true));
        assert!(!skipped(&[], &["cache/"], "a/cache", false));
    }

    #[test]
    fn includes_leave_directories_and_excludes_win() {
        assert!(!skipped(&["*.csv"], &[], "a", true));
        assert!(!skipped(&["*.csv"], &[], "a/x.csv", false));
        assert!(skipped(&["*.csv"], &[], "a/x.txt", false));
        assert!(!skipped(&["sub/"], &[], "a/sub/b/x.csv", false));
        assert!(skipped(&["sub/"], &[], "a/x.csv", false));
        assert!(skipped(&["*.csv"], &["x.*"], "a/x.csv", false));
    }

    #[test]
    fn a_broken_glob_is_named() {
        let error = Filter::new(&["a[".to_owned()], &[]).unwrap_err();
        assert!(error.to_string().starts_with("invalid glob `a[`: "), "{error}");
        assert!(Filter::new(&[], &["/".to_owned()]).is_err());
    }
}
