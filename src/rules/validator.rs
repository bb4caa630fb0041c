//! The checks that a rule can name.

use serde::{Deserialize, Serialize};

macro_rules! validators {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A check that a match must pass. What each does is its doc line; the code is in
        /// `scan::validate`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Validator {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Validator {
            /// All validators.
            pub const ALL: &'static [Validator] = &[$(Validator::$name,)+];

            /// The word used in rule packs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Validator::$name => $word,)+
                }
            }

            /// What the check does, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Validator::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The validator that a rule pack calls by this word.
            pub fn from_word(word: &str) -> Option<Validator> {
                match word {
                    $($word => Some(Validator::$name),)+
                    _ => None,
                }
            }
        }
    };
}

validators! {
    // Payment cards
    /// Payment card number: issuer prefix and length table, and the Luhn check digit (ISO/IEC 7812-1).
    PaymentCard = "payment_card",
    /// Magnetic stripe track 1 (ISO/IEC 7813): format B, card number, name, expiry month, Luhn.
    Track1 = "track1",
    /// Magnetic stripe track 2 (ISO/IEC 7813): card number, separator, expiry month, Luhn.
    Track2 = "track2",

    // Other financial data
    /// IBAN (ISO 13616): country, length and shape of the account part, MOD 97-10 (ISO/IEC 7064).
    Iban = "iban",
    /// Bitcoin address: Base58Check with version byte, or Bech32 and Bech32m (BIP 173, BIP 350).
    BitcoinAddress = "bitcoin_address",

    // Personal data
    /// E-mail address (RFC 5321): lengths, label grammar, top-level domain shape; example domains (RFC 2606) are published examples.
    Email = "email",
    /// Telephone number: E.164 length and country code, or North American area and exchange codes; numbers reserved for fiction are published examples.
    Phone = "phone",
    /// Telephone number behind its label: 7 to 15 digits (an extension apart) that are no date and not one repeated digit.
    LabelledPhone = "labelled_phone",
    /// IP address, parsed; private, loopback, link-local and documentation ranges are published examples.
    IpAddress = "ip_address",
    /// Calendar date between 1900 and 2100 in year-month-day, day-month-year or month-day-year order.
    Date = "date",
    /// United States postal address: state abbreviation and ZIP prefix agree.
    AddressUs = "address_us",

    // National identifiers of the Americas
    /// United States Social Security number: area, group and serial ranges; advertised numbers are published examples.
    UsSsn = "us_ssn",
    /// United States individual taxpayer number: 9xx area and the group ranges of the IRS.
    UsItin = "us_itin",
    /// Brazilian CPF: two check digits mod 11.
    BrCpf = "br_cpf",

    // National identifiers of Europe
    /// United Kingdom National Insurance number: prefix letters and suffix as HMRC allocates them.
    GbNino = "gb_nino",
    /// German tax identification number: digit repetition rule and MOD 11,10 (ISO/IEC 7064).
    DeIdnr = "de_idnr",
    /// French social security number: sex, month, department and the key 97 - n mod 97.
    FrNir = "fr_nir",
    /// Polish PESEL: encoded birth date and weights 1-3-7-9 mod 10.
    PlPesel = "pl_pesel",

    // National identifiers of Asia, Africa and Oceania
    /// Aadhaar number: first digit 2 to 9, no palindrome, Verhoeff check digit.
    InAadhaar = "in_aadhaar",

    // Health
    /// Medicare beneficiary identifier: the positional alphabet of CMS.
    UsMbi = "us_mbi",
    /// National provider identifier: Luhn check digit with the prefix 80840.
    UsNpi = "us_npi",
    /// Identifier with at least one digit that is no date and not one repeated digit.
    LabelledId = "labelled_id",
    /// HL7 version 2 message: an MSH header and, within the next 4 KiB, a PID segment; the finding ends with the PID segment.
    Hl7 = "hl7",

    // Secrets
    /// PEM private key: base64 body with a plausible length up to the END line; the finding covers the whole block.
    PemPrivateKey = "pem_private_key",
    /// AWS access key id: base32 that decodes to an account number.
    AwsAccessKey = "aws_access_key",
    /// GitHub token: CRC-32 of the random part in its last six base-62 characters.
    GithubToken = "github_token",
    /// JSON Web Token (RFC 7519): the header decodes to a JSON object with `alg`.
    Jwt = "jwt",
    /// Password inside a URI: neither a placeholder nor a reference to a variable.
    UriPassword = "uri_password",
    /// Assigned password: neither a placeholder, a reference to a variable, code, nor a plain dictionary word.
    AssignedPassword = "assigned_password",

    // Marks and special categories
    /// CUI banner: category and dissemination marks of the CUI registry.
    CuiBanner = "cui_banner",
    /// United States classification banner: level, control marks and dissemination marks in the order of the CAPCO grammar.
    UsBanner = "us_banner",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_their_validators() {
        for validator in Validator::ALL {
            assert_eq!(Validator::from_word(validator.as_str()), Some(*validator));
            assert!(!validator.description().is_empty());
        }
        assert_eq!(Validator::from_word("no_such_check"), None);
    }
}
