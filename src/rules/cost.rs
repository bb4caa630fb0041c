//! How often a rule can read a byte, whatever the payload.

use regex_syntax::hir::Hir;

use super::{LINE_REACH, Lead, Rule, Unless, pattern, requirement};

impl Rule {
    /// The most times that the automaton of this rule can read one byte of any payload: promise
    /// "linear", as a number. What a validator reads behind the match is not counted here; it reads
    /// once a match and never past `reach`.
    ///
    /// Anchors have a shortest distance, and each opens a window of `lead + max_length` bytes. A
    /// match that may begin before its anchor is tried at each start of that window, but a start is
    /// tried once, however many anchors reach it, and reads `max_length` bytes at most. Where
    /// `boundary` holds every byte that the pattern can consume, no start lies inside the text of
    /// another one, so that a run of such bytes is read once, however many anchors it holds, and then
    /// by what ends before it: an automaton says a byte late that it has matched, and sees one byte
    /// more before it knows that nothing follows.
    ///
    /// What `unless` reads is counted: once a match each of its lists reads the value, the match or
    /// the lines around it, and matches lie no closer than anchors.
    pub fn reads_per_byte(&self) -> u32 {
        let Ok(hir) = pattern::parse(&self.pattern) else { return u32::MAX };
        let distance = requirement::shortest_distance(&self.anchors).max(1);
        let unless =
            self.unless.iter().map(|unless| unless_reads(unless, self.max_length, distance));
        let reads = self.pattern_reads(&hir, distance).saturating_add(unless.sum::<usize>());
        u32::try_from(reads).unwrap_or(u32::MAX)
    }

    fn pattern_reads(&self, hir: &Hir, distance: usize) -> usize {
        let one_start = matches!(self.lead, Lead::Bytes(0) | Lead::Run(..));
        let boundary = self.boundary.unwrap_or_default();
        if one_start && pattern::consumed(hir).is_subset(&boundary) {
            return 2;
        }
        match self.lead {
            Lead::Bytes(lead) if lead > 0 => self.max_length,
            _ => (self.lead.max() + self.max_length).div_ceil(distance),
        }
    }
}

fn unless_reads(unless: &Unless, max_length: usize, distance: usize) -> usize {
    let of_match = [&unless.words, &unless.value, &unless.matched];
    let of_match = of_match.iter().filter(|list| !list.is_empty()).count();
    let of_line = if unless.line.is_empty() { 0 } else { max_length + 2 * LINE_REACH };
    of_match * max_length.div_ceil(distance) + of_line.div_ceil(distance)
}
