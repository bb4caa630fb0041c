//! Marks, messages and special categories: texts of one or several lines.

use super::super::languages::Language;
use super::super::random::Random;
use super::health::mrn;
use super::world::us_ssn;

pub fn us_classified(r: &mut Random, l: &Language) -> String {
    l.one_of(
        r,
        &[
            "TOP SECRET//SI//NOFORN",
            "SECRET//NOFORN",
            "TOP SECRET//SI/TK//NOFORN",
            "SECRET//REL TO USA, FVEY",
            "CONFIDENTIAL//NOFORN",
            "TOP SECRET//HCS//NOFORN",
            "SECRET//ORCON/NOFORN",
            "TOP SECRET//SI//ORCON/NOFORN",
            "SECRET//REL TO USA, GBR, CAN",
        ],
        &[
            "TOP SECRET//SI-G//ORCON/NOFORN",
            "SECRET//FGI GBR//NOFORN",
            "CONFIDENTIAL//REL TO USA, AUS, NZL",
            "TOP SECRET//TK//NOFORN",
            "SECRET//SI//REL TO USA, FVEY",
        ],
    )
}

pub fn us_classified_bad(r: &mut Random) -> String {
    r.pick(&[
        "UNCLASSIFIED",
        "the secret ingredient",
        "SECRET//SAUCE//RECIPE",
        "TOP SECRET recipe book",
        "confidential//draft",
        "Secret Santa list",
        "secret/path/to/file",
    ])
    .to_string()
}

/// Paragraphs with portion marks before them.
pub fn us_portion(r: &mut Random) -> String {
    let marks = *r.pick(&[
        ["(TS//SI//NF)", "(S//NF)", "(U)"],
        ["(S//REL TO USA, FVEY)", "(S//NF)", "(C)"],
        ["(TS//NF)", "(U)", "(S//NF)"],
        ["(C//NF)", "(S)", "(U)"],
    ]);
    format!(
        "{} The convoy left the depot before dawn.\n{} Two sources confirm the route.\n{} Weather stayed clear.",
        marks[0], marks[1], marks[2]
    )
}

pub fn us_portion_bad(r: &mut Random) -> String {
    r.pick(&[
        "(C) 2024 Northwind Traders",
        "(S) Small (M) Medium (L) Large",
        "Option (C) applies; see (S) below.",
        "(c) any other document\n(d) a copy of it",
    ])
    .to_string()
}

pub fn cui(r: &mut Random, l: &Language) -> String {
    l.one_of(
        r,
        &[
            "CUI//SP-CTI",
            "CUI//SP-PRVCY",
            "CUI//SP-EXPT//NOFORN",
            "CUI//PRVCY",
            "CONTROLLED//SP-PROPIN//FEDCON",
            "CUI//SP-CTI//NOFORN",
            "CUI//SP-HLTH",
            "CUI//SP-CTI//FED ONLY",
        ],
        &[
            "CUI//SP-PROCURE",
            "CUI//SP-TAX//NOFORN",
            "CUI//SP-INTEL",
            "CUI//CTI//FEDCON",
            "CONTROLLED//SP-PRVCY",
        ],
    )
}

pub fn cui_bad(r: &mut Random) -> String {
    r.pick(&[
        "CUI training next Tuesday",
        "CUI//BONO",
        "cui//bono",
        "the CUI registry",
        "CUI//LUNCH",
        "http://cui//index",
    ])
    .to_string()
}

pub fn fouo_les(r: &mut Random) -> String {
    r.pick(&[
        "FOR OFFICIAL USE ONLY",
        "LAW ENFORCEMENT SENSITIVE",
        "UNCLASSIFIED//FOUO",
        "SENSITIVE SECURITY INFORMATION",
        "UNCLASSIFIED//LES",
    ])
    .to_string()
}

pub fn itar(r: &mut Random, l: &Language) -> String {
    l.one_of(r, &[
        "WARNING - This document contains technical data whose export is restricted by the Arms Export Control Act (Title 22, U.S.C., Sec 2751, et seq.)",
        "This document contains technical data subject to the International Traffic in Arms Regulations (ITAR), 22 CFR 120-130.",
        "ITAR controlled technical data - USML Category XI(d)",
        "Contains ITAR-controlled information; no release to foreign persons without authorization.",
        "Export of this information is controlled by the International Traffic in Arms Regulations.",
    ], &["The technical data herein is ITAR-controlled and may not be exported or released to a foreign person.", "Export controlled - International Traffic in Arms Regulations (22 CFR 120-130)", "ITAR RESTRICTED - USML Category VIII(h)", "This drawing contains technical data as defined in the ITAR; unauthorized export is a crime."])
}

pub fn itar_bad(r: &mut Random) -> String {
    r.pick(&[
        "the guitar category XI",
        "a sitar from Kolkata",
        "avatar data",
        "international traffic in Rotterdam rose",
        "Category XI of the price list",
    ])
    .to_string()
}

pub fn eccn(r: &mut Random) -> String {
    r.word("3A001.a.7 5D002 5A992.c 9E003 6A003.b.4 4A994 3E001 7A103 2B350 5A002.a EAR99 1C351 0A501.a")
}

/// No category, group and number.
pub fn eccn_bad(r: &mut Random) -> String {
    r.word("pending none n/a XA001 3Z901 33A01 A3001 unknown 3A1")
}

pub fn distribution(r: &mut Random, l: &Language) -> String {
    l.one_of(r, &[
        "DISTRIBUTION STATEMENT D. Distribution authorized to the Department of Defense and U.S. DoD contractors only",
        "DISTRIBUTION STATEMENT C. Distribution authorized to U.S. Government agencies and their contractors",
        "DISTRIBUTION STATEMENT B. Distribution authorized to U.S. Government agencies only",
        "Distribution Statement E. Distribution authorized to DoD Components only",
        "DISTRIBUTION STATEMENT F. Further dissemination only as directed by",
    ], &["DISTRIBUTION STATEMENT C: U.S. Government agencies and their contractors; export controlled", "DISTRIBUTION STATEMENT E - DoD Components only", "Distribution Statement D: Distribution authorized to DoD and U.S. DoD contractors"])
}

pub fn distribution_bad(r: &mut Random) -> String {
    r.pick(&[
        "the distribution statement of the warehouse",
        "normal distribution statement",
        "Distribution statements are explained in chapter four",
        "statement of distribution costs",
    ])
    .to_string()
}

pub fn nato_eu_uk(r: &mut Random) -> String {
    r.pick(&[
        "NATO SECRET",
        "NATO RESTRICTED",
        "EU CONFIDENTIAL",
        "OFFICIAL-SENSITIVE",
        "COSMIC TOP SECRET",
        "SECRET UE/EU SECRET",
        "RESTREINT UE/EU RESTRICTED",
    ])
    .to_string()
}

pub fn tlp(r: &mut Random) -> String {
    r.pick(&["TLP:RED", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:GREEN", "TLP: AMBER", "TLP:RED"])
        .to_string()
}

pub fn tlp_bad(r: &mut Random) -> String {
    r.pick(&[
        "TLP:CLEAR",
        "TLP:WHITE",
        "TLP levels",
        "TLP:PURPLE",
        "the TLP standard",
        "tlp_total=4",
    ])
    .to_string()
}

pub fn mip_label(r: &mut Random) -> String {
    let id = super::people::uuid(r);
    match r.below(3) {
        0 => format!("MSIP_Label_{id}_Enabled=true; MSIP_Label_{id}_Name=Confidential"),
        1 => format!(
            "msip_labels: MSIP_Label_{id}_Enabled=True;MSIP_Label_{id}_SiteId={};",
            super::people::uuid(r)
        ),
        _ => format!("MSIP_Label_{id}_SetDate=2025-03-04T10:11:12Z"),
    }
}

pub fn mip_label_bad(r: &mut Random) -> String {
    r.pick(&[
        "MSIP_Label_<guid>_Enabled",
        "MSIP_Label_ prefix",
        "the MSIP labels of Office",
        "MSIP_Label_1234_Name=Public",
    ])
    .to_string()
}

pub fn company(r: &mut Random, l: &Language) -> String {
    if l.held_out {
        let marks: &[&str] = match l.code.as_str() {
            "de" => &[
                "Vertraulich - nur für internen Gebrauch",
                "STRENG VERTRAULICH",
                "Nur intern verwenden",
            ],
            _ => &[
                "COMPANY CONFIDENTIAL",
                "For Internal Use Only",
                "Confidential - do not distribute",
                "STRICTLY CONFIDENTIAL",
                "CONFIDENTIAL AND PROPRIETARY",
                "Do not forward or distribute",
                "Internal - not for external distribution",
            ],
        };
        return r.pick(marks).to_string();
    }
    let marks: &[&str] = match l.code.as_str() {
        "de" => &[
            "Streng vertraulich",
            "Nur für den internen Gebrauch",
            "VERTRAULICH",
            "Nur für den Dienstgebrauch",
        ],
        "fr" => &[
            "Strictement confidentiel",
            "CONFIDENTIEL",
            "Usage interne uniquement",
            "Diffusion restreinte",
        ],
        "es" => &["Estrictamente confidencial", "CONFIDENCIAL", "Solo para uso interno"],
        "it" => &["Strettamente confidenziale", "RISERVATO", "Solo per uso interno"],
        "pt" => &["Estritamente confidencial", "CONFIDENCIAL", "Apenas para uso interno"],
        "nl" => &["Strikt vertrouwelijk", "VERTROUWELIJK", "Alleen voor intern gebruik"],
        "pl" => &["Ściśle poufne", "POUFNE", "Tylko do użytku wewnętrznego"],
        _ => &[
            "Company Confidential",
            "CONFIDENTIAL",
            "Internal use only",
            "Do not distribute",
            "Strictly Confidential",
            "Proprietary and Confidential",
            "For internal use only",
            "INTERNAL USE ONLY",
            "Not for distribution",
        ],
    };
    r.pick(marks).to_string()
}

pub fn company_bad(r: &mut Random) -> String {
    r.pick(&[
        "We talked about confidential computing all day",
        "the confidentiality of ballots is a principle",
        "confidence intervals are listed below",
        "internal combustion engines use only petrol",
        "they distribute leaflets",
    ])
    .to_string()
}

pub fn privileged(r: &mut Random, l: &Language) -> String {
    l.one_of(
        r,
        &[
            "Attorney-Client Privileged",
            "ATTORNEY-CLIENT PRIVILEGED",
            "Privileged and Confidential - Attorney-Client Communication",
            "Attorney Work Product",
            "PRIVILEGED & CONFIDENTIAL",
            "Attorney-client privileged communication",
            "ATTORNEY WORK PRODUCT",
            "Attorney-Client Privileged / Attorney Work Product",
        ],
        &[
            "PRIVILEGED AND CONFIDENTIAL: ATTORNEY-CLIENT COMMUNICATION",
            "Attorney-Client Communication - Privileged",
            "ATTORNEY-CLIENT PRIVILEGED COMMUNICATION",
            "Subject to attorney-client privilege",
            "Attorney work product - prepared in anticipation of litigation",
        ],
    )
}

pub fn privileged_bad(r: &mut Random) -> String {
    r.pick(&[
        "a privileged upbringing",
        "our attorney called a client",
        "runs as a privileged container",
        "work on the product continues",
        "less privileged users",
    ])
    .to_string()
}

pub fn mnpi_bad(r: &mut Random) -> String {
    r.pick(&[
        "raw material costs are public",
        "the inside of the box",
        "non-public restrooms",
        "an insider tip for the best pizza",
    ])
    .to_string()
}

/// A header, a patient, a visit.
pub fn hl7(r: &mut Random) -> String {
    let birth = r.birth().full();
    let (last, first) =
        (r.word("DOE MILLER GARCIA SMITH NGUYEN"), r.word("JANE JOHN MARIA ANNA PETER"));
    let id = r.number(7);
    let separator = if r.chance(50) { "\r" } else { "\n" };
    let mut lines = vec![
        format!(
            "MSH|^~\\&|{}|HOSP|LAB|HOSP|20250{}1412||{}|MSG{}|P|2.5.1",
            r.word("EPIC CERNER ADT1"),
            r.number(4),
            r.word("ADT^A01 ORU^R01 ADT^A08"),
            r.number(5)
        ),
        "EVN|A01|202503041412".to_owned(),
        format!(
            "PID|1||{id}^^^HOSP^MR||{last}^{first}^^^||{birth}|F|||12 OAK ST^^AUSTIN^TX^78701||(512)264-{}|||||{id}|{}",
            r.number(4),
            us_ssn(r).replace(' ', "-")
        ),
    ];
    if r.chance(60) {
        lines.push(format!("PV1|1|I|ICU^{}^A||||1234^SMITH^ALAN", r.number(3)));
    }
    if r.chance(40) {
        lines.push(format!("DG1|1|ICD10|{}||20250304|A", r.word("E11.9 I10 N18.3 J44.9")));
    }
    lines.join(separator)
}

/// A header without a patient.
pub fn hl7_bad(r: &mut Random) -> String {
    format!(
        "MSH|^~\\&|ACKAPP|HOSP|EPIC|HOSP|20250304{}||ACK^A01|MSG{}|P|2.5.1\nMSA|AA|MSG00001",
        r.number(4),
        r.number(5)
    )
}

pub fn fhir(r: &mut Random) -> String {
    let id = mrn(r);
    let birth = r.birth();
    match r.below(3) {
        0 => format!(
            "{{\n  \"resourceType\": \"Patient\",\n  \"id\": \"{}\",\n  \"identifier\": [{{\"system\": \"urn:oid:1.2.36\", \"value\": \"{id}\"}}],\n  \"name\": [{{\"family\": \"{}\", \"given\": [\"{}\"]}}],\n  \"gender\": \"female\",\n  \"birthDate\": \"{}-{:02}-{:02}\"\n}}",
            r.hex(8),
            r.word("Miller Garcia Rossi"),
            r.word("Anna Maria Jo"),
            birth.year,
            birth.month,
            birth.day
        ),
        1 => format!(
            "{{\n  \"resourceType\": \"Observation\",\n  \"status\": \"final\",\n  \"code\": {{\"text\": \"Body weight\"}},\n  \"subject\": {{\"reference\": \"Patient/{}\"}},\n  \"valueQuantity\": {{\"value\": {}, \"unit\": \"kg\"}}\n}}",
            r.hex(8),
            r.between(48, 110)
        ),
        _ => format!(
            "{{\"resourceType\":\"Condition\",\"subject\":{{\"reference\":\"Patient/{}\"}},\"code\":{{\"coding\":[{{\"system\":\"http://hl7.org/fhir/sid/icd-10\",\"code\":\"{}\"}}]}}}}",
            r.number(6),
            r.word("E11.9 I10 N18.3 J44.9")
        ),
    }
}

/// A resource of another sort.
pub fn fhir_bad(r: &mut Random) -> String {
    r.pick(&[
        "{\"resourceType\": \"deployment\", \"name\": \"web\"}",
        "{\"resource_type\": \"image\", \"id\": \"i-0a1\"}",
        "{\n  \"resource\": \"Patient leaflet\",\n  \"pages\": 4\n}",
        "{\"resourceType\": \"CapabilityStatement\", \"status\": \"active\"}",
    ])
    .to_string()
}

pub fn x12(r: &mut Random) -> String {
    format!(
        "ISA*00*          *00*          *ZZ*SUBMITTER      *ZZ*RECEIVER       *250304*1412*^*00501*00000{}*0*P*:~\nGS*HC*SUBMITTER*RECEIVER*20250304*1412*1*X*005010X222A1~\nST*837*0001*005010X222A1~\nNM1*IL*1*DOE*JANE****MI*{}~\nDMG*D8*{}*F~",
        r.number(4),
        r.number(9),
        r.birth().full()
    )
}

pub fn dicom(r: &mut Random) -> String {
    format!(
        "(0008,0020) DA [20250304]  #   8, 1 StudyDate\n(0010,0010) PN [DOE^JANE]  #   8, 1 PatientName\n(0010,0020) LO [{}]  #   8, 1 PatientID\n(0010,0030) DA [{}]  #   8, 1 PatientBirthDate",
        r.number(7),
        r.birth().full()
    )
}

pub fn ethnicity(r: &mut Random, l: &Language) -> String {
    if l.held_out && l.code == "en" {
        return r
            .pick(&[
                "Latino",
                "Black British",
                "South Asian",
                "Caucasian",
                "White",
                "Alaska Native",
                "Mixed - White and Asian",
            ])
            .to_string();
    }
    let words: &[&str] = match l.code.as_str() {
        "de" => &["türkisch", "afrodeutsch", "arabisch", "Roma", "kurdisch"],
        "fr" => &["maghrébine", "subsaharienne", "arabe", "berbère", "asiatique"],
        "es" => &["gitana", "latina", "afrodescendiente", "árabe", "asiática"],
        "it" => &["rom", "araba", "africana", "asiatica"],
        "pt" => &["parda", "preta", "indígena", "asiática", "cigana"],
        "nl" => &["Surinaams", "Turks", "Marokkaans", "Antilliaans"],
        "pl" => &["romska", "ukraińska", "żydowska", "śląska"],
        _ => &[
            "Hispanic or Latino",
            "African American",
            "Asian",
            "White British",
            "Black or African American",
            "Pacific Islander",
            "Native American",
            "Black Caribbean",
            "Not Hispanic or Latino",
        ],
    };
    r.pick(words).to_string()
}

pub fn religion(r: &mut Random, l: &Language) -> String {
    if l.held_out && l.code == "en" {
        return r
            .pick(&[
                "Lutheran",
                "Anglican",
                "Sunni Muslim",
                "Greek Orthodox",
                "Presbyterian",
                "Jehovah's Witness",
                "Mormon",
                "Shia Muslim",
            ])
            .to_string();
    }
    let words: &[&str] = match l.code.as_str() {
        "de" => &[
            "evangelisch",
            "römisch-katholisch",
            "muslimisch",
            "jüdisch",
            "katholisch",
            "buddhistisch",
        ],
        "fr" => &["catholique", "musulmane", "juive", "protestante", "bouddhiste"],
        "es" => &["católica", "musulmana", "judía", "evangélica"],
        "it" => &["cattolica", "musulmana", "ebraica", "valdese"],
        "pt" => &["católica", "muçulmana", "judaica", "evangélica"],
        "nl" => &["katholiek", "protestants", "moslim", "joods"],
        "pl" => &["katolicka", "prawosławna", "muzułmańska", "żydowska"],
        _ => &[
            "Catholic",
            "Muslim",
            "Jewish",
            "Hindu",
            "Buddhist",
            "Sikh",
            "Baptist",
            "Protestant",
            "Roman Catholic",
            "Methodist",
        ],
    };
    r.pick(words).to_string()
}

pub fn sex_life(r: &mut Random, l: &Language) -> String {
    if l.held_out && l.code == "en" {
        return r.pick(&["gay man", "lesbian woman", "pansexual", "bi"]).to_string();
    }
    let words: &[&str] = match l.code.as_str() {
        "de" => &["homosexuell", "bisexuell", "heterosexuell", "lesbisch"],
        "fr" => &["homosexuel", "bisexuelle", "hétérosexuel", "lesbienne"],
        "es" => &["homosexual", "bisexual", "heterosexual", "lesbiana"],
        "it" => &["omosessuale", "bisessuale", "eterosessuale", "lesbica"],
        "pt" => &["homossexual", "bissexual", "heterossexual", "lésbica"],
        "nl" => &["homoseksueel", "biseksueel", "heteroseksueel", "lesbisch"],
        "pl" => &["homoseksualna", "biseksualna", "heteroseksualna"],
        _ => &[
            "gay",
            "bisexual",
            "heterosexual",
            "lesbian",
            "homosexual",
            "asexual",
            "straight",
            "queer",
        ],
    };
    r.pick(words).to_string()
}

/// No answer is no data.
pub fn no_answer(r: &mut Random) -> String {
    r.pick(&["n/a", "-", "see attachment", "to be completed", "[ ]", "field 12", "mandatory"])
        .to_string()
}

pub fn genetic(r: &mut Random) -> String {
    match r.below(4) {
        0 => format!(
            "##fileformat=VCFv4.{}\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t{}\trs{}\tA\tG\t50\tPASS\tDP=31",
            r.between(1, 3),
            r.number(7),
            r.number(7)
        ),
        1 => format!(
            ">sample_{} chr7 fragment\n{}\n{}",
            r.number(3),
            r.of("ACGT", 70),
            r.of("ACGT", 70)
        ),
        2 => format!(
            "rs{}\t1\t{}\tAG\nrs{}\t1\t{}\tCT\nrs{}\t2\t{}\tGG\nrs{}\t3\t{}\tAA",
            r.number(7),
            r.number(6),
            r.number(7),
            r.number(6),
            r.number(6),
            r.number(7),
            r.number(7),
            r.number(6)
        ),
        _ => format!("BRCA1 NM_007294.4:c.{}{}", r.number(4), r.word("delA A>G C>T dupT")),
    }
}

pub fn genetic_bad(r: &mut Random) -> String {
    r.pick(&[
        "the rs232 port",
        "rs485 bus",
        "CAT TAG GAG ACT",
        "RS-{4} series",
        "##fileformat=CSV",
        ">quoted reply\nA CAT SAT",
        "GATTACA is a film",
    ])
    .to_string()
}

pub fn political(r: &mut Random, l: &Language) -> String {
    let words: &[&str] = match l.code.as_str() {
        "de" => &["SPD", "CDU", "ver.di", "IG Metall"],
        "fr" => &["CGT", "CFDT", "Parti socialiste"],
        "es" => &["PSOE", "UGT", "CCOO"],
        _ => &[
            "Democratic Party",
            "Republican",
            "Labour Party",
            "Teamsters",
            "UNISON",
            "Green Party",
        ],
    };
    r.pick(words).to_string()
}
