//! Classification and control marks.

use super::{Candidate, Check, contact::one_of, stands_alone};

/// Category marks of the CUI registry (archives.gov/cui, 32 CFR 2002), without `SP-`.
const CUI_CATEGORIES: &str = "ADJ ADPO AG AIV APP ARCHR ASYL BARG BATT BUDG CCI CEII CENS CHLD CHRI \
    CMPRS COMPT CONREG CONTRACT CONV CRIT CRITAN CTI CVI CVIC DCNI DCRIT DNA DREC EMGT EXPT EXPTR \
    FHFANPI FINT FISA FISAB FNC FSEC FSI FUND GENETIC GEO HISTP HLTH HSAI HSEI ID IFNC INF INTEL \
    INTL INV INVENT ISVI IVIC JURY JUV LCOMM LDNA LEI LFNC LMI LNSL LPROT LSCRN LVIC MERG MFC MIL \
    NATO NETW NNPI NPSR NUC OCCMTO OPSEC PATENT PCII PERS PEST PHYS POST PRE PRIIG PRIOR PRIVILEGE \
    PROCURE PROPIN PROT PRVCY PSEC PSI RAIL RECCOM RESD RTR RWRD SAFE SBIZ SCV SERV SGI SPII SRI \
    SSEL SSI STAT STUD SUB SURV TAI TAX TRACE TSCA UCNI VISA WATER WDT WHSTL WIT XFER";

/// Limited dissemination controls of the CUI registry.
const CUI_DISSEMINATION: &str =
    "NOFORN NF FEDONLY FED FEDCON NOCON DL ONLY RELIDO AC AWP ATTORNEY-CLIENT ATTORNEY-WP";

/// `CUI` or `CONTROLLED`, then categories, then dissemination controls; one of both at least.
pub(super) fn cui_banner(value: &[u8]) -> Check {
    let mut parts = sections(value);
    if !parts.next().is_some_and(|head| one_of("CUI CONTROLLED", head)) {
        return Check::Invalid;
    }
    let mut stage = 0;
    let mut count = 0;
    for part in parts {
        let category = part
            .split(|byte| *byte == b'/')
            .all(|mark| one_of(CUI_CATEGORIES, mark.strip_prefix(b"SP-").unwrap_or(mark)));
        let dissemination = part
            .split(|byte| matches!(byte, b'/' | b','))
            .all(|mark| one_of(CUI_DISSEMINATION, mark.trim_ascii()))
            || countries(part, b"REL TO ")
            || countries(part, b"DISPLAY ONLY ");
        let this = if category {
            1
        } else if dissemination {
            2
        } else {
            return Check::Invalid;
        };
        if this <= stage {
            return Check::Invalid;
        }
        stage = this;
        count += 1;
    }
    Check::of(count > 0)
}

/// The CAPCO marking grammar (ICD 710; 32 CFR 2001.24): level, then SCI, SAP, AEA, FGI,
/// dissemination and other controls, each at most once and in that order.
pub(super) fn us_banner(value: &[u8]) -> Check {
    let mut parts = sections(value);
    let level = parts.next().unwrap_or_default();
    if !matches!(level, b"TOP SECRET" | b"SECRET" | b"CONFIDENTIAL") {
        return Check::Invalid;
    }
    let mut stage = 0;
    for part in parts {
        match us_section(part) {
            Some(this) if this > stage => stage = this,
            _ => return Check::Invalid,
        }
    }
    Check::of(stage > 0 || level == b"TOP SECRET")
}

/// The place in the grammar of a section of a banner; none for one that is not in it.
fn us_section(part: &[u8]) -> Option<u8> {
    const AEA: &str = "RD RD-CNWDI CNWDI FRD TFNI DCNI UCNI RD-N FRD-N";
    const DISSEMINATION: &str = "NOFORN NF ORCON OC ORCON-USGOV IMCON IMC RELIDO PROPIN PR FISA \
        RSEN FOUO RAWFISA DSEN";
    const OTHER: &str = "LIMDIS EXDIS NODIS SBU SBU-NF LES LES-NF SSI ACCM NNPI";
    let all = |words: &str| {
        part.split(|byte| matches!(byte, b'/' | b',')).all(|mark| one_of(words, mark.trim_ascii()))
    };
    let sci = part.split(|byte| *byte == b'/').all(|system| {
        let root = system.split(|byte| matches!(byte, b'-' | b' ')).next().unwrap_or_default();
        one_of("SI TK HCS KDK G RSV BUR KLM MVL", root)
    });
    let dissemination = part.split(|byte| *byte == b'/').all(|mark| {
        one_of(DISSEMINATION, mark.trim_ascii())
            || countries(mark, b"REL TO ")
            || countries(mark, b"DISPLAY ONLY ")
    }) || all(DISSEMINATION);
    if sci {
        Some(1)
    } else if part.starts_with(b"SAR-") || part.starts_with(b"SPECIAL ACCESS REQUIRED-") {
        Some(2)
    } else if all(AEA) {
        Some(3)
    } else if part.starts_with(b"FGI") && countries(part, b"FGI") {
        Some(4)
    } else if dissemination {
        Some(5)
    } else if all(OTHER) {
        Some(6)
    } else if part.len() == 8 && part.iter().all(u8::is_ascii_digit) {
        // The date of declassification, as banners before 2003 end.
        Some(7)
    } else {
        None
    }
}

/// 32 CFR 2001.23: portion marks stand at the beginning of paragraphs, and a document that has one
/// has several. Within reach another paragraph begins with one, and the two are not bare `(C)`,
/// which is also the sign of copyright.
pub(super) fn us_portions(candidate: Candidate<'_>) -> Check {
    let own = candidate.value();
    if !portion(own) || copyright(candidate.after()) {
        return Check::Invalid;
    }
    // Up to the next mark: it goes on from there, so each byte is read once.
    let on = candidate.after().split(|byte| *byte == b'\n').skip(1).find_map(opening_mark);
    let back = || candidate.before().split(|byte| *byte == b'\n').find_map(opening_mark);
    let differs = |other: &[u8]| own != b"(C)" || other != own;
    Check::of(on.is_some_and(differs) || back().is_some_and(differs))
}

/// The mark that a paragraph begins with, behind its number or bullet.
fn opening_mark(line: &[u8]) -> Option<&[u8]> {
    let open = line.iter().take(24).position(|byte| *byte == b'(')?;
    let lead = line.get(..open)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" \t.)-*#>".contains(byte);
    let close = line.iter().skip(open).take(64).position(|byte| *byte == b')')?;
    let (mark, rest) = line.get(open..)?.split_at_checked(close + 1)?;
    (lead.iter().all(plain) && portion(mark) && !copyright(rest)).then_some(mark)
}

/// `(TS)`, `(S//NF)`, `(C//REL TO USA, GBR)`, `(U)`: a level and sections of the banner grammar.
fn portion(mark: &[u8]) -> bool {
    let inside = mark.strip_prefix(b"(").and_then(|mark| mark.strip_suffix(b")"));
    let mut parts = sections(inside.unwrap_or_default());
    let level = parts.next().unwrap_or_default();
    matches!(level, b"TS" | b"S" | b"C" | b"U" | b"CUI")
        && parts
            .all(|part| us_section(part).is_some() || part.starts_with(b"REL") || part == b"FVEY")
}

/// Whether the sign before these bytes is that of copyright.
fn copyright(behind: &[u8]) -> bool {
    let behind = behind.trim_ascii_start();
    behind.first().is_none_or(u8::is_ascii_digit)
        || behind.get(..9).is_some_and(|word| word.eq_ignore_ascii_case(b"copyright"))
}

/// Commerce Control List (15 CFR 774, supplement 1): category 0 to 9, product group A to E, three
/// digits of which the first is a reason for control that the list uses; or EAR99.
pub(super) fn eccn(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    if value.eq_ignore_ascii_case(b"EAR99") {
        return Check::of(stands_alone(&candidate));
    }
    let &[b'0'..=b'9', group, reason, b'0'..=b'9', b'0'..=b'9', ref rest @ ..] = value else {
        return Check::Invalid;
    };
    let group = matches!(group.to_ascii_uppercase(), b'A'..=b'E');
    let paragraph = rest.first().is_none_or(|dot| *dot == b'.');
    Check::of(
        group && matches!(reason, b'0'..=b'6' | b'9') && paragraph && stands_alone(&candidate),
    )
}

/// A mark in the place of a mark: alone on its line but for decoration, the name of a company, a
/// page number or a short remark behind a dash; alone in a cell; or, of several words, alone
/// between quotes. No standard bounds where companies put it; this is what header, footer and cover
/// look like.
pub(super) fn line_mark(candidate: Candidate<'_>) -> Check {
    let (value, before, after) = (candidate.value(), candidate.before(), candidate.after());
    let several = value.contains(&b' ');
    let edges = (before.last().copied(), after.first().copied());
    let framed = match edges {
        (Some(b'"'), Some(b'"')) | (Some(b'\''), Some(b'\'')) => several,
        (Some(b',' | b'\t' | b';'), Some(b',' | b'\t' | b';' | b'\r' | b'\n')) => several,
        _ => before.ends_with(b"\\n") && (after.starts_with(b"\\") || edges.1 == Some(b'"')),
    };
    if framed {
        return Check::Valid;
    }
    let whole = candidate.start <= before.len();
    let line = match before.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => before.get(at + 1..).unwrap_or_default(),
        None if whole => before,
        None => return Check::Invalid,
    };
    let behind = match after.iter().position(|byte| *byte == b'\n') {
        Some(at) => after.get(..at).unwrap_or_default(),
        None if candidate.limit >= candidate.text.len() => after,
        None => return Check::Invalid,
    };
    Check::of(opens_mark(line) && closes_mark(behind))
}

/// What may stand on the line before a mark.
fn opens_mark(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let separated =
        [b"|".as_slice(), b" -", b"\xe2\x80\x93", b"\xe2\x80\x94", b"\xe2\x80\xa2", b"\xc2\xb7"]
            .iter()
            .any(|separator| line.ends_with(separator));
    let mut words =
        line.split(|byte| *byte == b' ').filter(|word| word.iter().any(u8::is_ascii_alphanumeric));
    let named = words.clone().count() <= 3
        && words.all(|word| {
            let first = word.iter().find(|byte| byte.is_ascii_alphanumeric());
            first.is_some_and(|byte| byte.is_ascii_uppercase())
                && !word.ends_with(b":")
                && !word.contains(&b'=')
                && !word.contains(&b'(')
        });
    let tag = line.starts_with(b"<") && line.ends_with(b">");
    separated || named || tag
}

/// What may stand on the line behind a mark.
fn closes_mark(behind: &[u8]) -> bool {
    let rest = behind.trim_ascii();
    let plain = |byte: &u8| b"|#*_=~/\"])}.!>- \t\r".contains(byte);
    let Some(at) = rest.iter().position(|byte| !plain(byte)) else { return true };
    if behind.len() > 72 {
        return false;
    }
    let (gap, words) = rest.split_at_checked(at).unwrap_or_default();
    let word =
        |word: &[u8]| words.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    let page = [b"page".as_slice(), b"seite", b"pagina", b"p\xc3\xa1gina", b"strona", b"</"]
        .iter()
        .any(|it| word(it));
    let sign = [
        b"\xc2\xa9".as_slice(),
        b"\xc2\xb7",
        b"\xe2\x80\x93",
        b"\xe2\x80\x94",
        b"\xe2\x80\xa2",
        b"(c)",
    ]
    .iter()
    .any(|it| words.starts_with(it));
    let remark = words.strip_prefix(b"(").unwrap_or(words).first();
    let remark = remark.is_some_and(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let joined = gap.iter().any(|byte| b"|-".contains(byte)) || words.starts_with(b"(");
    page || sign || gap.contains(&b'|') || joined && remark || rest.starts_with(b"</")
}

/// The parts of a banner between `//`.
fn sections(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let this = rest?;
        match this.windows(2).position(|pair| pair == b"//") {
            Some(at) => {
                rest = this.get(at + 2..);
                this.get(..at).map(<[u8]>::trim_ascii)
            }
            None => {
                rest = None;
                Some(this.trim_ascii())
            }
        }
    })
}

/// The opening words, then country codes of three or four letters (ISO 3166-1 alpha-3, tetragraphs)
/// with commas or spaces between them; after `FGI` there may be none.
fn countries(part: &[u8], opening: &[u8]) -> bool {
    part.strip_prefix(opening).is_some_and(|list| {
        let mut codes = list.split(|byte| matches!(byte, b',' | b' ')).filter(|c| !c.is_empty());
        let named = codes.clone().next().is_some() || opening == b"FGI";
        named
            && codes
                .all(|code| matches!(code.len(), 3 | 4) && code.iter().all(u8::is_ascii_uppercase))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};
    use crate::scan::validate::{Candidate, Verdict, check};

    #[test]
    fn us_banners_follow_the_order_of_the_grammar() {
        for banner in [
            "TOP SECRET",
            "SECRET//NOFORN",
            "TOP SECRET//SI//NOFORN",
            "TOP SECRET//SI-G/TK//ORCON/NOFORN",
            "SECRET//REL TO USA, GBR, FVEY",
            "CONFIDENTIAL//FRD",
            "SECRET//FGI DEU//NOFORN",
        ] {
            valid(Validator::UsBanner, banner);
        }
        for banner in [
            "SECRET",
            "SECRET//",
            "SECRET//NOFORN//SI",
            "SECRET//SAUCE",
            "CONFIDENTIAL//REL TO ",
            "UNCLASSIFIED//FOUO",
        ] {
            invalid(Validator::UsBanner, banner);
        }
    }

    #[test]
    fn portion_marks_come_in_company() {
        let of = |text: &str, value: &str| {
            let start = text.find(value).unwrap();
            let (end, limit) = (start + value.len(), text.len());
            let candidate = Candidate { text: text.as_bytes(), start, end, limit };
            check(Validator::UsPortions, candidate) != Verdict::Invalid
        };
        assert!(of("(S//NF) The unit moved.\n(U) It rained.\n", "(S//NF)"));
        assert!(of("1. (S) The unit moved.\n\n2. (C) It rained.\n", "(S)"));
        assert!(of("(U) Rain.\n(TS//SI) Unit.\n", "(TS//SI)"));
        assert!(!of("(S) The unit moved.\nIt rained.\n", "(S)"));
        assert!(!of("(C) Acme\n(C) Bolt\n", "(C)"));
        assert!(!of("(C) 2020 Acme\n(U) Bolt\n", "(C)"));
        assert!(!of("(C) Copyright Acme\n(S) Bolt\n", "(C)"));
        assert!(!of("(S) one\n(D) two\n", "(S)"));
        assert!(!of("(S//SAUCE) one\n(U) two\n", "(S//SAUCE)"));
    }

    #[test]
    fn control_numbers_of_the_commerce_list() {
        for number in ["5D002", "EAR99", "3A001.b.2", "9A610", "4a994"] {
            valid(Validator::Eccn, number);
        }
        for number in ["5F002", "5D0021", "5D702", "EAR98", "D5002"] {
            invalid(Validator::Eccn, number);
        }
    }

    #[test]
    fn marks_stand_in_their_place() {
        let of = |text: &str| {
            let (start, end) = (text.find('⟦').unwrap(), text.find('⟧').unwrap() - 3);
            let text = text.replace(['⟦', '⟧'], "");
            let limit = (end + 80).min(text.len());
            let candidate = Candidate { text: text.as_bytes(), start, end, limit };
            check(Validator::LineMark, candidate) != Verdict::Invalid
        };
        for text in [
            "⟦Strictly confidential⟧",
            "Report\n# ⟦CONFIDENTIAL⟧\r\nText",
            "** ⟦Internal use only⟧ **\n",
            "Acme Corp ⟦Confidential⟧ - Page 3 of 9\n",
            "Acme Corp | ⟦Confidential⟧ | 2030\n",
            "⟦Confidential⟧ © 2030 Acme\n",
            "⟦Vertraulich⟧ - Entwurf\n",
            "{\"footer\": \"⟦Internal use only⟧\"}",
            "<p>⟦Confidential⟧</p>\n",
            "text\\n⟦CONFIDENTIAL⟧\\nmore",
            "a,⟦Internal use only⟧,b",
        ] {
            assert!(of(text), "{text}");
        }
        for text in [
            "it is ⟦strictly confidential⟧ here",
            "this is ⟦confidential⟧\n",
            "⟦Confidential⟧ clients hold a secret\n",
            "⟦Confidential⟧ - the kind of client\n",
            "Kind: ⟦Confidential⟧\n",
            "x = \"⟦CONFIDENTIAL⟧\"\n",
            "a long line of words that goes on and on and on until the mark ends ⟦confidential⟧\n",
        ] {
            assert!(!of(text), "{text}");
        }
    }

    #[test]
    fn cui_banners_hold_marks_of_the_registry() {
        for banner in [
            "CUI//SP-CTI",
            "CUI//SP-CTI/SP-EXPT//NOFORN",
            "CUI//PRVCY",
            "CUI//NOFORN",
            "CONTROLLED//SP-PROPIN//FEDCON",
            "CUI//SP-CTI//REL TO USA, CAN",
        ] {
            valid(Validator::CuiBanner, banner);
        }
        for banner in ["CUI", "CUI//", "CUI//BONO", "CUI//NOFORN//PRVCY", "UI//PRVCY"] {
            invalid(Validator::CuiBanner, banner);
        }
    }
}
