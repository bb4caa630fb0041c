//! Addresses of networks: IP and hardware.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Candidate, Check};

/// An address that parses and is assigned to hosts. Ranges of RFC 1918, 5737, 6598, 6890, 3849 and
/// 4193, loopback, link-local, multicast, network addresses and those whose octets are all single
/// digits (public resolvers, or rather version numbers) are published. A number that goes on, or
/// that a product name and `/` precede, is no address.
pub(super) fn ip_address(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let mut back = candidate.before().iter().rev();
    let mut on = candidate.after().iter();
    let product = back.next() == Some(&b'/') && back.next().is_some_and(u8::is_ascii_alphanumeric);
    let goes_on = match (on.next(), on.next()) {
        (Some(b':'), Some(b':')) if !value.contains(&b'.') => true,
        (Some(b':'), _) if value.ends_with(b":") => true,
        (Some(b'.' | b':'), Some(next)) => {
            next.is_ascii_hexdigit() && !value.contains(&b'.')
                || next.is_ascii_digit() && candidate.after().first() == Some(&b'.')
        }
        (Some(b'-'), Some(next)) => next.is_ascii_alphabetic(),
        (Some(b'+'), Some(next)) => next.is_ascii_alphanumeric(),
        (Some(next), _) => next.is_ascii_alphanumeric() || *next == b'_',
        _ => false,
    };
    if goes_on || product {
        return Check::Invalid;
    }
    if let Some(octets) = octets(value) {
        return Check::Valid.published_if(reserved_v4(Ipv4Addr::from(octets)));
    }
    if !may_be_v6(value) {
        return Check::Invalid;
    }
    let Ok(text) = std::str::from_utf8(value) else { return Check::Invalid };
    let Ok(address) = text.parse::<Ipv6Addr>() else { return Check::Invalid };
    let [first, second, ..] = address.segments();
    let documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff && second < 0x1000;
    // Written in full, with eight groups, it is nothing else, whatever is assigned.
    let full = text.split(':').filter(|group| group.len() >= 3).count() >= 5;
    let assigned = (0x2000..=0x3fff).contains(&first) || full;
    let special = matches!(first, 0xfc00..=0xfdff | 0xfe80..=0xfebf) || address.is_loopback();
    Check::of(assigned || special).published_if(documentation || special)
}

/// The octets of an IPv4 address: four numbers up to 255 without leading zeros, and points between
/// them (RFC 6943 section 3.1.1, the strict form).
fn octets(value: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut rest = value;
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (mut number, mut length) = (0u16, 0);
        while let Some((byte @ b'0'..=b'9', behind)) = rest.split_first() {
            number = number * 10 + u16::from(byte - b'0');
            length += 1;
            rest = behind;
            if length == 3 {
                break;
            }
        }
        let begins_with_zero = length == 2 && number < 10 || length == 3 && number < 100;
        if length == 0 || begins_with_zero {
            return None;
        }
        *octet = u8::try_from(number).ok()?;
    }
    rest.is_empty().then_some(octets)
}

/// Whether a value has as many colons as an IPv6 address, or two in a row: times of day do not.
fn may_be_v6(value: &[u8]) -> bool {
    let (mut colons, mut before) = (0, 0);
    value.iter().any(|byte| {
        let is_gap = *byte == b':' && before == b':';
        colons += usize::from(*byte == b':');
        before = *byte;
        is_gap || colons >= 6
    })
}

fn reserved_v4(address: Ipv4Addr) -> bool {
    let octets = address.octets();
    let [a, b, _, last] = octets;
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || a == 100 && (64..128).contains(&b)
        || a == 198 && matches!(b, 18 | 19)
        || last == 0
        || octets.iter().all(|octet| *octet < 10)
}

/// A unicast EUI-48 or EUI-64 (IEEE 802): two digits a group with one kind of separator, or the whole
/// in groups of four, or bare; not all zeros. A locally administered address, which systems make up and
/// change, counts as well: only the group bit is refused.
pub(super) fn mac(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let mut separators = value.iter().filter(|byte| !byte.is_ascii_hexdigit());
    let first = separators.next();
    let one_kind = separators.all(|byte| Some(byte) == first);
    let mut groups = value.split(|byte| Some(byte) == first);
    let size = groups.clone().next().map_or(0, <[u8]>::len);
    let even = groups.all(|group| group.len() == size);
    let digits = value.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    let shape = matches!((digits, size), (12, 2 | 4 | 6 | 12) | (16, 2 | 4 | 16));
    let group_bit = value.get(1).is_some_and(|byte| hex(*byte) & 1 == 1);
    let kinds = value.iter().filter(|byte| byte.is_ascii_hexdigit()).map(|byte| hex(*byte));
    let nothing = kinds.clone().all(|digit| digit == 0) || kinds.clone().all(|digit| digit == 15);
    let joins = |byte: Option<&u8>| matches!(byte, Some(b':' | b'-' | b'_'));
    let mut on = candidate.after().iter();
    let (near, next) = (on.next(), on.next());
    let goes_on = near.is_some_and(u8::is_ascii_alphanumeric)
        || joins(near) && next.is_some_and(u8::is_ascii_hexdigit);
    let mut back = candidate.before().iter().rev();
    let (near, next) = (back.next(), back.next());
    let began = near.is_some_and(u8::is_ascii_alphanumeric)
        || joins(near) && next.is_some_and(u8::is_ascii_hexdigit);
    let valid = one_kind && even && shape && !group_bit && !nothing && !goes_on && !began;
    // RFC 9542 section 2.1.3: addresses for documentation; then what manuals write instead.
    let written = |text: &[u8]| kinds.clone().eq(text.iter().map(|byte| hex(*byte)));
    let documentation = kinds.clone().take(10).eq([0, 0, 0, 0, 5, 14, 0, 0, 5, 3])
        || PLACEHOLDERS.iter().any(|text| written(text.as_bytes()));
    Check::of(valid).published_if(documentation)
}

/// Addresses that stand for any other.
const PLACEHOLDERS: &[&str] = &[
    "aabbccddeeff",
    "001122334455",
    "123456789abc",
    "deadbeefcafe",
    "0123456789ab",
    "1234567890ab",
];

/// The value of a hexadecimal digit; 0 for another byte.
pub(super) fn hex(byte: u8) -> u8 {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn network_addresses() {
        for address in ["81.2.69.142", "2a02:810d:4bc0:8dc::1", "2607:f8b0:4005:805::200e"] {
            valid(Validator::IpAddress, address);
        }
        for address in [
            "10.1.2.3",
            "127.0.0.1",
            "192.0.2.44",
            "1.2.3.4",
            "120.0.0.0",
            "100.64.3.77",
            "2001:db8::12",
            "fe80::1ff:fe23",
            "::1",
        ] {
            published(Validator::IpAddress, address);
        }
        for address in ["256.1.1.10", "81.2.69", "a::b", "12:34:56", "::", "01.02.03.44"] {
            invalid(Validator::IpAddress, address);
        }
        for (text, start, end) in [
            ("Chrome/120.0.60.99", 7, 18),
            ("1.3.6.14.55", 0, 8),
            ("11.2.33.4-beta", 0, 9),
            ("2a02::1::2", 0, 7),
        ] {
            let candidate = Candidate { text: text.as_bytes(), start, end, limit: text.len() };
            assert_eq!(ip_address(candidate), Check::Invalid, "{text}");
        }
    }

    #[test]
    fn a_port_or_a_module_may_stand_behind_an_address() {
        for (text, end) in [("81.2.69.142::module/path", 11), ("81.2.69.142:443", 11)] {
            let candidate = Candidate { text: text.as_bytes(), start: 0, end, limit: text.len() };
            assert_eq!(ip_address(candidate), Check::Valid, "{text}");
        }
    }

    #[test]
    fn hardware_addresses() {
        for address in ["3c:22:fb:4a:91:0e", "3C-22-FB-4A-91-0E", "3c22.fb4a.910e", "3c22fb4a910e"]
        {
            valid(Validator::Mac, address);
        }
        published(Validator::Mac, "00:00:5e:00:53:af");
        published(Validator::Mac, "aa:bb:cc:dd:ee:ff");
        for address in
            ["01:00:5e:00:00:fb", "ff:ff:ff:ff:ff:ff", "3c:22-fb:4a:91:0e", "3c:22:fb:4a:91"]
        {
            invalid(Validator::Mac, address);
        }
    }

    proptest::proptest! {
        #[test]
        fn an_address_is_what_the_standard_library_reads(
            value in "([0-9]{1,4}\\.){2,4}[0-9]{0,3}|([12]?[0-9]?[0-9]\\.){3}[12]?[0-9]?[0-9]|\
                (2001|fe80|[0-9a-f]{0,4})(::?[0-9a-f]{0,4}){2,7}((::?|\\.)1\\.2\\.3\\.4)?|\
                [0-2][0-9](:[0-5][0-9]){2}",
        ) {
            let octets = octets(value.as_bytes()).map(Ipv4Addr::from);
            proptest::prop_assert_eq!(octets, value.parse().ok(), "{}", value);
            let is_v6 = value.parse::<Ipv6Addr>().is_ok();
            proptest::prop_assert!(!is_v6 || may_be_v6(value.as_bytes()), "{}", value);
        }
    }
}
