//! What the column name or the JSON keys of a place say of the value there.
//!
//! A place comes in; its words and the forms that rules compare with their `columns` come out. A
//! name is specific (`order_id`, `phone`) and then says what the value is, it only says that there
//! is one (`value`, `number`, `id`), or it says that text is there (`notes`, `message`).

use super::context::{Nearest, Terms};
use crate::model::{Place, TermIndex};
use crate::rules::{Context, Rule, normalise_name};

/// Words that say only that there is a value: those around it, or the keys above, say which.
const PLACEHOLDERS: &[&str] = &[
    "value",
    "values",
    "val",
    "id",
    "ids",
    "identifier",
    "number",
    "numbers",
    "num",
    "no",
    "nr",
    "code",
    "field",
    "item",
    "entry",
    "element",
    "key",
    "name",
    "label",
    "type",
    "kind",
    "data",
    "result",
    "output",
    "input",
    "attribute",
    "property",
    "string",
    "raw",
    "system",
    "use",
    "wert",
    "nummer",
    "kennung",
    "feld",
    "valeur",
    "numero",
    "champ",
    "valor",
    "campo",
    "dato",
    "valore",
    "waarde",
    "veld",
    "wartosc",
    "numer",
    "pole",
    "número",
    "numéro",
    "wartość",
];

/// Words that say that text is there, whatever else the name says.
const TEXTS: &[&str] = &[
    "text",
    "texts",
    "content",
    "contents",
    "body",
    "message",
    "messages",
    "msg",
    "note",
    "notes",
    "comment",
    "comments",
    "description",
    "desc",
    "details",
    "detail",
    "info",
    "information",
    "prompt",
    "completion",
    "response",
    "reply",
    "answer",
    "question",
    "query",
    "subject",
    "summary",
    "log",
    "line",
    "payload",
    "html",
    "remark",
    "remarks",
    "memo",
    "reason",
    "history",
    "narrative",
    "transcript",
    "chat",
    "utterance",
    "document",
    "doc",
    "page",
    "paragraph",
    "snippet",
    "instructions",
    "feedback",
    "statement",
    "conversation",
    "story",
    "letter",
    "bemerkung",
    "bemerkungen",
    "notiz",
    "notizen",
    "beschreibung",
    "nachricht",
    "kommentar",
    "inhalt",
    "betreff",
    "texte",
    "commentaire",
    "remarque",
    "remarques",
    "contenu",
    "objet",
    "texto",
    "comentario",
    "comentarios",
    "comentários",
    "observaciones",
    "observações",
    "descripción",
    "descripcion",
    "descrição",
    "mensaje",
    "mensagem",
    "nota",
    "notas",
    "asunto",
    "testo",
    "commento",
    "descrizione",
    "messaggio",
    "osservazioni",
    "oggetto",
    "tekst",
    "opmerking",
    "opmerkingen",
    "omschrijving",
    "bericht",
    "toelichting",
    "treść",
    "opis",
    "uwagi",
    "komentarz",
    "wiadomość",
    "notatka",
    "notatki",
];

/// What a name says of the value under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// What it is.
    What,
    /// Only that there is one.
    Something,
    /// That it is text.
    Text,
}

/// The name of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it says.
    pub says: Says,
    /// The words of the column or innermost key.
    pub own: String,
    /// The words of all keys, the outermost first, with `own` at their end.
    pub all: String,
    forms: Vec<String>,
}

impl Name {
    /// The name of a place; none for columns without one and values outside of any object.
    pub fn of(place: &Place) -> Option<Name> {
        Name::of_names(&place.names())
    }

    /// The name of a place with these [`Place::names`].
    pub fn of_names(names: &[String]) -> Option<Name> {
        let leaf = names.first().filter(|name| !name.starts_with('#') && !name.is_empty())?;
        let own = split_words(leaf);
        let words = || own.split(' ');
        let is_in = |list: &[&str], word: &str| list.contains(&word.to_lowercase().as_str());
        let says = if words().any(|word| is_in(TEXTS, word)) {
            Says::Text
        } else if words().all(|word| is_in(PLACEHOLDERS, word)) {
            Says::Something
        } else {
            Says::What
        };
        let mut all = String::new();
        for outer in names.iter().skip(1).rev() {
            all.push_str(&split_words(outer));
            all.push(' ');
        }
        all.push_str(&own);
        let mut forms = Vec::new();
        add_forms(leaf, &mut forms);
        if says == Says::Something
            && let Some(outer) = names.get(1)
        {
            add_forms(outer, &mut forms);
            add_forms(&format!("{outer} {leaf}"), &mut forms);
        }
        Some(Name { says, own, all, forms })
    }

    /// Room for words and forms, in bytes.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        let forms = self.forms.iter().map(|form| form.capacity() + size_of::<String>());
        self.own.capacity() + self.all.capacity() + forms.sum::<usize>()
    }

    /// The words in which a term speaks for the value under it.
    pub fn for_it(&self) -> &str {
        if self.says == Says::Text { &self.own } else { &self.all }
    }

    /// The words in which a term speaks against it: what an outer key says is not so sure.
    pub fn against_it(&self) -> &str {
        if self.says == Says::Something { &self.all } else { &self.own }
    }

    /// Whether one of these normalised names, which are sorted, is this one.
    pub fn is_one_of(&self, columns: &[String]) -> bool {
        self.forms.iter().any(|form| columns.binary_search(form).is_ok())
    }
}

/// A name with the terms in it.
#[derive(Clone)]
pub struct Named {
    /// The name.
    pub name: Name,
    for_it: Vec<Nearest>,
    against_it: Vec<Nearest>,
}

impl Named {
    /// The name with its terms.
    pub fn new(name: Name, terms: &Terms) -> Named {
        let for_it = terms.in_words(name.for_it());
        let against_it = terms.in_words(name.against_it());
        Named { name, for_it, against_it }
    }

    /// Room for the name and its terms, in bytes.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        let terms = self.for_it.capacity() + self.against_it.capacity();
        self.name.room() + terms * size_of::<Nearest>()
    }

    /// Whether it is one that a rule lists, or holds a term of the rule's context.
    pub fn opens(&self, rule: &Rule) -> bool {
        let is_wanted = |context: &Context| {
            self.for_it.iter().any(|near| context.terms.binary_search(&near.term).is_ok())
        };
        self.name.is_one_of(&rule.columns) || rule.context.as_ref().is_some_and(is_wanted)
    }

    /// What it says of the values of a rule.
    pub fn label(&self, rule: &Rule) -> Label {
        let for_it = |wanted: &[TermIndex]| Nearest::last(&self.for_it, wanted);
        let against_it = |wanted: &[TermIndex]| Nearest::last(&self.against_it, wanted);
        Label {
            says: self.name.says,
            is_listed: self.name.is_one_of(&rule.columns),
            for_it: rule.context.as_ref().and_then(|context| for_it(&context.terms)),
            against_it: rule.negative.as_ref().and_then(|context| against_it(&context.terms)),
            country: for_it(&rule.country_terms),
        }
    }
}

/// What a name says of the values of one rule.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// What it says of any value.
    pub says: Says,
    /// Whether it is one that the rule lists.
    pub is_listed: bool,
    /// The last term of the rule's context that speaks for the value under the name.
    pub for_it: Option<Nearest>,
    /// The last one that speaks against it.
    pub against_it: Option<Nearest>,
    /// The last one that names the rule's country.
    pub country: Option<Nearest>,
}

impl Label {
    /// Whether the name is one that the rule lists, or holds a term of its context.
    pub fn opens(&self) -> bool {
        self.is_listed || self.for_it.is_some()
    }
}

/// The normalised name, and the same without digits or a plural `s` at its end.
fn add_forms(name: &str, forms: &mut Vec<String>) {
    let whole = normalise_name(name);
    let without_digits = whole.trim_end_matches(|c: char| c.is_ascii_digit());
    let singular = without_digits.strip_suffix('s').unwrap_or(without_digits);
    for form in [without_digits, singular] {
        if form.len() > 1 && form != whole {
            forms.push(form.to_owned());
        }
    }
    forms.push(whole);
}

/// `patientSSN_no2` as `patient SSN no2 no`: what a digit or a plural `s` ends stands there without
/// it, too.
fn split_words(name: &str) -> String {
    let mut spaced = String::with_capacity(name.len() + 8);
    let mut previous = ' ';
    for c in name.chars() {
        if previous.is_lowercase() && c.is_uppercase() || !c.is_alphanumeric() {
            spaced.push(' ');
        }
        spaced.extend(c.is_alphanumeric().then_some(c));
        previous = c;
    }
    let mut words: Vec<&str> = spaced.split_whitespace().collect();
    if let Some((last, head)) = words.clone().split_last() {
        let bare = last.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_plural = bare.len() > 3 && bare.ends_with('s') && !bare.ends_with("ss");
        let bare = bare.strip_suffix('s').filter(|_| is_plural).unwrap_or(bare);
        if bare.len() > 1 && bare.len() < last.len() {
            words.extend(head);
            words.push(bare);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Option<Name> {
        Name::of(&Place::Cell { row: 1, column: name.into() })
    }

    fn path(path: &str) -> Option<Name> {
        Name::of(&Place::Json { json_path: path.into(), key: "".into() })
    }

    #[test]
    fn names_say_what_or_only_that_something_is_there() {
        let says = |name| column(name).map(|name| name.says);
        assert_eq!(says("order_id"), Some(Says::What));
        assert_eq!(says("Phone"), Some(Says::What));
        assert_eq!(says("ID Number"), Some(Says::Something));
        assert_eq!(says("Wert"), Some(Says::Something));
        assert_eq!(says("visitNotes"), Some(Says::Text));
        assert_eq!(says("Uwagi"), Some(Says::Text));
        assert_eq!(says("#3"), None);
        assert_eq!(says(""), None);
    }

    #[test]
    fn columns_are_compared_without_digits_and_plural() {
        let is = |name: &str, listed: &str| {
            column(name).is_some_and(|name| name.is_one_of(&[normalise_name(listed)]))
        };
        assert!(is("Phone 2", "phone") && is("phones", "phone") && is("SSN", "ssn"));
        assert!(is("p45", "p45") && !is("phonebook", "phone"));
        let of = |text: &str, listed: &str| {
            path(text).is_some_and(|name| name.is_one_of(&[normalise_name(listed)]))
        };
        assert!(of("$.a.passport.number", "passport_number"));
        assert!(of("$.ssn.value", "ssn"));
        assert!(!of("$.ssn.order", "ssn"));
    }

    #[test]
    fn every_listed_name_is_found_in_its_list() {
        let rules = crate::rules::RuleSet::builtin().unwrap();
        let mut listed = 0;
        for rule in rules.rules.iter() {
            for name in &rule.columns {
                let name = Name::of_names(std::slice::from_ref(name)).unwrap();
                assert!(name.is_one_of(&rule.columns), "{}", rule.id);
                listed += 1;
            }
        }
        assert!(listed > 1000, "{listed}");
    }

    #[test]
    fn words_are_those_of_all_keys() {
        let name = path("$.patients[3].homeAddress.zipCodes").unwrap();
        assert_eq!(name.own, "zip Codes zip Code");
        assert_eq!(name.all, "patients patient home Address zip Codes zip Code");
        assert_eq!(column("patientSSN_no").unwrap().own, "patient SSN no");
        assert_eq!(column("phone1").unwrap().own, "phone1 phone");
    }
}
