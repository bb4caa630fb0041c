//! `--write-baseline`: what is found becomes known.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use sluicegate::gate::{self, BASELINE, Baseline, Known, Watch};
use sluicegate::model::FileReport;

use super::select::Asked;
use super::{Run, refuse};
use crate::UsageError;
use crate::names::shown;
use crate::output::Output;
use crate::progress;
use crate::scan::stop_flag;

/// Days that lines hold unless another day is said.
const DAYS: u32 = 90;
/// The reason that lines have unless another one is said.
const REASON: &str = "was there when the baseline was written";

impl Run<'_> {
    /// Writes a baseline of what is selected. Lines of an older one about findings that are still there
    /// stay as they are, unless they are expired or something else is asked for.
    pub fn write_baseline(&self, asked: &Asked) -> anyhow::Result<ExitCode> {
        let Some(repository) = &asked.repository else {
            return Err(UsageError("there is no repository here".to_owned()).into());
        };
        let arguments = &self.arguments.governing;
        let path = match (arguments.baseline(), repository.worktree()) {
            (Some(path), _) => path,
            (None, Some(root)) => root.join(BASELINE),
            (None, None) => {
                let message = "a bare repository has no place for a baseline: name a file";
                return Err(UsageError(message.to_owned()).into());
            }
        };
        let before = match std::fs::read(&path) {
            Ok(bytes) => Baseline::read(&bytes).map_err(|error| {
                UsageError(format!("`{}` is no baseline\n\n{error}", shown(&path)))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Baseline::default(),
            Err(error) => return Err(error.into()),
        };
        let (expires, reason) = arguments.terms();
        let until = expires.unwrap_or_else(|| self.governed.today.after(DAYS));
        let text = self.control.names.clean(reason.unwrap_or(REASON));
        let mut plan = self.plan(asked);
        plan.whole_files = true;
        plan.exceptions = plan.exceptions.with_baseline(Baseline::default());
        let mut baseline = Baseline::default();
        let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut kept, mut unknown) = (0_u64, 0_u64);
        let mut take = |report: FileReport| {
            for (finding, identity) in report.findings.iter().zip(&report.identities) {
                if !plan.exceptions.admits(finding.category) {
                    *refused.entry(self.rules.category_id(finding.category)).or_default() += 1;
                    continue;
                }
                if finding.context_hash == 0 {
                    unknown += 1;
                    continue;
                }
                let old = before.known(identity).filter(|old| old.expires >= self.governed.today);
                let known = Known {
                    rule: self.rules.rule_id(finding.rule).to_owned(),
                    expires: expires.or(old.map(|it| it.expires)).unwrap_or(until),
                    reason: match (reason, old) {
                        (None, Some(old)) => old.reason.clone(),
                        _ => text.clone(),
                    },
                };
                kept += u64::from(old.is_some() && baseline.known(identity).is_none());
                baseline.add(*identity, known);
            }
            Ok(())
        };
        let gated = progress::followed(|progress| {
            let stop = stop_flag()?;
            let watch = Watch { progress, stop: &stop };
            gate::run(repository, &plan, self.control.scanner, watch, &mut take).map_err(refuse)
        })?;
        if gated.failed || gated.truncated > 0 {
            anyhow::bail!("not everything could be read, so no baseline is written");
        }
        let mut output = Output::file(&path)?;
        output.write_all(baseline.write().as_bytes())?;
        output.commit()?;
        let written = baseline.len();
        anstream::eprintln!(
            "sluice: `{}`: {written} findings, {kept} of them from before; it counts once it is committed",
            shown(&path)
        );
        for (category, count) in refused {
            anstream::eprintln!(
                "sluice: {count} findings of `{category}` are not written, since it is not exceptable"
            );
        }
        if unknown > 0 {
            anstream::eprintln!(
                "sluice: {unknown} findings are not written, since they stand in no line"
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
