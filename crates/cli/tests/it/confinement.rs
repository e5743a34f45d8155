//! What the kernel keeps an app from.

use mainstay_testkit::{Mainstay, eventually};

/// Prints what the kernel says of the process and of one below it.
const JOB: &str = "[app.job]\nhttp = false\nautorestart = false\n\
                   command = [\"sh\", \"-c\", \"grep NoNewPrivs /proc/self/status; sh -c 'grep NoNewPrivs /proc/$$/status'\"]\n";

#[track_caller]
fn printed(preset: &str, of_job: &str) -> String {
    let ended = Mainstay::run("")
        .listens_as_configured()
        .config(&format!("{preset}{JOB}{of_job}"))
        .finish();
    ended.expect_code(0).output
}

#[test]
fn an_app_gains_no_privileges_where_that_is_wanted() {
    let on = |output: &str| output.matches("NoNewPrivs:\t1").count();
    let off = |output: &str| output.matches("NoNewPrivs:\t0").count();
    let held = printed("", "no_new_privs = true\n");
    assert_eq!((on(&held), off(&held)), (2, 0), "{held}");
    let strict = printed("preset = \"strict\"\n", "workers = 1\n");
    assert_eq!((on(&strict), off(&strict)), (2, 0), "{strict}");
    for (preset, of_job) in [
        ("", ""),
        (
            "preset = \"strict\"\n",
            "workers = 1\nno_new_privs = false\n",
        ),
    ] {
        let open = printed(preset, of_job);
        assert_eq!((on(&open), off(&open)), (0, 2), "{open}");
    }
}

/// Whether groups may be made depends on where this runs; in both cases the app does.
#[test]
fn an_app_with_limits_runs_in_a_group_of_its_own_or_is_said_to_run_without() {
    let mainstay = Mainstay::run("")
        .listens_as_configured()
        .config(
            "[app.job]\nhttp = false\ncommand = [\"sh\", \"-c\", \"echo group $(grep ^0:: /proc/self/cgroup); exec sleep 1000\"]\n\
             pids_limit = 500\nready = \"log:group\"\n",
        )
        .start_until("1 worker in the background");
    let output = eventually("the app's group", || {
        let output = mainstay.output();
        output.contains("group ").then_some(output)
    });
    let is_held = output.contains("/app.job");
    let is_said = output.contains("the limits of app `job` are not held: ")
        && output.contains("Delegate=yes")
        || output.contains("`pids_limit` of app `job` is not held: ");
    assert!(is_held != is_said, "{output}");
    assert!(mainstay.stop().success());
}
