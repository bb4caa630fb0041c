//! Generated registers: the explanation and the difference against the decision, texts that are
//! changed at random, and what a sentence may hold.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sluicegate::config::{self, Origin, STARTER};
use sluicegate::model::{
    Attested, CategoryCount, CategoryIndex, Channel, Claimed, Coverage, Effect, Executable,
    FlowHeader, KernelName, Label, Likelihood, Reason, Sensitivity, Unique,
};
use sluicegate::policy::{
    Carrier, Data, Determinant, Difference, Flow, Outcome, Point, Policy, Transform, decide, diff,
};
use sluicegate::rules::Source;

use crate::support::rules;

const CATEGORIES: [&str; 5] = ["pii.email", "pci.pan", "sec.github", "fin.isin", "phi.mrn"];

/// A rule as it stands in a file, of numbers that choose.
fn rule(at: usize, choice: &[u8; 8]) -> String {
    let [subject, categories, threshold, place, workflow, effect, contains, shadow] = *choice;
    let pick = |bits: u8| -> Vec<String> {
        let chosen = CATEGORIES.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, id)| format!("{id:?}")).collect()
    };
    let list = |bits: u8| match pick(bits) {
        empty if empty.is_empty() => "\"pii\"".to_owned(),
        some => some.join(", "),
    };
    let mut when = match subject % 8 {
        0 => vec!["coverage = [\"opaque\", \"limit\"]".to_owned()],
        1 => vec![],
        2 => vec![format!("lineage = [{}]", list(categories))],
        3 => vec!["sensitivity = \"confidential\"".to_owned()],
        _ => vec![format!("category = [{}]", list(categories))],
    };
    let about_findings = subject % 8 > 2;
    if about_findings {
        match threshold % 8 {
            0 => when.push("count = 3".to_owned()),
            1 => when.push("unique = 2".to_owned()),
            2 => when.push("likelihood = 90".to_owned()),
            3 => when.push("possible = true".to_owned()),
            4 => when.push("possible = true, count = 4".to_owned()),
            _ => {}
        }
    }
    match place % 6 {
        0 => when.push("destination = \"d0\"".to_owned()),
        1 => when.push("trust = [\"external\", \"unknown\"]".to_owned()),
        2 => when.push("channel = [\"prompt\", \"commit\"]".to_owned()),
        _ => {}
    }
    match workflow % 6 {
        0 => when.push("workflow = \"w0\"".to_owned()),
        1 => when.push("purpose = \"one\"".to_owned()),
        _ => {}
    }
    if contains % 4 == 0 {
        let ids = pick(contains >> 2);
        when.extend((!ids.is_empty()).then(|| format!("contains = [{}]", ids.join(", "))));
    }
    let effect = ["allow", "redact", "escalate", "block"][usize::from(effect % 4)];
    let effect = if effect == "redact" && !about_findings { "escalate" } else { effect };
    let transform = match (effect, shadow % 3) {
        ("redact", 0) => "transform = \"drop\"\n",
        ("redact", 1) => "transform = \"tokenize\"\n",
        _ => "",
    };
    let shadow = if at > 0 && shadow % 7 == 0 { "shadow = true\n" } else { "" };
    format!(
        "[[rule]]\nid = \"r{at}\"\nwhen = {{ {} }}\neffect = \"{effect}\"\n{transform}{shadow}reason = \"r\"\n",
        when.join(", ")
    )
}

fn register(parts: &[u8; 12], rules: &[[u8; 8]]) -> String {
    let list = |bits: u8| -> String {
        let chosen = CATEGORIES.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, id)| format!("{id:?}")).collect::<Vec<_>>().join(", ")
    };
    let opaque = |byte: u8| match byte % 4 {
        0 => "opaque = \"allow\"\n",
        1 => "opaque = \"block\"\n",
        _ => "",
    };
    let mut text = "version = 1\n".to_owned();
    for at in 0..2usize {
        let trust = if parts[at].is_multiple_of(2) { "internal" } else { "external" };
        let (approved, url) =
            (list(parts[at + 2]), if parts[at].is_multiple_of(3) { "x" } else { "y" });
        let opaque = opaque(parts[at] >> 2);
        text += &format!(
            "[[destination]]\nid = \"d{at}\"\ntrust = \"{trust}\"\nurl = [\"{url}{at}.example\"]\n\
             approved = [{approved}]\n{opaque}"
        );
    }
    for at in 0..2usize {
        let approved = list(parts[at + 4]);
        // Rules name purpose `one`, so that one workflow has to list it.
        let purposes = ["\"one\"", "\"one\", \"two\"", "\"two\""];
        let purposes = purposes[usize::from(parts[at + 6]) % (at + 2)];
        let destinations = ["\"d0\"", "\"d0\", \"d1\"", ""][usize::from(parts[at + 8] % 3)];
        let opaque = opaque(parts[at + 10]);
        text += &format!(
            "[[workflow]]\nid = \"w{at}\"\nowner = \"o\"\npurposes = [{purposes}]\n\
             approved = [{approved}]\ndestinations = [{destinations}]\n{opaque}\
             bind = {{ anyone = true }}\n"
        );
    }
    text + &rules.iter().enumerate().map(|(at, choice)| rule(at, choice)).collect::<String>()
}

fn load(text: &str) -> Policy {
    let source = Source { name: "p.toml".into(), text: text.into(), builtin: false };
    let (config, diagnostics) = config::check(&source, &rules().taxonomy, Origin::System, "0");
    match config {
        Some(config) => config.policy,
        None => panic!("{}", diagnostics.render(&[source])),
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any::<[u8; 12]>(), prop::collection::vec(any::<[u8; 8]>(), 0..5))
        .prop_map(|(parts, rules)| load(&register(&parts, &rules)))
}

fn nobody() -> Attested {
    Attested {
        uid: 1,
        gid: 1,
        groups: BTreeSet::new(),
        pid: 1,
        start_time: 1,
        cgroup: KernelName::read(b"/"),
        unit: None,
        executable: Executable::Unavailable("test"),
        token_of: None,
        self_attested: false,
    }
}

fn flow(policy: &Policy, choice: &[u8; 4]) -> Flow {
    let [channel, workflow, purpose, destination] = *choice;
    let claim = |text: &str| Some(Claimed::new(text)).filter(|text| !text.as_str().is_empty());
    let channel = Channel::ALL[usize::from(channel) % 7];
    let header = FlowHeader {
        channel: Some(channel),
        workflow: claim(["", "w0", "w1", "zzclaimed"][usize::from(workflow) % 4]),
        purpose: claim(["", "one", "two", "zzclaimed"][usize::from(purpose) % 4]),
        destination: claim(
            [
                "",
                "d0",
                "https://y1.example/zzclaimed",
                "https://x0.example",
                "https://zzclaimed.example",
            ][usize::from(destination) % 5],
        ),
        agent: claim("zzclaimed"),
        trigger: claim("zzclaimed"),
        ..FlowHeader::default()
    };
    let carrier = if channel == Channel::Commit { Carrier::Fixed } else { Carrier::Rewritable };
    policy.resolve(&header, &nobody(), carrier)
}

fn category(at: u8) -> CategoryIndex {
    rules().taxonomy.find(CATEGORIES[usize::from(at) % 5]).expect("it is there")
}

fn count(count: u64, unique: u32, likelihood: u32) -> CategoryCount {
    CategoryCount {
        count,
        unique: Unique::Exact(unique),
        max_likelihood: Likelihood::new(likelihood),
    }
}

fn empty() -> Label {
    Label {
        categories: [].into(),
        possible: [].into(),
        sensitivity: Sensitivity::Public,
        coverage: Coverage::complete(),
        lineage: [].into(),
    }
}

fn any_label() -> impl Strategy<Value = Label> {
    let found = prop::collection::vec((0u8..5, 1u64..6, 65u32..100), 0..3);
    let possible = prop::collection::vec((0u8..5, 1u64..6), 0..2);
    let lineage = prop::collection::vec(0u8..5, 0..2);
    let reasons = [Reason::Opaque, Reason::Limit, Reason::Error];
    let reasons = prop::collection::btree_set(prop::sample::select(reasons.to_vec()), 0..2);
    (found, possible, lineage, reasons).prop_map(|(found, possible, lineage, reasons)| Label {
        categories: found
            .into_iter()
            .map(|(at, number, likelihood)| {
                (category(at), count(number, u32::try_from(number).unwrap(), likelihood))
            })
            .collect(),
        possible: possible.into_iter().map(|(at, number)| (category(at), number)).collect(),
        lineage: lineage.into_iter().map(category).collect(),
        coverage: Coverage { reasons },
        ..empty()
    })
}

/// The effect and transform of a flow that the difference lists, if it does.
fn listed(
    difference: &Difference,
    data: &(Data, Point),
    names: [&str; 3],
    channel: Channel,
) -> Option<(Effect, Effect)> {
    let [destination, workflow, purpose] = names;
    let mut found = difference.groups.iter().filter(|group| {
        group.data.contains(data)
            && group.destinations.values.contains(destination)
            && group.workflows.values.contains(workflow)
            && group.purposes.values.contains(purpose)
            && group.channels.values.contains(&channel)
    });
    let first = found.next().map(|group| (group.old.0, group.new.0));
    assert!(found.next().is_none(), "a flow stands in one group");
    first
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the explanation says of rules and defaults gives the effect that was decided.
    #[test]
    fn explanations_add_up(policy in any_policy(), label in any_label(), choice in any::<[u8; 4]>()) {
        let flow = flow(&policy, &choice);
        let explanation = policy.explain(&label, &flow);
        prop_assert_eq!(&explanation.decision, &decide(&policy, &label, &flow, &[], 0));
        for item in &explanation.items {
            let strongest = |wanted: Outcome| {
                let matching = item.rules.iter().filter(|(_, outcome)| *outcome == wanted);
                matching.map(|(at, _)| policy.rules()[*at].effect).max()
            };
            let default = item.default.effect;
            let mut effect = strongest(Outcome::InPlaceOfDefault).unwrap_or(default);
            effect = effect.max(strongest(Outcome::Raising).unwrap_or(Effect::Allow));
            if effect == Effect::Redact && flow.carrier == Carrier::Fixed {
                effect = Effect::Escalate;
            }
            prop_assert_eq!(effect, item.decided.effect, "{:?}", item);
        }
        let shadows: BTreeSet<usize> = explanation
            .items
            .iter()
            .flat_map(|item| &item.rules)
            .filter(|(_, outcome)| *outcome == Outcome::Shadow)
            .map(|(at, _)| *at)
            .collect();
        let decided: BTreeSet<usize> = explanation.decision.shadows.iter().map(|(at, _)| *at).collect();
        prop_assert_eq!(shadows, decided);
    }

    /// A sentence holds nothing that the header claims.
    #[test]
    fn sentences_hold_no_claim(policy in any_policy(), label in any_label(), choice in any::<[u8; 4]>()) {
        let flow = flow(&policy, &choice);
        let mut decision = decide(&policy, &label, &flow, &[], 0);
        for from in [Determinant::Evidence, Determinant::Redaction, Determinant::Failure] {
            let sentence = policy.sentence(&decision, &flow, &rules().taxonomy);
            prop_assert!(!sentence.contains("zz"), "{sentence}");
            prop_assert!(sentence.ends_with('.') && sentence.len() < 2_000, "{sentence}");
            decision.raise(Effect::Block, from);
        }
    }

    /// A flow is listed by the difference if and only if its effect differs.
    #[test]
    fn differences_are_exact(
        (parts, rules_) in (any::<[u8; 12]>(), prop::collection::vec(any::<[u8; 8]>(), 0..4)),
        (at, byte) in (0usize..12, any::<u8>()),
        other_rules in prop::collection::vec(any::<[u8; 8]>(), 0..3),
        choices in prop::collection::vec((any::<[u8; 5]>(), any_label()), 40),
    ) {
        // A register, and one that differs from it in a part and its last rules.
        let mut changed = parts;
        changed[at] = byte;
        let mut new_rules = rules_.clone();
        new_rules.truncate(2);
        new_rules.extend(other_rules);
        let (old, new) = (load(&register(&parts, &rules_)), load(&register(&changed, &new_rules)));
        let difference = diff(&old, &new, &rules().taxonomy).expect("there are few flows");
        for (choice, any_payload) in choices {
            let [data, channel, workflow, purpose, destination] = choice;
            let destination = ["d0", "d1", "unknown"][usize::from(destination) % 3];
            let workflow = ["w0", "w1", "none"][usize::from(workflow) % 3];
            let purpose = ["one", "two", "none"][usize::from(purpose) % 3];
            let channel = Channel::ALL[usize::from(channel) % 7];
            let mut label = empty();
            let data = match data % 16 {
                0 => Data::Nothing,
                1 => Data::Coverage(Reason::Opaque),
                2 => Data::Coverage(Reason::Limit),
                3..=6 => Data::Lineage(category(data >> 4)),
                _ => Data::Category(category(data >> 4)),
            };
            match data {
                Data::Nothing => {}
                Data::Coverage(reason) => label.coverage = Coverage::partial(reason),
                Data::Lineage(category) => drop(label.lineage.insert(category)),
                Data::Category(category) => drop(label.categories.insert(category, count(1, 1, 65))),
            }
            let decided = |policy: &Policy, label: &Label| {
                let claim = |text: &str| Some(Claimed::new(text));
                let header = FlowHeader {
                    channel: Some(channel),
                    workflow: claim(workflow),
                    purpose: claim(purpose),
                    destination: claim(destination),
                    ..FlowHeader::default()
                };
                let fixed = channel == Channel::Commit;
                let carrier = if fixed { Carrier::Fixed } else { Carrier::Rewritable };
                let flow = policy.resolve(&header, &nobody(), carrier);
                let decision = decide(policy, label, &flow, &[], 0);
                let Data::Category(category) = data else { return (decision.effect, None) };
                let transform = decision.transforms().find(|(it, _, _)| *it == category);
                let redacted = decision.effect == Effect::Redact;
                (decision.effect, transform.map(|(_, it, _)| it).filter(|_| redacted))
            };
            let (before, after): ((Effect, Option<Transform>), _) = (decided(&old, &label), decided(&new, &label));
            let expected = (before != after).then_some((before.0, after.0));
            let point = (data, Point::base());
            // A purpose that no workflow lists is like none.
            let known = |policy: &Policy| policy.purposes().iter().any(|it| it == purpose);
            let purpose = if known(&old) || known(&new) { purpose } else { "none" };
            let found = listed(&difference, &point, [destination, workflow, purpose], channel);
            prop_assert_eq!(
                found, expected,
                "{:?} {} {} {} {:?}
{}
{}",
                data, destination, workflow, purpose, channel,
                register(&parts, &rules_), register(&changed, &new_rules)
            );
            // Whatever a payload holds: where nothing is listed, nothing differs.
            let anything = difference.groups.iter().any(|group| {
                group.destinations.values.contains(destination)
                    && group.workflows.values.contains(workflow)
                    && group.purposes.values.contains(purpose)
                    && group.channels.values.contains(&channel)
            });
            let (before, after) = (decided(&old, &any_payload).0, decided(&new, &any_payload).0);
            prop_assert!(anything || before == after, "{:?}", any_payload);
        }
        let same = diff(&old, &old, &rules().taxonomy).expect("there are few flows");
        prop_assert!(same.groups.is_empty() && same.register.is_empty());
    }

    /// However a register is changed, it loads or is refused with a place inside it.
    #[test]
    fn registers_load_or_are_refused(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..12, "[\\[\\]{}\"'=,.#0-9a-z*\\\\/@:\n -]{0,8}"), 1..8),
    ) {
        let mut text: Vec<char> = STARTER
            .lines()
            .flat_map(|line| {
                let example = line.strip_prefix('#').filter(|it| !it.starts_with(' '));
                example.unwrap_or(line).chars().chain(['\n'])
            })
            .collect();
        for (at, length, piece) in changes {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        let lines = text.matches('\n').count() + 1;
        let source = Source { name: "p.toml".into(), text, builtin: false };
        for origin in [Origin::System, Origin::Repository] {
            let (config, diagnostics) = config::check(&source, &rules().taxonomy, origin, "0");
            prop_assert_eq!(config.is_some(), !diagnostics.has_errors(), "{}", diagnostics);
            for diagnostic in &diagnostics {
                prop_assert!((1..=lines).contains(&diagnostic.line) && diagnostic.column >= 1);
            }
            let _ = diagnostics.render(std::slice::from_ref(&source));
        }
    }
}

/// Which texts belong to another destination, where matchers overlap without one being in the other.
#[test]
fn differences_follow_what_matchers_share() {
    let register = |one: &str, two: &str| {
        let part = |id: &str, url: &str| {
            format!(
                "[[destination]]\nid = \"{id}\"\ntrust = \"internal\"\nurl = [{url}]\nopaque = \"block\"\n"
            )
        };
        load(&format!("version = 1\n{}{}", part("one", one), part("two", two)))
    };
    let moved = |old: (&str, &str), new: (&str, &str)| -> Vec<String> {
        let (old, new) = (register(old.0, old.1), register(new.0, new.1));
        let difference = diff(&old, &new, &rules().taxonomy).expect("there are few flows");
        let names = difference.groups.iter().flat_map(|group| group.destinations.values.clone());
        let names: BTreeSet<String> = names.collect();
        names.into_iter().collect()
    };
    // What `one` gives up is unknown, but for what `two` has by another matcher; to move from one
    // to another that is treated alike changes nothing.
    let old = ("\"api.example.com\"", "\"*.example.com/v1\"");
    assert_eq!(moved(old, old), [""; 0]);
    assert_eq!(moved(old, ("", old.1)), ["url api.example.com (one -> unknown)"]);
    let rule = "[[rule]]\nid = \"r\"\nwhen = { destination = \"two\" }\neffect = \"block\"\nreason = \"r\"\n";
    let with_rule = |url: &str| {
        let text = format!(
            "version = 1\n[[destination]]\nid = \"one\"\ntrust = \"internal\"\nurl = [{url}]\n\
             [[destination]]\nid = \"two\"\ntrust = \"internal\"\nurl = [\"*.example.com/v1\"]\n{rule}"
        );
        load(&text)
    };
    let (old, new) = (with_rule("\"api.example.com\""), with_rule(""));
    let difference = diff(&old, &new, &rules().taxonomy).expect("there are few flows");
    let names = difference.groups.iter().flat_map(|group| group.destinations.values.clone());
    let names: BTreeSet<String> = names.collect();
    assert!(names.contains("url api.example.com/v1 (one -> two)"), "{names:?}");
}
