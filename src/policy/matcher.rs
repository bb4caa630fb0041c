//! What belongs to a destination.

use std::fmt;

use super::target::{
    BucketTarget, Target, UrlTarget, absolute, azure, bucket, canonical_host, is_odd, is_scheme,
    is_tool, mail_domain, url_path,
};

/// Part of a name that stands for any.
const ANY: &str = "4b1d6c9e";

/// What a matcher looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatcherKind {
    /// Host and path of a URL.
    Url,
    /// A bucket of an object store.
    Bucket,
    /// The domain of an e-mail address.
    EmailDomain,
    /// The name of a tool.
    Tool,
    /// A path of a file.
    Path,
}

impl MatcherKind {
    /// All kinds.
    pub const ALL: [MatcherKind; 5] = [
        MatcherKind::Url,
        MatcherKind::Bucket,
        MatcherKind::EmailDomain,
        MatcherKind::Tool,
        MatcherKind::Path,
    ];

    /// The word used in configuration, records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            MatcherKind::Url => "url",
            MatcherKind::Bucket => "bucket",
            MatcherKind::EmailDomain => "email_domain",
            MatcherKind::Tool => "tool",
            MatcherKind::Path => "path",
        }
    }
}

/// One way in which a destination is recognised. `Display` writes it in its one form: two matchers
/// that match the same texts are written the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Url { scheme: Option<String>, host: Name, port: Option<u16>, path: Vec<String> },
    Bucket { provider: &'static str, bucket: String, path: Vec<String> },
    EmailDomain(Name),
    Tool(Name),
    Path(Vec<String>),
}

/// A name, or all names that begin or end with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// This one.
    Exact(String),
    /// Every domain below this one.
    Below(String),
    /// Every tool whose name begins so.
    Prefix(String),
}

/// Why a text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// It is empty.
    #[error("a matcher is empty")]
    Empty,
    /// No host can be read.
    #[error("no host can be read; write `host`, `*.host` or `https://host:port/path`")]
    Host,
    /// A `*` in another place than the beginning of a host or the end of a tool's name.
    #[error(
        "`*` stands for subdomains at the beginning of a host, as in `*.example.com`, and for \
             the rest of a tool's name at its end, nowhere else"
    )]
    Star,
    /// A user, query or fragment in a URL.
    #[error("a matcher names no user, query or fragment")]
    Extra,
    /// A range of addresses.
    #[error("ranges of addresses are not matched; name each host or address")]
    Range,
    /// A path that means different things to different programs.
    #[error(
        "the path has dot segments, encoded separators, or characters that programs read in \
             different ways"
    )]
    Path,
    /// A path of a file that does not begin at the root.
    #[error("a path begins with `/`, and has no `..`")]
    Relative,
    /// No bucket can be read.
    #[error(
        "write `s3://bucket/prefix`, `gs://bucket/prefix` or `az://account/container/prefix`, \
             names in lower case"
    )]
    Bucket,
    /// No domain can be read.
    #[error("write a domain, as in `example.com` or `*.example.com`")]
    Domain,
    /// No name of a tool.
    #[error("the name of a tool has no white space and at most 256 bytes")]
    Tool,
    /// White space, a backslash or a control character.
    #[error("a matcher holds no white space, backslash, control or invisible character")]
    Odd,
}

impl Matcher {
    /// Reads a matcher.
    ///
    /// # Errors
    ///
    /// See [`MatcherError`].
    pub fn parse(kind: MatcherKind, text: &str) -> Result<Matcher, MatcherError> {
        if text.is_empty() {
            return Err(MatcherError::Empty);
        }
        let file = kind == MatcherKind::Path;
        if text.chars().any(|c| is_odd(c, file)) || text.ends_with(' ') {
            return Err(MatcherError::Odd);
        }
        let shape = match kind {
            MatcherKind::Url => url_shape(text)?,
            MatcherKind::Bucket => bucket_shape(text)?,
            MatcherKind::EmailDomain => Shape::EmailDomain(mail_name(text)?),
            MatcherKind::Tool => Shape::Tool(tool_name(text)?),
            MatcherKind::Path => Shape::Path(absolute(text).ok_or(MatcherError::Relative)?),
        };
        Ok(Matcher { shape })
    }

    /// What it looks at.
    pub fn kind(&self) -> MatcherKind {
        match self.shape {
            Shape::Url { .. } => MatcherKind::Url,
            Shape::Bucket { .. } => MatcherKind::Bucket,
            Shape::EmailDomain(_) => MatcherKind::EmailDomain,
            Shape::Tool(_) => MatcherKind::Tool,
            Shape::Path(_) => MatcherKind::Path,
        }
    }

    /// Whether it takes every host of a top-level domain.
    pub fn is_top_level(&self) -> bool {
        match &self.shape {
            Shape::Url { host: Name::Below(suffix), .. }
            | Shape::EmailDomain(Name::Below(suffix)) => !suffix.contains('.'),
            _ => false,
        }
    }

    /// Whether it matches a text of a flow header.
    pub fn matches(&self, text: &str) -> bool {
        Target::read(text).is_some_and(|target| self.reach(&target).is_some())
    }

    /// How special the matcher is for a destination; none where it does not match. The order, the
    /// first difference counts: an exact host before a wildcard, a longer name before a shorter, a
    /// longer path before a shorter, a port before none, a scheme before none.
    ///
    /// INVARIANT: two matchers that match one target with the same reach have the same [`key`].
    /// Names that match it and are equally long are equal, and so are equally long prefixes of its
    /// path; a port or scheme that is stated is that of the target.
    ///
    /// [`key`]: Matcher::key
    pub(super) fn reach(&self, target: &Target) -> Option<u64> {
        match (&self.shape, target) {
            (Shape::Url { scheme, host, port, path }, Target::Url(url)) => {
                let UrlTarget { is_address, .. } = url;
                let name = host.reach(&url.host, *is_address)?;
                let fits = scheme.as_ref().is_none_or(|it| Some(it) == url.scheme.as_ref())
                    && port.is_none_or(|port| Some(port) == url.port)
                    && url.path.starts_with(path);
                fits.then(|| rank(name, path, port.is_some(), scheme.is_some()))
            }
            (Shape::Bucket { provider, bucket, path }, Target::Bucket(it)) => {
                let fits =
                    *provider == it.provider && *bucket == it.bucket && it.path.starts_with(path);
                fits.then(|| rank(0, path, false, false))
            }
            (Shape::EmailDomain(name), Target::Email(domain)) => {
                Some(rank(name.reach(domain, false)?, &[], false, false))
            }
            (Shape::Tool(name), Target::Tool(tool)) => {
                Some(rank(name.reach(tool, false)?, &[], false, false))
            }
            (Shape::Path(path), Target::Path(it)) => {
                it.starts_with(path).then(|| rank(0, path, false, false))
            }
            _ => None,
        }
    }

    /// The matcher of what both match; none where there is nothing.
    pub(super) fn meet(&self, other: &Matcher) -> Option<Matcher> {
        let shape = match (&self.shape, &other.shape) {
            (
                Shape::Url { scheme, host, port, path },
                Shape::Url { scheme: scheme2, host: host2, port: port2, path: path2 },
            ) => Shape::Url {
                scheme: either(scheme.as_ref(), scheme2.as_ref())?.cloned(),
                host: host.meet(host2)?,
                port: either(port.as_ref(), port2.as_ref())?.copied(),
                path: longer(path, path2)?,
            },
            (
                Shape::Bucket { provider, bucket, path },
                Shape::Bucket { provider: provider2, bucket: bucket2, path: path2 },
            ) if provider == provider2 && bucket == bucket2 => {
                let path = longer(path, path2)?;
                Shape::Bucket { provider, bucket: bucket.clone(), path }
            }
            (Shape::EmailDomain(one), Shape::EmailDomain(two)) => {
                Shape::EmailDomain(one.meet(two)?)
            }
            (Shape::Tool(one), Shape::Tool(two)) => Shape::Tool(one.meet(two)?),
            (Shape::Path(one), Shape::Path(two)) => Shape::Path(longer(one, two)?),
            _ => return None,
        };
        Some(Matcher { shape })
    }

    /// A destination that this matcher takes from all that match less specially: what it names
    /// itself, or below it a name that nobody would register.
    pub(super) fn representative(&self) -> Target {
        let named = |name: &Name| match name {
            Name::Exact(name) => name.clone(),
            Name::Below(suffix) => format!("any-{ANY}.{suffix}"),
            Name::Prefix(prefix) => format!("{prefix}{ANY}"),
        };
        match &self.shape {
            Shape::Url { scheme, host, port, path } => {
                let is_address = canonical_host(&named(host)).is_some_and(|(_, it)| it);
                let (scheme, port, path) = (scheme.clone(), *port, path.clone());
                Target::Url(UrlTarget { scheme, host: named(host), is_address, port, path })
            }
            Shape::Bucket { provider, bucket, path } => {
                let (bucket, path) = (bucket.clone(), path.clone());
                Target::Bucket(BucketTarget { provider, bucket, path })
            }
            Shape::EmailDomain(name) => Target::Email(named(name)),
            Shape::Tool(name) => Target::Tool(named(name)),
            Shape::Path(path) => Target::Path(path.clone()),
        }
    }

    /// A matcher that reaches just as far, for finding ties.
    pub(super) fn key(&self) -> (MatcherKind, String) {
        (self.kind(), self.to_string())
    }
}

impl Name {
    /// The name of what both names name.
    fn meet(&self, other: &Name) -> Option<Name> {
        let below =
            |name: &String, suffix: &Name, is_address| suffix.reach(name, is_address).is_some();
        let within = |one: &Name, two: &Name| match (one, two) {
            (Name::Exact(one), Name::Exact(two)) => one == two,
            (Name::Exact(name), Name::Below(_)) => {
                let is_address = canonical_host(name).is_some_and(|(_, it)| it);
                below(name, two, is_address)
            }
            (Name::Below(name), Name::Below(suffix)) => name == suffix || below(name, two, false),
            (Name::Exact(one) | Name::Prefix(one), Name::Prefix(two)) => one.starts_with(two),
            _ => false,
        };
        if within(self, other) {
            Some(self.clone())
        } else {
            within(other, self).then(|| other.clone())
        }
    }

    /// How much of a text the name says; none where it is of another.
    fn reach(&self, text: &str, is_address: bool) -> Option<u64> {
        let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX).min(0xffff);
        match self {
            Name::Exact(name) => (name == text).then(|| 1 << 16 | length(name)),
            Name::Below(suffix) => {
                let above = text.strip_suffix(suffix.as_str())?.strip_suffix('.')?;
                (!above.is_empty() && !is_address).then(|| length(suffix))
            }
            Name::Prefix(prefix) => text.starts_with(prefix.as_str()).then(|| length(prefix)),
        }
    }
}

/// What two conditions ask for together: nothing, or what one of them does; none where they differ.
fn either<T: PartialEq>(one: Option<T>, two: Option<T>) -> Option<Option<T>> {
    match (one, two) {
        (Some(one), Some(two)) => (one == two).then_some(Some(one)),
        (one, two) => Some(one.or(two)),
    }
}

/// The longer of two paths, where the other is a beginning of it.
fn longer(one: &[String], two: &[String]) -> Option<Vec<String>> {
    let (short, long) = if one.len() < two.len() { (one, two) } else { (two, one) };
    long.starts_with(short).then(|| long.to_vec())
}

fn rank(name: u64, path: &[String], port: bool, scheme: bool) -> u64 {
    let path = u64::try_from(path.len()).unwrap_or(u64::MAX).min(0xffff);
    name << 24 | path << 8 | u64::from(port) << 1 | u64::from(scheme)
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = |f: &mut fmt::Formatter<'_>, path: &[String]| {
            path.iter().try_for_each(|part| write!(f, "/{part}"))
        };
        match &self.shape {
            Shape::Url { scheme, host, port, path } => {
                if let Some(scheme) = scheme {
                    write!(f, "{scheme}://")?;
                }
                write!(f, "{host}")?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                parts(f, path)
            }
            Shape::Bucket { provider, bucket, path } => {
                write!(f, "{provider}://{bucket}")?;
                parts(f, path)
            }
            Shape::EmailDomain(name) | Shape::Tool(name) => write!(f, "{name}"),
            Shape::Path(path) if path.is_empty() => f.write_str("/"),
            Shape::Path(path) => parts(f, path),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Exact(name) => f.write_str(name),
            Name::Below(suffix) => write!(f, "*.{suffix}"),
            Name::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

fn url_shape(text: &str) -> Result<Shape, MatcherError> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    if scheme.as_ref().is_some_and(|scheme| !is_scheme(scheme)) {
        return Err(MatcherError::Host);
    }
    if rest.contains(['?', '#', '@']) {
        return Err(MatcherError::Extra);
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !authority.ends_with(']') => (name, Some(port)),
        _ => (authority, None),
    };
    let digits = |port: &&str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port: Option<u16> = match port {
        None => None,
        Some(port) => {
            let number = Some(port).filter(digits).and_then(|port| port.parse().ok());
            Some(number.ok_or(MatcherError::Host)?)
        }
    };
    let host = host_name(name)?;
    let normal = match &host {
        Name::Exact(host) => url_of(host, path),
        _ => url_of("host.invalid", path),
    };
    let path = url_path(path, &normal.ok_or(MatcherError::Path)?).ok_or(MatcherError::Path)?;
    let is_address = canonical_host(name).is_some_and(|(_, is_address)| is_address);
    // `10.0.0.0/8` would be the path `8` of one host.
    let mask = |part: &String| part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 3;
    if is_address && scheme.is_none() && path.len() == 1 && path.iter().all(mask) {
        return Err(MatcherError::Range);
    }
    Ok(Shape::Url { scheme, host, port, path })
}

/// The path as the URL standard normalises it.
fn url_of(host: &str, path: &str) -> Option<String> {
    url::Url::parse(&format!("https://{host}{path}")).ok().map(|url| url.path().to_owned())
}

fn host_name(text: &str) -> Result<Name, MatcherError> {
    let (below, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    if name.contains('*') {
        return Err(MatcherError::Star);
    }
    let (host, is_address) = canonical_host(name).ok_or(MatcherError::Host)?;
    match below {
        true if is_address => Err(MatcherError::Star),
        true => Ok(Name::Below(host)),
        false => Ok(Name::Exact(host)),
    }
}

fn bucket_shape(text: &str) -> Result<Shape, MatcherError> {
    if text.contains('*') {
        return Err(MatcherError::Star);
    }
    let found = match text.split_once("://") {
        Some(("s3", rest)) => bucket("s3", rest),
        Some(("gs", rest)) => bucket("gs", rest),
        Some(("az", rest)) => azure(rest),
        _ => None,
    };
    let found = found.ok_or(MatcherError::Bucket)?;
    Ok(Shape::Bucket { provider: found.provider, bucket: found.bucket, path: found.path })
}

fn mail_name(text: &str) -> Result<Name, MatcherError> {
    let (below, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    if name.contains('*') {
        return Err(MatcherError::Star);
    }
    let domain = match below {
        // `*.internal`
        true => canonical_host(name).filter(|(_, is_address)| !is_address).map(|(it, _)| it),
        false => mail_domain(name),
    };
    let domain = domain.ok_or(MatcherError::Domain)?;
    Ok(if below { Name::Below(domain) } else { Name::Exact(domain) })
}

fn tool_name(text: &str) -> Result<Name, MatcherError> {
    let (prefix, name) = match text.strip_suffix('*') {
        Some(name) => (true, name),
        None => (false, text),
    };
    if name.contains('*') || name.is_empty() {
        return Err(MatcherError::Star);
    }
    if !is_tool(name) {
        return Err(MatcherError::Tool);
    }
    Ok(if prefix { Name::Prefix(name.to_owned()) } else { Name::Exact(name.to_owned()) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::target::describe;
    use super::*;

    fn url(text: &str) -> Matcher {
        Matcher::parse(MatcherKind::Url, text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn matches(kind: MatcherKind, matcher: &str, text: &str) -> bool {
        Matcher::parse(kind, matcher).expect("it is one").matches(text)
    }

    #[test]
    fn a_host_is_itself_and_nothing_else() {
        let openai = url("openai.com");
        for text in [
            "https://openai.com",
            "https://openai.com/",
            "HTTPS://OpenAI.COM/v1?q=1#x",
            "https://openai.com:8443/",
            "https://openai.com./",
            "https://user:secret@openai.com/",
            "https://%6fpenai.com/",
            "https://ｏpenai.com/",
            "openai.com",
            "openai.com:443/v1",
            "wss://openai.com/",
            "sftp://OPENAI.com/in",
        ] {
            assert!(openai.matches(text), "{text}");
        }
        for text in [
            "https://openai.com.evil.io/",
            "https://openai.com@evil.io/",
            "https://openai.com:443@evil.io/",
            "https://openai.com%40evil.io/",
            "https://a@openai.com@evil.io/",
            "https://evil.io/openai.com",
            "https://evil.io/@openai.com",
            "https://evil.io?openai.com",
            "https://evil.io#@openai.com",
            "https://evil.io\\@openai.com",
            "https://openai.com\\@evil.io",
            "https:\\\\openai.com",
            "https:openai.com",
            "https:///openai.com",
            "https:////openai.com",
            "https:/openai.com",
            "//openai.com",
            " https://openai.com",
            "https://openai.com ",
            "https://open ai.com",
            "https://openai.com\u{a0}",
            "https://open\u{ad}ai.com",
            "https://open\u{200b}ai.com",
            "https://openai.com\t.evil.io",
            "https://xopenai.com/",
            "https://api.openai.com/",
            "https://openai.co/",
            "https://openai.com../",
            "https://.openai.com/",
            "https://openai..com/",
            "https://\u{43e}penai.com/",
            "https://openai.com:99999/",
            "https://",
            "https:///",
            "http://?",
            "javascript:openai.com",
            "data:text/plain,openai.com",
            "1https://openai.com",
            "openai",
            "",
        ] {
            assert!(!openai.matches(text), "{text}");
        }
    }

    #[test]
    fn subdomains_are_below_a_dot() {
        let sub = url("*.example.com");
        assert!(sub.matches("https://a.example.com") && sub.matches("https://a.b.example.com/x"));
        for text in ["example.com", "https://badexample.com", "https://example.com.evil.io"] {
            assert!(!sub.matches(text), "{text}");
        }
        assert!(!url("*.0.0.1.example").matches("https://127.0.0.1/"));
    }

    #[test]
    fn addresses_have_one_form() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]:8080/",
            "http://１２７.0.0.1/",
            "ssh://127.1/",
        ] {
            assert!(url("127.0.0.1").matches(text), "{text}");
        }
        assert!(url("[::1]").matches("http://[0:0:0:0:0:0:0:1]/x"));
        assert!(url("[::1]:80").matches("[::1]:80"));
        assert!(
            !url("[::1]").matches("http://[::2]/") && !url("127.0.0.1").matches("http://[::1]/")
        );
        for text in ["http://[::1%25eth0]/", "http://256.1.1.1/", "http://1.2.3.4.5/"] {
            assert_eq!(describe(text), super::super::target::DestinationShape::default(), "{text}");
        }
        let range = Matcher::parse(MatcherKind::Url, "10.0.0.0/8");
        assert_eq!(range, Err(MatcherError::Range));
    }

    #[test]
    fn international_names_have_one_form() {
        let buecher = url("bücher.example");
        for text in [
            "https://xn--bcher-kva.example",
            "https://BÜCHER.example",
            "https://b%C3%BCcher.example",
        ] {
            assert!(buecher.matches(text), "{text}");
        }
        assert_eq!(buecher, url("xn--bcher-kva.example"));
        assert!(!url("paypal.com").matches("https://p\u{430}ypal.com"));
        assert!(!url("paypal.com").matches("https://xn--pypal-4ve.com"));
    }

    #[test]
    fn paths_are_whole_segments() {
        let matcher = url("example.com/v1/public");
        for text in [
            "https://example.com/v1/public",
            "https://example.com/v1/public/",
            "https://example.com/v1/public/x?y#z",
            "https://example.com/v1/%70ublic",
            "https://example.com/x/../v1/public",
            "https://example.com/v1/./public",
            "https://example.com//v1//public",
            "https://example.com/%2e/v1/public",
        ] {
            assert!(matcher.matches(text), "{text}");
        }
        for text in [
            "https://example.com/v1",
            "https://example.com/v1/publicity",
            "https://example.com/v1/Public",
            "https://example.com/v1/public/../secret",
            "https://example.com/v1/public/%2e%2e/secret",
            "https://example.com/v1%2fpublic",
            "https://example.com/v1/public/..%2fsecret",
            "https://example.com/v1/public/%5c..%5csecret",
            "https://example.com/v1/public/..;/secret",
            "https://example.com/v1/public//../x",
            "https://example.com/v1/public/%zz",
            "https://example.com/v1/public/%ff",
            "https://example.com/v1/public/%00",
            "https://example.com/?/v1/public",
            "https://example.com/#/v1/public",
        ] {
            assert!(!matcher.matches(text), "{text}");
        }
        // What a server may read in two ways belongs to no destination, not to the wider one.
        assert!(!url("example.com").matches("https://example.com/v1/..%2fsecret"));
    }

    #[test]
    fn ports_and_schemes_that_are_stated_have_to_be_there() {
        assert!(url("https://h.example:443").matches("https://h.example/"));
        assert!(url("h.example:443").matches("wss://h.example/"));
        assert!(!url("h.example:443").matches("http://h.example/"));
        assert!(!url("https://h.example").matches("http://h.example/"));
        assert!(!url("https://h.example").matches("h.example"));
        assert!(!url("h.example:443").matches("h.example"));
        assert!(url("http://localhost:8080/api").matches("http://localhost:8080/api/chat"));
    }

    #[test]
    fn the_most_special_matcher_wins() {
        let target = Target::read("https://a.b.example.com:8443/x/y").expect("it is one");
        let ascending = [
            "*.com",
            "*.example.com",
            "*.example.com:8443",
            "*.example.com/x/y",
            "*.b.example.com",
            "a.b.example.com",
            "https://a.b.example.com",
            "a.b.example.com:8443",
            "https://a.b.example.com:8443",
            "a.b.example.com/x",
            "a.b.example.com/x/y",
            "https://a.b.example.com:8443/x/y",
        ];
        let reaches: Vec<u64> =
            ascending.iter().map(|text| url(text).reach(&target).expect(text)).collect();
        assert!(reaches.is_sorted_by(|a, b| a < b), "{reaches:?}");
    }

    #[test]
    fn mail_goes_to_a_domain() {
        let mail = |matcher, text| matches(MatcherKind::EmailDomain, matcher, text);
        for text in [
            "ann@example.com",
            "mailto:ann@example.com",
            "MAILTO:ann.b+c@EXAMPLE.com",
            "jörg@example.com",
        ] {
            assert!(mail("example.com", text), "{text}");
        }
        assert!(
            mail("*.example.com", "a@mail.example.com")
                && mail("bücher.example", "a@xn--bcher-kva.example")
        );
        for text in [
            "ann@mail.example.com",
            "ann@example.com.evil.io",
            "ann@evil.io@example.com",
            "\"ann@evil.io\"@example.com",
            "\"ann\"@example.com",
            "ann(x)@example.com",
            "ann@(x)example.com",
            "Ann <ann@example.com>",
            "<ann@example.com>",
            "ann@example.com,eve@evil.io",
            "ann@example.com;eve@evil.io",
            "mailto:ann@example.com?cc=eve@evil.io",
            "mailto:ann@example.com?bcc=eve%40evil.io",
            "mailto:eve%40evil.io@example.com",
            "eve%evil.io@example.com",
            "evil.io!eve@example.com",
            "@evil.io:ann@example.com",
            ".ann@example.com",
            "ann..b@example.com",
            "ann.@example.com",
            "@example.com",
            "ann@",
            "ann@example.com.",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
            "ann@localhost",
            "mailto:",
        ] {
            assert!(!mail("example.com", text), "{text}");
        }
        assert!(!mail("*.example.com", "a@example.com"));
    }

    #[test]
    fn buckets_tools_and_files() {
        let bucket = |matcher, text| matches(MatcherKind::Bucket, matcher, text);
        assert!(
            bucket("s3://exports", "s3://exports/2026/a.csv")
                && bucket("s3://exports", "S3A://exports")
        );
        assert!(bucket("s3://exports/in", "s3://exports/in/a") && bucket("gs://b", "gs://b/"));
        assert!(bucket("az://acct/cont/in", "abfss://cont@acct.dfs.core.windows.net/in/x"));
        assert!(bucket("az://acct/cont", "az://acct/cont/x"));
        for text in [
            "s3://exports-evil/a",
            "s3://exports.evil.io",
            "s3://Exports/a",
            "s3://exports/../other",
            "s3://exports@other/a",
            "s3://exports:1/a",
            "s3://other/exports",
            "gs://exports/a",
            "s3:exports",
            "s3:///exports",
            "https://exports.s3.amazonaws.com/",
        ] {
            assert!(!bucket("s3://exports", text), "{text}");
        }
        assert!(
            !bucket("s3://exports/in", "s3://exports/inner")
                && !bucket("s3://exports/in", "s3://exports//in")
        );
        assert!(!bucket("az://acct/cont", "abfss://cont@acct.dfs.core.windows.net.evil.io/x"));

        let tool = |matcher, text| matches(MatcherKind::Tool, matcher, text);
        assert!(
            tool("web_search", "tool:web_search")
                && tool("mcp__github__*", "tool:mcp__github__push")
        );
        assert!(!tool("web_search", "tool:web_search2") && !tool("web_search", "web_search"));
        assert!(!tool("web_search", "tool:Web_search") && !tool("web_search", "tool:"));

        let path = |matcher, text| matches(MatcherKind::Path, matcher, text);
        for text in [
            "/srv/export",
            "/srv/export/a",
            "//srv/./export/a",
            "file:///srv/export/a%20b",
            "file:/srv/export",
            "FILE://localhost/srv/export",
        ] {
            assert!(path("/srv/export/", text), "{text}");
        }
        for text in [
            "/srv/exports",
            "/srv",
            "srv/export",
            "/srv/export/../x",
            "file://host/srv/export",
            "file:///srv%2fexport",
            "./srv/export",
            "~/srv/export",
        ] {
            assert!(!path("/srv/export", text), "{text}");
        }
        assert!(path("/", "/anything") && path("/srv/my files", "/srv/my files/a b"));
        assert!(path("/srv/my files", "file:///srv/my%20files") && !path("/srv", "/srv "));
    }

    #[test]
    fn texts_that_are_no_matchers_are_refused() {
        use MatcherError::{Bucket, Domain, Empty, Extra, Host, Odd, Path, Relative, Star, Tool};
        let refused = |kind, text: &str| Matcher::parse(kind, text).expect_err(text);
        for (text, error) in [
            ("", Empty),
            ("*", Star),
            ("a.*.com", Star),
            ("*example.com", Star),
            ("*.127.0.0.1", Star),
            ("https://u@h.example", Extra),
            ("h.example?x", Extra),
            ("h.example:x", Host),
            ("h.example:", Host),
            ("h.example:65536", Host),
            ("https://", Host),
            ("h example", Odd),
            ("h.example\\x", Odd),
            ("h.example/a%2fb", Path),
        ] {
            assert_eq!(refused(MatcherKind::Url, text), error, "{text}");
        }
        assert_eq!(refused(MatcherKind::Bucket, "exports"), Bucket);
        assert_eq!(refused(MatcherKind::Bucket, "s3://Exports"), Bucket);
        assert_eq!(refused(MatcherKind::Bucket, "az://container"), Bucket);
        assert_eq!(refused(MatcherKind::EmailDomain, "@example.com"), Domain);
        assert_eq!(refused(MatcherKind::EmailDomain, "localhost"), Domain);
        assert_eq!(refused(MatcherKind::Tool, "*"), Star);
        assert_eq!(refused(MatcherKind::Tool, &"x".repeat(257)), Tool);
        assert_eq!(refused(MatcherKind::Path, "srv"), Relative);
        assert_eq!(refused(MatcherKind::Path, "/srv/.."), Relative);
    }

    #[test]
    fn of_a_destination_scheme_and_host_are_kept() {
        let shape = |text: &str| {
            let shape = describe(text);
            (shape.kind.map_or("none", MatcherKind::as_str), shape.scheme, shape.host)
        };
        let of = |kind, scheme: &str, host: &str| (kind, scheme.to_owned(), host.to_owned());
        assert_eq!(
            shape("https://u:p@API.example.com:8443/ssn?q=1"),
            of("url", "https", "api.example.com")
        );
        assert_eq!(shape("s3://exports/ann@example.com"), of("bucket", "s3", "exports"));
        assert_eq!(shape("ann@example.com"), of("email_domain", "mailto", "example.com"));
        assert_eq!(shape("tool:078-05-1120"), of("tool", "tool", ""));
        assert_eq!(shape("/home/ann"), of("path", "file", ""));
        assert_eq!(shape("078-05-1120"), of("none", "", ""));
    }

    #[test]
    fn what_two_matchers_share_is_a_matcher() {
        let meet = |one, two| {
            let meets = [url(one).meet(&url(two)), url(two).meet(&url(one))];
            assert_eq!(meets[0], meets[1]);
            meets[0].as_ref().map(Matcher::to_string)
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(meet("*.example.com/v1", "api.example.com"), is("api.example.com/v1"));
        assert_eq!(meet("https://h.example", "h.example:443"), is("https://h.example:443"));
        assert_eq!(meet("*.example.com", "*.b.example.com/x"), is("*.b.example.com/x"));
        assert_eq!(meet("*.example.com", "*.example.com"), is("*.example.com"));
        assert_eq!(meet("*.example.com", "example.com"), None);
        assert_eq!(meet("a.example/x", "a.example/y"), None);
        assert_eq!(meet("http://a.example", "https://a.example"), None);
        assert_eq!(meet("a.example:1", "a.example:2"), None);
    }

    /// Pieces of which odd destinations are made.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "https", "s3", "mailto", "tool", "file", ":", "//", "/", "@", "\\", ".", "..", "%2e",
            "%2f", "%", "example", "com", "a", "*", "?", "#", "[", "]", "::1", "127", "1", "0x7f",
            ":80", " ", "\t", "ü", "xn--", "\u{ad}", "<", ">", "\"", ",",
        ]);
        prop_oneof![
            prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat()),
            ".{0,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_text_has_an_answer(text in text(), matcher in text()) {
            let shape = describe(&text);
            prop_assert!(!shape.host.contains(['@', '?', '#', '\\', ' ']));
            for kind in MatcherKind::ALL {
                let Ok(matcher) = Matcher::parse(kind, &matcher) else { continue };
                prop_assert!(!matcher.matches(&text) || shape.kind == Some(kind));
                // The one form of a matcher is a matcher that reads the same.
                let again = Matcher::parse(kind, &matcher.to_string());
                prop_assert!(again.is_err() || again == Ok(matcher));
            }
        }

        /// See the invariant of `reach`.
        #[test]
        fn equal_reach_is_an_equal_matcher(text in text(), one in text(), other in text()) {
            let Some(target) = Target::read(&text) else { return Ok(()) };
            for kind in MatcherKind::ALL {
                let (Ok(one), Ok(other)) = (Matcher::parse(kind, &one), Matcher::parse(kind, &other))
                else { continue };
                if let (Some(a), Some(b)) = (one.reach(&target), other.reach(&target)) {
                    let both = one.meet(&other).expect("both match the target");
                    prop_assert!(both.reach(&target) >= Some(a.max(b)));
                    let shared = both.representative();
                    prop_assert!(one.reach(&shared).is_some() && other.reach(&shared).is_some());
                    prop_assert!(a != b || one.key() == other.key(), "{one} {other}");
                }
            }
        }
    }
}
