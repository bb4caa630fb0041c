//! Where commits go: the remote that a push goes to, as the text of a destination.
//!
//! As `git push` chooses it: `branch.NAME.pushRemote`, `remote.pushDefault`, `branch.NAME.remote`, then
//! the only remote, or `origin`. `url.BASE.pushInsteadOf` and `insteadOf` count.

use std::path::Path;

use gix::bstr::ByteSlice;
use gix::remote::Direction;
use gix::url::Scheme;

use super::files::plain;
use super::repository::Repository;

/// A remote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Its name; none where only a URL is known.
    pub name: Option<String>,
    /// Its URL without user, password, query and fragment, or its absolute path. None where it has
    /// none, several that differ, or one that cannot be read: an unknown destination.
    pub destination: Option<String>,
    /// Whether there is one at all: one that cannot be read is not none.
    pub is_there: bool,
    /// Whether pushes go where fetches come from, so that what was fetched says what is there.
    pub is_tracked: bool,
}

/// The remote that a push from the head goes to; with `name` and `url` the one that git names.
pub fn remote(repository: &Repository, name: Option<&str>, url: Option<&str>) -> Remote {
    let git = &repository.inner;
    let name = name.map(str::to_owned).or_else(|| default_name(git));
    let base = repository.worktree().unwrap_or(git.git_dir());
    let urls: Vec<gix::Url> = match (url, &name) {
        (Some(url), _) => gix::url::parse(url.as_bytes().as_bstr()).into_iter().collect(),
        (None, Some(name)) => match git.find_remote(name.as_str()) {
            Ok(remote) => remote.urls(Direction::Push).cloned().collect(),
            // A URL may stand where a name may.
            Err(_) => gix::url::parse(name.as_bytes().as_bstr()).into_iter().collect(),
        },
        (None, None) => Vec::new(),
    };
    let mut texts: Vec<Option<String>> = urls.iter().map(|url| text(url, base)).collect();
    texts.dedup();
    let destination = if texts.len() == 1 { texts.pop().flatten() } else { None };
    let is_name = |name: &String| git.remote_names().iter().any(|it| it.as_bstr() == name.as_str());
    let is_there = url.is_some() || name.is_some() || !git.remote_names().is_empty();
    let name = name.filter(is_name);
    let fetched = name.as_ref().and_then(|name| git.find_remote(name.as_str()).ok());
    let fetched = fetched.and_then(|it| it.url(Direction::Fetch).and_then(|url| text(url, base)));
    let is_tracked = fetched.is_some() && fetched == destination;
    Remote { name, destination, is_there, is_tracked }
}

fn default_name(git: &gix::Repository) -> Option<String> {
    let branch = git.head_name().ok().flatten();
    let of_branch = branch.and_then(|branch| {
        let name = git.branch_remote_name(branch.shorten(), Direction::Push)?;
        name.as_bstr().to_str().ok().map(str::to_owned)
    });
    let default = || git.remote_default_name(Direction::Push)?.to_str().ok().map(str::to_owned);
    of_branch.or_else(default)
}

/// A URL as a destination names it; that of another machine without who calls.
fn text(url: &gix::Url, base: &Path) -> Option<String> {
    let path = url.original_path().to_str().ok()?;
    let scheme = match url.scheme {
        Scheme::File => {
            let path = plain(&base.join(path));
            return path.to_str().map(str::to_owned);
        }
        Scheme::Http => "http",
        Scheme::Https => "https",
        Scheme::Ssh => "ssh",
        Scheme::Git => "git",
        _ => return None,
    };
    let host = url.host.as_deref().filter(|host| !host.is_empty())?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = url.port.map(|port| format!(":{port}")).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(format!("{scheme}://{host}{port}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_destinations_without_who_calls() {
        for (url, expected) in [
            (
                "https://anna:secret@git.example.com/team/x.git?a=b#c",
                "https://git.example.com/team/x.git",
            ),
            ("git@git.example.com:team/x.git", "ssh://git.example.com/team/x.git"),
            ("ssh://anna@git.example.com:2222/x", "ssh://git.example.com:2222/x"),
            ("git://git.example.com/x", "git://git.example.com/x"),
            ("/srv/x.git", "/srv/x.git"),
            ("file:///srv/y/../x.git", "/srv/x.git"),
            ("../x.git", "/srv/x.git"),
        ] {
            let url = gix::url::parse(url.as_bytes().as_bstr()).unwrap();
            assert_eq!(text(&url, Path::new("/srv/here")).as_deref(), Some(expected));
        }
        let helper = gix::url::parse(b"hg::https://example.com/x".as_bstr()).unwrap();
        assert_eq!(text(&helper, Path::new("/")), None);
    }
}
