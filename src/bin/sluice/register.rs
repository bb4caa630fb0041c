//! The register of this machine: which file is in force, and what it says.

use std::path::{Path, PathBuf};

use sluicegate::config::{self, Config, Locations, Origin};
use sluicegate::policy::Policy;
use sluicegate::rules::{Diagnostics, Source, Taxonomy};

use crate::UsageError;
use crate::names::shown;

/// The version of the engine, which the digest of a policy holds.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// A configuration and where it was read from.
pub struct Loaded {
    pub config: Config,
    /// As messages name it; none where there is no file and the defaults decide.
    pub file: Option<String>,
    /// The file itself.
    pub source: Option<Source>,
}

/// The file that `--config` names, else that of the machine or the user, else the defaults.
///
/// # Errors
///
/// A [`UsageError`] with the rendered diagnostics, or with why the file is not used.
pub fn load(explicit: Option<&Path>, taxonomy: &Taxonomy) -> anyhow::Result<Loaded> {
    let Some(path) = find(explicit) else {
        let policy = Policy::defaults(taxonomy)
            .map_err(|_| UsageError("the rules have more categories than a policy holds".into()))?;
        let config =
            Config { policy, settings: config::Settings::default(), exceptions: Vec::new() };
        return Ok(Loaded { config, file: None, source: None });
    };
    let source = read(&path)?;
    let config = config::compile(&source, taxonomy, Origin::System, ENGINE)
        .map_err(|diagnostics| rejected(&source, &diagnostics))?;
    Ok(Loaded { config, file: Some(source.name.clone()), source: Some(source) })
}

/// The file that is in force; none where the defaults are.
pub fn find(explicit: Option<&Path>) -> Option<PathBuf> {
    let (config_home, home) = (std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"));
    config::find(Locations { explicit, config_home: config_home.as_deref(), home: home.as_deref() })
}

/// Reads a file that nobody else may change.
pub fn read(path: &Path) -> anyhow::Result<Source> {
    let uid = rustix::process::geteuid().as_raw();
    let text = config::read(path, uid)
        .map_err(|error| UsageError(format!("`{}` is not used: {error}", shown(path))))?;
    Ok(Source { name: shown(path), text, builtin: false })
}

/// What a refused file gives as an error.
pub fn rejected(source: &Source, diagnostics: &Diagnostics) -> anyhow::Error {
    let rendered = diagnostics.render(std::slice::from_ref(source));
    UsageError(format!("the configuration cannot be used\n\n{}", rendered.trim_end())).into()
}
