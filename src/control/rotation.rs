//! Finds out that a Secret which a Runtime refers to has changed, without a list or watch on Secrets: each is asked for
//! by name, its metadata only, one after the other, spread over a minute and a half.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::runtime::desired::token_secret;
use crate::api::Runtime;

/// The shortest round.
const LEAST: Duration = Duration::from_secs(1);
/// Secrets that are asked for at once at most: only among very many is one answer later than the next question.
const AT_ONCE: usize = 4;

/// A Secret's namespace and name.
type Name = (String, String);
/// What is to be asked for, and for whom.
type Round = BTreeMap<Name, Vec<Arc<Runtime>>>;

/// What each Secret's version was when it was last asked for; `None` if there was none.
type Seen = HashMap<Name, Option<String>>;

/// Asks until `shutdown`.
pub async fn follow(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut seen = Seen::new();
    let whole = Duration::from_secs(u64::from(ctx.config.timing.rotation_seconds)).max(LEAST);
    loop {
        let round = round(&ctx.stores.runtimes.state());
        seen.retain(|name, _| round.contains_key(name));
        tokio::select! {
            () = go_round(&ctx, &mut seen, round, whole) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Asks for one after the other, each at its time, so that the round takes as long however many there are and however
/// long answers take.
async fn go_round(ctx: &Context, seen: &mut Seen, round: Round, whole: Duration) {
    let (began, count) = (Instant::now(), u32::try_from(round.len().max(1)).unwrap_or(u32::MAX));
    let turns = stream::iter(round).zip(stream::iter(1..)).then(|(entry, turn)| async move {
        tokio::time::sleep_until(began + whole / count * turn).await;
        entry
    });
    let asked = turns.map(|(name, users)| async move { (ask(ctx, &name).await, name, users) });
    let mut answers = std::pin::pin!(asked.buffer_unordered(AT_ONCE));
    while let Some((answer, name, users)) = answers.next().await {
        match answer {
            Ok(version) => note(ctx, seen, name, version, &users),
            Err(error) => tracing::debug!(namespace = name.0, %error, "a Secret can't be asked for"),
        }
    }
    tokio::time::sleep_until(began + whole).await;
}

/// The Secrets of every Runtime that refers to one, with its token's: nothing for a Runtime without references.
fn round(runtimes: &[Arc<Runtime>]) -> Round {
    let mut round = Round::new();
    for runtime in runtimes.iter().filter(|runtime| runtime.metadata.deletion_timestamp.is_none()) {
        let sources = runtime.spec.env.iter().filter_map(|env| env.value_from.as_ref());
        let mut names: Vec<String> = sources.map(|source| source.secret_key_ref.name.clone()).collect();
        if names.is_empty() {
            continue;
        }
        names.push(token_secret(&runtime.name_any()));
        names.sort();
        names.dedup();
        let namespace = runtime.namespace().unwrap_or_default();
        for name in names {
            round.entry((namespace.clone(), name)).or_default().push(Arc::clone(runtime));
        }
    }
    round
}

/// The Secret's version, if there is one.
async fn ask(ctx: &Context, name: &Name) -> kube::Result<Option<String>> {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &name.0);
    Ok(secrets.get_metadata_opt(&name.1).await?.and_then(|secret| secret.resource_version()))
}

/// A Secret that is seen for the first time counts as changed: nobody knows what happened to it before.
fn note(ctx: &Context, seen: &mut Seen, name: Name, version: Option<String>, users: &[Arc<Runtime>]) {
    if seen.get(&name) == Some(&version) {
        return;
    }
    seen.insert(name, version);
    for runtime in users {
        compare(ctx, runtime);
    }
}

/// Has a Runtime's secrets compared with what its Machine was given.
pub fn compare(ctx: &Context, runtime: &Runtime) {
    if let Some(uid) = runtime.uid() {
        ctx.memory.secrets_changed(&uid);
        ctx.triggers.runtimes.visit(runtime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::refs::SecretKeyRef;
    use crate::api::runtime::{EnvSource, EnvVar};

    fn runtime(namespace: &str, name: &str, secrets: &[&str]) -> Arc<Runtime> {
        let mut runtime = Runtime::new(name, crate::api::RuntimeSpec::default());
        runtime.metadata.namespace = Some(namespace.into());
        let from = |secret: &&str| EnvVar {
            name: secret.to_uppercase(),
            value: None,
            value_from: Some(EnvSource {
                secret_key_ref: SecretKeyRef { name: (*secret).into(), key: "key".into() },
            }),
        };
        runtime.spec.env = secrets.iter().map(from).collect();
        Arc::new(runtime)
    }

    #[test]
    fn each_secret_is_asked_for_once_and_none_for_who_refers_to_none() {
        let all = [
            runtime("a", "one", &["keys", "keys"]),
            runtime("a", "two", &["keys"]),
            runtime("b", "none", &[]),
        ];
        let round = round(&all);
        let names: Vec<_> = round.keys().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        assert_eq!(names, ["a/keys", "a/one-gateway-token", "a/two-gateway-token"]);
        assert_eq!(round[&("a".to_owned(), "keys".to_owned())].len(), 2);
    }

    #[test]
    fn a_deleted_one_asks_for_nothing() {
        let mut gone = (*runtime("a", "one", &["keys"])).clone();
        gone.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        assert!(round(&[Arc::new(gone)]).is_empty());
    }
}
