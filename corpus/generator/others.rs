//! Numbers and marks that ordinary business is full of and that belong to nobody.

use super::numbers::people::uuid;
use super::numbers::{cards, europe, health, money, world};
use super::random::Random;

/// Kinds, as the language files name them.
pub const KINDS: &[&str] = &[
    "order",
    "invoice",
    "tracking",
    "part",
    "sku",
    "serial",
    "version",
    "build",
    "commit",
    "hash",
    "uuid",
    "timestamp",
    "epoch",
    "isbn",
    "ean",
    "amount",
    "ticket",
    "batch",
    "reading",
    "hostname",
];

/// A right number of some scheme, bare: under a label that says something else it is not one.
fn borrowed(r: &mut Random) -> String {
    let value = match r.below(16) {
        0 => europe::nl_bsn(r),
        1 => europe::pt_nif(r),
        2 => europe::pl_pesel(r),
        3 => europe::de_idnr(r),
        4 => world::us_ssn(r),
        5 => europe::no_fnr(r),
        6 => health::uk_nhs(r),
        7 => health::us_npi(r),
        8 => money::us_aba_rtn(r),
        9 => world::ca_sin(r),
        10 => world::br_cpf(r),
        11 => world::au_tfn(r),
        12 => world::jp_my_number(r),
        13 => europe::tr_tckn(r),
        14 => europe::be_nn(r),
        _ => world::in_aadhaar(r),
    };
    value.chars().filter(char::is_ascii_digit).collect()
}

/// Digits that fail Luhn's rule.
fn no_card(r: &mut Random) -> String {
    let value = cards::card(r);
    super::numbers::spoiled(r, &value)
}

pub fn value(r: &mut Random, kind: &str) -> String {
    match kind {
        "order" => match r.below(6) {
            0 => format!("ORD-20{}-{}", r.between(20, 26), r.number(5)),
            1 => format!("{}-{}-{}", r.number(3), r.number(7), r.number(7)),
            2 => no_card(r),
            3 => r.number(8),
            _ => borrowed(r),
        },
        "invoice" => match r.below(4) {
            0 => format!("INV-{}", r.number(6)),
            1 => format!("20{}/{}", r.between(20, 26), r.number(5)),
            2 => format!("RE{}", r.number(8)),
            _ => borrowed(r),
        },
        "tracking" => match r.below(4) {
            0 => format!("1Z{}{}", r.of("ABCDEFGHJKLMNPRTVWXY0123456789", 6), r.number(10)),
            1 => format!("JJD{}", r.number(18)),
            2 => format!("{}{}{}", r.word("RR LX CP"), r.number(9), r.word("DE FR NL PL")),
            _ => r.number(12),
        },
        "part" => match r.below(4) {
            0 => {
                format!("{}-{}-{}", r.number(3), r.number(2), r.number(4)).replacen(
                    |c: char| c.is_ascii_digit(),
                    "9",
                    1,
                ) + "B"
            }
            1 => format!("{}{}-{}", r.upper(2), r.number(4), r.number(3)),
            2 => format!("{}-{}", r.number(4), r.number(4)),
            _ => borrowed(r),
        },
        "sku" => match r.below(3) {
            0 => format!("{}-{}-{}", r.upper(3), r.number(5), r.word("BLK RED XL S M")),
            1 => format!("{}{}", r.upper(2), r.number(6)),
            _ => r.number(8),
        },
        "serial" => match r.below(3) {
            0 => format!("SN{}", r.number(9)),
            1 => format!("{}{}{}", r.upper(3), r.number(5), r.upper(2)),
            _ => borrowed(r),
        },
        "version" => match r.below(3) {
            0 => format!("{}.{}.{}", r.between(1, 30), r.below(40), r.below(20)),
            1 => format!(
                "v{}.{}.{}-rc.{}",
                r.between(1, 9),
                r.below(20),
                r.below(20),
                r.between(1, 9)
            ),
            _ => format!("{}.{}.{}+{}", r.between(1, 9), r.below(20), r.below(20), r.number(8)),
        },
        "build" => match r.below(2) {
            0 => format!(
                "20{}{:02}{:02}.{}",
                r.between(20, 26),
                r.between(1, 12),
                r.between(1, 28),
                r.between(1, 99)
            ),
            _ => r.number(9),
        },
        "commit" => {
            let count = *r.pick(&[40, 40, 12]);
            r.hex(count)
        }
        "hash" => {
            let count = *r.pick(&[32, 64, 64]);
            r.hex(count)
        }
        "uuid" => uuid(r),
        "timestamp" => format!(
            "20{}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            r.between(20, 26),
            r.between(1, 12),
            r.between(1, 28),
            r.below(24),
            r.below(60),
            r.below(60)
        ),
        "epoch" => {
            let count = *r.pick(&[9, 12]);
            format!("1{}", r.of("67", 1) + &r.digits(count - 1))
        }
        "isbn" => {
            let body = format!("978{}", r.digits(9));
            let sum = super::numbers::weighted(&body, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
            let value = format!("{body}{}", (10 - sum % 10) % 10);
            if r.chance(50) {
                super::numbers::grouped(&value, &[3, 1, 4, 4, 1], "-")
            } else {
                value
            }
        }
        "ean" => {
            let body = r.word("40 50 30 54 87 84") + &r.digits(10);
            let sum = super::numbers::weighted(&body, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
            format!("{body}{}", (10 - sum % 10) % 10)
        }
        "amount" => match r.below(3) {
            0 => format!("{}.{}.{},{}", r.number(1), r.digits(3), r.digits(3), r.digits(2)),
            1 => format!("{},{}.{}", r.number(2), r.digits(3), r.digits(2)),
            _ => format!("{}.{}", r.number(5), r.digits(2)),
        },
        "ticket" => match r.below(3) {
            0 => format!("{}-{}", r.word("OPS PLAT HELP"), r.number(5)),
            1 => format!("#{}", r.number(6)),
            _ => borrowed(r),
        },
        "batch" => match r.below(2) {
            0 => format!("L{}{}", r.number(6), r.upper(1)),
            _ => borrowed(r),
        },
        "reading" => format!("{}.{}", r.number(3), r.digits(6)),
        _ => format!(
            "{}-{:02}.{}.{}",
            r.word("web db cache"),
            r.between(1, 40),
            r.word("eu-west us-east"),
            r.word("prod staging")
        ),
    }
}

/// What stands in a field that nobody has filled.
pub fn blank(r: &mut Random) -> &'static str {
    r.text(&[
        "n/a",
        "pending",
        "to be confirmed",
        "xxx-xx-xxxx",
        "unknown",
        "see attachment",
        "TBD",
        "none",
        "-",
        "XXXXXXXXX",
        "000000000",
        "________",
        "not provided",
        "on file",
        "withheld",
    ])
}
