//! National identification numbers of the Nordic and Baltic countries.

use super::europe::{LATEST_BIRTH, compact, day_exists, number};
use crate::scan::validate::digits::{Digits, luhn, weighted_sum};
use crate::scan::validate::{Candidate, Check, stands_alone};

/// Folkbokföringslag 18 §: birth date, serial, Luhn over the last ten digits. In coordination
/// numbers 60 is added to the day.
pub fn se_pnr(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -+") else { return Check::Invalid };
    let all = digits.as_slice();
    let (century, last) = match all.len() {
        10 => (20, Some(all)),
        12 => (digits.number(0, 2), all.get(2..)),
        _ => return Check::Invalid,
    };
    let Some(last) = last else { return Check::Invalid };
    let at = all.len() - 10;
    let year = century * 100 + digits.number(at, at + 2);
    let day = match digits.number(at + 4, at + 6) {
        day @ 61.. => day - 60,
        day => day,
    };
    Check::of(
        matches!(century, 18..=20)
            && day_exists(year, digits.number(at + 2, at + 4), day)
            && digits.number(at + 6, at + 9) != 0
            && luhn(last),
    )
}

/// Folkeregisterforskriften § 2-2-1: birth date, a number whose range tells the century, two check
/// digits mod 11. D-numbers add 40 to the day, help numbers 40 to the month; 80 on the month makes
/// the synthetic persons of the tax authority, which are published.
pub fn no_fnr(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -.") else { return Check::Invalid };
    let all = digits.as_slice();
    let day = match digits.number(0, 2) {
        day @ 41.. => day - 40,
        day => day,
    };
    let (month, synthetic) = match digits.number(2, 4) {
        month @ 81.. => (month - 80, true),
        month @ 41.. => (month - 40, false),
        month => (month, false),
    };
    let year = match (digits.number(6, 9), digits.number(4, 6)) {
        (0..=499, year) => 1900 + year,
        (500..=749, year @ 54..) => 1800 + year,
        (500..=999, year @ ..=39) => 2000 + year,
        (900..=999, year @ 40..) => 1900 + year,
        _ => return Check::Invalid,
    };
    let first = weighted_sum(all, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let second = weighted_sum(all, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let valid = all.len() == 11
        && year <= LATEST_BIRTH
        && day_exists(year, month, day)
        && first.is_multiple_of(11)
        && second.is_multiple_of(11);
    Check::of(valid).published_if(synthetic)
}

/// CPR-kontoret, Personnummeret i CPR: birth date, and a seventh digit that with the year tells the
/// century. The check mod 11 does not bind since 2007 and is not asked for.
pub fn dk_cpr(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let year = digits.number(4, 6);
    let year = match digits.number(6, 7) {
        4 | 9 if year <= 36 => 2000 + year,
        0..=4 | 9 => 1900 + year,
        _ if year <= 57 => 2000 + year,
        _ => 1800 + year,
    };
    Check::of(
        digits.as_slice().len() == 10
            && year <= LATEST_BIRTH
            && digits.number(6, 10) != 0
            && day_exists(year, digits.number(2, 4), digits.number(0, 2)),
    )
}

/// Digital and Population Data Services Agency: birth date, a sign for the century, three digits
/// from 002 on, the check character mod 31. Numbers from 900 on are never given to a person and
/// count as published.
pub fn fi_hetu(candidate: Candidate<'_>) -> Check {
    let [a, b, c, d, e, f, sign, g, h, i, check] = candidate.value() else { return Check::Invalid };
    let Some(digits) = Digits::read(&[*a, *b, *c, *d, *e, *f, *g, *h, *i], b"") else {
        return Check::Invalid;
    };
    let century = match sign.to_ascii_uppercase() {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        b'A'..=b'F' => 2000,
        _ => return Check::Invalid,
    };
    let year = century + digits.number(4, 6);
    let rest = usize::try_from(digits.number(0, 9) % 31).unwrap_or_default();
    let expected = b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(rest);
    let valid = day_exists(year, digits.number(2, 4), digits.number(0, 2))
        && digits.number(6, 9) >= 2
        && Some(&check.to_ascii_uppercase()) == expected
        && stands_alone(&candidate);
    Check::of(valid).published_if(digits.number(6, 9) >= 900)
}

/// Þjóðskrá: birth date (an organisation's with 40 added to the day), two digits, a check digit with
/// the weights 3-2-7-6-5-4-3-2 mod 11, and the century.
pub fn is_kt(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let day = match digits.number(0, 2) {
        day @ 41.. => day - 40,
        day => day,
    };
    let century = match digits.number(9, 10) {
        0 => 2000,
        9 => 1900,
        8 => 1800,
        _ => return Check::Invalid,
    };
    let sum = weighted_sum(digits.as_slice(), &[3, 2, 7, 6, 5, 4, 3, 2, 1]);
    Check::of(
        digits.as_slice().len() == 10
            && day_exists(century + digits.number(4, 6), digits.number(2, 4), day)
            && sum.is_multiple_of(11),
    )
}

/// Estonian standard EVS 585 and the Lithuanian personal code alike: sex and century, birth date,
/// serial, and a check digit mod 11 in two stages. Lithuanian codes that begin with 9 spell no date.
pub fn ee_lt_ik(candidate: Candidate<'_>) -> Check {
    let text = compact::<11>(candidate.value());
    let Some(digits) = text.and_then(|text| Digits::read(&text, b"")) else {
        return Check::Invalid;
    };
    let all = digits.as_slice();
    let birth = match digits.number(0, 1) {
        0 => false,
        9 => true,
        sex => day_exists(
            1800 + (sex - 1) / 2 * 100 + digits.number(1, 3),
            digits.number(3, 5),
            digits.number(5, 7),
        ),
    };
    let check = match weighted_sum(all, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted_sum(all, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        rest => rest,
    };
    Check::of(birth && u64::from(check) == digits.number(10, 11) && stands_alone(&candidate))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn swedish_and_norwegian_numbers() {
        for number in ["670919-9530", "8803200016", "19670919-9530", "196709199530"] {
            valid(Validator::SePnr, number);
        }
        valid(Validator::SePnr, "701063-2391"); // A coordination number: day 3.
        for number in ["670919-9531", "671319-9530", "21670919-9530", "670919-953"] {
            invalid(Validator::SePnr, number);
        }
        for number in ["100487 45526", "26111593816", "18-06-15-92527"] {
            valid(Validator::NoFnr, number);
        }
        for number in ["26111593817", "15108695077", "18103970861", "2611159381"] {
            invalid(Validator::NoFnr, number);
        }
    }

    #[test]
    fn danish_finnish_and_icelandic_numbers() {
        valid(Validator::DkCpr, "211062-5629");
        valid(Validator::DkCpr, "0107891234");
        for number in ["2110525629", "321062-5629", "211362-5629", "211062-562", "010789-0000"] {
            invalid(Validator::DkCpr, number);
        }
        for number in ["131052-308T", "131052+308T", "131052B308T", "131052Y308T"] {
            valid(Validator::FiHetu, number);
        }
        published(Validator::FiHetu, "131052-9993");
        for number in ["131052-308U", "131052T308T", "310252-308Y", "131052-000V", "131052308T"] {
            invalid(Validator::FiHetu, number);
        }
        for number in ["020884-2749", "4406032540"] {
            valid(Validator::IsKt, number);
        }
        for number in ["320174-3399", "530575-0299", "020884-2745", "020884-274"] {
            invalid(Validator::IsKt, number);
        }
    }

    #[test]
    fn baltic_numbers() {
        for number in ["35512240278", "33309240064", "96813280109", "51001091072"] {
            valid(Validator::EeLtIk, number);
        }
        for number in ["06805280106", "33309240164", "36813280103", "3551224027"] {
            invalid(Validator::EeLtIk, number);
        }
    }
}
