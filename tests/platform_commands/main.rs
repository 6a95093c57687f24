//! The commands of the platform's people, against a real API server: what they tell, what they write, and that the API
//! server refuses whoever may not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are shared with others"
)]

mod fleet;
mod money;
mod recovery;
#[path = "../order_life/shop.rs"]
mod shop;
#[path = "../runtime_support/mod.rs"]
mod support;

use support::shared;
use testbed::Identity;

/// The program as somebody runs it: whether it went well, and what it said.
pub async fn moorage(who: &Identity, arguments: &[&str]) -> (bool, String) {
    let kubeconfig = shared().await.cluster.kubeconfig(who).await.unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_moorage"));
    command.args(arguments).env("KUBECONFIG", kubeconfig).env_remove("MOORAGE_CONFIG");
    let output = command.output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), format!("{out}{err}"))
}

/// The same as the platform's administrator, and it must go well.
pub async fn done(arguments: &[&str]) -> String {
    let (well, said) = moorage(&Identity::Admin, arguments).await;
    assert!(well, "{arguments:?}: {said}");
    said
}

/// The same, and it must be refused.
pub async fn refused(arguments: &[&str]) -> String {
    let (well, said) = moorage(&Identity::Admin, arguments).await;
    assert!(!well, "{arguments:?}: {said}");
    said
}
