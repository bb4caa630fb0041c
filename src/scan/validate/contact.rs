//! Ways to reach a person: e-mail, telephone, network and postal addresses; dates.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::digits::{Digits, number, uniform};
use super::{Candidate, Check, stands_alone};

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
const NOT_DOMAINS: &str = "png jpg jpeg gif svg webp bmp ico css scss less html htm xhtml xml json \
    yaml yml toml ini cfg conf txt pdf doc docx xls xlsx csv tsv exe dll jar war class java cpp \
    hpp php jsx tsx mjs cjs min map log bak tmp gz tar tgz bz2 whl rpm deb iso img sql lock";

/// RFC 5321 lengths and grammar, a top-level domain of a known shape. Example and reserved domains
/// (RFC 2606, RFC 6761, RFC 6762) are published. `user@host` inside a URI is no e-mail address.
pub(super) fn email(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let Some(at) = value.iter().rposition(|byte| *byte == b'@') else { return Check::Invalid };
    let (local, domain) = value.split_at_checked(at).unwrap_or_default();
    let domain = domain.get(1..).unwrap_or_default();
    let dotted = |part: &[u8]| part.split(|byte| *byte == b'.').all(|label| !label.is_empty());
    let labels = domain.split(|byte| *byte == b'.');
    let grammar = (1..=64).contains(&local.len())
        && (4..=253).contains(&domain.len())
        && dotted(local)
        && labels.clone().count() >= 2
        && labels.clone().all(|label| {
            (1..=63).contains(&label.len()) && !label.starts_with(b"-") && !label.ends_with(b"-")
        });
    let mut last = labels.rev();
    let (top, second) = (last.next().unwrap_or_default(), last.next().unwrap_or_default());
    // Such as `git@host.org:path`: the login of a service, not of a person.
    let service = local == b"git" || inside_uri(candidate.before());
    if !grammar || service || !top_level(top) {
        return Check::Invalid;
    }
    let reserved = one_of("example test invalid localhost local internal lan", top)
        || second.eq_ignore_ascii_case(b"example") && one_of("com net org edu", top);
    Check::Valid.published_if(reserved)
}

fn top_level(top: &[u8]) -> bool {
    match top.len() {
        0 | 1 => false,
        2 if top.is_ascii() => one_of(COUNTRY_DOMAINS, top),
        _ => {
            let letters = top.iter().all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
            let punycode = top.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"xn--"));
            (letters || punycode) && !one_of(NOT_DOMAINS, top)
        }
    }
}

/// Whether the bytes before a value are the start of a URI's user part: `scheme://user:`.
fn inside_uri(before: &[u8]) -> bool {
    let user = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'*+,;=:".contains(byte);
    let run = before.iter().rev().take_while(|byte| user(byte)).count();
    before.get(..before.len() - run).is_some_and(|rest| rest.ends_with(b"://"))
}

/// Whether one of the words, separated by spaces, equals the bytes in any case.
pub(super) fn one_of(words: &str, bytes: &[u8]) -> bool {
    words.split_ascii_whitespace().any(|word| word.as_bytes().eq_ignore_ascii_case(bytes))
}

/// Country calling codes of ITU-T E.164 with one and two digits; every other code has three.
const SHORT_CODES: &[u64] = &[
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54,
    55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// Three-digit country codes as inclusive ranges.
const LONG_CODES: Ranges = &[
    (211, 213),
    (216, 216),
    (218, 218),
    (220, 258),
    (260, 269),
    (290, 291),
    (297, 299),
    (350, 359),
    (370, 378),
    (380, 383),
    (385, 387),
    (389, 389),
    (420, 421),
    (423, 423),
    (500, 509),
    (590, 599),
    (670, 670),
    (672, 683),
    (685, 692),
    (800, 800),
    (808, 808),
    (850, 850),
    (852, 853),
    (855, 856),
    (870, 870),
    (880, 883),
    (886, 886),
    (888, 888),
    (960, 968),
    (970, 977),
    (979, 979),
    (992, 996),
    (998, 998),
];

/// With `+`: a country code and the length of E.164. With a leading zero: a national number of 9
/// to 12 digits. Else a number of the North American plan. Numbers that a regulator reserved for
/// fiction are published.
pub(super) fn phone(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let plus = value.starts_with(b"+");
    let Some(digits) = Digits::read(value.strip_prefix(b"+").unwrap_or(value), b" -./()") else {
        return Check::Invalid;
    };
    let all = digits.as_slice();
    if !stands_alone(&candidate) || uniform(all) {
        return Check::Invalid;
    }
    match all {
        [1, national @ ..] if plus => north_american(national),
        _ if plus => {
            let short = SHORT_CODES.contains(&digits.number(0, 1))
                || SHORT_CODES.contains(&digits.number(0, 2));
            let code = digits.number(0, 3);
            let known =
                short || LONG_CODES.iter().any(|(low, high)| (*low..=*high).contains(&code));
            let valid = known && (8..=15).contains(&all.len());
            Check::of(valid).published_if(reserved_for_fiction(all))
        }
        [0, second, ..] => {
            let valid = *second != 0 && (9..=12).contains(&all.len());
            Check::of(valid).published_if(reserved_for_fiction(all))
        }
        [1, national @ ..] if national.len() == 10 => north_american(national),
        national => north_american(national),
    }
}

/// 7 to 15 digits before an extension (`x123`), no date, not one repeated digit: behind a label, where
/// old, local and mistyped numbers stand too, no numbering plan is asked.
pub(super) fn labelled_phone(candidate: Candidate<'_>) -> Check {
    let mut parts = candidate.value().split(|byte| *byte == b'x');
    let number = parts.next().unwrap_or_default();
    let Some(digits) = Digits::read(number.strip_prefix(b"+").unwrap_or(number), b" -./()") else {
        return Check::Invalid;
    };
    let all = digits.as_slice();
    Check::of(
        (7..=15).contains(&all.len())
            && !uniform(all)
            && stands_alone(&candidate)
            && date(candidate) != Check::Valid,
    )
    .published_if(reserved_for_fiction(all))
}

/// NANPA 555-0100 to 555-0199; Ofcom 020 7946 0xxx and 07700 900xxx, with or without country code.
fn reserved_for_fiction(digits: &[u8]) -> bool {
    let british = digits.strip_prefix(&[4, 4]).or(digits.strip_prefix(&[0])).unwrap_or_default();
    let american = digits.strip_prefix(&[1]).unwrap_or(digits);
    british.starts_with(&[2, 0, 7, 9, 4, 6, 0])
        || british.starts_with(&[7, 7, 0, 0, 9, 0, 0])
        || american.len() == 10
            && american.get(3..).is_some_and(|l| l.starts_with(&[5, 5, 5, 0, 1]))
}

/// NANP: area code and exchange code begin with 2 to 9 and do not end in 11; no area code has a
/// middle 9.
fn north_american(national: &[u8]) -> Check {
    let &[a1, a2, a3, e1, e2, e3, ref line @ ..] = national else { return Check::Invalid };
    let valid = line.len() == 4
        && a1 >= 2
        && a2 != 9
        && e1 >= 2
        && (a2, a3) != (1, 1)
        && (e2, e3) != (1, 1)
        && !uniform(national.get(3..).unwrap_or_default());
    Check::of(valid).published_if(reserved_for_fiction(national))
}

/// An address that parses and is assigned to hosts. Ranges of RFC 1918, 5737, 6598, 6890, 3849 and
/// 4193, loopback, link-local, multicast, network addresses and those whose octets are all single
/// digits (public resolvers, or rather version numbers) are published. A number that goes on, or
/// that a product name and `/` precede, is no address.
pub(super) fn ip_address(candidate: Candidate<'_>) -> Check {
    let Ok(text) = std::str::from_utf8(candidate.value()) else { return Check::Invalid };
    let mut back = candidate.before().iter().rev();
    let mut on = candidate.after().iter();
    let product = back.next() == Some(&b'/') && back.next().is_some_and(u8::is_ascii_alphanumeric);
    let goes_on = match (on.next(), on.next()) {
        (Some(b'.' | b':'), Some(next)) => {
            next.is_ascii_hexdigit() && !text.contains('.')
                || next.is_ascii_digit() && candidate.after().first() == Some(&b'.')
        }
        (Some(b'-' | b'+'), Some(next)) => next.is_ascii_alphabetic(),
        (Some(next), _) => next.is_ascii_alphanumeric() || *next == b'_',
        _ => false,
    };
    if goes_on || product {
        return Check::Invalid;
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Check::Valid.published_if(reserved_v4(address));
    }
    let Ok(address) = text.parse::<Ipv6Addr>() else { return Check::Invalid };
    let [first, second, ..] = address.segments();
    let documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff && second < 0x1000;
    let assigned = (0x2000..=0x3fff).contains(&first);
    let special = matches!(first, 0xfc00..=0xfdff | 0xfe80..=0xfebf) || address.is_loopback();
    Check::of(assigned || special).published_if(documentation || special)
}

fn reserved_v4(address: Ipv4Addr) -> bool {
    let octets = address.octets();
    let [a, b, _, last] = octets;
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || a == 100 && (64..128).contains(&b)
        || a == 198 && matches!(b, 18 | 19)
        || last == 0
        || octets.iter().all(|octet| *octet < 10)
}

/// A day that exists, in 1900 to 2100, as year-month-day, day-month-year, month-day-year or with
/// the name of the month; years of two digits belong to the last or this century.
pub(super) fn date(candidate: Candidate<'_>) -> Check {
    if !stands_alone(&candidate) {
        return Check::Invalid;
    }
    let value = candidate.value();
    let mut fields = [0u64; 3];
    let mut lengths = [0usize; 3];
    let mut found = 0;
    for run in value.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if let Some(digits) = run.first().filter(|byte| byte.is_ascii_digit()).map(|_| run) {
            let (Some(field), Some(length)) = (fields.get_mut(found), lengths.get_mut(found))
            else {
                return Check::Invalid;
            };
            let values: Option<Digits> = Digits::read(digits, b"");
            *field = values.map_or(0, |digits| number(digits.as_slice()));
            *length = digits.len();
            found += 1;
        }
    }
    let named = month_name(value);
    let (first, second, third) = (fields[0], fields[1], fields[2]);
    let valid = match (found, lengths, named) {
        (1, [8, ..], None) => day_exists(first / 10_000, first / 100 % 100, first % 100),
        (3, [4, 1..=2, 1..=2], None) => day_exists(first, second, third),
        (3, [1..=2, 1..=2, 2 | 4], None) => {
            let year = if lengths[2] == 2 { 2000 + third } else { third };
            day_exists(year, second, first) || day_exists(year, first, second)
        }
        (2, [1..=2, 4, 0], Some(month)) => day_exists(second, month, first),
        (2, [4, 1..=2, 0], Some(month)) => day_exists(first, month, second),
        _ => false,
    };
    Check::of(valid)
}

fn day_exists(year: u64, month: u64, day: u64) -> bool {
    (1900..=2100).contains(&year) && (1..=days_in_month(year, month)).contains(&day)
}

/// Days of a month in the Gregorian calendar; 0 for a month that does not exist.
pub(super) fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// The month that a word of the value names, in English, German, French or Spanish.
fn month_name(value: &[u8]) -> Option<u64> {
    const STARTS: [&str; 12] = [
        "jan ene",
        "feb fév fev",
        "mar mär",
        "apr avr abr",
        "may mai",
        "jun juin",
        "jul juil",
        "aug aoû aou ago",
        "sep",
        "oct okt",
        "nov",
        "dec dez déc dic",
    ];
    let mut words = value.split(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic());
    let word = words.find(|word| word.len() >= 3 && !one_of("den the del", word))?;
    (1..=12).zip(STARTS).find_map(|(month, starts)| {
        let mut starts = starts.split(' ');
        let begins = |start: &str| {
            word.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
        };
        starts.any(begins).then_some(month)
    })
}

/// Inclusive ranges.
type Ranges = &'static [(u64, u64)];

/// State and the first three digits of its ZIP codes (USPS Publication 65, L002), as ranges.
const ZIP_PREFIXES: &[(&[u8; 2], Ranges)] = &[
    (b"AK", &[(995, 999)]),
    (b"AL", &[(350, 369)]),
    (b"AR", &[(716, 729)]),
    (b"AZ", &[(850, 865)]),
    (b"CA", &[(900, 961)]),
    (b"CO", &[(800, 816)]),
    (b"CT", &[(60, 69)]),
    (b"DC", &[(200, 205), (569, 569)]),
    (b"DE", &[(197, 199)]),
    (b"FL", &[(320, 349)]),
    (b"GA", &[(300, 319), (398, 399)]),
    (b"HI", &[(967, 968)]),
    (b"IA", &[(500, 528)]),
    (b"ID", &[(832, 838)]),
    (b"IL", &[(600, 629)]),
    (b"IN", &[(460, 479)]),
    (b"KS", &[(660, 679)]),
    (b"KY", &[(400, 427)]),
    (b"LA", &[(700, 714)]),
    (b"MA", &[(10, 27), (55, 55)]),
    (b"MD", &[(206, 219)]),
    (b"ME", &[(39, 49)]),
    (b"MI", &[(480, 499)]),
    (b"MN", &[(550, 567)]),
    (b"MO", &[(630, 658)]),
    (b"MS", &[(386, 397)]),
    (b"MT", &[(590, 599)]),
    (b"NC", &[(270, 289)]),
    (b"ND", &[(580, 588)]),
    (b"NE", &[(680, 693)]),
    (b"NH", &[(30, 38)]),
    (b"NJ", &[(70, 89)]),
    (b"NM", &[(870, 884)]),
    (b"NV", &[(889, 898)]),
    (b"NY", &[(100, 149), (5, 5), (63, 63)]),
    (b"OH", &[(430, 459)]),
    (b"OK", &[(730, 749)]),
    (b"OR", &[(970, 979)]),
    (b"PA", &[(150, 196)]),
    (b"PR", &[(6, 9)]),
    (b"RI", &[(28, 29)]),
    (b"SC", &[(290, 299)]),
    (b"SD", &[(570, 577)]),
    (b"TN", &[(370, 385)]),
    (b"TX", &[(750, 799), (885, 885)]),
    (b"UT", &[(840, 847)]),
    (b"VA", &[(201, 201), (220, 246)]),
    (b"VT", &[(50, 59)]),
    (b"WA", &[(980, 994)]),
    (b"WI", &[(530, 549)]),
    (b"WV", &[(247, 268)]),
    (b"WY", &[(820, 831)]),
];

/// The last two words are a state and a ZIP code that the postal service assigned to it.
pub(super) fn address_us(value: &[u8]) -> Check {
    let mut words =
        value.rsplit(|byte| matches!(byte, b' ' | b',' | b'\n' | b'\r')).filter(|w| !w.is_empty());
    let (Some(zip), Some(state)) = (words.next(), words.next()) else { return Check::Invalid };
    let Some(prefix) = zip.get(..3).and_then(|head| Digits::read(head, b"")) else {
        return Check::Invalid;
    };
    let prefix = prefix.number(0, 3);
    Check::of(ZIP_PREFIXES.iter().any(|(code, ranges)| {
        code.as_slice() == state
            && ranges.iter().any(|(low, high)| (*low..=*high).contains(&prefix))
    }))
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

    #[test]
    fn telephone_numbers() {
        for number in [
            "+49 30 901820",
            "+442071838750",
            "(212) 736-3100",
            "1-800-356-9377",
            "+1 415 867 5309",
            "030 901820",
            "01 42 92 81 00",
        ] {
            valid(Validator::Phone, number);
        }
        for number in [
            "(212) 555-0147",
            "+1 212 555 0147",
            "+44 20 7946 0018",
            "020 7946 0018",
            "+447700900545",
        ] {
            published(Validator::Phone, number);
        }
        for number in [
            "123-456-7890",
            "(211) 736-3100",
            "212-911-3100",
            "295-736-3100",
            "+1 123 456 7890",
            "+999 123 4567",
            "+49 3",
            "00 00 00 00 00",
        ] {
            invalid(Validator::Phone, number);
        }
    }

    #[test]
    fn telephone_numbers_behind_a_label() {
        for number in ["60-56-85-91", "467 3395", "345-899-3560x4587", "(99) 645-791", "1234567"] {
            valid(Validator::LabelledPhone, number);
        }
        published(Validator::LabelledPhone, "212-555-0147x12");
        for number in ["12.03.1987", "0000000", "123456", "1234567890123456", "1987-03-12"] {
            invalid(Validator::LabelledPhone, number);
        }
    }

    #[test]
    fn network_addresses() {
        for address in ["81.2.69.142", "2a02:810d:4bc0:8dc::1", "2607:f8b0:4005:805::200e"] {
            valid(Validator::IpAddress, address);
        }
        for address in [
            "10.1.2.3",
            "127.0.0.1",
            "192.0.2.44",
            "1.2.3.4",
            "120.0.0.0",
            "100.64.3.77",
            "2001:db8::12",
            "fe80::1ff:fe23",
            "::1",
        ] {
            published(Validator::IpAddress, address);
        }
        for address in ["256.1.1.10", "81.2.69", "a::b", "12:34:56", "::", "01.02.03.44"] {
            invalid(Validator::IpAddress, address);
        }
        for (text, start, end) in
            [("Chrome/120.0.60.99", 7, 18), ("1.3.6.14.55", 0, 8), ("11.2.33.4-beta", 0, 9)]
        {
            let candidate = Candidate { text: text.as_bytes(), start, end, limit: text.len() };
            assert_eq!(ip_address(candidate), Check::Invalid, "{text}");
        }
    }

    #[test]
    fn dates_in_the_orders_that_people_write() {
        for text in [
            "1987-03-12",
            "12/31/1987",
            "31.12.1987",
            "3/4/87",
            "19870312",
            "12 March 1987",
            "Feb 29, 2000",
            "1. Mai 1970",
        ] {
            valid(Validator::Date, text);
        }
        for text in
            ["1987-02-30", "31/31/1987", "1899-12-31", "Feb 29, 1900", "12 Foo 1987", "1987"]
        {
            invalid(Validator::Date, text);
        }
    }

    #[test]
    fn postal_addresses_whose_state_and_zip_agree() {
        valid(Validator::AddressUs, "742 Evergreen Terrace, Springfield, IL 62704");
        valid(Validator::AddressUs, "1 Main St, Boston, MA 02108-1234");
        invalid(Validator::AddressUs, "742 Evergreen Terrace, Springfield, IL 90210");
        assert!(ZIP_PREFIXES.is_sorted());
        assert_eq!(ZIP_PREFIXES.len(), 52);
    }
}
