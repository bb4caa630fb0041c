//! A progress bar on standard error, where that is a terminal.

use std::io::IsTerminal;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluicegate::batch::Progress;

const REFRESH: Duration = Duration::from_millis(100);

/// A bar for a scan; nothing is drawn before [`follow`].
pub fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style("{spinner} {bytes} {bytes_per_sec} {msg}"));
    bar
}

/// A bar for a payload that is sent, of this length where it is known.
pub fn payload(length: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    bar.set_style(style(match length {
        Some(_) => "{bar:30} {bytes} of {total_bytes} {bytes_per_sec} {eta} left",
        None => "{spinner} {bytes} {bytes_per_sec}",
    }));
    bar
}

/// Shows `progress` on the bar until the sender of `end` is dropped.
pub fn follow(bar: &ProgressBar, progress: &Progress, end: &crossbeam_channel::Receiver<()>) {
    let mut total_is_known = false;
    loop {
        let pause = end.recv_timeout(REFRESH);
        if pause != Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            return;
        }
        if !total_is_known && progress.total_is_known.load(Relaxed) {
            total_is_known = true;
            bar.set_length(progress.total_bytes.load(Relaxed));
            bar.set_style(style(
                "{bar:30} {bytes} of {total_bytes} {bytes_per_sec} {eta} left {msg}",
            ));
        }
        let files = progress.files.load(Relaxed);
        let findings = progress.findings.load(Relaxed);
        bar.set_message(format!("{files} files, {findings} findings"));
        bar.set_position(progress.bytes.load(Relaxed));
        bar.tick();
    }
}

/// Does something of which `Progress` says how far it is, shown where standard error is a terminal.
pub fn followed<T>(act: impl FnOnce(&Progress) -> T) -> T {
    let progress = Progress::default();
    if !std::io::stderr().is_terminal() {
        return act(&progress);
    }
    let bar = bar();
    let result = std::thread::scope(|scope| {
        let (running, end) = crossbeam_channel::bounded(0);
        scope.spawn(|| {
            let end = end;
            follow(&bar, &progress, &end);
        });
        let result = act(&progress);
        drop(running);
        result
    });
    bar.finish_and_clear();
    result
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
