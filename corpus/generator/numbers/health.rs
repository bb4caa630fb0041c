//! Health: identifiers, codes and prescriptions.

use super::super::languages::Language;
use super::super::random::Random;
use super::{forms, grouped, luhn, until, values, verhoeff, weighted};

pub fn mrn(r: &mut Random) -> String {
    match r.below(5) {
        0 => r.number(8),
        1 => format!("0{}", r.number(7)),
        2 => format!("{}-{}", r.word("MR MX H P"), r.number(6)),
        3 => format!("{}{}", r.word("E M A"), r.number(7)),
        _ => r.number(7),
    }
}

pub fn member_id(r: &mut Random) -> String {
    match r.below(5) {
        0 => r.word("XYP ZGP YRM XEH JQU") + &r.number(9),
        1 => "W".to_owned() + &r.number(9),
        2 => r.number(11),
        3 => r.upper(1) + &r.number(8) + "-01",
        _ => r.number(9) + &r.digits(1),
    }
}

const MBI: &str = "ACDEFGHJKMNPQRTUVWXY";

pub fn us_mbi(r: &mut Random) -> String {
    let mixed = "0123456789ACDEFGHJKMNPQRTUVWXY";
    let value = [
        r.of("123456789", 1),
        r.of(MBI, 1),
        r.of(mixed, 1),
        r.digits(1),
        r.of(MBI, 1),
        r.of(mixed, 1),
        r.digits(1),
        r.of(MBI, 2),
        r.digits(2),
    ]
    .concat();
    forms(r, &value, &[4, 3, 4], &["-", "", ""])
}

/// A letter that the scheme never uses.
pub fn us_mbi_bad(r: &mut Random) -> String {
    let value = us_mbi(r);
    let at = value.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(at, _)| at).next();
    let at = at.unwrap_or(1);
    format!("{}{}{}", &value[..at], r.of("SLOIBZ", 1), &value[at + 1..])
}

pub fn us_npi(r: &mut Random) -> String {
    let body = r.of("12", 1) + &r.digits(8);
    format!("{body}{}", luhn(&format!("80840{body}")))
}

pub fn us_dea(r: &mut Random) -> String {
    let body = r.number(6);
    let d = values(&body);
    let check = (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10;
    format!("{}{}{body}{check}", r.of("ABFGM", 1), r.upper(1))
}

pub fn uk_nhs(r: &mut Random) -> String {
    let value = until(|| {
        let body = r.of("4567", 1) + &r.digits(8);
        let check = (11 - weighted(&body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (check < 10).then(|| format!("{body}{check}"))
    });
    forms(r, &value, &[3, 3, 4], &[" ", " ", "-", ""])
}

pub fn de_kvnr(r: &mut Random) -> String {
    let (letter, body) = (r.upper(1), r.number(8));
    let rank = letter.bytes().map(|b| b - b'A' + 1).next().unwrap_or(1);
    let sum: u32 = values(&format!("{rank:02}{body}"))
        .iter()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    format!("{letter}{body}{}", sum % 10)
}

pub fn icd10(r: &mut Random, l: &Language) -> String {
    if l.held_out {
        return r.word("C34.90 E66.01 F33.1 G40.909 H25.13 I48.91 J18.9 K50.90 M17.11 N39.0 R10.9 T78.40XA Z00.00 O24.410 D64.9");
    }
    r.word("E11.9 I10 J45.909 F32.1 F41.1 M54.5 K21.9 E78.5 N18.3 C50.911 G43.909 B20 I25.10 J44.9 F10.20 O80 L40.0 R07.9 S72.001A Z79.4")
}

/// No code has this shape.
pub fn icd10_bad(r: &mut Random) -> String {
    r.word("pending none n/a 11.9 unknown tbd 4512 E1 deferred")
}

pub fn cpt_hcpcs(r: &mut Random) -> String {
    r.word("99213 99214 93000 80053 36415 71046 G0439 J1885 90837 97110 A0428")
}

pub fn ndc(r: &mut Random) -> String {
    match r.below(3) {
        0 => format!("{}-{}-{}", r.number(4), r.digits(4), r.digits(2)),
        1 => format!("{}-{}-{}", r.number(5), r.digits(3), r.digits(2)),
        _ => format!("{}-{}-{}", r.number(5), r.digits(4), r.digits(1)),
    }
}

pub fn loinc_snomed(r: &mut Random) -> String {
    if r.chance(50) {
        let body = r.number(4);
        // LOINC's check digit is that of Luhn.
        format!("{body}-{}", luhn(&body))
    } else {
        let body = r.number(6) + "00";
        format!("{body}{}", verhoeff(&body))
    }
}

pub fn rx(r: &mut Random, l: &Language) -> String {
    if l.held_out {
        let drug = r.word("Losartan Simvastatin Citalopram Doxycycline Pantoprazole Furosemide Metoprolol Hydrochlorothiazide Fluoxetine Clopidogrel Lamotrigine Oxycodone");
        let dose = r.word("10mg 20mg 25mg 40mg 75mg 150mg");
        let sig = *r.pick(&[
            "PO daily",
            "BID",
            "q12h",
            "at bedtime",
            "TID with meals",
            "one tablet daily",
        ]);
        return format!("{drug} {dose} {sig}");
    }
    let drug = r.word("Metformin Lisinopril Atorvastatin Sertraline Amoxicillin Omeprazole Levothyroxine Amlodipine Gabapentin Ibuprofen Warfarin Prednisone Escitalopram Tramadol");
    let dose = r.word("5 10 20 25 50 100 250 500 850 1000");
    let sig = *r.pick(&[
        "BID",
        "once daily",
        "PO BID",
        "TID",
        "twice daily",
        "q8h PRN",
        "PO QHS",
        "daily",
        "PO daily",
        "1 tab PO BID",
        "every 8 hours",
    ]);
    format!("{drug} {dose} mg {sig}")
}

/// A quantity without a direction, or no drug.
pub fn rx_bad(r: &mut Random) -> String {
    r.pick(&[
        "steel bolt 50 mm",
        "paper 250 g, white",
        "caffeine-free tea 20 bags",
        "toner 500 pages",
        "pending pharmacist review",
        "coffee 500 g weekly",
    ])
    .to_string()
}

pub fn lab_result(r: &mut Random) -> String {
    match r.below(4) {
        0 => format!("HbA1c {}.{} % (4.0-5.6)", r.between(5, 11), r.below(10)),
        1 => format!("Glucose {} mg/dL (70-99)", r.between(60, 320)),
        2 => format!("Creatinine {}.{} mg/dL", r.between(0, 3), r.between(1, 9)),
        _ => format!("LDL {} mg/dL", r.between(60, 220)),
    }
}

pub fn udi(r: &mut Random) -> String {
    let body = format!("0{}", r.number(12));
    let sum: u32 = values(&body).iter().zip([3, 1].into_iter().cycle()).map(|(d, w)| d * w).sum();
    format!("(01){body}{}(21){}", (10 - sum % 10) % 10, r.number(8))
}

/// A card of a national insurer, in groups.
pub fn card_number(r: &mut Random) -> String {
    let value = r.number(12);
    grouped(&value, &[4, 4, 4], " ")
}
