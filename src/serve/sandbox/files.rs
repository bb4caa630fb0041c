//! Landlock: files, TCP, abstract sockets and signals.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{Mode, OFlags};

use super::{Extent, Landlock, Paths, SandboxError};

/// The version of the interface whose rights are all asked for: signals and abstract sockets came
/// with it.
pub const WANTED: i32 = 6;

/// Where peers are looked at.
const PROC: &str = "/proc";

/// Closes all but `paths`, and `/proc` for reading.
pub fn close(paths: &Paths) -> Result<Landlock, SandboxError> {
    let refused = |error: RulesetError| SandboxError::Refused(error.to_string());
    let asked = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V6))?
            // No port is allowed: what is listened on was bound before.
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()
    };
    let mut ruleset = asked().map_err(refused)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // Sockets are bound before, and removed at the end; nothing is executed, no device made.
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let proc = PathBuf::from(PROC);
    let all = paths.read.iter().chain([&proc]).map(|path| (path, read));
    for (path, access) in all.chain(paths.write.iter().map(|path| (path, write))) {
        ruleset = ruleset.add_rule(rule(path, access)?).map_err(refused)?;
    }
    let status = ruleset.restrict_self().map_err(refused)?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            kernel_abi.unwrap_or(effective_abi as i32)
        }
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    };
    let enforced = !matches!(status.ruleset, RulesetStatus::NotEnforced);
    let extent = match (enforced, abi >= WANTED) {
        (false, _) => Extent::None,
        (true, false) => Extent::Partial,
        (true, true) => Extent::Full,
    };
    Ok(Landlock { abi, extent })
}

fn rule(
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<PathBeneath<std::os::fd::OwnedFd>, SandboxError> {
    let failed = |source: rustix::io::Errno| SandboxError::Path {
        path: path.to_owned(),
        source: source.into(),
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
    let kind = rustix::fs::fstat(&opened).map_err(failed)?.st_mode;
    let is_folder = rustix::fs::FileType::from_raw_mode(kind).is_dir();
    // The kernel refuses rights of folders on a file.
    let access = if is_folder { access } else { access & AccessFs::from_file(ABI::V6) };
    Ok(PathBeneath::new(opened, access))
}
