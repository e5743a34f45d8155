use std::io::Read as _;

use super::*;

fn shell(script: &str) -> Spawn {
    let mut spawn = Spawn::new("/bin/sh");
    spawn.arguments = vec!["-c".into(), script.into()];
    spawn
}

fn text(pipe: OwnedFd) -> String {
    let mut text = String::new();
    File::from(pipe).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn ends_are_told_apart() {
    let cases = [
        ("exit 0", Exit::Code(0), "exit status 0"),
        ("exit 42", Exit::Code(42), "exit status 42"),
        ("kill -SEGV $$", Exit::Signal(11), "killed by SIGSEGV"),
    ];
    for (script, expected, shown) in cases {
        let exit = shell(script).start().unwrap().wait().await.unwrap();
        assert_eq!(exit, expected);
        assert_eq!(exit.to_string(), shown);
    }
}

#[tokio::test]
async fn descriptors_arrive_under_their_numbers_and_no_others_do() {
    let (third, write_third) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let (fourth, write_fourth) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let (stdout, write_stdout) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    crate::os::keep_from_children();
    let mut spawn = shell("echo three >&3; echo four >&4; ls /proc/self/fd | wc -l");
    spawn.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    spawn.descriptors = vec![(write_fourth, 4), (write_third, 3)];
    spawn.stdout = Some(write_stdout);
    let process = spawn.start().unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    assert_eq!(text(third), "three\n");
    assert_eq!(text(fourth), "four\n");
    assert_eq!(
        text(stdout).trim(),
        "6",
        "0 to 4, and the folder `ls` reads"
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_even_with_descriptors() {
    let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut spawn = Spawn::new("/no/such/program");
    spawn.descriptors = vec![(read, 3)];
    assert_eq!(spawn.start().unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn signals_reach_the_group() {
    let (stdout, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut spawn = shell("/bin/sleep 1000 & echo up; wait");
    spawn.stdout = Some(write);
    let process = spawn.start().unwrap();
    let mut up = [0; 3];
    let mut stdout = File::from(stdout);
    stdout.read_exact(&mut up).unwrap();
    process.signal_group(Signal::TERM);
    assert_eq!(process.wait().await.unwrap(), Exit::Signal(15));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap(); // ends only when nobody holds it
    assert_eq!(rest, "");
}
