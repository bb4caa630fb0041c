//! How random a text looks.

/// Pairs of letters that make up most of European prose and of identifiers in code.
const PAIRS: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve \
    co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so \
    rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp \
    fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr cl du \
    ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg ib tl ny ki rk ys ob mm fu \
    ph og ms ye ud mb ip ub oi rl gu dr hr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz ok nl my gl aw ju oa eq sy sl ps jo lf \
    nv je nk kn gs dy hy ze ks xt bs ik dd pt rp sk xi oe oy ws lv dl rf eu dg wr xa yi nm eb rb tm xc eh tc gy nr tn db sw bj lm pm";

/// Bits a character, by the frequencies within the text (Shannon 1948).
pub(super) fn bits(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = value.len() as f64;
    let share = |count: u32| f64::from(count) / length;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| -share(*count) * share(*count).log2())
        .sum()
}

/// How many different bytes there are.
pub(super) fn kinds(value: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in value {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    seen.iter().filter(|seen| **seen).count()
}

/// The longest run of one byte.
pub(super) fn longest_run(value: &[u8]) -> usize {
    let (mut longest, mut run, mut last) = (0, 0, None);
    for byte in value {
        run = if last == Some(byte) { run + 1 } else { 1 };
        last = Some(byte);
        longest = longest.max(run);
    }
    longest
}

/// Share of neighbouring letters that are a common pair; random letters have about a third.
pub(super) fn wordiness(value: &[u8]) -> f64 {
    let mut table = [[false; 26]; 26];
    for pair in PAIRS.split_ascii_whitespace() {
        if let [first, second] = pair.as_bytes()
            && let Some(slot) = table
                .get_mut(usize::from(first - b'a'))
                .and_then(|row| row.get_mut(usize::from(second - b'a')))
        {
            *slot = true;
        }
    }
    let (mut common, mut all) = (0u32, 0u32);
    for pair in value.windows(2) {
        if let [first, second] = pair
            && first.is_ascii_alphabetic()
            && second.is_ascii_alphabetic()
        {
            all += 1;
            let at = |byte: u8| usize::from(byte.to_ascii_lowercase().wrapping_sub(b'a'));
            let known = table.get(at(*first)).and_then(|row| row.get(at(*second)));
            common += u32::from(known.copied().unwrap_or_default());
        }
    }
    if all == 0 { 0.0 } else { f64::from(common) / f64::from(all) }
}

/// Whether the text looks drawn at random: enough kinds and bits for its length, and no words.
pub(super) fn random(value: &[u8]) -> bool {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let lower = value.iter().any(u8::is_ascii_lowercase);
    let upper = value.iter().any(u8::is_ascii_uppercase);
    if hex {
        return value.len() >= 24 && digits > 0 && digits < value.len() && bits(value) >= 3.0;
    }
    let needed = if value.len() >= 32 { 3.8 } else { 3.4 };
    digits > 0
        && (lower || upper)
        && bits(value) >= needed
        && longest_run(value) <= 5
        && wordiness(value) < 0.66
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_text_and_words() {
        for text in
            ["q7Zx0pLr9TnV3bKd8WmS", "8f14e45fceea167a5a36dedd4bea2543", "aB3/xK9+pQ2zR7tY1uI0oP=="]
        {
            assert!(random(text.as_bytes()), "{text} {}", wordiness(text.as_bytes()));
        }
        for text in [
            "the_name_of_the_setting_2",
            "application-configuration-1",
            "0000000000000000000000001",
            "AuthenticationTokenProvider2",
            "aaaaaaaaaaaaaaaaaaaaaaaaa1",
        ] {
            assert!(!random(text.as_bytes()), "{text}");
        }
        assert_eq!(kinds(b"abca"), 3);
        assert_eq!(longest_run(b"abbbca"), 3);
    }
}
