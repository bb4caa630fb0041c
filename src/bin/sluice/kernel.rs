//! The choice of the code that reads the bytes.

use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use sluicegate::engine::Options;
use sluicegate::scan::sweep::Kernel;
use sluicegate::{RuleSet, Scanner};

/// The word for the kernel that the library would choose.
pub const AUTO: &str = "auto";

/// Takes [`AUTO`] and the names of the kernels that run here; others are refused with these names.
pub fn parser() -> impl TypedValueParser<Value = Kernel> {
    let names = Kernel::available().map(Kernel::as_str);
    PossibleValuesParser::new([AUTO].into_iter().chain(names)).map(|chosen| {
        Kernel::available().find(|kernel| kernel.as_str() == chosen).unwrap_or_else(Kernel::best)
    })
}

/// A scanner that runs the kernel of its options. Of the built-in rules there is one plan.
///
/// # Errors
///
/// If that kernel cannot take the keywords of these rules: whoever chose one is not given another.
pub fn scanner(rules: &Arc<RuleSet>, options: Options) -> anyhow::Result<Scanner> {
    let chosen = options.kernel;
    let scanner = crate::names::sharing(rules, &options)
        .unwrap_or_else(|| Scanner::new(Arc::clone(rules), options));
    if scanner.kernel() != chosen {
        anyhow::bail!("kernel `{}` cannot take the keywords of these rules", chosen.as_str());
    }
    Ok(scanner)
}
