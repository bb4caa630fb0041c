//! Numbers of devices, SIM cards and vehicles.

use super::digits::{Digits, luhn, uniform};
use super::network::hex;
use super::{Candidate, Check, stands_alone};

/// IMEI (3GPP TS 23.003 section 6.2): 15 digits, the last a Luhn check digit over the others, or the
/// 14 digits without it; a reporting body identifier that was assigned.
pub(super) fn imei(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -/.") else { return Check::Invalid };
    let all = digits.as_slice();
    let checked = match all.len() {
        15 => luhn(all),
        // Printed forms leave the check digit out or, with a software version, replace it.
        14 | 16 => true,
        _ => false,
    };
    // TAC: 01 (PTCRB) and the bodies of Annex B; 00 is for tests.
    let body = matches!(
        digits.number(0, 2),
        1 | 10 | 30 | 33 | 35 | 44 | 45 | 49 | 50..=54 | 86 | 91 | 98 | 99
    );
    let valid = checked && body && !uniform(all) && stands_alone(&candidate);
    Check::of(valid).published_if(EXAMPLE_IMEI.contains(&digits.number(0, 14)))
}

/// Numbers of manuals: GSMA's and Wikipedia's.
const EXAMPLE_IMEI: &[u64] = &[49_015_420_323_751, 35_209_900_176_148];

/// MEID (3GPP2 S.R0048-A): 14 hexadecimal digits that begin with A0 to FF, or 18 decimal ones that
/// stand for them, perhaps with a Luhn check digit in the same base.
pub(super) fn meid(candidate: Candidate<'_>) -> Check {
    let mut sum = 0;
    let mut digits = [0u8; 19];
    let mut len = 0;
    for byte in candidate.value().iter().filter(|byte| !b" -.".contains(byte)) {
        let (Some(place), true) = (digits.get_mut(len), byte.is_ascii_hexdigit()) else {
            return Check::Invalid;
        };
        *place = hex(*byte);
        len += 1;
    }
    let all = digits.get(..len).unwrap_or_default();
    let base = if len >= 18 { 10 } else { 16 };
    let body = if base == 10 { 18 } else { 14 };
    for (place, digit) in all.iter().take(body).rev().enumerate() {
        let double = u32::from(*digit) * if place % 2 == 0 { 2 } else { 1 };
        sum += double / base + double % base;
    }
    let checked = match len - body.min(len) {
        0 => true,
        _ => all.last().is_some_and(|check| (sum + u32::from(*check)).is_multiple_of(base)),
    };
    let value = |from, to| super::digits::number(all.get(from..to).unwrap_or_default());
    let range = match (len, base) {
        (14 | 15, 16) => all.first().is_some_and(|first| *first >= 10),
        (18 | 19, 10) => {
            all.iter().all(|digit| *digit < 10)
                && (0xA000_0000..=0xFFFF_FFFF).contains(&value(0, 10))
                && value(10, 18) <= 0xFF_FFFF
        }
        _ => false,
    };
    Check::of(range && checked && stands_alone(&candidate))
}

/// ICCID (ITU-T E.118): 89, country code, issuer; 19 or 20 digits. The last is a Luhn check digit;
/// some issuers print the 18 or 19 digits before it alone.
pub(super) fn iccid(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let value = value.strip_suffix(b"F").or(value.strip_suffix(b"f")).unwrap_or(value);
    let Some(digits) = Digits::read(value, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let checked = match all.len() {
        18 => true,
        19 | 20 => luhn(all) || all.len() == 20 && luhn(all.get(..19).unwrap_or_default()),
        _ => false,
    };
    let valid = all.starts_with(&[8, 9]) && checked && stands_alone(&candidate);
    Check::of(valid && !uniform(all.get(2..).unwrap_or_default()))
}

/// First digits of the mobile country codes that ITU-T E.212 assigned, as ranges of the code.
const MOBILE_COUNTRIES: &[(u64, u64)] = &[
    (202, 202),
    (204, 204),
    (206, 206),
    (208, 208),
    (212, 214),
    (216, 216),
    (218, 222),
    (225, 226),
    (228, 228),
    (230, 232),
    (234, 235),
    (238, 238),
    (240, 240),
    (242, 242),
    (244, 244),
    (246, 248),
    (250, 250),
    (255, 255),
    (257, 257),
    (259, 260),
    (262, 262),
    (266, 268),
    (270, 270),
    (272, 272),
    (274, 274),
    (276, 276),
    (278, 278),
    (280, 280),
    (282, 284),
    (286, 286),
    (288, 290),
    (292, 295),
    (297, 297),
    (302, 302),
    (308, 308),
    (310, 316),
    (330, 330),
    (332, 332),
    (334, 334),
    (338, 338),
    (340, 340),
    (342, 342),
    (344, 344),
    (346, 346),
    (348, 348),
    (350, 350),
    (352, 352),
    (354, 354),
    (356, 356),
    (358, 358),
    (360, 360),
    (362, 366),
    (368, 368),
    (370, 370),
    (372, 372),
    (374, 374),
    (376, 376),
    (400, 402),
    (404, 406),
    (410, 410),
    (412, 422),
    (424, 432),
    (434, 434),
    (436, 438),
    (440, 441),
    (450, 450),
    (452, 452),
    (454, 457),
    (460, 461),
    (466, 467),
    (470, 470),
    (472, 472),
    (502, 502),
    (505, 505),
    (510, 510),
    (514, 515),
    (520, 520),
    (525, 525),
    (528, 528),
    (530, 530),
    (536, 537),
    (539, 555),
    (602, 657),
    (659, 659),
    (702, 702),
    (704, 704),
    (706, 706),
    (708, 708),
    (710, 710),
    (712, 712),
    (714, 714),
    (716, 716),
    (722, 722),
    (724, 724),
    (730, 730),
    (732, 732),
    (734, 734),
    (736, 736),
    (738, 738),
    (740, 740),
    (742, 742),
    (744, 744),
    (746, 746),
    (748, 748),
    (750, 750),
    (901, 901),
];

/// IMSI (ITU-T E.212): 15 digits, rarely 14, that begin with an assigned mobile country code. 001
/// is the test network.
pub(super) fn imsi(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let code = digits.number(0, 3);
    let test = code == 1 || code == 999;
    let known = MOBILE_COUNTRIES.iter().any(|(low, high)| (*low..=*high).contains(&code));
    let valid = matches!(all.len(), 14 | 15)
        && (known || test)
        && !uniform(all.get(5..).unwrap_or_default())
        && stands_alone(&candidate);
    Check::of(valid).published_if(test)
}

/// Value and weight of a VIN's characters: 49 CFR 565.15(c), tables III and IV.
fn transliterated(byte: u8) -> Option<u32> {
    const LETTERS: &[u8; 26] = b"12345678.12345.7.923456789";
    match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => {
            let value = LETTERS.get(usize::from(byte - b'A')).copied()?;
            value.is_ascii_digit().then(|| u32::from(value - b'0'))
        }
        _ => None,
    }
}

/// Whether the ninth character is the remainder of the weighted sum, X for ten.
fn vin_checked(value: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let values = value.iter().map(|byte| transliterated(byte.to_ascii_uppercase()));
    let sum = values.zip(WEIGHTS).try_fold(0, |sum, (value, weight)| Some(sum + value? * weight));
    let check = value.get(8).map(u8::to_ascii_uppercase);
    sum.is_some_and(|sum| match sum % 11 {
        10 => check == Some(b'X'),
        digit => check.map(u32::from) == Some(digit + u32::from(b'0')),
    })
}

/// Seventeen characters without I, O and Q, the last four digits (ISO 3779), letters and digits mixed.
fn vin_shaped(candidate: &Candidate<'_>) -> bool {
    let value = candidate.value();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    value.len() == 17
        && value.iter().all(|byte| transliterated(byte.to_ascii_uppercase()).is_some())
        && value.get(13..).is_some_and(|tail| tail.iter().all(u8::is_ascii_digit))
        && (2..=13).contains(&letters)
        && value.first() != Some(&b'0')
        && stands_alone(candidate)
}

/// A VIN with its check digit, which North America and China demand (49 CFR 565.15, GB 16735).
pub(super) fn vin(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let example = [b"1M8GDM9AXKP042788".as_slice(), b"11111111111111111"].contains(&value);
    Check::of(vin_shaped(&candidate) && vin_checked(value)).published_if(example)
}

/// A VIN of ISO 3779 without a check digit, as European makers issue it.
pub(super) fn vin_unchecked(candidate: Candidate<'_>) -> Check {
    Check::of(vin_shaped(&candidate))
}

/// A UUID (RFC 9562) that is neither nil nor one repeated digit.
pub(super) fn uuid(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let digits = || value.iter().filter(|byte| **byte != b'-');
    let first = digits().next();
    let repeated = digits().all(|byte| Some(byte) == first);
    let shaped =
        [8usize, 4, 4, 4, 12].into_iter().eq(value.split(|byte| *byte == b'-').map(<[u8]>::len));
    Check::of(
        shaped && digits().all(u8::is_ascii_hexdigit) && !repeated && stands_alone(&candidate),
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn mobile_equipment() {
        valid(Validator::Imei, "35-417803-685978-9");
        valid(Validator::Imei, "356938035643809");
        published(Validator::Imei, "490154203237518");
        for number in ["356938035643808", "000000000000000", "126938035643809", "3569380356438"] {
            invalid(Validator::Imei, number);
        }
        valid(Validator::Meid, "AF 01 23 45 0A BC DE C");
        valid(Validator::Meid, "293608736500703710");
        for number in ["GF0123450ABCDE", "29360 87365 9999 9999 4", "0F0123450ABCDE"] {
            invalid(Validator::Meid, number);
        }
    }

    #[test]
    fn sim_cards_and_subscribers() {
        valid(Validator::Iccid, "8944500102198304826");
        invalid(Validator::Iccid, "8944500102198304827");
        invalid(Validator::Iccid, "9944500102198304826");
        valid(Validator::Imsi, "262011234567890");
        published(Validator::Imsi, "001010123456789");
        invalid(Validator::Imsi, "111011234567890");
    }

    #[test]
    fn vehicles() {
        valid(Validator::Vin, "1HGCM82633A004352");
        published(Validator::Vin, "1M8GDM9AXKP042788");
        for number in ["1HGCM82643A004352", "1HGCM82633A00435", "IHGCM82633A004352"] {
            invalid(Validator::Vin, number);
        }
        valid(Validator::VinUnchecked, "WVWZZZ1KZAW123456");
        invalid(Validator::VinUnchecked, "WVWZZZ1KZAW12345X");
    }
}
