//! `sluice.toml`: what loads, what is refused, and that the starter does what it says.

use sluicegate::config::{self, Config, Origin, STARTER};
use sluicegate::model::{
    Attested, CategoryCount, Channel, Claimed, Coverage, Effect, Executable, FlowHeader,
    KernelName, Label, Likelihood, Sensitivity, Unique,
};
use sluicegate::policy::{Carrier, decide};
use sluicegate::rules::{Code, Diagnostics, Source};

use crate::support::rules;

fn source(text: &str) -> Source {
    Source { name: "sluice.toml".into(), text: text.into(), builtin: false }
}

fn check(text: &str) -> (Option<Config>, Diagnostics) {
    config::check(&source(text), &rules().taxonomy, Origin::System, "0")
}

/// The starter with its examples in force.
fn uncommented() -> String {
    let line = |line: &str| {
        let example = line.strip_prefix('#').filter(|it| !it.is_empty() && !it.starts_with(' '));
        example.unwrap_or(line).to_owned() + "\n"
    };
    STARTER.lines().map(line).collect()
}

#[test]
fn the_starter_loads_without_a_warning() {
    let (config, diagnostics) = check(STARTER);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render(&[source(STARTER)]));
    let config = config.expect("it loads");
    assert!(config.policy.rules().is_empty() && !config.settings.record_required);
    assert_eq!(config.settings.max_findings, Some(10_000));
    assert!(config.policy.exceptable().is_empty());
}

#[test]
fn the_examples_of_the_starter_load_without_a_warning() {
    let text = uncommented();
    let (config, diagnostics) = check(&text);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render(&[source(&text)]));
    let policy = config.expect("it loads").policy;
    assert_eq!((policy.destinations().len(), policy.workflows().len()), (2, 1));
    assert_eq!((policy.rules().len(), policy.approvers().len(), policy.paths().len()), (3, 1, 1));
}

fn attested(unit: &str) -> Attested {
    Attested {
        uid: 1000,
        gid: 1000,
        groups: [].into(),
        pid: 7,
        start_time: 1,
        cgroup: KernelName::read(b"/"),
        unit: Some(KernelName::read(unit.as_bytes())),
        executable: Executable::Unavailable("test"),
        token_of: None,
        self_attested: false,
    }
}

fn label(categories: &[(&str, u64)]) -> Label {
    let count = |count: u64| CategoryCount {
        count,
        unique: Unique::Exact(u32::try_from(count).unwrap()),
        max_likelihood: Likelihood::new(90),
    };
    let find = |id: &str| rules().taxonomy.find(id).unwrap_or_else(|| panic!("{id}"));
    Label {
        categories: categories.iter().map(|(id, number)| (find(id), count(*number))).collect(),
        possible: [].into(),
        sensitivity: Sensitivity::Public,
        coverage: Coverage::complete(),
        lineage: [].into(),
    }
}

#[test]
fn the_examples_of_the_starter_decide_as_they_say() {
    let text = uncommented();
    let policy = check(&text).0.expect("it loads").policy;
    let effect = |destination: &str, categories: &[(&str, u64)]| {
        let claim = |text: &str| Some(Claimed::new(text));
        let header = FlowHeader {
            channel: Some(Channel::Prompt),
            workflow: claim("support-replies"),
            purpose: claim("customer-support"),
            destination: claim(destination),
            run: claim("r1"),
            trigger: claim("ann"),
            ..FlowHeader::default()
        };
        let flow = policy.resolve(&header, &attested("support-agent.service"), Carrier::Rewritable);
        decide(&policy, &label(categories), &flow, &[], 0).effect
    };
    assert_eq!(effect("https://api.model.example/v1/chat", &[("pii.email", 3)]), Effect::Redact);
    assert_eq!(effect("https://api.model.example/v2/chat", &[("pii.email", 3)]), Effect::Block);
    assert_eq!(effect("https://api.model.example/v1/chat", &[("fin.iban", 1)]), Effect::Block);
    assert_eq!(effect("warehouse", &[("fin.iban", 1)]), Effect::Allow);
    assert_eq!(effect("s3://example-warehouse/in", &[("pii.email", 100)]), Effect::Escalate);
    assert_eq!(effect("warehouse", &[("sec.github", 1)]), Effect::Block);
    assert_eq!(effect("warehouse", &[("phi.mrn", 1)]), Effect::Escalate);
}

#[test]
fn the_digest_names_path_content_and_engine() {
    let digest = |name: &str, text: &str, engine: &str| {
        let source = Source { name: name.into(), text: text.into(), builtin: false };
        let config = config::compile(&source, &rules().taxonomy, Origin::System, engine);
        config.expect("it loads").policy.digest()
    };
    let one = digest("a", "version = 1", "1");
    assert_eq!(one, digest("a", "version = 1", "1"));
    assert_ne!(one, digest("b", "version = 1", "1"));
    assert_ne!(one, digest("a", "version = 1 ", "1"));
    assert_ne!(one, digest("a", "version = 1", "2"));
}

#[test]
fn a_repository_cannot_say_who_is_trusted() {
    let text = "version = 1\n[[destination]]\nid = \"d\"\nurl = \"d.example\"\n[[rule]]\nid = \"r\"\n\
                when = { class = \"pii\", destination = \"d\" }\neffect = \"block\"\nreason = \"no\"\n";
    let of = |text: &str, origin| config::check(&source(text), &rules().taxonomy, origin, "0");
    let (config, diagnostics) = of(text, Origin::Repository);
    assert!(config.is_some(), "{diagnostics}");
    let refused = "[[path]]\nid = \"p\"\ncommand = [\"/bin/sh\"]\n[record]\nrequired = true\n\
                   [[approver]]\nid = \"a\"\n[[workflow]]\nid = \"w\"\n[limits]\nfindings = 1\n";
    let trusted = text.replace("id = \"d\"\n", "id = \"d\"\ntrust = \"internal\"\n");
    let (config, diagnostics) = of(&format!("{trusted}{refused}"), Origin::Repository);
    assert!(config.is_none());
    let codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::NotFromRepository; 6]);
}

#[test]
fn the_page_shows_the_register_of_the_example() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (page, example) = (read("docs/POLICY.md"), read("examples/hospital.toml"));
    let blocks: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(blocks.len() >= 8, "the page shows every section");
    for block in blocks {
        assert!(example.contains(block), "not in the example:\n{block}");
    }
}

/// The keys of every section, as the reader itself names them.
#[test]
fn the_page_and_the_starter_explain_every_key() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |page: &str| std::fs::read_to_string(root.join(page)).unwrap();
    let page = read("docs/POLICY.md") + &read("docs/SERVE.md") + &read("docs/DROP-IN.md");
    let sections = [
        "",
        "[record]\n",
        "[limits]\n",
        "[policy]\n",
        "[gate]\n",
        "[[exception]]\n",
        "[[destination]]\n",
        "[[workflow]]\n",
        "[[workflow]]\n[workflow.bind]\n",
        "[[approver]]\n",
        "[[path]]\n",
        "[[rule]]\n",
        "[[rule]]\n[rule.when]\n",
        "[serve]\n",
        "[serve.limits]\n",
        "[serve.litellm]\n",
    ];
    let mut keys = std::collections::BTreeSet::new();
    for section in sections {
        let (_, diagnostics) = check(&format!("version = 1\n{section}qqqqqqqqqqqq = 1\n"));
        let unknown = diagnostics.iter().find(|diagnostic| diagnostic.code == Code::UnknownKey);
        let help = unknown.and_then(|it| it.help.clone()).unwrap_or_else(|| panic!("{section}"));
        let known = help.strip_prefix("known keys: ").unwrap_or_else(|| panic!("{help}"));
        keys.extend(known.split(", ").map(str::to_owned));
    }
    assert!(keys.len() > 50, "{keys:?}");
    let shown = |text: &str, key: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key)
    };
    let missing: Vec<&String> = keys.iter().filter(|key| !shown(&page, key)).collect();
    assert!(missing.is_empty(), "the page lacks {missing:?}");
}
