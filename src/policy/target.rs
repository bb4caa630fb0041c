//! What the text of a destination means, where it means one thing to everybody.

use std::net::Ipv6Addr;

use url::{Host, Url};

use super::MatcherKind;

/// The most bytes of a host name (RFC 1035, section 2.3.4, without the last dot).
const MAX_HOST: usize = 253;

/// The destination that a text names. A text that two programs may read in two ways names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Something with a network host.
    Url(UrlTarget),
    /// An object of a bucket.
    Bucket(BucketTarget),
    /// An e-mail address, by its domain.
    Email(String),
    /// A tool, by its name.
    Tool(String),
    /// A file, by the parts of its absolute path.
    Path(Vec<String>),
}

/// A URL without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UrlTarget {
    /// In lower case; none for a host that was named alone.
    pub scheme: Option<String>,
    /// As the URL standard writes it: Punycode, lower case, addresses in their one form.
    pub host: String,
    /// Whether the host is an address.
    pub is_address: bool,
    /// The port, that of the scheme where none was named.
    pub port: Option<u16>,
    /// The parts of the path, percent-decoded.
    pub path: Vec<String>,
}

/// A bucket and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketTarget {
    /// `s3`, `gs` or `az`.
    pub provider: &'static str,
    /// Name of the bucket; `account/container` for `az`.
    pub bucket: String,
    /// The parts of the object's key, as they are.
    pub path: Vec<String>,
}

/// What may be written down of a destination that is not registered: no user, path or query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationShape {
    /// What it is; none where the text cannot be read as a destination.
    pub kind: Option<MatcherKind>,
    /// Scheme of a URL, provider of a bucket; else empty.
    pub scheme: String,
    /// Host of a URL, name of a bucket, domain of an e-mail address; else empty.
    pub host: String,
}

/// Says what kind of destination a text names, and of its text scheme and host alone. Total.
pub fn describe(text: &str) -> DestinationShape {
    let (kind, scheme, host) = match Target::read(text) {
        None => return DestinationShape::default(),
        Some(Target::Url(url)) => (MatcherKind::Url, url.scheme.unwrap_or_default(), url.host),
        Some(Target::Bucket(it)) => (MatcherKind::Bucket, it.provider.to_owned(), it.bucket),
        Some(Target::Email(domain)) => (MatcherKind::EmailDomain, "mailto".to_owned(), domain),
        Some(Target::Tool(_)) => (MatcherKind::Tool, "tool".to_owned(), String::new()),
        Some(Target::Path(_)) => (MatcherKind::Path, "file".to_owned(), String::new()),
    };
    DestinationShape { kind: Some(kind), scheme, host }
}

impl Target {
    /// Reads a text; none where it is no destination, or not surely one.
    pub fn read(text: &str) -> Option<Target> {
        // Programs differ in what they do with a backslash, and strip white space or do not.
        let file = text.starts_with('/');
        if text.is_empty() || text.chars().any(|c| is_odd(c, file)) || text.ends_with(' ') {
            return None;
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            return match scheme.as_str() {
                "file" => file_path(&format!("//{rest}")),
                "s3" | "s3a" | "s3n" => bucket("s3", rest).map(Target::Bucket),
                "gs" => bucket("gs", rest).map(Target::Bucket),
                "az" => azure(rest).map(Target::Bucket),
                "abfs" | "abfss" | "wasb" | "wasbs" => azure_endpoint(rest).map(Target::Bucket),
                _ => url(&scheme, rest).map(Target::Url),
            };
        }
        if let Some(rest) = after_scheme(text, "mailto:") {
            return email_domain(rest).map(Target::Email);
        }
        if let Some(rest) = after_scheme(text, "tool:") {
            return is_tool(rest).then(|| Target::Tool(rest.to_owned()));
        }
        if let Some(rest) = after_scheme(text, "file:") {
            return file_path(rest);
        }
        if text.starts_with('/') {
            return absolute(text).map(Target::Path);
        }
        if text.contains('@') {
            return email_domain(text).map(Target::Email);
        }
        bare(text).map(Target::Url)
    }
}

/// The text behind a scheme in any case.
fn after_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Whether programs differ in what they make of a character. Paths of files may hold spaces.
pub(super) fn is_odd(c: char, file: bool) -> bool {
    let space = c.is_whitespace() && !(file && c == ' ');
    c.is_control() || space || c == '\\' || is_invisible(c)
}

/// Characters that a person does not see, or that turn the direction of writing. A host may hold
/// some of them in the URL standard, which drops them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a text is a scheme by RFC 3986, section 3.1.
pub(super) fn is_scheme(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    first && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// A URL of a scheme with an authority.
fn url(scheme: &str, rest: &str) -> Option<UrlTarget> {
    // With more or fewer slashes the URL standard finds a host where RFC 3986 finds none.
    if !is_scheme(scheme) || rest.starts_with('/') {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
    let (host, is_address) = canonical_host(url.host_str()?)?;
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at_checked(authority)?;
    // More than one `@`: which of them ends the user is a matter of the program.
    if authority.matches('@').count() > 1 {
        return None;
    }
    let raw_path = behind.split(['?', '#']).next().unwrap_or_default();
    let path = url_path(raw_path, url.path())?;
    let port = url.port_or_known_default();
    Some(UrlTarget { scheme: Some(scheme.to_owned()), host, is_address, port, path })
}

/// A host without a scheme, with or without port and path: `api.example.com:8443/v1`. One name
/// without a dot is no host, but for `localhost`: it may be a mistyped id.
fn bare(text: &str) -> Option<UrlTarget> {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let name = match authority.rsplit_once(':') {
        Some((name, _)) if !authority.ends_with(']') => name,
        _ => authority,
    };
    let is_host = name.starts_with('[') || name.contains('.') || name == "localhost";
    if !is_host || name.contains(':') && !name.starts_with('[') {
        return None;
    }
    let with_port = authority.len() > name.len();
    let mut target = url("https", text)?;
    target.scheme = None;
    if !with_port {
        target.port = None;
    }
    Some(target)
}

/// A host in its one form, and whether it is an address.
pub(super) fn canonical_host(text: &str) -> Option<(String, bool)> {
    match Host::parse(text).ok()? {
        Host::Ipv4(address) => Some((address.to_string(), true)),
        Host::Ipv6(address) => Some((canonical_v6(address), true)),
        Host::Domain(domain) => {
            let domain = domain.strip_suffix('.').unwrap_or(&domain);
            let named = !domain.is_empty() && domain.len() <= MAX_HOST;
            let labels = domain.split('.').all(|label| (1..=63).contains(&label.len()));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (named && labels && domain.bytes().all(plain)).then(|| (domain.to_owned(), false))
        }
    }
}

/// An address of IPv4 that is wrapped in one of IPv6 reaches the same machine.
fn canonical_v6(address: Ipv6Addr) -> String {
    match address.to_ipv4_mapped() {
        Some(address) => address.to_string(),
        None => format!("[{address}]"),
    }
}

/// The parts of a path: `raw` as it was written, `normal` after the dot segments were removed.
/// None where servers do not agree on what it means.
pub(super) fn url_path(raw: &str, normal: &str) -> Option<Vec<String>> {
    let dotted = raw.split('/').any(|part| is_dots(&percent_decoded(part).unwrap_or_default()));
    if dotted && raw.contains("//") {
        return None;
    }
    let parts = normal.split('/').filter(|part| !part.is_empty()).map(percent_decoded);
    let parts: Vec<String> = parts.collect::<Option<_>>()?;
    // `%2f` and `%5c` are separators for some servers, and `..;` goes up for others.
    let odd = |part: &String| {
        let control = |c: char| c.is_control() || c == '/' || c == '\\';
        part.chars().any(control) || is_dots(part.split(';').next().unwrap_or_default())
    };
    (!parts.iter().any(odd)).then_some(parts)
}

fn is_dots(part: &str) -> bool {
    part == "." || part == ".."
}

/// A text with `%41` decoded; none where the result is no UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = text.bytes().peekable();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        // A `%` that is no escape: some programs refuse it, some keep it.
        let high = digit(bytes.next()?)?;
        let low = digit(bytes.next()?)?;
        out.push(high * 16 + low);
    }
    String::from_utf8(out).ok()
}

/// A bucket and key behind `s3://` or `gs://`.
pub(super) fn bucket(provider: &'static str, rest: &str) -> Option<BucketTarget> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let path = key_parts(key)?;
    is_bucket(bucket).then(|| BucketTarget { provider, bucket: bucket.to_owned(), path })
}

/// `account/container/key` behind `az://`.
pub(super) fn azure(rest: &str) -> Option<BucketTarget> {
    let (account, rest) = rest.split_once('/')?;
    azure_parts(account, rest)
}

/// `container@account.dfs.core.windows.net/key` behind `abfss://` and its like.
fn azure_endpoint(rest: &str) -> Option<BucketTarget> {
    let (container, rest) = rest.split_once('@')?;
    let (endpoint, key) = rest.split_once('/').unwrap_or((rest, ""));
    let endpoint = endpoint.to_ascii_lowercase();
    let account = [".dfs.core.windows.net", ".blob.core.windows.net"]
        .iter()
        .find_map(|domain| endpoint.strip_suffix(domain))?;
    azure_parts(account, &format!("{container}/{key}"))
}

fn azure_parts(account: &str, rest: &str) -> Option<BucketTarget> {
    let (container, key) = rest.split_once('/').unwrap_or((rest, ""));
    let path = key_parts(key)?;
    let named = is_bucket(account) && is_bucket(container);
    named.then(|| BucketTarget { provider: "az", bucket: format!("{account}/{container}"), path })
}

/// Names of buckets are lower case where they are made; old ones may hold `_`.
fn is_bucket(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= 222 && name.bytes().all(plain) && !is_dots(name)
}

/// The parts of an object's key. A key is no path: `%2f`, `//` and case mean themselves. But some
/// programs walk up at `..` and cut at `?`.
fn key_parts(key: &str) -> Option<Vec<String>> {
    if key.contains(['?', '#']) {
        return None;
    }
    let key = key.strip_suffix('/').unwrap_or(key);
    let parts: Vec<String> =
        if key.is_empty() { Vec::new() } else { key.split('/').map(str::to_owned).collect() };
    (!parts.iter().any(|part| is_dots(part))).then_some(parts)
}

/// The domain of a plain address: no quotes, comments, routes, lists or headers.
fn email_domain(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    // RFC 5322, section 3.2.3, without the marks that relays and URLs give a meaning to.
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"#$&'*+-/=^_`{|}~".contains(&byte);
    let beyond_ascii = |c: char| !c.is_ascii();
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| beyond_ascii(c) || c.is_ascii() && atom(c as u8))
    };
    if !local.split('.').all(plain) || local.len() > 64 {
        return None;
    }
    mail_domain(domain)
}

/// A domain in its one form; no address.
pub(super) fn mail_domain(text: &str) -> Option<String> {
    if text.contains(['%', '[', ':', '/']) || text.ends_with('.') || !text.contains('.') {
        return None;
    }
    canonical_host(text).filter(|(_, is_address)| !is_address).map(|(domain, _)| domain)
}

/// Whether a text can be the name of a tool.
pub(super) fn is_tool(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && name.chars().all(|c| !c.is_whitespace() && c != '*')
}

/// The path of a `file:` URL, which is of this machine.
fn file_path(rest: &str) -> Option<Target> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => {
            let (host, path) = rest.split_at_checked(rest.find('/')?)?;
            (host.is_empty() || host.eq_ignore_ascii_case("localhost")).then_some(path)?
        }
        None => rest,
    };
    if path.contains(['?', '#']) {
        return None;
    }
    let decoded: Option<Vec<String>> = path.split('/').map(percent_decoded).collect();
    let decoded = decoded?;
    let odd = |part: &String| part.chars().any(|c| c.is_control() || c == '/' || c == '\\');
    if decoded.iter().any(odd) {
        return None;
    }
    absolute(&decoded.join("/")).map(Target::Path)
}

/// The parts of an absolute path. Where `..` leads depends on links, so it leads nowhere here.
pub(super) fn absolute(path: &str) -> Option<Vec<String>> {
    let parts = path.strip_prefix('/')?.split('/');
    let parts: Vec<String> =
        parts.filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
    (!parts.iter().any(|part| part == "..")).then_some(parts)
}
