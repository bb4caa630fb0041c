//! Hashes of passwords.

use super::super::Check;
use super::entropy::kinds;

const CRYPT: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A hash in one of the forms of crypt(5), PHC, LDAP, Django, phpass, SCRAM or a dump of Windows
/// accounts: the fields are there, of the length that the algorithm gives, and the sum varies.
pub(in super::super) fn password_hash(value: &[u8]) -> Check {
    Check::of(crypt(value).or_else(|| windows(value)).unwrap_or_else(|| kinds(value) >= 12))
}

/// `$id$salt$sum` and its variants; `None` where the text is of another form.
fn crypt(value: &[u8]) -> Option<bool> {
    let rest = value.strip_prefix(b"$")?;
    let fields: Vec<&[u8]> = rest.split(|byte| *byte == b'$').collect();
    let (id, last) = (*fields.first()?, *fields.last()?);
    let alphabet = last.iter().all(|byte| CRYPT.contains(byte));
    let length = match id {
        b"1" | b"apr1" => alphabet && last.len() == 22,
        b"5" => alphabet && last.len() == 43,
        b"6" => alphabet && last.len() == 86,
        b"2a" | b"2b" | b"2x" | b"2y" => {
            let cost = fields.get(1).copied().unwrap_or_default();
            let known = matches!(
                cost,
                [b'0', b'4'..=b'9'] | [b'1' | b'2', b'0'..=b'9'] | [b'3', b'0' | b'1']
            );
            alphabet && last.len() == 53 && known
        }
        b"y" | b"gy" | b"7" => last.len() == 43,
        b"P" | b"H" => last.len() == 31,
        _ => last.len() >= 16,
    };
    Some(length && kinds(last) >= 10)
}

/// `user:id:LM hash:NT hash:::`, or the NT hash alone; the sums of the empty password are no secret.
fn windows(value: &[u8]) -> Option<bool> {
    const EMPTY: &[u8] = b"31d6cfe0d16ae931b73c59d7e0c089c0";
    if value.len() == 32 {
        return Some(!value.eq_ignore_ascii_case(EMPTY) && kinds(value) >= 6);
    }
    let mut fields = value.split(|byte| *byte == b':').skip(2);
    let (lm, nt) = (fields.next()?, fields.next()?);
    (lm.len() == 32 && nt.len() == 32).then(|| !nt.eq_ignore_ascii_case(EMPTY) && kinds(nt) >= 6)
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn hashes_of_crypt_and_others() {
        for hash in [
            "$2b$12$FakeFakeFakeFakeFakeFuNotARealHashNotARealHash1234567",
            "$1$fakesalt$NotARealHashNotARea012",
            "Administrator:500:aad3b435b51404eeaad3b435b51404ee:8846f7eaee8fb117ad06bdd830b7586c:::",
        ] {
            valid(Validator::PasswordHash, hash);
        }
        for hash in [
            "$2b$12$tooshort",
            "$2b$99$FakeFakeFakeFakeFakeFuNotARealHashNotARealHash1234567",
            "$6$salt$short",
            "Guest:501:aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0:::",
        ] {
            invalid(Validator::PasswordHash, hash);
        }
    }
}
