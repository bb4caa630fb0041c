//! What an anchor asks of a match, as an automaton that reads the match byte by byte.

use super::{Anchors, COLON_DISTANCE, DIGIT_SEPARATORS, LETTERS_LENGTH, Shape, WORDS_LENGTH};

/// The most separators between two digits of one number.
const MAX_SEPARATORS: u8 = 2;
/// Bytes behind the first digit that must be digits or separators for a digit anchor.
const DIGIT_WINDOW: usize = 5;
/// Bytes of a token anchor.
const TOKEN_LENGTH: u8 = 11;

/// Reads a match from its first byte and says when it has seen an anchor in it. What an anchor
/// asks of the byte before it is taken as given at the start of the match, where the engine looks.
pub(super) struct Requirement {
    kind: Kind,
    /// Bytes that the automaton cannot tell apart have the same class.
    classes: [u8; 256],
}

enum Kind {
    /// Keywords in lower case.
    Keywords(Vec<Vec<u8>>),
    Digits {
        min: u8,
    },
    Shape(Shape),
}

/// What has been seen of an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// Keywords: the longest end of the text that begins a keyword, in lower case.
    Text(Vec<u8>),
    /// Digits: none yet.
    NoDigit,
    /// Digits: a number was begun, `length` bytes before the last one. `digits` counts to the minimum.
    Number { digits: u8, separators: u8, length: usize },
    /// No anchor can come any more.
    Never,
    /// At: whether `@` was the last byte.
    At(bool),
    /// Letters and digits: in the middle of a word, or this many bytes into the shape.
    Shape { inside: bool, length: u8 },
    /// Tokens begun, each with its length and whether it has a digit; whether the last byte was a
    /// letter or digit.
    Tokens { inside: bool, begun: Vec<(u8, bool)> },
    /// Hexadecimal digits since the group began; none where it cannot become a shape any more. And the
    /// groups whose first `:` was met, which want more of them.
    Hex { digits: Option<u8>, begun: Vec<Group> },
    /// Letters, or lower-case words: this many bytes of the shape; 0 in the middle of other text.
    Run { begin: Begin, length: usize },
}

/// A group of hexadecimal digits and `:`, from its first `:` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    /// Bytes behind that one.
    length: usize,
    /// Where the next one was, counted so.
    second: Option<usize>,
}

/// Whether words may begin at the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Begin {
    No,
    /// They may, also behind one of the bytes that break words.
    Yes,
    /// They may, but not behind one more such byte.
    Here,
}

/// What one more byte does.
pub(super) enum Step {
    /// Nothing decided.
    Next(State),
    /// The byte completes an anchor whose first byte is this many bytes back, 0 for itself.
    Held(usize),
}

impl Requirement {
    /// What these anchors ask.
    pub fn new(anchors: &Anchors) -> Requirement {
        let kind = match anchors {
            Anchors::Keywords(keywords) => Kind::Keywords(
                keywords.iter().map(|keyword| keyword.as_bytes().to_ascii_lowercase()).collect(),
            ),
            Anchors::Digits { min, .. } => Kind::Digits { min: *min },
            Anchors::Shape(Shape::Digits) => Kind::Digits { min: 1 },
            Anchors::Shape(shape) => Kind::Shape(*shape),
        };
        let mut classes = [0u8; 256];
        for (byte, class) in (0..=255u8).zip(classes.iter_mut()) {
            *class = kind.class(byte);
        }
        Requirement { kind, classes }
    }

    /// The class of a byte: bytes of one class do the same in every state.
    pub fn class(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// Before the first byte of a match.
    pub fn start(&self) -> State {
        match self.kind {
            Kind::Keywords(_) => State::Text(Vec::new()),
            Kind::Digits { .. } => State::NoDigit,
            Kind::Shape(Shape::At | Shape::Digits) => State::At(false),
            Kind::Shape(Shape::LettersDigits) => State::Shape { inside: false, length: 0 },
            Kind::Shape(Shape::Token) => State::Tokens { inside: false, begun: Vec::new() },
            Kind::Shape(Shape::HexColon) => State::Hex { digits: Some(0), begun: Vec::new() },
            Kind::Shape(Shape::Letters | Shape::Words) => {
                State::Run { begin: Begin::Yes, length: 0 }
            }
        }
    }

    /// Reads a byte.
    pub fn step(&self, state: &State, byte: u8) -> Step {
        match (&self.kind, state) {
            (Kind::Keywords(keywords), State::Text(text)) => step_text(keywords, text, byte),
            (Kind::Digits { min }, state) => step_digits(*min, state, byte),
            (Kind::Shape(_), State::At(at)) => {
                if *at && (byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
                    Step::Held(1)
                } else {
                    Step::Next(State::At(byte == b'@'))
                }
            }
            (Kind::Shape(_), State::Shape { inside, length }) => {
                step_letters_digits(*inside, *length, byte)
            }
            (Kind::Shape(_), State::Tokens { inside, begun }) => step_tokens(*inside, begun, byte),
            (Kind::Shape(_), State::Hex { digits, begun }) => step_hex(*digits, begun, byte),
            (Kind::Shape(Shape::Letters), State::Run { begin, length }) => {
                step_letters(*begin, *length, byte)
            }
            (Kind::Shape(_), State::Run { begin, length }) => step_words(*begin, *length, byte),
            _ => Step::Next(State::Never),
        }
    }

    /// Whether the byte can begin an anchor.
    pub fn begins_with(&self, byte: u8) -> bool {
        match &self.kind {
            Kind::Keywords(keywords) => {
                keywords.iter().any(|keyword| keyword.first() == Some(&byte.to_ascii_lowercase()))
            }
            Kind::Digits { .. } | Kind::Shape(Shape::Digits) => byte.is_ascii_digit(),
            Kind::Shape(Shape::At) => byte == b'@',
            Kind::Shape(Shape::LettersDigits | Shape::Token) => byte.is_ascii_alphanumeric(),
            Kind::Shape(Shape::HexColon) => byte == b':',
            Kind::Shape(Shape::Letters) => byte.is_ascii_alphabetic(),
            Kind::Shape(Shape::Words) => byte.is_ascii_lowercase(),
        }
    }
}

impl Kind {
    fn class(&self, byte: u8) -> u8 {
        match self {
            Kind::Keywords(keywords) => {
                let byte = byte.to_ascii_lowercase();
                if keywords.iter().any(|keyword| keyword.contains(&byte)) { byte } else { 0 }
            }
            Kind::Digits { .. } => match byte {
                b'0'..=b'9' => 1,
                _ if DIGIT_SEPARATORS.contains(&byte) => 2,
                _ => 0,
            },
            Kind::Shape(Shape::Letters) => u8::from(byte.is_ascii_alphabetic()),
            Kind::Shape(Shape::Words) => match byte {
                b'a'..=b'z' => 1,
                b' ' => 2,
                b'.' | b'/' | b'(' | b')' => 3,
                b'0'..=b'9' | b'A'..=b'Z' => 4,
                _ => 0,
            },
            Kind::Shape(_) => match byte {
                b'0'..=b'9' => 1,
                b'a'..=b'f' | b'A'..=b'F' => 2,
                b'g'..=b'z' | b'G'..=b'Z' => 3,
                b'@' => 4,
                b'-' => 5,
                b':' => 6,
                0x80.. => 7,
                _ => 0,
            },
        }
    }
}

/// The shortest distance between the first bytes of two anchors in any text, in bytes.
pub(super) fn shortest_distance(anchors: &Anchors) -> usize {
    match anchors {
        Anchors::Keywords(keywords) => {
            let keywords: Vec<Vec<u8>> =
                keywords.iter().map(|word| word.as_bytes().to_ascii_lowercase()).collect();
            let distances = keywords.iter().flat_map(|first| {
                keywords.iter().map(move |second| overlap_distance(first, second))
            });
            distances.min().unwrap_or(1)
        }
        // `1 1 1 1`: a number begins behind each separator.
        Anchors::Digits { .. } | Anchors::Shape(Shape::Digits) => 2,
        // `@a@a`
        Anchors::Shape(Shape::At) => 2,
        // `aa11 aa11`
        Anchors::Shape(Shape::LettersDigits) => 5,
        // `1-1-1-1`
        Anchors::Shape(Shape::Token) => 2,
        // `:: ::`
        Anchors::Shape(Shape::HexColon) => 3,
        Anchors::Shape(Shape::Letters) => LETTERS_LENGTH,
        Anchors::Shape(Shape::Words) => WORDS_LENGTH,
    }
}

/// How many bytes behind the start of `first` a `second` can start, at least one.
fn overlap_distance(first: &[u8], second: &[u8]) -> usize {
    let fits = |distance: usize| {
        let rest = first.get(distance..).unwrap_or_default();
        rest.iter().zip(second).all(|(a, b)| a == b)
    };
    (1..=first.len()).find(|distance| fits(*distance)).unwrap_or(1)
}

fn step_text(keywords: &[Vec<u8>], text: &[u8], byte: u8) -> Step {
    let mut text = text.to_vec();
    text.push(byte.to_ascii_lowercase());
    // The longest keyword that ends here began first.
    let held = keywords.iter().filter(|keyword| text.ends_with(keyword)).map(Vec::len).max();
    if let Some(length) = held {
        return Step::Held(length.saturating_sub(1));
    }
    let keep = (0..=text.len()).find(|skip| {
        let end = text.get(*skip..).unwrap_or_default();
        keywords.iter().any(|keyword| keyword.starts_with(end))
    });
    Step::Next(State::Text(text.split_off(keep.unwrap_or(text.len()))))
}

fn step_digits(min: u8, state: &State, byte: u8) -> Step {
    let separator = DIGIT_SEPARATORS.contains(&byte);
    let (digits, separators, length) = match state {
        State::NoDigit if byte.is_ascii_digit() => (1, 0, 0),
        State::NoDigit => return Step::Next(State::NoDigit),
        State::Number { digits, length, .. } if byte.is_ascii_digit() => {
            (digits.saturating_add(1).min(min), 0, length + 1)
        }
        State::Number { digits, separators, length } if separator => {
            // Once there are digits enough, only the window matters.
            (*digits, if *digits >= min { 0 } else { separators + 1 }, length + 1)
        }
        _ => return Step::Next(State::Never),
    };
    if separators > MAX_SEPARATORS {
        return Step::Next(State::Never);
    }
    if digits >= min && length >= DIGIT_WINDOW {
        return Step::Held(length);
    }
    Step::Next(State::Number { digits, separators, length })
}

fn step_letters_digits(inside: bool, length: u8, byte: u8) -> Step {
    let wanted = match length {
        0 | 1 => byte.is_ascii_alphabetic(),
        _ => byte.is_ascii_digit(),
    };
    let word = byte.is_ascii_alphanumeric();
    if wanted && (length > 0 || !inside) {
        if length == 3 {
            return Step::Held(3);
        }
        return Step::Next(State::Shape { inside: true, length: length + 1 });
    }
    Step::Next(State::Shape { inside: word, length: 0 })
}

fn step_tokens(inside: bool, begun: &[(u8, bool)], byte: u8) -> Step {
    let word = byte.is_ascii_alphanumeric();
    if !word && byte != b'-' {
        return Step::Next(State::Tokens { inside: false, begun: Vec::new() });
    }
    let mut next: Vec<(u8, bool)> =
        begun.iter().map(|(length, digit)| (length + 1, *digit || byte.is_ascii_digit())).collect();
    if word && !inside {
        next.push((1, byte.is_ascii_digit()));
    }
    if next.iter().any(|(length, digit)| *length == TOKEN_LENGTH && *digit) {
        return Step::Held(usize::from(TOKEN_LENGTH) - 1);
    }
    next.retain(|(length, _)| *length < TOKEN_LENGTH);
    Step::Next(State::Tokens { inside: word, begun: next })
}

fn step_hex(digits: Option<u8>, begun: &[Group], byte: u8) -> Step {
    let hexadecimal = byte.is_ascii_hexdigit();
    let mut groups = Vec::new();
    for group in begun {
        let length = group.length + 1;
        let last = group.second.unwrap_or(0);
        let is_near = length - last <= COLON_DISTANCE;
        match (byte, group.second) {
            (b':', None) if length == 1 => return Step::Held(length),
            (b':', Some(_)) if is_near => return Step::Held(length),
            (b':', None) if is_near => groups.push(Group { length, second: Some(length) }),
            _ if length == 1 && !hexadecimal => {}
            _ if is_near => groups.push(Group { length, ..*group }),
            _ => {}
        }
    }
    let digits = match (byte, digits) {
        // Behind a `:` no group begins until a byte that is neither letter, digit nor `:`.
        (b':', Some(_)) => {
            groups.push(Group { length: 0, second: None });
            None
        }
        (b':', None) => None,
        _ if hexadecimal => digits.filter(|count| *count < 4).map(|count| count + 1),
        _ if byte.is_ascii_alphanumeric() => None,
        _ => Some(0),
    };
    Step::Next(State::Hex { digits, begun: groups })
}

fn step_letters(begin: Begin, length: usize, byte: u8) -> Step {
    if !byte.is_ascii_alphabetic() {
        return Step::Next(State::Run { begin: Begin::Yes, length: 0 });
    }
    match length {
        0 if begin == Begin::No => Step::Next(State::Run { begin, length }),
        _ if length + 1 == LETTERS_LENGTH => Step::Held(length),
        _ => Step::Next(State::Run { begin: Begin::No, length: length + 1 }),
    }
}

fn step_words(begin: Begin, length: usize, byte: u8) -> Step {
    let goes_on = length > 0 && (byte == b' ' || byte.is_ascii_lowercase());
    let begins = begin != Begin::No && byte.is_ascii_lowercase();
    if goes_on || begins {
        if length + 1 == WORDS_LENGTH {
            return Step::Held(length);
        }
        return Step::Next(State::Run { begin: Begin::No, length: length + 1 });
    }
    let begin = match byte {
        b' ' | b'.' | b'/' | b'(' | b')' if begin == Begin::Yes => Begin::Here,
        b' ' | b'.' | b'/' | b'(' | b')' => Begin::No,
        _ if byte.is_ascii_alphanumeric() => Begin::No,
        _ => Begin::Yes,
    };
    Step::Next(State::Run { begin, length: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offset of the anchor that the automaton finds in a text.
    fn find(anchors: &Anchors, text: &str) -> Option<usize> {
        let requirement = Requirement::new(anchors);
        let mut state = requirement.start();
        for (offset, byte) in text.bytes().enumerate() {
            match requirement.step(&state, byte) {
                Step::Next(next) => state = next,
                Step::Held(back) => return Some(offset - back),
            }
        }
        None
    }

    #[test]
    fn keywords_are_found_in_any_case_and_after_false_starts() {
        let anchors = Anchors::Keywords(vec!["AKIA".into(), "akb".into()]);
        assert_eq!(find(&anchors, "xxakakia"), Some(4));
        assert_eq!(find(&anchors, "AkIA"), Some(0));
        assert_eq!(find(&anchors, "aakkb"), None);
    }

    #[test]
    fn digits_need_their_window_and_number() {
        let nine = Anchors::Digits { min: 9, max: 9 };
        assert_eq!(find(&nine, "(123-45-6789"), Some(1));
        assert_eq!(find(&nine, "123---456789"), None);
        assert_eq!(find(&nine, "12345678"), None);
        assert_eq!(find(&nine, "1x23456789"), None);
        let four = Anchors::Digits { min: 4, max: 4 };
        assert_eq!(find(&four, "1234"), None);
        assert_eq!(find(&four, "12-34 "), Some(0));
    }

    #[test]
    fn shapes_are_found_at_their_first_byte() {
        let shape = Anchors::Shape;
        assert_eq!(find(&shape(Shape::At), "a@@b"), Some(2));
        assert_eq!(find(&shape(Shape::At), "a@."), None);
        assert_eq!(find(&shape(Shape::LettersDigits), "xDE89 DE89"), Some(6));
        assert_eq!(find(&shape(Shape::LettersDigits), "D1E89"), None);
        assert_eq!(find(&shape(Shape::Token), "1ab-defghijk"), Some(0));
        assert_eq!(find(&shape(Shape::Token), "abc-defghi1-"), Some(0));
        assert_eq!(find(&shape(Shape::Token), "abcdefghijk1"), None);
        assert_eq!(find(&shape(Shape::Token), "abc-defghijklm1"), Some(4));
        let colon = |text| find(&shape(Shape::HexColon), text);
        assert_eq!(colon("20fe:1::"), Some(4));
        assert_eq!(colon("x:1 ::1"), Some(4));
        assert_eq!(colon("1 2:3456:789a:"), Some(3));
        assert_eq!(colon("1:2 34::"), Some(1), "two are near, whatever stands between");
        assert_eq!(colon("1:2 345:678 9::"), Some(13));
        assert_eq!(colon("12:34:56"), None);
        assert_eq!(colon("1:23456::"), None);
        assert_eq!(colon("1:2345:67890:"), None);
        assert_eq!(colon("1:x:1::"), None);
        assert_eq!(colon("20fe1::"), None);
        let letters = "Ab".repeat(24);
        assert_eq!(find(&shape(Shape::Letters), &letters), Some(0));
        assert_eq!(find(&shape(Shape::Letters), &format!("1{letters}")), Some(1));
        assert_eq!(find(&shape(Shape::Letters), &letters[1..]), None);
        let words = "abc ".repeat(12);
        for before in ["", ": ", "\n", "x\"", ": ("] {
            let at = Some(before.len()).filter(|_| before != ": (");
            assert_eq!(find(&shape(Shape::Words), &format!("{before}{words}")), at, "{before}");
        }
        assert_eq!(find(&shape(Shape::Words), &words[..46]), None);
        assert_eq!(find(&shape(Shape::Words), &format!("1 {words}")), None);
        assert_eq!(find(&shape(Shape::Words), &words.replacen("abc", "aBc", 1)), None);
    }

    #[test]
    fn distances_are_those_of_overlapping_anchors() {
        let keywords = |words: &[&str]| {
            Anchors::Keywords(words.iter().map(|word| (*word).to_owned()).collect())
        };
        assert_eq!(shortest_distance(&keywords(&["aaa"])), 1);
        assert_eq!(shortest_distance(&keywords(&["akia"])), 3);
        assert_eq!(shortest_distance(&keywords(&["abcd", "cdx"])), 2);
        assert_eq!(shortest_distance(&keywords(&["secret"])), 6);
    }
}
