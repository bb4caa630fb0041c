//! Counts what a scanner found against the truth.

use std::collections::{BTreeMap, BTreeSet};

use sluicegate::model::Band;
use sluicegate::{RuleSet, Scanner};

use super::Document;
use super::catalogue::REGIONS;

/// A finding of band likely and up, in bytes.
#[derive(Clone)]
pub struct Found {
    pub category: String,
    pub start: usize,
    pub end: usize,
}

#[derive(Default, Clone, Copy)]
pub struct Count {
    pub right: usize,
    pub wrong: usize,
    pub missed: usize,
}

impl Count {
    /// The harmonic mean of precision and recall.
    pub fn f1(self) -> f64 {
        let all = 2 * self.right + self.wrong + self.missed;
        if all == 0 { 1.0 } else { 2.0 * self.right as f64 / all as f64 }
    }
}

/// What was found in a set of documents.
#[derive(Default)]
pub struct Table {
    pub counts: BTreeMap<String, Count>,
    pub near_misses: usize,
    pub near_misses_found: usize,
    /// Near misses found, by their kind and by the category that was found there.
    pub mistaken: BTreeMap<String, usize>,
    /// The same by the kind of document.
    pub kinds: BTreeMap<&'static str, Count>,
    /// The same by language.
    pub languages: BTreeMap<String, Count>,
    /// Samples for those who look for the cause: category, what happened, the text around.
    pub samples: Vec<(String, &'static str, String)>,
}

/// Whether this much of it counts: half of a value, any part of a region.
fn covers(category: &str, start: usize, end: usize, found: &Found) -> bool {
    let shared = end.min(found.end).saturating_sub(start.max(found.start));
    if REGIONS.contains(&category) { shared > 0 } else { shared * 2 >= (end - start).max(1) }
}

fn around(document: &Document, start: usize, end: usize) -> String {
    let text = &document.text;
    let mut from = start.saturating_sub(90);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (end + 50).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    format!(
        "{} {} {:?}⟦{}⟧{:?}",
        document.id,
        document.kind,
        &text[from..start],
        &text[start..end],
        &text[end..to]
    )
}

impl Table {
    /// Adds a document and what was found in it.
    pub fn add(&mut self, document: &Document, found: &[Found]) {
        let mut used = BTreeSet::new();
        for truth in &document.spans {
            let of_it: Vec<usize> = found
                .iter()
                .enumerate()
                .filter(|(_, f)| {
                    f.category == truth.category
                        && covers(truth.category, truth.start, truth.end, f)
                })
                .map(|(at, _)| at)
                .collect();
            let count = self.counts.entry(truth.category.to_owned()).or_default();
            let kind = self.kinds.entry(document.kind).or_default();
            let language = self.languages.entry(document.language.clone()).or_default();
            if of_it.is_empty() {
                count.missed += 1;
                kind.missed += 1;
                language.missed += 1;
                self.samples.push((
                    truth.category.to_owned(),
                    "missed",
                    around(document, truth.start, truth.end),
                ));
            } else {
                count.right += 1;
                kind.right += 1;
                language.right += 1;
                used.extend(of_it);
            }
        }
        for (at, finding) in found.iter().enumerate() {
            if used.contains(&at) || is_allowed(document, finding) {
                continue;
            }
            self.counts.entry(finding.category.clone()).or_default().wrong += 1;
            self.kinds.entry(document.kind).or_default().wrong += 1;
            self.languages.entry(document.language.clone()).or_default().wrong += 1;
            self.samples.push((
                finding.category.clone(),
                "wrong",
                around(document, finding.start, finding.end),
            ));
        }
        for near in &document.near_misses {
            self.near_misses += 1;
            let there = found.iter().find(|f| {
                let shared = near.end.min(f.end).saturating_sub(near.start.max(f.start));
                let of_it = shared * 2 >= (near.end - near.start).max(1);
                of_it
                    && !f.category.starts_with("ai.")
                    && !is_allowed(document, f)
                    && !document
                        .spans
                        .iter()
                        .any(|s| s.category == f.category && s.start < f.end && f.start < s.end)
            });
            if let Some(finding) = there {
                self.near_misses_found += 1;
                *self
                    .mistaken
                    .entry(format!("{} as {}", near.kind, finding.category))
                    .or_default() += 1;
            }
        }
    }

    /// The mean of F1 over these categories, where the documents hold them.
    pub fn macro_f1(&self, categories: &BTreeSet<String>) -> f64 {
        let of: Vec<f64> = self.measured(categories).map(|(_, count)| count.f1()).collect();
        of.iter().sum::<f64>() / of.len().max(1) as f64
    }

    /// Those of these categories that the documents hold.
    pub fn measured<'a>(
        &'a self,
        categories: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = (&'a String, Count)> {
        self.counts
            .iter()
            .filter(|(category, count)| {
                categories.contains(*category) && count.right + count.missed > 0
            })
            .map(|(category, count)| (category, *count))
    }

    pub fn near_miss_rate(&self) -> f64 {
        self.near_misses_found as f64 / self.near_misses.max(1) as f64
    }

    /// The table, worst first.
    pub fn print(&self, title: &str, categories: &BTreeSet<String>) -> String {
        let mut rows: Vec<(&String, Count)> = self.measured(categories).collect();
        rows.sort_by(|a, b| a.1.f1().total_cmp(&b.1.f1()).then(a.0.cmp(b.0)));
        let mut text = format!(
            "{title}: macro F1 {:.4} over {} categories; near misses found {} of {} ({:.2} %)\n",
            self.macro_f1(categories),
            rows.len(),
            self.near_misses_found,
            self.near_misses,
            100.0 * self.near_miss_rate()
        );
        text.push_str("category                       F1  right  wrong  missed\n");
        for (category, count) in rows {
            text.push_str(&format!(
                "{category:<27} {:.3} {:>6} {:>6} {:>7}\n",
                count.f1(),
                count.right,
                count.wrong,
                count.missed
            ));
        }
        text.push_str("of all categories, by kind and language\n");
        let kinds = self.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), count));
        let languages = self.languages.iter().map(|(code, count)| (format!("in {code}"), count));
        for (kind, count) in kinds.chain(languages) {
            text.push_str(&format!(
                "{kind:<27} {:.3} {:>6} {:>6} {:>7}\n",
                count.f1(),
                count.right,
                count.wrong,
                count.missed
            ));
        }
        let mut mistaken: Vec<(&String, &usize)> = self.mistaken.iter().collect();
        mistaken.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (what, count) in mistaken.into_iter().take(40) {
            text.push_str(&format!("near miss found: {count} x {what}\n"));
        }
        text
    }
}

/// Whether a finding that is no true span is not wrong either.
fn is_allowed(document: &Document, finding: &Found) -> bool {
    let overlaps = |start: usize, end: usize| start < finding.end && finding.start < end;
    let by_document = document.allowed.iter().any(|(start, end, what)| {
        let named = finding.category == *what
            || (what.ends_with('.') && finding.category.starts_with(what));
        named && overlaps(*start, *end)
    });
    by_document
        || document.spans.iter().any(|span| {
            overlaps(span.start, span.end)
                && (span.category == finding.category || beside(span.category, &finding.category))
        })
}

/// Whether a value of the first category is also one of the second, or holds one.
fn beside(truth: &str, found: &str) -> bool {
    let class = |category: &str| category.split('.').next().unwrap_or_default().to_owned();
    match truth {
        "phi.hl7v2" | "phi.fhir" | "phi.x12_837" | "phi.dicom" => {
            matches!(class(found).as_str(), "phi" | "pii" | "nat")
        }
        "pii.mrz" => matches!(class(found).as_str(), "pii" | "nat"),
        "pci.track1" | "pci.track2" | "pci.emv_tlv" => {
            class(found) == "pci" || found.starts_with("pii.person")
        }
        "pii.fax" => found == "pii.phone",
        "pii.person_labelled" => found == "pii.person_dictionary",
        "pii.address_us" | "pii.address_intl" => {
            matches!(found, "pii.address_us" | "pii.address_intl" | "pii.uk_postcode")
        }
        "sec.gcp_service_account" => matches!(class(found).as_str(), "sec" | "pii"),
        "fin.uk_sort_account" => matches!(found, "fin.us_bank_account" | "fin.au_bsb"),
        "fin.payroll_record" | "fin.credit_report" => found.starts_with("pii.person"),
        "pci.key_material" | "fin.wif_xprv" | "fin.bip39_mnemonic" => class(found) == "sec",
        // What an insurer calls a member, a health service calls by its own name.
        "phi.de_kvnr" | "phi.us_mbi" | "nat.ca_health_card" | "nat.au_medicare" => {
            found == "phi.member_id"
        }
        _ => class(truth) == "sec" && class(found) == "sec",
    }
}

/// Categories of tier 1, those of AI workflows left out.
pub fn first_tier() -> BTreeSet<String> {
    let taxonomy: toml::Table =
        toml::from_str(include_str!("../../rules/taxonomy.toml")).expect("the taxonomy");
    let of_it =
        |category: &&toml::Value| category.get("tier").and_then(toml::Value::as_integer) == Some(1);
    taxonomy["category"]
        .as_array()
        .expect("categories")
        .iter()
        .filter(of_it)
        .filter_map(|category| category["id"].as_str())
        .filter(|id| !id.starts_with("ai."))
        .map(str::to_owned)
        .collect()
}

/// Those of tier 1 that a rule looks for.
pub fn measured(rules: &RuleSet) -> BTreeSet<String> {
    let first = first_tier();
    let of_rules = rules.rules.iter().map(|rule| rule.category);
    let of_combinations = rules.combinations.iter().map(|combination| combination.category);
    of_rules
        .chain(of_combinations)
        .filter_map(|index| Some(rules.taxonomy.get(index)?.id.clone()))
        .filter(|id| first.contains(id))
        .collect()
}

/// What a scanner finds in a document, likely and up.
pub fn found(scanner: &Scanner, document: &Document) -> Vec<Found> {
    let rules = scanner.rules();
    scanner
        .scan(document.text.as_bytes())
        .findings
        .iter()
        .filter(|finding| finding.likelihood.band() >= Band::Likely)
        .map(|finding| Found {
            category: rules.taxonomy.get(finding.category).expect("a category").id.clone(),
            start: finding.span.start as usize,
            end: finding.span.end as usize,
        })
        .collect()
}
