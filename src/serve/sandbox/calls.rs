//! Seccomp: system calls that the daemon never needs give EPERM.
//!
//! The list says what is refused, not what is allowed: which calls an ordinary function of the C
//! library makes changes with its versions, and a call that was forgotten would end the daemon in
//! the middle of a decision. What Landlock and the list leave open is said in `docs/HARDENING.md`.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, sock_filter,
};

/// Puts the filters in force, for every thread.
pub fn close() -> Result<(), String> {
    for program in programs().map_err(|error| error.to_string())? {
        seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Refused whatever their arguments.
const REFUSED: &[i64] = &[
    // Other programs, and code that comes at run time with them.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes: their memory, descriptors and threads.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    // Connections out, to TCP, to other daemons' sockets; and new listeners.
    libc::SYS_connect,
    libc::SYS_bind,
    // A ring would carry out calls past this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Mounts, namespaces and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Files by handle pass by the checks of their folders.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_mknodat,
    // Landlock does not see these. Their forms on open files stay.
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    // The kernel itself.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_personality,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    // Another user or more rights.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // Memory and queues that other processes share by name.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
];

/// The older forms that x86_64 still has.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_mknod,
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[libc::SYS_kexec_file_load];

/// The programs, in the order in which they are put in force.
fn programs() -> Result<Vec<BpfProgram>, BackendError> {
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    // Its flags lie in memory, where no filter looks. The C library falls back to `clone`.
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    Ok(vec![program(clone3, absent)?, without_x32(program(rules()?, refused)?)])
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    action: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, action, target)?.try_into()
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let always = REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new()));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.collect();
    let mut refuse_where = |call, argument, operator, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![condition])?);
        Ok::<(), BackendError>(())
    };
    let flag = |flag: i32| u64::from(flag.unsigned_abs());
    // Whose bits are set.
    let all_of = |mask: i32| (SeccompCmpOp::MaskedEq(flag(mask)), flag(mask));
    let none_of = |mask: i32| (SeccompCmpOp::MaskedEq(flag(mask)), 0);
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        refuse_where(call, 0, SeccompCmpOp::Ne, flag(libc::AF_UNIX))?;
    }
    // A thread is one; anything else is a process.
    let (operator, value) = none_of(libc::CLONE_THREAD);
    refuse_where(libc::SYS_clone, 0, operator, value)?;
    // Sending with it connects.
    for (call, argument) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)]
    {
        let (operator, value) = all_of(libc::MSG_FASTOPEN);
        refuse_where(call, argument, operator, value)?;
    }
    let own = u64::from(std::process::id());
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        refuse_where(call, 0, SeccompCmpOp::Ne, own)?;
    }
    // Signal 0 asks whether a process lives.
    refuse_where(libc::SYS_pidfd_send_signal, 1, SeccompCmpOp::Ne, 0)?;
    refuse_where(libc::SYS_prctl, 0, SeccompCmpOp::Eq, flag(libc::PR_SET_DUMPABLE))?;
    // Nothing that was written becomes code.
    for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        let (operator, value) = all_of(libc::PROT_EXEC);
        refuse_where(call, 2, operator, value)?;
    }
    Ok(rules)
}

/// Refuses the calls of the x32 interface, which have other numbers and the same architecture.
fn without_x32(mut program: BpfProgram) -> BpfProgram {
    if cfg!(target_arch = "x86_64") {
        // linux/bpf_common.h: load the word at 0, the number; jump where it is at least the bit of
        // x32 (asm/unistd.h); return. Jumps of the program are relative, and stay right.
        let start = [
            sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
            sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
            sock_filter {
                code: 0x06,
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
            },
        ];
        program.splice(0..0, start);
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_fit_into_the_kernel() {
        let programs = programs().expect("they compile");
        assert_eq!(programs.len(), 2);
        assert!(programs.iter().all(|program| program.len() < 4096 && !program.is_empty()));
    }

    #[test]
    fn a_call_is_refused_always_or_by_its_arguments() {
        let rules = rules().expect("they compile");
        let mut seen = std::collections::BTreeSet::new();
        for call in REFUSED.iter().chain(REFUSED_HERE) {
            assert!(seen.insert(call), "{call} stands twice");
            assert!(rules.get(call).is_some_and(Vec::is_empty), "{call} has a condition");
        }
    }
}
