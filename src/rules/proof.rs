//! The proof that a prefilter never lies: every match of a pattern holds its anchor, and where.
//!
//! The pattern is walked by its derivatives (Antimirov 1996): a term stands for what is still to be
//! matched, and each step consumes one byte, with repeats kept as counters so that nothing is
//! unrolled. Beside each term runs the automaton of [`Requirement`]. The walk goes on, a byte a
//! level, until every path has met an anchor; a path that can end before is a counterexample.
//! Assertions (`\b`, `^`, `$`) are taken as always true, so more texts are walked than can match,
//! never fewer: what is proven holds, and what is not proven is refused.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::pattern::class_bytes;
use super::requirement::{Requirement, State, Step};
use super::{Anchors, ByteSet, pattern};

/// The most bytes before an anchor.
pub(super) const MAX_LEAD: usize = 256;

/// Deep enough for an anchor at the farthest place: a keyword, or a long number with separators.
const MAX_LEVELS: usize = MAX_LEAD + 1024;

/// The most steps of one proof.
const MAX_STEPS: usize = 400_000;

/// What is known of every match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The most bytes before the anchor.
    pub lead: usize,
}

/// Why the proof failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// This text matches (assertions aside) and holds no anchor.
    Counterexample(Vec<u8>),
    /// An anchor can stand more than [`MAX_LEAD`] bytes behind the start.
    LeadTooLong,
    /// More than the budget of steps would be needed.
    TooLarge,
}

/// Proves that every match of the pattern holds one of the anchors. `budget` is what is left of
/// the steps for all rules of a set.
pub(super) fn prove(hir: &Hir, anchors: &Anchors, budget: &mut usize) -> Result<Held, Failure> {
    let requirement = Requirement::new(anchors);
    let allowed = MAX_STEPS.min(*budget);
    let (terms, states) = (Terms::default(), States::default());
    let mut walk = Walk { graph: Graph::new(hir), requirement, terms, states, steps: allowed };
    let result = walk.run();
    *budget -= allowed - walk.steps;
    result
}

/// The bytes of the run that leads up to the anchor, with the most repeats, where the pattern is
/// such a run followed at once by the anchor, and no byte of the run can begin an anchor.
pub(super) fn leading_run(
    hir: &Hir,
    anchors: &Anchors,
    budget: &mut usize,
) -> Option<(ByteSet, usize)> {
    let requirement = Requirement::new(anchors);
    let parts = pattern::sequence(hir);
    let (first, rest) = parts.split_first()?;
    let (class, most) = pattern::bounded_run(first)?;
    let apart = !(0..=255u8).any(|byte| class.contains(byte) && requirement.begins_with(byte));
    let rest = Hir::concat(rest.iter().map(|part| (*part).clone()).collect());
    let behind = prove(&rest, anchors, budget).ok()?;
    (apart && behind.lead == 0).then_some((class, most))
}

/// Position of a node in its graph.
type Id = u32;

/// A part of a pattern, reduced to what matters for the texts that it matches.
enum Node {
    Empty,
    Bytes(ByteSet),
    Sequence(Vec<Id>),
    Choice(Vec<Id>),
    Repeat { sub: Id, min: u32, max: Option<u32> },
}

/// Something still to be matched: a node, and for a repeat how often, for a sequence from where.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Frame {
    node: Id,
    /// Repeat: fewest times left. Sequence: first part left.
    from: u32,
    /// Repeat: most times left, `u32::MAX` for no bound.
    most: u32,
}

/// What is still to be matched, the next frame last.
type Term = Vec<Frame>;

/// A pattern as nodes.
struct Graph {
    nodes: Vec<Node>,
    nullable: Vec<bool>,
    /// Length of the shortest text of a node; `usize::MAX` for a node that matches nothing.
    shortest: Vec<usize>,
    root: Id,
}

struct Walk {
    graph: Graph,
    requirement: Requirement,
    terms: Terms,
    states: States,
    steps: usize,
}

/// Ways to consume one more byte: one byte of each class, and the term after it.
type Ways = Rc<[(u8, Id)]>;

/// The terms that were met, each once, with the ways on from each.
#[derive(Default)]
struct Terms {
    ids: HashMap<Term, Id>,
    met: Vec<Term>,
    /// By term; none where nobody has asked yet.
    ways: Vec<Option<Ways>>,
}

/// The states that were met, each once, with the steps from each that were asked for.
#[derive(Default)]
struct States {
    ids: HashMap<State, Id>,
    met: Vec<State>,
    /// By state and class of the byte: the next state, or how far back the anchor is that is held.
    steps: HashMap<(Id, u8), Result<Id, usize>>,
}

/// A place that the walk has reached, with the way there.
struct Reached {
    term: Id,
    state: Id,
    parent: Option<usize>,
    byte: u8,
}

impl Walk {
    fn run(&mut self) -> Result<Held, Failure> {
        let term = self.terms.id(vec![self.graph.frame(self.graph.root)]);
        let state = self.states.id(self.requirement.start());
        let never = self.states.id(State::Never);
        let mut reached = vec![Reached { term, state, parent: None, byte: 0 }];
        let mut lead = 0;
        let mut level = 0..1;
        // Each level holds the places that one more byte leads to, each once.
        for consumed in 0..MAX_LEVELS {
            let mut seen: HashSet<(Id, Id)> = HashSet::new();
            for position in level.clone() {
                let Some(Reached { term, state, .. }) = reached.get(position) else { continue };
                let (term, state) = (*term, *state);
                if state == never || self.graph.is_done(self.terms.get(term)) {
                    return Err(Failure::Counterexample(self.counterexample(&reached, position)));
                }
                for (byte, next) in self.ways(term)?.iter().copied() {
                    self.spend(1)?;
                    match self.step(state, byte) {
                        Err(back) => lead = lead.max(consumed.saturating_sub(back)),
                        Ok(state) => {
                            if seen.insert((next, state)) {
                                let parent = Some(position);
                                reached.push(Reached { term: next, state, parent, byte });
                            }
                        }
                    }
                }
            }
            if lead > MAX_LEAD {
                return Err(Failure::LeadTooLong);
            }
            level = level.end..reached.len();
            if level.is_empty() {
                return Ok(Held { lead });
            }
        }
        Err(Failure::LeadTooLong)
    }

    fn spend(&mut self, steps: usize) -> Result<(), Failure> {
        self.steps = self.steps.checked_sub(steps).ok_or(Failure::TooLarge)?;
        Ok(())
    }

    /// The ways on from a term.
    fn ways(&mut self, term: Id) -> Result<Ways, Failure> {
        let at = term as usize;
        if let Some(Some(ways)) = self.terms.ways.get(at) {
            return Ok(Rc::clone(ways));
        }
        let mut ways = Vec::new();
        for (bytes, next) in self.graph.heads(self.terms.get(term)) {
            self.spend(1 + next.len())?;
            let next = self.terms.id(next);
            ways.extend(self.representatives(&bytes).into_iter().map(|byte| (byte, next)));
        }
        let ways: Ways = ways.into();
        if let Some(slot) = self.terms.ways.get_mut(at) {
            *slot = Some(Rc::clone(&ways));
        }
        Ok(ways)
    }

    /// One step of the requirement.
    fn step(&mut self, state: Id, byte: u8) -> Result<Id, usize> {
        let key = (state, self.requirement.class(byte));
        if let Some(step) = self.states.steps.get(&key) {
            return *step;
        }
        let step = match self.requirement.step(self.states.get(state), byte) {
            Step::Held(back) => Err(back),
            Step::Next(next) => Ok(self.states.id(next)),
        };
        self.states.steps.insert(key, step);
        step
    }

    /// One byte of each class that the set has a byte of, one that prints where there is one.
    fn representatives(&self, bytes: &ByteSet) -> Vec<u8> {
        let mut known = ByteSet::EMPTY;
        let mut chosen = Vec::new();
        for byte in plain_first().filter(|byte| bytes.contains(*byte)) {
            let class = self.requirement.class(byte);
            if !known.contains(class) {
                known.insert(class);
                chosen.push(byte);
            }
        }
        chosen
    }

    /// The way to a place, and the shortest way on to the end of a match.
    fn counterexample(&self, reached: &[Reached], position: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = reached.get(position);
        while let Some(place) = at {
            if place.parent.is_some() {
                text.push(place.byte);
            }
            at = place.parent.and_then(|parent| reached.get(parent));
        }
        text.reverse();
        if let Some(place) = reached.get(position) {
            for frame in self.terms.get(place.term).iter().rev() {
                self.graph.complete(*frame, &mut text);
            }
        }
        text
    }
}

impl Terms {
    fn id(&mut self, term: Term) -> Id {
        if let Some(id) = self.ids.get(&term) {
            return *id;
        }
        let id = u32::try_from(self.met.len()).unwrap_or(u32::MAX);
        self.met.push(term.clone());
        self.ways.push(None);
        self.ids.insert(term, id);
        id
    }

    fn get(&self, id: Id) -> &[Frame] {
        self.met.get(id as usize).map_or(&[], Vec::as_slice)
    }
}

impl States {
    fn id(&mut self, state: State) -> Id {
        if let Some(id) = self.ids.get(&state) {
            return *id;
        }
        let id = u32::try_from(self.met.len()).unwrap_or(u32::MAX);
        self.met.push(state.clone());
        self.ids.insert(state, id);
        id
    }

    fn get(&self, id: Id) -> &State {
        self.met.get(id as usize).unwrap_or(&State::Never)
    }
}

/// All bytes, those first that are easy to read in a message.
fn plain_first() -> impl Iterator<Item = u8> {
    (b'a'..=b'z').chain(b'0'..=b'9').chain(b' '..=b'~').chain(0..=255)
}

impl Graph {
    fn new(hir: &Hir) -> Graph {
        let mut graph =
            Graph { nodes: Vec::new(), nullable: Vec::new(), shortest: Vec::new(), root: 0 };
        graph.root = graph.add_pattern(hir);
        graph
    }

    fn add_pattern(&mut self, hir: &Hir) -> Id {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => self.add(Node::Empty),
            HirKind::Literal(literal) => {
                let bytes = literal.0.iter();
                let parts = bytes
                    .map(|byte| self.add(Node::Bytes([*byte].into_iter().collect())))
                    .collect();
                self.add(Node::Sequence(parts))
            }
            HirKind::Class(class) => self.add(Node::Bytes(class_bytes(class))),
            HirKind::Repetition(Repetition { min, max, sub, .. }) => {
                let sub = self.add_pattern(sub);
                // A part that can match nothing fills up any minimum.
                let min = if self.is_nullable(sub) { 0 } else { *min };
                self.add(Node::Repeat { sub, min, max: *max })
            }
            HirKind::Capture(capture) => self.add_pattern(&capture.sub),
            HirKind::Concat(subs) => {
                let parts = subs.iter().map(|sub| self.add_pattern(sub)).collect();
                self.add(Node::Sequence(parts))
            }
            HirKind::Alternation(subs) => {
                let branches = subs.iter().map(|sub| self.add_pattern(sub)).collect();
                self.add(Node::Choice(branches))
            }
        }
    }

    fn add(&mut self, node: Node) -> Id {
        let (nullable, shortest) = match &node {
            Node::Empty => (true, 0),
            Node::Bytes(set) => (false, if *set == ByteSet::EMPTY { usize::MAX } else { 1 }),
            Node::Sequence(parts) => (
                parts.iter().all(|part| self.is_nullable(*part)),
                parts.iter().fold(0, |sum: usize, part| sum.saturating_add(self.shortest(*part))),
            ),
            Node::Choice(branches) => (
                branches.iter().any(|branch| self.is_nullable(*branch)),
                branches.iter().map(|branch| self.shortest(*branch)).min().unwrap_or(usize::MAX),
            ),
            Node::Repeat { sub, min, .. } => {
                (*min == 0, self.shortest(*sub).saturating_mul(*min as usize))
            }
        };
        self.nodes.push(node);
        self.nullable.push(nullable);
        self.shortest.push(shortest);
        u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::Empty)
    }

    fn is_nullable(&self, id: Id) -> bool {
        self.nullable.get(id as usize).copied().unwrap_or(true)
    }

    fn shortest(&self, id: Id) -> usize {
        self.shortest.get(id as usize).copied().unwrap_or(0)
    }

    /// The frame of a node of which nothing is matched yet.
    fn frame(&self, id: Id) -> Frame {
        match self.node(id) {
            Node::Repeat { min, max, .. } => {
                Frame { node: id, from: *min, most: max.unwrap_or(u32::MAX) }
            }
            _ => Frame { node: id, from: 0, most: 0 },
        }
    }

    /// Whether nothing more has to be matched by a frame.
    fn can_end(&self, frame: Frame) -> bool {
        match self.node(frame.node) {
            Node::Sequence(parts) => {
                parts.iter().skip(frame.from as usize).all(|part| self.is_nullable(*part))
            }
            Node::Repeat { .. } => frame.from == 0,
            _ => self.is_nullable(frame.node),
        }
    }

    /// Whether a match can end here.
    fn is_done(&self, term: &[Frame]) -> bool {
        term.iter().all(|frame| self.can_end(*frame))
    }

    /// Every way to consume one more byte: the bytes, and what is to be matched after them.
    fn heads(&self, term: &[Frame]) -> Vec<(ByteSet, Term)> {
        let mut heads = Vec::new();
        let mut rest = term.to_vec();
        while let Some(frame) = rest.pop() {
            self.add_heads(frame, &rest, &mut heads);
            if !self.can_end(frame) {
                break;
            }
        }
        heads
    }

    /// Ways to consume one byte with a frame, `rest` being what comes after it.
    fn add_heads(&self, frame: Frame, rest: &Term, heads: &mut Vec<(ByteSet, Term)>) {
        match self.node(frame.node) {
            Node::Empty => {}
            Node::Bytes(set) => {
                // A path that can never end is no path to a match.
                let possible = *set != ByteSet::EMPTY && !rest.iter().any(|f| self.is_stuck(*f));
                if possible {
                    heads.push((*set, rest.clone()));
                }
            }
            Node::Sequence(parts) => {
                for (position, part) in parts.iter().enumerate().skip(frame.from as usize) {
                    let mut rest = rest.clone();
                    if position + 1 < parts.len() {
                        let from = u32::try_from(position + 1).unwrap_or(u32::MAX);
                        rest.push(Frame { from, ..frame });
                    }
                    self.add_heads(self.frame(*part), &rest, heads);
                    if !self.is_nullable(*part) {
                        break;
                    }
                }
            }
            Node::Choice(branches) => {
                for branch in branches {
                    self.add_heads(self.frame(*branch), rest, heads);
                }
            }
            Node::Repeat { sub, .. } => {
                if frame.most == 0 {
                    return;
                }
                let most = if frame.most == u32::MAX { u32::MAX } else { frame.most - 1 };
                let mut rest = rest.clone();
                if most > 0 {
                    rest.push(Frame { from: frame.from.saturating_sub(1), most, ..frame });
                }
                self.add_heads(self.frame(*sub), &rest, heads);
            }
        }
    }

    /// Whether a frame can never be matched to its end.
    fn is_stuck(&self, frame: Frame) -> bool {
        match self.node(frame.node) {
            Node::Sequence(parts) => parts
                .iter()
                .skip(frame.from as usize)
                .any(|part| self.shortest(*part) == usize::MAX),
            Node::Repeat { sub, .. } => frame.from > 0 && self.shortest(*sub) == usize::MAX,
            _ => self.shortest(frame.node) == usize::MAX,
        }
    }

    /// Adds a shortest text of a frame, up to a length that is long enough to show.
    fn complete(&self, frame: Frame, text: &mut Vec<u8>) {
        if text.len() > 512 {
            return;
        }
        match self.node(frame.node) {
            Node::Empty => {}
            Node::Bytes(set) => {
                text.extend(plain_first().find(|byte| set.contains(*byte)));
            }
            Node::Sequence(parts) => {
                for part in parts.iter().skip(frame.from as usize) {
                    self.complete(self.frame(*part), text);
                }
            }
            Node::Choice(branches) => {
                let branch = branches.iter().min_by_key(|branch| self.shortest(**branch));
                if let Some(branch) = branch {
                    self.complete(self.frame(*branch), text);
                }
            }
            Node::Repeat { sub, .. } => {
                for _ in 0..frame.from.min(512) {
                    self.complete(self.frame(*sub), text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn proof(pattern: &str, anchors: &Anchors) -> Result<usize, String> {
        let hir = pattern::parse(pattern).unwrap();
        let mut budget = usize::MAX;
        match prove(&hir, anchors, &mut budget) {
            Ok(held) => Ok(held.lead),
            Err(Failure::Counterexample(text)) => {
                let anywhere = format!("^(?:{pattern})$");
                let regex = regex_automata::meta::Builder::new()
                    .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
                    .configure(regex_automata::meta::Config::new().utf8_empty(false))
                    .build(&anywhere)
                    .unwrap();
                assert!(regex.is_match(&text), "{pattern} does not match {}", text.escape_ascii());
                Err(text.escape_ascii().to_string())
            }
            Err(failure) => Err(format!("{failure:?}")),
        }
    }

    fn keywords(words: &[&str]) -> Anchors {
        Anchors::Keywords(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_keyword_in_every_match_is_proven_with_its_lead() {
        let anchors = keywords(&["akia", "asia"]);
        assert_eq!(proof("(?:AKIA|ASIA)[A-Z2-7]{16}", &anchors), Ok(0));
        assert_eq!(proof("(?i)x{0,7}a(?:ki|si)a", &anchors), Ok(7));
        assert_eq!(proof("[A-Z]{0,4}AKIA[0-9]{1,9000}", &anchors), Ok(4));
        assert_eq!(proof("(?:AK(?:IA)?){1,2}", &anchors), Err("AK".into()));
        assert_eq!(proof("AKIA|ASI[AB]", &anchors), Err("ASIB".into()));
        assert_eq!(proof("[a-z]*AKIA", &anchors), Err("LeadTooLong".into()));
        assert_eq!(proof("[^a]{0,256}AKIA", &anchors), Ok(256));
        assert_eq!(proof("[^a]{0,257}AKIA", &anchors), Err("LeadTooLong".into()));
    }

    #[test]
    fn repeats_of_parts_that_match_nothing_end() {
        let anchors = keywords(&["key"]);
        assert_eq!(proof("(?:(?:a?)*){3,9}", &anchors), Err(String::new()));
        assert_eq!(proof("(?:a?b?){0,2}key", &anchors), Ok(4));
        assert_eq!(proof("(?:(?:[a-j]{1,20} ){1,20}){1,20}key", &anchors), Err("TooLarge".into()));
    }

    #[test]
    fn digits_are_proven_with_their_window() {
        let nine = Anchors::Digits { min: 9, max: 9 };
        assert_eq!(proof(r"\b\d{3}[- ]?\d{2}[- ]?\d{4}\b", &nine), Ok(0));
        assert_eq!(proof(r"[A-Z]{2}\d{9}", &nine), Ok(2));
        assert_eq!(proof(r"\d{3}[- ]{0,3}\d{6}", &nine), Err("000   000000".into()));
        assert_eq!(proof(r"\d{8,9}", &nine), Err("00000000".into()));
        assert_eq!(proof(r"\d{3}:\d{6}", &nine), Err("000:000000".into()));
        assert_eq!(proof(r"\d{4}", &Anchors::Digits { min: 4, max: 4 }), Err("0000".into()));
        assert_eq!(proof(r"\d{13,19}", &Anchors::Digits { min: 13, max: 19 }), Ok(0));
    }

    #[test]
    fn shapes_are_proven() {
        let shape = Anchors::Shape;
        let mail = r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}\.[a-z]{2,24}";
        assert_eq!(proof(mail, &shape(Shape::At)), Err("a@-.aa".into()));
        let mail = r"[a-z0-9._%+-]{1,64}@[a-z0-9][a-z0-9-]{0,62}\.[a-z]{2,24}";
        assert_eq!(proof(mail, &shape(Shape::At)), Ok(64));
        let iban = r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}";
        assert_eq!(proof(iban, &shape(Shape::LettersDigits)), Ok(0));
        let address = "(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}";
        assert_eq!(proof(address, &shape(Shape::HexColon)), Ok(4));
        let time = "[0-9]{2}:[0-9]{2}(?::[0-9]{2})?";
        assert_eq!(proof(time, &shape(Shape::HexColon)), Err("00:00".into()));
        let hardware = "[0-9a-f]{2}(?::[0-9a-f]{2}){3}";
        assert_eq!(proof(hardware, &shape(Shape::HexColon)), Ok(2));
        let mbi = r"[1-9][A-Z][A-Z0-9]\d-?[A-Z][A-Z0-9]\d-?[A-Z]{2}\d{2}";
        assert_eq!(proof(mbi, &shape(Shape::Token)), Ok(0));
    }

    #[test]
    fn a_run_up_to_the_anchor_is_seen() {
        let run = |pattern: &str, anchors: &Anchors| {
            let hir = pattern::parse(pattern).unwrap();
            leading_run(&hir, anchors, &mut usize::MAX.clone()).map(|(_, most)| most)
        };
        let at = Anchors::Shape(Shape::At);
        assert_eq!(run("(?<value>[a-z.]{1,64}@[a-z]{2,9})", &at), Some(64));
        assert_eq!(run("[a-z@]{1,64}@[a-z]{2,9}", &at), None);
        assert_eq!(run("[a-z]{1,64}.@[a-z]{2,9}", &at), None);
        assert_eq!(run("[a-z]+@[a-z]{2,9}", &at), None);
        assert_eq!(run("[A-Z]{2}[0-9]{9}", &Anchors::Digits { min: 9, max: 9 }), Some(2));
        assert_eq!(run("[a-z]{0,8}key", &keywords(&["key"])), None);
        assert_eq!(run("[0-9]{0,8}key", &keywords(&["key"])), Some(8));
    }
}
