//! Postal addresses.

use super::contact::one_of;
use super::digits::Digits;
use super::{Candidate, Check};

/// Inclusive ranges.
type Ranges = &'static [(u64, u64)];

/// State and the first three digits of its ZIP codes (USPS Publication 65, L002), as ranges.
const ZIP_PREFIXES: &[(&[u8; 2], Ranges)] = &[
    (b"AA", &[(340, 340)]),
    (b"AE", &[(90, 98)]),
    (b"AK", &[(995, 999)]),
    (b"AL", &[(350, 369)]),
    (b"AP", &[(962, 966)]),
    (b"AR", &[(716, 729)]),
    (b"AS", &[(967, 967)]),
    (b"AZ", &[(850, 865)]),
    (b"CA", &[(900, 961)]),
    (b"CO", &[(800, 816)]),
    (b"CT", &[(60, 69)]),
    (b"DC", &[(200, 205), (569, 569)]),
    (b"DE", &[(197, 199)]),
    (b"FL", &[(320, 349)]),
    (b"GA", &[(300, 319), (398, 399)]),
    (b"GU", &[(969, 969)]),
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
    (b"VI", &[(8, 8)]),
    (b"VT", &[(50, 59)]),
    (b"WA", &[(980, 994)]),
    (b"WI", &[(530, 549)]),
    (b"WV", &[(247, 268)]),
    (b"WY", &[(820, 831)]),
];

/// Names of the states and their abbreviations.
const STATES: &[(&str, &[u8; 2])] = &[
    ("alabama", b"AL"),
    ("alaska", b"AK"),
    ("arizona", b"AZ"),
    ("arkansas", b"AR"),
    ("california", b"CA"),
    ("north carolina", b"NC"),
    ("south carolina", b"SC"),
    ("colorado", b"CO"),
    ("connecticut", b"CT"),
    ("north dakota", b"ND"),
    ("south dakota", b"SD"),
    ("delaware", b"DE"),
    ("district of columbia", b"DC"),
    ("florida", b"FL"),
    ("georgia", b"GA"),
    ("hawaii", b"HI"),
    ("idaho", b"ID"),
    ("illinois", b"IL"),
    ("indiana", b"IN"),
    ("iowa", b"IA"),
    ("kansas", b"KS"),
    ("kentucky", b"KY"),
    ("louisiana", b"LA"),
    ("maine", b"ME"),
    ("maryland", b"MD"),
    ("massachusetts", b"MA"),
    ("michigan", b"MI"),
    ("minnesota", b"MN"),
    ("mississippi", b"MS"),
    ("missouri", b"MO"),
    ("montana", b"MT"),
    ("nebraska", b"NE"),
    ("nevada", b"NV"),
    ("new hampshire", b"NH"),
    ("new jersey", b"NJ"),
    ("new mexico", b"NM"),
    ("new york", b"NY"),
    ("ohio", b"OH"),
    ("oklahoma", b"OK"),
    ("oregon", b"OR"),
    ("pennsylvania", b"PA"),
    ("puerto rico", b"PR"),
    ("rhode island", b"RI"),
    ("tennessee", b"TN"),
    ("texas", b"TX"),
    ("utah", b"UT"),
    ("vermont", b"VT"),
    ("west virginia", b"WV"),
    ("virginia", b"VA"),
    ("washington", b"WA"),
    ("wisconsin", b"WI"),
    ("wyoming", b"WY"),
];

/// The last words are a state, by its abbreviation or its name, and a ZIP code that the postal service
/// assigned to it.
pub(super) fn address_us(value: &[u8]) -> Check {
    let space = |byte: &u8| matches!(byte, b' ' | b',' | b'\n' | b'\r' | b'\t');
    let mut words = value.rsplit(space).filter(|w| !w.is_empty());
    let (Some(zip), Some(last)) = (words.next(), words.next()) else { return Check::Invalid };
    let Some(prefix) = zip.get(..3).and_then(|head| Digits::read(head, b"")) else {
        return Check::Invalid;
    };
    let rest = value.get(..value.len().saturating_sub(zip.len())).unwrap_or_default();
    let trimmed = rest.iter().rposition(|byte| !space(byte)).map_or(0, |at| at + 1);
    let rest = rest.get(..trimmed).unwrap_or_default();
    let named = STATES.iter().find(|(name, _)| {
        let tail = rest.get(rest.len().saturating_sub(name.len())..).unwrap_or_default();
        tail.eq_ignore_ascii_case(name.as_bytes())
    });
    let state = named.map_or(last, |(_, code)| code.as_slice());
    let prefix = prefix.number(0, 3);
    Check::of(ZIP_PREFIXES.iter().any(|(code, ranges)| {
        code.eq_ignore_ascii_case(state)
            && ranges.iter().any(|(low, high)| (*low..=*high).contains(&prefix))
    }))
}

/// Postcode areas of Royal Mail and of the islands.
const AREAS: &str = "ab al b ba bb bd bh bl bn br bs bt ca cb cf ch cm co cr ct cv cw da dd de dg dh dl dn dt dy e \
    ec eh en ex fk fy g gl gu gy ha hd hg hp hr hs hu hx ig im ip iv je ka kt kw ky l la ld le ll ln ls lu m \
    me mk ml n ne ng nn np nr nw ol ox pa pe ph pl po pr rg rh rm s sa se sg sk sl sm sn so sp sr ss st sw sy ta \
    td tf tn tq tr ts tw ub w wa wc wd wf wn wr ws wv yo ze";

/// The value ends with a United Kingdom postcode (BS 7666): an area that exists, a district, and an
/// inward code without C, I, K, M, O, V.
pub(super) fn uk_postcode(value: &[u8]) -> Check {
    let letters =
        |byte: &u8| byte.is_ascii_alphabetic() && !b"CIKMOV".contains(&byte.to_ascii_uppercase());
    let Some((rest, [sector, a, b])) = value.split_last_chunk::<3>() else { return Check::Invalid };
    let start = rest.trim_ascii_end();
    let outward = start.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    let area = outward.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (area, district) = outward.split_at_checked(area).unwrap_or_default();
    let district = match district {
        [a] => a.is_ascii_digit(),
        [a, b] => a.is_ascii_digit() && b.is_ascii_alphanumeric(),
        _ => false,
    };
    Check::of(
        sector.is_ascii_digit() && letters(a) && letters(b) && one_of(AREAS, area) && district,
    )
}

/// What stands behind the label of an address and is none: a network or memory address, a link, a
/// mailbox. A postal address has a number of one to six digits and a word of three letters and more that
/// begins with a capital.
pub(super) fn labelled_address(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let words = || value.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b';'));
    let number = words().any(|word| {
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (1..=6).contains(&digits) && word.len() <= digits + 4
    });
    let named = words().any(|word| {
        let capital =
            word.first().is_some_and(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
        capital && word.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 3
    });
    let foreign = value.iter().any(|byte| b"@=<>{}[]_*|\\\"".contains(byte))
        || value.windows(3).any(|part| part == b"://")
        || value.starts_with(b"0x");
    let before = candidate.before();
    let label = before.iter().rev().skip_while(|byte| !byte.is_ascii_alphabetic());
    let mut label: Vec<u8> = label.copied().take(24).collect();
    label.reverse();
    let mut kinds = label.split(|byte| !byte.is_ascii_alphanumeric()).rev().skip(1);
    let other = kinds.next().is_some_and(|kind| {
        one_of(
            "ip mac email e-mail mail web memory base bus load start target socket server \
            network wallet bitcoin return function hardware virtual physical register",
            kind,
        )
    });
    Check::of(number && named && !foreign && !other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn postal_addresses_whose_state_and_zip_agree() {
        valid(Validator::AddressUs, "742 Evergreen Terrace, Springfield, IL 62704");
        valid(Validator::AddressUs, "1 Main St, Boston, MA 02108-1234");
        invalid(Validator::AddressUs, "742 Evergreen Terrace, Springfield, IL 90210");
        assert!(ZIP_PREFIXES.is_sorted());
        valid(Validator::AddressUs, "1 Main St, Raleigh, North Carolina 27601");
        invalid(Validator::AddressUs, "1 Main St, Raleigh, North Carolina 29201");
        valid(Validator::AddressUs, "PSC 3294, Box 9168\nAPO AA 34087");
    }

    #[test]
    fn postcodes_of_the_united_kingdom() {
        for code in ["SW1A 1AA", "M1 1AE", "EC1A 1BB", "cr2 6xh", "DN55 1PT", "B338TH"] {
            valid(Validator::UkPostcode, code);
        }
        for code in ["ZZ1 1AA", "SW1A 1AC", "SW1A1", "M 1AE", "QQ9 9QQ"] {
            invalid(Validator::UkPostcode, code);
        }
    }

    #[test]
    fn addresses_behind_a_label() {
        valid(Validator::LabelledAddress, "22 Bramstrup, København K");
        valid(Validator::LabelledAddress, "Hauptstraße 12a");
        for text in
            ["0x7fff5694", "jane@acme.de 12 Main", "main street", "127 bytes", "http://Acme.de/ 12"]
        {
            invalid(Validator::LabelledAddress, text);
        }
    }
}
