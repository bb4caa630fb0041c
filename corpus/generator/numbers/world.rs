//! National numbers of the Americas, Asia, Africa and Oceania.

use super::super::random::Random;
use super::{forms, grouped, luhn, mod_11_10, until, values, verhoeff, weighted};

pub fn us_ssn(r: &mut Random) -> String {
    let area = until(|| Some(r.between(1, 899)).filter(|area| ![666, 78, 219, 123].contains(area)));
    let value = format!("{area:03}{:02}{:04}", r.between(1, 99), r.between(1, 9998));
    forms(r, &value, &[3, 2, 4], &["-", "-", "-", " ", ""])
}

pub fn us_ssn_bad(r: &mut Random) -> String {
    let (area, group, serial) = (r.between(100, 600), r.between(1, 99), r.between(1, 9998));
    match r.below(4) {
        0 => format!("000-{group:02}-{serial:04}"),
        1 => format!("666-{group:02}-{serial:04}"),
        2 => format!("{area:03}-00-{serial:04}"),
        _ => format!("{area:03}-{group:02}-0000"),
    }
}

pub fn us_itin(r: &mut Random) -> String {
    let group = until(|| Some(r.between(50, 99)).filter(|g| !matches!(g, 66..=69 | 89 | 93)));
    let value = format!("9{}{group}{}", r.digits(2), r.digits(4));
    forms(r, &value, &[3, 2, 4], &["-", "-", " ", ""])
}

pub fn us_itin_bad(r: &mut Random) -> String {
    format!("9{}-{}-{}", r.digits(2), r.word("66 67 68 69 89 93 12 34"), r.digits(4))
}

pub fn us_ein(r: &mut Random) -> String {
    let prefix = r.word("10 12 20 26 27 30 35 36 41 45 46 47 52 54 58 61 65 71 74 77 81 82 83 84 85 86 87 88 91 94 95 98");
    format!("{prefix}-{}", r.digits(7))
}

pub fn us_passport(r: &mut Random) -> String {
    if r.chance(50) { r.upper(1) + &r.digits(8) } else { r.number(9) }
}

/// Shapes of several states.
pub fn us_driver_license(r: &mut Random) -> String {
    match r.below(8) {
        0 => r.upper(1) + &r.number(7),
        1 => r.upper(1) + &r.number(12),
        2 => {
            let value = r.upper(1) + &r.number(12);
            grouped(&value, &[4, 3, 2, 3, 1], "-")
        }
        3 => r.number(8),
        4 => r.number(9),
        5 => {
            let value = r.upper(1) + &r.number(11);
            grouped(&value, &[4, 4, 4], "-")
        }
        6 => r.upper(2) + &r.number(6),
        _ => r.upper(1) + &r.number(8),
    }
}

pub fn us_alien_number(r: &mut Random) -> String {
    let digits = r.number(9);
    match r.below(3) {
        0 => format!("A{}", grouped(&digits, &[3, 3, 3], "-")),
        1 => format!("A-{digits}"),
        _ => format!("A{digits}"),
    }
}

pub fn ca_sin(r: &mut Random) -> String {
    let body = r.of("1234567", 1) + &r.digits(7);
    let value = format!("{body}{}", luhn(&body));
    forms(r, &value, &[3, 3, 3], &[" ", "-", ""])
}

pub fn ca_health_card(r: &mut Random) -> String {
    let body = r.number(9);
    let value = format!("{body}{}", luhn(&body));
    let version = if r.chance(50) {
        format!(" {}", r.of("ABCDEFGHJKLMNPRSTVWXYZ", 2))
    } else {
        String::new()
    };
    forms(r, &value, &[4, 3, 3], &["-", " "]) + &version
}

pub fn mx_curp(r: &mut Random) -> String {
    let birth = r.birth();
    let body = format!(
        "{}{}{}{}{}{}",
        r.word("GOMC LOPA HEGG MARJ PEGR SAVD RAMF CUTL"),
        birth.ymd(),
        r.of("HM", 1),
        r.word("DF JC NL OC PL VZ GT CH AS BC"),
        r.of("BCDFGHJKLMNPQRSTVWXYZ", 3),
        if birth.year < 2000 { r.digits(1) } else { r.of("ABCD", 1) }
    );
    let sum: usize = body
        .chars()
        .enumerate()
        .map(|(at, c)| {
            "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ".chars().position(|x| x == c).unwrap_or(0)
                * (18 - at)
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn mx_rfc(r: &mut Random) -> String {
    let body = format!(
        "{}{}{}",
        r.word("GOMC LOPA HEGG MARJ PEGR SAVD RAMF CUTL"),
        r.birth().ymd(),
        r.of("123456789ABCDEFGHIJKLMNPQRSTUVWXYZ", 2)
    );
    let sum: usize = body
        .chars()
        .enumerate()
        .map(|(at, c)| {
            "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ".chars().position(|x| x == c).unwrap_or(0)
                * (13 - at)
        })
        .sum();
    let check = match 11 - sum % 11 {
        11 => "0".to_owned(),
        10 => "A".to_owned(),
        other => other.to_string(),
    };
    format!("{body}{check}")
}

fn brazil(body: &str, weights: &[u32]) -> u32 {
    let rest = weighted(body, weights) % 11;
    if rest < 2 { 0 } else { 11 - rest }
}

pub fn br_cpf(r: &mut Random) -> String {
    let body = until(|| Some(r.digits(9)).filter(|b| b.chars().any(|c| !b.starts_with(c))));
    let first = brazil(&body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let body = format!("{body}{first}");
    let second = brazil(&body, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let value = format!("{body}{second}");
    if r.chance(65) {
        format!("{}-{}", grouped(&value[..9], &[3, 3, 3], "."), &value[9..])
    } else {
        value
    }
}

pub fn br_cnpj(r: &mut Random) -> String {
    let body = format!("{}0001", r.number(8));
    let first = brazil(&body, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    let body = format!("{body}{first}");
    let second = brazil(&body, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    let v = format!("{body}{second}");
    if r.chance(65) {
        format!("{}.{}.{}/{}-{}", &v[..2], &v[2..5], &v[5..8], &v[8..12], &v[12..])
    } else {
        v
    }
}

pub fn ar_cuit(r: &mut Random) -> String {
    let value = until(|| {
        let body = r.word("20 23 24 27 30 33") + &r.digits(8);
        let check = (11 - weighted(&body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (check < 10).then(|| format!("{body}{check}"))
    });
    forms(r, &value, &[2, 8, 1], &["-", "-", ""])
}

pub fn cl_rut(r: &mut Random) -> String {
    let body = r.of("12", 1) + &r.digits(7);
    let reversed: String = body.chars().rev().collect();
    let check = match 11 - weighted(&reversed, &[2, 3, 4, 5, 6, 7, 2, 3]) % 11 {
        11 => "0".to_owned(),
        10 => "K".to_owned(),
        other => other.to_string(),
    };
    if r.chance(50) {
        format!("{}-{check}", grouped(&body, &[2, 3, 3], "."))
    } else {
        format!("{body}-{check}")
    }
}

pub fn cl_rut_bad(r: &mut Random) -> String {
    let body = r.of("12", 1) + &r.digits(7);
    let reversed: String = body.chars().rev().collect();
    let right = (11 - weighted(&reversed, &[2, 3, 4, 5, 6, 7, 2, 3]) % 11) % 11;
    let wrong = (right + r.between(1, 9) as u32) % 10;
    let wrong = if wrong == right { (wrong + 1) % 10 } else { wrong };
    format!("{}-{wrong}", grouped(&body, &[2, 3, 3], "."))
}

pub fn co_nit(r: &mut Random) -> String {
    let body = r.of("89", 1) + &r.digits(8);
    let reversed: String = body.chars().rev().collect();
    let rest = weighted(&reversed, &[3, 7, 13, 17, 19, 23, 29, 37, 41]) % 11;
    let check = if rest > 1 { 11 - rest } else { rest };
    if r.chance(50) {
        format!("{}-{check}", grouped(&body, &[3, 3, 3], "."))
    } else {
        format!("{body}-{check}")
    }
}

pub fn il_id(r: &mut Random) -> String {
    let body = r.digits(8);
    format!("{body}{}", luhn(&body))
}

pub fn za_id(r: &mut Random) -> String {
    let body = format!("{}{}{}8", r.birth().ymd(), r.digits(4), r.of("01", 1));
    format!("{body}{}", luhn(&body))
}

pub fn ng_nin(r: &mut Random) -> String {
    let body = r.number(10);
    format!("{body}{}", verhoeff(&body))
}

pub fn in_aadhaar(r: &mut Random) -> String {
    let body = r.of("23456789", 1) + &r.digits(10);
    let value = format!("{body}{}", verhoeff(&body));
    forms(r, &value, &[4, 4, 4], &[" ", " ", "-", ""])
}

pub fn in_pan(r: &mut Random) -> String {
    format!(
        "{}{}{}{}{}",
        r.upper(3),
        r.of("PPPPCHFATBLJG", 1),
        r.upper(1),
        r.between(1001, 9999),
        r.upper(1)
    )
}

/// A fourth letter that is no holder type.
pub fn in_pan_bad(r: &mut Random) -> String {
    format!(
        "{}{}{}{}{}",
        r.upper(3),
        r.of("DIKMNOQRSUVWXYZ", 1),
        r.upper(1),
        r.digits(4),
        r.upper(1)
    )
}

pub fn in_gstin(r: &mut Random) -> String {
    let body = format!("{:02}{}{}Z", r.between(1, 37), in_pan(r), r.of("123", 1));
    let sum: u32 = body
        .chars()
        .zip([1, 2].into_iter().cycle())
        .map(|(c, factor)| c.to_digit(36).unwrap_or(0) * factor)
        .map(|product| product / 36 + product % 36)
        .sum();
    let check = char::from_digit((36 - sum % 36) % 36, 36).unwrap_or('0').to_ascii_uppercase();
    format!("{body}{check}")
}

pub fn cn_ric(r: &mut Random) -> String {
    let body = format!(
        "{}{}{:03}",
        r.word("110105 110102 310104 310105 120101 120103 110108"),
        r.birth().full(),
        r.between(1, 999)
    );
    let sum = weighted(&body, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    format!("{body}{}", "10X98765432".chars().nth(sum as usize).unwrap_or('0'))
}

pub fn cn_ric_bad(r: &mut Random) -> String {
    let value = cn_ric(r);
    let last = value.chars().last().unwrap_or('0');
    let wrong = until(|| Some(r.of("0123456789X", 1)).filter(|c| !c.starts_with(last)));
    format!("{}{wrong}", &value[..17])
}

pub fn tw_id(r: &mut Random) -> String {
    const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let letter = r.upper(1);
    let code = 10 + LETTERS.find(&letter).unwrap_or(0) as u32;
    let body = r.of("12", 1) + &r.digits(7);
    let sum = code / 10 + code % 10 * 9 + weighted(&body, &[8, 7, 6, 5, 4, 3, 2, 1]);
    format!("{letter}{body}{}", (10 - sum % 10) % 10)
}

pub fn hk_hkid(r: &mut Random) -> String {
    let (letter, body) = (r.upper(1), r.digits(6));
    let rank = u32::from_str_radix(&letter, 36).unwrap_or(10);
    let sum = 36 * 9 + rank * 8 + weighted(&body, &[7, 6, 5, 4, 3, 2]);
    let check = match (11 - sum % 11) % 11 {
        10 => "A".to_owned(),
        other => other.to_string(),
    };
    if r.chance(80) { format!("{letter}{body}({check})") } else { format!("{letter}{body}{check}") }
}

pub fn hk_hkid_bad(r: &mut Random) -> String {
    let (letter, body) = (r.upper(1), r.digits(6));
    let rank = u32::from_str_radix(&letter, 36).unwrap_or(10);
    let sum = 36 * 9 + rank * 8 + weighted(&body, &[7, 6, 5, 4, 3, 2]);
    let right = (11 - sum % 11) % 11;
    let wrong = until(|| Some(r.below(10) as u32).filter(|d| *d != right));
    format!("{letter}{body}({wrong})")
}

pub fn jp_my_number(r: &mut Random) -> String {
    let body = r.digits(11);
    let reversed: String = body.chars().rev().collect();
    let rest = weighted(&reversed, &[2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]) % 11;
    let value = format!("{body}{}", if rest <= 1 { 0 } else { 11 - rest });
    forms(r, &value, &[4, 4, 4], &[" ", "-", ""])
}

/// Born before the check digit was given up in 2020.
pub fn kr_rrn(r: &mut Random) -> String {
    let birth = r.date(1950, 2006);
    let sex = r.below(2) + if birth.year < 2000 { 1 } else { 3 };
    let body = format!("{}{sex}{:02}{}", birth.ymd(), r.between(0, 95), r.digits(3));
    let check = (11 - weighted(&body, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    forms(r, &format!("{body}{check}"), &[6, 7], &["-", "-", "-", ""])
}

/// An impossible month or day.
pub fn kr_rrn_bad(r: &mut Random) -> String {
    format!(
        "{:02}{:02}{:02}-{}{}",
        r.below(100),
        r.between(13, 99),
        r.between(32, 99),
        r.of("12", 1),
        r.digits(6)
    )
}

const SINGAPORE: [&str; 2] = ["JZIHGFEDCBA", "XWUTRQPNMLK"];

fn sg(r: &mut Random, off: u32) -> String {
    let (letter, body) = (r.of("STFG", 1), r.digits(7));
    let extra = if letter == "T" || letter == "G" { 4 } else { 0 };
    let sum = (weighted(&body, &[2, 7, 6, 5, 4, 3, 2]) + extra + off) % 11;
    let table = SINGAPORE[usize::from(letter == "F" || letter == "G")];
    format!("{letter}{body}{}", table.chars().nth(sum as usize).unwrap_or('A'))
}

pub fn sg_nric_fin(r: &mut Random) -> String {
    sg(r, 0)
}

pub fn sg_nric_fin_bad(r: &mut Random) -> String {
    let off = r.between(1, 10) as u32;
    sg(r, off)
}

pub fn my_nric(r: &mut Random) -> String {
    let value = format!("{}{:02}{}", r.birth().ymd(), r.between(1, 14), r.digits(4));
    forms(r, &value, &[6, 2, 4], &["-", "-", ""])
}

pub fn my_nric_bad(r: &mut Random) -> String {
    format!(
        "{:02}{:02}{:02}-{:02}-{}",
        r.below(100),
        r.between(13, 99),
        r.between(32, 99),
        r.between(1, 14),
        r.digits(4)
    )
}

pub fn th_pin(r: &mut Random) -> String {
    let body = r.of("12345678", 1) + &r.digits(11);
    let sum = weighted(&body, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let value = format!("{body}{}", (11 - sum % 11) % 10);
    if r.chance(60) { grouped(&value, &[1, 4, 5, 2, 1], "-") } else { value }
}

pub fn id_nik(r: &mut Random) -> String {
    let birth = r.birth();
    let day = birth.day + if r.chance(50) { 40 } else { 0 };
    format!(
        "{}{:02}{day:02}{:02}{:02}{:04}",
        r.word("3171 3273 3578 1271 5171 3374 3471"),
        r.between(1, 20),
        birth.month,
        birth.year % 100,
        r.between(1, 99)
    )
}

pub fn id_nik_bad(r: &mut Random) -> String {
    format!(
        "{}{:02}{:02}{:02}{:02}{:04}",
        r.word("3171 3273 3578"),
        r.between(1, 20),
        r.between(72, 99),
        r.between(13, 99),
        r.below(100),
        r.between(1, 99)
    )
}

pub fn au_tfn(r: &mut Random) -> String {
    let value = until(|| {
        let body = r.number(8);
        let sum = weighted(&body, &[1, 4, 3, 7, 5, 8, 6, 9]);
        (0..10)
            .find(|digit| (sum + digit * 10).is_multiple_of(11))
            .map(|digit| format!("{body}{digit}"))
    });
    forms(r, &value, &[3, 3, 3], &[" ", " ", ""])
}

pub fn au_medicare(r: &mut Random) -> String {
    let body = r.of("23456", 1) + &r.digits(7);
    let check = weighted(&body, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    let value = format!("{body}{check}{}", r.of("123456789", 1));
    forms(r, &value, &[4, 5, 1], &[" ", " ", ""])
}

/// The ninth digit is the check.
pub fn au_medicare_bad(r: &mut Random) -> String {
    let body = r.of("23456", 1) + &r.digits(7);
    let check = (weighted(&body, &[1, 3, 7, 9, 1, 3, 7, 9]) + r.between(1, 9) as u32) % 10;
    grouped(&format!("{body}{check}1"), &[4, 5, 1], " ")
}

pub fn nz_ird(r: &mut Random) -> String {
    let value = until(|| {
        let body = format!("{:08}", r.between(10_100_000, 14_999_999));
        let first = (11 - weighted(&body, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        let check = if first < 10 {
            first
        } else {
            (11 - weighted(&body, &[7, 4, 3, 2, 5, 2, 7, 6]) % 11) % 11
        };
        (check < 10).then(|| format!("{body}{check}"))
    });
    forms(r, &value, &[3, 3, 3], &["-", "-", ""])
}

pub fn ae_eid(r: &mut Random) -> String {
    let body = format!("784{}{}", r.between(1950, 2005), r.digits(7));
    let value = format!("{body}{}", luhn(&body));
    forms(r, &value, &[3, 4, 7, 1], &["-", "-", ""])
}

/// Ten digits and the check of ISO/IEC 7064; kept beside those that take it for a sequence number.
pub fn eleven(r: &mut Random) -> String {
    let body = r.number(10);
    let off = (mod_11_10(&body) + 1 + values(&body)[0]) % 10;
    format!("{body}{off}")
}
