//! Keeps the layers: which module may use which, what the pure ones may not contain, and how long
//! a file may become. `ARCHITECTURE.md` says why; this says where it stopped being true.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the bottom up, each with those it may use. A new module starts here.
const MAY_USE: &[(&str, &str)] = &[
    ("names", ""),
    ("message", ""),
    ("counter", ""),
    ("ledger", ""),
    ("wire", "message"),
    ("protocol", "names message ledger wire"),
    ("routing", "names message wire"),
    ("queue", "names message ledger wire"),
    ("policy", "names wire queue"),
    ("topology", "names message wire protocol routing queue policy"),
    ("spans", "names message wire"),
    ("config", ""),
    ("logs", "config"),
    ("store", "names message config"),
    ("transport", "config"),
    ("client", "config"),
    ("auth", "names wire topology config client"),
    ("otlp", "message wire spans config client"), // message and wire only in its tests
    (
        "broker",
        "names message counter wire protocol routing queue policy topology spans config store \
         transport auth otlp",
    ),
    ("net", "names message wire protocol queue config store transport auth broker"),
    ("metrics", "names queue broker"),
    ("web", "transport"),
    ("prometheus", "names topology auth transport broker metrics web"),
    (
        "management",
        "names message wire protocol routing queue policy topology config logs store transport \
         auth broker metrics web",
    ),
    ("perf", "wire message"), // message only in its tests, which encode deliveries
    ("ctl", "config auth"),   // sizes such as 2GB; the password hash that `ctl hash_password` makes
    (
        "server",
        "names protocol spans config logs store transport auth client otlp broker net metrics \
         prometheus management",
    ),
    ("offline", "auth broker config management metrics server"),
    ("systemd", ""),
    ("main", "config ctl logs offline perf server store systemd"),
    ("lib", ""),
];

/// Modules that decide and do not do: no task, file, socket, clock, lock or chance.
const PURE: &str = "names message counter ledger wire protocol routing queue policy topology \
                    spans";
const NOT_PURE: &str = "tokio:: std::fs std::net Instant::now SystemTime Mutex RwLock rand:: \
                        thread:: println!";
const LONGEST_FILE: usize = 600;

#[test]
fn every_module_stays_in_its_place() {
    let mut violations = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&src) {
        let text = fs::read_to_string(&file).expect("sources can be read");
        let path = file.strip_prefix(&src).expect("it is in src");
        let module = path.iter().next().and_then(|first| first.to_str()).expect("a name");
        let module = module.trim_end_matches(".rs");
        let mut report =
            |line, what| violations.push(format!("src/{}:{line}: {what}", path.display()));
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            report(1, format!("module {module} is not in the table of tests/architecture.rs"));
            continue;
        };
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            report(
                lines,
                format!("{lines} lines, more than {LONGEST_FILE}: look for the second idea"),
            );
        }
        // Comments may speak of anything.
        let code: Vec<&str> =
            text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
        for (used, line) in modules_used(&code.join("\n")) {
            let known = MAY_USE.iter().any(|(name, _)| *name == used);
            if known && used != module && !allowed.split(' ').any(|name| name == used) {
                report(line, format!("{module} may not use {used}"));
            }
        }
        if PURE.split(' ').any(|pure| pure == module) {
            for (at, line) in code.iter().enumerate() {
                for word in NOT_PURE.split_whitespace().filter(|word| contains(line, word)) {
                    report(at + 1, format!("{module} is pure and may not contain {word}"));
                }
            }
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// What stands behind `crate::` or `warren::` (a name, or several in braces), with its line.
fn modules_used(code: &str) -> Vec<(&str, usize)> {
    let identifier = |text: &str| text.find(|c: char| c != '_' && !c.is_alphanumeric());
    let mut used = Vec::new();
    for path in ["crate::", "warren::"] {
        for (at, _) in code.match_indices(path) {
            let line = code[..at].matches('\n').count() + 1;
            let rest = &code[at + path.len()..];
            match rest.strip_prefix('{') {
                None => used.push((&rest[..identifier(rest).unwrap_or(rest.len())], line)),
                Some(group) => {
                    let group = &group[..group.find("};").unwrap_or(group.len())];
                    let names = group.split(|c: char| c != '_' && !c.is_alphanumeric());
                    used.extend(names.map(|name| (name, line)));
                }
            }
        }
    }
    used
}

/// Whether the word stands there, and not as the end of a longer one.
fn contains(line: &str, word: &str) -> bool {
    let starts_a_word =
        |at: usize| !line[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| starts_a_word(at))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("src can be listed");
    let paths = entries.map(|entry| entry.expect("src can be listed").path());
    let mut files: Vec<PathBuf> = paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}
