//! Clinical codes, and structures that clinical systems exchange.

use super::contact::one_of;
use super::digits::{Digits, luhn, uniform, verhoeff};
use super::{Candidate, Check, Verdict, stands_alone};

/// WHO ICD-10 and ICD-10-CM: chapter letter, two places of the category, and up to four more
/// behind a dot.
pub(super) fn icd10(candidate: Candidate<'_>) -> Check {
    Check::of(icd10_code(candidate.value()) && stands_alone(&candidate))
}

/// The same code among at least three different ones of at least two chapters, in the 64 bytes
/// before it and as far on as the rule may read.
pub(super) fn icd10_list(candidate: Candidate<'_>) -> Check {
    if icd10(candidate) != Check::Valid {
        return Check::Invalid;
    }
    let own = candidate.value();
    let mut others: [&[u8]; 2] = [b"", b""];
    let mut known = 0;
    let mut chapters = 1;
    for code in split_codes(candidate.after()).chain(split_codes(candidate.before())) {
        let written_out = code.contains(&b'.') || code.len() == 3;
        if !written_out || !icd10_code(code) || code == own || others.contains(&code) {
            continue;
        }
        if let Some(place) = others.get_mut(known) {
            *place = code;
        }
        known += 1;
        chapters += usize::from(code.first() != own.first());
        if known >= others.len() && chapters > 1 {
            return Check::Valid;
        }
    }
    Check::Invalid
}

/// Runs of letters, digits and dots, without dots at their ends.
fn split_codes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')
        .map(|run| run.strip_suffix(b".").unwrap_or(run))
        .filter(|run| (3..=8).contains(&run.len()))
}

/// Whether the code is of a chapter of the classification: the last category of its letter is not
/// passed, and a letter in third place is one that the clinical modification has.
fn icd10_code(code: &[u8]) -> bool {
    let &[letter, tens @ b'0'..=b'9', ones, ref rest @ ..] = code else { return false };
    let last = match letter {
        b'D' => b"89",
        b'E' => b"90",
        b'H' | b'K' => b"95",
        b'P' => b"96",
        b'T' => b"98",
        b'A'..=b'Z' => b"99",
        _ => return false,
    };
    let category = match ones {
        b'0'..=b'9' => [tens, ones] <= *last,
        b'A' | b'B' => {
            let lettered = [letter, tens, ones];
            one_of("C4A C7A C7B D3A J4A K2A M1A O9A Z1A Z3A", &lettered)
        }
        _ => false,
    };
    let detail = rest.strip_prefix(b".").unwrap_or(rest);
    let dotted = detail.len() < rest.len();
    let named = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || *byte == b'-';
    category && detail.len() <= 4 && (!dotted || !detail.is_empty()) && detail.iter().all(named)
}

/// CPT (American Medical Association) categories I to III with the laboratory suffixes, and HCPCS
/// level II (CMS): a letter of a section and four digits.
pub(super) fn procedure_code(candidate: Candidate<'_>) -> Check {
    let value = candidate.value().get(..5).unwrap_or_default();
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let fits = match value {
        [b'A'..=b'V', number @ ..] if digits(number) => {
            !matches!(value.first(), Some(b'F' | b'I' | b'N' | b'O'))
        }
        [number @ .., b'F' | b'T' | b'U' | b'M'] if digits(number) => true,
        number if number.len() == 5 && digits(number) => {
            // Anaesthesia begins at 00100, and medicine ends at 99607.
            (b"00100".as_slice()..=b"99607").contains(&number)
        }
        _ => false,
    };
    Check::of(fits && !uniform(value) && stands_alone(&candidate))
}

/// 21 CFR 207.33: labeler, product and package as 4-4-2, 5-3-2 or 5-4-1 digits; on claims padded
/// to 5-4-2, or as eleven digits (45 CFR 162.1002).
pub(super) fn ndc(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let Some(digits) = Digits::read(value, b"-") else { return Check::Invalid };
    let mut parts = value.split(|byte| *byte == b'-').map(<[u8]>::len);
    let shape = (parts.next(), parts.next(), parts.next(), parts.next());
    let fits = match shape {
        (Some(10 | 11), None, ..) => true,
        (Some(labeler), Some(product), Some(package), None) => {
            matches!((labeler, product, package), (4, 4, 2) | (5, 3, 2) | (5, 4, 1 | 2))
        }
        _ => false,
    };
    Check::of(fits && !uniform(digits.as_slice()) && stands_alone(&candidate))
}

/// LOINC Users' Guide, appendix on the check digit: a number of one to six digits, a hyphen and
/// its check digit by the Luhn formula.
pub(super) fn loinc(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let Some(digits) = Digits::read(value, b"-") else { return Check::Invalid };
    let hyphen = value.iter().rev().nth(1) == Some(&b'-')
        && value.iter().filter(|byte| **byte == b'-').count() == 1;
    let fits = hyphen && (2..=7).contains(&digits.as_slice().len());
    Check::of(fits && luhn(digits.as_slice()) && stands_alone(&candidate))
}

/// SNOMED CT Release File Specification, SCTID: 6 to 18 digits with no leading zero, the partition
/// of a concept, description or relationship before the check digit, and Verhoeff over all.
pub(super) fn snomed_ct(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b"") else { return Check::Invalid };
    let digits = digits.as_slice();
    let partition = match digits {
        [.., 0, 0..=2, _] => true,
        // With the seven digits of a namespace.
        [.., 1, 0..=2, _] => digits.len() >= 11,
        _ => false,
    };
    let fits = (6..=18).contains(&digits.len()) && digits.first() != Some(&0);
    Check::of(fits && partition && verhoeff(digits) && stands_alone(&candidate))
}

/// GS1 General Specifications section 3: element strings in parentheses; the check digit of each
/// GTIN and SSCC (section 7.9), calendar months and days, and the lengths of batch, serial and count.
pub(super) fn gs1_elements(candidate: Candidate<'_>) -> Check {
    let mut rest = candidate.value();
    let mut trade_item = false;
    while let Some(inside) = rest.strip_prefix(b"(") {
        let Some(close) = inside.iter().take(5).position(|byte| *byte == b')') else {
            return Check::Invalid;
        };
        let (identifier, data) = inside.split_at_checked(close).unwrap_or_default();
        let data = data.get(1..).unwrap_or_default();
        let end = data.iter().position(|byte| *byte == b'(').unwrap_or(data.len());
        let (data, next) = data.split_at_checked(end).unwrap_or_default();
        let sound = match identifier {
            b"01" | b"02" => data.len() == 14 && gs1_check(data),
            b"00" => data.len() == 18 && gs1_check(data),
            b"11" | b"12" | b"13" | b"15" | b"16" | b"17" => gs1_date(data),
            b"30" | b"37" => (1..=8).contains(&data.len()) && data.iter().all(u8::is_ascii_digit),
            b"410" | b"411" | b"412" | b"413" | b"414" | b"415" | b"417" => {
                data.len() == 13 && gs1_check(data)
            }
            b"10" | b"21" | b"22" | b"235" => (1..=20).contains(&data.len()),
            b"240" | b"241" | b"250" | b"251" | b"400" | b"710" | b"711" | b"712" | b"713"
            | b"714" | b"715" => (1..=30).contains(&data.len()),
            _ => false,
        };
        if !sound {
            return Check::Invalid;
        }
        trade_item |= matches!(identifier, b"00" | b"01" | b"02");
        rest = next;
    }
    Check::of(trade_item && rest.is_empty())
}

/// The check digit of GS1 keys: weights 3 and 1 in turn from the right, mod 10.
fn gs1_check(data: &[u8]) -> bool {
    let Some(digits) = Digits::read(data, b"") else { return false };
    let weighted = digits.as_slice().iter().rev().zip([1, 3].iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(*digit) * weight).sum();
    sum.is_multiple_of(10) && !uniform(digits.as_slice())
}

/// Six digits, year, month and day, where day 00 is the end of the month.
fn gs1_date(data: &[u8]) -> bool {
    Digits::read(data, b"").is_some_and(|digits| {
        digits.as_slice().len() == 6
            && (1..=12).contains(&digits.number(2, 4))
            && digits.number(4, 6) <= 31
    })
}

/// HL7 FHIR, resources in JSON: with the type of the resource stands, in the same text, at least
/// one of the elements that make it one of a person.
pub(super) fn fhir(candidate: Candidate<'_>) -> Check {
    const ELEMENTS: &str = "name birthDate identifier gender telecom address subject patient \
        beneficiary subscriber individual code valueQuantity valueString valueCodeableConcept \
        medicationCodeableConcept medicationReference clinicalStatus onsetDateTime \
        effectiveDateTime deceasedBoolean maritalStatus dosageInstruction participant \
        vaccineCode performedDateTime relationship conclusion entry";
    // Names of elements stand between quotes.
    let named = |bytes: &[u8]| {
        bytes.split(|byte| *byte == b'"').any(|piece| {
            (2..=32).contains(&piece.len())
                && ELEMENTS.split_ascii_whitespace().any(|name| name.as_bytes() == piece)
        })
    };
    Check::of(named(candidate.after()) || named(candidate.before()))
}

/// ASC X12N interchange of health care: an ISA segment of 106 bytes that names its separators, a
/// functional group of a health transaction, and the name segment of an insured person or patient,
/// where the finding ends.
pub(super) fn x12_health(candidate: Candidate<'_>) -> Verdict {
    const HEADER: usize = 106;
    let limit = candidate.limit.min(candidate.text.len());
    let Some(window) = candidate.text.get(candidate.start..limit) else { return Verdict::Invalid };
    let (Some(&element), Some(&end)) = (window.get(3), window.get(HEADER - 1)) else {
        return Verdict::Invalid;
    };
    let header = window.get(..HEADER).unwrap_or_default();
    if element.is_ascii_alphanumeric()
        || end.is_ascii_alphanumeric()
        || header.iter().filter(|byte| **byte == element).count() != 16
    {
        return Verdict::Invalid;
    }
    // What lies behind the next header is read with that one.
    let next = memchr::memmem::find(window.get(HEADER..).unwrap_or_default(), b"ISA");
    let message = window.get(..next.map_or(window.len(), |at| at + HEADER)).unwrap_or_default();
    let mut offset = HEADER;
    let mut health = false;
    for segment in message.get(HEADER..).unwrap_or_default().split_inclusive(|byte| *byte == end) {
        let mut elements =
            segment.trim_ascii().strip_suffix(&[end]).unwrap_or_default().split(|b| *b == element);
        match elements.next() {
            Some(b"GS") => {
                health =
                    elements.next().is_some_and(|group| one_of("HC HP HS HB HR HN HI BE", group));
            }
            Some(b"NM1") if health => {
                let person = elements.next().is_some_and(|kind| one_of("IL QC 74", kind));
                if person && elements.nth(1).is_some_and(|name| !name.is_empty()) {
                    let length = segment.trim_ascii_end().len() - 1;
                    return Check::Valid.ending_at(candidate.start + offset + length);
                }
            }
            _ => {}
        }
        offset += segment.len();
    }
    Verdict::Invalid
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};
    use crate::scan::validate::{Candidate, Verdict, check};

    /// The verdict on `value` inside `text`.
    fn within(validator: Validator, text: &str, value: &str) -> Verdict {
        let start = text.find(value).unwrap();
        let limit = text.len();
        let end = start + value.len();
        check(validator, Candidate { text: text.as_bytes(), start, end, limit })
    }

    #[test]
    fn diagnoses_are_of_a_chapter() {
        for code in
            ["E11.9", "I10", "J45", "F32.1", "S72.001A", "C7A.1", "E1165", "U07.1", "Z99.89"]
        {
            valid(Validator::Icd10, code);
        }
        for code in ["E91", "D90.1", "E11.", "X1", "e11.9", "C8A.1", "E11.12345", "A1B", "110.1"] {
            invalid(Validator::Icd10, code);
        }
    }

    #[test]
    fn a_list_has_three_codes_of_two_chapters() {
        let is_list = |text| within(Validator::Icd10List, text, "E11.9") != Verdict::Invalid;
        assert!(is_list("E11.9, I10, J45.909"));
        assert!(is_list("I10; J45.2; E11.9"));
        assert!(!is_list("E11.9, I10"));
        assert!(!is_list("E11.9 E11.8 E11.7"));
        assert!(!is_list("E11.9 E11.9 I10"));
    }

    #[test]
    fn procedures() {
        for code in ["99213", "0001F", "0075T", "0001U", "J1885", "G0402", "99213-25"] {
            valid(Validator::ProcedureCode, code);
        }
        for code in ["00099", "99999", "11111", "N1234", "9921", "0001X"] {
            invalid(Validator::ProcedureCode, code);
        }
    }

    #[test]
    fn drug_codes_have_three_segments() {
        for code in ["0002-8215-01", "50090-0481-0", "12345-678-90", "00002-8215-01", "00002821501"]
        {
            valid(Validator::Ndc, code);
        }
        for code in ["002-8215-01", "0002-821-01", "12345-6789", "00000-0000-00", "1-2-3-4"] {
            invalid(Validator::Ndc, code);
        }
    }

    #[test]
    fn observation_and_concept_codes() {
        for code in ["4548-4", "2345-7", "718-7", "8480-6", "10160-0"] {
            valid(Validator::Loinc, code);
        }
        for code in ["4548-5", "45484", "4-548-4", "12345678-4"] {
            invalid(Validator::Loinc, code);
        }
        for code in ["44054006", "73211009", "38341003", "900000000000207008", "195967001"] {
            valid(Validator::SnomedCt, code);
        }
        for code in ["44054007", "04405406", "73211", "440540064405400644"] {
            invalid(Validator::SnomedCt, code);
        }
    }

    #[test]
    fn device_identifiers_have_their_check_digit() {
        valid(Validator::Gs1Elements, "(01)09506000134352(17)261231(21)S123");
        valid(Validator::Gs1Elements, "(17)181119(01)38425876095074(37)1");
        for text in [
            "(01)09506000134353(21)S123",
            "(01)09506000134352(17)261331",
            "(21)S123",
            "(01)09506000134352(99)1",
            "(01",
        ] {
            invalid(Validator::Gs1Elements, text);
        }
    }

    #[test]
    fn a_resource_holds_elements_of_a_person() {
        let text = r#"{"resourceType":"Patient","birthDate":"1987-03-12"}"#;
        assert_ne!(within(Validator::Fhir, text, "Patient"), Verdict::Invalid);
        let text = r#"{"birthDate":"1987-03-12","resourceType":"Patient"}"#;
        assert_ne!(within(Validator::Fhir, text, "Patient"), Verdict::Invalid);
        let text = r#"{"resourceType":"Patient","id":"1"}"#;
        assert_eq!(within(Validator::Fhir, text, "Patient"), Verdict::Invalid);
    }

    #[test]
    fn a_claim_ends_with_the_name_of_the_insured() {
        let header = "ISA*00*          *00*          *ZZ*SUBMITTER      *ZZ*RECEIVER       \
            *300101*1200*^*00501*000000001*0*T*:~";
        assert_eq!(header.len(), 106);
        let text = format!(
            "{header}GS*HC*A*B*20300101*1200*1*X*005010X222A1~ST*837*0001~\
             NM1*IL*1*DOE*JANE****MI*W123456789~DMG*D8*19870312*F~"
        );
        let verdict = within(Validator::X12Health, &text, "ISA*");
        let end = text.find("~DMG").unwrap();
        assert_eq!(verdict, Verdict::Valid { end, published: false });
        for changed in [
            text.replace("GS*HC", "GS*PO"),
            text.replace("NM1*IL", "NM1*85"),
            text.replace("*DOE*", "**"),
            text.replace("ISA*00*", "ISA*0*"),
        ] {
            assert_eq!(within(Validator::X12Health, &changed, "ISA*"), Verdict::Invalid);
        }
    }
}
