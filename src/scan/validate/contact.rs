//! E-mail addresses, and words in lists.

use super::countries::Pairs;
use super::{Candidate, Check};

pub(super) use super::dates::{date, days_in_month};

/// Two-letter top-level domains: ISO 3166-1 codes and the few beside them that IANA delegated.
const COUNTRY_DOMAINS: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf \
    bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy \
    cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn \
    gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh \
    ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp \
    mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm \
    pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx \
    sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu \
    wf ws ye yt za zm zw";

/// Endings of file names, configuration keys and methods that stand behind `@` in code and are no
/// top-level domains.
const NOT_DOMAINS: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "ico", "css", "scss", "less", "html", "htm",
    "xhtml", "xml", "json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "pdf", "doc",
    "docx", "xls", "xlsx", "csv", "tsv", "exe", "dll", "jar", "war", "class", "java", "cpp", "hpp",
    "php", "jsx", "tsx", "mjs", "cjs", "min", "map", "log", "bak", "tmp", "gz", "tar", "tgz",
    "bz2", "whl", "rpm", "deb", "iso", "img", "sql", "lock",
];

/// RFC 5321 lengths and grammar, a top-level domain of a known shape. Example and reserved domains
/// (RFC 2606, RFC 6761, RFC 6762) are published. `user@host` inside a URI is no e-mail address.
pub(super) fn email(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let Some(at) = value.iter().rposition(|byte| *byte == b'@') else { return Check::Invalid };
    let (local, domain) = value.split_at_checked(at).unwrap_or_default();
    let domain = domain.get(1..).unwrap_or_default();
    // Such as `git@host.org:path`: the login of a service, not of a person.
    if !(1..=64).contains(&local.len()) || !is_dotted(local) || local == b"git" {
        return Check::Invalid;
    }
    let Some((second, top)) = last_labels(domain).filter(|(_, top)| top_level(top)) else {
        return Check::Invalid;
    };
    if inside_uri(candidate.before()) {
        return Check::Invalid;
    }
    let is_in = |words: &[&str]| words.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(top));
    let reserved = is_in(&["example", "test", "invalid", "localhost", "local", "internal", "lan"])
        || second.eq_ignore_ascii_case(b"example") && is_in(&["com", "net", "org", "edu"]);
    Check::Valid.published_if(reserved)
}

/// Whether no part between dots is empty.
fn is_dotted(text: &[u8]) -> bool {
    let mut before = b'.';
    for byte in text {
        if *byte == b'.' && before == b'.' {
            return false;
        }
        before = *byte;
    }
    before != b'.'
}

/// The second last and the last label of a domain that has two or more, and each within its bounds.
fn last_labels(domain: &[u8]) -> Option<(&[u8], &[u8])> {
    if !(4..=253).contains(&domain.len()) {
        return None;
    }
    let (mut second, mut top): (&[u8], &[u8]) = (&[], &[]);
    for label in domain.split(|byte| *byte == b'.') {
        let hyphens = label.starts_with(b"-") || label.ends_with(b"-");
        if !(1..=63).contains(&label.len()) || hyphens {
            return None;
        }
        (second, top) = (top, label);
    }
    (!second.is_empty()).then_some((second, top))
}

fn top_level(top: &[u8]) -> bool {
    match top.len() {
        0 | 1 => false,
        2 if top.is_ascii() => {
            const DOMAINS: Pairs = Pairs::of(COUNTRY_DOMAINS);
            DOMAINS.hold(top)
        }
        _ => {
            let letters = top.iter().all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
            let punycode = top.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"xn--"));
            (letters || punycode) && !is_other(top)
        }
    }
}

/// Whether it is one of [`NOT_DOMAINS`], in any case.
fn is_other(top: &[u8]) -> bool {
    const NUMBERS: [u64; NOT_DOMAINS.len()] = {
        let (mut numbers, mut words) = ([0; NOT_DOMAINS.len()], NOT_DOMAINS);
        let mut left = numbers.as_mut_slice();
        while let ([word, more @ ..], [number, rest @ ..]) = (words, left) {
            assert!(word.len() <= LONGEST_OTHER);
            *number = in_lower_case(word.as_bytes());
            (words, left) = (more, rest);
        }
        numbers
    };
    top.len() <= LONGEST_OTHER && NUMBERS.contains(&in_lower_case(top))
}

/// The longest of [`NOT_DOMAINS`] at most.
const LONGEST_OTHER: usize = 8;

/// Up to eight letters as a number, in lower case.
const fn in_lower_case(mut word: &[u8]) -> u64 {
    let mut number = 0;
    while let [byte, rest @ ..] = word {
        number = number << 8 | byte.to_ascii_lowercase() as u64;
        word = rest;
    }
    number
}

/// Whether the bytes before a value are the start of a URI's user part: `scheme://user:`.
fn inside_uri(before: &[u8]) -> bool {
    let user = |byte: &u8| {
        matches!(
            byte,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%' | b'!'
                | b'$' | b'&' | b'\'' | b'*' | b'+' | b',' | b';' | b'=' | b':'
        )
    };
    let run = before.iter().rev().take_while(|byte| user(byte)).count();
    before.get(..before.len() - run).is_some_and(|rest| rest.ends_with(b"://"))
}

/// Whether one of the words, separated by spaces, equals the bytes in any case.
pub(super) fn one_of(words: &str, bytes: &[u8]) -> bool {
    words.split_ascii_whitespace().any(|word| word.as_bytes().eq_ignore_ascii_case(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn email_addresses() {
        for address in ["jane.doe@acme.co.uk", "a@b.de", "x+y_z@mail.museum", "j@xn--bcher-kva.de"]
        {
            valid(Validator::Email, address);
        }
        for address in ["jane@example.com", "root@sub.example.org", "a@printer.local", "x@y.test"] {
            published(Validator::Email, address);
        }
        for address in [
            "icon@2x.png",
            "lodash@4.17.21",
            "git@github.com",
            "a..b@acme.de",
            "a@acme",
            "a@-acme.de",
            "a@acme.zz",
        ] {
            invalid(Validator::Email, address);
        }
    }

    #[test]
    fn the_user_of_a_uri_is_no_email_address() {
        for (text, start, found) in [
            ("https://joe:word@acme.de/x", 12, false),
            ("mailto:joe@acme.de", 7, true),
            ("ldap://joe@acme.de", 7, false),
            ("a/joe@acme.de", 2, true),
        ] {
            let end = text.find(".de").unwrap() + 3;
            let candidate = Candidate { text: text.as_bytes(), start, end, limit: text.len() };
            assert_eq!(email(candidate) == Check::Valid, found, "{text}");
        }
    }
}
