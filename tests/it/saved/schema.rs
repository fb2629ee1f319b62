//! The golden files of the format. `UPDATE=1 cargo test --test it saved` writes them anew: a line that is new is a new field, a line that changed or went is a
//! broken promise (docs/state-format.md).

use std::fs;
use std::path::Path;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/state");

#[test]
fn the_format_is_as_it_was() {
    let mut names = Vec::new();
    for kind in spapr::vm::saved::kinds() {
        let (path, text) = (format!("{GOLDEN}/{}.txt", kind.name), (kind.schema)());
        assert!(!names.contains(&format!("{}.txt", kind.name)), "two sections are called {}", kind.name);
        names.push(format!("{}.txt", kind.name));
        if std::env::var("UPDATE").is_ok() {
            fs::create_dir_all(GOLDEN).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(golden, text, "{path}: the stored form of {} changed; see docs/state-format.md, then UPDATE=1", kind.name);
    }
    for file in fs::read_dir(Path::new(GOLDEN)).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "tests/golden/state/{name} describes a section that nobody writes any more");
    }
}
