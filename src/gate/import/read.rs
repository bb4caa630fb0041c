//! A configuration as it stands in its file: the shape is checked here, the meaning elsewhere.
//!
//! Names of keys are read in any case, as gitleaks reads them. A key that gitleaks 8 does not have is
//! noted: it ignores such keys in silence.

use std::collections::HashSet;

use toml::de::{DeTable, DeValue};

use super::{ImportError, Note, Turn};

/// The largest file: 1 MiB.
pub const MAX_FILE: usize = 1 << 20;

/// The most rules of all files together.
pub const MAX_RULES: usize = 1_000;

/// The most entries of one list.
const MAX_LIST: usize = 5_000;

/// The longest text in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// One file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub title: Option<String>,
    pub extend: Extend,
    pub allowlists: Vec<Allowlist>,
    pub rules: Vec<RawRule>,
}

/// What a configuration builds on.
#[derive(Clone, Debug, Default)]
pub struct Extend {
    pub line: usize,
    pub path: Option<String>,
    pub url: bool,
    pub use_default: bool,
    pub disabled: Vec<String>,
}

/// A rule; what is absent may come from a rule of the same id that it builds on.
#[derive(Clone, Debug, Default)]
pub struct RawRule {
    pub file: String,
    pub line: usize,
    pub id: String,
    pub description: String,
    pub regex: Option<String>,
    pub path: Option<String>,
    pub secret_group: u32,
    /// Thousandths of a bit; 0 for none.
    pub entropy: usize,
    /// Whether the threshold has more than three decimals.
    pub is_rounded: bool,
    pub keywords: Vec<String>,
    pub tags: Vec<String>,
    pub skip_report: bool,
    pub requires: Vec<String>,
    pub allowlists: Vec<Allowlist>,
}

/// What an allowlist looks at with its regexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    #[default]
    Secret,
    Match,
    Line,
}

/// What is not reported.
#[derive(Clone, Debug, Default)]
pub struct Allowlist {
    pub file: String,
    pub line: usize,
    pub description: String,
    /// All that it states has to hold, and not only one of it.
    pub all: bool,
    pub commits: Vec<String>,
    pub paths: Vec<String>,
    pub target: Target,
    pub regexes: Vec<String>,
    pub stopwords: Vec<String>,
    /// Rules that it is for; empty for all. Of a global allowlist alone.
    pub rules: Vec<String>,
}

/// Reads a file. `file` names it in messages.
///
/// # Errors
///
/// What is wrong with it, and on which line.
pub fn read(text: &str, file: &str, notes: &mut Vec<Note>) -> Result<Config, ImportError> {
    if text.len() > MAX_FILE {
        return Err(ImportError::TooLarge { file: file.to_owned(), bytes: text.len() });
    }
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        // The message alone: the rest quotes the file.
        let what = error.message().lines().next().unwrap_or_default().to_owned();
        ImportError::wrong(file, line_of(text, at), &format!("no TOML: {what}"))
    })?;
    let mut reader = Reader { text, file, notes };
    let top = reader.table(document.get_ref(), 1, "the file")?;
    reader.config(top)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

struct Reader<'t, 'n> {
    text: &'t str,
    file: &'t str,
    notes: &'n mut Vec<Note>,
}

/// A table that is being read.
struct Table<'t> {
    table: &'t DeTable<'t>,
    line: usize,
    what: String,
    asked: Vec<&'static str>,
}

type Found<'t> = Option<(&'t DeValue<'t>, usize)>;

impl<'t> Reader<'t, '_> {
    fn table(
        &self,
        table: &'t DeTable<'t>,
        line: usize,
        what: &str,
    ) -> Result<Table<'t>, ImportError> {
        let mut names = HashSet::new();
        for (key, _) in table.iter() {
            if !names.insert(key.get_ref().to_ascii_lowercase()) {
                let line = line_of(self.text, key.span().start);
                let what = format!("{what}: a key stands twice, in upper and lower case");
                return Err(ImportError::wrong(self.file, line, &what));
            }
        }
        Ok(Table { table, line, what: what.to_owned(), asked: Vec::new() })
    }

    fn config(&mut self, mut top: Table<'t>) -> Result<Config, ImportError> {
        let title = self.string(&mut top, "title")?.map(|(title, _)| title);
        self.string(&mut top, "description")?;
        self.string(&mut top, "minVersion")?;
        let extend = match self.only_table(&mut top, "extend")? {
            Some(table) => self.extend(table)?,
            None => Extend::default(),
        };
        let allowlists = self.allowlists(&mut top, true)?;
        let tables = self.tables(&mut top, "rules")?;
        if tables.len() > MAX_RULES {
            return Err(ImportError::wrong(self.file, 1, &format!("more than {MAX_RULES} rules")));
        }
        let builds_on = extend.use_default || extend.path.is_some() || extend.url;
        if tables.is_empty() && allowlists.is_empty() && !builds_on {
            let what = "neither rules nor allowlists nor anything to build on: no configuration of \
                        gitleaks 8";
            return Err(ImportError::wrong(self.file, 1, what));
        }
        let rules = tables.into_iter().map(|table| self.rule(table)).collect::<Result<_, _>>()?;
        self.finish(&top);
        Ok(Config { title, extend, allowlists, rules })
    }

    fn extend(&mut self, mut table: Table<'t>) -> Result<Extend, ImportError> {
        let path = self.string(&mut table, "path")?.map(|(path, _)| path);
        let url = self.string(&mut table, "url")?.is_some_and(|(url, _)| !url.is_empty());
        let use_default = self.flag(&mut table, "useDefault")?;
        let disabled = self.strings(&mut table, "disabledRules")?;
        self.finish(&table);
        let path = path.filter(|path| !path.is_empty());
        Ok(Extend { line: table.line, path, url, use_default, disabled })
    }

    fn rule(&mut self, mut table: Table<'t>) -> Result<RawRule, ImportError> {
        let id = self.string(&mut table, "id")?.map(|(id, _)| id).unwrap_or_default();
        if !id.is_empty() {
            table.what = format!("rule `{}`", super::shown(&id));
        }
        let text =
            |it: Option<(String, usize)>| it.map(|(text, _)| text).filter(|text| !text.is_empty());
        let description = text(self.string(&mut table, "description")?).unwrap_or_default();
        let regex = text(self.string(&mut table, "regex")?);
        let path = text(self.string(&mut table, "path")?);
        let secret_group = self.whole(&mut table, "secretGroup")?;
        let (entropy, is_rounded) = self.decimal(&mut table, "entropy")?;
        let keywords = self.strings(&mut table, "keywords")?;
        let tags = self.strings(&mut table, "tags")?;
        let skip_report = self.flag(&mut table, "skipReport")?;
        let mut requires = Vec::new();
        for mut required in self.tables(&mut table, "required")? {
            let id = self.string(&mut required, "id")?.map(|(id, _)| id).unwrap_or_default();
            self.whole(&mut required, "withinLines")?;
            self.whole(&mut required, "withinColumns")?;
            self.finish(&required);
            requires.push(id);
        }
        let allowlists = self.allowlists(&mut table, false)?;
        self.finish(&table);
        Ok(RawRule {
            file: self.file.to_owned(),
            line: table.line,
            id,
            description,
            regex,
            path,
            secret_group,
            entropy,
            is_rounded,
            keywords,
            tags,
            skip_report,
            requires,
            allowlists,
        })
    }

    /// `[allowlist]` or `[[allowlists]]`; gitleaks takes one of them.
    fn allowlists(
        &mut self,
        table: &mut Table<'t>,
        global: bool,
    ) -> Result<Vec<Allowlist>, ImportError> {
        let old = self.only_table(table, "allowlist")?;
        let new = self.tables(table, "allowlists")?;
        if let Some(old) = old.as_ref().filter(|_| !new.is_empty()) {
            let what = "`allowlist` beside `allowlists`, which gitleaks refuses";
            return Err(ImportError::wrong(self.file, old.line, what));
        }
        old.into_iter().chain(new).map(|list| self.allowlist(list, global)).collect()
    }

    fn allowlist(&mut self, mut table: Table<'t>, global: bool) -> Result<Allowlist, ImportError> {
        let file = self.file;
        let description = self.string(&mut table, "description")?.map(|(text, _)| text);
        let condition = self.string(&mut table, "condition")?;
        let all = match condition.as_ref().map(|(word, line)| (word.to_ascii_uppercase(), *line)) {
            None => false,
            Some((word, _)) if ["AND", "&&"].contains(&&*word) => true,
            Some((word, _)) if ["OR", "||", ""].contains(&&*word) => false,
            Some((_, line)) => {
                return Err(ImportError::wrong(file, line, "`condition` is neither AND nor OR"));
            }
        };
        let target = self.string(&mut table, "regexTarget")?;
        let target = match target.as_ref().map(|(word, line)| (word.as_str(), *line)) {
            None | Some(("" | "secret", _)) => Target::Secret,
            Some(("match", _)) => Target::Match,
            Some(("line", _)) => Target::Line,
            Some((_, line)) => {
                let what = "`regexTarget` is neither `secret`, `match` nor `line`";
                return Err(ImportError::wrong(file, line, what));
            }
        };
        let list = Allowlist {
            file: file.to_owned(),
            line: table.line,
            description: description.unwrap_or_default(),
            all,
            commits: self.strings(&mut table, "commits")?,
            paths: self.strings(&mut table, "paths")?,
            target,
            regexes: self.strings(&mut table, "regexes")?,
            stopwords: self.strings(&mut table, "stopwords")?,
            rules: if global { self.strings(&mut table, "targetRules")? } else { Vec::new() },
        };
        self.finish(&table);
        Ok(list)
    }

    /// Notes keys that nobody asked for.
    fn finish(&mut self, table: &Table<'t>) {
        for (key, _) in table.table.iter() {
            let name = key.get_ref().as_ref();
            if !table.asked.iter().any(|asked| asked.eq_ignore_ascii_case(name)) {
                let line = line_of(self.text, key.span().start);
                // The key itself is not shown: anything may stand there.
                let what =
                    format!("{}: gitleaks 8 does not know this key and ignores it", table.what);
                self.notes.push(Note::new(self.file, line, None, Turn::Ignored, what));
            }
        }
    }

    fn value(&self, table: &mut Table<'t>, key: &'static str) -> Found<'t> {
        table.asked.push(key);
        let entry =
            table.table.iter().find(|(name, _)| name.get_ref().eq_ignore_ascii_case(key))?;
        Some((entry.1.get_ref(), line_of(self.text, entry.1.span().start)))
    }

    fn wrong<T>(
        &self,
        table: &Table<'t>,
        key: &str,
        line: usize,
        wanted: &str,
    ) -> Result<T, ImportError> {
        let what = format!("{}: `{key}` is not {wanted}", table.what);
        Err(ImportError::wrong(self.file, line, &what))
    }

    fn string(
        &self,
        table: &mut Table<'t>,
        key: &'static str,
    ) -> Result<Option<(String, usize)>, ImportError> {
        match self.value(table, key) {
            None => Ok(None),
            Some((DeValue::String(text), line)) if text.len() <= MAX_TEXT => {
                Ok(Some((text.as_ref().to_owned(), line)))
            }
            Some((_, line)) => self.wrong(table, key, line, "a string of at most 64 KiB"),
        }
    }

    fn strings(
        &self,
        table: &mut Table<'t>,
        key: &'static str,
    ) -> Result<Vec<String>, ImportError> {
        let Some((value, line)) = self.value(table, key) else { return Ok(Vec::new()) };
        let wanted = "a list of at most 5,000 strings";
        let entries: Vec<&DeValue<'_>> = match value {
            DeValue::Array(array) if array.len() <= MAX_LIST => {
                array.iter().map(|entry| entry.get_ref()).collect()
            }
            // gitleaks takes one string for a list of one.
            DeValue::String(_) => vec![value],
            _ => return self.wrong(table, key, line, wanted),
        };
        let mut texts = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry {
                DeValue::String(text) if text.len() <= MAX_TEXT => {
                    texts.push(text.as_ref().to_owned())
                }
                _ => return self.wrong(table, key, line, wanted),
            }
        }
        Ok(texts)
    }

    fn flag(&self, table: &mut Table<'t>, key: &'static str) -> Result<bool, ImportError> {
        match self.value(table, key) {
            None => Ok(false),
            Some((DeValue::Boolean(flag), _)) => Ok(*flag),
            Some((_, line)) => self.wrong(table, key, line, "`true` or `false`"),
        }
    }

    fn whole(&self, table: &mut Table<'t>, key: &'static str) -> Result<u32, ImportError> {
        let Some((value, line)) = self.value(table, key) else { return Ok(0) };
        let number = match value {
            DeValue::Integer(digits) => u32::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        number.map_or_else(|| self.wrong(table, key, line, "a whole number"), Ok)
    }

    /// A number in thousandths, rounded down, and whether it was rounded.
    fn decimal(
        &self,
        table: &mut Table<'t>,
        key: &'static str,
    ) -> Result<(usize, bool), ImportError> {
        let Some((value, line)) = self.value(table, key) else { return Ok((0, false)) };
        let text = match value {
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
            DeValue::Float(digits) => digits.as_str(),
            _ => "",
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = [whole, part].iter().all(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        if whole.is_empty() || whole.len() > 6 || !is_plain {
            return self.wrong(table, key, line, "a number");
        }
        let kept: String = part.chars().take(3).collect();
        let is_rounded = part.bytes().skip(3).any(|byte| byte != b'0');
        Ok((format!("{whole}{kept:0<3}").parse().unwrap_or(usize::MAX), is_rounded))
    }

    fn only_table(
        &self,
        table: &mut Table<'t>,
        key: &'static str,
    ) -> Result<Option<Table<'t>>, ImportError> {
        match self.value(table, key) {
            None => Ok(None),
            Some((DeValue::Table(inner), line)) => {
                self.table(inner, line, &within(&table.what, key)).map(Some)
            }
            Some((_, line)) => self.wrong(table, key, line, "a table"),
        }
    }

    fn tables(
        &self,
        table: &mut Table<'t>,
        key: &'static str,
    ) -> Result<Vec<Table<'t>>, ImportError> {
        let Some((value, line)) = self.value(table, key) else { return Ok(Vec::new()) };
        let DeValue::Array(array) = value else {
            return self.wrong(table, key, line, "a list of tables");
        };
        let mut tables = Vec::new();
        for entry in array.iter() {
            let line = line_of(self.text, entry.span().start);
            match entry.get_ref() {
                DeValue::Table(inner) => {
                    tables.push(self.table(inner, line, &within(&table.what, key))?)
                }
                _ => return self.wrong(table, key, line, "a list of tables"),
            }
        }
        Ok(tables)
    }
}

fn within(what: &str, key: &str) -> String {
    let key = key.strip_suffix('s').unwrap_or(key);
    if what == "the file" { format!("`{key}`") } else { format!("{what}, `{key}`") }
}
