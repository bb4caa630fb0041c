//! The states of a pattern's machine, as they stand in the program.
//!
//! An NFA comes in, bytes go out, and the same NFA comes out of those: reading and compiling the pattern
//! takes four to ten times as long for most. For patterns whose table does not hold all of their automaton.

use regex_automata::nfa::thompson::{Builder, NFA, State, Transition};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use serde::{Deserialize, Serialize};

/// The most states of a machine: to take over more saves little, and needs room in the program.
const MOST: usize = 8_000;

/// Where it starts, and all states in their order.
#[derive(Serialize, Deserialize)]
struct Machine {
    anchored: u32,
    unanchored: u32,
    states: Vec<Kept>,
}

/// A state by the numbers of those that it leads to.
#[derive(Serialize, Deserialize)]
enum Kept {
    /// On by a byte from the first to the second one.
    Range(u8, u8, u32),
    Ranges(Vec<(u8, u8, u32)>),
    /// On by an assertion, which has such a number.
    Look(u32, u32),
    Any(Vec<u32>),
    Fail,
    Match,
}

/// The bytes of a machine of one pattern without groups; none if it has too many states, or another kind
/// of states.
pub fn pack(nfa: &NFA) -> Option<Vec<u8>> {
    let states = nfa.states();
    if states.len() > MOST || nfa.pattern_len() != 1 {
        return None;
    }
    let number = |id: StateID| id.as_u32();
    let range = |it: &Transition| (it.start, it.end, number(it.next));
    let states = states.iter().map(|state| {
        Some(match state {
            State::ByteRange { trans } => Kept::Range(trans.start, trans.end, number(trans.next)),
            State::Sparse(sparse) => Kept::Ranges(sparse.transitions.iter().map(range).collect()),
            State::Look { look, next } => Kept::Look(look.as_repr(), number(*next)),
            State::Union { alternates } => {
                Kept::Any(alternates.iter().copied().map(number).collect())
            }
            State::BinaryUnion { alt1, alt2 } => Kept::Any(vec![number(*alt1), number(*alt2)]),
            State::Fail => Kept::Fail,
            State::Match { .. } => Kept::Match,
            State::Dense(_) | State::Capture { .. } => return None,
        })
    });
    let machine = Machine {
        anchored: number(nfa.start_anchored()),
        unanchored: number(nfa.start_unanchored()),
        states: states.collect::<Option<_>>()?,
    };
    postcard::to_stdvec(&machine).ok()
}

/// The machine that [`pack`] made bytes of; none where they are not such.
pub fn read(bytes: &[u8]) -> Option<NFA> {
    let machine: Machine = postcard::from_bytes(bytes).ok()?;
    let count = machine.states.len();
    let id = |number: u32| {
        StateID::new(usize::try_from(number).ok()?).ok().filter(|id| id.as_usize() < count)
    };
    let range =
        |(start, end, next): (u8, u8, u32)| Some(Transition { start, end, next: id(next)? });
    let mut builder = Builder::new();
    builder.set_utf8(false);
    builder.start_pattern().ok()?;
    // What a state leads to has its number already: none is left out.
    for state in machine.states {
        match state {
            Kept::Range(start, end, next) => builder.add_range(range((start, end, next))?),
            Kept::Ranges(ranges) => {
                builder.add_sparse(ranges.into_iter().map(range).collect::<Option<_>>()?)
            }
            Kept::Look(look, next) => builder.add_look(id(next)?, Look::from_repr(look)?),
            // One of fewer would be left out.
            Kept::Any(alternates) if alternates.len() < 2 => return None,
            Kept::Any(alternates) => {
                builder.add_union(alternates.into_iter().map(id).collect::<Option<_>>()?)
            }
            Kept::Fail => builder.add_fail(),
            Kept::Match => builder.add_match(),
        }
        .ok()?;
    }
    let anchored = id(machine.anchored)?;
    builder.finish_pattern(anchored).ok()?;
    builder.build(anchored, id(machine.unanchored)?).ok()
}

#[cfg(test)]
mod tests {
    use regex_automata::nfa::thompson::WhichCaptures;

    use super::*;
    use crate::scan::steps::compile;

    #[test]
    fn what_is_read_is_what_was_compiled() {
        for pattern in [
            r"\b[a-c]{1,9}(?:1[0-9]{0,7}|x)\b",
            "(?m:^)[ab1 ]{2,6}(?m:$)|(?-m:^)é{0,3}",
            r"(?:abc|cab|ca1|x-x|1x1|\B[^a]+|(?i:straße))",
            "(?:a|b){0,30}[^\\n]{5,300}",
        ] {
            let nfa = compile(&[pattern], WhichCaptures::None).unwrap();
            let bytes = pack(&nfa).unwrap();
            let again = read(&bytes).unwrap();
            assert_eq!(again.states(), nfa.states());
            assert_eq!(again.start_anchored(), nfa.start_anchored());
            assert_eq!(again.start_unanchored(), nfa.start_unanchored());
            assert_eq!(format!("{:?}", again.byte_classes()), format!("{:?}", nfa.byte_classes()));
            for cut in 0..bytes.len() {
                assert!(read(&bytes[..cut]).is_none(), "{cut}");
            }
        }
        let large = compile(&["[a-z]{9000}"], WhichCaptures::None).unwrap();
        assert!(pack(&large).is_none());
        let with_groups = compile(&["(a)b"], WhichCaptures::All).unwrap();
        assert!(pack(&with_groups).is_none());
    }
}
