//! What special categories of personal data are written as: fields, genotypes, sequences.

use super::contact::one_of;
use super::{Candidate, Check, stands_alone};

/// A value in a field: words that are neither a placeholder, a refusal to say, nor a type.
pub(super) fn field_value(value: &[u8]) -> Check {
    const EMPTY: &str = "none null nil n/a na n.a. k.a. unknown undefined unspecified blank empty \
        other others declined undisclosed withheld refused optional required pending todo tbd yes \
        no true false string str text varchar char int integer bool boolean enum field type list \
        array object option select value data column code unbekannt keine sonstige inconnu inconnue \
        aucun aucune autre desconocido ninguno ninguna otro sconosciuto nessuno nessuna altro \
        desconhecido nenhum nenhuma outro onbekend geen anders nieznane brak inne self models \
        charfield textfield and or is was are the of in for not to with by as on from any all this \
        that information status";
    const SILENT: [&[u8]; 16] = [
        b"prefer",
        b"decline",
        b"not ",
        b"keine ",
        b"n/a",
        b"do not",
        b"don't",
        b"choose",
        b"no answer",
        b"no data",
        b"ohne angabe",
        b"non renseign",
        b"no especific",
        b"geen ",
        b"bez ",
        b"brak ",
    ];
    let value = value.trim_ascii();
    let letters =
        value.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
    let starts = |prefix: &[u8]| {
        value.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    let word = value.split(|byte| matches!(byte, b' ' | b'(' | b'<' | b'[' | b'.' | b'_')).next();
    Check::of(
        letters >= 3
            && !one_of(EMPTY, value)
            && !word.is_some_and(|word| one_of(EMPTY, word))
            && !SILENT.iter().any(|prefix| starts(prefix)),
    )
}

/// Reference SNP identifiers (NCBI dbSNP): at least three different ones, here and as far on as the
/// rule may read. Reading stops at the second, so each byte is read a few times at most.
pub(super) fn rs_list(candidate: Candidate<'_>) -> Check {
    let mut first: Option<&[u8]> = None;
    let others = candidate
        .after()
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| rs_number(word) && *word != candidate.value());
    for other in others {
        match first {
            Some(known) if known != other => {
                return Check::of(rs_number(candidate.value()) && stands_alone(&candidate));
            }
            _ => first = Some(other),
        }
    }
    Check::Invalid
}

fn rs_number(word: &[u8]) -> bool {
    word.strip_prefix(b"rs").is_some_and(|number| {
        (3..=10).contains(&number.len()) && number.iter().all(u8::is_ascii_digit)
    })
}

/// A nucleotide sequence (IUPAC-IUB 1984): at least three of the four bases, none of them more than
/// two thirds of the whole, and no more than a tenth unknown. Runs of one sign are padding.
pub(super) fn nucleotides(candidate: Candidate<'_>) -> Check {
    let mut counts = [0usize; 5];
    for byte in candidate.value() {
        let place = match byte.to_ascii_uppercase() {
            b'A' => 0,
            b'C' => 1,
            b'G' => 2,
            b'T' | b'U' => 3,
            b'N' => 4,
            _ => return Check::Invalid,
        };
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
    let all: usize = counts.iter().sum();
    let [bases @ .., unknown] = counts;
    let used = bases.iter().filter(|count| **count * 20 >= all).count();
    let balanced = bases.iter().all(|count| *count * 3 <= all * 2);
    Check::of(all >= 48 && used >= 3 && balanced && unknown * 10 <= all && stands_alone(&candidate))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};
    use crate::scan::validate::{Candidate, Verdict, check};

    #[test]
    fn fields_say_something() {
        for value in ["Hispanic", "römisch-katholisch", "Asian / Pacific Islander", "gay"] {
            valid(Validator::FieldValue, value);
        }
        for value in [
            "N/A",
            "unknown",
            "prefer not to say",
            "string",
            "keine Angabe",
            "",
            "x",
            "models.CharField",
        ] {
            invalid(Validator::FieldValue, value);
        }
    }

    #[test]
    fn genotypes_come_in_lists() {
        let of = |text: &str| {
            let candidate =
                Candidate { text: text.as_bytes(), start: 0, end: 9, limit: text.len() };
            check(Validator::RsList, candidate) != Verdict::Invalid
        };
        assert!(of("rs4477212\t1\t82154\tAA\nrs3094315\t1\t752566\tAG\nrs3131972\t1\tGG"));
        assert!(!of("rs4477212, rs3094315"));
        assert!(!of("rs4477212 rs4477212 rs3094315 rs3094315"));
    }

    #[test]
    fn sequences_use_their_alphabet() {
        valid(Validator::Nucleotides, &"GATTACAGC".repeat(8));
        valid(Validator::Nucleotides, &"gattacagc".repeat(8));
        invalid(Validator::Nucleotides, &"A".repeat(80));
        invalid(Validator::Nucleotides, &"AC".repeat(40));
        invalid(Validator::Nucleotides, &"GATTACAGC".repeat(4));
        invalid(Validator::Nucleotides, &"GATTACAGCX".repeat(8));
    }
}
