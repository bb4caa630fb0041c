//! Layouts that only the set kept back is written in.

use super::languages::Language;
use super::layouts::{Case, Layout, Spec, json, name, phrase, words};
use super::random::Random;
use super::{Item, Mark, Writer};

pub const FIELDS: &[(&str, Layout)] = &[
    ("transcript", transcript),
    ("form", dotted),
    ("table", fixed_width),
    ("csv", piped),
    ("toml", toml),
    ("json", pairs),
    ("wiki", infobox),
    ("latex", latex),
    ("query", query),
    ("letter", running),
    ("form", boxed),
    ("record", dump),
];

pub const SECRETS: &[(&str, Layout)] = &[
    ("toml", toml),
    ("code", terraform),
    ("code", dictionary),
    ("chat", transcript),
    ("code", arguments),
];

fn words_of(w: &mut Writer, r: &mut Random, l: &Language) {
    let sentence = r.pick(&l.filler).clone();
    w.put(&sentence);
}

fn transcript(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for (at, spec) in specs.iter().enumerate() {
        w.put(&format!("Speaker {} ({:02}:{:02}) - ", 1 + at % 2, at, r.below(60)));
        words_of(w, r, l);
        w.put("\n");
        w.put(&format!("Speaker {} ({:02}:{:02}) - ", 2 - at % 2, at, r.below(60)));
        if !phrase(w, r, l, spec) {
            let template = r.pick(&l.chat).clone();
            w.template(&template, &spec.label, &spec.item(r, l));
        }
        w.put("\n");
    }
}

fn dotted(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        let dots = 34_usize.saturating_sub(spec.label.chars().count()).max(3);
        w.put(&format!("{} {} ", spec.label, ".".repeat(dots)));
        w.item(&spec.item(r, l));
        w.put("\r\n");
    }
}

fn fixed_width(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let rows: Vec<Vec<Item>> =
        (0..2).map(|_| specs.iter().map(|spec| spec.item(r, l)).collect()).collect();
    let width = |at: usize| {
        let values = rows.iter().map(|row| row[at].text.chars().count()).max().unwrap_or(0);
        values.max(specs[at].label.chars().count()) + 2
    };
    for (at, spec) in specs.iter().enumerate() {
        w.put(&format!("{:<1$}", spec.label, width(at)));
    }
    w.put("\n");
    for row in &rows {
        for (at, item) in row.iter().enumerate() {
            w.item(item);
            w.put(&" ".repeat(width(at) - item.text.chars().count()));
        }
        w.put("\n");
    }
}

fn piped(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let case = *r.pick(&[Case::Asis, Case::Upper, Case::Snake]);
    let head: Vec<String> = specs.iter().map(|spec| name(&spec.key, case)).collect();
    w.put(&format!("ROW|{}\n", head.join("|")));
    for row in 1..r.between(3, 4) {
        w.put(&row.to_string());
        for spec in specs {
            w.put("|");
            w.item(&spec.item(r, l));
        }
        w.put("\n");
    }
}

fn toml(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("[entry]\nactive = true\n");
    let case = *r.pick(&[Case::Snake, Case::Kebab]);
    for spec in specs {
        w.put(&format!("{} = \"", name(&spec.key, case)));
        w.escaped(&spec.item(r, l), json);
        w.put("\"\n");
    }
}

fn pairs(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("{\"fields\": [");
    for (at, spec) in specs.iter().enumerate() {
        w.put(if at > 0 { ",\n" } else { "\n" });
        w.put(&format!("  {{\"label\": \"{}\", \"value\": \"", json(&spec.label)));
        w.escaped(&spec.item(r, l), json);
        w.put("\"}");
    }
    w.put("\n]}\n");
}

fn infobox(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("{{Infobox\n");
    for spec in specs {
        w.put(&format!("| {} = ", spec.label));
        w.item(&spec.item(r, l));
        w.put("\n");
    }
    w.put("}}\n");
}

fn latex(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("\\begin{tabular}{ll}\n");
    for spec in specs {
        w.put(&format!("{} & ", spec.label));
        w.escaped(&spec.item(r, l), |text| text.replace('&', "\\&"));
        w.put(" \\\\\n");
    }
    w.put("\\end{tabular}\n");
}

fn query(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("--data-urlencode pairs follow\n");
    for spec in specs {
        w.put(&format!("  -F '{}=", words(&spec.key).join("_")));
        w.item(&spec.item(r, l));
        w.put("'\n");
    }
}

fn running(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    let greeting = r.pick(&l.greetings).clone();
    w.put(&greeting);
    w.put("\n");
    for spec in specs {
        words_of(w, r, l);
        w.put(" ");
        if !phrase(w, r, l, spec) {
            let template = r.pick(&l.sentences).clone();
            w.template(&template, &spec.label, &spec.item(r, l));
        }
        w.put(" ");
        words_of(w, r, l);
        w.put("\n");
    }
    let closing = r.pick(&l.closings).clone();
    w.put(&closing);
    w.put("\n");
    w.item(&Item { text: l.person(r), mark: Mark::May("pii.") });
    w.put("\n");
}

fn boxed(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for (at, spec) in specs.iter().enumerate() {
        w.put(&format!("[{}] {} » ", at + 1, spec.label.to_uppercase()));
        w.item(&spec.item(r, l));
        w.put("\n");
    }
}

fn dump(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("*************************** 1. row ***************************\n");
    for spec in specs {
        w.put(&format!("{:>28}: ", name(&spec.key, Case::Snake)));
        w.item(&spec.item(r, l));
        w.put("\n");
    }
}

fn terraform(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("resource \"service\" \"main\" {\n");
    for spec in specs {
        w.put(&format!("  {} = \"", name(&spec.key, Case::Snake)));
        w.item(&spec.item(r, l));
        w.put("\"\n");
    }
    w.put("}\n");
}

fn dictionary(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    w.put("SETTINGS = {\n");
    for spec in specs {
        w.put(&format!("    '{}': '", name(&spec.key, Case::Snake)));
        w.escaped(&spec.item(r, l), |text| text.replace('\'', "\\'"));
        w.put("',\n");
    }
    w.put("}\n");
}

fn arguments(w: &mut Writer, r: &mut Random, l: &Language, specs: &[Spec]) {
    for spec in specs {
        w.put(&format!("setx {} \"", name(&spec.key, Case::Upper)));
        w.item(&spec.item(r, l));
        w.put("\"\r\n");
    }
}
