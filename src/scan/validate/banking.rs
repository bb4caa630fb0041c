//! Bank accounts and the codes of banks.

use super::countries::is_country;
use super::digits::{Digits, uniform};
use super::{Candidate, Check, Verdict, stands_alone};

/// Country code and account part (BBAN) of each IBAN country: lengths of runs, each followed by
/// its kind as the SWIFT IBAN registry writes it: `n` digits, `a` upper-case letters, `c` both.
const COUNTRIES: &[(&[u8; 2], &str)] = &[
    (b"AD", "8n12c"),
    (b"AE", "19n"),
    (b"AL", "8n16c"),
    (b"AT", "16n"),
    (b"AZ", "4a20c"),
    (b"BA", "16n"),
    (b"BE", "12n"),
    (b"BG", "4a6n8c"),
    (b"BH", "4a14c"),
    (b"BI", "23n"),
    (b"BR", "23n1a1c"),
    (b"BY", "4c4n16c"),
    (b"CH", "5n12c"),
    (b"CR", "18n"),
    (b"CY", "8n16c"),
    (b"CZ", "20n"),
    (b"DE", "18n"),
    (b"DJ", "23n"),
    (b"DK", "14n"),
    (b"DO", "4c20n"),
    (b"EE", "16n"),
    (b"EG", "25n"),
    (b"ES", "20n"),
    (b"FI", "14n"),
    (b"FK", "2a12n"),
    (b"FO", "14n"),
    (b"FR", "10n11c2n"),
    (b"GB", "4a14n"),
    (b"GE", "2a16n"),
    (b"GI", "4a15c"),
    (b"GL", "14n"),
    (b"GR", "7n16c"),
    (b"GT", "24c"),
    (b"HN", "4a20n"),
    (b"HR", "17n"),
    (b"HU", "24n"),
    (b"IE", "4a14n"),
    (b"IL", "19n"),
    (b"IQ", "4a15n"),
    (b"IS", "22n"),
    (b"IT", "1a10n12c"),
    (b"JO", "4a4n18c"),
    (b"KW", "4a22c"),
    (b"KZ", "3n13c"),
    (b"LB", "4n20c"),
    (b"LC", "4a24c"),
    (b"LI", "5n12c"),
    (b"LT", "16n"),
    (b"LU", "3n13c"),
    (b"LV", "4a13c"),
    (b"LY", "21n"),
    (b"MC", "10n11c2n"),
    (b"MD", "20c"),
    (b"ME", "18n"),
    (b"MK", "3n10c2n"),
    (b"MN", "16n"),
    (b"MR", "23n"),
    (b"MT", "4a5n18c"),
    (b"MU", "4a19n3a"),
    (b"NI", "4a20n"),
    (b"NL", "4a10n"),
    (b"NO", "11n"),
    (b"OM", "3n16c"),
    (b"PK", "4a16c"),
    (b"PL", "24n"),
    (b"PS", "4a21c"),
    (b"PT", "21n"),
    (b"QA", "4a21c"),
    (b"RO", "4a16c"),
    (b"RS", "18n"),
    (b"RU", "14n15c"),
    (b"SA", "2n18c"),
    (b"SC", "4a20n3a"),
    (b"SD", "14n"),
    (b"SE", "20n"),
    (b"SI", "15n"),
    (b"SK", "20n"),
    (b"SM", "1a10n12c"),
    (b"SO", "19n"),
    (b"ST", "21n"),
    (b"SV", "4a20n"),
    (b"TL", "19n"),
    (b"TN", "20n"),
    (b"TR", "6n16c"),
    (b"UA", "6n19c"),
    (b"VA", "18n"),
    (b"VG", "4a16n"),
    (b"XK", "16n"),
    (b"YE", "4a4n18c"),
];

/// The longest IBAN (Russia's), in letters and digits.
const LONGEST_IBAN: usize = 33;

/// ISO 13616: the country's length and shape, then MOD 97-10. The value is cut where the country's
/// length is reached, so that a word behind it does not spoil it.
pub(super) fn iban(candidate: Candidate<'_>) -> Verdict {
    let mut compact = [0u8; LONGEST_IBAN];
    let mut len = 0;
    let mut found: Option<&Account> = None;
    let value = candidate.value();
    for (position, byte) in value.iter().enumerate() {
        if matches!(byte, b' ' | b'-') {
            continue;
        }
        let upper = byte.to_ascii_uppercase();
        let is_digit = upper.is_ascii_digit();
        let Some(place) = compact.get_mut(len).filter(|_| is_digit || upper.is_ascii_uppercase())
        else {
            return Verdict::Invalid;
        };
        *place = upper;
        len += 1;
        if len > 4 {
            let Some(account) = found.filter(|account| account.length == len) else { continue };
            let next = value.get(position + 1).or(candidate.after().first());
            let whole = !next.is_some_and(u8::is_ascii_alphanumeric);
            let compact = compact.get(..len).unwrap_or_default();
            let valid = whole && mod_97(compact) == 1 && has_shape(compact, account);
            return Check::of(valid).ending_at(candidate.start + position + 1);
        }
        if len == 2 {
            found = account_of(compact.first_chunk().copied().unwrap_or_default());
        }
        if len == 2 && found.is_none() || len > 2 && !is_digit {
            return Verdict::Invalid;
        }
    }
    Verdict::Invalid
}

/// An entry of [`COUNTRIES`], read.
#[derive(Clone, Copy)]
struct Account {
    /// Letters and digits of the whole IBAN.
    length: usize,
    /// Lengths of the runs of the account part, each with its kind; those behind the last one are empty.
    runs: [(u8, u8); 4],
}

/// The account part of a country's IBANs, two upper-case letters.
fn account_of(country: [u8; 2]) -> Option<&'static Account> {
    static ACCOUNTS: [Account; COUNTRIES.len()] = accounts();
    static NUMBERS: [[u8; 26]; 26] = numbers();
    let [first, second] = country.map(|letter| usize::from(letter.wrapping_sub(b'A')));
    let number = NUMBERS.get(first)?.get(second)?;
    ACCOUNTS.get(usize::from(number.checked_sub(1)?))
}

/// The shapes of [`COUNTRIES`], in order.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const fn accounts() -> [Account; COUNTRIES.len()] {
    let mut accounts = [Account { length: 4, runs: [(0, b'n'); 4] }; COUNTRIES.len()];
    let mut country = 0;
    while country < COUNTRIES.len() {
        let (shape, account) = (COUNTRIES[country].1.as_bytes(), &mut accounts[country]);
        let (mut at, mut run) = (0, 0);
        while at < shape.len() {
            if shape[at].is_ascii_digit() {
                account.runs[run].0 = account.runs[run].0 * 10 + (shape[at] - b'0');
            } else {
                account.runs[run].1 = shape[at];
                account.length += account.runs[run].0 as usize;
                run += 1;
            }
            at += 1;
        }
        assert!(account.length <= LONGEST_IBAN);
        country += 1;
    }
    accounts
}

/// By the letters of a country: where it stands in [`COUNTRIES`], counted from one.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const fn numbers() -> [[u8; 26]; 26] {
    let (mut numbers, mut country) = ([[0; 26]; 26], 0);
    while country < COUNTRIES.len() {
        let [first, second] = *COUNTRIES[country].0;
        numbers[(first - b'A') as usize][(second - b'A') as usize] = country as u8 + 1;
        country += 1;
    }
    numbers
}

/// Check digits 02 to 98 and an account part of the country's shape.
fn has_shape(compact: &[u8], shape: &Account) -> bool {
    let Some((head, mut account)) = compact.split_at_checked(4) else { return false };
    let [_, _, tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = head else { return false };
    let check = (tens - b'0') * 10 + (ones - b'0');
    (2..=98).contains(&check)
        && shape.runs.iter().all(|(length, kind)| {
            let Some((run, rest)) = account.split_at_checked(usize::from(*length)) else {
                return false;
            };
            account = rest;
            run.iter().all(|byte| match kind {
                b'n' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_uppercase(),
                _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            })
        })
}

/// ISO/IEC 7064 MOD 97-10 of the number that the rearranged IBAN spells: letters are 10 to 35.
fn mod_97(compact: &[u8]) -> u64 {
    let (head, account) = compact.split_at_checked(4).unwrap_or_default();
    let rest = account.iter().chain(head).fold(0, |rest: u64, byte| {
        // As many digits as fit are put to it before it is divided.
        let rest = if rest < 1 << 56 { rest } else { rest % 97 };
        match byte {
            b'0'..=b'9' => rest * 10 + u64::from(byte - b'0'),
            b'A'..=b'Z' => rest * 100 + u64::from(byte - b'A') + 10,
            _ => rest,
        }
    });
    rest % 97
}

/// ISO 9362: four letters of the party, country, two characters of the place, and three of the
/// branch or none. In one case throughout.
pub(super) fn bic(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let (party, country) =
        (value.get(..4).unwrap_or_default(), value.get(4..6).unwrap_or_default());
    let one_case =
        !value.iter().any(u8::is_ascii_lowercase) || !value.iter().any(u8::is_ascii_uppercase);
    let shaped = matches!(value.len(), 8 | 11)
        && value.iter().all(u8::is_ascii_alphanumeric)
        && party.iter().all(u8::is_ascii_alphabetic);
    Check::of(shaped && one_case && is_country(country) && stands_alone(&candidate))
}

/// ABA routing number: weights 3-7-1, mod 10, and the first two digits of a Federal Reserve
/// district, thrift, electronic or traveller's cheque number.
pub(super) fn us_aba_rtn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let district = matches!(digits.number(0, 2), 0..=12 | 21..=32 | 61..=72 | 80);
    let sum = weighted(all, &[3, 7, 1]);
    let valid = all.len() == 9 && district && sum.is_multiple_of(10) && !uniform(all);
    Check::of(valid && digits.number(0, 4) != 0 && stands_alone(&candidate))
}

/// Digits times weights, which repeat.
fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights.iter().cycle())
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum()
}

/// Sort code and account number of the United Kingdom: six digits, and seven or eight behind them.
/// Neither is one repeated digit.
pub(super) fn uk_account(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -/,;:") else { return Check::Invalid };
    let all = digits.as_slice();
    let (sort, account) = all.split_at_checked(6).unwrap_or_default();
    let valid = matches!(all.len(), 6 | 13 | 14)
        && !uniform(sort)
        && (account.is_empty() || !uniform(account));
    Check::of(valid && stands_alone(&candidate))
}

/// Canadian transit number: five digits of the branch and three of the institution, or in the
/// order of electronic payments 0, institution, branch (Payments Canada, Standard 006).
pub(super) fn ca_transit(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let (institution, branch) = match all.len() {
        8 => (digits.number(5, 8), digits.number(0, 5)),
        9 if all.first() == Some(&0) => (digits.number(1, 4), digits.number(4, 9)),
        _ => return Check::Invalid,
    };
    // Chartered banks, foreign and trust companies, credit unions.
    let known = matches!(institution, 1..=99 | 101..=399 | 500..=699 | 800..=899);
    Check::of(known && branch > 0 && stands_alone(&candidate))
}

/// CLABE (Banco de México, Circular 3/2012): bank, place, account, and a check digit with weights
/// 3-7-1, each product mod 10.
pub(super) fn mx_clabe(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -") else { return Check::Invalid };
    let Some(all) = digits.as_slice().first_chunk::<18>() else { return Check::Invalid };
    let bank = matches!(digits.number(0, 3), 1..=199 | 600..=799 | 900..=999);
    let sum = all.as_chunks::<3>().0.iter().fold(0, |sum: u32, [first, second, third]| {
        sum + u32::from(first * 3 + second * 7 + third)
    });
    let (_, body) = all.split_last().unwrap_or((&0, &[]));
    let valid = digits.as_slice().len() == 18 && bank && sum.is_multiple_of(10) && !uniform(body);
    Check::of(valid && stands_alone(&candidate))
}

/// CBU (BCRA, Comunicación A 2622): bank and branch with a check digit, account with another.
pub(super) fn ar_cbu(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -/.") else { return Check::Invalid };
    let all = digits.as_slice();
    let checked = |block: &[u8], weights: &[u32]| {
        block.split_last().is_some_and(|(check, body)| {
            (10 - weighted(body, weights) % 10) % 10 == u32::from(*check)
        })
    };
    let (branch, account) = all.split_at_checked(8).unwrap_or_default();
    let valid = all.len() == 22
        && checked(branch, &[7, 1, 3, 9, 7, 1, 3])
        && checked(account, &[3, 9, 7, 1])
        && !uniform(account);
    Check::of(valid && stands_alone(&candidate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::check;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn ibans_of_the_registry() {
        for number in [
            "GB29 NWBK 6016 1331 9268 19",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "MT84MALT011000012345MTLCAST001S",
            "NO93 8601 1117 947",
            "BR1800360305000010009795493C1",
            "LC55HEMM000100010012001200023015",
            "SC18SSCB11010000000000001497USD",
            "TR330006100519786457841326",
            "de89370400440532013000",
        ] {
            valid(Validator::Iban, number);
        }
        invalid(Validator::Iban, "DE89370400440532013001");
        invalid(Validator::Iban, "ZZ89370400440532013000");
        invalid(Validator::Iban, "DE8937040044053201300");
        invalid(Validator::Iban, "GB29 6016 NWBK 1331 9268 19");
    }

    #[test]
    fn a_word_behind_an_iban_is_cut_off_and_a_longer_token_is_none() {
        let text = b"DE89 3704 0044 0532 0130 00 BIC COBA";
        let candidate = Candidate { text, start: 0, end: 31, limit: text.len() };
        assert_eq!(check(Validator::Iban, candidate), Verdict::Valid { end: 27, published: false });
        invalid(Validator::Iban, "DE89370400440532013000BIC");
        let text = b"DE89370400440532013000B";
        let candidate = Candidate { text, start: 0, end: 22, limit: text.len() };
        assert_eq!(check(Validator::Iban, candidate), Verdict::Invalid);
    }

    #[test]
    fn every_country_has_a_shape_that_adds_up() {
        for (country, shape) in COUNTRIES {
            let length = 4 + runs(shape).map(|(length, _)| length).sum::<usize>();
            assert!((15..=LONGEST_IBAN).contains(&length), "{country:?}");
            let written: String =
                runs(shape).map(|(length, kind)| format!("{length}{kind}")).collect();
            assert_eq!(written, *shape);
        }
        assert!(COUNTRIES.is_sorted());
    }

    #[test]
    fn bank_codes() {
        for code in ["COBADEFFXXX", "DEUTDEFF", "NWBKGB2L", "chasus33", "BNPAFRPP"] {
            valid(Validator::Bic, code);
        }
        for code in ["COBAZZFF", "COBADEFFXX", "COBADEFf", "C0BADEFF", "COBADEF"] {
            invalid(Validator::Bic, code);
        }
    }

    #[test]
    fn account_numbers_with_check_digits() {
        for (validator, number) in [
            (Validator::UsAbaRtn, "111000025"),
            (Validator::UsAbaRtn, "021000021"),
            (Validator::MxClabe, "032180000118359719"),
            (Validator::MxClabe, "002 010 07777777777 1"),
            (Validator::ArCbu, "28505909 40090418135201"),
            (Validator::CaTransit, "12345-003"),
            (Validator::CaTransit, "000312345"),
            (Validator::UkAccount, "20-00-00 55779911"),
            (Validator::UkAccount, "20-00-01"),
        ] {
            valid(validator, number);
        }
        for (validator, number) in [
            (Validator::UsAbaRtn, "112000025"),
            (Validator::UsAbaRtn, "000000000"),
            (Validator::UsAbaRtn, "991000021"),
            (Validator::MxClabe, "032180000118359718"),
            (Validator::MxClabe, "000000000000000000"),
            (Validator::ArCbu, "28505909 40090418135202"),
            (Validator::ArCbu, "28505908 40090418135201"),
            (Validator::CaTransit, "12345-703"),
            (Validator::CaTransit, "00000-003"),
            (Validator::UkAccount, "00-00-00 55779911"),
            (Validator::UkAccount, "20-00-00 557799"),
        ] {
            invalid(validator, number);
        }
    }

    fn plain_iban(candidate: Candidate<'_>) -> Verdict {
        let mut compact = [0u8; LONGEST_IBAN];
        let mut len = 0;
        let mut wanted = LONGEST_IBAN;
        let mut shape = "";
        let value = candidate.value();
        for (position, byte) in value.iter().enumerate() {
            match byte {
                b' ' | b'-' => continue,
                byte if byte.is_ascii_alphanumeric() => {
                    let Some(place) = compact.get_mut(len) else { return Verdict::Invalid };
                    *place = byte.to_ascii_uppercase();
                    len += 1;
                }
                _ => return Verdict::Invalid,
            }
            if len == 2 {
                let country = compact.first_chunk::<2>().copied().unwrap_or_default();
                let Some((_, found)) = COUNTRIES.iter().find(|(code, _)| **code == country) else {
                    return Verdict::Invalid;
                };
                shape = found;
                wanted = 4 + runs(found).map(|(length, _)| length).sum::<usize>();
            }
            if len == wanted {
                let next = value.get(position + 1).or(candidate.after().first());
                let whole = !next.is_some_and(u8::is_ascii_alphanumeric);
                let compact = compact.get(..len).unwrap_or_default();
                let valid = whole && plain_shape(compact, shape) && plain_mod_97(compact) == 1;
                return Check::of(valid).ending_at(candidate.start + position + 1);
            }
        }
        Verdict::Invalid
    }

    /// The runs of a BBAN shape: length and kind.
    fn runs(shape: &str) -> impl Iterator<Item = (usize, char)> {
        shape.split_inclusive(char::is_alphabetic).filter_map(|run| {
            let mut chars = run.chars();
            let kind = chars.next_back()?;
            Some((chars.as_str().parse().ok()?, kind))
        })
    }

    /// Check digits 02 to 98 and an account part of the country's shape.
    fn plain_shape(compact: &[u8], shape: &str) -> bool {
        let Some((head, mut account)) = compact.split_at_checked(4) else { return false };
        let [_, _, tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = head else { return false };
        let check = (tens - b'0') * 10 + (ones - b'0');
        (2..=98).contains(&check)
            && runs(shape).all(|(length, kind)| {
                let Some((run, rest)) = account.split_at_checked(length) else { return false };
                account = rest;
                run.iter().all(|byte| match kind {
                    'n' => byte.is_ascii_digit(),
                    'a' => byte.is_ascii_uppercase(),
                    _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
                })
            })
    }

    /// ISO/IEC 7064 MOD 97-10 of the number that the rearranged IBAN spells: letters are 10 to 35.
    fn plain_mod_97(compact: &[u8]) -> u32 {
        let (head, account) = compact.split_at_checked(4).unwrap_or_default();
        account.iter().chain(head).fold(0, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => rest,
        })
    }

    fn plain_clabe(candidate: Candidate<'_>) -> Check {
        let Some(digits) = Digits::read(candidate.value(), b" -") else { return Check::Invalid };
        let all = digits.as_slice();
        let Some((check, body)) = all.split_last() else { return Check::Invalid };
        let sum: u32 = body
            .iter()
            .zip([3, 7, 1].into_iter().cycle())
            .map(|(digit, weight)| u32::from(*digit) * weight % 10)
            .sum();
        let bank = matches!(digits.number(0, 3), 1..=199 | 600..=799 | 900..=999);
        let valid = all.len() == 18 && bank && !uniform(body);
        Check::of(valid && (10 - sum % 10) % 10 == u32::from(*check) && stands_alone(&candidate))
    }

    fn agree(text: &str, end: usize) {
        let candidate = Candidate { text: text.as_bytes(), start: 0, end, limit: text.len() };
        assert_eq!(iban(candidate), plain_iban(candidate), "{text}");
        assert_eq!(mx_clabe(candidate), plain_clabe(candidate), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn an_account_is_one_where_all_that_makes_one_holds(
            country in 0..COUNTRIES.len() + 3, parts in "([0-9]{3,4}[ -]?){3,7}[0-9]",
            letters in "[A-Za-z]{0,4}", after in "( ?[A-Z0-9]{0,3}[ .]?){0,3}",
        ) {
            let country = COUNTRIES.get(country).map_or("Q1", |(country, _)| {
                std::str::from_utf8(*country).unwrap()
            });
            for check in 0..100 {
                let value = format!("{country}{check:02}{letters}{parts}");
                agree(&format!("{value}{after}"), value.len());
                let value = format!("{parts}{:02}", check);
                agree(&format!("{value}{after}"), value.len());
            }
        }

        #[test]
        fn an_account_of_each_shape_is_one(country in 0..COUNTRIES.len(), seed in 0..u64::MAX) {
            let (code, shape) = COUNTRIES[country];
            let mut seed = seed;
            let mut account = String::new();
            for (length, kind) in runs(shape) {
                for _ in 0..length {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let number = u32::try_from(seed >> 33).unwrap();
                    let letter = char::from(b'A' + u8::try_from(number % 26).unwrap());
                    let digit = char::from(b'0' + u8::try_from(number % 10).unwrap());
                    let is_letter = kind == 'a' || kind == 'c' && number & 32 == 0;
                    account.push(if is_letter { letter } else { digit });
                }
            }
            for check in 0..100 {
                let value = format!("{}{check:02}{account}", std::str::from_utf8(code).unwrap());
                agree(&value, value.len());
            }
        }
    }
}
