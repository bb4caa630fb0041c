//! The checks behind `rules::Validator`, each written from the standard that its doc line names.
//!
//! A match comes in, with the text around it; a [`Verdict`] goes out. Every check reads the value
//! once or twice and at most 64 bytes beside it, or, where it reads on to the end of a structure,
//! each byte up to the candidate's limit once and stops at the first that cannot belong.

mod address;
mod banking;
mod cards;
mod clinical;
mod contact;
mod dates;
mod devices;
mod countries;
mod digits;
mod health;
mod location;
mod marks;
mod national;
mod network;
mod normal;
mod person;
mod phone;
mod secrets;
mod special;
mod travel;
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

/// Whether a check may say that a value ends behind its match.
pub fn moves_end(validator: Validator) -> bool {
    matches!(
        validator,
        Validator::EmvTlv
            | Validator::Iban
            | Validator::SepaCreditorId
            | Validator::Bip39Mnemonic
            | Validator::NameShape
            | Validator::PersonName
            | Validator::X12Health
            | Validator::Hl7
            | Validator::PemPrivateKey
            | Validator::PgpPrivateKey
            | Validator::GcpServiceAccount
    )
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
        Validator::Phone => phone::phone(candidate),
        Validator::NationalPhone => phone::national_phone(candidate),
        Validator::LabelledPhone => phone::labelled_phone(candidate),
        Validator::Fax => phone::fax(candidate),
        Validator::IpAddress => network::ip_address(candidate),
        Validator::Mac => network::mac(candidate),
        Validator::Date => dates::date(candidate),
        Validator::BirthDate => dates::birth_date(candidate),
        Validator::AddressUs => address::address_us(value),
        Validator::UkPostcode => address::uk_postcode(value),
        Validator::LabelledAddress => address::labelled_address(candidate),
        Validator::NameShape => return person::name_shape(candidate),
        Validator::PersonName => return person::person_name(candidate),
        Validator::Coordinates => location::coordinates(candidate),
        Validator::Degrees => location::degrees(candidate),
        Validator::DegreesMinutes => location::degrees_minutes(value),
        Validator::PlusCode => location::plus_code(value),
        Validator::Geohash => location::geohash(candidate),
        Validator::Imei => devices::imei(candidate),
        Validator::Meid => devices::meid(candidate),
        Validator::Iccid => devices::iccid(candidate),
        Validator::Imsi => devices::imsi(candidate),
        Validator::Vin => devices::vin(candidate),
        Validator::VinUnchecked => devices::vin_unchecked(candidate),
        Validator::Uuid => devices::uuid(candidate),
        Validator::Mrz => travel::mrz(value),

        // National identifiers of the Americas
        Validator::UsSsn => national::us_ssn(candidate),
        Validator::UsItin => national::us_itin(candidate),
        Validator::UsEin => national::us_ein(candidate),
        Validator::UsPassport => national::us_passport(candidate),
        Validator::UsAlienNumber => national::us_alien_number(candidate),
        Validator::UsDriverLicense => national::us_driver_license(candidate),
        Validator::UsStateLicense => national::us_state_license(candidate),
        Validator::CaSin => national::ca_sin(candidate),
        Validator::CaOnHealth => national::ca_on_health(candidate),
        Validator::CaBcPhn => national::ca_bc_phn(candidate),
        Validator::CaQcNam => national::ca_qc_nam(candidate),
        Validator::MxCurp => national::mx_curp(candidate),
        Validator::MxRfc => national::mx_rfc(candidate),
        Validator::MxRfcForm => national::mx_rfc_form(candidate),
        Validator::BrCpf => national::br_cpf(candidate),
        Validator::BrCnpj => national::br_cnpj(candidate),
        Validator::ArCuit => national::ar_cuit(candidate),
        Validator::ClRut => national::cl_rut(candidate),
        Validator::CoNit => national::co_nit(candidate),

        // National identifiers of Europe
        Validator::GbNino => national::gb_nino(candidate),
        Validator::GbUtr => national::gb_utr(candidate),
        Validator::GbDrivingLicence => national::gb_driving_licence(candidate),
        Validator::IePps => national::ie_pps(candidate),
        Validator::DeIdnr => national::de_idnr(candidate),
        Validator::DeRvnr => national::de_rvnr(candidate),
        Validator::DeIdCard => national::de_id_card(candidate),
        Validator::AtVnr => national::at_vnr(candidate),
        Validator::ChAhv => national::ch_ahv(candidate),
        Validator::FrNir => national::fr_nir(candidate),
        Validator::FrTin => national::fr_tin(candidate),
        Validator::NlBsn => national::nl_bsn(candidate),
        Validator::BeNn => national::be_nn(candidate),
        Validator::SePnr => national::se_pnr(candidate),
        Validator::NoFnr => national::no_fnr(candidate),
        Validator::DkCpr => national::dk_cpr(candidate),
        Validator::FiHetu => national::fi_hetu(candidate),
        Validator::IsKt => national::is_kt(candidate),
        Validator::EeLtIk => national::ee_lt_ik(candidate),
        Validator::EsDniNie => national::es_dni_nie(candidate),
        Validator::ItCf => national::it_cf(candidate),
        Validator::PtNif => national::pt_nif(candidate),
        Validator::GrAmka => national::gr_amka(candidate),
        Validator::HrOib => national::hr_oib(candidate),
        Validator::PlPesel => national::pl_pesel(candidate),
        Validator::CzRc => national::cz_rc(candidate),
        Validator::HuTaj => national::hu_taj(candidate),
        Validator::HuTaxId => national::hu_tax_id(candidate),
        Validator::HuTaxNumber => national::hu_tax_number(candidate),
        Validator::RoCnp => national::ro_cnp(candidate),
        Validator::BgEgn => national::bg_egn(candidate),
        Validator::UaRnokpp => national::ua_rnokpp(candidate),
        Validator::RuSnils => national::ru_snils(candidate),
        Validator::RuInn => national::ru_inn(candidate),

        // National identifiers of Asia, Africa and Oceania
        Validator::InAadhaar => national::in_aadhaar(candidate),
        Validator::InPan => national::in_pan(candidate),
        Validator::InGstin => national::in_gstin(candidate),
        Validator::TrTckn => national::tr_tckn(candidate),
        Validator::IlId => national::il_id(candidate),
        Validator::AeEid => national::ae_eid(candidate),
        Validator::CnRic => national::cn_ric(candidate),
        Validator::TwId => national::tw_id(candidate),
        Validator::HkHkid => national::hk_hkid(candidate),
        Validator::JpMyNumber => national::jp_my_number(candidate),
        Validator::KrRrn => national::kr_rrn(candidate),
        Validator::SgNricFin => national::sg_nric_fin(candidate),
        Validator::MyNric => national::my_nric(candidate),
        Validator::ThPin => national::th_pin(candidate),
        Validator::IdNik => national::id_nik(candidate),
        Validator::ZaId => national::za_id(candidate),
        Validator::NgNin => national::ng_nin(candidate),
        Validator::AuTfn => national::au_tfn(candidate),
        Validator::AuMedicare => national::au_medicare(candidate),
        Validator::NzIrd => national::nz_ird(candidate),

        // Health
        Validator::UsMbi => health::us_mbi(candidate),
        Validator::UsNpi => health::us_npi(candidate),
        Validator::UsDea => health::us_dea(candidate),
        Validator::UkNhs => health::uk_nhs(candidate),
        Validator::DeKvnr => health::de_kvnr(candidate),
        Validator::Icd10 => clinical::icd10(candidate),
        Validator::Icd10List => clinical::icd10_list(candidate),
        Validator::ProcedureCode => clinical::procedure_code(candidate),
        Validator::Ndc => clinical::ndc(candidate),
        Validator::Loinc => clinical::loinc(candidate),
        Validator::SnomedCt => clinical::snomed_ct(candidate),
        Validator::Gs1Elements => clinical::gs1_elements(candidate),
        Validator::Fhir => clinical::fhir(candidate),
        Validator::X12Health => return clinical::x12_health(candidate),
        Validator::LabelledId => health::labelled_id(candidate),
        Validator::Hl7 => return health::hl7(candidate),

        // Secrets
        Validator::PemPrivateKey => return secrets::pem_private_key(candidate),
        Validator::PgpPrivateKey => return secrets::pgp_private_key(candidate),
        Validator::EncodedPrivateKey => secrets::encoded_private_key(value),
        Validator::GcpServiceAccount => return secrets::gcp_service_account(candidate),
        Validator::Key64Bytes => secrets::key_64_bytes(value),
        Validator::Key32Bytes => secrets::key_32_bytes(value),
        Validator::AgeKey => secrets::age_key(value),
        Validator::AwsAccessKey => secrets::aws_access_key(value),
        Validator::AwsSecretKey => secrets::aws_secret_key(value),
        Validator::GithubToken => secrets::github_token(value),
        Validator::ChecksumToken => secrets::checksum_token(value),
        Validator::PypiToken => secrets::pypi_token(value),
        Validator::ProviderToken => secrets::provider_token(value),
        Validator::LabelledToken => secrets::labelled_token(value),
        Validator::GenericSecret => secrets::generic_secret(candidate),
        Validator::Jwt => secrets::jwt(value),
        Validator::UriPassword => secrets::uri_password(value),
        Validator::AssignedPassword => secrets::assigned_password(candidate),
        Validator::SpokenPassword => secrets::spoken_password(candidate),
        Validator::BasicCredentials => secrets::basic_credentials(value),
        Validator::PasswordHash => secrets::password_hash(value),
        Validator::OtpSeed => secrets::otp_seed(value),

        // Marks and special categories
        Validator::CuiBanner => marks::cui_banner(value),
        Validator::UsBanner => marks::us_banner(value),
        Validator::UsPortions => marks::us_portions(candidate),
        Validator::LineMark => marks::line_mark(candidate),
        Validator::Eccn => marks::eccn(candidate),
        Validator::FieldValue => special::field_value(value),
        Validator::RsList => special::rs_list(candidate),
        Validator::Nucleotides => special::nucleotides(candidate),
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
    let Candidate { text, start, end, limit } = *candidate;
    let before = |back: usize| start.checked_sub(back).and_then(|at| text.get(at));
    let behind = |on: usize| text.get(end + on).filter(|_| end + on < limit);
    !joined(before(1), before(2)) && !joined(behind(0), behind(1))
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

    proptest::proptest! {
        #[test]
        fn a_value_stands_alone_where_what_is_seen_around_it_does_not_join(
            text in "[1a_. -]{0,9}", start in 0..12_usize, end in 0..12_usize, limit in 0..12_usize
        ) {
            let candidate = Candidate { text: text.as_bytes(), start, end, limit };
            let joins = |near: Option<&u8>, next: Option<&u8>| match near {
                Some(b'-' | b'.') => next.is_some_and(u8::is_ascii_digit),
                Some(near) => near.is_ascii_alphanumeric() || *near == b'_',
                None => false,
            };
            let (mut back, mut on) = (candidate.before().iter().rev(), candidate.after().iter());
            let alone = !joins(back.next(), back.next()) && !joins(on.next(), on.next());
            proptest::prop_assert_eq!(stands_alone(&candidate), alone);
        }
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
