//! How documents are written: forms, tables, records, logs, letters, chats.

use super::catalogue::{Kind, Shape};
use super::languages::Language;
use super::others;
use super::random::Random;
use super::{Item, Mark, Writer};

/// A label and what stands under it.
#[derive(Clone)]
pub struct Spec {
    pub label: String,
    /// The label as the name of a column or a key.
    pub key: String,
    pub source: Source,
}

#[derive(Clone, Copy)]
pub enum Source {
    True(&'static Kind),
    Wrong(&'static Kind),
    Other(&'static str),
    /// Nothing yet: a word or a mask where a value will be.
    Blank(&'static Kind),
}

impl Spec {
    /// A value, new each time.
    pub fn item(&self, r: &mut Random, language: &Language) -> Item {
        match self.source {
            Source::True(kind) => {
                Item { text: kind.value(r, language), mark: Mark::True(kind.category) }
            }
            Source::Wrong(kind) => Item {
                text: kind.wrong(r, language).unwrap_or_default(),
                mark: Mark::Near(format!("failing {}", kind.category)),
            },
            Source::Blank(kind) => Item {
                text: others::blank(r).to_owned(),
                mark: Mark::Near(format!("blank {}", kind.category)),
            },
            Source::Other(kind) => {
                Item { text: others::value(r, kind), mark: Mark::Near(kind.to_owned()) }
            }
        }
    }

    pub fn is_secret(&self) -> bool {
        matches!(self.source, Source::True(kind) | Source::Wrong(kind) if kind.shape == Shape::Secret)
    }
}

/// Words of a label without accents and punctuation.
pub fn words(label: &str) -> Vec<String> {
    let plain: String = label
        .chars()
        // Points of abbreviations and apostrophes join, they do not part.
        .filter(|c| !matches!(c, '.' | '\''))
        .map(|c| match c {
            'ä' | 'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' | 'Ä' => 'a',
            'é' | 'è' | 'ê' | 'ë' | 'ę' | 'É' => 'e',
            'í' | 'ì' | 'î' | 'ï' => 'i',
            'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'Ö' => 'o',
            'ü' | 'ù' | 'ú' | 'û' | 'Ü' => 'u',
            'ç' | 'ć' | 'č' => 'c',
            'ñ' | 'ń' => 'n',
            'ś' | 'š' | 'ß' => 's',
            'ł' => 'l',
            'ż' | 'ź' | 'ž' => 'z',
            'º' | '°' | 'ª' => ' ',
            other => other,
        })
        .collect();
    plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |c| c.to_uppercase().chain(characters).collect())
}

#[derive(Clone, Copy)]
pub enum Case {
    Snake,
    Camel,
    Pascal,
    Kebab,
    Upper,
    Asis,
}

/// The label as a name in this style.
pub fn name(label: &str, case: Case) -> String {
    let words = words(label);
    match case {
        Case::Snake => words.join("_"),
        Case::Kebab => words.join("-"),
        Case::Upper => words.join("_").to_uppercase(),
        Case::Pascal => words.iter().map(|word| capital(word)).collect(),
        Case::Camel => {
            let mut words = words.iter();
            let first = words.next().cloned().unwrap_or_default();
            first + &words.map(|word| capital(word)).collect::<String>()
        }
        Case::Asis => label.to_owned(),
    }
}

pub fn a_case(r: &mut Random) -> Case {
    *r.pick(&[
        Case::Snake,
        Case::Snake,
        Case::Camel,
        Case::Pascal,
        Case::Upper,
        Case::Asis,
        Case::Kebab,
    ])
}

pub fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted[1..quoted.len() - 1].to_owned()
}

pub fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub type Layout = fn(&mut Writer, &mut Random, &Language, &[Spec]);

/// Layouts for fields, by the kind of document.
pub const FIELDS: &[(&str, Layout)] = &[
    ("form", form),
    ("form", above),
    ("form", behind),
    ("csv", csv),
    ("csv", csv),
    ("json", json_record),
    ("json", json_nested),
    ("json", json_array),
    ("ndjson", ndjson),
    ("yaml", yaml),
    ("log", logfmt),
    ("log", log_lines),
    ("table", markdown),
    ("table", key_table),
    ("html", html_table),
    ("html", html_form),
    ("sql", sql),
    ("xml", xml),
    ("email", email),
    ("chat", chat),
    ("letter", letter),
    ("ticket", ticket),
    ("note", note),
    ("note", bullets),
    ("note", inline),
    ("chat", inline),
    ("note", clinical),
    ("email", quoted),
    ("form", capitals),
    ("xml", attributes),
    ("ini", properties),
];

/// Layouts for secrets.
pub const SECRETS: &[(&str, Layout)] = &[
    ("env", env),
    ("env", env),
    ("yaml", yaml_secrets),
    ("json", json_record),
    ("code", code),
    ("code", shell),
    ("chat", chat_secret),
    ("log", log_secret),
    ("ini", ini),
    ("code", compose_file),
];

/// A sentence or two, in about half of all places.
pub fn filler(w: &mut Writer, r: &mut Random, l: &Language) {
    for _ in 0..r.below(3) {
        let sentence = r.pick(&l.filler).clone();
        w.put(&sentence);
        w.put(" ");
    }
}

pub fn paragraph(w: &mut Writer, r: &mut Random, l: &Language) {
    let sentence = r.pick(&l.filler).clone();
    w.put(&sentence);
    w.put(" ");
    filler(w, r, l);
    w.put("\n");
}

pub fn form(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let joint = match l.code.as_str() {
        "other" => *r.pick(&[": ", "：", "：", ":", " "]),
        _ => *r.pick(&[": ", ":\t", " : ", ": ", " = ", ":   ", " - "]),
    };
    if r.chance(50) {
        paragraph(w, r, l);
        w.put("\n");
    }
    for spec in specs {
        w.put(&spec.label);
        w.put(joint);
        w.item(&spec.item(r, l));
        w.put("\n");
    }
    if r.chance(40) {
        w.put("\n");
        paragraph(w, r, l);
    }
}

pub fn above(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let colon = *r.pick(&["", ":", ""]);
    for spec in specs {
        w.put(&spec.label);
        w.put(colon);
        w.put("\n");
        w.item(&spec.item(r, l));
        w.put("\n\n");
    }
}

pub fn behind(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        w.item(&spec.item(r, l));
        w.put(&format!(" ({})\n\n", spec.label));
        // A label behind one value must not stand right before the next.
        paragraph(w, r, l);
        w.put("\n");
    }
}

fn cell(text: &str, separator: &str) -> String {
    if text.contains(separator) || text.contains('"') || text.contains('\n') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

pub fn csv(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let separator = *r.pick(&[",", ";", "\t", ","]);
    let (case, quoted) = (a_case(r), r.chance(25));
    let head: Vec<String> =
        specs.iter().map(|spec| cell(&name(&spec.key, case), separator)).collect();
    w.put("id");
    w.put(separator);
    w.put(&head.join(separator));
    w.put("\n");
    let first = r.between(1, 400);
    for row in 0..r.between(2, 4) {
        w.put(&(first + row).to_string());
        for spec in specs {
            w.put(separator);
            let item = spec.item(r, l);
            // Quotes stand around the value, not in it.
            let quotes = quoted || item.text.contains(separator) || item.text.contains('"');
            if quotes {
                w.put("\"");
                w.escaped(&item, |text| text.replace('"', "\"\""));
                w.put("\"");
            } else {
                w.item(&item);
            }
        }
        w.put("\n");
    }
}

fn record(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec], case: Case, gap: &str) {
    for (at, spec) in specs.iter().enumerate() {
        if at > 0 {
            w.put(",");
            w.put(gap);
        }
        w.put(&format!("\"{}\": \"", json(&name(&spec.key, case))));
        w.escaped(&spec.item(r, l), json);
        w.put("\"");
    }
}

pub fn json_record(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = a_case(r);
    w.put("{\n  ");
    record(w, r, l, specs, case, "\n  ");
    w.put("\n}\n");
}

pub fn json_nested(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = a_case(r);
    let outer = r.word("customer applicant data payload person record profile result");
    w.put(&format!("{{\"status\": \"ok\", \"{outer}\": {{\n    "));
    record(w, r, l, specs, case, "\n    ");
    w.put("\n  }\n}\n");
}

pub fn json_array(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = a_case(r);
    w.put("[");
    for row in 0..r.between(2, 3) {
        w.put(if row == 0 { "{" } else { ", {" });
        record(w, r, l, specs, case, " ");
        w.put("}");
    }
    w.put("]\n");
}

pub fn ndjson(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = a_case(r);
    for row in 0..r.between(2, 3) {
        w.put(&format!("{{\"seq\": {row}, "));
        record(w, r, l, specs, case, " ");
        w.put("}\n");
    }
}

pub fn yaml(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let (case, quoted) = (a_case(r), r.chance(40));
    w.put(&format!("{}:\n", r.word("person customer record entry")));
    for spec in specs {
        let item = spec.item(r, l);
        let quote = if quoted
            || item.text.contains(": ")
            || item.text.starts_with(['*', '%', '#', '@', '-', '{', '[', '!', '>', '|', '&', '\''])
        {
            "\""
        } else {
            ""
        };
        w.put(&format!("  {}: {quote}", name(&spec.key, case)));
        w.escaped(&item, |text| if quote.is_empty() { text.to_owned() } else { json(text) });
        w.put(quote);
        w.put("\n");
    }
}

fn stamp(r: &mut Random) -> String {
    others::value(r, "timestamp")
}

pub fn logfmt(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for _ in 0..r.between(1, 2) {
        w.put(&format!(
            "ts={} level={} msg=\"{}\"",
            stamp(r),
            r.word("info warn debug"),
            r.pick(&["record saved", "lookup done", "sync"])
        ));
        for spec in specs {
            let item = spec.item(r, l);
            w.put(&format!(" {}=", name(&spec.key, Case::Snake)));
            if item.text.contains([' ', '"', '=']) {
                w.put("\"");
                w.escaped(&item, json);
                w.put("\"");
            } else {
                w.item(&item);
            }
        }
        w.put("\n");
    }
}

pub fn log_lines(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        w.put(&format!(
            "{} {} [{}] {} ",
            stamp(r).replace('T', " ").replace('Z', ""),
            r.word("INFO WARN DEBUG ERROR"),
            r.word("worker-3 http-nio-8 main"),
            r.pick(&["validated", "updating", "found", "received"])
        ));
        w.put(&spec.label);
        w.put(r.text(&[" ", ": ", "=", " -> "]));
        w.item(&spec.item(r, l));
        w.put("\n");
    }
}

pub fn markdown(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = if r.chance(60) { Case::Asis } else { a_case(r) };
    let head: Vec<String> = specs.iter().map(|spec| name(&spec.label, case)).collect();
    w.put(&format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(specs.len())));
    for _ in 0..r.between(1, 3) {
        w.put("|");
        for spec in specs {
            w.put(" ");
            w.escaped(&spec.item(r, l), |text| text.replace('|', "\\|"));
            w.put(" |");
        }
        w.put("\n");
    }
}

pub fn key_table(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("| # | | |\n|---|---|---|\n");
    for (at, spec) in specs.iter().enumerate() {
        w.put(&format!("| {} | {} | ", at + 1, spec.label));
        w.escaped(&spec.item(r, l), |text| text.replace('|', "\\|"));
        w.put(" |\n");
    }
}

pub fn html_table(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    if r.chance(50) {
        w.put("<table>\n<tr>");
        for spec in specs {
            w.put(&format!("<th>{}</th>", html(&spec.label)));
        }
        w.put("</tr>\n");
        for _ in 0..r.between(1, 2) {
            w.put("<tr>");
            for spec in specs {
                w.put("<td>");
                w.escaped(&spec.item(r, l), html);
                w.put("</td>");
            }
            w.put("</tr>\n");
        }
        w.put("</table>\n");
    } else {
        w.put("<dl>\n");
        for spec in specs {
            w.put(&format!("  <dt>{}</dt><dd>", html(&spec.label)));
            w.escaped(&spec.item(r, l), html);
            w.put("</dd>\n");
        }
        w.put("</dl>\n");
    }
}

pub fn html_form(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = a_case(r);
    w.put("<form action=\"/save\" method=\"post\">\n");
    for spec in specs {
        let key = name(&spec.key, case).replace(' ', "_");
        w.put(&format!(
            "  <label for=\"{key}\">{}</label>\n  <input name=\"{key}\" value=\"",
            html(&spec.label)
        ));
        w.escaped(&spec.item(r, l), html);
        w.put("\">\n");
    }
    w.put("</form>\n");
}

pub fn sql(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = if r.chance(70) { Case::Snake } else { Case::Camel };
    let columns: Vec<String> = specs.iter().map(|spec| name(&spec.key, case)).collect();
    for _ in 0..r.between(1, 2) {
        w.put(&format!(
            "INSERT INTO {} ({}) VALUES (",
            r.word("people customers staging_import applicants"),
            columns.join(", ")
        ));
        for (at, spec) in specs.iter().enumerate() {
            w.put(if at > 0 { ", '" } else { "'" });
            w.escaped(&spec.item(r, l), |text| text.replace('\'', "''"));
            w.put("'");
        }
        w.put(");\n");
    }
}

pub fn xml(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = *r.pick(&[Case::Pascal, Case::Camel, Case::Snake, Case::Kebab]);
    w.put("<?xml version=\"1.0\"?>\n<record>\n");
    for spec in specs {
        let key = name(&spec.key, case);
        w.put(&format!("  <{key}>"));
        w.escaped(&spec.item(r, l), html);
        w.put(&format!("</{key}>\n"));
    }
    w.put("</record>\n");
}

/// A sentence that says what a value is without a label, where the language has one.
pub fn phrase(w: &mut Writer, r: &mut Random, l: &Language, spec: &Spec) -> bool {
    let category = match spec.source {
        Source::True(kind) | Source::Wrong(kind) => kind.category,
        Source::Other(_) | Source::Blank(_) => return false,
    };
    let Some(phrases) = l.phrases.get(category) else { return false };
    if r.chance(60) {
        return false;
    }
    let phrase = r.pick(phrases).clone();
    w.template(&phrase, "", &spec.item(r, l));
    true
}

/// A sentence around a label and a value.
pub fn sentence(w: &mut Writer, r: &mut Random, l: &Language, spec: &Spec) {
    if phrase(w, r, l, spec) {
        return;
    }
    let template = r.pick(&l.sentences).clone();
    w.template(&template, &spec.label, &spec.item(r, l));
}

/// An address in a head line: found or not, both are right for the name beside it.
fn address_line(w: &mut Writer, r: &mut Random, l: &Language, head: &str) {
    w.put(head);
    let person = Item { text: l.person(r), mark: Mark::May("pii.") };
    w.item(&person);
    w.put(" <");
    w.item(&Item { text: super::numbers::people::email(r), mark: Mark::True("pii.email") });
    w.put(">\n");
}

pub fn email(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    address_line(w, r, l, "From: ");
    address_line(w, r, l, "To: ");
    w.put("Date: Tue, 4 Mar 2025 10:12:44 +0100\nSubject: ");
    w.put(&specs[0].label.clone());
    w.put("\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n");
    let greeting = r.pick(&l.greetings).clone();
    w.put(&greeting);
    w.put("\n\n");
    for spec in specs {
        filler(w, r, l);
        if r.chance(60) {
            sentence(w, r, l, spec);
        } else {
            w.put("\n");
            w.put(&spec.label);
            w.put(": ");
            w.item(&spec.item(r, l));
        }
        w.put("\n");
    }
    close(w, r, l);
}

fn close(w: &mut Writer, r: &mut Random, l: &Language) {
    let closing = r.pick(&l.closings).clone();
    w.put(&format!("\n{closing}\n"));
    w.item(&Item { text: l.person(r), mark: Mark::May("pii.") });
    w.put("\n");
}

pub fn chat(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let who: [String; 2] = [r.pick(&l.first).to_lowercase(), r.word("agent bot support")];
    for spec in specs {
        if r.chance(60) {
            w.put(&format!("[{:02}:{:02}] {}: ", r.below(24), r.below(60), who[1]));
            paragraph(w, r, l);
        }
        w.put(&format!("[{:02}:{:02}] {}: ", r.below(24), r.below(60), who[0]));
        if phrase(w, r, l, spec) {
            w.put("\n");
            continue;
        }
        let template = r.pick(&l.chat).clone();
        let label = if r.chance(60) { spec.label.to_lowercase() } else { spec.label.clone() };
        w.template(&template, &label, &spec.item(r, l));
        w.put("\n");
    }
}

pub fn letter(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let greeting = r.pick(&l.greetings).clone();
    w.put(&format!("{greeting}\n\n"));
    filler(w, r, l);
    for spec in specs {
        sentence(w, r, l, spec);
        w.put(" ");
        if r.chance(50) {
            w.put("\n");
            paragraph(w, r, l);
        }
    }
    w.put("\n");
    close(w, r, l);
}

pub fn ticket(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put(&format!(
        "{}-{}  [{}]  {}\n",
        r.word("SUP HELP CRM"),
        r.number(4),
        r.word("open pending closed"),
        r.word("low normal high")
    ));
    paragraph(w, r, l);
    for spec in specs {
        if r.chance(50) {
            w.put("- ");
            w.put(&spec.label);
            w.put(r.text(&[": ", " ", " is ", "= "]));
            w.item(&spec.item(r, l));
        } else {
            sentence(w, r, l, spec);
        }
        w.put("\n");
    }
}

pub fn note(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        filler(w, r, l);
        sentence(w, r, l, spec);
        w.put(" ");
        filler(w, r, l);
        w.put("\n");
    }
}

pub fn bullets(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put(&format!("## {}\n\n", r.word("Notes Summary Details Info")));
    let strong = r.chance(60);
    for spec in specs {
        if strong {
            w.put(&format!("- **{}**: ", spec.label));
        } else {
            w.put(&format!("* {}: ", spec.label));
        }
        let quote = if r.chance(30) { "`" } else { "" };
        w.put(quote);
        w.item(&spec.item(r, l));
        w.put(quote);
        w.put("\n");
    }
}

/// All in one line, as people jot things down.
pub fn inline(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    filler(w, r, l);
    let (joint, between) =
        (r.text(&[": ", " ", "=", ": "]), r.text(&[", ", "; ", " / ", " | ", ", "]));
    for (at, spec) in specs.iter().enumerate() {
        if at > 0 {
            w.put(between);
        }
        w.put(&spec.label);
        w.put(joint);
        w.item(&spec.item(r, l));
    }
    w.put("\n");
    filler(w, r, l);
    w.put("\n");
}

/// A record of an examination.
pub fn clinical(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put(r.text(&["S: ", "CC: ", "HPI: ", "1) "]));
    paragraph(w, r, l);
    for spec in specs {
        w.put(r.text(&["", "- ", "* ", "O: ", ""]));
        w.put(&spec.label);
        w.put(r.text(&[": ", " - ", ": ", "# "]));
        w.item(&spec.item(r, l));
        w.put(r.text(&["\n", "\n", ". ", "; "]));
    }
    w.put("\nP: ");
    paragraph(w, r, l);
}

/// An answer above what it answers.
pub fn quoted(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    paragraph(w, r, l);
    w.put("\n");
    for spec in specs {
        w.put("> ");
        if r.chance(50) {
            sentence(w, r, l, spec);
        } else {
            w.put(&format!("{}: ", spec.label));
            w.item(&spec.item(r, l));
        }
        w.put("\n");
    }
    w.put(">\n");
}

pub fn capitals(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let joint = r.text(&[": ", " : ", "  ", ":"]);
    for spec in specs {
        w.put(&spec.label.to_uppercase());
        w.put(joint);
        w.item(&spec.item(r, l));
        w.put("\n");
    }
}

pub fn attributes(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = *r.pick(&[Case::Camel, Case::Pascal, Case::Snake]);
    w.put("<row");
    for spec in specs {
        w.put(&format!(" {}=\"", name(&spec.key, case)));
        w.escaped(&spec.item(r, l), html);
        w.put("\"");
    }
    w.put("/>\n");
}

pub fn properties(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let stem = r.word("customer app record user.profile");
    let case = *r.pick(&[Case::Camel, Case::Snake, Case::Kebab]);
    for spec in specs {
        w.put(&format!("{stem}.{}=", name(&spec.key, case)));
        w.item(&spec.item(r, l));
        w.put("\n");
    }
}

// Secrets.

fn quoting(text: &str) -> bool {
    text.contains([' ', '#', ';', '$', '*', '!', '<', '{', '%', '\'', '|', '&'])
}

pub fn env(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("# settings\nLOG_LEVEL=info\n");
    let export = if r.chance(30) { "export " } else { "" };
    for spec in specs {
        let item = spec.item(r, l);
        let quote = if quoting(&item.text) || r.chance(40) { "\"" } else { "" };
        w.put(&format!("{export}{}={quote}", name(&spec.key, Case::Upper)));
        w.item(&item);
        w.put(quote);
        w.put("\n");
    }
    w.put("PORT=8080\n");
}

pub fn ini(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("[service]\nretries = 3\n");
    for spec in specs {
        w.put(&format!("{} = ", name(&spec.key, Case::Snake)));
        w.item(&spec.item(r, l));
        w.put("\n");
    }
}

pub fn yaml_secrets(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = *r.pick(&[Case::Snake, Case::Camel, Case::Kebab]);
    w.put("service:\n  replicas: 2\n");
    for spec in specs {
        let item = spec.item(r, l);
        let quote =
            if quoting(&item.text) || item.text.contains(": ") || r.chance(50) { "\"" } else { "" };
        w.put(&format!("  {}: {quote}", name(&spec.key, case)));
        w.item(&item);
        w.put(quote);
        w.put("\n");
    }
}

pub fn compose_file(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("services:\n  api:\n    image: northwind/api:4.2.1\n    environment:\n");
    for spec in specs {
        let item = spec.item(r, l);
        w.put(&format!("      {}: \"", name(&spec.key, Case::Upper)));
        w.item(&item);
        w.put("\"\n");
    }
}

pub fn code(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let style = r.below(4);
    for spec in specs {
        let item = spec.item(r, l);
        let (before, after) = match style {
            0 => (format!("{} = \"", name(&spec.key, Case::Snake)), "\"\n"),
            1 => (format!("const {} = '", name(&spec.key, Case::Camel)), "';\n"),
            2 => (
                format!("private static final String {} = \"", name(&spec.key, Case::Upper)),
                "\";\n",
            ),
            _ => (format!("client = connect({}=\"", name(&spec.key, Case::Snake)), "\")\n"),
        };
        w.put(&before);
        w.escaped(&item, |text| text.replace('\\', "\\\\"));
        w.put(after);
    }
}

pub fn shell(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("$ cd deploy\n");
    for spec in specs {
        w.put(&format!("$ export {}='", name(&spec.key, Case::Upper)));
        w.item(&spec.item(r, l));
        w.put("'\n");
    }
    w.put("$ make release\n");
}

pub fn chat_secret(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        w.put(&format!("{}: ", r.pick(&l.first).to_lowercase()));
        filler(w, r, l);
        w.put(&format!("{}: ", spec.label));
        let tick = if r.chance(40) { "`" } else { "" };
        w.put(tick);
        w.item(&spec.item(r, l));
        w.put(tick);
        w.put("\n");
    }
}

pub fn log_secret(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        w.put(&format!("{} DEBUG config loaded {}=\"", stamp(r), name(&spec.key, Case::Snake)));
        w.item(&spec.item(r, l));
        w.put("\"\n");
    }
}
