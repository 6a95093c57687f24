//! What a newcomer sees first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::process::Command;

#[test]
fn the_demo_comes_to_its_end_and_shows_the_chain_of_the_customers_hostname() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    let ended =
        command.arg("demo").env("ONCE", "1").env("GATEWAY", "fake").env("CLUSTER", "").output().unwrap();
    let (told, noted) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{told}{noted}");
    for part in [
        "CustomDomain quickstart/agent: sets agent.quickstart.example CNAME ",
        "CustomDomain quickstart/agent: active, ready True, https://agent.quickstart.example",
        "quickstart/agent serves https://agent.quickstart.example with this chain:",
        " 0 s:",
        "i:CN = Pebble Root CA",
        "Verification: OK",
        "Verified peername: agent.quickstart.example",
        "Everything is ready.",
    ] {
        assert!(told.contains(part), "{part:?} in {told}{noted}");
    }
}
