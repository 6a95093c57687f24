//! A tag that moves.

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::json;
use testbed::OPENCLAW_PREVIOUS;

use crate::customer::Customer;
use crate::machine::Host;
use crate::platform::{REPOSITORY, digest, rig};
use crate::serving::{Visitor, answers, is_configured_as_declared};

#[tokio::test(flavor = "multi_thread")]
async fn a_moving_tag_stays_at_what_fly_first_ran_for_it() -> Result<()> {
    let customer = Customer::running("moving", "main").await?;
    let host = Host::of(&customer).await?;
    let first = digest("main").await?;
    answers(&customer).await?;
    is_configured_as_declared(&customer, &host, "Ada").await?;
    assert_eq!(host.machine().await?.image_digest(), Some(first.as_str()));
    let pinned = customer.runtime().await?["status"]["pinned"].clone();
    assert_eq!(pinned["image"], format!("{REPOSITORY}:main"));
    assert_eq!(pinned["imageDigest"], first);

    let moved = json!({"ref": format!("{REPOSITORY}:main"), "digest": digest(OPENCLAW_PREVIOUS).await?});
    rig().await.fly.send(Method::POST, "images", &moved).await?;
    let token = customer.token().await?;
    customer.forget_token().await?;
    customer.restart("once").await?;
    let runtime = customer.restarted("once").await?;
    let back = json!({"ref": format!("{REPOSITORY}:main"), "digest": ""});
    rig().await.fly.send(Method::POST, "images", &back).await?;
    assert_eq!(host.machine().await?.image_digest(), Some(first.as_str()), "a restart changes no version");
    assert_eq!(runtime["status"]["pinned"], pinned);
    answers(&customer).await?;
    assert_ne!(customer.token().await?, token, "a deleted token gives way to a new one");
    let (status, _) = Visitor::of(&customer).await?.call(Some(&token)).await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "the old one is worth nothing");
    customer.leave().await
}
