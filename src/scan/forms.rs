//! The forms in which a term may stand in a text.

/// The term in Latin-1, where all of it is.
fn latin1(term: &str) -> Option<Vec<u8>> {
    term.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// How a term may stand in a text, ASCII letters in lower case.
pub fn forms(term: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for term in joined(term) {
        if !term.is_ascii() {
            let upper = term.to_uppercase();
            let mut characters = term.chars();
            let first = characters.next().into_iter().flat_map(char::to_uppercase);
            let title: String = first.chain(characters).collect();
            forms.extend([&term, &upper, &title].into_iter().filter_map(|form| latin1(form)));
            forms.extend([upper, title].map(String::into_bytes));
        }
        forms.push(term.into_bytes());
    }
    forms.sort();
    forms.dedup();
    forms
}

/// A term with what may stand between its words.
fn joined(term: &str) -> Vec<String> {
    let mut forms = vec![term.to_owned()];
    if term.contains(' ') {
        forms.extend(["_", "-", ""].map(|between| term.replace(' ', between)));
    }
    forms
}
