//! Escalations on disk: what arrives, what is used, and what a crash or a clock can do.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sluicegate::record::inbox::{self, Kind, MAX_DROP};
use sluicegate::record::pending::{
    Bounds, ConsumeError, End, Judgement, Kept, Pending, PendingError, Use,
};
use sluicegate::record::{EscalationId, Moment};

const SECOND: u64 = 1_000_000_000;

/// Files get the time of the kernel's clock, so these tests use it too.
fn now() -> Moment {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let wall = u64::try_from(wall).expect("before 2554");
    Moment { wall, monotonic: 77 * SECOND, boot: "boot".to_owned() }
}

fn later(then: &Moment, seconds: u64) -> Moment {
    let (wall, monotonic) = (then.wall + seconds * SECOND, then.monotonic + seconds * SECOND);
    Moment { wall, monotonic, boot: then.boot.clone() }
}

const ID: EscalationId = EscalationId::new([3; 16]);

fn bounds(now: &Moment, uses: u32, bytes: u64) -> Bounds {
    Bounds { expires: now.seconds() + 1000, lifetime: 100, uses, bytes }
}

/// A state directory in which `ID` waits.
fn waiting(uses: u32, bytes: u64) -> (tempfile::TempDir, Pending, Moment) {
    let folder = tempfile::tempdir().expect("a folder");
    let (pending, now) = (Pending::open(folder.path()).expect("opens"), now());
    pending.create(ID, b"statement", bounds(&now, uses, bytes), &now).expect("kept");
    (folder, pending, now)
}

fn no_ledger(_: &Use) -> Result<(), PendingError> {
    Ok(())
}

fn consume(pending: &Pending, bytes: u64, now: &Moment) -> Result<Use, PendingError> {
    pending.consume(ID, bytes, now, no_ledger).map_err(|error| match error {
        ConsumeError::Pending(error) | ConsumeError::Record(error) => error,
    })
}

#[test]
fn an_escalation_is_kept_as_it_was_given() {
    let (folder, pending, now) = waiting(1, 10);
    let kept = pending.load(ID, &now).expect("there");
    assert_eq!((&kept.statement[..], kept.used, kept.ended), (&b"statement"[..], 0, None));
    assert_eq!(pending.list().expect("listed"), [ID]);
    let again = pending.create(ID, b"other", bounds(&now, 1, 1), &now);
    assert!(matches!(again, Err(PendingError::Exists(ID))));
    let absent = pending.load(EscalationId::new([4; 16]), &now);
    assert!(matches!(absent, Err(PendingError::NotFound(_))));

    let mode = |path: &str| {
        fs::symlink_metadata(folder.path().join(path)).expect("there").permissions().mode() & 0o7777
    };
    assert_eq!((mode("pending"), mode("inbox")), (0o700, 0o1730));
    assert_eq!(mode(&format!("pending/{ID}")), 0o700);
    for file in ["statement", "state.json"] {
        assert_eq!(mode(&format!("pending/{ID}/{file}")), 0o600);
    }
    // Half of an escalation, from a crash while it was made.
    let half = folder.path().join(format!("pending/.new-{}", EscalationId::new([4; 16])));
    fs::create_dir(&half).expect("made");
    fs::write(half.join("statement"), "half").expect("written");
    assert_eq!(pending.list().expect("listed"), [ID]);
    pending.create(EscalationId::new([4; 16]), b"whole", bounds(&now, 1, 1), &now).expect("kept");
    let whole = pending.load(EscalationId::new([4; 16]), &now).expect("there");
    assert_eq!(whole.statement, b"whole");
}

#[test]
fn a_directory_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("pending")).expect("made");
    let open = fs::Permissions::from_mode(0o750);
    fs::set_permissions(folder.path().join("pending"), open).expect("set");
    assert!(matches!(Pending::open(folder.path()), Err(PendingError::Unsafe("pending"))));
    let folder = tempfile::tempdir().expect("a folder");
    symlink("/tmp", folder.path().join("pending")).expect("linked");
    assert!(matches!(Pending::open(folder.path()), Err(PendingError::Io(..))));
}

#[test]
fn damaged_files_give_no_grant() {
    let (folder, pending, now) = waiting(1, 10);
    let state = folder.path().join(format!("pending/{ID}/state.json"));
    let good = fs::read_to_string(&state).expect("read");
    for damaged in [
        String::new(),
        good[..good.len() - 1].to_owned(),
        good.replace("\"used\":0", "\"used\":-1"),
        good.replacen('{', "{\"extra\":1,", 1),
        good.replace("\"v\":1", "\"v\":2"),
    ] {
        fs::write(&state, damaged).expect("written");
        assert!(matches!(consume(&pending, 1, &now), Err(PendingError::Damaged(ID))));
    }
    fs::write(&state, good).expect("written");
    consume(&pending, 1, &now).expect("as it was");
}

#[test]
fn a_grant_is_used_once_and_marked_before_it_is_recorded() {
    let (_folder, pending, now) = waiting(1, 10);
    assert!(matches!(consume(&pending, 11, &now), Err(PendingError::Exhausted)));
    // The ledger fails: nothing may be released, and nothing is left to use.
    let failed = pending.consume(ID, 10, &now, |used| {
        assert_eq!((used.id, used.number, used.bytes), (ID, 1, 10));
        Err("no space")
    });
    assert!(matches!(failed, Err(ConsumeError::Record("no space"))));
    assert!(matches!(consume(&pending, 10, &now), Err(PendingError::Consumed)));
    assert_eq!(pending.load(ID, &now).expect("there").used, 1);
}

#[test]
fn a_bounded_grant_ends_with_its_uses_or_bytes() {
    let (_folder, pending, now) = waiting(3, 10);
    assert_eq!(consume(&pending, 4, &now).expect("4 of 10").number, 1);
    assert!(matches!(consume(&pending, 7, &now), Err(PendingError::Exhausted)));
    assert!(matches!(consume(&pending, u64::MAX, &now), Err(PendingError::Exhausted)));
    assert_eq!(consume(&pending, 6, &now).expect("10 of 10").number, 2);
    assert_eq!(consume(&pending, 0, &now).expect("the last").number, 3);
    assert!(matches!(consume(&pending, 0, &now), Err(PendingError::Exhausted)));
}

#[test]
fn of_64_threads_one_uses_the_grant() {
    let (folder, _, now) = waiting(1, 10);
    let (start, recorded) = (Barrier::new(64), AtomicUsize::new(0));
    let won = std::thread::scope(|scope| {
        let race = |_| {
            scope.spawn(|| {
                let pending = Pending::open(folder.path()).expect("opens");
                start.wait();
                let used = pending.consume(ID, 1, &now, |_| {
                    recorded.fetch_add(1, Ordering::SeqCst);
                    Ok::<(), PendingError>(())
                });
                match used {
                    Ok(_) => 1,
                    Err(ConsumeError::Pending(PendingError::Consumed)) => 0,
                    Err(error) => panic!("{error}"),
                }
            })
        };
        let threads: Vec<_> = (0..64).map(race).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
    });
    assert_eq!((won, recorded.into_inner()), (1, 1));
}

/// Not a test of its own: what the processes of the race below run.
#[test]
fn consumer_process() {
    let Ok(state) = std::env::var("SLUICE_TEST_CONSUMER") else { return };
    let pending = Pending::open(Path::new(&state)).expect("opens");
    let go = Path::new(&state).join("go");
    while !go.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let crash = std::env::var_os("SLUICE_TEST_CRASH").is_some();
    let used = pending.consume(ID, 1, &now(), |used| {
        if crash {
            std::process::abort();
        }
        let name = format!("won-{}-{}", std::process::id(), used.number);
        fs::write(Path::new(&state).join(name), "").map_err(|error| error.to_string())
    });
    match used {
        Ok(_) | Err(ConsumeError::Pending(PendingError::Consumed | PendingError::Exhausted)) => {}
        Err(error) => panic!("{error}"),
    }
}

fn consumer(state: &Path, crash: bool) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "approve_store::consumer_process", "--test-threads=1"]);
    command.env("SLUICE_TEST_CONSUMER", state).stdout(Stdio::null()).stderr(Stdio::null());
    if crash {
        command.env("SLUICE_TEST_CRASH", "1");
    }
    command.spawn().expect("it starts")
}

fn winners(state: &Path) -> usize {
    let names = fs::read_dir(state).expect("listed");
    names
        .filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().starts_with("won-"))
        .count()
}

#[test]
fn of_64_processes_as_many_use_the_grant_as_may() {
    for uses in [1, 5] {
        let (folder, ..) = waiting(uses, 100);
        let processes: Vec<_> = (0..64).map(|_| consumer(folder.path(), false)).collect();
        fs::write(folder.path().join("go"), "").expect("written");
        for mut process in processes {
            assert!(process.wait().expect("it ends").success());
        }
        assert_eq!(winners(folder.path()), uses as usize);
    }
}

#[test]
fn a_crash_before_the_record_gives_no_second_use() {
    let (folder, pending, now) = waiting(1, 100);
    fs::write(folder.path().join("go"), "").expect("written");
    assert!(!consumer(folder.path(), true).wait().expect("it ends").success());
    assert_eq!(winners(folder.path()), 0);
    assert!(matches!(consume(&pending, 1, &now), Err(PendingError::Consumed)));
}

/// Ends the process, or fails the call, at each call that writes: the grant is used once or not at
/// all, and what is on disk is whole.
#[test]
fn no_failed_call_gives_a_second_use() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("NOT TESTED: strace is missing (apt-get install strace)");
        return;
    }
    let mut ended_early = 0;
    for call in ["unlinkat", "fsync", "renameat", "write", "flock"] {
        for (fault, when) in
            [("signal=KILL", 1), ("signal=KILL", 2), ("error=EIO", 1), ("error=EIO", 2)]
        {
            let (folder, pending, now) = waiting(1, 100);
            fs::write(folder.path().join("go"), "").expect("written");
            let status = Command::new("strace")
                .args(["-f", "-qq", "-o", "/dev/null", "-e"])
                .arg(format!("trace={call}"))
                .arg("-e")
                .arg(format!("inject={call}:{fault}:when={when}"))
                .arg(std::env::current_exe().expect("this binary"))
                .args(["--exact", "approve_store::consumer_process", "--test-threads=1"])
                .env("SLUICE_TEST_CONSUMER", folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("it starts");
            ended_early += usize::from(!status.success());
            let won = winners(folder.path());
            let again = consume(&pending, 1, &now);
            let what = format!("{call} {fault} {when}: {won} and {again:?}");
            match again {
                Ok(_) => assert_eq!(won, 0, "{what}"),
                Err(PendingError::Consumed) => {}
                Err(_) => panic!("{what}"),
            }
        }
    }
    assert!(ended_early >= 8, "the faults did not reach the process: {ended_early}");
}

#[test]
fn a_clock_that_was_set_back_is_noticed() {
    let (_folder, pending, then) = waiting(1, 10);
    let is_clock = |moment: &Moment| matches!(pending.load(ID, moment), Err(PendingError::Clock));
    // An hour passes, and the wall clock says that it was less.
    let hour = later(&then, 3600);
    assert!(!is_clock(&hour));
    assert!(!is_clock(&Moment { wall: hour.wall - 2 * SECOND, ..hour.clone() }));
    let back = Moment { wall: hour.wall - 2 * SECOND - 1, ..hour.clone() };
    assert!(is_clock(&back));
    assert!(matches!(consume(&pending, 1, &back), Err(PendingError::Clock)));
    // Nothing ends by a wrong clock either.
    assert!(pending.expire(&back, &mut |_| false).expect("no failure").is_empty());
    // Another run of the machine, whose monotonic clock says nothing.
    let rebooted = |wall| Moment { wall, monotonic: SECOND, boot: "other".to_owned() };
    assert!(!is_clock(&rebooted(then.wall)));
    assert!(is_clock(&rebooted(then.wall - 3 * SECOND)));
    // A use counts as a time that was seen.
    let (_folder, pending, then) = waiting(2, 10);
    consume(&pending, 1, &later(&then, 50)).expect("in time");
    let back = Moment { boot: "other".to_owned(), ..later(&then, 40) };
    assert!(matches!(consume(&pending, 1, &back), Err(PendingError::Clock)));
}

#[test]
fn what_nobody_approves_expires() {
    let (folder, pending, then) = waiting(1, 10);
    let granted = EscalationId::new([4; 16]);
    pending.create(granted, b"granted", bounds(&then, 1, 1), &then).expect("kept");
    let expire = |at: &Moment| {
        pending.expire(at, &mut |kept: &Kept| kept.statement == b"granted").expect("no failure")
    };
    assert!(expire(&later(&then, 999)).is_empty());
    assert_eq!(expire(&later(&then, 1000)), [ID]);
    assert!(expire(&later(&then, 1001)).is_empty());
    let at = later(&then, 1001);
    assert_eq!(pending.load(ID, &at).expect("there").ended, Some(End::Expired));
    assert!(matches!(consume(&pending, 1, &at), Err(PendingError::Ended(End::Expired))));
    // The grant's own time is over too.
    assert_eq!(expire(&later(&then, 1100)), [granted]);
    assert!(expire(&later(&then, 1100 + 24 * 3600)).is_empty());
    assert!(pending.list().expect("listed").is_empty());
    let left = fs::read_dir(folder.path().join("pending")).expect("listed").count();
    assert_eq!(left, 0);
}

#[test]
fn what_is_about_no_escalation_is_swept_out_of_the_inbox() {
    let (folder, pending, now) = waiting(1, 10);
    let inbox = folder.path().join("inbox");
    let other = EscalationId::new([9; 16]);
    let kept = format!("{ID}.anna.sig");
    for name in [&kept, &format!("{other}.anna.sig"), ".0123.part", "x"] {
        fs::write(inbox.join(name), "x").expect("written");
    }
    symlink("/etc/passwd", inbox.join("link")).expect("linked");
    fs::create_dir(inbox.join("folder")).expect("made");
    let names = || {
        let names = fs::read_dir(&inbox).expect("listed");
        let mut names: Vec<String> =
            names.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    pending.expire(&later(&now, 23 * 3600), &mut |_| true).expect("no failure");
    assert_eq!(names().len(), 6);
    // The kernel's clock ticks between.
    pending.expire(&later(&now, 24 * 3600 + 2), &mut |_| true).expect("no failure");
    assert_eq!(names(), [kept]);
}

/// Collects for `anna` and says what became of it; whatever can be judged is kept.
fn collect(pending: &Pending, uid: Option<u32>, now: &Moment) -> Vec<Judgement> {
    let mut judge = |_: &Kept, arrival: &inbox::Arrival| match arrival.kind {
        Kind::Approval => Judgement::Keep,
        Kind::Denial => Judgement::Deny("no".to_owned()),
    };
    let collected = pending.collect(ID, &[("anna", uid)], now, &mut judge).expect("no failure");
    collected.into_iter().map(|it| it.judgement).collect()
}

#[test]
fn signatures_arrive_through_the_inbox_once() {
    let (folder, pending, now) = waiting(1, 10);
    let leave = |kind, content: &[u8]| inbox::leave(folder.path(), ID, "anna", kind, content, 1);
    assert!(collect(&pending, None, &now).is_empty());
    leave(Kind::Approval, b"first").expect("left");
    assert!(leave(Kind::Approval, b"second").is_err(), "the name is taken");
    let at = later(&now, 5);
    assert_eq!(collect(&pending, None, &at), [Judgement::Keep]);
    let kept = pending.load(ID, &at).expect("there");
    assert_eq!(kept.approvals.len(), 1);
    assert_eq!(kept.approvals[0].signature, "first");
    // From when it was left, not from when it was looked at.
    assert!(kept.approvals[0].time.abs_diff(now.seconds()) <= 1);
    // A second one does not make it younger.
    leave(Kind::Approval, b"again").expect("left");
    assert!(matches!(&collect(&pending, None, &at)[..], [Judgement::Refuse(_)]));
    assert_eq!(pending.load(ID, &at).expect("there").approvals, kept.approvals);
    // A denial ends it whatever was approved.
    leave(Kind::Denial, b"no").expect("left");
    assert_eq!(collect(&pending, None, &at), [Judgement::Deny("no".to_owned())]);
    let end = End::Denied { approver: "anna".to_owned(), reason: "no".to_owned() };
    assert_eq!(pending.load(ID, &at).expect("there").ended, Some(end));
    assert!(matches!(consume(&pending, 1, &at), Err(PendingError::Ended(_))));
    leave(Kind::Approval, b"late").expect("left");
    assert!(matches!(&collect(&pending, None, &at)[..], [Judgement::Refuse(_)]));
    let left = fs::read_dir(folder.path().join("inbox")).expect("listed").count();
    assert_eq!(left, 0, "what was judged is gone");
}

#[test]
fn the_inbox_is_hostile() {
    let (folder, pending, now) = waiting(1, 10);
    let name = folder.path().join(format!("inbox/{ID}.anna.sig"));
    let secret = folder.path().join("secret");
    fs::write(&secret, "secret").expect("written");
    let refused = |what: &str| {
        assert!(matches!(&collect(&pending, None, &now)[..], [Judgement::Refuse(_)]), "{what}");
        assert!(fs::symlink_metadata(&name).is_err(), "{what} is gone");
        assert!(pending.load(ID, &now).expect("there").approvals.is_empty());
    };
    symlink(&secret, &name).expect("linked");
    refused("a link");
    fs::hard_link(&secret, &name).expect("linked");
    refused("a second name of a file");
    fs::create_dir(&name).expect("made");
    refused("a folder");
    let made = Command::new("mkfifo").arg(&name).status().expect("it starts");
    assert!(made.success());
    refused("a pipe");
    fs::write(&name, vec![b'x'; usize::try_from(MAX_DROP).unwrap() + 1]).expect("written");
    refused("a large file");
    assert_eq!(fs::read(&secret).expect("still there"), b"secret");

    // What was left by nobody that it could be from.
    let uid = fs::metadata(folder.path()).expect("there").uid();
    fs::write(&name, "x").expect("written");
    if uid == 0 {
        std::os::unix::fs::chown(&name, Some(4242), None).expect("root may");
        assert!(matches!(&collect(&pending, Some(4243), &now)[..], [Judgement::Refuse(_)]));
        fs::write(&name, "x").expect("written");
        std::os::unix::fs::chown(&name, Some(4243), None).expect("root may");
    }
    assert_eq!(collect(&pending, Some(4243), &later(&now, 2)), [Judgement::Keep]);
    // Names that are no file names find nothing and write nothing.
    let bad = inbox::leave(folder.path(), ID, "../x", Kind::Approval, b"x", 1);
    assert!(matches!(bad, Err(PendingError::ApproverName)));
    let none = pending.collect(ID, &[("../pending", None)], &now, &mut |_, _| Judgement::Keep);
    assert!(none.expect("no failure").is_empty());
    // A file from the future: the clock was set back since.
    inbox::leave(folder.path(), ID, "anna", Kind::Denial, b"x", 1).expect("left");
    let (folder, back) = (folder, Moment { wall: now.wall - 60 * SECOND, ..now.clone() });
    drop(folder);
    assert!(pending.load(ID, &back).is_err());
}
