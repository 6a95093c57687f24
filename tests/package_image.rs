//! The image and the chart agree on who runs and how, and nothing but the program is in the image.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::fs;

use clap::Parser;
use moorage::cli::{Cli, Command};
use testbed::repository;

/// The instructions of the Dockerfile, each with its argument.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(word, rest)| (word.into(), rest.trim().into()))
        .collect()
}

fn only(word: &str) -> String {
    let mut found = instructions().into_iter().filter(|(name, _)| name == word).map(|(_, rest)| rest);
    let one = found.next().unwrap();
    assert!(found.next().is_none(), "more than one {word}");
    one
}

fn deployment() -> String {
    fs::read_to_string(repository().join("charts/moorage/templates/deployment.yaml")).unwrap()
}

#[test]
fn nothing_is_in_it_but_the_program_and_the_authorities() {
    assert_eq!(only("FROM"), "scratch");
    let copied: Vec<_> =
        instructions().into_iter().filter(|(word, _)| word == "COPY").map(|(_, rest)| rest).collect();
    assert_eq!(copied, ["ca-certificates.crt /etc/ssl/certs/ca-certificates.crt", "moorage /moorage"]);
    assert!(instructions().iter().all(|(word, _)| word != "RUN" && word != "ADD"));
}

#[test]
fn it_runs_as_the_user_that_the_chart_names() {
    let user = only("USER");
    let (uid, gid) = user.split_once(':').unwrap();
    assert!(uid.parse::<u32>().unwrap() > 0, "a number, so that `runAsNonRoot` can be checked");
    assert!(deployment().contains(&format!("runAsUser: {uid}\n")));
    assert!(deployment().contains(&format!("runAsGroup: {gid}\n")));
}

#[test]
fn its_command_is_one_that_the_program_understands_and_the_chart_gives_too() {
    let words: Vec<String> = serde_json::from_str(&only("CMD")).unwrap();
    let cli = Cli::try_parse_from([vec!["moorage".to_owned()], words.clone()].concat()).unwrap();
    assert!(matches!(cli.command, Command::Run(_)));
    assert!(deployment().contains(&format!("args: [{}]", words.join(", "))));
    assert_eq!(only("ENTRYPOINT"), "[\"/moorage\"]");
}
