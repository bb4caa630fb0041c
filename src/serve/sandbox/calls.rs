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

// Calls that the `libc` crate does not have everywhere; the numbers are those of all architectures
// (asm-generic/unistd.h).
const QUOTACTL_FD: i64 = 443;
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const OPEN_TREE_ATTR: i64 = 467;
const FILE_SETATTR: i64 = 469;

/// The bits of a socket's type that are not flags (include/linux/net.h, `SOCK_TYPE_MASK`).
const SOCKET_TYPE: u64 = 0xF;

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
    OPEN_TREE_ATTR,
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
    FCHMODAT2,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
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
    QUOTACTL_FD,
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
    320, // kexec_file_load
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[294]; // kexec_file_load

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
        // Datagrams go to whatever address they name. The kernel makes such a socket of a raw one too.
        for kind in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
            refuse_where(call, 1, SeccompCmpOp::MaskedEq(SOCKET_TYPE), flag(kind))?;
        }
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
    // `send` is this call without an address, which is a pointer.
    let named = SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
    rules.entry(libc::SYS_sendto).or_default().push(SeccompRule::new(vec![named])?);
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

    #[cfg(target_arch = "x86_64")]
    const HERE: u32 = 0xC000_003E;
    #[cfg(target_arch = "aarch64")]
    const HERE: u32 = 0xC000_00B7;

    /// What the kernel makes of a call (net/core/filter.c, for the instructions that occur).
    fn outcome(program: &[sock_filter], arch: u32, call: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(call.to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0u64.to_ne_bytes());
        arguments.iter().for_each(|it| data.extend(it.to_ne_bytes()));
        let (mut at, mut value) = (0, 0u32);
        loop {
            let step = &program[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match step.code {
                0x20 => {
                    let from = step.k as usize;
                    value = u32::from_ne_bytes(data[from..from + 4].try_into().expect("four"));
                }
                0x54 => value &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += jump(value == step.k),
                0x25 => at += jump(value > step.k),
                0x35 => at += jump(value >= step.k),
                0x06 => return step.k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    /// What both programs make of it: the kernel takes the strictest.
    fn call(number: i64, arguments: &[u64]) -> Option<i32> {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let number = u32::try_from(number).expect("a number");
        let outcomes = programs().expect("they compile").into_iter();
        let mut outcomes = outcomes.map(|program| outcome(&program, HERE, number, all));
        let refused = outcomes.find(|it| *it != libc::SECCOMP_RET_ALLOW)?;
        assert_eq!(refused & 0xFFFF_0000, libc::SECCOMP_RET_ERRNO);
        i32::try_from(refused & 0xFFFF).ok()
    }

    const EPERM: Option<i32> = Some(libc::EPERM);

    #[test]
    fn what_is_listed_is_refused() {
        for number in REFUSED.iter().chain(REFUSED_HERE) {
            assert_eq!(call(*number, &[]), EPERM, "{number}");
            assert_eq!(call(*number, &[u64::MAX; 6]), EPERM, "{number}");
        }
    }

    #[test]
    fn arguments_decide_where_they_can() {
        let own = u64::from(std::process::id());
        let [unix, inet, inet6, netlink, vsock] =
            [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_VSOCK]
                .map(|it| u64::from(it.unsigned_abs()));
        for number in [libc::SYS_socket, libc::SYS_socketpair] {
            assert_eq!(call(number, &[unix, 1]), None);
            assert!(
                [inet, inet6, netlink, vsock].iter().all(|it| call(number, &[*it, 1]) == EPERM)
            );
            // The kernel reads an int: what stands above it changes nothing.
            assert_eq!(call(number, &[inet | 1 << 32, 1]), EPERM);
            let flags = u64::from((libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK).unsigned_abs());
            let [stream, datagram, raw] = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW]
                .map(|it| u64::from(it.unsigned_abs()));
            assert_eq!(call(number, &[unix, stream | flags]), None);
            for kind in [datagram, raw] {
                assert_eq!(call(number, &[unix, kind]), EPERM);
                assert_eq!(call(number, &[unix, kind | flags | 1 << 32]), EPERM);
            }
        }
        // As pthread_create and fork call it.
        let thread = 0x3D_0F00;
        assert_eq!(call(libc::SYS_clone, &[thread]), None);
        assert_eq!(call(libc::SYS_clone, &[0x0120_0011]), EPERM);
        assert_eq!(call(libc::SYS_clone, &[0x1000_0011]), EPERM, "a user namespace");
        assert_eq!(call(libc::SYS_clone3, &[0x7000, 88]), Some(libc::ENOSYS));
        let fast = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
        let quiet = u64::from(libc::MSG_NOSIGNAL.unsigned_abs());
        assert_eq!(call(libc::SYS_sendto, &[3, 0x7000, 9, quiet]), None);
        assert_eq!(call(libc::SYS_sendto, &[3, 0x7000, 9, quiet | fast]), EPERM);
        for address in [0x7000, 1 << 32] {
            assert_eq!(call(libc::SYS_sendto, &[3, 0x7000, 9, quiet, address, 12]), EPERM);
        }
        assert_eq!(call(libc::SYS_sendmsg, &[3, 0x7000, quiet]), None);
        assert_eq!(call(libc::SYS_sendmsg, &[3, 0x7000, fast]), EPERM);
        assert_eq!(call(libc::SYS_sendmmsg, &[3, 0x7000, 1, fast]), EPERM);
        assert_eq!(call(libc::SYS_kill, &[own, 6]), None);
        assert_eq!(call(libc::SYS_kill, &[1, 0]), EPERM);
        assert_eq!(call(libc::SYS_kill, &[u64::MAX, 9]), EPERM);
        assert_eq!(call(libc::SYS_tgkill, &[own, own, 6]), None);
        assert_eq!(call(libc::SYS_tgkill, &[own + 1, own + 1, 6]), EPERM);
        assert_eq!(call(libc::SYS_pidfd_send_signal, &[3, 0]), None);
        assert_eq!(call(libc::SYS_pidfd_send_signal, &[3, 9]), EPERM);
        assert_eq!(call(libc::SYS_prctl, &[15, 0x7000]), None, "the name of a thread");
        assert_eq!(call(libc::SYS_prctl, &[4, 1]), EPERM);
        for number in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
            assert_eq!(call(number, &[0, 4096, 3]), None);
            assert_eq!(call(number, &[0, 4096, 5]), EPERM);
            assert_eq!(call(number, &[0, 4096, 7]), EPERM);
        }
    }

    #[test]
    fn what_the_daemon_does_passes() {
        for number in [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_writev,
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_renameat2,
            libc::SYS_unlinkat,
            libc::SYS_mkdirat,
            libc::SYS_fdatasync,
            libc::SYS_fallocate,
            libc::SYS_ftruncate,
            libc::SYS_flock,
            libc::SYS_fchmod,
            libc::SYS_accept4,
            libc::SYS_getsockopt,
            libc::SYS_recvmsg,
            libc::SYS_epoll_pwait,
            libc::SYS_futex,
            libc::SYS_getrandom,
            libc::SYS_pidfd_open,
            libc::SYS_wait4,
            libc::SYS_waitid,
            libc::SYS_exit_group,
            libc::SYS_rt_sigaction,
            libc::SYS_seccomp,
        ] {
            assert_eq!(call(number, &[]), None, "{number}");
        }
    }

    #[test]
    fn other_interfaces_of_the_kernel_are_closed() {
        let x32 = 0x4000_0000;
        if cfg!(target_arch = "x86_64") {
            assert_eq!(call(x32 | 520, &[]), EPERM, "execve of x32");
            assert_eq!(call(x32 | libc::SYS_getpid, &[]), EPERM);
        }
        // 11 is execve on i386.
        let program = programs().expect("they compile").remove(1);
        assert_eq!(outcome(&program, 0x4000_0003, 11, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
    }

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
