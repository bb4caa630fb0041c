//! National numbers of Europe.

use super::super::random::Random;
use super::{forms, grouped, luhn, mod_11_10, modulo, until, values, weighted};

pub fn gb_nino(r: &mut Random) -> String {
    let prefix = until(|| {
        let prefix = r.of("ABCEGHJKLMNOPRSTWXYZ", 1) + &r.of("ABCEGHJKLMNPRSTWXYZ", 1);
        (!["BG", "GB", "NK", "KN", "TN", "NT", "ZZ"].contains(&prefix.as_str())).then_some(prefix)
    });
    let suffix = r.of("ABCD", 1);
    let digits = r.digits(6);
    match r.below(4) {
        0 => format!("{prefix} {} {suffix}", grouped(&digits, &[2, 2, 2], " ")),
        1 => format!("{prefix} {digits} {suffix}"),
        _ => format!("{prefix}{digits}{suffix}"),
    }
}

/// Prefixes that HMRC never gives out, or a suffix past D.
pub fn gb_nino_bad(r: &mut Random) -> String {
    if r.chance(60) {
        format!(
            "{}{}{}",
            r.word("DA FB IC UA VB BG GB NK KN TN NT ZZ AO"),
            r.digits(6),
            r.of("ABCD", 1)
        )
    } else {
        format!("{}{}{}", r.word("AB CE HJ PR"), r.digits(6), r.of("EFGHJK", 1))
    }
}

pub fn gb_utr(r: &mut Random) -> String {
    let body = r.digits(9);
    let sum = weighted(&body, &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    let check = "21987654321".chars().nth(sum as usize).unwrap_or('0');
    forms(r, &format!("{check}{body}"), &[5, 5], &["", " ", ""])
}

/// The first digit is the check.
pub fn gb_utr_bad(r: &mut Random) -> String {
    let value = gb_utr(r).replace(' ', "");
    format!("{}{}", (values(&value)[0] + r.between(1, 9) as u32) % 10, &value[1..])
}

pub fn gb_driving_licence(r: &mut Random) -> String {
    let surname = r.word(
        "MORGA SMITH JONES WILLI TAYLO BROWN DAVIE EVANS THOMA ROBER WALKE WRIGH LEE99 KHAN9",
    );
    let birth = r.date(1940, 2005);
    let month = birth.month + if r.chance(50) { 50 } else { 0 };
    let initials = r.of("ABCDEFGHJLMNPRST", 1) + &r.of("9ABCDEFGHJLMNPRST9", 1);
    let decade = birth.year / 10 % 10;
    let value = format!(
        "{surname}{decade}{month:02}{:02}{}{initials}{}{}",
        birth.day,
        birth.year % 10,
        r.of("9999987", 1),
        r.of("ABCDEFGHJKLMNPRSTVWXYZ", 2)
    );
    if r.chance(30) { grouped(&value, &[5, 6, 5], " ") } else { value }
}

/// A month of thirteen to fifty.
pub fn gb_driving_licence_bad(r: &mut Random) -> String {
    format!(
        "{}{}{}{:02}{}{}9{}",
        r.word("MORGA SMITH JONES WILLI"),
        r.digits(1),
        r.between(13, 49),
        r.between(32, 99),
        r.digits(1),
        r.upper(2),
        r.upper(2)
    )
}

pub fn gb_passport(r: &mut Random) -> String {
    r.number(9)
}

pub fn ie_pps(r: &mut Random) -> String {
    let body = r.number(7);
    let second = r.word("- - A H");
    let extra = match second.as_str() {
        "A" => 9,
        "H" => 72,
        _ => 0,
    };
    let sum = (weighted(&body, &[8, 7, 6, 5, 4, 3, 2]) + extra) % 23;
    let check = "WABCDEFGHIJKLMNOPQRSTUV".chars().nth(sum as usize).unwrap_or('W');
    format!("{body}{check}{}", second.trim_matches('-'))
}

pub fn ie_pps_bad(r: &mut Random) -> String {
    let body = r.number(7);
    let sum = (weighted(&body, &[8, 7, 6, 5, 4, 3, 2]) + r.between(1, 22) as u32) % 23;
    let check = "WABCDEFGHIJKLMNOPQRSTUV".chars().nth(sum as usize).unwrap_or('W');
    format!("{body}{check}")
}

/// One digit twice or thrice, the others once or never (AO 139b).
pub fn de_idnr(r: &mut Random) -> String {
    let body = until(|| {
        let mut digits: Vec<u32> = (0..10).collect();
        for at in (1..10).rev() {
            digits.swap(at, r.below(at + 1));
        }
        let twice = digits[0];
        let thrice = r.chance(40);
        digits[1] = twice;
        if thrice {
            digits[2] = twice;
        }
        for at in (1..10).rev() {
            digits.swap(at, r.below(at + 1));
        }
        let run = digits.windows(3).any(|w| w[0] == w[1] && w[1] == w[2]);
        (digits[0] != 0 && !run).then(|| digits.iter().map(u32::to_string).collect::<String>())
    });
    let value = format!("{body}{}", mod_11_10(&body));
    match r.below(5) {
        0 => grouped(&value, &[2, 3, 3, 3], " "),
        1 => grouped(&value, &[2, 3, 3, 3], "/"),
        _ => value,
    }
}

pub fn de_rvnr(r: &mut Random) -> String {
    let (area, birth) =
        (r.word("10 11 12 13 14 15 16 17 18 19 20 23 24 25 26 28 29 53 65"), r.birth());
    let letter = r.upper(1);
    let rank = letter.bytes().map(|b| b - b'A' + 1).next().unwrap_or(1);
    let serial = format!("{:02}", r.between(0, 99));
    let digits = format!("{area}{}{rank:02}{serial}", birth.dmy());
    let sum: u32 = values(&digits)
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    let check = sum % 10;
    if r.chance(40) {
        format!("{area} {} {letter} {serial}{check}", birth.dmy())
    } else {
        format!("{area}{}{letter}{serial}{check}", birth.dmy())
    }
}

fn mrz_value(c: char) -> u32 {
    c.to_digit(36).unwrap_or(0)
}

/// The 7-3-1 digit of ICAO 9303 part 3, section 4.9.
pub fn seven_three_one(text: &str) -> u32 {
    text.chars()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(c, weight)| mrz_value(c) * weight)
        .sum::<u32>()
        % 10
}

pub fn de_id_card(r: &mut Random) -> String {
    let body = r.of("LMNPRTVWXY", 1) + &r.of("CFGHJKLMNPRTVWXYZ0123456789", 7) + &r.digits(1);
    format!("{body}{}", seven_three_one(&body))
}

pub fn fr_nir(r: &mut Random) -> String {
    let department = if r.chance(10) {
        r.word("2A 2B")
    } else {
        format!("{:02}", until(|| Some(r.between(1, 95)).filter(|d| *d != 20)))
    };
    let body = format!(
        "{}{:02}{:02}{department}{:03}{:03}",
        r.of("12", 1),
        r.below(100),
        r.between(1, 12),
        r.between(1, 589),
        r.between(1, 999)
    );
    let number: u64 = body.replace("2A", "19").replace("2B", "18").parse().unwrap_or(0);
    // A commune number can hold no letter, so that only the department is replaced.
    let key = 97 - number % 97;
    forms(r, &format!("{body}{key:02}"), &[1, 2, 2, 2, 3, 3, 2], &["", " ", " ", ""])
}

pub fn fr_tin(r: &mut Random) -> String {
    let body = r.of("0123", 1) + &r.digits(9);
    let key = modulo(&body, 511);
    forms(r, &format!("{body}{key:03}"), &[2, 2, 3, 3, 3], &["", " "])
}

const DNI: &str = "TRWAGMYFPDXBNJZSQVHLCKE";

pub fn es_dni_nie(r: &mut Random) -> String {
    if r.chance(65) {
        let body = r.digits(8);
        let letter = DNI.chars().nth(modulo(&body, 23) as usize).unwrap_or('T');
        match r.below(5) {
            0 => format!("{body}-{letter}"),
            1 => format!("{}-{letter}", grouped(&body, &[2, 3, 3], ".")),
            2 => format!("{body} {letter}"),
            _ => format!("{body}{letter}"),
        }
    } else {
        let (first, body) = (r.below(3), r.digits(7));
        let letter = DNI.chars().nth(modulo(&format!("{first}{body}"), 23) as usize).unwrap_or('T');
        let lead = ["X", "Y", "Z"][first];
        if r.chance(30) {
            format!("{lead}-{body}-{letter}")
        } else {
            format!("{lead}{body}{letter}")
        }
    }
}

pub fn es_dni_bad(r: &mut Random) -> String {
    let body = r.digits(8);
    let wrong = (modulo(&body, 23) as usize + r.between(1, 22)) % 23;
    format!("{body}{}", DNI.chars().nth(wrong).unwrap_or('T'))
}

/// The control character over odd and even places (DM 23 December 1976).
pub fn italian_control(body: &str) -> char {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let sum: u32 = body
        .chars()
        .enumerate()
        .map(|(at, c)| {
            let rank = c.to_digit(10).unwrap_or_else(|| c as u32 - 'A' as u32);
            if at % 2 == 0 { ODD[rank as usize] } else { rank }
        })
        .sum();
    char::from(b'A' + (sum % 26) as u8)
}

pub fn it_cf(r: &mut Random) -> String {
    let birth = r.birth();
    let month = "ABCDEHLMPRST".chars().nth(birth.month - 1).unwrap_or('A');
    let day = birth.day + if r.chance(50) { 40 } else { 0 };
    let body = format!(
        "{}{:02}{month}{day:02}{}",
        r.word("RSSMRA BNCGNN VRDLCU FRRNNA RMNPLA CLMMRC GLLSFN CNTDVD MRNLSS BRBFRC"),
        birth.year % 100,
        r.word("H501 F205 L219 A944 G273 D612 F839 A662 C351 L736")
    );
    let value = format!("{body}{}", italian_control(&body));
    if r.chance(15) { grouped(&value, &[3, 3, 5, 5], " ") } else { value }
}

pub fn pt_nif(r: &mut Random) -> String {
    let body = r.of("1223", 1) + &r.digits(7);
    let check = 11 - weighted(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    forms(r, &format!("{body}{}", if check > 9 { 0 } else { check }), &[3, 3, 3], &["", "", " "])
}

pub fn nl_bsn(r: &mut Random) -> String {
    let value = until(|| {
        let body = r.number(8);
        let check = weighted(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        (check < 10).then(|| format!("{body}{check}"))
    });
    match r.below(6) {
        0 => grouped(&value, &[4, 2, 3], "."),
        1 => grouped(&value, &[3, 3, 3], " "),
        _ => value,
    }
}

pub fn be_nn(r: &mut Random) -> String {
    let birth = r.birth();
    let body = format!("{}{:03}", birth.ymd(), r.between(1, 997));
    let number: u64 = body.parse().unwrap_or(0);
    let number = if birth.year >= 2000 { number + 2_000_000_000 } else { number };
    let value = format!("{body}{:02}", 97 - number % 97);
    if r.chance(60) {
        format!("{}-{}.{}", grouped(&value[..6], &[2, 2, 2], "."), &value[6..9], &value[9..])
    } else {
        value
    }
}

pub fn at_vnr(r: &mut Random) -> String {
    let (serial, birth, check) = until(|| {
        let (serial, birth) = (r.number(3), r.birth());
        let check =
            weighted(&format!("{serial}{}", birth.dmy()), &[3, 7, 9, 5, 8, 4, 2, 1, 6]) % 11;
        (check < 10).then_some((serial, birth, check))
    });
    let separator = *r.pick(&["", " "]);
    format!("{serial}{check}{separator}{}", birth.dmy())
}

pub fn ch_ahv(r: &mut Random) -> String {
    let body = format!("756{}", r.digits(9));
    let sum = weighted(&body, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
    let value = format!("{body}{}", (10 - sum % 10) % 10);
    forms(r, &value, &[3, 4, 4, 2], &[".", ".", ""])
}

pub fn se_pnr(r: &mut Random) -> String {
    let birth = r.birth();
    let body = format!("{}{:03}", birth.ymd(), r.between(1, 979));
    let check = luhn(&body);
    let tail = format!("{}{check}", &body[6..]);
    match r.below(3) {
        0 => format!("{}-{tail}", birth.full()),
        1 => format!("{}{tail}", birth.full()),
        _ => format!("{}-{tail}", birth.ymd()),
    }
}

pub fn no_fnr(r: &mut Random) -> String {
    let value = until(|| {
        let birth = r.date(1941, 2020);
        let person = if birth.year < 2000 { r.between(0, 499) } else { r.between(500, 999) };
        let body = format!("{}{person:03}", birth.dmy());
        let first = (11 - weighted(&body, &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
        let body = format!("{body}{first}");
        let second = (11 - weighted(&body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (first < 10 && second < 10).then(|| format!("{body}{second}"))
    });
    forms(r, &value, &[6, 5], &["", "", " "])
}

pub fn dk_cpr(r: &mut Random) -> String {
    let value = until(|| {
        let birth = r.date(1940, 1999);
        let body = format!("{}{:03}", birth.dmy(), r.between(1, 399));
        let check = (11 - weighted(&body, &[4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (check < 10).then(|| format!("{body}{check}"))
    });
    forms(r, &value, &[6, 4], &["-", "-", ""])
}

pub fn dk_cpr_bad(r: &mut Random) -> String {
    format!("{:02}{:02}{:02}-{}", r.between(32, 59), r.between(13, 99), r.below(100), r.digits(4))
}

pub fn fi_hetu(r: &mut Random) -> String {
    let birth = r.birth();
    let serial = format!("{:03}", r.between(2, 899));
    let check = modulo(&format!("{}{serial}", birth.dmy()), 31) as usize;
    let check = "0123456789ABCDEFHJKLMNPRSTUVWXY".chars().nth(check).unwrap_or('0');
    format!("{}{}{serial}{check}", birth.dmy(), if birth.year < 2000 { '-' } else { 'A' })
}

pub fn fi_hetu_bad(r: &mut Random) -> String {
    let birth = r.date(1940, 1999);
    let serial = format!("{:03}", r.between(2, 899));
    let check = modulo(&format!("{}{serial}", birth.dmy()), 31) as usize + r.between(1, 30);
    let check = "0123456789ABCDEFHJKLMNPRSTUVWXY".chars().nth(check % 31).unwrap_or('0');
    format!("{}-{serial}{check}", birth.dmy())
}

pub fn is_kt(r: &mut Random) -> String {
    let value = until(|| {
        let birth = r.birth();
        let body = format!("{}{:02}", birth.dmy(), r.between(20, 99));
        let check = (11 - weighted(&body, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        let century = if birth.year < 2000 { 9 } else { 0 };
        (check < 10).then(|| format!("{body}{check}{century}"))
    });
    forms(r, &value, &[6, 4], &["-", "-", ""])
}

/// The ninth digit is the check.
pub fn is_kt_bad(r: &mut Random) -> String {
    let value = is_kt(r).replace('-', "");
    let wrong = (values(&value)[8] + r.between(1, 9) as u32) % 10;
    format!("{}-{}{wrong}{}", &value[..6], &value[6..8], &value[9..])
}

pub fn pl_pesel(r: &mut Random) -> String {
    let birth = r.birth();
    let month = birth.month + if birth.year >= 2000 { 20 } else { 0 };
    let body = format!("{:02}{month:02}{:02}{}", birth.year % 100, birth.day, r.digits(4));
    let check = (10 - weighted(&body, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    format!("{body}{check}")
}

pub fn cz_rc(r: &mut Random) -> String {
    let value = until(|| {
        let birth = r.date(1955, 2003);
        let month = birth.month + if r.chance(50) { 50 } else { 0 };
        let body = format!("{:02}{month:02}{:02}{}", birth.year % 100, birth.day, r.digits(3));
        let check = modulo(&body, 11);
        (check < 10).then(|| format!("{body}{check}"))
    });
    forms(r, &value, &[6, 4], &["/", "/", ""])
}

pub fn hu_taj(r: &mut Random) -> String {
    if r.chance(60) {
        let body = r.digits(8);
        let check = weighted(&body, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10;
        forms(r, &format!("{body}{check}"), &[3, 3, 3], &["-", " ", ""])
    } else {
        until(|| {
            let body = format!("8{}", r.digits(8));
            let check = weighted(&body, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11;
            (check < 10).then(|| format!("{body}{check}"))
        })
    }
}

pub fn hu_taj_bad(r: &mut Random) -> String {
    let body = r.number(8);
    let check = (weighted(&body, &[3, 7, 3, 7, 3, 7, 3, 7]) + r.between(1, 9) as u32) % 10;
    grouped(&format!("{body}{check}"), &[3, 3, 3], " ")
}

pub fn ro_cnp(r: &mut Random) -> String {
    let birth = r.birth();
    let sex = r.below(2) + if birth.year < 2000 { 1 } else { 5 };
    let body = format!("{sex}{}{:02}{:03}", birth.ymd(), r.between(1, 46), r.between(1, 999));
    let check = weighted(&body, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    format!("{body}{}", if check == 10 { 1 } else { check })
}

pub fn bg_egn(r: &mut Random) -> String {
    let birth = r.birth();
    let month = birth.month + if birth.year >= 2000 { 40 } else { 0 };
    let body = format!("{:02}{month:02}{:02}{}", birth.year % 100, birth.day, r.digits(3));
    let check = weighted(&body, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    format!("{body}{check}")
}

pub fn gr_amka(r: &mut Random) -> String {
    let body = format!("{}{}", r.birth().dmy(), r.digits(4));
    format!("{body}{}", luhn(&body))
}

pub fn hr_oib(r: &mut Random) -> String {
    let body = r.number(10);
    format!("{body}{}", mod_11_10(&body))
}

pub fn ee_lt_ik(r: &mut Random) -> String {
    let birth = r.birth();
    let sex = r.below(2) + if birth.year < 2000 { 3 } else { 5 };
    let body = format!("{sex}{}{:03}", birth.ymd(), r.between(1, 709));
    let first = weighted(&body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(&body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10;
    format!("{body}{}", if first < 10 { first } else { second })
}

pub fn ua_rnokpp(r: &mut Random) -> String {
    let body = r.of("23", 1) + &r.digits(8);
    let digits = values(&body);
    let sum: u32 = weighted(&body[1..], &[5, 7, 9, 4, 6, 10, 5, 7]) + 110 - digits[0];
    format!("{body}{}", sum % 11 % 10)
}

pub fn ru_snils_inn(r: &mut Random) -> String {
    if r.chance(50) {
        let body = r.number(9);
        let sum = weighted(&body, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
        let groups = grouped(&body, &[3, 3, 3], "-");
        if r.chance(70) { format!("{groups} {sum:02}") } else { format!("{body}{sum:02}") }
    } else {
        let body = format!("{:02}{}", r.between(1, 79), r.digits(8));
        let first = weighted(&body, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
        let body = format!("{body}{first}");
        let second = weighted(&body, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
        format!("{body}{second}")
    }
}

pub fn tr_tckn(r: &mut Random) -> String {
    let body = r.number(9);
    let d = values(&body);
    let odd = d[0] + d[2] + d[4] + d[6] + d[8];
    let even = d[1] + d[3] + d[5] + d[7];
    let tenth = (odd * 7 + 40 - even) % 10;
    format!("{body}{tenth}{}", (odd + even + tenth) % 10)
}
