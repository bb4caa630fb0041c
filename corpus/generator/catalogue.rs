//! What can be made: a line a category.

use super::languages::Language;
use super::numbers::{self, cards, europe, health, marks, money, people, secrets, world};
use super::random::Random;

/// How a value comes about.
#[derive(Clone, Copy)]
pub enum Make {
    Plain(fn(&mut Random) -> String),
    Local(fn(&mut Random, &Language) -> String),
}

/// How a near miss of the same shape comes about.
#[derive(Clone, Copy)]
pub enum Wrong {
    /// Nothing about the value alone tells it.
    Never,
    /// Its last digit is the check, or near it.
    Digit,
    By(fn(&mut Random) -> String),
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One line, under a label.
    Field,
    /// One line, in configuration and code.
    Secret,
    /// Lines of their own.
    Block,
}

/// A category that can be made.
#[derive(Clone, Copy)]
pub struct Kind {
    pub category: &'static str,
    pub make: Make,
    pub wrong: Wrong,
    pub shape: Shape,
    /// Known without a label.
    pub alone: bool,
}

use Make::{Local, Plain};
use Shape::{Block, Field, Secret};
use Wrong::{By, Digit, Never};

const fn kind(category: &'static str, make: Make, wrong: Wrong, shape: Shape, alone: bool) -> Kind {
    Kind { category, make, wrong, shape, alone }
}

pub const KINDS: &[Kind] = &[
    kind("pci.pan", Plain(cards::pan), Digit, Field, false),
    kind("pci.pan_truncated", Plain(cards::pan_truncated), Never, Field, true),
    kind("pci.cvv", Plain(cards::cvv), Never, Field, false),
    kind("pci.expiry", Plain(cards::expiry), By(cards::expiry_bad), Field, false),
    kind("pci.track1", Plain(cards::track1), By(cards::track1_bad), Field, true),
    kind("pci.track2", Plain(cards::track2), By(cards::track2_bad), Field, true),
    kind("pci.pin_block", Plain(cards::pin_block), By(cards::pin_block_bad), Field, false),
    kind("pci.emv_tlv", Plain(cards::emv_tlv), Never, Field, true),
    kind("pci.key_material", Plain(cards::key_material), Never, Field, false),
    kind("fin.iban", Plain(money::iban), Digit, Field, true),
    kind("fin.bic", Plain(money::bic), By(money::bic_bad), Field, false),
    kind("fin.us_aba_rtn", Plain(money::us_aba_rtn), Digit, Field, false),
    kind("fin.us_bank_account", Plain(money::us_bank_account), Never, Field, false),
    kind(
        "fin.uk_sort_account",
        Plain(money::uk_sort_account),
        By(money::uk_sort_account_bad),
        Field,
        false,
    ),
    kind("fin.ca_transit", Plain(money::ca_transit), Never, Field, false),
    kind("fin.au_bsb", Plain(money::au_bsb), Never, Field, false),
    kind("fin.in_ifsc", Plain(money::in_ifsc), By(money::in_ifsc_bad), Field, false),
    kind("fin.mx_clabe", Plain(money::mx_clabe), Digit, Field, false),
    kind("fin.ar_cbu", Plain(money::ar_cbu), Digit, Field, false),
    kind("fin.isin", Plain(money::isin), Digit, Field, false),
    kind("fin.cusip", Plain(money::cusip), Digit, Field, false),
    kind("fin.sedol", Plain(money::sedol), Digit, Field, false),
    kind("fin.lei", Plain(money::lei), Digit, Field, true),
    kind("fin.sepa_creditor_id", Plain(money::sepa_creditor_id), Digit, Field, false),
    kind("fin.btc_address", Plain(money::btc_address), By(money::btc_address_bad), Field, true),
    kind("fin.eth_address", Plain(money::eth_address), By(money::eth_address_bad), Field, false),
    kind(
        "fin.bip39_mnemonic",
        Plain(money::bip39_mnemonic),
        By(money::bip39_mnemonic_bad),
        Field,
        true,
    ),
    kind("fin.wif_xprv", Plain(money::wif_xprv), By(money::wif_xprv_bad), Field, true),
    kind("fin.mnpi_label", Local(money::mnpi), By(marks::mnpi_bad), Block, true),
    kind("pii.email", Plain(people::email), By(people::email_bad), Field, true),
    kind("pii.phone", Local(|r, l| people::phone(r, &l.code)), By(people::phone_bad), Field, false),
    kind("pii.fax", Local(|r, l| people::phone(r, &l.code)), Never, Field, false),
    kind("pii.person_labelled", Local(|r, l| l.person(r)), Never, Field, false),
    kind("pii.address_us", Plain(people::address_us), By(people::address_us_bad), Field, true),
    kind("pii.address_intl", Local(|r, l| people::address_intl(r, &l.code)), Never, Field, false),
    kind("pii.uk_postcode", Plain(people::uk_postcode), Never, Field, false),
    kind("pii.dob", Local(|r, l| people::dob(r, &l.code)), By(people::dob_bad), Field, false),
    kind(
        "pii.service_dates",
        Local(|r, l| people::service_date(r, &l.code)),
        By(people::dob_bad),
        Field,
        false,
    ),
    kind("pii.age_over_89", Plain(people::age), Never, Field, false),
    kind("pii.geo_precise", Plain(people::geo), By(people::geo_bad), Field, false),
    kind("pii.ip", Plain(people::ip), By(people::ip_bad), Field, true),
    kind("pii.mac", Plain(people::mac), By(people::mac_bad), Field, false),
    kind("pii.imei", Plain(people::imei), Digit, Field, false),
    kind("pii.iccid_imsi", Plain(people::iccid_imsi), Digit, Field, false),
    kind("pii.ad_id", Plain(people::ad_id), Never, Field, false),
    kind("pii.vin", Plain(people::vin), By(people::vin_bad), Field, false),
    kind("pii.mrz", Plain(people::mrz), By(people::mrz_bad), Block, true),
    kind("nat.us_ssn", Plain(world::us_ssn), By(world::us_ssn_bad), Field, false),
    kind("nat.us_itin", Plain(world::us_itin), By(world::us_itin_bad), Field, false),
    kind("nat.us_ein", Plain(world::us_ein), Never, Field, false),
    kind("nat.us_passport", Plain(world::us_passport), Never, Field, false),
    kind("nat.us_driver_license", Plain(world::us_driver_license), Never, Field, false),
    kind("nat.us_alien_number", Plain(world::us_alien_number), Never, Field, false),
    kind("nat.ca_sin", Plain(world::ca_sin), Digit, Field, false),
    kind("nat.ca_health_card", Plain(world::ca_health_card), Digit, Field, false),
    kind("nat.mx_curp", Plain(world::mx_curp), Digit, Field, true),
    kind("nat.mx_rfc", Plain(world::mx_rfc), Never, Field, false),
    kind("nat.br_cpf", Plain(world::br_cpf), Digit, Field, false),
    kind("nat.br_cnpj", Plain(world::br_cnpj), Digit, Field, false),
    kind("nat.ar_cuit", Plain(world::ar_cuit), Digit, Field, false),
    kind("nat.cl_rut", Plain(world::cl_rut), By(world::cl_rut_bad), Field, false),
    kind("nat.co_nit", Plain(world::co_nit), Digit, Field, false),
    kind("nat.gb_nino", Plain(europe::gb_nino), By(europe::gb_nino_bad), Field, false),
    kind("nat.gb_utr", Plain(europe::gb_utr), By(europe::gb_utr_bad), Field, false),
    kind(
        "nat.gb_driving_licence",
        Plain(europe::gb_driving_licence),
        By(europe::gb_driving_licence_bad),
        Field,
        true,
    ),
    kind("nat.gb_passport", Plain(europe::gb_passport), Never, Field, false),
    kind("nat.ie_pps", Plain(europe::ie_pps), By(europe::ie_pps_bad), Field, false),
    kind("nat.de_idnr", Plain(europe::de_idnr), Digit, Field, false),
    kind("nat.de_rvnr", Plain(europe::de_rvnr), Digit, Field, true),
    kind("nat.de_id_card", Plain(europe::de_id_card), Digit, Field, false),
    kind("nat.fr_nir", Plain(europe::fr_nir), Digit, Field, true),
    kind("nat.fr_tin", Plain(europe::fr_tin), Digit, Field, false),
    kind("nat.es_dni_nie", Plain(europe::es_dni_nie), By(europe::es_dni_bad), Field, true),
    kind("nat.it_cf", Plain(europe::it_cf), By(it_cf_bad), Field, true),
    kind("nat.pt_nif", Plain(europe::pt_nif), Digit, Field, false),
    kind("nat.nl_bsn", Plain(europe::nl_bsn), Digit, Field, false),
    kind("nat.be_nn", Plain(europe::be_nn), Digit, Field, false),
    kind("nat.at_vnr", Plain(europe::at_vnr), Never, Field, false),
    kind("nat.ch_ahv", Plain(europe::ch_ahv), Digit, Field, true),
    kind("nat.se_pnr", Plain(europe::se_pnr), Digit, Field, true),
    kind("nat.no_fnr", Plain(europe::no_fnr), Digit, Field, false),
    kind("nat.dk_cpr", Plain(europe::dk_cpr), By(europe::dk_cpr_bad), Field, false),
    kind("nat.fi_hetu", Plain(europe::fi_hetu), By(europe::fi_hetu_bad), Field, true),
    kind("nat.is_kt", Plain(europe::is_kt), By(europe::is_kt_bad), Field, false),
    kind("nat.pl_pesel", Plain(europe::pl_pesel), Digit, Field, false),
    kind("nat.cz_rc", Plain(europe::cz_rc), Digit, Field, false),
    kind("nat.hu_taj_adoszam", Plain(europe::hu_taj), By(europe::hu_taj_bad), Field, false),
    kind("nat.ro_cnp", Plain(europe::ro_cnp), Digit, Field, false),
    kind("nat.bg_egn", Plain(europe::bg_egn), Digit, Field, false),
    kind("nat.gr_amka", Plain(europe::gr_amka), Digit, Field, false),
    kind("nat.hr_oib", Plain(europe::hr_oib), Digit, Field, false),
    kind("nat.ee_lt_ik", Plain(europe::ee_lt_ik), Digit, Field, false),
    kind("nat.ua_rnokpp", Plain(europe::ua_rnokpp), Digit, Field, false),
    kind("nat.ru_snils_inn", Plain(europe::ru_snils_inn), Digit, Field, false),
    kind("nat.tr_tckn", Plain(europe::tr_tckn), Digit, Field, false),
    kind("nat.il_id", Plain(world::il_id), Digit, Field, false),
    kind("nat.za_id", Plain(world::za_id), Digit, Field, false),
    kind("nat.ng_nin", Plain(world::ng_nin), Never, Field, false),
    kind("nat.in_aadhaar", Plain(world::in_aadhaar), Digit, Field, false),
    kind("nat.in_pan", Plain(world::in_pan), By(world::in_pan_bad), Field, false),
    kind("nat.in_gstin", Plain(world::in_gstin), Never, Field, true),
    kind("nat.cn_ric", Plain(world::cn_ric), By(world::cn_ric_bad), Field, true),
    kind("nat.tw_id", Plain(world::tw_id), Digit, Field, false),
    kind("nat.hk_hkid", Plain(world::hk_hkid), By(world::hk_hkid_bad), Field, false),
    kind("nat.jp_my_number", Plain(world::jp_my_number), Digit, Field, false),
    kind("nat.kr_rrn", Plain(world::kr_rrn), By(world::kr_rrn_bad), Field, false),
    kind("nat.sg_nric_fin", Plain(world::sg_nric_fin), By(world::sg_nric_fin_bad), Field, true),
    kind("nat.my_nric", Plain(world::my_nric), By(world::my_nric_bad), Field, false),
    kind("nat.th_pin", Plain(world::th_pin), Digit, Field, false),
    kind("nat.id_nik", Plain(world::id_nik), By(world::id_nik_bad), Field, false),
    kind("nat.au_tfn", Plain(world::au_tfn), Digit, Field, false),
    kind("nat.au_medicare", Plain(world::au_medicare), By(world::au_medicare_bad), Field, false),
    kind("nat.nz_ird", Plain(world::nz_ird), Digit, Field, false),
    kind("nat.ae_eid", Plain(world::ae_eid), Digit, Field, true),
    kind("phi.mrn", Plain(health::mrn), Never, Field, false),
    kind("phi.member_id", Plain(health::member_id), Never, Field, false),
    kind("phi.us_mbi", Plain(health::us_mbi), By(health::us_mbi_bad), Field, true),
    kind("phi.us_npi", Plain(health::us_npi), Digit, Field, false),
    kind("phi.us_dea", Plain(health::us_dea), Digit, Field, false),
    kind("phi.uk_nhs", Plain(health::uk_nhs), Digit, Field, false),
    kind("phi.de_kvnr", Plain(health::de_kvnr), Digit, Field, false),
    kind("phi.icd10", Local(health::icd10), By(health::icd10_bad), Field, false),
    kind("phi.cpt_hcpcs", Plain(health::cpt_hcpcs), Never, Field, false),
    kind("phi.ndc", Plain(health::ndc), Never, Field, false),
    kind("phi.loinc_snomed", Plain(health::loinc_snomed), Digit, Field, false),
    kind("phi.rx", Local(health::rx), By(health::rx_bad), Field, false),
    kind("phi.lab_result", Plain(health::lab_result), Never, Field, false),
    kind("phi.udi", Plain(health::udi), Never, Field, false),
    kind("phi.hl7v2", Plain(marks::hl7), By(marks::hl7_bad), Block, true),
    kind("phi.fhir", Plain(marks::fhir), By(marks::fhir_bad), Block, true),
    kind("phi.x12_837", Plain(marks::x12), Never, Block, true),
    kind("phi.dicom", Plain(marks::dicom), Never, Block, true),
    kind("sec.private_key", Plain(secrets::private_key), By(secrets::private_key_bad), Block, true),
    kind("sec.pgp_private", Plain(secrets::pgp_private), By(secrets::pgp_private_bad), Block, true),
    kind(
        "sec.aws_access_key",
        Plain(secrets::aws_access_key),
        By(secrets::aws_access_key_bad),
        Secret,
        true,
    ),
    kind("sec.aws_secret", Plain(secrets::aws_secret), Never, Secret, false),
    kind(
        "sec.gcp_service_account",
        Plain(secrets::gcp_service_account),
        By(secrets::gcp_service_account_bad),
        Block,
        true,
    ),
    kind(
        "sec.gcp_api_key",
        Plain(secrets::gcp_api_key),
        By(secrets::gcp_api_key_bad),
        Secret,
        true,
    ),
    kind("sec.azure_storage", Plain(secrets::azure_storage), Never, Secret, true),
    kind("sec.azure_client_secret", Plain(secrets::azure_client_secret), Never, Secret, false),
    kind("sec.github", Plain(secrets::github), By(secrets::github_bad), Secret, true),
    kind("sec.gitlab", Plain(secrets::gitlab), Never, Secret, true),
    kind("sec.npm", Plain(secrets::npm), By(secrets::npm_bad), Secret, true),
    kind("sec.pypi", Plain(secrets::pypi), Never, Secret, true),
    kind("sec.slack", Plain(secrets::slack), Never, Secret, true),
    kind("sec.stripe", Plain(secrets::stripe), By(secrets::stripe_bad), Secret, true),
    kind("sec.openai", Plain(secrets::openai), Never, Secret, true),
    kind("sec.anthropic", Plain(secrets::anthropic), Never, Secret, true),
    kind("sec.huggingface", Plain(secrets::huggingface), Never, Secret, true),
    kind("sec.provider_token", Local(secrets::provider), Never, Secret, true),
    kind("sec.twilio_sendgrid", Plain(secrets::twilio_sendgrid), Never, Secret, false),
    kind("sec.vault_tf", Plain(secrets::vault_tf), Never, Secret, true),
    kind("sec.jwt", Plain(secrets::jwt), By(secrets::jwt_bad), Secret, true),
    kind(
        "sec.uri_password",
        Plain(secrets::uri_password),
        By(secrets::uri_password_bad),
        Secret,
        true,
    ),
    kind(
        "sec.conn_string",
        Plain(secrets::conn_string),
        By(secrets::conn_string_bad),
        Secret,
        true,
    ),
    kind("sec.http_auth", Plain(secrets::http_auth), By(secrets::http_auth_bad), Block, true),
    kind("sec.password_assign", Plain(secrets::password), By(secrets::password_bad), Secret, false),
    kind(
        "sec.password_hash",
        Plain(secrets::password_hash),
        By(secrets::password_hash_bad),
        Secret,
        true,
    ),
    kind("sec.otp_seed", Plain(secrets::otp_seed), By(secrets::otp_seed_bad), Secret, true),
    kind("sec.k8s_docker", Plain(secrets::k8s_docker), By(secrets::k8s_docker_bad), Block, true),
    kind("sec.netrc_pgpass", Plain(secrets::netrc_pgpass), Never, Block, true),
    kind("sec.wireguard_age", Plain(secrets::wireguard_age), Never, Block, true),
    kind(
        "cls.us_classified",
        Local(marks::us_classified),
        By(marks::us_classified_bad),
        Block,
        true,
    ),
    kind("cls.us_portion", Plain(marks::us_portion), By(marks::us_portion_bad), Block, true),
    kind("cls.cui", Local(marks::cui), By(marks::cui_bad), Block, true),
    kind("cls.fouo_les", Plain(marks::fouo_les), Never, Block, true),
    kind("cls.itar", Local(marks::itar), By(marks::itar_bad), Block, true),
    kind("cls.eccn", Plain(marks::eccn), By(marks::eccn_bad), Field, false),
    kind(
        "cls.distribution_stmt",
        Local(marks::distribution),
        By(marks::distribution_bad),
        Block,
        true,
    ),
    kind("cls.nato_eu_uk", Plain(marks::nato_eu_uk), Never, Block, true),
    kind("cls.tlp", Plain(marks::tlp), By(marks::tlp_bad), Block, true),
    kind("cls.mip_label", Plain(marks::mip_label), By(marks::mip_label_bad), Block, true),
    kind("cls.company", Local(marks::company), By(marks::company_bad), Block, true),
    kind("cls.privileged", Local(marks::privileged), By(marks::privileged_bad), Block, true),
    kind("spc.ethnicity", Local(marks::ethnicity), By(marks::no_answer), Field, false),
    kind("spc.religion", Local(marks::religion), By(marks::no_answer), Field, false),
    kind("spc.sex_life", Local(marks::sex_life), By(marks::no_answer), Field, false),
    kind("spc.political_union", Local(marks::political), By(marks::no_answer), Field, false),
    kind("pii.plate", Local(|r, l| people::plate(r, &l.code)), Never, Field, false),
    kind("pii.security_answer", Plain(people::security_answer), Never, Field, false),
    kind("fin.credit_report", Plain(money::credit_report), Never, Block, true),
    kind("fin.payroll_record", Plain(money::payroll), Never, Block, true),
    kind("spc.genetic", Plain(marks::genetic), By(marks::genetic_bad), Block, true),
];

/// Categories that are found over a text or a part of it, so that any overlap counts.
pub const REGIONS: &[&str] = &[
    "pci.track1",
    "pci.track2",
    "pci.emv_tlv",
    "fin.uk_sort_account",
    "fin.tax_form",
    "fin.mnpi_label",
    "pii.mrz",
    "pii.bulk_table",
    "phi.hl7v2",
    "phi.fhir",
    "phi.x12_837",
    "phi.dicom",
    "phi.rx",
    "phi.lab_result",
    "phi.part2_sud",
    "phi.mental_repro",
    "phi.person_plus_condition",
    "sec.private_key",
    "sec.pgp_private",
    "sec.gcp_service_account",
    "sec.azure_storage",
    "sec.uri_password",
    "sec.conn_string",
    "sec.http_auth",
    "sec.otp_seed",
    "sec.k8s_docker",
    "sec.netrc_pgpass",
    "sec.wireguard_age",
    "cls.us_classified",
    "cls.us_portion",
    "cls.cui",
    "cls.itar",
    "cls.distribution_stmt",
    "cls.mip_label",
    "cls.company",
    "cls.privileged",
    "cls.tlp",
    "cls.nato_eu_uk",
    "cls.fouo_les",
    "spc.ethnicity",
    "spc.religion",
    "spc.sex_life",
    "spc.political_union",
    "spc.criminal",
    "spc.genetic",
    "pii.address_us",
    "pii.address_intl",
    "fin.credit_report",
    "fin.payroll_record",
    "pii.geo_precise",
];

fn it_cf_bad(r: &mut Random) -> String {
    let value = europe::it_cf(r).replace(' ', "");
    numbers::relettered(r, &value)
}

pub fn of(category: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.category == category)
}

impl Kind {
    pub fn value(&self, r: &mut Random, language: &Language) -> String {
        match self.make {
            Plain(make) => make(r),
            Local(make) => make(r, language),
        }
    }

    pub fn wrong(&self, r: &mut Random, language: &Language) -> Option<String> {
        match self.wrong {
            Never => None,
            Digit => {
                let value = self.value(r, language);
                Some(numbers::spoiled(r, &value))
            }
            By(make) => Some(make(r)),
        }
    }
}
