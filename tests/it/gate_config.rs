//! Where the policy of a commit comes from.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use sluicegate::config::{self, Origin};
use sluicegate::model::{
    Attested, CategoryCount, Channel, Claimed, Coverage, Effect, Executable, FlowHeader,
    KernelName, Label, Likelihood, Reason, Sensitivity, Unique,
};
use sluicegate::policy::{Carrier, Policy, decide};
use sluicegate::rules::Source;

use crate::repository::{Ran, Repository, SSN};
use crate::support::rules;

const EXCEPTABLE: &str = "version = 1\n[policy]\nexceptable = [\"nat.us_ssn\"]\n";

/// A register of the machine.
fn register(repository: &Repository, text: &str) -> String {
    let path = repository.aside("register.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn said(ran: &Ran, text: &str) -> bool {
    ran.out.contains(text) || ran.err.contains(text)
}

#[test]
fn the_file_of_head_governs_and_never_that_of_the_working_tree() {
    let repository = Repository::new();
    repository.stage("a.txt", format!("{} # sluice:allow nat.us-ssn a sample\n", SSN.trim()));
    repository.write("sluice.toml", EXCEPTABLE);
    assert_eq!(repository.gated(&[]).code, 1, "a file that is not committed");
    repository.git(&["add", "sluice.toml"]);
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 1, "a commit does not open its own gate: {ran:?}");
    assert!(said(&ran, "take effect at the next commit"), "{ran:?}");
    repository.git(&["reset", "-q"]);
    repository.committed("sluice.toml", EXCEPTABLE);
    repository.git(&["add", "a.txt"]);
    repository.write("sluice.toml", "version = 1\n");
    assert_eq!(repository.gated(&[]).code, 0);
    repository.git(&["add", "sluice.toml"]);
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 0, "nor does it close it: {ran:?}");
    let first = repository.git(&["rev-list", "--max-parents=0", "HEAD"]);
    repository.commit("the file is gone");
    repository.stage("b.txt", format!("{} # sluice:allow nat.us-ssn a sample\n", SSN.trim()));
    assert_eq!(repository.gated(&[]).code, 1);
    assert_eq!(repository.gated(&["--config-from", &first]).code, 0);
    assert_eq!(repository.gated(&["--config-from", "nothing"]).code, 2);
    assert_eq!(repository.gated(&["--tracked"]).code, 1);
}

#[test]
fn a_file_that_does_not_hold_stops_until_one_that_does_is_staged() {
    let repository = Repository::new();
    repository.committed("sluice.toml", EXCEPTABLE);
    repository.stage("sluice.toml", "version = 1\n[[path]]\nid = \"p\"\ncommand = [\"/bin/sh\"]\n");
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("that is staged cannot be used") && ran.err.contains("P016"),
        "{ran:?}"
    );
    repository.commit("past the gate");
    repository.stage("a.txt", "nothing\n");
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("of HEAD cannot be used"), "{ran:?}");
    repository.stage("sluice.toml", EXCEPTABLE);
    repository.stage("b.txt", format!("{} # sluice:allow nat.us-ssn a sample\n", SSN.trim()));
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 1, "no exception counts: {ran:?}");
    assert!(said(&ran, "register of the machine alone, without exceptions"), "{ran:?}");
    repository.git(&["rm", "-q", "--cached", "b.txt"]);
    assert_eq!(repository.gated(&[]).code, 0);
    // Not UTF-8, a link, too large.
    repository.commit("mended");
    for bytes in [vec![0xff], vec![b'#'; (1 << 20) + 1]] {
        repository.stage("sluice.toml", bytes);
        assert_eq!(repository.gated(&[]).code, 2);
    }
    fs::remove_file(repository.path("sluice.toml")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", repository.path("sluice.toml")).unwrap();
    repository.git(&["add", "sluice.toml"]);
    assert_eq!(repository.gated(&[]).code, 2);
}

#[test]
fn the_register_of_the_machine_says_what_is_exceptable() {
    let repository = Repository::new();
    repository.committed("sluice.toml", EXCEPTABLE);
    repository.stage("a.txt", format!("{} # sluice:allow nat.us-ssn a sample\n", SSN.trim()));
    assert_eq!(repository.gated(&[]).code, 0, "nobody else says anything");
    let none = register(&repository, "version = 1\n");
    let ran = repository.gated(&["--config", &none]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(said(&ran, "calls `nat.us_ssn` exceptable"), "{ran:?}");
    assert!(said(&ran, "do not apply, since `nat.us_ssn` is not exceptable"), "{ran:?}");
    let both = register(&repository, EXCEPTABLE);
    assert_eq!(repository.gated(&["--config", &both]).code, 0);
}

#[test]
fn rules_of_a_repository_raise_and_its_destinations_come_last() {
    let repository = Repository::new();
    let own = "version = 1\n[[destination]]\nid = \"mine\"\nurl = \"https://git.example.com\"\n\
               [[rule]]\nid = \"mine.addresses\"\nwhen = { category = \"pii.email\" }\neffect = \"block\"\n\
               reason = \"No addresses here.\"\n[[rule]]\nid = \"mine.ssn\"\nwhen = { category = \"nat.us_ssn\" }\n\
               effect = \"allow\"\nreason = \"All is well.\"\n[gate]\ndestination = \"https://git.example.com/x\"\n";
    repository.committed("sluice.toml", own);
    repository.stage("a.txt", SSN);
    assert_eq!(repository.gated(&[]).code, 1, "a repository's rule allows nothing");
    let machine = register(
        &repository,
        "version = 1\n[[destination]]\nid = \"forge\"\ntrust = \"internal\"\nurl = \"git.example.com\"\n",
    );
    let to = ["--config", &machine, "--destination", "https://git.example.com/x"];
    assert_eq!(repository.gated(&to).code, 3, "the machine knows the host");
    let ran = repository.gated(&["--config", &machine]);
    assert_eq!(ran.code, 1, "no repository chooses a destination of the machine: {ran:?}");
    let same = register(
        &repository,
        "version = 1\n[[destination]]\nid = \"mine\"\ntrust = \"internal\"\nurl = \"x.example\"\n",
    );
    let ran = repository.gated(&["--config", &same]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("E010") && ran.err.contains("sluice.toml:3:6"), "{ran:?}");
}

#[test]
fn what_the_flow_of_a_commit_is_the_register_may_say() {
    let repository = Repository::new();
    repository.committed("a.txt", "nothing\n");
    repository.stage("b.txt", SSN);
    let text = "version = 1\n[[destination]]\nid = \"forge\"\ntrust = \"internal\"\nurl = \"git.example.com\"\n\
                approved = [\"nat.us_ssn\"]\n[[workflow]]\nid = \"commits\"\nowner = \"o\"\npurposes = [\"p\"]\n\
                approved = [\"nat.us_ssn\"]\ndestinations = [\"forge\"]\nbind = { anyone = true }\n\
                [gate]\ndestination = \"forge\"\nworkflow = \"commits\"\npurpose = \"p\"\n";
    let machine = register(&repository, text);
    assert_eq!(repository.gated(&["--config", &machine]).code, 0);
    assert_eq!(repository.gated(&["--config", &machine, "--purpose", "other"]).code, 3);
    let wrong = register(
        &repository,
        &text.replace("workflow = \"commits\"\np", "workflow = \"comits\"\np"),
    );
    assert_eq!(repository.gated(&["--config", &wrong]).code, 2);
    let machine = register(&repository, text);
    // A repository does not say it.
    repository.stage("sluice.toml", "version = 1\n[gate]\nworkflow = \"commits\"\n");
    let ran = repository.gated(&["--config", &machine]);
    assert!(ran.code == 2 && ran.err.contains("P016"), "{ran:?}");
    repository.stage(
        "sluice.toml",
        "version = 1\n[[destination]]\nid = \"d\"\nurl = \"d.example\"\nopaque = \"allow\"\n",
    );
    assert!(repository.gated(&[]).err.contains("P016"));
}

fn attested() -> Attested {
    Attested {
        uid: 1000,
        gid: 1000,
        groups: [].into(),
        pid: 7,
        start_time: 1,
        cgroup: KernelName::read(b"/"),
        unit: None,
        executable: Executable::Unavailable("test"),
        token_of: None,
        self_attested: true,
    }
}

const CATEGORIES: [&str; 4] = ["pii.email", "nat.us_ssn", "sec.github", "phi.icd10"];
const TEXTS: [&str; 8] = [
    "",
    "https://a.example/x/y",
    "https://sub.b.example",
    "localhost",
    "m0",
    "r0",
    "forge",
    "tool:send_mail",
];

/// A rule with these conditions.
fn rule(whose: &str, own: bool) -> impl Strategy<Value = String> + use<> {
    let prefix = whose.to_owned();
    (
        0..4_usize,
        prop::sample::select(vec!["category", "lineage", "coverage", "flow"]),
        prop::sample::select(vec!["allow", "escalate", "block", "redact"]),
        prop::sample::select(vec!["", "internal", "external", "unknown"]),
        any::<bool>(),
        1..3_u8,
        0..1_000_000_u32,
        any::<bool>(),
    )
        .prop_map(move |(category, about, effect, trust, here, count, id, shadow)| {
            let mut when = Vec::new();
            match about {
                "category" => when.push(format!("category = \"{}\"", CATEGORIES[category])),
                "lineage" => when.push(format!("lineage = \"{}\"", CATEGORIES[category])),
                "coverage" => when.push("coverage = [\"opaque\", \"limit\"]".to_owned()),
                _ => {}
            }
            if about == "category" && count > 1 {
                when.push(format!("count = {count}"));
            }
            if !trust.is_empty() {
                when.push(format!("trust = \"{trust}\""));
            }
            if here && own {
                when.push(format!("destination = \"{prefix}0\""));
            }
            let effect = if effect == "redact" && about != "category" { "block" } else { effect };
            let shadow = if shadow && id % 3 == 0 { "shadow = true\n" } else { "" };
            format!(
                "[[rule]]\nid = \"{prefix}.x{id}\"\nwhen = {{ {} }}\neffect = \"{effect}\"\nreason = \"why\"\n{shadow}",
                when.join(", ")
            )
        })
}

fn destination(id: &str, trust: &'static str) -> impl Strategy<Value = String> + use<> {
    let id = id.to_owned();
    let matchers = [
        "url = \"https://a.example/x\"",
        "url = \"*.b.example\"",
        "url = \"localhost\"",
        "url = [\"a.example\", \"sub.b.example\"]",
        "tool = \"send_*\"",
    ];
    let opaque = ["", "opaque = \"block\"\n", "opaque = \"escalate\"\n"];
    (prop::sample::select(matchers.to_vec()), prop::sample::select(opaque.to_vec())).prop_map(
        move |(matcher, opaque)| {
            format!(
                "[[destination]]\nid = \"{id}\"\n{trust}{matcher}\napproved = [\"pii\"]\n{opaque}"
            )
        },
    )
}

fn file(whose: &'static str) -> impl Strategy<Value = String> {
    let machine = whose == "m";
    let trust = if machine { "trust = \"internal\"\n" } else { "" };
    let name = format!("{whose}0");
    let first = destination(&name, trust);
    // An id of a repository that is also a host.
    let second = destination(
        if machine { "forge" } else { "localhost" },
        if machine { "trust = \"external\"\n" } else { "" },
    );
    let rules = prop::collection::vec(rule(whose, true), 0..4);
    (prop::option::of(first), prop::option::of(second), rules).prop_map(
        move |(first, second, rules)| {
            let rules: String = rules
                .into_iter()
                .filter(|rule| first.is_some() || !rule.contains("destination ="))
                .collect();
            let parts = [first.unwrap_or_default(), second.unwrap_or_default(), rules];
            format!("version = 1\n{}", parts.concat())
        },
    )
}

fn label(categories: &[(usize, u64)], lineage: &[usize], coverage: usize) -> Label {
    let find = |at: usize| rules().taxonomy.find(CATEGORIES[at]).unwrap();
    let count = |count| CategoryCount {
        count,
        unique: Unique::Exact(1),
        max_likelihood: Likelihood::new(90),
    };
    Label {
        categories: categories.iter().map(|(at, number)| (find(*at), count(*number))).collect(),
        possible: [].into(),
        sensitivity: Sensitivity::Public,
        coverage: match coverage {
            0 => Coverage::complete(),
            1 => Coverage::partial(Reason::Opaque),
            _ => Coverage::partial(Reason::Limit),
        },
        lineage: lineage.iter().map(|at| find(*at)).collect(),
    }
}

fn effect(policy: &Policy, destination: &str, label: &Label) -> Effect {
    let header = FlowHeader {
        channel: Some(Channel::Commit),
        destination: Some(destination).filter(|it| !it.is_empty()).map(Claimed::new),
        ..FlowHeader::default()
    };
    let flow = policy.resolve(&header, &attested(), Carrier::Fixed);
    decide(policy, label, &flow, &[], 0).effect
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever a repository's file says, and wherever the flow goes: nothing is weaker than by the
    /// register of the machine alone.
    #[test]
    fn a_repository_never_lowers_an_effect(
        machine in file("m"),
        own in file("r"),
        labels in prop::collection::vec((prop::collection::vec((0..4_usize, 1..3_u64), 0..3),
            prop::collection::vec(0..4_usize, 0..2), 0..3_usize), 1..6),
    ) {
        let taxonomy = &rules().taxonomy;
        let source = |name: &str, text: &str| Source { name: name.into(), text: text.into(), builtin: false };
        let (machine, own) = (source("m.toml", &machine), source("sluice.toml", &own));
        // All rules may be shadows, which is refused.
        let Ok(alone) = config::compile(&machine, taxonomy, Origin::System, "0") else { return Ok(()) };
        for register in [Some((&machine, &alone)), None] {
            let Ok(joined) = config::govern(register, Some(&own), taxonomy, "0") else {
                prop_assert!(config::compile(&own, taxonomy, Origin::Repository, "0").is_err());
                return Ok(());
            };
            let alone = match register {
                Some((_, alone)) => alone.policy.clone(),
                None => Policy::defaults(taxonomy).unwrap(),
            };
            prop_assert_ne!(alone.digest(), joined.config.policy.digest());
            for (categories, lineage, coverage) in &labels {
                let label = label(categories, lineage, *coverage);
                for text in TEXTS {
                    let (before, after) = (effect(&alone, text, &label), effect(&joined.config.policy, text, &label));
                    prop_assert!(after >= before, "{text}: {before:?} becomes {after:?}");
                }
            }
        }
    }
}
