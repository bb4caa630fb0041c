//! Country codes of ISO 3166-1, for the codes of banks and securities that hold one.

/// The alpha-2 codes, and `XK`, which banks use for Kosovo.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ \
    NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Whether two letters, both in upper or both in lower case, are a country code.
pub(super) fn is_country(code: &[u8]) -> bool {
    const PAIRS: Pairs = Pairs::of(CODES);
    PAIRS.hold(code)
}

/// Words of two letters.
pub(super) struct Pairs([u32; 26]);

impl Pairs {
    /// Those of a list, separated by spaces.
    #[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
    pub(super) const fn of(list: &str) -> Pairs {
        let (list, mut pairs, mut at) = (list.as_bytes(), [0; 26], 0);
        while at + 1 < list.len() {
            if list[at] == b' ' {
                at += 1;
            } else {
                let (first, second) = ((list[at] | 0x20) - b'a', (list[at + 1] | 0x20) - b'a');
                assert!(second < 26 && (at + 2 == list.len() || list[at + 2] == b' '));
                pairs[first as usize] |= 1 << second;
                at += 2;
            }
        }
        Pairs(pairs)
    }

    /// Whether a word is one of them, in any case.
    pub(super) fn hold(&self, word: &[u8]) -> bool {
        let letter = |byte: u8| (byte | 0x20).wrapping_sub(b'a');
        let [first, second] = word else { return false };
        let seconds = self.0.get(usize::from(letter(*first))).copied().unwrap_or(0);
        letter(*second) < 26 && seconds >> letter(*second) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_standard() {
        assert_eq!(CODES.split_ascii_whitespace().count(), 250);
        assert!(CODES.split_ascii_whitespace().is_sorted());
        for code in ["DE", "us", "XK", "GB"] {
            assert!(is_country(code.as_bytes()), "{code}");
        }
        for code in ["ZZ", "UK", "D", "DEU", " D", ""] {
            assert!(!is_country(code.as_bytes()), "{code}");
        }
    }
}
