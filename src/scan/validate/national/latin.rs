//! National identification numbers of Latin America.

use super::{digits, holds, is_day, signs};
use crate::scan::validate::digits::{Digits, base_36, uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check, stands_alone};

/// RENAPO, Instructivo normativo para la asignación de la CURP: letters of the names, birth date, sex, state,
/// consonants, a digit (born before 2000) or letter, and the check digit with weights 18 to 2 mod 10
/// over an alphabet in which Ñ follows N.
pub fn mx_curp(candidate: Candidate<'_>) -> Check {
    const STATES: [&[u8; 2]; 33] = [
        b"AS", b"BC", b"BS", b"CC", b"CL", b"CM", b"CS", b"CH", b"DF", b"DG", b"GT", b"GR", b"HG",
        b"JC", b"MC", b"MN", b"MS", b"NT", b"NL", b"OC", b"PL", b"QT", b"QR", b"SP", b"SL", b"SR",
        b"TC", b"TS", b"TL", b"VZ", b"YN", b"ZS", b"NE",
    ];
    holds(|| {
        let signs = signs::<18>(&candidate, b"")?;
        let date = Digits::read(signs.get(4..10)?, b"")?;
        let day = is_day(date.number(0, 2), date.number(2, 4), date.number(4, 6));
        let state = STATES.iter().any(|state| signs.get(11..13) == Some(state.as_slice()));
        let letters = |from: usize, to: usize| {
            signs.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_uppercase))
        };
        let sex = matches!(signs.get(10)?, b'H' | b'M' | b'X');
        let consonants = !signs.get(13..16)?.iter().any(|sign| b"AEIOU".contains(sign));
        let (check, body) = signs.split_last()?;
        let mut sum = 0;
        for (sign, weight) in body.iter().zip((2..=18).rev()) {
            let value = base_36(*sign)?;
            sum += weight * if value > 23 { value + 1 } else { value };
        }
        let form = letters(0, 4) && sex && state && letters(13, 16) && consonants && day;
        Some(form && (10 - sum % 10) % 10 == char::from(*check).to_digit(10)?)
    })
}

/// The 13 signs of an RFC, a company's with a space in front; Ñ as its Latin-1 byte.
fn rfc_signs(candidate: &Candidate<'_>) -> Option<[u8; 13]> {
    let mut signs = [b' '; 13];
    let mut len = 0;
    let mut last = 0;
    for byte in candidate.value() {
        let sign = match byte {
            b' ' | b'-' | 0xc3 => None,
            // The second byte of Ñ and ñ.
            0x91 | 0xb1 if last == 0xc3 => Some(0xd1),
            byte => Some(byte.to_ascii_uppercase()),
        };
        last = *byte;
        if let Some(sign) = sign {
            *signs.get_mut(len)? = sign;
            len += 1;
        }
    }
    match len {
        12 => signs.rotate_right(1),
        13 => (),
        _ => return None,
    }
    stands_alone(candidate).then_some(signs)
}

/// SAT, registro federal de contribuyentes: three letters (company) or four (person), date, two
/// signs, a check digit or A. The generic numbers for the public and for foreigners are published.
pub fn mx_rfc_form(candidate: Candidate<'_>) -> Check {
    let Some(signs) = rfc_signs(&candidate) else { return Check::Invalid };
    holds(|| {
        let (name, rest) = signs.split_at_checked(4)?;
        let name = name.strip_prefix(b" ").unwrap_or(name);
        let date = Digits::read(rest.get(..6)?, b"")?;
        let letter = |sign: &u8| sign.is_ascii_uppercase() || matches!(sign, b'&' | 0xd1);
        let day = is_day(date.number(0, 2), date.number(2, 4), date.number(4, 6));
        let ends = rest.get(6..)?.iter().all(u8::is_ascii_alphanumeric)
            && matches!(rest.last()?, b'0'..=b'9' | b'A');
        Some(name.iter().all(letter) && day && ends)
    })
    .published_if(matches!(&signs, b"XAXX010101000" | b"XEXX010101000"))
}

/// The form of [`mx_rfc_form`] and the check sign: weights 13 to 2 mod 11 over an alphabet with &
/// behind N, a space and Ñ at the end. Numbers with another check sign are in use too.
pub fn mx_rfc(candidate: Candidate<'_>) -> Check {
    const ALPHABET: &[u8; 39] = b"0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ \xd1";
    let checked = || {
        let signs = rfc_signs(&candidate)?;
        let (check, body) = signs.split_last()?;
        let mut sum = 0;
        for (sign, weight) in body.iter().zip((2..=13).rev()) {
            sum += weight * ALPHABET.iter().position(|other| other == sign)?;
        }
        Some(ALPHABET.get((11 - sum % 11) % 11) == Some(check))
    };
    match mx_rfc_form(candidate) {
        Check::Valid => holds(checked),
        form => form,
    }
}

/// Receita Federal: two check digits, each mod 11 of the digits before it; not one repeated digit.
pub fn br_cpf(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let check = |body: usize| {
        let weights = (2..=body as u32 + 1).rev();
        let sum: u32 = all.iter().take(body).zip(weights).map(|(d, w)| u32::from(*d) * w).sum();
        let rest = sum * 10 % 11 % 10;
        all.get(body).is_some_and(|digit| u32::from(*digit) == rest)
    };
    Check::of(all.len() == 11 && !uniform(all) && check(9) && check(10))
}

/// Receita Federal, Instrução Normativa RFB 2.229/2024: twelve letters or digits, each worth its
/// ASCII code less 48, and two check digits with weights 2 to 9 from the right, mod 11.
pub fn br_cnpj(candidate: Candidate<'_>) -> Check {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    holds(|| {
        let signs = signs::<14>(&candidate, b" -./")?;
        let values = signs.map(|sign| sign.wrapping_sub(b'0'));
        let check = |body: usize| {
            let sum = weighted_sum(values.get(..body)?, WEIGHTS.get(13 - body..)?);
            let rest = sum % 11;
            let digit = if rest < 2 { 0 } else { 11 - rest };
            Some(values.get(body).copied().map(u32::from) == Some(digit))
        };
        Some(!uniform(&values) && check(12)? && check(13)?)
    })
}

/// AFIP, Resolución General 10/1997: prefix of persons or companies, weights 5 4 3 2 7 6 5 4 3 2 mod 11.
pub fn ar_cuit(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 11)?;
        let prefix = matches!(digits.number(0, 2), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55);
        let sum = weighted_sum(digits.as_slice(), &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
        Some(prefix && sum.is_multiple_of(11))
    })
}

/// Servicio de Impuestos Internos: seven or eight digits and a check sign with weights 2 to 7 from
/// the right, mod 11; K stands for 10.
pub fn cl_rut(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let (check, number) = candidate.value().split_last()?;
        let digits = Digits::read(number, b" -.").filter(|_| stands_alone(&candidate))?;
        let all = digits.as_slice();
        let weights = (2..=7).cycle();
        let sum: u32 = all.iter().rev().zip(weights).map(|(d, w)| u32::from(*d) * w).sum();
        let expected = match 11 - sum % 11 {
            11 => b'0',
            10 => b'K',
            rest => b'0' + u8::try_from(rest).ok()?,
        };
        let form = matches!(all.len(), 7 | 8) && !all.starts_with(&[0]) && !uniform(all);
        Some(form && check.to_ascii_uppercase() == expected)
    })
}

/// DIAN, Orden Administrativa 4 de 1989: seven to ten digits and a check digit with primes as weights, mod 11.
pub fn co_nit(candidate: Candidate<'_>) -> Check {
    const PRIMES: [u32; 10] = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43];
    holds(|| {
        let digits = digits(&candidate)?;
        let (check, body) = digits.as_slice().split_last()?;
        let sum: u32 = body.iter().rev().zip(PRIMES).map(|(d, w)| u32::from(*d) * w).sum();
        let rest = sum % 11;
        let expected = if rest < 2 { rest } else { 11 - rest };
        Some(matches!(body.len(), 7..=10) && !uniform(body) && u32::from(*check) == expected)
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn mexican_numbers() {
        valid(Validator::MxCurp, "BOXW310820HNERXN09");
        valid(Validator::MxCurp, "BEML920313HMCLNS09");
        for number in [
            "BOXW310820HNERXN08",
            "BOXW311320HNERXN09",
            "BOXW310820ANERXN09",
            "BOXW310820HXXRXN09",
            "BOXW310820HNERAN09",
            "BOXW310820HNERXN0",
        ] {
            invalid(Validator::MxCurp, number);
        }
        valid(Validator::MxRfc, "GODE561231GR8");
        valid(Validator::MxRfc, "GODE 561231 GR8");
        valid(Validator::MxRfc, "AÑE9902224Z4");
        published(Validator::MxRfc, "XAXX010101000");
        valid(Validator::MxRfcForm, "CAMG590407QSA");
        invalid(Validator::MxRfc, "CAMG590407QSA");
        invalid(Validator::MxRfcForm, "CAMG590407QSB");
        for number in ["GODE561231GR9", "GODE561331GR8", "AKJ970902", "G0DE561231GR8"] {
            invalid(Validator::MxRfc, number);
        }
    }

    #[test]
    fn brazilian_numbers() {
        valid(Validator::BrCpf, "390.533.447-05");
        valid(Validator::BrCpf, "52998224725");
        for number in ["231.002.999-00", "111.111.111-11", "529982247"] {
            invalid(Validator::BrCpf, number);
        }
        valid(Validator::BrCnpj, "16.727.230/0001-97");
        valid(Validator::BrCnpj, "12.ABC.345/01DE-35");
        for number in
            ["16.727.230/0001-98", "00.000.000/0000-00", "12ABC34501DE3A", "1672723000019"]
        {
            invalid(Validator::BrCnpj, number);
        }
    }

    #[test]
    fn numbers_of_the_andes_and_the_plata() {
        valid(Validator::ArCuit, "20-05536168-2");
        for number in ["20-05536168-3", "10-05536168-2", "2026756539"] {
            invalid(Validator::ArCuit, number);
        }
        valid(Validator::ClRut, "10.319.569-1");
        valid(Validator::ClRut, "12531909-2");
        valid(Validator::ClRut, "10000013-K");
        for number in ["12531909-3", "11.111.111-1", "123-6"] {
            invalid(Validator::ClRut, number);
        }
        valid(Validator::CoNit, "213.123.432-1");
        for number in ["213.123.432-5", "12-3", "213123435A"] {
            invalid(Validator::CoNit, number);
        }
    }
}
