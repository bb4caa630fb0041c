//! Small rule sets for unit tests, from a few words a rule.

use std::sync::Arc;

use crate::model::RuleIndex;
use crate::rules::{RuleSet, Source};

/// Rules of an id, a pattern and further lines of TOML. The first part of an id is the class; its
/// categories are `class.x`, and the more sensitive `class.y`. Without a word on it a rule finds
/// `class.x` with likelihood 70. `more` is TOML behind all of them.
pub fn rules(rules: &[(&str, &str, &str)], more: &str) -> Arc<RuleSet> {
    let mut text = String::new();
    for class in ["pii", "fin", "nat", "phi", "sec"] {
        for (name, sensitivity) in [("x", "internal"), ("y", "restricted")] {
            text += &format!(
                "[[category]]\nid = \"{class}.{name}\"\ntitle = \"x\"\nsensitivity = \"{sensitivity}\"\n\
                 tier = 1\nlaws = [{{ law = \"GDPR\" }}]\n"
            );
        }
    }
    for (id, pattern, more) in rules {
        let class = id.split('.').next().unwrap();
        let mut line = |key: &str, value: &str| {
            if !more.contains(&format!("{key} =")) {
                text += &format!("{key} = {value}\n");
            }
        };
        line("[[rule]]\nid", &format!("\"{id}\""));
        line("category", &format!("\"{class}.x\""));
        line("likelihood", "70");
        text += &format!("pattern = '''{pattern}'''\n{more}\n{PROSE}");
    }
    let source = Source { name: "sample.toml".into(), text: text + more, builtin: true };
    Arc::new(RuleSet::compile(&[source]).unwrap_or_else(|wrong| panic!("{wrong}")))
}

/// What rules and combinations say to people.
pub const PROSE: &str = "title = \"x\"\nwhy = \"x\"\nsource = \"x\"\nexamples = [\"⟦x⟧\"]\n\
                         counterexamples = [\"x\"]\n";

/// The position of a rule or combination by its id.
pub fn index(rules: &RuleSet, id: &str) -> RuleIndex {
    let all = rules.rules.len() + rules.combinations.len();
    let mut indices = (0..all as u32).map(RuleIndex);
    indices.find(|index| rules.rule_id(*index) == id).unwrap()
}
