//! What the kernel keeps an app from.

use mainstay_testkit::Mainstay;

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
