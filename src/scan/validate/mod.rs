//! The checks behind `rules::Validator`, each written from the standard that its doc line names.
//!
//! A match comes in, with the text around it; a [`Verdict`] goes out. Every check reads the value
//! once or twice and at most 64 bytes beside it, or, where it reads on to the end of a structure,
//! each byte up to the candidate's limit once and stops at the first that cannot belong.

mod banking;
mod cards;
mod contact;
mod countries;
mod digits;
mod health;
mod marks;
mod national;
mod normal;
mod secrets;
mod securities;
mod wallets;

pub use normal::normalise;

use crate::rules::Validator;

/// Bytes before a value that a check may look at.
pub const LOOK_BEHIND: usize = 64;

/// A match to check, inside the text around it.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The view around the match. Bytes before `start` and behind `end` may be looked at: at most
    /// 64 before, and none at or behind `limit`.
    pub text: &'a [u8],
    /// First byte of the value in `text`.
    pub start: usize,
    /// Behind the last byte of the value.
    pub end: usize,
    /// Behind the last byte that may be read: the start of the match plus the rule's reach, or the
    /// end of the payload.
    pub limit: usize,
}

impl<'a> Candidate<'a> {
    /// The value alone.
    pub fn value(&self) -> &'a [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// The bytes before the value that may be looked at, at most 64.
    fn before(&self) -> &'a [u8] {
        self.text.get(self.start.saturating_sub(64)..self.start).unwrap_or_default()
    }

    /// The bytes behind the value that may be looked at.
    fn after(&self) -> &'a [u8] {
        self.text.get(self.end..self.limit.min(self.text.len())).unwrap_or_default()
    }
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not what the rule looks for.
    Invalid,
    /// It is. The value ends at `end` (in `text`), which a check that reads on may have moved.
    Valid {
        /// Behind the last byte of the value.
        end: usize,
        /// Whether it is a published example or reserved for private use: `possible` at most.
        published: bool,
    },
}

/// What a check of the value as it stands says; [`Verdict`] adds where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Invalid,
    Valid,
    Published,
}

impl Check {
    fn of(valid: bool) -> Check {
        if valid { Check::Valid } else { Check::Invalid }
    }

    /// The same, as published where `published` holds.
    fn published_if(self, published: bool) -> Check {
        if self == Check::Valid && published { Check::Published } else { self }
    }

    fn ending_at(self, end: usize) -> Verdict {
        match self {
            Check::Invalid => Verdict::Invalid,
            Check::Valid => Verdict::Valid { end, published: false },
            Check::Published => Verdict::Valid { end, published: true },
        }
    }
}

/// Runs a check on a match.
pub fn check(validator: Validator, candidate: Candidate<'_>) -> Verdict {
    let value = candidate.value();
    let check = match validator {
        // Payment cards
        Validator::PaymentCard => cards::payment_card(candidate),
        Validator::CardLike => cards::card_like(candidate),
        Validator::Track1 => cards::track1(value),
        Validator::Track2 => cards::track2(value),
        Validator::TruncatedCard => cards::truncated_card(candidate),
        Validator::CardCode => cards::card_code(candidate),
        Validator::CardExpiry => cards::card_expiry(candidate),
        Validator::ExpiryBehindCard => cards::expiry_behind_card(candidate),
        Validator::PinBlock => cards::pin_block(value),
        Validator::EmvTlv => return cards::emv_tlv(candidate),
        Validator::PaymentKey => cards::payment_key(value),

        // Other financial data
        Validator::Iban => return banking::iban(candidate),
        Validator::Bic => banking::bic(candidate),
        Validator::UsAbaRtn => banking::us_aba_rtn(candidate),
        Validator::UkAccount => banking::uk_account(candidate),
        Validator::CaTransit => banking::ca_transit(candidate),
        Validator::MxClabe => banking::mx_clabe(candidate),
        Validator::ArCbu => banking::ar_cbu(candidate),
        Validator::Isin => securities::isin(candidate),
        Validator::Cusip => securities::cusip(candidate),
        Validator::Sedol => securities::sedol(candidate),
        Validator::Lei => securities::lei(candidate),
        Validator::SepaCreditorId => return securities::sepa_creditor_id(candidate),
        Validator::BitcoinAddress => wallets::bitcoin_address(value),
        Validator::EthAddress => wallets::eth_address(value),
        Validator::EthChecksumAddress => wallets::eth_checksum_address(value),
        Validator::WifKey => wallets::wif_key(value),
        Validator::ExtendedKey => wallets::extended_key(value),
        Validator::Bip39Mnemonic => return wallets::bip39_mnemonic(candidate),

        // Personal data
        Validator::Email => contact::email(candidate),
        Validator::Phone => contact::phone(candidate),
        Validator::LabelledPhone => contact::labelled_phone(candidate),
        Validator::IpAddress => contact::ip_address(candidate),
        Validator::Date => contact::date(candidate),
        Validator::AddressUs => contact::address_us(value),

        // National identifiers of the Americas
        Validator::UsSsn => national::us_ssn(candidate),
        Validator::UsItin => national::us_itin(candidate),
        Validator::BrCpf => national::br_cpf(candidate),

        // National identifiers of Europe
        Validator::GbNino => national::gb_nino(value),
        Validator::DeIdnr => national::de_idnr(candidate),
        Validator::FrNir => national::fr_nir(candidate),
        Validator::PlPesel => national::pl_pesel(candidate),

        // National identifiers of Asia, Africa and Oceania
        Validator::InAadhaar => national::in_aadhaar(candidate),

        // Health
        Validator::UsMbi => health::us_mbi(candidate),
        Validator::UsNpi => health::us_npi(candidate),
        Validator::LabelledId => health::labelled_id(candidate),
        Validator::Hl7 => return health::hl7(candidate),

        // Secrets
        Validator::PemPrivateKey => return secrets::pem_private_key(candidate),
        Validator::AwsAccessKey => secrets::aws_access_key(value),
        Validator::GithubToken => secrets::github_token(value),
        Validator::Jwt => secrets::jwt(value),
        Validator::UriPassword => secrets::uri_password(value),
        Validator::AssignedPassword => secrets::assigned_password(value),

        // Marks and special categories
        Validator::CuiBanner => marks::cui_banner(value),
        Validator::UsBanner => marks::us_banner(value),
    };
    check.ending_at(candidate.end)
}

/// Whether nothing joins the value to a longer number or word: no letter, digit or `_` beside it,
/// and no `-` or `.` beside it with a digit behind that.
fn stands_alone(candidate: &Candidate<'_>) -> bool {
    let joined = |near: Option<&u8>, next: Option<&u8>| match near {
        Some(b'-' | b'.') => next.is_some_and(u8::is_ascii_digit),
        Some(near) => near.is_ascii_alphanumeric() || *near == b'_',
        None => false,
    };
    let (mut back, mut on) = (candidate.before().iter().rev(), candidate.after().iter());
    !joined(back.next(), back.next()) && !joined(on.next(), on.next())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn run(validator: Validator, value: &str) -> Verdict {
        let text = value.as_bytes();
        check(validator, Candidate { text, start: 0, end: text.len(), limit: text.len() })
    }

    pub fn valid(validator: Validator, value: &str) {
        let verdict = run(validator, value);
        assert!(matches!(verdict, Verdict::Valid { published: false, .. }), "{value}: {verdict:?}");
    }

    pub fn published(validator: Validator, value: &str) {
        let verdict = run(validator, value);
        assert!(matches!(verdict, Verdict::Valid { published: true, .. }), "{value}: {verdict:?}");
    }

    pub fn invalid(validator: Validator, value: &str) {
        assert_eq!(run(validator, value), Verdict::Invalid, "{value}");
    }

    #[test]
    fn every_check_is_total() {
        let long = [b'1'; 4096];
        let mixed: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let samples: [&[u8]; 9] =
            [b"", b"@", b".", b"://", b"-----BEGIN", b"MSH|", b"\xff\xfe", &long, &mixed];
        for validator in Validator::ALL {
            for text in samples {
                for (start, end, limit) in [(0, text.len(), text.len()), (5, 2, 9), (9, 99, 3)] {
                    check(*validator, Candidate { text, start, end, limit });
                }
            }
        }
    }
}
