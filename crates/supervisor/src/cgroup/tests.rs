//! The groups of an instance, in a folder that plays the kernel's.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A group with nobody in it, which offers this.
fn kernel(offered: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(OFFERED), offered).unwrap();
    folder
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn limits() -> GroupLimits {
    GroupLimits {
        memory: Some(1 << 20),
        pids: Some(9),
        cpu: Some(500),
        memory_high: None,
    }
}

#[test]
fn an_app_gets_a_group_of_its_own_with_its_limits() {
    let kernel = kernel("cpuset cpu io memory pids\n");
    let groups = Groups::below(kernel.path().to_owned(), "shop");
    assert!(groups.of("free", &GroupLimits::default()).is_none());
    assert_eq!(groups.home(), None, "nobody needs one");
    let group = groups.of("api", &limits()).unwrap();
    let home = groups.home().unwrap();
    let name = format!("mainstay-shop.{}", std::process::id());
    assert_eq!(home, kernel.path().join(name));
    for folder in [kernel.path(), &home] {
        assert_eq!(read(&folder.join(SHARED)), "+memory +cpu +pids ");
    }
    assert!(home.join(CONTROL).is_dir());
    for _ in 0..2 {
        drop(group.door().unwrap());
    }
    let app = home.join("app.api");
    for (file, value) in [
        ("memory.max", "1048576"),
        ("memory.high", "max"),
        ("cpu.max", "50000 100000"),
        ("pids.max", "9"),
    ] {
        assert_eq!(read(&app.join(file)), value, "{file}");
    }
    assert_eq!(groups.take_unheld(), Vec::<String>::new());
    assert_eq!(group.overrun(), None);
    fs::write(
        app.join("memory.events"),
        "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n",
    )
    .unwrap();
    assert_eq!(group.overrun(), Some(1 << 20));
}

#[test]
fn what_cannot_be_held_is_said_once_with_what_to_do() {
    let some = kernel("pids hugetlb");
    let groups = Groups::below(some.path().to_owned(), "shop");
    let group = groups.of("api", &limits()).unwrap();
    drop(group.door().unwrap());
    assert!(!group.folder.join("memory.max").exists());
    let unheld = groups.take_unheld();
    assert_eq!(unheld.len(), 2, "{unheld:?}");
    assert!(
        unheld[1].contains("`memory_limit` of app `api` is not held"),
        "{unheld:?}"
    );
    assert_eq!(groups.take_unheld(), Vec::<String>::new());

    let none = kernel("hugetlb");
    let groups = Groups::below(none.path().to_owned(), "shop");
    assert!(groups.of("api", &limits()).is_none() && groups.of("api", &limits()).is_none());
    let unheld = groups.take_unheld();
    assert_eq!(unheld.len(), 1, "{unheld:?}");
    assert!(
        unheld[0].contains("neither memory nor cpu nor pids") && unheld[0].contains("Delegate=yes"),
        "{unheld:?}"
    );
    assert!(Groups::default().of("api", &limits()).is_none());
}

#[test]
fn a_folder_that_cannot_be_made_holds_nothing() {
    let kernel = kernel("memory");
    let groups = Groups::below(kernel.path().join("gone/away"), "shop");
    assert!(groups.of("api", &limits()).is_none());
    let file = kernel.path().join("file");
    fs::create_dir(&file).unwrap();
    fs::write(file.join(OFFERED), "memory").unwrap();
    // in the way of the group
    let name = format!("mainstay-shop.{}", std::process::id());
    fs::write(file.join(&name), "").unwrap();
    fs::set_permissions(file.join(&name), fs::Permissions::from_mode(0o400)).unwrap();
    let groups = Groups::below(file, "shop");
    assert!(groups.of("api", &limits()).is_none());
    assert!(groups.take_unheld()[0].contains("are not held"), "said");
}

#[test]
fn what_is_left_of_others_of_this_name_is_removed() {
    let kernel = kernel("pids");
    // no process has so high a number
    let left = kernel.path().join("mainstay-shop.4294967295");
    let other = kernel.path().join("mainstay-shop.x");
    fs::create_dir_all(left.join("app.api")).unwrap();
    fs::create_dir(&other).unwrap();
    let groups = Groups::below(kernel.path().to_owned(), "shop");
    groups.of("api", &limits()).unwrap();
    assert!(!left.exists() && other.exists());
}

#[test]
fn the_next_program_goes_on_with_them_and_the_guard_removes_them() {
    let kernel = kernel("memory pids");
    let home = kernel.path().join("mainstay-shop.1");
    fs::create_dir_all(home.join(CONTROL)).unwrap();
    fs::write(home.join(SHARED), "memory pids").unwrap();
    let groups = Groups::below("/nowhere".into(), "shop");
    groups.take_up(home.clone());
    let group = groups.of("api", &limits()).unwrap();
    assert_eq!(group.folder, home.join("app.api"));
    assert!(groups.take_unheld()[0].contains("`cpu_limit`"), "said");
    fs::create_dir(home.join("app.api")).unwrap();
    fs::remove_file(home.join(SHARED)).unwrap();
    fs::remove_dir(home.join("app.api")).unwrap();
    remove(&home);
    assert!(!home.exists());
}

#[test]
fn the_own_group_is_found_wherever_it_is_mounted() {
    let mount = |root: &str, at: &str| {
        format!(
            "25 1 0:5 / /proc rw - proc proc rw\n30 1 0:22 {root} {at} rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
        )
    };
    for (groups, mounts, expected) in [
        (
            "0::/system.slice/a.service\n",
            mount("/", "/sys/fs/cgroup"),
            Some("/sys/fs/cgroup/system.slice/a.service"),
        ),
        (
            "4:memory:/x\n0::/\n",
            mount("/", "/sys/fs/cgroup/unified"),
            Some("/sys/fs/cgroup/unified"),
        ),
        (
            "0::/docker/abc/below\n",
            mount("/docker/abc", "/sys/fs/cgroup"),
            Some("/sys/fs/cgroup/below"),
        ),
        ("0::/../other\n", mount("/", "/sys/fs/cgroup"), None),
        (
            "0::/elsewhere\n",
            mount("/docker/abc", "/sys/fs/cgroup"),
            None,
        ),
        ("4:memory:/x\n", mount("/", "/sys/fs/cgroup"), None),
        ("0::/\n", String::new(), None),
    ] {
        assert_eq!(
            place(groups, &mounts),
            expected.map(PathBuf::from),
            "{groups}"
        );
    }
}
