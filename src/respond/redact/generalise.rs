//! Values made coarse.
//!
//! A category and a value come in; a text that says less comes out, or none where the category
//! knows no coarser form or the value is not understood: then it is masked.

use std::net::IpAddr;

/// Three-digit ZIP code areas of 20,000 people or fewer, which stand as `000`: the guidance on 45 CFR
/// 164.514(b)(2)(i)(B) of the U.S. Department of Health and Human Services, by the census of 2000.
const SMALL_AREAS: [&str; 17] = [
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878",
    "879", "884", "890", "893",
];

/// The coarse form of a value of this category. `scalar`: it has to be a JSON number.
pub(super) fn generalise(category: &str, value: &str, scalar: bool) -> Option<String> {
    let coarse = match category {
        "pii.dob" | "pii.service_dates" => year(value),
        "pii.age_over_89" => Some("[90+]".to_owned()),
        "pii.ip" => network(value),
        "pii.uk_postcode" => outward(value),
        "pii.address_us" => zip_area(value),
        _ => None,
    }?;
    let number = coarse.bytes().all(|byte| byte.is_ascii_digit());
    (number || !scalar).then_some(coarse)
}

/// The one year in four digits of a date.
fn year(value: &str) -> Option<String> {
    let runs = value.split(|c: char| !c.is_ascii_digit());
    let mut years = runs.filter(|run| run.len() == 4 && matches!(run.get(..2), Some("19" | "20")));
    years.next().filter(|_| years.next().is_none()).map(str::to_owned)
}

/// A network for documentation: RFC 5737, RFC 3849.
fn network(value: &str) -> Option<String> {
    let network = match value.parse().ok()? {
        IpAddr::V4(_) => "192.0.2.0/24",
        IpAddr::V6(_) => "2001:db8::/32",
    };
    Some(network.to_owned())
}

/// The outward part of a British postcode: the district.
fn outward(value: &str) -> Option<String> {
    let letters: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let (outward, _) = letters.split_at_checked(letters.len().checked_sub(3)?)?;
    let sound =
        (2..=4).contains(&outward.len()) && outward.bytes().all(|c| c.is_ascii_alphanumeric());
    sound.then(|| outward.to_ascii_uppercase())
}

/// The first three digits of the ZIP code that ends an address.
fn zip_area(value: &str) -> Option<String> {
    let end = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let code = match end.rsplit_once('-') {
        Some((code, more)) if more.len() == 4 && more.bytes().all(|c| c.is_ascii_digit()) => code,
        _ => end,
    };
    let (before, code) = code.split_at_checked(code.len().checked_sub(5)?)?;
    let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
    let sound = alone && code.bytes().all(|c| c.is_ascii_digit());
    let area = code.get(..3).filter(|_| sound)?;
    Some(format!("[{}**]", if SMALL_AREAS.contains(&area) { "000" } else { area }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_less() {
        for (category, value, coarse) in [
            ("pii.dob", "1987-03-12", Some("1987")),
            ("pii.dob", "March 12, 1987", Some("1987")),
            ("pii.dob", "12/03/87", None),
            ("pii.dob", "19870312", None),
            ("pii.service_dates", "1999-01-01 2001", None),
            ("pii.age_over_89", "94", Some("[90+]")),
            ("pii.ip", "81.2.69.142", Some("192.0.2.0/24")),
            ("pii.ip", "2a02:1::5", Some("2001:db8::/32")),
            ("pii.ip", "81.2.69", None),
            ("pii.uk_postcode", "sw1a 1AA", Some("SW1A")),
            ("pii.uk_postcode", "1AA", None),
            ("pii.address_us", "1 Elm St, Springfield, IL 62704-1234", Some("[627**]")),
            ("pii.address_us", "1 Elm St, Springfield, IL 62704", Some("[627**]")),
            ("pii.address_us", "1 Elm St, Bristol, VT 05901", Some("[000**]")),
            ("pii.address_us", "1 Elm St, Springfield", None),
            ("pii.phone", "1987", None),
        ] {
            assert_eq!(generalise(category, value, false).as_deref(), coarse, "{category} {value}");
        }
        assert_eq!(generalise("pii.dob", "1987-03-12", true).as_deref(), Some("1987"));
        assert_eq!(generalise("pii.ip", "81.2.69.142", true), None);
    }
}
