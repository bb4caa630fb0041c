//! The normal form of a value: what fingerprints and unique counts compare.

use std::net::Ipv4Addr;

use crate::model::Class;

/// Appends the normal form of a value to `out`, so that two spellings of one value are equal.
///
/// Cards, accounts, national and health identifiers, and telephone numbers: ASCII letters in upper
/// case and digits, the rest dropped. E-mail addresses: ASCII letters in lower case. All else: the
/// bytes as they are. Personal data is told apart by its bytes alone: a value with `@` is an e-mail
/// address; nine digits and more among `+`, spaces and `-./()` are a telephone number unless they
/// are an IPv4 address. A date has eight digits at most and keeps its punctuation.
pub fn normalise(class: Class, value: &[u8], out: &mut Vec<u8>) {
    let compact = || value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    match class {
        Class::Pci | Class::Fin | Class::Nat | Class::Phi => out.extend(compact()),
        Class::Pii if value.contains(&b'@') => {
            out.extend(value.iter().map(u8::to_ascii_lowercase));
        }
        Class::Pii if telephone(value) => out.extend(compact()),
        _ => out.extend_from_slice(value),
    }
}

fn telephone(value: &[u8]) -> bool {
    let is_of_one =
        |byte: &u8| matches!(byte, b'0'..=b'9' | b' ' | b'+' | b'-'..=b'/' | b'(' | b')');
    value.iter().all(is_of_one)
        && value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 9
        && !std::str::from_utf8(value).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(class: Class, value: &str) -> String {
        let mut out = Vec::new();
        normalise(class, value.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        assert_eq!(normal(Class::Pci, "4111-1111 1111"), "411111111111");
        assert_eq!(normal(Class::Fin, "de89 3704"), "DE893704");
        assert_eq!(normal(Class::Pii, "(212) 736-3100"), normal(Class::Pii, "212.736.3100"));
        assert_eq!(normal(Class::Pii, "Jane@Acme.DE"), "jane@acme.de");
    }

    #[test]
    fn different_values_stay_different() {
        assert_ne!(normal(Class::Pii, "1.12.3.44"), normal(Class::Pii, "11.2.3.44"));
        assert_ne!(normal(Class::Pii, "2a02::1:23"), normal(Class::Pii, "2a02::12:3"));
        assert_ne!(normal(Class::Pii, "111.12.113.144"), normal(Class::Pii, "111.121.13.144"));
        assert_ne!(normal(Class::Pii, "1/12/1987"), normal(Class::Pii, "11/2/1987"));
        assert_ne!(normal(Class::Sec, "aBc"), normal(Class::Sec, "abc"));
    }
}
