//! What rules and categories share: lists of terms, and the laws that categories fall under.

use std::collections::BTreeMap;

use super::Context;
use super::compile::{Compiler, is_dotted, percent};
use super::diagnostic::Code;
use super::pack::{Pack, RawContext};
use super::reader::{nearest, shown};
use crate::model::LawSource;

impl Compiler<'_> {
    /// Takes the lists of all packs. A list of a pack that is not built in replaces a built-in one.
    pub(super) fn lists(&mut self, packs: &[(bool, Pack)]) {
        let all = packs
            .iter()
            .flat_map(|(builtin, pack)| pack.lists.iter().map(move |list| (*builtin, list)));
        for (builtin, raw) in all {
            let id = &raw.id.value;
            if !is_dotted(id, |byte| byte == b'_') {
                let message = format!("`{}` is not the id of a list", shown(id));
                let help = "dotted parts of lower-case letters, digits and `_`: `nat.labels`";
                let help = Some(help.to_owned());
                self.reporter.report_with_help(raw.id.at, Code::BadId, message, help);
                continue;
            }
            if self.lists.get(id).is_some_and(|(first, _)| *first == builtin) {
                let message = format!("list `{}` is defined twice", shown(id));
                self.reporter.report(raw.id.at, Code::DuplicateId, message);
                continue;
            }
            let terms = self.terms(&raw.terms);
            self.lists.insert(id.clone(), (builtin, terms));
        }
    }

    /// The laws of all packs by name. One of a pack that is not built in replaces a built-in one.
    pub(super) fn laws(&mut self, packs: &[(bool, Pack)]) -> BTreeMap<String, LawSource> {
        let mut laws: BTreeMap<String, (bool, LawSource)> = BTreeMap::new();
        let all = packs
            .iter()
            .flat_map(|(builtin, pack)| pack.laws.iter().map(move |law| (*builtin, law)));
        for (builtin, (name, law)) in all {
            if laws.get(&name.value).is_some_and(|(first, _)| *first == builtin) {
                let message = format!("law `{}` is defined twice", shown(&name.value));
                self.reporter.report(name.at, Code::DuplicateId, message);
                continue;
            }
            laws.insert(name.value.clone(), (builtin, law.clone()));
        }
        laws.into_iter().map(|(name, (_, law))| (name, law)).collect()
    }

    /// A context with the terms of its lists.
    pub(super) fn context(&mut self, raw: &RawContext) -> Context {
        let mut terms = self.terms(&raw.terms);
        for id in &raw.lists {
            if let Some((_, list)) = self.lists.get(&id.value) {
                terms.extend(list);
                continue;
            }
            let message = format!("unknown list `{}`", shown(&id.value));
            let known = self.lists.keys().map(String::as_str);
            let help = nearest(&id.value, known).map(|near| format!("did you mean `{near}`?"));
            self.reporter.report_with_help(id.at, Code::UnknownList, message, help);
        }
        terms.sort_unstable();
        terms.dedup();
        Context {
            terms,
            before: raw.before,
            after: raw.after,
            boost: percent(raw.boost),
            required: raw.required,
            names_only: raw.names_only,
        }
    }
}
