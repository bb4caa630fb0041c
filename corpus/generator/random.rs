//! Numbers that are the same in every run: xorshift (Marsaglia 2003) behind a mixed seed.

/// A source of choices.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Random((mixed ^ (mixed >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True in so many of a hundred draws.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let at = self.below(choices.len());
        choices.get(at).expect("a choice below their number")
    }

    /// One of these texts.
    pub fn text<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.pick::<&'a str>(choices)
    }

    /// One of these words.
    pub fn word(&mut self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        (*self.pick(&words)).to_owned()
    }

    /// So many characters of this alphabet.
    pub fn of(&mut self, alphabet: &str, count: usize) -> String {
        let characters: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| *self.pick(&characters)).collect()
    }

    /// So many decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        self.of("0123456789", count)
    }

    /// So many decimal digits, the first not zero.
    pub fn number(&mut self, count: usize) -> String {
        self.of("123456789", 1) + &self.digits(count - 1)
    }

    pub fn upper(&mut self, count: usize) -> String {
        self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ", count)
    }

    pub fn hex(&mut self, count: usize) -> String {
        self.of("0123456789abcdef", count)
    }

    pub fn base64(&mut self, count: usize) -> String {
        self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", count)
    }

    pub fn alphanumeric(&mut self, count: usize) -> String {
        self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", count)
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }

    /// Year, month and day of somebody who lives.
    pub fn birth(&mut self) -> Date {
        self.date(1935, 2006)
    }

    pub fn date(&mut self, first: usize, last: usize) -> Date {
        Date {
            year: self.between(first, last),
            month: self.between(1, 12),
            day: self.between(1, 28),
        }
    }
}

/// A calendar date.
#[derive(Clone, Copy)]
pub struct Date {
    pub year: usize,
    pub month: usize,
    pub day: usize,
}

impl Date {
    /// YYMMDD
    pub fn ymd(self) -> String {
        format!("{:02}{:02}{:02}", self.year % 100, self.month, self.day)
    }

    /// DDMMYY
    pub fn dmy(self) -> String {
        format!("{:02}{:02}{:02}", self.day, self.month, self.year % 100)
    }

    /// YYYYMMDD
    pub fn full(self) -> String {
        format!("{}{:02}{:02}", self.year, self.month, self.day)
    }
}
