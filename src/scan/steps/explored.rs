//! All steps of an automaton, taken before any text is there.
//!
//! A lazy automaton comes in, its states with their steps go out: those near the starts first, up to a
//! number of steps.

use super::{DEAD, KINDS, ROW, Stepper, UNKNOWN};

/// Steps of an automaton from all its starts on, breadth first.
#[derive(Debug)]
pub struct Explored {
    /// By byte: its class.
    pub classes: [u8; 256],
    /// Entries of a row: one a class of bytes, and one for the end of the text.
    stride: usize,
    /// The numbers of the states to start in, by what stands before.
    pub starts: [usize; KINDS],
    table: Vec<u32>,
    matched: Vec<bool>,
    /// States of which all steps are taken, the first ones.
    rows: usize,
}

impl Stepper {
    /// All steps, or about as many as that, those from the starts among them; none if the automaton gave
    /// up or forgot a state.
    pub fn explored(&self, most: usize) -> Option<Explored> {
        let mut steps = self.steps();
        let mut starts = [0; KINDS];
        let before: [&[u8]; KINDS] = [b"", b"\n", b"\r", b"a", b" "];
        for (kind, (start, before)) in starts.iter_mut().zip(before).enumerate() {
            *start = self.first(&mut steps, before, before.len(), kind)? as usize / self.stride;
        }
        let mut bytes = vec![None; self.stride];
        for (byte, class) in (0..=255).zip(self.classes) {
            *bytes.get_mut(usize::from(class))? = Some(byte);
        }
        let (mut rows, mut taken) = (0, 0);
        let least = starts.iter().max().map_or(0, |start| start + 1);
        while let Some(state) = steps.states.get(rows).copied()
            && (rows < least || taken < most)
        {
            // None leads from the dead state.
            for (class, byte) in bytes.iter().enumerate().filter(|_| !state.id.is_dead()) {
                self.step(&mut steps, (rows * self.stride) as u32, class, *byte)?;
                taken += 1;
            }
            rows += 1;
        }
        let matched = steps.states.iter().map(|state| state.matched != 0).collect();
        let is_kept = steps.cache.clear_count() == 0;
        let Stepper { classes, stride, .. } = *self;
        is_kept.then_some(Explored { classes, stride, starts, table: steps.table, matched, rows })
    }
}

impl Explored {
    /// States of which all steps are taken.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether these are all states.
    pub fn is_whole(&self) -> bool {
        self.rows == self.matched.len()
    }

    /// Whether a state says that a match has ended.
    pub fn has_matched(&self, row: usize) -> bool {
        self.matched.get(row).copied().unwrap_or(false)
    }

    /// Where the steps from a state lead, by class, the end of the text last; none where nothing
    /// follows.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Option<usize>> {
        let row = row * self.stride;
        let entries = self.table.get(row..row + self.stride).unwrap_or_default();
        let is_dead = |entry: u32| entry & (DEAD | UNKNOWN) != 0;
        entries
            .iter()
            .map(move |entry| (!is_dead(*entry)).then_some((entry & ROW) as usize / self.stride))
    }
}
