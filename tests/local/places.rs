//! Who runs the server, where its socket is, and who can get there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use gesta::local::{Home, LocalError, Server};
use nix::unistd::{Uid, User};

use crate::room::{Process, Room, connect, one, options};

#[tokio::test]
async fn socket_folder_is_open_to_the_servers_user_only() {
    let room = Room::new();
    let server = room.start().await;
    let socket = fs::metadata(server.socket_dir()).expect("the folder");
    let data = fs::metadata(room.home.data()).expect("the data");
    assert_eq!(socket.mode() & 0o777, 0o700);
    assert_eq!(data.mode() & 0o777, 0o700);
    assert_eq!(socket.uid(), data.uid());
}

#[tokio::test]
async fn folder_may_have_any_name() {
    let room = Room::new();
    let home = Home::at(room.home.path().join("it's a \"name\", $HOME"));
    let server = match Server::start(&home, &options()).await {
        // Programs that would have to be fetched into such a folder could not be run there.
        Err(LocalError::NotFound { tried }) if tried.contains("name another folder") => return,
        started => started.expect("it starts"),
    };
    assert_eq!(one(&connect(&server).await).await, 1);
    let guest = Server::start(&home, &options()).await.expect("it is joined");
    assert!(guest.joined());
    drop(server);
    guest.stop().await.expect("it stops");
}

#[tokio::test]
async fn long_path_gets_a_short_socket_folder_which_is_used_again() {
    let room = Room::new();
    let home = Home::at(room.home.path().join("a long name, with a comma, ".repeat(6)));
    let server = Server::start(&home, &options()).await.expect("it starts");
    let short = server.socket_dir().to_owned();
    assert!(short.as_os_str().len() < 90 && short.starts_with("/tmp"), "{short:?}");
    assert_eq!(fs::metadata(&short).expect("the folder").mode() & 0o777, 0o700);
    let guest = Server::start(&home, &options()).await.expect("it is joined");
    assert_eq!(one(&connect(&guest).await).await, 1);
    drop(server);
    guest.stop().await.expect("it stops");
    let again = Server::start(&home, &options()).await.expect("it starts again");
    assert_eq!(again.socket_dir(), short);
    again.stop().await.expect("it stops");
    fs::remove_dir_all(short).expect("it is ours");
}

#[tokio::test]
async fn short_socket_folder_that_somebody_else_could_enter_is_not_used() {
    let room = Room::new();
    let home = Home::at(room.home.path().join("a long name ".repeat(12)));
    let server = Server::start(&home, &options()).await.expect("it starts");
    let first = server.socket_dir().to_owned();
    server.stop().await.expect("it stops");
    fs::set_permissions(&first, Permissions::from_mode(0o777)).expect("open to all");
    let server = Server::start(&home, &options()).await.expect("it starts");
    let second = server.socket_dir().to_owned();
    assert_ne!(second, first);
    server.stop().await.expect("it stops");
    // The place is taken by a link to a folder that looks right.
    let elsewhere = room.path().join("elsewhere");
    fs::rename(&second, &elsewhere).expect("a move");
    symlink(&elsewhere, &second).expect("a link");
    let server = Server::start(&home, &options()).await.expect("it starts");
    let third = server.socket_dir().to_owned();
    assert_ne!(third, second);
    server.stop().await.expect("it stops");
    fs::remove_file(second).expect("a link");
    for dir in [first, third] {
        fs::remove_dir_all(dir).expect("a folder");
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn roots_server_runs_as_a_stand_in_without_groups() {
    if !Uid::effective().is_root() {
        return eprintln!("skipped: this is root's case");
    }
    let room = Room::new();
    let _server = room.start().await;
    let status = fs::read_to_string(format!("/proc/{}/status", room.postmaster())).expect("status");
    let line = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.expect("a line").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
    let user = user.expect("a stand-in");
    assert_eq!(line("Uid:"), vec![user.uid.to_string(); 4]);
    assert_eq!(line("Gid:"), vec![user.gid.to_string(); 4]);
    assert_eq!(line("Groups:"), Vec::<String>::new());
    let watcher = room.watchers()[0];
    let watcher = fs::metadata(format!("/proc/{watcher}")).expect("the watcher");
    assert_eq!(watcher.uid(), user.uid.as_raw());
}

#[tokio::test]
async fn roots_server_runs_as_the_owner_of_its_data() {
    if !Uid::effective().is_root() {
        return eprintln!("skipped: this is root's case");
    }
    let room = Room::new();
    room.start().await.stop().await.expect("it stops");
    let nobody = User::from_name("nobody").expect("users").expect("nobody");
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    let mut chown = Command::new("chown");
    chown.arg("-R").arg(format!("{uid}:{gid}")).arg(room.home.data());
    assert!(chown.status().expect("chown").success());
    let server = room.start().await;
    assert_eq!(fs::metadata(server.socket_dir()).expect("the folder").uid(), uid);
    assert_eq!(one(&connect(&server).await).await, 1);
}

#[tokio::test]
async fn roots_own_data_and_closed_folders_are_refused_with_advice() {
    if !Uid::effective().is_root() {
        return eprintln!("skipped: this is root's case");
    }
    let room = Room::new();
    fs::create_dir_all(room.home.data()).expect("a folder");
    let error = Server::start(&room.home, &options()).await.expect_err("root may not run it");
    assert!(matches!(error, LocalError::Owner { owner: 0, .. }), "{error}");

    let closed = room.path().join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("permissions");
    let below = Home::at(closed.join("home"));
    let error = Server::start(&below, &options()).await.expect_err("nobody gets there");
    assert!(matches!(error, LocalError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("chmod o+x"), "{error}");
}

/// Run as root, this plays the user `nobody`; run as a user, all tests are this one.
#[tokio::test]
async fn ordinary_user_starts_and_stops_a_server_of_their_own() {
    if !Uid::effective().is_root() {
        return eprintln!("skipped: every other test shows it");
    }
    let room = Room::new();
    let nobody = User::from_name("nobody").expect("users").expect("nobody");
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    let program = room.path().join("program");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    let dir = room.path().join("theirs");
    fs::create_dir(&dir).expect("a folder");
    chown(&dir, Some(uid), Some(gid)).expect("a new owner");
    let home = Home::at(dir.join("home"));
    let mut process = Process::begin_with(&home, |command| {
        *command = changed(command, &program);
        command.uid(uid).gid(gid).current_dir("/");
    });
    assert_eq!(process.hear(), "started");
    process.tell("ask");
    assert_eq!(process.hear(), "1");
    assert_eq!(fs::metadata(home.path()).expect("the home").mode() & 0o777, 0o700);
    process.tell("stop");
    assert_eq!(process.hear(), "stopped");
}

/// The same command with another program.
fn changed(command: &Command, program: &std::path::Path) -> Command {
    let mut changed = Command::new(program);
    changed.args(command.get_args()).stdin(Stdio::piped()).stdout(Stdio::piped());
    changed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    changed
}
