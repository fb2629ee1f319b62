//! The module order in docs/architecture.md is the order in the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// `module: allowed allowed ...`, read from the fenced `layers` block of the document.
fn table() -> BTreeMap<String, Vec<String>> {
    let doc = fs::read_to_string("docs/architecture.md").unwrap();
    let block = doc.split("```layers\n").nth(1).unwrap().split("```").next().unwrap();
    let row = |line: &str| line.split_once(':').map(|(m, a)| (m.trim().to_string(), a.split_whitespace().map(String::from).collect()));
    block.lines().filter_map(row).collect()
}

fn visit(dir: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for path in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|x| x == "rs") {
            see(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

/// The modules that a line of code names through `crate::`.
fn named(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
}

#[test]
fn modules_only_use_modules_below_them() {
    let table = table();
    let mut wrong = Vec::new();
    let mut edges = 0;
    visit(Path::new("src"), &mut |path, text| {
        let here = path.strip_prefix("src").unwrap().iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_string();
        if here == "lib" {
            return;
        }
        let allowed = table.get(&here).unwrap_or_else(|| panic!("module {here} is not in docs/architecture.md"));
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            if code.contains("crate::{") || code.contains("super::super") {
                wrong.push(format!("{}:{}: write one `use crate::module::…` per line", path.display(), n + 1));
            }
            for there in named(code).filter(|t| *t != here && !t.is_empty() && *t != "reg") {
                edges += 1;
                if !allowed.iter().any(|a| a == there) {
                    wrong.push(format!("{}:{}: `{here}` may not use `{there}`", path.display(), n + 1));
                }
            }
        }
    });
    assert!(edges > 50, "the test no longer sees the code's imports");
    assert!(wrong.is_empty(), "\n{}\nEither turn the dependency round or change the table and say why.", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycles() {
    let table = table();
    let order: Vec<&String> = table.keys().collect();
    let mut done: Vec<&str> = Vec::new();
    while done.len() < order.len() {
        let ready = order.iter().find(|m| !done.contains(&m.as_str()) && table[**m].iter().all(|a| done.contains(&a.as_str())));
        done.push(ready.unwrap_or_else(|| panic!("the modules above {done:?} depend on each other in a circle")));
    }
}
