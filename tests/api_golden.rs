//! What is generated from the API's types stands in the repository as it is generated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use moorage::generate;

fn repository(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn files(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn the_definitions_in_crds_are_up_to_date() {
    let generated: BTreeMap<String, String> = generate::crds().unwrap().into_iter().collect();
    let shipped = files(&repository("crds"), "yaml");
    let names = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&generated), names(&shipped), "run `moorage crds --dir crds`");
    for (file, text) in generated {
        assert!(shipped[&file] == text, "crds/{file} is out of date: run `moorage crds --dir crds`");
    }
}

#[test]
fn the_tables_of_states_and_reasons_are_up_to_date() {
    for (file, text) in generate::docs() {
        let standing = fs::read_to_string(repository("docs").join(file)).unwrap_or_default();
        assert!(standing == text, "docs/{file} is out of date: run `moorage docs --dir docs`");
    }
}
