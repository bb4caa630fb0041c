//! Payment cards: number, magnetic stripe tracks.

use super::digits::{Digits, luhn, uniform};
use super::{Candidate, Check, Verdict, stands_alone};

/// Issuer prefixes as ranges over `digits` leading digits, with the lengths of their numbers
/// (ISO/IEC 7812-1 issuer ranges as the schemes publish them).
const ISSUERS: &[(u32, u64, u64, std::ops::RangeInclusive<usize>)] = &[
    (1, 4, 4, 13..=13),           // Visa, retired length
    (1, 4, 4, 16..=16),           // Visa
    (1, 4, 4, 18..=19),           // Visa
    (2, 51, 55, 16..=16),         // Mastercard
    (4, 2221, 2720, 16..=16),     // Mastercard, second range
    (2, 34, 34, 15..=15),         // American Express
    (2, 37, 37, 15..=15),         // American Express
    (4, 6011, 6011, 16..=19),     // Discover
    (3, 644, 649, 16..=19),       // Discover
    (2, 65, 65, 16..=19),         // Discover, RuPay, Troy, Verve
    (3, 300, 305, 14..=19),       // Diners Club
    (4, 3095, 3095, 14..=19),     // Diners Club
    (2, 36, 36, 14..=19),         // Diners Club
    (2, 38, 39, 14..=19),         // Diners Club
    (4, 3528, 3589, 16..=19),     // JCB
    (4, 3088, 3094, 16..=19),     // JCB
    (4, 3096, 3102, 16..=19),     // JCB
    (4, 3112, 3120, 16..=19),     // JCB
    (4, 3158, 3159, 16..=19),     // JCB
    (4, 3337, 3349, 16..=19),     // JCB
    (4, 1800, 1800, 15..=15),     // JCB, before 1990
    (4, 2131, 2131, 15..=15),     // JCB, before 1990
    (2, 62, 62, 16..=19),         // UnionPay
    (2, 81, 82, 16..=19),         // UnionPay, RuPay
    (2, 60, 60, 16..=16),         // RuPay, Hipercard
    (3, 508, 508, 16..=16),       // RuPay
    (3, 353, 353, 16..=16),       // RuPay
    (3, 356, 356, 16..=16),       // RuPay
    (4, 2200, 2204, 16..=19),     // Mir
    (4, 9792, 9792, 16..=16),     // Troy
    (4, 9704, 9704, 16..=19),     // Napas
    (2, 50, 50, 12..=19),         // Maestro, Verve, Elo
    (2, 56, 58, 12..=19),         // Maestro
    (3, 639, 639, 12..=19),       // Maestro
    (2, 67, 67, 12..=19),         // Maestro
    (4, 6304, 6304, 12..=19),     // Maestro, Laser
    (4, 6706, 6709, 16..=19),     // Laser
    (6, 636297, 636297, 16..=16), // Elo
    (6, 636368, 636368, 16..=16), // Elo
    (6, 604400, 604400, 16..=16), // Naranja and others
    (4, 5610, 5610, 16..=16),     // Bankcard
];

/// Test numbers that card schemes and payment processors publish for their test systems. Those
/// that begin with 400000, which no bank has, are not listed one by one.
const TEST_NUMBERS: &[u64] = &[
    // Visa
    4_111_111_111_111_111,
    4_012_888_888_881_881,
    4_242_424_242_424_242,
    4_222_222_222_222,
    4_000_056_655_665_556,
    4_001_590_000_000_001,
    4_001_020_000_000_009,
    4_005_519_200_000_004,
    4_009_348_888_881_881,
    4_012_000_033_330_026,
    4_012_000_077_777_777,
    4_012_888_818_888,
    4_007_000_000_027,
    4_131_840_000_000_003,
    4_151_500_000_000_008,
    4_166_676_667_666_746,
    4_199_350_000_000_002,
    4_217_651_111_111_119,
    4_263_982_640_269_299,
    4_293_189_100_000_008,
    4_444_333_322_221_111,
    4_462_030_000_000_000,
    4_484_600_000_000_004,
    4_485_040_371_536_584,
    4_500_600_000_000_061,
    4_543_474_002_249_996,
    4_571_000_000_000_001,
    4_607_000_000_000_009,
    4_646_464_646_464_644,
    4_658_584_090_000_001,
    4_917_610_000_000_000,
    4_977_949_494_949_497,
    4_988_080_000_000_000,
    4_988_438_843_884_305,
    4_485_983_356_242_217,
    // Braintree, by what they stand for
    4_229_989_800_000_003,
    4_111_111_111_131_010,
    4_229_989_700_000_004,
    4_229_989_100_000_000,
    4_111_161_010_101_010,
    4_117_101_010_101_010,
    4_111_111_510_101_010,
    4_111_111_114_101_010,
    4_111_111_111_111_210,
    4_229_989_900_000_002,
    4_229_989_500_000_006,
    4_111_111_141_010_101,
    4_111_111_111_121_102,
    4_111_111_111_310_101,
    4_111_111_111_112_101,
    5_066_991_111_111_118,
    6_062_820_524_845_321,
    4_000_111_111_111_115,
    371_260_714_673_002,
    378_267_515_471_109,
    371_544_868_764_018,
    4_023_898_493_988_028,
    // Mastercard
    5_555_555_555_554_444,
    5_105_105_105_105_100,
    5_200_828_282_828_210,
    5_454_545_454_545_454,
    5_424_000_000_000_015,
    5_100_290_029_002_909,
    5_101_180_000_000_007,
    5_136_333_333_333_335,
    5_431_111_111_111_111,
    5_436_031_030_606_378,
    5_500_000_000_000_004,
    5_555_341_244_441_115,
    5_555_444_433_331_111,
    5_577_000_055_770_004,
    5_585_558_555_855_583,
    5_199_992_312_641_465,
    2_223_003_122_003_222,
    2_223_000_048_400_011,
    2_223_000_010_309_703,
    2_223_000_010_309_711,
    2_222_400_070_000_005,
    2_222_410_740_360_010,
    2_222_400_010_000_008,
    2_223_520_443_560_010,
    // American Express
    378_282_246_310_005,
    371_449_635_398_431,
    378_734_493_671_000,
    370_000_000_000_002,
    340_000_000_000_009,
    374_245_455_400_126,
    343_434_343_434_343,
    345_678_901_234_564,
    371_144_371_144_376,
    374_101_000_000_608,
    // Discover
    6_011_111_111_111_117,
    6_011_000_990_139_424,
    6_011_981_111_111_113,
    6_011_000_000_000_004,
    6_011_000_000_000_012,
    6_011_601_160_116_611,
    6_445_644_564_456_445,
    // Diners Club
    30_569_309_025_904,
    38_520_000_023_237,
    36_227_206_271_667,
    36_700_102_000_000,
    36_006_666_333_344,
    38_000_000_000_006,
    30_123_456_789_019,
    3_056_930_009_020_004,
    // JCB
    3_530_111_333_300_000,
    3_566_002_020_360_505,
    3_566_111_111_111_113,
    3_569_990_010_095_841,
    3_088_000_000_000_017,
    3_528_000_700_000_000,
    // UnionPay
    6_200_000_000_000_005,
    6_243_030_000_000_001,
    6_250_946_000_000_016,
    6_205_500_000_000_000_004,
    // Maestro
    6_759_649_826_438_453,
    6_771_798_021_000_008,
    5_000_550_000_000_029,
    6_304_000_000_000_000,
    6_799_990_100_000_000_019,
];

/// A card number that stands alone: no digit group joins it on either side.
pub(super) fn payment_card(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let grouped = value.iter().any(|byte| !byte.is_ascii_digit());
    if !stands_alone(&candidate) || (grouped && in_row_of_groups(&candidate)) {
        return Check::Invalid;
    }
    number(value)
}

/// A number of a card's length with a Luhn digit, of whatever issuer: for use behind a label.
pub(super) fn card_like(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -.") else { return Check::Invalid };
    let all = digits.as_slice();
    let valid = (12..=19).contains(&all.len())
        && luhn(all)
        && !all.split_last().is_some_and(|(_, body)| uniform(body))
        && stands_alone(&candidate);
    Check::of(valid).published_if(valid && is_test(&digits))
}

/// Whether groups of four digits go on beside the value: a dump or a table of numbers.
fn in_row_of_groups(candidate: &Candidate<'_>) -> bool {
    let group = |bytes: &[u8]| {
        bytes.split_first().is_some_and(|(first, digits)| {
            *first == b' ' && digits.len() == 4 && digits.iter().all(u8::is_ascii_digit)
        })
    };
    let behind = candidate.after().first_chunk::<10>().is_some_and(|bytes| {
        let (one, other) = bytes.split_at(5);
        group(one) && group(other)
    });
    let before = candidate.before().last_chunk::<5>().is_some_and(|bytes| {
        let (digits, space) = bytes.split_at(4);
        space == b" " && digits.iter().all(u8::is_ascii_digit)
    });
    behind || before
}

/// A card number with its middle masked: first six or eight and last four, or the last four alone.
pub(super) fn truncated_card(candidate: Candidate<'_>) -> Check {
    let mut shown = [0u8; 19];
    let (mut length, mut visible, mut masked) = (0, 0, 0);
    let mut lead = 0;
    for byte in candidate.value() {
        match byte {
            b'0'..=b'9' => {
                if let Some(place) = shown.get_mut(visible) {
                    *place = byte - b'0';
                }
                visible += 1;
                length += 1;
                lead += usize::from(masked == 0);
            }
            b'*' | b'x' | b'X' | b'#' => {
                masked += 1;
                length += 1;
            }
            // U+2022, the bullet: three bytes, counted at the last.
            0xa2 => {
                masked += 1;
                length += 1;
            }
            0xe2 | 0x80 | b' ' | b'-' | b'.' => {}
            _ => return Check::Invalid,
        }
    }
    let issued = lead == 0
        || ISSUERS.iter().any(|(leading, low, high, lengths)| {
            let leading = (*leading as usize).min(lead);
            let cut =
                |bound: u64, digits: u32| bound / 10u64.pow(digits.saturating_sub(leading as u32));
            let prefix = super::digits::number(shown.get(..leading).unwrap_or_default());
            let digits = bound_digits(*low);
            lengths.contains(&length) && (cut(*low, digits)..=cut(*high, digits)).contains(&prefix)
        });
    let split = (lead == 0 && visible == 4) || (matches!(lead, 4 | 6 | 8) && visible == lead + 4);
    Check::of((12..=19).contains(&length) && masked >= 4 && split && issued && alone(&candidate))
}

fn bound_digits(bound: u64) -> u32 {
    bound.checked_ilog10().map_or(1, |digits| digits + 1)
}

/// No letter or digit beside the value.
fn alone(candidate: &Candidate<'_>) -> bool {
    let free = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
    free(candidate.before().last()) && free(candidate.after().first())
}

/// A verification code: three or four digits that no longer number, date or amount goes on from.
pub(super) fn card_code(candidate: Candidate<'_>) -> Check {
    let digits = Digits::read(candidate.value(), b"");
    let sized = digits.is_some_and(|digits| matches!(digits.as_slice().len(), 3 | 4));
    let on = match candidate.after() {
        [b',' | b'/' | b':', next, ..] => next.is_ascii_digit(),
        [b'%', ..] => true,
        _ => false,
    };
    Check::of(sized && !on && stands_alone(&candidate))
}

/// A month of expiry: MM/YY or MM/YYYY, or the year first, from 2000 to 2059.
pub(super) fn card_expiry(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let mut parts = value.split(|byte| !byte.is_ascii_digit()).filter(|part| !part.is_empty());
    let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else {
        return Check::Invalid;
    };
    let (month, year) = if first.len() == 4 { (second, first) } else { (first, second) };
    let read = |part: &[u8]| Digits::read(part, b"").map(|digits| digits.number(0, part.len()));
    let (Some(month), Some(value)) = (read(month), read(year)) else { return Check::Invalid };
    let year = match year.len() {
        2 => value + 2000,
        4 => value,
        _ => return Check::Invalid,
    };
    let valid = (1..=12).contains(&month) && (2000..2060).contains(&year);
    let on = matches!(candidate.after(), [b'/' | b'-' | b'.', next, ..] if next.is_ascii_digit());
    Check::of(valid && !on && stands_alone(&candidate))
}

/// A month of expiry with a card number before it: at most forty bytes without digits between.
pub(super) fn expiry_behind_card(candidate: Candidate<'_>) -> Check {
    let before = candidate.before();
    let gap = before.iter().rev().take_while(|byte| !byte.is_ascii_digit()).count();
    let before = before.get(..before.len().saturating_sub(gap)).unwrap_or_default();
    let run = before
        .iter()
        .rev()
        .take(23)
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
        .count();
    let card = before.get(before.len().saturating_sub(run)..).unwrap_or_default().trim_ascii();
    if gap > 40 || number(card) == Check::Invalid { Check::Invalid } else { card_expiry(candidate) }
}

/// A PIN block in hexadecimal digits (ISO 9564-1): eight or sixteen bytes that are no filler.
pub(super) fn pin_block(value: &[u8]) -> Check {
    let first = value.first();
    let distinct = value.iter().filter(|digit| Some(*digit) != first).count();
    let sized = matches!(value.len(), 16 | 32) && value.iter().all(u8::is_ascii_hexdigit);
    Check::of(sized && distinct >= 4)
}

/// A card number in EMV data objects (EMV Book 3, annexes A and B): tag, length, and a value that
/// is a number padded with F (5A) or track 2 (57, 9F6B). The value ends where its length says.
pub(super) fn emv_tlv(candidate: Candidate<'_>) -> Verdict {
    let text = candidate.text.get(candidate.start..candidate.limit.min(candidate.text.len()));
    let mut compact = [0u8; 48];
    let (mut len, mut end) = (0, candidate.start);
    let mut wanted = compact.len();
    for byte in text.unwrap_or_default() {
        end += 1;
        if *byte == b' ' {
            continue;
        }
        let Some(place) = compact.get_mut(len).filter(|_| byte.is_ascii_hexdigit()) else {
            return Verdict::Invalid;
        };
        *place = byte.to_ascii_uppercase();
        len += 1;
        let tag = if compact.starts_with(b"9F") { 4 } else { 2 };
        if len == tag + 2 {
            let length = compact.get(tag..len).and_then(|it| std::str::from_utf8(it).ok());
            let Some(bytes) = length.and_then(|it| usize::from_str_radix(it, 16).ok()) else {
                return Verdict::Invalid;
            };
            wanted = len + bytes * 2;
        }
        if len == wanted {
            let value = compact.get(tag + 2..len).unwrap_or_default();
            let value = value.strip_suffix(b"F").unwrap_or(value);
            let check = if compact.starts_with(b"5A") { number(value) } else { track2(value) };
            return check.ending_at(end);
        }
    }
    Verdict::Invalid
}

/// Keys of DES that standards and manuals print.
const PRINTED_KEYS: &[&[u8]] = &[
    b"0123456789ABCDEFFEDCBA9876543210",
    b"0123456789ABCDEF",
    b"FEDCBA9876543210",
    b"FEDCBA98765432100123456789ABCDEF",
    b"404142434445464748494A4B4C4D4E4F",
    b"FFFF9876543210E00001",
    b"6AC292FAA1315B4D858AB3A3D7D5933A",
];

/// A payment key or key serial number in hexadecimal digits: 8, 10, 16, 24 or 32 bytes, no filler.
pub(super) fn payment_key(value: &[u8]) -> Check {
    let first = value.first();
    let others = value.iter().filter(|digit| Some(*digit) != first).count();
    let sized =
        matches!(value.len(), 16 | 20 | 32 | 48 | 64) && value.iter().all(u8::is_ascii_hexdigit);
    let printed = PRINTED_KEYS.iter().any(|known| known.eq_ignore_ascii_case(value));
    Check::of(sized && others >= 4).published_if(printed)
}

/// `%B` number `^` name `^` YYMM service code, discretionary data `?`.
pub(super) fn track1(value: &[u8]) -> Check {
    let mut fields = value.splitn(3, |byte| *byte == b'^');
    let (Some(first), Some(name), Some(rest)) = (fields.next(), fields.next(), fields.next())
    else {
        return Check::Invalid;
    };
    let pan = first.strip_prefix(b"%").unwrap_or(first);
    let Some(pan) = pan.strip_prefix(b"B").or_else(|| pan.strip_prefix(b"b")) else {
        return Check::Invalid;
    };
    let named = (2..=26).contains(&name.len())
        && name.iter().any(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| (b' '..=b'_').contains(byte) || byte.is_ascii_lowercase());
    if named && expiry(rest) { number(pan) } else { Check::Invalid }
}

/// Number, `=` or `D`, YYMM, service code, discretionary data.
pub(super) fn track2(value: &[u8]) -> Check {
    let value = value.strip_prefix(b";").unwrap_or(value);
    let mut fields = value.splitn(2, |byte| matches!(byte, b'=' | b'D' | b'd'));
    let (Some(pan), Some(rest)) = (fields.next(), fields.next()) else { return Check::Invalid };
    if expiry(rest) { number(pan) } else { Check::Invalid }
}

/// Length, issuer prefix and Luhn; test numbers are published.
fn number(value: &[u8]) -> Check {
    let Some(digits) = Digits::read(value, b" -.") else { return Check::Invalid };
    let all = digits.as_slice();
    // A wrong check digit is what most numbers have.
    let is_one = all.len() >= 12
        && luhn(all)
        && !all.split_last().is_some_and(|(_, body)| uniform(body))
        && is_issued(&digits);
    Check::of(is_one).published_if(is_one && is_test(&digits))
}

/// Whether an issuer has numbers of this length that begin so.
fn is_issued(digits: &Digits) -> bool {
    let length = digits.as_slice().len();
    let first = digits.number(0, 6);
    let prefixes = [first / 100_000, first / 10_000, first / 1_000, first / 100, first / 10, first];
    ISSUERS.iter().any(|(leading, low, high, lengths)| {
        let prefix = prefixes.get(*leading as usize - 1);
        lengths.contains(&length) && prefix.is_some_and(|prefix| (*low..=*high).contains(prefix))
    })
}

/// Whether it is a test number, or shaped like one: nine digits in a row are equal or count up.
fn is_test(digits: &Digits) -> bool {
    let all = digits.as_slice();
    let whole = digits.number(0, all.len());
    whole / 10u64.pow(10) == 400_000 && all.len() == 16
        || runs_on(all)
        || SORTED_TEST_NUMBERS.binary_search(&whole).is_ok()
}

/// The test numbers in order.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const SORTED_TEST_NUMBERS: [u64; TEST_NUMBERS.len()] = {
    let mut sorted = [0; TEST_NUMBERS.len()];
    let mut count = 0;
    while count < TEST_NUMBERS.len() {
        let (number, mut at) = (TEST_NUMBERS[count], count);
        while at > 0 && sorted[at - 1] > number {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = number;
        count += 1;
    }
    sorted
};

/// Whether nine digits in a row are equal, or each is one more than that before it.
fn runs_on(all: &[u8]) -> bool {
    // Eight pairs in a row hold one of these.
    let mut pairs = all.windows(2).skip(7).step_by(8);
    let may_run = |pair: &[u8]| matches!(pair, [one, next] if one == next || one + 1 == *next);
    if !pairs.any(may_run) {
        return false;
    }
    let (mut equal, mut counting) = (0, 0);
    all.iter().zip(all.iter().skip(1)).any(|(one, next)| {
        equal = if one == next { equal + 1 } else { 0 };
        counting = if one + 1 == *next { counting + 1 } else { 0 };
        equal == 8 || counting == 8
    })
}

/// Four digits of year and month and three of service code; the month exists.
fn expiry(rest: &[u8]) -> bool {
    rest.get(..7)
        .and_then(|head| Digits::read(head, b""))
        .is_some_and(|digits| (1..=12).contains(&digits.number(2, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn numbers_of_each_scheme() {
        for number in [
            "4539 1488 0343 6467",
            "4716-8682-7749-0212",
            "5498578881577509",
            "2297051310616322",
            "376518293047152",
            "6011 4938 7155 9036",
            "3566732298458363",
            "4370097502556",
            "4393889199179061388",
        ] {
            valid(Validator::PaymentCard, number);
        }
        invalid(Validator::PaymentCard, "4539148803436468");
        invalid(Validator::PaymentCard, "7992739871300000");
        invalid(Validator::PaymentCard, "378282246310005 0");
    }

    fn plain_row_of_groups(candidate: &Candidate<'_>) -> bool {
        let group = |bytes: &mut dyn Iterator<Item = &u8>| {
            matches!(bytes.next(), Some(b' '))
                && bytes.take(4).filter(|b| b.is_ascii_digit()).count() == 4
        };
        let mut on = candidate.after().iter();
        let behind = group(&mut on.by_ref().take(5)) && group(&mut on.by_ref().take(5));
        let before = group(&mut candidate.before().iter().rev().take(5));
        behind || before
    }

    proptest::proptest! {
        #[test]
        fn groups_go_on_on_either_side(before in "[1 ]{0,6}", after in "( 1111|1|x| )?[1 ]{0,9}") {
            let text = format!("{before}4539 1488{after}");
            let (start, end) = (before.len(), before.len() + 9);
            for limit in end..=text.len() {
                let candidate = Candidate { text: text.as_bytes(), start, end, limit };
                let plain = plain_row_of_groups(&candidate);
                proptest::prop_assert_eq!(in_row_of_groups(&candidate), plain, "{}", text);
            }
        }
    }

    /// As the table of issuers says, one by one.
    fn plain_number(value: &[u8]) -> Check {
        let Some(digits) = Digits::read(value, b" -.") else { return Check::Invalid };
        let all = digits.as_slice();
        let issued = ISSUERS.iter().any(|(leading, low, high, lengths)| {
            let prefix = digits.number(0, *leading as usize);
            lengths.contains(&all.len()) && (*low..=*high).contains(&prefix)
        });
        let uniform = all.split_last().is_some_and(|(_, body)| uniform(body));
        let runs_on = |step: u8| {
            all.windows(9)
                .any(|run| run.windows(2).all(|pair| matches!(pair, [a, b] if a + step == *b)))
        };
        let whole = digits.number(0, all.len());
        let is_test = TEST_NUMBERS.contains(&whole)
            || (all.len() == 16 && whole / 10u64.pow(10) == 400_000)
            || runs_on(0)
            || runs_on(1);
        Check::of(issued && luhn(all) && !uniform).published_if(is_test)
    }

    proptest::proptest! {
        #[test]
        fn a_number_is_one_where_all_that_makes_one_holds(
            head in "[2-9][0-9]{0,5}", run in "1{0,9}|0{8,9}|1?23456789|[0-9]{0,9}",
            tail in "[0-9]{0,6}", sign in "[ .x-]?",
        ) {
            let body = format!("{head}{sign}{run}{tail}");
            for last in 0..10 {
                let number = format!("{body}{last}");
                proptest::prop_assert_eq!(number_of(&number), plain_number(number.as_bytes()));
            }
        }
    }

    fn number_of(value: &str) -> Check {
        number(value.as_bytes())
    }

    #[test]
    fn every_test_number_is_one() {
        for number in TEST_NUMBERS {
            published(Validator::PaymentCard, &number.to_string());
        }
        published(Validator::PaymentCard, "4000 0000 0000 0002");
        published(Validator::PaymentCard, "6543210123456788");
        published(Validator::PaymentCard, "2238000000000000");
        published(Validator::PaymentCard, "4111-1111-1111-1111");
    }

    #[test]
    fn a_number_inside_a_longer_one_is_none() {
        let surroundings = [("0.", ""), ("12-", ""), ("", "-12"), ("", ".5"), ("x", "")];
        for (before, after) in surroundings {
            let text = format!("{before}4539148803436467{after}");
            let (start, end) = (before.len(), before.len() + 16);
            let candidate = Candidate { text: text.as_bytes(), start, end, limit: text.len() };
            assert_eq!(payment_card(candidate), Check::Invalid, "{text}");
        }
        for (before, after, valid) in [
            ("1234 ", "", false),
            ("", " 1234 5678", false),
            ("", " 0327", true),
            ("", " 123", true),
        ] {
            let text = format!("{before}4539 1488 0343 6467{after}");
            let (start, end) = (before.len(), before.len() + 19);
            let candidate = Candidate { text: text.as_bytes(), start, end, limit: text.len() };
            assert_eq!(payment_card(candidate) == Check::Valid, valid, "{text}");
        }
    }

    #[test]
    fn tracks_hold_a_card_number_and_a_month() {
        valid(Validator::Track1, "%B4539148803436467^DOE/JANE^30121010000000000?");
        published(Validator::Track1, "%B4111111111111111^DOE/JANE^30121010000000000?");
        invalid(Validator::Track1, "%B4111111111111111^DOE/JANE^30131010000000000?");
        invalid(Validator::Track1, "%B4111111111111112^DOE/JANE^30121010000000000?");
        valid(Validator::Track2, ";4539148803436467=30121010000000000?");
        published(Validator::Track2, "5555555555554444D30121010000000000F");
        invalid(Validator::Track2, ";5555555555554444=30001010000000000?");
        invalid(Validator::Track2, ";5555555555554443=30121010000000000?");
    }

    #[test]
    fn truncated_numbers_show_no_more_than_is_allowed() {
        for text in [
            "453914******6467",
            "4539 14** **** 6467",
            "4539-14XX-XXXX-6467",
            "45391488****6467",
            "3714 49xxxxx 8431",
            "**** **** **** 6467",
            "XXXX-XXXX-XXXX-6467",
            "\u{2022}\u{2022}\u{2022}\u{2022} \u{2022}\u{2022}\u{2022}\u{2022} \u{2022}\u{2022}\u{2022}\u{2022} 6467",
        ] {
            valid(Validator::TruncatedCard, text);
        }
        for text in ["103914******6467", "453914**6467", "4539148*****6467", "453914******64670"] {
            invalid(Validator::TruncatedCard, text);
        }
    }

    #[test]
    fn codes_and_months() {
        valid(Validator::CardCode, "123");
        invalid(Validator::CardCode, "12345");
        for text in ["12/27", "01-2031", "2031-01", "03 / 29"] {
            valid(Validator::CardExpiry, text);
        }
        for text in ["13/27", "00/27", "12/1987", "12/27/28", "1227"] {
            invalid(Validator::CardExpiry, text);
        }
        for (text, found) in [
            ("4539148803436467 exp 12/27", true),
            ("4539 1488 0343 6467, 12/27", true),
            ("4539148803436468 exp 12/27", false),
            ("exp 12/27", false),
        ] {
            let end = text.len();
            let candidate = Candidate { text: text.as_bytes(), start: end - 5, end, limit: end };
            assert_eq!(expiry_behind_card(candidate) == Check::Valid, found, "{text}");
        }
    }

    #[test]
    fn chip_data_and_keys() {
        valid(Validator::EmvTlv, "5A084539148803436467");
        valid(Validator::EmvTlv, "5a 08 45 39 14 88 03 43 64 67");
        valid(Validator::EmvTlv, "5A08376518293047152F");
        valid(Validator::EmvTlv, "57114539148803436467D30122010000000000");
        valid(Validator::EmvTlv, "9F6B114539148803436467D30122010000000000");
        published(Validator::EmvTlv, "5A084111111111111111");
        invalid(Validator::EmvTlv, "5A084539148803436468");
        invalid(Validator::EmvTlv, "5A074539148803436467");
        valid(Validator::PinBlock, "0412AC89ABCDEF67");
        invalid(Validator::PinBlock, "FFFFFFFFFFFFFFFF");
        valid(Validator::PaymentKey, "C1D0F8FB4958670DBA40AB1F3752EF0D");
        published(Validator::PaymentKey, "0123456789ABCDEFFEDCBA9876543210");
        invalid(Validator::PaymentKey, "00000000000000000000000000000000");
    }
}
