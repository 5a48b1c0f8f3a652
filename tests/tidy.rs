//! The rules of the source that no compiler checks: layers, purity, the one INSERT, statements that say where they are from.
//!
//! A rule stands here because it was broken once, or because a newcomer cannot know it. Each says what to do instead.
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file: more is two subjects.
const LINES_MAX: usize = 500;

/// Modules and files without I/O, clock and `async`, up to the exceptions below.
const PURE: [&str; 11] = [
    "error",
    "json",
    "resource",
    "context",
    "layer",
    "action",
    "registry",
    "hook",
    "import",
    "format",
    "definition",
];
/// Files and folders of these that are given a session, or reach out to others.
const IMPURE_FILES: [&str; 5] = [
    "src/definition/built_in/",
    "src/definition/effect.rs",
    "src/definition/file/sql.rs",
    "src/definition/remote/",
    "src/import/git/mod.rs",
];
const IMPURE_WORDS: [&str; 10] = [
    "async ",
    "tokio::",
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "std::net::Tcp",
    "Utc::now",
    "Instant::now",
    "SystemTime::now",
];

/// A file of the repository.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The text without comments: what the compiler sees.
    fn code(&self) -> String {
        let kept = |line: &&str| !line.trim_start().starts_with("//");
        self.text.lines().filter(kept).collect::<Vec<_>>().join("\n")
    }

    /// `store::append` for `src/store/append.rs`, `store` for `src/store/mod.rs`.
    fn module(&self) -> String {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").replace('/', "::")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below some folders, in the order of their paths.
fn files(folders: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut files);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn walk(folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).expect("inside").to_string_lossy().into_owned();
            files.push(File { path, text });
        }
    }
}

fn rust(folders: &[&str]) -> Vec<File> {
    let is_rust = |file: &File| Path::new(&file.path).extension().is_some_and(|end| end == "rs");
    files(folders).into_iter().filter(is_rust).collect()
}

fn source() -> Vec<File> {
    rust(&["src"])
}

fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// The first word of a text, as Rust names go.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The modules in the order of lib.rs, each with the names that lib.rs re-exports from it.
fn layers() -> Vec<(String, Vec<String>)> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let mut layers: Vec<(String, Vec<String>)> = Vec::new();
    for line in lib.lines() {
        if let Some(module) = line.strip_prefix("pub mod ").or(line.strip_prefix("mod ")) {
            layers.push((name(module).to_owned(), Vec::new()));
        }
    }
    for statement in lib.split("\npub use ").skip(1) {
        let statement = &statement[..statement.find(';').expect("an end")];
        let (module, names) = statement.split_once("::").expect("a path");
        let names =
            names.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|n| !n.is_empty());
        let layer = layers.iter_mut().find(|(layer, _)| layer == module);
        layer.expect("a module of lib.rs").1.extend(names.map(str::to_owned));
    }
    layers
}

/// What a file takes from the root of the crate: `crate::name`, `crate::{a, b}`, and `super::` where it gets that far.
fn taken_from_root(file: &File) -> Vec<String> {
    let code = file.code();
    let depth = file.module().split("::").count();
    let ups = format!("{}::", vec!["super"; depth].join("::"));
    // A test module inside the file is one level deeper.
    let from = ["crate::".to_owned(), ups];
    let mut taken = Vec::new();
    for prefix in from {
        for (at, _) in code.match_indices(&prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == ':' || c == '_') {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                None => taken.push(name(rest).to_owned()),
                Some(group) => {
                    let group = &group[..group.find("};").unwrap_or(group.len())];
                    taken.extend(group.split(',').map(|part| name(part.trim()).to_owned()));
                }
            }
        }
    }
    taken.retain(|name| !matches!(name.as_str(), "" | "self" | "super"));
    taken
}

#[test]
fn module_uses_only_modules_above_it() {
    let layers = layers();
    let place = |name: &str| {
        layers.iter().position(|(module, names)| module == name || names.iter().any(|n| n == name))
    };
    let mut found = Vec::new();
    for file in source() {
        let module = file.module();
        let top = module.split("::").next().unwrap_or_default();
        let Some(own) = place(top) else { continue };
        let below = taken_from_root(&file).into_iter().filter(|name| place(name) > Some(own));
        found.extend(below.map(|name| format!("{} uses `{name}`", file.path)));
    }
    assert_none("a module uses only modules that lib.rs names before it", &found);
}

#[test]
fn every_module_of_the_crate_has_a_layer() {
    let layers = layers();
    let has_layer = |module: &str| layers.iter().any(|(layer, _)| layer == module);
    let tops = source().into_iter().map(|file| file.module());
    let tops = tops.filter_map(|module| module.split("::").next().map(str::to_owned));
    let found: Vec<_> =
        tops.filter(|top| !matches!(top.as_str(), "lib" | "main") && !has_layer(top)).collect();
    assert_none("declared in lib.rs", &found);
}

#[test]
fn pure_modules_are_pure() {
    let mut found = Vec::new();
    for file in source() {
        let module = file.module();
        let top = module.split("::").next().unwrap_or_default();
        let is_impure = IMPURE_FILES.iter().any(|path| file.path.starts_with(path));
        if !PURE.contains(&top) || is_impure {
            continue;
        }
        let code = file.code();
        let words = IMPURE_WORDS.iter().filter(|word| code.contains(**word));
        found.extend(words.map(|word| format!("{}: {word}", file.path)));
    }
    assert_none("no I/O, no clock, no async here: take what is needed as an argument", &found);
}

/// The second INSERT is the triggers', in two versions of one function: what they record never leaves the database.
#[test]
fn log_is_written_by_two_inserts_and_one_copy() {
    let mut found = Vec::new();
    for file in files(&["src", "schema"]) {
        if file.path == "schema/current.sql" {
            continue;
        }
        let code = file.code().split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        for way in ["INSERT INTO", "COPY", "UPDATE", "DELETE FROM", "TRUNCATE", "MERGE INTO"] {
            let times = code.matches(&format!("{way} GESTA.ACTION ")).count();
            found.extend((0..times).map(|_| format!("{way} in {}", file.path)));
        }
    }
    let wanted = [
        "INSERT INTO in schema/0005_capture.sql",
        "INSERT INTO in schema/0013_capture.sql",
        "INSERT INTO in src/store/append.rs",
        "COPY in src/store/load.rs",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn every_file_says_what_it_is_for() {
    let all = rust(&["src", "tests", "benches", "examples"]);
    let silent = all.iter().filter(|file| !file.text.starts_with("//! "));
    let found: Vec<_> = silent.map(|file| file.path.clone()).collect();
    assert_none("a file begins with `//! `", &found);
}

#[test]
fn files_are_short() {
    let all = rust(&["src", "tests", "benches", "examples"]);
    let long = all.iter().filter(|file| file.text.lines().count() >= LINES_MAX);
    let found: Vec<_> =
        long.map(|file| format!("{}: {}", file.path, file.text.lines().count())).collect();
    assert_none("under 500 lines: make two subjects two files", &found);
}

/// The text constants of a file: name, and all that stands up to the `;` outside of texts.
fn constants(code: &str) -> Vec<(&str, &str)> {
    let mut constants = Vec::new();
    for (at, _) in code.match_indices("const ") {
        let rest = &code[at + "const ".len()..];
        let Some((name, rest)) = rest.split_once(": &str =") else { continue };
        if name.contains(|c: char| !c.is_alphanumeric() && c != '_') {
            continue;
        }
        let (mut inside, mut escaped) = (false, false);
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '"' if !escaped => inside = !inside,
                ';' if !inside => return true,
                _ => {}
            }
            escaped = *c == '\\' && !escaped;
            false
        });
        constants.push((name, &rest[..end.map_or(rest.len(), |(at, _)| at)]));
    }
    constants
}

/// Whether a text holds a statement, by its first words.
fn is_sql(text: &str) -> bool {
    let verbs = [
        "SELECT ",
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "WITH ",
        "COPY ",
        "CREATE ",
        "ALTER ",
        "DROP ",
        "TRUNCATE ",
        "LOCK TABLE ",
        "SET LOCAL ",
        "SHOW ",
        "ANALYZE",
    ];
    let lines =
        text.lines().map(|line| line.trim_start_matches(|c: char| c == '"' || c.is_whitespace()));
    lines.into_iter().any(|line| verbs.iter().any(|verb| line.starts_with(verb)))
}

/// Methods that take a statement.
const CALLS: [&str; 8] = [
    ".query(\"",
    ".query_one(\"",
    ".query_opt(\"",
    ".execute(\"",
    ".batch_execute(\"",
    ".simple_query(\"",
    ".prepare(\"",
    ".prepare_cached(\"",
];

/// The server's log shows the text, and so the place to look at.
#[test]
fn every_statement_says_where_it_is_from() {
    let mut found = Vec::new();
    for file in source() {
        let code = file.code().replace("\\n", "\n");
        let module = file.module();
        let parent = module.rsplit_once("::").map_or(module.as_str(), |(parent, _)| parent);
        for (name, text) in constants(&code).into_iter().filter(|(_, text)| is_sql(text)) {
            let first =
                text.split_once('"').map_or("", |(_, first)| first.trim_start_matches("\\\n"));
            if !first.starts_with(&format!("-- {parent}::")) {
                found.push(format!("{}: {name} does not begin with `-- {parent}::`", file.path));
            }
        }
        for call in CALLS {
            let texts = code.match_indices(call).map(|(at, _)| &code[at + call.len()..]);
            let bare = texts.filter(|text| is_sql(text.split('"').next().unwrap_or_default()));
            found.extend(bare.map(|_| format!("{}: {call}", file.path)));
        }
    }
    assert_none("a statement is a constant that begins with `-- module::function`", &found);
}

#[test]
fn statements_name_their_columns_and_count_no_offset() {
    let mut found = Vec::new();
    for file in source() {
        let code = file.code();
        for bad in ["\\nSELECT *", "\"SELECT *", "SELECT * FROM gesta.", "SELECT *\n", "OFFSET "] {
            found.extend(code.contains(bad).then(|| format!("{}: {bad:?}", file.path)));
        }
        let top = code.lines().filter(|line| line.starts_with("SELECT *"));
        found.extend(top.map(|line| format!("{}: {line}", file.path)));
    }
    assert_none("name the columns; go on after a key", &found);
}

#[test]
fn migrations_are_numbered_listed_and_say_what_they_lock() {
    let migrate = fs::read_to_string(root().join("src/store/migrate.rs")).expect("migrate.rs");
    let mut version = 0;
    for file in files(&["schema"]) {
        let end = Path::new(&file.path).extension();
        if file.path == "schema/current.sql" || end.is_some_and(|end| end == "json") {
            continue;
        }
        version += 1;
        let name = file.path.trim_start_matches("schema/").trim_end_matches(".sql").to_owned();
        assert!(
            name.starts_with(&format!("{version:04}_")),
            "{}: {version:04} is missing",
            file.path
        );
        assert!(migrate.contains(&format!("{version} \"{name}\",")), "{name} is not in migrate.rs");
        let header: Vec<_> = file.text.lines().take_while(|line| line.starts_with("--")).collect();
        assert!(header.iter().any(|line| line.starts_with("-- Locks: ")), "{name}: `-- Locks: …`");
    }
    assert!(version >= 4, "the migrations are in schema/");
    let listed = migrate.matches(" \"0").count();
    assert_eq!(listed, version, "migrate.rs lists files that are not there");
}

#[test]
fn nothing_unwraps() {
    // Put together, so that this file does not find itself.
    let unwrap = [".un", "wrap()"].concat();
    let found: Vec<_> = source()
        .iter()
        .filter(|file| file.code().contains(&unwrap))
        .map(|file| file.path.clone())
        .collect();
    assert_none("errors are returned, or it is said why there can be none", &found);
}

#[test]
fn nothing_is_left_to_do_and_no_place_of_one_machine_is_named() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    let places = [["/wo", "rk/"], ["/ro", "ot/"], ["/Us", "ers/"], ["/tmp/", "wt"]]
        .map(|parts| parts.concat());
    let mut all = files(&["src", "tests", "benches", "examples", "schema", ".ci", "docs"]);
    for entry in fs::read_dir(root()).expect("the repository") {
        let path = entry.expect("an entry").path();
        if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.file_name().expect("a name").to_string_lossy().into_owned();
            all.push(File { path, text });
        }
    }
    // Names of packages may hold anything.
    all.retain(|file| file.path != "Cargo.lock" && file.path != ".git");
    let mut found = Vec::new();
    for file in &all {
        let words = marks.iter().chain(&places).filter(|word| file.text.contains(word.as_str()));
        found.extend(words.map(|word| format!("{}: {word}", file.path)));
    }
    assert_none("do it, or say it in an issue", &found);
}
