//! Many apps that do nothing: what it costs to have them.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::Duration;

use mainstay_testkit::{Form, Mainstay, eventually};

use crate::measure::role;
use crate::support::status;

/// Ticks of CPU time that a process has used, in user and kernel mode.
fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let number = |at: usize| -> u64 {
        let field = fields.split_whitespace().nth(at);
        field
            .and_then(|field| field.parse().ok())
            .unwrap_or_default()
    };
    number(11) + number(12)
}

/// Resident memory of a process, in KiB, without the pages of the program file itself: how many those are depends on how
/// it was built.
fn own_memory(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let parts = ["RssAnon:", "RssShmem:"].map(|name| number(name).expect("Linux tells it"));
    parts.iter().sum()
}

#[test]
fn a_hundred_idle_apps_cost_next_to_nothing() {
    let form = Form::asked();
    let (apps, seconds) = (form.pick(25, 100), form.pick(3, 30));
    let mut settings = String::from("name = \"many\"\n");
    for number in 0..apps {
        // half of them as files of PM2 have them
        let http = ["false", "\"auto\"\nlisten = \"own\""][number % 2];
        let _ = write!(
            settings,
            "[app.idle{number}]\ncommand = \"sleep 100000\"\nhttp = {http}\nmin_uptime = \"100ms\"\n"
        );
    }
    let mainstay = Mainstay::run("")
        .listens_as_configured()
        .config(&settings)
        .start_until("1 worker in the background");
    eventually("all of them", || {
        let status = status(&mainstay);
        let targets = status["targets"].as_array()?;
        let ready = targets.iter().filter(|target| target["ready"] == 1).count();
        (ready == apps).then_some(())
    });
    let mut ours = mainstay.descendants();
    ours.push(i32::try_from(mainstay.pid()).expect("a process id"));
    ours.retain(|pid| role(*pid).is_some());
    // what the start cost is over, and those of whom nobody knows whether they listen are looked at rarely
    thread::sleep(Duration::from_secs(form.pick(1, 120)));
    let before: u64 = ours.iter().map(|pid| ticks(*pid)).sum();
    thread::sleep(Duration::from_secs(seconds));
    let used = ours.iter().map(|pid| ticks(*pid)).sum::<u64>() - before;
    let hertz = rustix::param::clock_ticks_per_second();
    let percent = used as f64 * 100.0 / (hertz * seconds) as f64;
    let kilobytes: u64 = ours.iter().map(|pid| own_memory(*pid)).sum();
    println!(
        "{apps} apps, {} processes of ours: {kilobytes} KiB, {percent:.2}% of a CPU",
        ours.len()
    );
    assert!(
        kilobytes < 20 * 1024,
        "{kilobytes} KiB for {apps} idle apps"
    );
    // those that are just beginning are looked at often: only the long form is long enough to tell what they cost
    if form == Form::Long {
        assert!(percent < 0.5, "{percent:.2}% of a CPU for {apps} idle apps");
    }
}
