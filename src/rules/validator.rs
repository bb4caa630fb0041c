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
    /// Payment card number: issuer prefix and length table, and the Luhn check digit (ISO/IEC 7812-1); test numbers of schemes and processors are published examples.
    PaymentCard = "payment_card",
    /// Number of 12 to 19 digits with a Luhn digit (ISO/IEC 7812-1), of any issuer.
    CardLike = "card_like",
    /// Magnetic stripe track 1 (ISO/IEC 7813): format B, card number, name, expiry month, Luhn.
    Track1 = "track1",
    /// Magnetic stripe track 2 (ISO/IEC 7813): card number, separator, expiry month, Luhn.
    Track2 = "track2",
    /// Payment card number with its middle masked: first 4, 6 or 8 digits of an issuer, or none, and the last four.
    TruncatedCard = "truncated_card",
    /// Card verification code: three or four digits that nothing goes on from.
    CardCode = "card_code",
    /// Month of expiry: a month from 2000 to 2059.
    CardExpiry = "card_expiry",
    /// Month of expiry with a payment card number within forty bytes before it.
    ExpiryBehindCard = "expiry_behind_card",
    /// PIN block (ISO 9564-1): eight or sixteen bytes in hexadecimal digits, no filler.
    PinBlock = "pin_block",
    /// Card number in EMV data objects (EMV Book 3): tag 5A, 57 or 9F6B, the length, and Luhn of the number inside.
    EmvTlv = "emv_tlv",
    /// Payment key or key serial number: 8, 10, 16, 24 or 32 bytes in hexadecimal digits, no filler; keys that standards print are published examples.
    PaymentKey = "payment_key",

    // Other financial data
    /// IBAN (ISO 13616): country, length and shape of the account part, MOD 97-10 (ISO/IEC 7064).
    Iban = "iban",
    /// Bitcoin address: Base58Check with version byte, or Bech32 and Bech32m (BIP 173, BIP 350).
    BitcoinAddress = "bitcoin_address",
    /// Business identifier code (ISO 9362): four letters, a country, place and branch.
    Bic = "bic",
    /// United States bank routing number: Federal Reserve district and weights 3-7-1 mod 10.
    UsAbaRtn = "us_aba_rtn",
    /// United Kingdom sort code, alone or with an account number of seven or eight digits: neither is one repeated digit.
    UkAccount = "uk_account",
    /// Canadian transit and institution number in cheque or electronic order, by ranges of institutions.
    CaTransit = "ca_transit",
    /// Mexican CLABE: bank code and weights 3-7-1, each product mod 10.
    MxClabe = "mx_clabe",
    /// Argentine CBU: two check digits with weights 9-7-1-3 mod 10.
    ArCbu = "ar_cbu",
    /// ISIN (ISO 6166): country and Luhn over the digits that it spells in base 36.
    Isin = "isin",
    /// CUSIP (ANSI X9.6): mod 10 with every second value doubled.
    Cusip = "cusip",
    /// SEDOL of the London Stock Exchange: no vowels, weights 1-3-1-7-3-9 mod 10.
    Sedol = "sedol",
    /// Legal entity identifier (ISO 17442): MOD 97-10 (ISO/IEC 7064), a letter among its characters.
    Lei = "lei",
    /// SEPA creditor identifier (EPC AT-02): country, its length, MOD 97-10 without the business code.
    SepaCreditorId = "sepa_creditor_id",
    /// Ethereum address: forty hexadecimal digits whose letters, in mixed case, hold the checksum of ERC-55.
    EthAddress = "eth_address",
    /// Ethereum address in mixed case with the checksum of ERC-55.
    EthChecksumAddress = "eth_checksum_address",
    /// Bitcoin private key in wallet import format: Base58Check with version 0x80; keys that standards print are published examples.
    WifKey = "wif_key",
    /// Extended private key (BIP 32): Base58Check with a version of SLIP 132; the vectors of BIP 32 are published examples.
    ExtendedKey = "extended_key",
    /// Recovery phrase (BIP 39): 12 to 24 words of the English list whose last bits are those of SHA-256; the vectors of the standard are published examples.
    Bip39Mnemonic = "bip39_mnemonic",

    // Personal data
    /// E-mail address (RFC 5321): lengths, label grammar, top-level domain shape; example domains (RFC 2606) are published examples.
    Email = "email",
    /// Telephone number: country code and number of that country's plan (ITU-T E.164, E.129), a national number with its leading zero, or a North American number; numbers reserved for fiction are published examples.
    Phone = "phone",
    /// Telephone number as `phone`, or a national number of any known plan as it is dialled at home.
    NationalPhone = "national_phone",
    /// Telephone number behind its label: 6 to 15 digits (an extension apart) that are no date, no amount and not one repeated digit.
    LabelledPhone = "labelled_phone",
    /// Fax number: as `labelled_phone`, with one sign between it and its label.
    Fax = "fax",
    /// IP address, parsed; private, loopback, link-local and documentation ranges are published examples.
    IpAddress = "ip_address",
    /// Hardware address (EUI-48, EUI-64 of IEEE 802): even groups, a unicast address, not one repeated digit.
    Mac = "mac",
    /// Calendar date between 1900 and 2100 in year-month-day, day-month-year or month-day-year order, or with the month in words.
    Date = "date",
    /// Date of birth: as `date`, not in the far future; eight digits may stand in any order.
    BirthDate = "birth_date",
    /// United States postal address: state and ZIP prefix agree.
    AddressUs = "address_us",
    /// United Kingdom postcode at the end of the value: area, district and inward letters (BS 7666).
    UkPostcode = "uk_postcode",
    /// Postal address behind its label: a house number and a capitalised word, no network or memory address.
    LabelledAddress = "labelled_address",
    /// Name of a person by its shape: one to five capitalised words that are no words of forms or code.
    NameShape = "name_shape",
    /// Name of a person: as `name_shape`, and one of the words is a frequent given name or surname.
    PersonName = "person_name",
    /// Latitude and longitude in decimal degrees: in range, three decimals and more, no longer list of numbers.
    Coordinates = "coordinates",
    /// One decimal number of degrees, in range, with three decimals and more.
    Degrees = "degrees",
    /// Latitude and longitude in degrees, minutes and seconds: in range.
    DegreesMinutes = "degrees_minutes",
    /// Open Location Code: alphabet, place of the plus sign, range of the first signs.
    PlusCode = "plus_code",
    /// Geohash: alphabet, 7 to 12 signs, digits and letters mixed.
    Geohash = "geohash",
    /// IMEI (3GPP TS 23.003): reporting body, Luhn check digit where there is one.
    Imei = "imei",
    /// MEID (3GPP2 S.R0048): range, and its check digit where there is one.
    Meid = "meid",
    /// ICCID (ITU-T E.118): 89 and the Luhn check digit.
    Iccid = "iccid",
    /// IMSI (ITU-T E.212): 14 or 15 digits, an assigned mobile country code; the test network is a published example.
    Imsi = "imsi",
    /// VIN (49 CFR 565.15): ISO 3779 characters and the check digit mod 11.
    Vin = "vin",
    /// VIN of ISO 3779 by its characters, without check digit.
    VinUnchecked = "vin_unchecked",
    /// UUID (RFC 9562), not nil.
    Uuid = "uuid",
    /// Machine-readable zone (ICAO Doc 9303): all check digits 7-3-1 and the composite one; specimens of Utopia are published examples.
    Mrz = "mrz",

    // National identifiers of the Americas
    /// United States Social Security number: area, group and serial ranges; advertised numbers are published examples.
    UsSsn = "us_ssn",
    /// United States individual taxpayer number: 9xx area and the group ranges of the IRS.
    UsItin = "us_itin",
    /// United States employer number: the prefixes that the IRS gives out.
    UsEin = "us_ein",
    /// United States passport: nine digits or a letter and eight; no other country's name before it.
    UsPassport = "us_passport",
    /// Alien registration number: A and seven to nine digits, or nine digits; not one repeated digit.
    UsAlienNumber = "us_alien_number",
    /// United States driving licence behind its name: the number has the shape of one state at least.
    UsDriverLicense = "us_driver_license",
    /// United States driving licence near a state's name or postal code: the number has the shape of that state.
    UsStateLicense = "us_state_license",
    /// Canadian social insurance number: first digit not 0 or 8, Luhn check digit.
    CaSin = "ca_sin",
    /// Ontario health number: ten digits, Luhn check digit, version letters.
    CaOnHealth = "ca_on_health",
    /// British Columbia personal health number: 9 in front and a check digit mod 11.
    CaBcPhn = "ca_bc_phn",
    /// Quebec health insurance number: letters of the names and a birth date.
    CaQcNam = "ca_qc_nam",
    /// Mexican CURP: letters, birth date, state code and check digit mod 10.
    MxCurp = "mx_curp",
    /// Mexican RFC: letters, date and check sign mod 11; the generic numbers of the SAT are published examples.
    MxRfc = "mx_rfc",
    /// Mexican RFC whose check sign may be wrong, as in numbers in use: letters and date in their places.
    MxRfcForm = "mx_rfc_form",
    /// Brazilian CPF: two check digits mod 11.
    BrCpf = "br_cpf",
    /// Brazilian CNPJ: twelve digits or letters and two check digits mod 11.
    BrCnpj = "br_cnpj",
    /// Argentine CUIT and CUIL: prefix and check digit mod 11.
    ArCuit = "ar_cuit",
    /// Chilean RUT: check digit or K, mod 11.
    ClRut = "cl_rut",
    /// Colombian NIT: check digit with primes as weights, mod 11.
    CoNit = "co_nit",

    // National identifiers of Europe
    /// United Kingdom National Insurance number: prefix letters and suffix as HMRC allocates them; the suffix may be missing.
    GbNino = "gb_nino",
    /// United Kingdom unique taxpayer reference: leading check digit, weights 6-7-8-9-10-5-4-3-2 mod 11.
    GbUtr = "gb_utr",
    /// British driver number of the DVLA: surname letters, birth date, initials and the places of letters and digits.
    GbDrivingLicence = "gb_driving_licence",
    /// Irish PPS number: check letter mod 23 over seven digits and the second letter.
    IePps = "ie_pps",
    /// German tax identification number: digit repetition rule and MOD 11,10 (ISO/IEC 7064).
    DeIdnr = "de_idnr",
    /// German pension insurance number (VKVV § 2): birth date and check digit over the digits of the weighted products, mod 10.
    DeRvnr = "de_rvnr",
    /// German identity card number: alphabet of the card and the check digit 7-3-1 mod 10 (ICAO Doc 9303), which the front of the card leaves out.
    DeIdCard = "de_id_card",
    /// Austrian social insurance number: birth date and check digit mod 11.
    AtVnr = "at_vnr",
    /// Swiss social insurance number (AHV): country code 756 and the EAN-13 check digit.
    ChAhv = "ch_ahv",
    /// French social security number: sex, month, department and, where it is written, the key 97 - n mod 97.
    FrNir = "fr_nir",
    /// French tax number (SPI): thirteen digits, the last three the first ten mod 511.
    FrTin = "fr_tin",
    /// Dutch citizen service number: the test of eleven.
    NlBsn = "nl_bsn",
    /// Belgian national or BIS number: birth date and the key 97 - n mod 97 in both centuries.
    BeNn = "be_nn",
    /// Swedish personal identity or coordination number: birth date and Luhn check digit.
    SePnr = "se_pnr",
    /// Norwegian identity or D-number: birth date, century range and two check digits mod 11; synthetic numbers are published examples.
    NoFnr = "no_fnr",
    /// Danish CPR number: birth date with the century of the seventh digit; the check digit is no longer asked for.
    DkCpr = "dk_cpr",
    /// Finnish personal identity code: birth date, century sign and check character mod 31; numbers from 900 on are published examples.
    FiHetu = "fi_hetu",
    /// Icelandic identity number: birth date, century and check digit mod 11.
    IsKt = "is_kt",
    /// Estonian (EVS 585) or Lithuanian personal code: birth date and check digit mod 11 in two stages.
    EeLtIk = "ee_lt_ik",
    /// Spanish DNI or NIE: the letter of the number mod 23.
    EsDniNie = "es_dni_nie",
    /// Italian fiscal code: birth date, municipality, and the check letter mod 26; letters in place of digits are read.
    ItCf = "it_cf",
    /// Portuguese taxpayer number: first digits in use and check digit mod 11.
    PtNif = "pt_nif",
    /// Greek AMKA: birth date and Luhn check digit.
    GrAmka = "gr_amka",
    /// Croatian OIB: MOD 11,10 (ISO/IEC 7064).
    HrOib = "hr_oib",
    /// Polish PESEL: encoded birth date and weights 1-3-7-9 mod 10.
    PlPesel = "pl_pesel",
    /// Czech or Slovak birth number: birth date and, with ten digits, a multiple of 11.
    CzRc = "cz_rc",
    /// Hungarian social security number (TAJ): weights 3-7 mod 10.
    HuTaj = "hu_taj",
    /// Hungarian tax identifier of a person: leading 8, weights 1 to 9 mod 11.
    HuTaxId = "hu_tax_id",
    /// Hungarian tax number: weights 9-7-3-1 mod 10, and the codes of tax and county where they follow.
    HuTaxNumber = "hu_tax_number",
    /// Romanian CNP: birth date, county and check digit mod 11.
    RoCnp = "ro_cnp",
    /// Bulgarian EGN: encoded birth date and check digit mod 11.
    BgEgn = "bg_egn",
    /// Ukrainian RNOKPP: days to the birth date and check digit mod 11.
    UaRnokpp = "ua_rnokpp",
    /// Russian SNILS: weights 9 to 1 mod 101.
    RuSnils = "ru_snils",
    /// Russian INN: one check digit mod 11 of ten digits, two of twelve.
    RuInn = "ru_inn",

    // National identifiers of Asia, Africa and Oceania
    /// Aadhaar number: first digit 2 to 9, no palindrome, Verhoeff check digit.
    InAadhaar = "in_aadhaar",
    /// Indian PAN: the letters and digits in their places, the fourth letter a kind of holder.
    InPan = "in_pan",
    /// Indian GSTIN: state code, PAN and check sign mod 36.
    InGstin = "in_gstin",
    /// Turkish identity number: two check digits mod 10.
    TrTckn = "tr_tckn",
    /// Israeli identity number: Luhn check digit over nine digits.
    IlId = "il_id",
    /// Emirates ID: 784, year of birth, Luhn check digit.
    AeEid = "ae_eid",
    /// Chinese resident identity number (GB 11643): region, birth date, MOD 11-2 (ISO/IEC 7064).
    CnRic = "cn_ric",
    /// Taiwanese identity number: letter of the place and check digit mod 10.
    TwId = "tw_id",
    /// Hong Kong identity card number: check sign mod 11.
    HkHkid = "hk_hkid",
    /// Japanese My Number: twelve digits, check digit mod 11.
    JpMyNumber = "jp_my_number",
    /// Korean resident number: birth date and, for those born before October 2020, check digit mod 11.
    KrRrn = "kr_rrn",
    /// Singaporean NRIC and FIN: series and check letter mod 11.
    SgNricFin = "sg_nric_fin",
    /// Malaysian NRIC: birth date and code of the birthplace.
    MyNric = "my_nric",
    /// Thai identity number: check digit mod 11.
    ThPin = "th_pin",
    /// Indonesian NIK: province, birth date and order.
    IdNik = "id_nik",
    /// South African identity number: birth date, citizenship, Luhn check digit.
    ZaId = "za_id",
    /// Nigerian NIN: eleven digits, Verhoeff check digit.
    NgNin = "ng_nin",
    /// Australian tax file number: eight or nine digits, weighted sum mod 11.
    AuTfn = "au_tfn",
    /// Australian Medicare card number: first digit 2 to 6 and check digit mod 10.
    AuMedicare = "au_medicare",
    /// New Zealand IRD number: range and check digit mod 11.
    NzIrd = "nz_ird",

    // Health
    /// Medicare beneficiary identifier: the positional alphabet of CMS.
    UsMbi = "us_mbi",
    /// National provider identifier: Luhn check digit with the prefix 80840.
    UsNpi = "us_npi",
    /// DEA registration number: registrant type and check digit (21 CFR 1301.13).
    UsDea = "us_dea",
    /// NHS number: ten digits, mod 11 (NHS Data Dictionary); numbers from 999 are published examples.
    UkNhs = "uk_nhs",
    /// German health insurance number: letter and eight digits with their check digit, weights 1 and 2 mod 10 (SGB V section 290).
    DeKvnr = "de_kvnr",
    /// ICD-10 code: a category of one of the chapters, and up to four places behind it.
    Icd10 = "icd10",
    /// ICD-10 code with two other ones near it, of two chapters together.
    Icd10List = "icd10_list",
    /// Procedure code: CPT categories I to III, or HCPCS level II.
    ProcedureCode = "procedure_code",
    /// National drug code (21 CFR 207.33): segments of 4-4-2, 5-3-2, 5-4-1 or 5-4-2 digits, or 10 or 11 digits.
    Ndc = "ndc",
    /// LOINC code: number, hyphen and Luhn check digit.
    Loinc = "loinc",
    /// SNOMED CT identifier: 6 to 18 digits with a partition and a Verhoeff check digit.
    SnomedCt = "snomed_ct",
    /// GS1 element string in parentheses: check digits of GTIN and SSCC, dates and lengths; a GTIN or SSCC is among them.
    Gs1Elements = "gs1_elements",
    /// FHIR resource: elements of the resource of a person stand in the text beside its type.
    Fhir = "fhir",
    /// X12 health transaction: ISA header, health care functional group and the name of an insured person or patient, with which the finding ends.
    X12Health = "x12_health",
    /// Identifier with at least one digit that is no date and not one repeated digit.
    LabelledId = "labelled_id",
    /// HL7 version 2 message: an MSH header and, within the next 4 KiB, a PID segment; the finding ends with the PID segment.
    Hl7 = "hl7",

    // Secrets
    /// PEM private key: base64 body with a plausible length up to the END line, or whole DER; the finding covers the whole block.
    PemPrivateKey = "pem_private_key",
    /// OpenPGP private key in armour (RFC 9580): body and CRC-24, or the packet of a secret key; the finding covers the whole block.
    PgpPrivateKey = "pgp_private_key",
    /// Base64 of a PEM private key: its beginning decodes to the BEGIN line of one.
    EncodedPrivateKey = "encoded_private_key",
    /// Google Cloud key file: the object holds a private key; the finding covers it.
    GcpServiceAccount = "gcp_service_account",
    /// Base64 of exactly 64 bytes that vary.
    Key64Bytes = "key_64_bytes",
    /// Base64 of exactly 32 bytes that vary.
    Key32Bytes = "key_32_bytes",
    /// age identity: Bech32 checksum (BIP 173).
    AgeKey = "age_key",
    /// AWS access key id: base32 that decodes to an account number.
    AwsAccessKey = "aws_access_key",
    /// AWS secret access key: 40 characters of base64 that look random; those that spell EXAMPLE are published.
    AwsSecretKey = "aws_secret_key",
    /// GitHub token: CRC-32 of the random part in its last six base-62 characters.
    GithubToken = "github_token",
    /// Token with four bytes of prefix and the CRC-32 of its random part in its last six base-62 characters.
    ChecksumToken = "checksum_token",
    /// PyPI token: a macaroon whose location is the index.
    PypiToken = "pypi_token",
    /// Token of a service: its characters vary and spell no placeholder.
    ProviderToken = "provider_token",
    /// Token beside the name of its service: letters and digits that vary and spell no placeholder.
    LabelledToken = "labelled_token",
    /// Secret without a form: Shannon entropy and pairs of letters as of random text; no placeholder, reference, UUID, path or alphabet.
    GenericSecret = "generic_secret",
    /// JSON Web Token (RFC 7519): the header decodes to a JSON object with `alg`.
    Jwt = "jwt",
    /// Password inside a URI: neither a placeholder nor a reference to a variable.
    UriPassword = "uri_password",
    /// Assigned password: neither a placeholder, a reference to a variable, code, nor a plain dictionary word.
    AssignedPassword = "assigned_password",
    /// Password in a sentence: an assigned one that has letters and a digit or mark.
    SpokenPassword = "spoken_password",
    /// Basic credentials (RFC 7617): base64 of user and password.
    BasicCredentials = "basic_credentials",
    /// Hash of a password: the fields and lengths of its form; the sum varies.
    PasswordHash = "password_hash",
    /// Seed of one-time passwords: base32 of ten bytes and more that vary.
    OtpSeed = "otp_seed",

    // Marks and special categories
    /// CUI banner: category and dissemination marks of the CUI registry.
    CuiBanner = "cui_banner",
    /// United States classification banner: level, control marks and dissemination marks in the order of the CAPCO grammar.
    UsBanner = "us_banner",
    /// United States portion mark of which another paragraph within reach begins with one too (32 CFR 2001.23).
    UsPortions = "us_portions",
    /// Mark in the place of a mark: alone on its line, in its cell or between quotes, but for decoration, a company's name or a page number.
    LineMark = "line_mark",
    /// Export control classification number: category, product group and reason for control of the Commerce Control List, or EAR99.
    Eccn = "eccn",
    /// Value in a field: neither a placeholder, a refusal to say, nor the name of a type.
    FieldValue = "field_value",
    /// Reference SNP number with at least two others behind it.
    RsList = "rs_list",
    /// Nucleotide sequence of at least 48 bases, three of the four in use and none prevailing.
    Nucleotides = "nucleotides",
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
