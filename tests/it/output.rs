//! Every output form over made-up reports: snapshots, schema, filters, and nothing raw.

#![allow(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use sluicegate::RuleSet;
use sluicegate::model::{
    Band, Category, CategoryCount, CategoryIndex, Class, Coverage, Effect, Evidence, Excepted,
    ExceptionKind, FileReport, Finding, Fingerprint, Label, Law, Likelihood, Outcome, Place,
    Reason, RuleIndex, Sensitivity, Span, Summary, TermIndex, Unique,
};
use sluicegate::respond::{Filter, Format, NameCleaner, Options, Writer};
use sluicegate::rules::{Anchors, Combination, Lead, Origin, Rule, Taxonomy};

const SSN: CategoryIndex = CategoryIndex(0);
const PAN: CategoryIndex = CategoryIndex(1);
const RECORD: CategoryIndex = CategoryIndex(2);

/// A value that stands in names only; the cleaner knows it.
const PLANTED: &str = "219-09-9998";

const FORMATS: [Format; 8] = [
    Format::Human,
    Format::Json,
    Format::JsonLines,
    Format::Csv,
    Format::Sarif,
    Format::Gate,
    Format::GitHub,
    Format::GitLab,
];

struct MasksPlanted;

impl NameCleaner for MasksPlanted {
    fn clean(&self, name: &str) -> String {
        name.replace(PLANTED, "***********")
    }
}

#[test]
fn human() {
    insta::assert_snapshot!(render(Format::Human, Filter::all()));
}

#[test]
fn human_in_colour() {
    let coloured = write(Format::Human, Filter::all(), true, &reports());
    let plain = render(Format::Human, Filter::all());
    assert!(coloured.contains("\x1b["));
    assert!(!plain.contains('\x1b'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn json() {
    let text = render(Format::Json, Filter::all());
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["files"].as_array().map(Vec::len), Some(reports().len()));
    insta::assert_snapshot!(versionless(&text));
}

#[test]
fn json_without_files_is_a_document() {
    let text = write(Format::Json, Filter::all(), false, &[]);
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["files"], Value::Array(Vec::new()));
}

#[test]
fn json_lines() {
    let text = render(Format::JsonLines, Filter::all());
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("one JSON value a line");
        assert!(value["type"].is_string());
    }
    insta::assert_snapshot!(versionless(&text));
}

#[test]
fn csv() {
    insta::assert_snapshot!(render(Format::Csv, Filter::all()));
}

#[test]
fn sarif() {
    insta::assert_snapshot!(versionless(&render(Format::Sarif, Filter::all())));
}

#[test]
fn gate() {
    let text = render(Format::Gate, Filter::all());
    // Said once, however many findings there are.
    assert_eq!(text.matches("- Take the values out").count(), 1);
    insta::assert_snapshot!(text);
}

#[test]
fn gate_in_colour() {
    let coloured = write(Format::Gate, Filter::all(), true, &reports());
    let plain = render(Format::Gate, Filter::all());
    assert!(coloured.contains("\x1b[") && !plain.contains('\x1b'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn github() {
    let text = render(Format::GitHub, Filter::all());
    let kinds = ["::error ", "::warning ", "::notice "].map(|kind| {
        let at_start = text.lines().filter(|line| line.starts_with(kind)).count();
        assert_eq!(text.matches(kind).count(), at_start, "{kind}");
        at_start
    });
    assert_eq!(kinds, [8, 1, 2]);
    insta::assert_snapshot!(text);
}

#[test]
fn gitlab() {
    let text = render(Format::GitLab, Filter::all());
    let report: Value = serde_json::from_str(&text).expect("one JSON document");
    let entries = report.as_array().expect("an array");
    let fingerprints: std::collections::BTreeSet<&str> =
        entries.iter().map(|it| it["fingerprint"].as_str().expect("a text")).collect();
    assert_eq!(fingerprints.len(), entries.len(), "each entry is another one");
    for entry in entries {
        let severity = entry["severity"].as_str().expect("a text");
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
        assert!(entry["location"]["lines"]["begin"].as_u64() >= Some(1));
        for field in ["description", "check_name"] {
            assert!(entry[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
        }
        assert!(entry["location"]["path"].is_string());
    }
    let empty = write(Format::GitLab, Filter::all(), false, &[]);
    assert_eq!(serde_json::from_str::<Value>(&empty).expect("JSON"), Value::Array(Vec::new()));
    insta::assert_snapshot!(text);
}

#[test]
fn sarif_follows_its_schema() {
    let mut schema: Value =
        serde_json::from_str(include_str!("../data/sarif-2.1.0.schema.json")).expect("the schema");
    // A stray `]` stands in the published patterns of languages, which strict parsers refuse.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        language.as_object_mut().expect("a property").remove("pattern");
    }
    let validator = jsonschema::validator_for(&schema).expect("a JSON schema");
    let held = FileReport { effect: Some(Effect::Escalate), ..excepting() };
    for reports in [reports(), vec![held, reports().remove(4)], Vec::new()] {
        let text = write(Format::Sarif, Filter::all(), false, &reports);
        let document: Value = serde_json::from_str(&text).expect("one JSON document");
        let errors: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let successful = &document["runs"][0]["invocations"][0]["executionSuccessful"];
        assert_eq!(successful, &Value::Bool(reports.is_empty()));
        assert!(!text.contains("snippet"));
    }
    // The schema is strict enough to notice.
    let mut broken: Value =
        serde_json::from_str(&render(Format::Sarif, Filter::all())).expect("one JSON document");
    broken["runs"][0]["results"][0]["severity"] = Value::from("high");
    assert!(!validator.is_valid(&broken));
}

#[test]
fn sarif_indices_point_at_their_rules() {
    let document: Value =
        serde_json::from_str(&render(Format::Sarif, Filter::all())).expect("one JSON document");
    let run = &document["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 6);
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index");
        assert_eq!(run["tool"]["driver"]["rules"][index as usize]["id"], result["ruleId"]);
    }
}

/// A result that is no failure has no level (section 3.27.10).
#[test]
fn sarif_puts_to_review_what_a_person_decides() {
    let held = FileReport { effect: Some(Effect::Escalate), ..customers() };
    let text = write(Format::Sarif, Filter::all(), false, &[held]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let results = document["runs"][0]["results"].as_array().expect("results");
    let kinds: Vec<_> = results.iter().map(|it| (it["kind"].as_str(), &it["level"])).collect();
    let (review, note) = ((Some("review"), &Value::from("none")), (None, &Value::from("note")));
    assert_eq!(kinds, [review, review, review, note]);
}

/// Section 3.27.23: a result that somebody decided to leave has a suppression.
#[test]
fn sarif_suppresses_what_does_not_count() {
    let text = write(Format::Sarif, Filter::all(), false, &[excepting()]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let results = document["runs"][0]["results"].as_array().expect("results");
    let suppressions: Vec<_> =
        results.iter().filter_map(|it| it["suppressions"].as_array()).flatten().collect();
    let said = |at: usize, field: &str| suppressions[at][field].as_str().expect("a text");
    assert_eq!((results.len(), suppressions.len()), (6, 2));
    assert_eq!((said(0, "kind"), said(1, "kind")), ("inSource", "external"));
    let reason = "inline: test card,\\u{a}::error::\\u{202e} of ***********";
    assert_eq!((said(0, "justification"), said(1, "justification")), (reason, "baseline"));
}

#[test]
fn what_does_not_count_is_shown_with_why() {
    let others = [Format::Csv, Format::Human];
    for format in FORMATS.into_iter().filter(|format| !others.contains(format)) {
        let text = write(format, Filter::all(), false, &[excepting()]);
        for part in ["cards.txt", "inline", "baseline", "test card", "0123456789ab"] {
            assert!(text.contains(part), "{format:?}: {text}");
        }
        assert!(!text.contains(PLANTED) && !text.contains('\u{202e}'), "{format:?}");
        assert!(text.lines().all(|line| !line.starts_with("::error::")), "{format:?}");
    }
}

#[test]
fn sarif_identities_are_unique_and_survive_moves_and_filters() {
    let identities = |filter, reports: &[FileReport]| -> Vec<String> {
        let document: Value =
            serde_json::from_str(&write(Format::Sarif, filter, false, reports)).expect("JSON");
        let results = document["runs"][0]["results"].as_array().expect("results").clone();
        results
            .iter()
            .map(|result| result["partialFingerprints"]["sluice/v1"].as_str().expect("id").into())
            .collect()
    };
    let mut moved = vec![FileReport { path: PathBuf::from("a.txt"), ..customers() }];
    moved[0].findings = [64, 90, 90].map(|likelihood| finding(0, SSN, 10, likelihood)).into();
    let before = identities(Filter::all(), &moved);
    assert_eq!(before.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);

    for finding in &mut moved[0].findings {
        finding.line += 100;
        finding.span = Span::new(5000, 5011);
    }
    assert_eq!(identities(Filter::all(), &moved), before);
    moved[0].path = PathBuf::from("elsewhere/b.txt");
    assert_eq!(identities(Filter::all(), &moved), before);

    let likely = Filter { min_band: Band::Likely, categories: None };
    assert_eq!(identities(likely, &moved), before[1..]);

    moved[0].findings[0].context_hash = 8;
    assert_ne!(identities(Filter::all(), &moved)[0], before[0]);
}

#[test]
fn filters_hide_findings_and_change_no_label_or_count() {
    let rules = rules();
    let all: Value = serde_json::from_str(&render(Format::Json, Filter::all())).expect("JSON");
    let cases = [
        (Filter { min_band: Band::Likely, categories: None }, 5),
        (Filter { min_band: Band::VeryLikely, categories: None }, 4),
        (Filter::new(Band::Possible, &["pci.pan".into()], &rules).expect("known"), 3),
        (Filter::new(Band::Possible, &["pci".into(), "phi".into()], &rules).expect("known"), 4),
    ];
    for (filter, shown) in cases {
        let text = render(Format::Json, filter.clone());
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["summary"], all["summary"]);
        let mut findings = 0;
        for (file, unfiltered) in
            document["files"].as_array().into_iter().flatten().zip(all["files"].as_array().unwrap())
        {
            assert_eq!(file["label"], unfiltered["label"]);
            findings += file["findings"].as_array().map_or(0, Vec::len);
        }
        assert_eq!(findings, shown, "{filter:?}");
        let rows = render(Format::Csv, filter.clone());
        assert_eq!(rows.lines().count(), shown + 1);
        let lines = render(Format::JsonLines, filter);
        assert_eq!(lines.matches("\"type\":\"finding\"").count(), shown);
    }
}

#[test]
fn an_unknown_category_is_refused() {
    let error = Filter::new(Band::Possible, &["pci".into(), "pci.nope\x1b".into()], &rules());
    let message = error.expect_err("unknown").to_string();
    assert_eq!(message, "`pci.nope\\u{1b}` is neither a category nor a class");
}

#[test]
fn no_form_writes_planted_values_or_control_characters() {
    for format in FORMATS {
        let text = render(format, Filter::all());
        assert!(text.contains("20"), "the fixture was rendered");
        assert!(!text.contains(PLANTED), "{format:?}");
        let unseen =
            |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(unseen), "{format:?}");
    }
}

#[test]
fn a_failing_destination_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let rules = rules();
    for format in FORMATS {
        let options = Options { format, filter: Filter::all(), colour: false };
        let mut writer = Writer::new(Full, options, &rules, &MasksPlanted);
        let begun = writer.begin();
        let written = writer.file(&customers());
        assert!(begun.is_err() || written.is_err());
        let error = written.expect_err("the disk is full");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{format:?}");
    }
}

/// The text without this crate's version, so that a release changes no snapshot.
fn versionless(text: &str) -> String {
    text.replace(concat!("\"version\":\"", env!("CARGO_PKG_VERSION"), "\""), "\"version\":\"*\"")
}

fn render(format: Format, filter: Filter) -> String {
    write(format, filter, false, &reports())
}

fn write(format: Format, filter: Filter, colour: bool, reports: &[FileReport]) -> String {
    let rules = rules();
    let options = Options { format, filter, colour };
    let mut writer = Writer::new(Vec::new(), options, &rules, &MasksPlanted);
    writer = writer.excepting([PAN].into_iter().collect());
    let mut summary = Summary::default();
    writer.begin().expect("begin");
    for report in reports {
        summary.add(report);
        writer.file(report).expect("file");
    }
    summary.elapsed_ms = 1234;
    writer.finish(&summary).expect("finish");
    String::from_utf8(writer.into_inner()).expect("UTF-8")
}

fn reports() -> Vec<FileReport> {
    let clean = FileReport {
        path: PathBuf::from("export/readme.txt"),
        bytes: 20,
        label: Some(label(&[], Coverage::complete())),
        findings: Vec::new(),
        truncated: 0,
        effect: Some(Effect::Allow),
        chain: Vec::new(),
        ..customers()
    };
    let unread = |path: &str, outcome, problem: &str| FileReport {
        path: PathBuf::from(path),
        bytes: 2048,
        outcome,
        problem: Some(problem.to_owned()),
        label: None,
        effect: Some(Effect::Block),
        ..clean.clone()
    };
    let archive = FileReport {
        label: Some(label(&[], Coverage::partial(Reason::Opaque))),
        effect: Some(Effect::Escalate),
        ..unread("export/a,b.zip", Outcome::Partial, "zip archive")
    };
    let odd_path = OsStr::from_bytes(b"=export/\xff\x1b[2J\xe2\x80\xae219-09-9998.json");
    let odd_place = Place::Json {
        json_path: Arc::from("$[\"219-09-9998\"].\u{202e}card"),
        key: Arc::from("\u{202e}card"),
    };
    let odd = FileReport {
        path: PathBuf::from(odd_path),
        bytes: 7,
        chain: vec!["utf-16le", "json"],
        label: Some(label(&[(PAN, 2, Unique::AtLeast(1024), 86)], Coverage::complete())),
        findings: vec![
            Finding {
                place: Some(Box::new(odd_place)),
                chars: None,
                masked: "=**** **** **** ****".into(),
                evidence: Evidence { validator: true, ..Evidence::default() },
                fingerprint: None,
                ..finding(1, PAN, 200, 86)
            },
            Finding {
                evidence: Evidence { published_example: true, ..Evidence::default() },
                ..finding(1, PAN, 300, 86)
            },
        ],
        truncated: 0,
        ..customers()
    };
    vec![
        customers(),
        clean.clone(),
        archive,
        odd,
        unread("export/locked.bin", Outcome::Failed, "permission denied"),
        unread("export/link", Outcome::Skipped, "symbolic link"),
        unread("export/other link", Outcome::Skipped, "symbolic link"),
    ]
}

/// Two findings that do not count beside some that do; a reason holds what nothing may show.
fn excepting() -> FileReport {
    let excepted = |kind, reason: &str, start| Excepted {
        finding: Finding { line: 7, ..finding(1, PAN, start, 90) },
        kind,
        reason: reason.to_owned(),
    };
    let reason = "test card,\n::error::\u{202e} of 219-09-9998";
    FileReport {
        path: PathBuf::from("cards.txt"),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        excepted: vec![
            excepted(ExceptionKind::Inline, reason, 40),
            excepted(ExceptionKind::Baseline, "", 60),
        ],
        ..customers()
    }
}

fn customers() -> FileReport {
    let cell = |row, column: &str| Some(Box::new(Place::Cell { row, column: Arc::from(column) }));
    FileReport {
        commit: None,
        path: PathBuf::from("./export/customers.csv"),
        bytes: 1_234_567,
        outcome: Outcome::Scanned,
        problem: None,
        chain: vec!["csv"],
        label: Some(label(
            &[
                (SSN, 3, Unique::Exact(2), 92),
                (PAN, 1, Unique::Exact(1), 70),
                (RECORD, 1, Unique::Exact(1), 85),
            ],
            Coverage::complete(),
        )),
        findings: vec![
            Finding { place: cell(3, "ssn 219-09-9998"), ..finding(0, SSN, 118, 92) },
            Finding {
                evidence: Evidence { rests_on: Some(RuleIndex(0)), ..Evidence::default() },
                ..finding(2, RECORD, 118, 85)
            },
            Finding {
                place: cell(12, "card"),
                evidence: Evidence {
                    validator: true,
                    negative: Some(TermIndex(1)),
                    ..Evidence::default()
                },
                masked: "**** **** **** ****".into(),
                ..finding(1, PAN, 2000, 70)
            },
            Finding { evidence: Evidence::default(), ..finding(0, SSN, 3000, 40) },
        ],
        identities: Vec::new(),
        excepted: Vec::new(),
        truncated: 1,
        digest: None,
        effect: Some(Effect::Block),
        reason: None,
        inspected: None,
    }
}

fn finding(rule: u32, category: CategoryIndex, start: u64, likelihood: u32) -> Finding {
    Finding {
        rule: RuleIndex(rule),
        category,
        span: Span::new(start, start + 11),
        chars: Some(Span::new(start - 2, start + 9)),
        line: 4,
        column: 17,
        likelihood: Likelihood::new(likelihood),
        evidence: Evidence {
            validator: true,
            column: true,
            context: Some(TermIndex(0)),
            ..Evidence::default()
        },
        place: None,
        masked: "***-**-****".into(),
        fingerprint: Some(Fingerprint([0x5f; 16])),
        context_hash: 7,
    }
}

fn label(categories: &[(CategoryIndex, u64, Unique, u32)], coverage: Coverage) -> Label {
    let counts = categories.iter().map(|(category, count, unique, likelihood)| {
        let max_likelihood = Likelihood::new(*likelihood);
        (*category, CategoryCount { count: *count, unique: *unique, max_likelihood })
    });
    let restricted = !categories.is_empty();
    Label {
        categories: counts.collect(),
        possible: if restricted { BTreeMap::from([(SSN, 1)]) } else { BTreeMap::new() },
        sensitivity: if restricted { Sensitivity::Restricted } else { Sensitivity::Public },
        coverage,
        lineage: Default::default(),
    }
}

fn rules() -> RuleSet {
    let category = |id: &str, title: &str, class, sensitivity, laws: &[(&str, &str)]| Category {
        id: id.to_owned(),
        title: title.to_owned(),
        class,
        sensitivity,
        regulated: true,
        laws: laws
            .iter()
            .map(|(name, part)| Law { name: (*name).to_owned(), part: (*part).to_owned() })
            .collect(),
    };
    let taxonomy = Taxonomy::new(vec![
        category(
            "nat.us_ssn",
            "US Social Security number",
            Class::Nat,
            Sensitivity::Restricted,
            &[("HIPAA", "164.514(b)(2)(i)(G)"), ("GLBA", "")],
        ),
        category(
            "pci.pan",
            "Payment card number",
            Class::Pci,
            Sensitivity::Confidential,
            &[("PCI DSS", "3.4.1")],
        ),
        category("phi.record", "Health record", Class::Phi, Sensitivity::Restricted, &[]),
    ]);
    let rule = |id: &str, category, title: &str| Rule {
        id: id.to_owned(),
        category,
        title: title.to_owned(),
        why: format!("Why {title} is looked for."),
        source: "made up".to_owned(),
        country: None,
        country_terms: Vec::new(),
        pattern: "[0-9]{9}".to_owned(),
        anchors: Anchors::Digits { min: 9, max: 9 },
        lead: Lead::Bytes(0),
        max_length: 9,
        reach: 9,
        lies_in_cell: true,
        begins_in_cell: true,
        cells_beside: 0,
        boundary: None,
        validator: None,
        entropy: None,
        unless: Vec::new(),
        likelihood: 40,
        context: None,
        negative: None,
        columns: Vec::new(),
        column_boost: 45,
        examples: Vec::new(),
        counterexamples: Vec::new(),
        origin: Origin::default(),
    };
    RuleSet {
        taxonomy,
        rules: vec![
            rule("nat.us-ssn", SSN, "US Social Security number"),
            rule("pci.pan", PAN, "Payment card number"),
        ]
        .into(),
        combinations: vec![Combination {
            id: "phi.person-condition".to_owned(),
            category: RECORD,
            title: "Person identifier near a condition".to_owned(),
            why: "Together they are a health record.".to_owned(),
            source: "made up".to_owned(),
            of: vec![SSN],
            near: Vec::new(),
            terms: Vec::new(),
            within: 300,
            values: 0,
            likelihood: 85,
            examples: Vec::new(),
            counterexamples: Vec::new(),
            origin: Origin::default(),
        }],
        terms: ["ssn", "order"].iter().collect(),
        digest: [0xab; 32],
    }
}
