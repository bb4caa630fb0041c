//! Our categories under the names that Presidio gives to entities.

/// A category and the entity that it is to Presidio's clients: names of Presidio 2.2.366. A category
/// that is not here goes by a name of our own, see [`own`].
pub const ENTITIES: [(&str, &str); 58] = [
    ("pci.pan", "CREDIT_CARD"),
    ("fin.iban", "IBAN_CODE"),
    ("fin.us_aba_rtn", "ABA_ROUTING_NUMBER"),
    ("fin.us_bank_account", "US_BANK_NUMBER"),
    ("fin.btc_address", "CRYPTO"),
    ("fin.eth_address", "CRYPTO"),
    ("pii.email", "EMAIL_ADDRESS"),
    ("pii.phone", "PHONE_NUMBER"),
    ("pii.fax", "PHONE_NUMBER"),
    ("pii.person_labelled", "PERSON"),
    ("pii.person_dictionary", "PERSON"),
    ("pii.address_us", "LOCATION"),
    ("pii.address_intl", "LOCATION"),
    ("pii.geo_precise", "LOCATION"),
    ("pii.uk_postcode", "UK_POSTCODE"),
    ("pii.dob", "DATE_TIME"),
    ("pii.service_dates", "DATE_TIME"),
    ("pii.ip", "IP_ADDRESS"),
    ("pii.mac", "MAC_ADDRESS"),
    ("pii.url_profile", "URL"),
    ("nat.us_ssn", "US_SSN"),
    ("nat.us_itin", "US_ITIN"),
    ("nat.us_ein", "US_PROVIDER_TAX_ID"),
    ("nat.us_passport", "US_PASSPORT"),
    ("nat.us_driver_license", "US_DRIVER_LICENSE"),
    ("nat.ca_sin", "CA_SIN"),
    ("nat.gb_nino", "UK_NINO"),
    ("nat.gb_driving_licence", "UK_DRIVING_LICENCE"),
    ("nat.gb_passport", "UK_PASSPORT"),
    ("nat.de_idnr", "DE_TAX_ID"),
    ("nat.de_rvnr", "DE_SOCIAL_SECURITY"),
    ("nat.de_id_card", "DE_ID_CARD"),
    ("nat.es_dni_nie", "ES_NIF"),
    ("nat.it_cf", "IT_FISCAL_CODE"),
    ("nat.se_pnr", "SE_PERSONNUMMER"),
    ("nat.fi_hetu", "FI_PERSONAL_IDENTITY_CODE"),
    ("nat.pl_pesel", "PL_PESEL"),
    ("nat.tr_tckn", "TR_NATIONAL_ID"),
    ("nat.za_id", "ZA_ID_NUMBER"),
    ("nat.ng_nin", "NG_NIN"),
    ("nat.in_aadhaar", "IN_AADHAAR"),
    ("nat.in_pan", "IN_PAN"),
    ("nat.in_gstin", "IN_GSTIN"),
    ("nat.kr_rrn", "KR_RRN"),
    ("nat.sg_nric_fin", "SG_NRIC_FIN"),
    ("nat.th_pin", "TH_TNIN"),
    ("nat.au_tfn", "AU_TFN"),
    ("nat.au_medicare", "AU_MEDICARE"),
    ("phi.member_id", "US_HEALTH_INSURANCE_MEMBER_ID"),
    ("phi.us_mbi", "US_MBI"),
    ("phi.us_npi", "US_NPI"),
    ("phi.us_dea", "MEDICAL_LICENSE"),
    ("phi.uk_nhs", "UK_NHS"),
    ("phi.de_kvnr", "DE_HEALTH_INSURANCE"),
    ("spc.ethnicity", "NRP"),
    ("spc.religion", "NRP"),
    ("spc.political_union", "NRP"),
    ("ai.exfil_url", "URL"),
];

/// The entity of a category.
pub fn entity(category: &str) -> String {
    let known = ENTITIES.iter().find(|(ours, _)| *ours == category);
    known.map_or_else(|| own(category), |(_, theirs)| (*theirs).to_owned())
}

/// The name of a category that Presidio has no entity for: `SLUICE_SEC_PRIVATE_KEY`.
fn own(category: &str) -> String {
    format!("SLUICE_{}", category.replace('.', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_category_is_there_once_and_in_the_taxonomy() {
        let rules = crate::RuleSet::builtin().unwrap();
        let ids: BTreeSet<&str> = rules.taxonomy.iter().map(|(_, it)| it.id.as_str()).collect();
        let mut seen = BTreeSet::new();
        for (ours, theirs) in ENTITIES {
            assert!(ids.contains(ours), "{ours} is no category");
            assert!(seen.insert(ours), "{ours} is there twice");
            assert!(!theirs.starts_with("SLUICE_"), "{ours} has a name of its own already");
        }
        let names: BTreeSet<String> = ids.iter().map(|id| own(id)).collect();
        assert_eq!(names.len(), ids.len(), "names of our own tell all categories apart");
    }

    #[test]
    fn categories_without_a_counterpart_have_a_name_of_ours() {
        assert_eq!(entity("nat.us_ssn"), "US_SSN");
        assert_eq!(entity("sec.private_key"), "SLUICE_SEC_PRIVATE_KEY");
    }
}
