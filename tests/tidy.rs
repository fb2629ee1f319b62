//! House rules, as tests: what a reader may rely on in every file.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The files that may say `unsafe`, each with its contract in docs/safety.md.
const UNSAFE: &[&str] = &[
    "src/memory/map.rs",
    "src/memory/image.rs",
    "src/accel/interp/access.rs",
    "src/python/ram.rs",
    "src/accel/tcg/buffer.rs",
    "src/accel/tcg/exec.rs",
    "src/accel/kvm/ioctl.rs",
];
/// Longest source file; tables are exempt.
const LINES_MAX: usize = 800;
/// Tables: rows, not code.
const TABLES: &[&str] = &["src/isa/table/"];

fn sources() -> Vec<(PathBuf, String)> {
    fn visit(dir: &Path, out: &mut Vec<(PathBuf, String)>) {
        for path in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                visit(&path, out);
            } else if path.extension().is_some_and(|x| x == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                out.push((path, text));
            }
        }
    }
    let mut out = Vec::new();
    visit(Path::new("src"), &mut out);
    assert!(out.len() > 80, "the sources are not where this test looks");
    out
}

/// Source lines before the unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().take_while(|(_, l)| *l != "#[cfg(test)]").map(|(n, l)| (n + 1, l))
}

/// Whether the file holds nothing but tests: a `tests` module, or one declared under `#[cfg(test)]`.
fn is_test(path: &Path, all: &[(PathBuf, String)]) -> bool {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let declared = |t: &str| {
        ["", "pub "].iter().any(|v| t.contains(&format!("#[cfg(test)]\n{v}mod {stem};")))
            || t.contains(&format!("#[cfg(test)]\n#[path = \"{stem}.rs\"]"))
    };
    stem == "tests" || stem.ends_with("_tests") || all.iter().any(|(_, t)| declared(t))
}

fn report(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let bare = sources().into_iter().filter(|(_, t)| !t.starts_with("//!") || t.lines().next().unwrap().len() < 20);
    report(bare.map(|(p, _)| p.display().to_string()).collect(), "a file opens with //! and says why it exists");
}

#[test]
fn unsafe_stands_only_where_it_is_accounted_for() {
    let contract = fs::read_to_string("docs/safety.md").unwrap();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        let has = code(&text).any(|(_, l)| l.split("//").next().unwrap().contains("unsafe ") || l.contains("expect(unsafe_code"));
        if has && !UNSAFE.contains(&name.as_str()) {
            wrong.push(format!("{name}: not in the list of files with unsafe code"));
        }
        if has && !contract.contains(&name) {
            wrong.push(format!("{name}: docs/safety.md does not say what it must uphold"));
        }
        if has && !text.contains("// UNSAFETY:") {
            wrong.push(format!("{name}: no `// UNSAFETY:` line says why"));
        }
    }
    report(wrong, "unsafe code is kept to a few files with a contract");
}

#[test]
fn files_have_one_subject() {
    let long = sources().into_iter().filter(|(p, t)| {
        let table = TABLES.iter().any(|d| p.display().to_string().starts_with(d));
        !table && t.lines().count() > LINES_MAX
    });
    report(long.map(|(p, t)| format!("{}: {} lines", p.display(), t.lines().count())).collect(), "a file has at most 800 lines");
}

#[test]
fn the_monitor_does_not_give_up_or_chatter() {
    let mut wrong = Vec::new();
    let all = sources();
    for (path, text) in all.iter().filter(|(p, _)| !is_test(p, &all)) {
        for (n, line) in code(text) {
            let l = line.split("//").next().unwrap();
            for banned in [".unwrap()", "println!", "todo!", "unimplemented!", "dbg!"] {
                if l.contains(banned) {
                    wrong.push(format!("{}:{n}: {banned}", path.display()));
                }
            }
        }
    }
    report(wrong, "use `expect` with the invariant, or return an error; use the log");
}

#[test]
fn machine_versions_are_compared_in_one_place() {
    let mut wrong = Vec::new();
    let all = sources();
    let judged = |p: &Path| p.starts_with("src/spapr") && !p.ends_with("version.rs") && !is_test(p, &all);
    for (path, text) in all.iter().filter(|(p, _)| judged(p)) {
        for (n, line) in code(text) {
            if ["version <", "version >", "version.major", "version.minor"].iter().any(|w| line.contains(w)) {
                wrong.push(format!("{}:{n}: {}", path.display(), line.trim()));
            }
        }
    }
    report(wrong, "only spapr/version.rs compares versions; code reads a field of Compat");
}

#[test]
fn no_source_is_orphaned() {
    let all = sources();
    let declared =
        |name: &str| all.iter().any(|(_, t)| t.contains(&format!("mod {name};")) || t.contains(&format!("#[path = \"{name}.rs\"]")));
    let orphans = all.iter().map(|(p, _)| p).filter(|p| {
        let stem = p.file_stem().unwrap().to_str().unwrap();
        let name = if stem == "mod" { p.parent().unwrap().file_name().unwrap().to_str().unwrap() } else { stem };
        stem != "lib" && !declared(name)
    });
    report(orphans.map(|p| p.display().to_string()).collect(), "every file is reached by a `mod` declaration");
}
