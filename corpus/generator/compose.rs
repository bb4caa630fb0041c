//! What goes into a document: its subject, near misses of it, and what stands around.

use super::catalogue::{self, KINDS, Kind, Shape};
use super::languages::{Language, languages};
use super::layouts::{self, Layout, Source, Spec, json};
use super::numbers::{marks, people, world};
use super::others;
use super::random::Random;
use super::{Document, Item, Mark, Set, Writer, unseen};

/// Categories that arise from several things near each other.
const COMBINATIONS: &[&str] = &[
    "phi.person_plus_condition",
    "phi.part2_sud",
    "phi.mental_repro",
    "spc.criminal",
    "fin.tax_form",
    "pii.bulk_table",
];

/// A document without any value: business as usual.
const PLAIN: &str = "";

/// Categories that are one only beside a person: the document holds them, wherever a rule puts them.
const SPECIAL: &[&str] = &["spc.ethnicity", "spc.religion", "spc.sex_life", "spc.political_union"];

/// What people stand in documents with.
const PERSONAL: &[&str] = &[
    "pii.person_labelled",
    "pii.email",
    "pii.phone",
    "pii.dob",
    "pii.address_us",
    "pii.person_labelled",
];

/// So many documents. The same seed gives the same documents, and a smaller number the first of them.
pub fn documents(seed: u64, count: usize, set: Set) -> Vec<Document> {
    let languages = languages(set);
    let known = |kind: &&Kind| {
        kind.shape == Shape::Block || languages.iter().any(|l| l.labels.contains_key(kind.category))
    };
    let subjects: Vec<&str> = KINDS
        .iter()
        .filter(known)
        .map(|kind| kind.category)
        .chain(COMBINATIONS.iter().copied())
        .chain([PLAIN; 10])
        .collect();
    (0..count)
        .map(|at| {
            let subject = subjects[at % subjects.len()];
            // By its subject, so that a new category leaves the documents of the others as they are.
            let place = if subject == PLAIN { at } else { at / subjects.len() };
            let mut random = Random::new(seed ^ hash(&format!("{subject} {place}")));
            let mut document = document(&mut random, languages, subject, set);
            let prefix = if set == Set::Open { "open" } else { "held-out" };
            document.id = format!("{prefix}-{seed}-{at}");
            document
        })
        .collect()
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn document(r: &mut Random, languages: &[Language], subject: &str, set: Set) -> Document {
    let speaking: Vec<&Language> = languages
        .iter()
        .filter(|l| {
            l.labels.contains_key(subject) || condition(l, subject).is_some_and(|c| !c.is_empty())
        })
        .collect();
    let language = if subject == PLAIN {
        r.pick(languages)
    } else if speaking.is_empty() {
        &languages[0]
    } else {
        *r.pick(&speaking)
    };
    let mut w = Writer::default();
    let kind = match catalogue::of(subject) {
        None if subject == PLAIN => plain(&mut w, r, language, set),
        None => combination(&mut w, r, language, subject),
        Some(kind) => match kind.shape {
            Shape::Block => block(&mut w, r, language, kind),
            Shape::Field | Shape::Secret => fields(&mut w, r, language, kind, set),
        },
    };
    let end = w.text.len();
    let health =
        w.spans.iter().any(|s| s.category.starts_with("phi.") || s.category.starts_with("spc."));
    for category in SPECIAL {
        let before = w.spans.len();
        w.spans.retain(|span| span.category != *category);
        if w.spans.len() < before {
            w.spans.push(super::Truth { start: 0, end, category });
        }
    }
    // Words that say of a person: this is a patient.
    let text = w.text.to_lowercase();
    let patient = [
        "patient",
        "pazient",
        "pacient",
        "patiënt",
        "pacjent",
        "utente",
        "assuré",
        "hospital",
        "health",
        "medic",
        "admission",
        "admitted",
        "discharge",
        "deceased",
        "death",
        "aufnahme",
        "entlass",
        "sterbe",
        "décès",
        "ingreso",
        "alta",
        "defunción",
        "ricovero",
        "dimissione",
        "decesso",
        "internamento",
        "óbito",
        "opname",
        "ontslag",
        "overlijden",
        "szpital",
        "wypis",
        "zgon",
        "clinic",
        "kranken",
        "versicher",
        "asthma",
        "diagnos",
        "npi",
        "dea",
    ];
    if patient.iter().any(|word| text.contains(word)) {
        w.allowed.push((0, end, "phi.person_plus_condition"));
    }
    if health || w.near_misses.iter().any(|n| n.kind.contains("phi.") || n.kind.contains("spc.")) {
        for category in
            ["phi.person_plus_condition", "phi.part2_sud", "phi.mental_repro", "spc.criminal"]
        {
            w.allowed.push((0, end, category));
        }
    }
    // A token whose sum fails is no token of its issuer, and may yet be somebody's secret.
    for near in &w.near_misses {
        let is_token = near.kind.starts_with("failing sec.")
            && !["sec.password_assign", "sec.uri_password", "sec.conn_string", "sec.http_auth"]
                .iter()
                .any(|category| near.kind.ends_with(category));
        let insured = ["phi.de_kvnr", "phi.us_mbi", "nat.ca_health_card", "nat.au_medicare"];
        if insured.iter().any(|category| near.kind.ends_with(category)) {
            w.allowed.push((near.start, near.end, "phi.member_id"));
        }
        if ["fin.wif_xprv", "fin.bip39_mnemonic"].iter().any(|c| near.kind.ends_with(c)) {
            w.allowed.push((near.start, near.end, "sec."));
        }
        if is_token {
            w.allowed.push((near.start, near.end, "sec.password_assign"));
            w.allowed.push((near.start, near.end, "sec.generic_entropy"));
        }
    }
    if ["csv", "json", "ndjson", "table", "html", "sql"].contains(&kind) {
        w.allowed.push((0, end, "pii.bulk_table"));
    }
    Document {
        id: String::new(),
        kind,
        language: language.code.clone(),
        text: w.text,
        spans: w.spans,
        near_misses: w.near_misses,
        allowed: w.allowed,
    }
}

fn condition<'a>(l: &'a Language, subject: &str) -> Option<&'a Vec<String>> {
    match subject {
        "phi.person_plus_condition" => Some(&l.condition),
        "phi.part2_sud" => Some(&l.addiction),
        "phi.mental_repro" => Some(&l.sensitive_care),
        "spc.criminal" => Some(&l.conviction),
        _ => None,
    }
}

/// A label of this category, and the same or another as the name of a column.
fn spec(r: &mut Random, l: &Language, kind: &'static Kind, source: Source) -> Option<Spec> {
    let label = r.pick(l.labels.get(kind.category)?).clone();
    let key = match l.columns.get(kind.category) {
        Some(columns) if r.chance(50) => r.pick(columns).clone(),
        _ => label.clone(),
    };
    Some(Spec { label, key, source })
}

fn other(r: &mut Random, l: &Language) -> Spec {
    let kind = *r.pick(others::KINDS);
    let label = l.others.get(kind).map_or_else(|| kind.to_owned(), |labels| r.pick(labels).clone());
    Spec { key: label.clone(), label, source: Source::Other(kind) }
}

fn fields(
    w: &mut Writer,
    r: &mut Random,
    l: &Language,
    kind: &'static Kind,
    set: Set,
) -> &'static str {
    if kind.alone && kind.shape == Shape::Field && r.chance(15) {
        return alone(w, r, l, kind);
    }
    if kind.category == "pii.address_us" && r.chance(25) {
        return letterhead(w, r, l, kind);
    }
    let secret = kind.shape == Shape::Secret;
    let mut specs = Vec::new();
    specs.extend(spec(r, l, kind, Source::True(kind)));
    // These are what they are beside a card number.
    if matches!(kind.category, "pci.expiry" | "pci.cvv") && r.chance(70) {
        let card = catalogue::of("pci.pan").expect("cards are made");
        specs.extend(spec(r, l, card, Source::True(card)));
    }
    if kind.wrong(r, l).is_some() && r.chance(70) {
        specs.extend(spec(r, l, kind, Source::Wrong(kind)));
    }
    for _ in 0..r.between(1, 3) {
        specs.push(other(r, l));
    }
    if kind.shape == Shape::Field && r.chance(12) {
        specs.extend(spec(r, l, kind, Source::Blank(kind)));
    }
    if !secret {
        for _ in 0..r.below(3) {
            let category = if r.chance(60) { *r.pick(PERSONAL) } else { r.pick(KINDS).category };
            let Some(more) = catalogue::of(category) else { continue };
            let special = SPECIAL.contains(&category);
            if more.shape == Shape::Field && category != kind.category && !special {
                specs.extend(spec(r, l, more, Source::True(more)));
            }
        }
    }
    // Special categories are of somebody.
    if SPECIAL.contains(&kind.category) {
        for category in ["pii.person_labelled", *r.pick(&["pii.email", "pii.phone", "pii.dob"])] {
            let more = catalogue::of(category).expect("people are made");
            specs.extend(spec(r, l, more, Source::True(more)));
        }
    }
    // The subject was put in first and stays where two have one name.
    once(&mut specs);
    let beside = usize::from(specs.len() > 1 && kind.category.starts_with("pci."));
    shuffle(r, &mut specs[beside * 2..]);
    write(w, r, l, &specs, set, secret)
}

/// Orders, parts, times and nothing else.
fn plain(w: &mut Writer, r: &mut Random, l: &Language, set: Set) -> &'static str {
    let mut specs: Vec<Spec> = (0..r.between(3, 6)).map(|_| other(r, l)).collect();
    once(&mut specs);
    let secret = r.chance(20);
    write(w, r, l, &specs, set, secret)
}

/// A name stands once in a table or a record.
fn once(specs: &mut Vec<Spec>) {
    let mut seen = Vec::new();
    specs.retain(|spec| {
        let name = layouts::words(&spec.key).concat();
        let label = layouts::words(&spec.label).concat();
        let new = !seen.contains(&name) && !seen.contains(&label);
        seen.push(name);
        seen.push(label);
        new
    });
}

fn write(
    w: &mut Writer,
    r: &mut Random,
    l: &Language,
    specs: &[Spec],
    set: Set,
    secret: bool,
) -> &'static str {
    let layouts: &[(&'static str, Layout)] = match (set, secret) {
        (Set::Open, false) => layouts::FIELDS,
        (Set::Open, true) => layouts::SECRETS,
        (Set::HeldOut, false) => unseen::FIELDS,
        (Set::HeldOut, true) => unseen::SECRETS,
    };
    let (name, layout) = *r.pick(layouts);
    layout(w, r, l, specs);
    name
}

fn shuffle<T>(r: &mut Random, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, r.below(at + 1));
    }
}

/// An address of two lines at the head of a letter.
fn letterhead(w: &mut Writer, r: &mut Random, l: &Language, kind: &'static Kind) -> &'static str {
    w.item(&Item { text: l.person(r), mark: Mark::May("pii.") });
    w.put("\n");
    let text = kind.value(r, l);
    let (street, city) = text.rsplit_once(", ").unwrap_or((&text, ""));
    let (street, town) = street.rsplit_once(", ").unwrap_or((street, ""));
    let text = format!("{street}\n{town}, {city}");
    w.item(&Item { text, mark: Mark::True(kind.category) });
    let greeting = r.pick(&l.greetings).clone();
    w.put(&format!("\n\n{greeting}\n\n"));
    layouts::paragraph(w, r, l);
    layouts::paragraph(w, r, l);
    "letter"
}

/// A value that needs no label, in running text.
fn alone(w: &mut Writer, r: &mut Random, l: &Language, kind: &'static Kind) -> &'static str {
    layouts::filler(w, r, l);
    let template = r.pick(&l.bare).clone();
    let item = Item { text: kind.value(r, l), mark: Mark::True(kind.category) };
    w.template(&template, "", &item);
    w.put(" ");
    layouts::filler(w, r, l);
    w.put("\n");
    "note"
}

fn block(w: &mut Writer, r: &mut Random, l: &Language, kind: &'static Kind) -> &'static str {
    let wrong = if r.chance(40) { kind.wrong(r, l) } else { None };
    let mark = match wrong {
        Some(_) => Mark::Near(format!("failing {}", kind.category)),
        None => Mark::True(kind.category),
    };
    let item = Item { text: wrong.unwrap_or_else(|| kind.value(r, l)), mark };
    let is_mark = kind.category.starts_with("cls.");
    match r.below(if is_mark { 4 } else { 3 }) {
        0 => {
            w.item(&item);
            w.put("\n\n");
            layouts::paragraph(w, r, l);
            layouts::paragraph(w, r, l);
            "page"
        }
        1 if item.text.contains('\n') && !item.text.starts_with('{') && r.chance(40) => {
            w.put("{\"name\": \"attachment\", \"content\": \"");
            w.escaped(&item, json);
            w.put("\"}\n");
            "json"
        }
        1 => {
            layouts::paragraph(w, r, l);
            w.put("\n");
            w.item(&item);
            w.put("\n");
            "page"
        }
        2 => {
            w.put("Subject: review\n\n");
            layouts::paragraph(w, r, l);
            w.put("\n");
            w.item(&item);
            w.put("\n\n");
            layouts::paragraph(w, r, l);
            "email"
        }
        _ => {
            w.item(&item);
            w.put("\n\n");
            layouts::paragraph(w, r, l);
            layouts::paragraph(w, r, l);
            w.put("\n");
            w.item(&item);
            w.put("\n");
            "page"
        }
    }
}

fn labelled(w: &mut Writer, r: &mut Random, l: &Language, category: &str) {
    let Some(kind) = catalogue::of(category) else { return };
    let Some(spec) = spec(r, l, kind, Source::True(kind)) else { return };
    w.put(&format!("{}: ", spec.label));
    w.item(&spec.item(r, l));
    w.put("\n");
}

fn combination(w: &mut Writer, r: &mut Random, l: &Language, subject: &str) -> &'static str {
    let category = COMBINATIONS.iter().find(|c| **c == subject).copied().unwrap_or_default();
    let kind = match subject {
        "fin.tax_form" => tax_form(w, r),
        "pii.bulk_table" => bulk_table(w, r),
        _ => {
            let sentences = condition(l, subject).cloned().unwrap_or_default();
            labelled(w, r, l, "pii.person_labelled");
            let more = *r.pick(&["pii.email", "pii.phone", "pii.dob"]);
            labelled(w, r, l, more);
            let sentence = r.pick(&sentences).clone();
            w.put(&sentence);
            w.put("\n");
            if r.chance(50) {
                layouts::paragraph(w, r, l);
            }
            "note"
        }
    };
    let end = w.text.len();
    w.spans.push(super::Truth { start: 0, end, category });
    for other in COMBINATIONS {
        w.allowed.push((0, end, other));
    }
    w.allowed.push((0, end, "phi."));
    w.allowed.push((0, end, "spc."));
    kind
}

fn tax_form(w: &mut Writer, r: &mut Random) -> &'static str {
    let (title, label, text, category) = match r.below(5) {
        0 => (
            "Form W-2 Wage and Tax Statement 2024",
            "a Employee's social security number",
            world::us_ssn(r),
            "nat.us_ssn",
        ),
        1 => ("Form 1099-INT Interest Income", "Recipient's SSN", world::us_ssn(r), "nat.us_ssn"),
        2 => (
            "Form 1040 U.S. Individual Income Tax Return 2024",
            "Your social security number",
            world::us_ssn(r),
            "nat.us_ssn",
        ),
        3 => (
            "T4 Statement of Remuneration Paid 2024",
            "Social insurance number",
            world::ca_sin(r),
            "nat.ca_sin",
        ),
        _ => (
            "P60 End of Year Certificate 2023/24",
            "National Insurance number",
            super::numbers::europe::gb_nino(r),
            "nat.gb_nino",
        ),
    };
    w.put(&format!("{title}\n\n{label}: "));
    w.item(&Item { text, mark: Mark::True(category) });
    w.put(&format!("\nBox 1: {}.{}\n", r.number(5), r.digits(2)));
    "form"
}

fn bulk_table(w: &mut Writer, r: &mut Random) -> &'static str {
    let l = &languages(Set::Open)[0];
    w.put("full_name,email,phone,date_of_birth,ssn\n");
    for row in 0..r.between(30, 40) {
        for (at, (category, text)) in [
            ("pii.person_labelled", l.person(r)),
            ("pii.email", people::email(r)),
            (
                "pii.phone",
                format!("({}) {}-{}", r.word("212 303 415"), r.word("264 367 452"), r.digits(4)),
            ),
            ("pii.dob", {
                let d = r.birth();
                format!("{}-{:02}-{:02}", d.year, d.month, d.day)
            }),
            ("nat.us_ssn", world::us_ssn(r)),
        ]
        .into_iter()
        .enumerate()
        {
            if at > 0 {
                w.put(",");
            }
            // A few rows count, so that these tables do not outweigh all else.
            let mark = if row < 3 { Mark::True(category) } else { Mark::May(category) };
            w.item(&Item { text, mark });
        }
        w.put("\n");
    }
    "csv"
}

/// Text about an illness and nobody.
pub fn article(w: &mut Writer, r: &mut Random) {
    w.put("The clinic offers screening every spring. ");
    w.put(&marks::no_answer(r));
}
