//! Finds out that a Secret which a Runtime refers to has changed, without a list or watch on Secrets: each is asked for
//! by name, its metadata only, one after the other, spread over a minute and a half.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::runtime::desired::token_secret;
use crate::api::Runtime;

/// Pause between two rounds while there is nothing to ask for, and the shortest round.
const LEAST: Duration = Duration::from_secs(1);

/// A Secret's namespace and name.
type Name = (String, String);
/// What is to be asked for, and for whom.
type Round = BTreeMap<Name, Vec<Arc<Runtime>>>;

/// Asks until `shutdown`.
pub async fn follow(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut seen: HashMap<Name, Option<String>> = HashMap::new();
    let whole = Duration::from_secs(u64::from(ctx.config.timing.rotation_seconds)).max(LEAST);
    loop {
        let round = round(&ctx.stores.runtimes.state());
        seen.retain(|name, _| round.contains_key(name));
        let pause = whole / u32::try_from(round.len().max(1)).unwrap_or(u32::MAX);
        let mut names = round.into_iter().peekable();
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
            if let Some((name, users)) = names.next() {
                look(&ctx, &mut seen, name, &users).await;
            }
            if names.peek().is_none() {
                break;
            }
        }
    }
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

/// A Secret that is seen for the first time counts as changed: nobody knows what happened to it before.
async fn look(ctx: &Context, seen: &mut HashMap<Name, Option<String>>, name: Name, users: &[Arc<Runtime>]) {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &name.0);
    let version = match secrets.get_metadata_opt(&name.1).await {
        Ok(found) => found.and_then(|secret| secret.resource_version()),
        Err(error) => {
            tracing::debug!(namespace = name.0, %error, "a Secret can't be asked for");
            return;
        }
    };
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
