//! Finds out that a Secret which a Runtime refers to has changed, without a list or watch on Secrets: each is asked for
//! by name, its metadata only, in a round of a minute and a half. Those of a beat are asked for together, which costs
//! half of what single questions do.
//!
//! The gateways' own tokens change by hand only, and are asked for by the sweep.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::api::Runtime;

/// The shortest round.
const LEAST: Duration = Duration::from_secs(1);
/// Pause between two beats.
const BEAT: Duration = Duration::from_secs(1);
/// Secrets that are asked for at once at most.
const AT_ONCE: usize = 8;

/// A Secret's namespace and name.
type Name = (String, String);

/// What each Secret's version was when it was last asked for; `None` if there was none. Names are kept as hashes: there
/// may be very many.
#[derive(Debug, Default)]
struct Seen {
    versions: HashMap<u64, Option<u64>>,
    hasher: RandomState,
}

/// Whether a Secret is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// It is.
    Same,
    /// It isn't, or it is seen for the first time: nobody knows what happened to it before.
    Changed,
}

impl Seen {
    fn note(&mut self, name: &Name, version: Option<&str>) -> News {
        let version = version.map(|version| self.hasher.hash_one(version));
        match self.versions.insert(self.hasher.hash_one(name), version) {
            Some(before) if before == version => News::Same,
            _ => News::Changed,
        }
    }

    /// Forgets what nobody refers to any more.
    fn retain(&mut self, names: &HashSet<Name>) {
        let hashes: HashSet<u64> = names.iter().map(|name| self.hasher.hash_one(name)).collect();
        self.versions.retain(|name, _| hashes.contains(name));
    }
}

/// Asks until `shutdown`.
pub async fn follow(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut seen = Seen::default();
    let whole = Duration::from_secs(u64::from(ctx.config.timing.rotation_seconds)).max(LEAST);
    loop {
        let names = names(&ctx.stores.runtimes.state());
        seen.retain(&names);
        tokio::select! {
            () = go_round(&ctx, &mut seen, names, whole) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Asks for all, some in each beat, so that the round takes as long however many there are and however long answers
/// take.
async fn go_round(ctx: &Context, seen: &mut Seen, names: HashSet<Name>, whole: Duration) {
    let began = Instant::now();
    let beats = u32::try_from((whole.as_millis() / BEAT.as_millis()).max(1)).unwrap_or(u32::MAX);
    let size = names.len().div_ceil(usize::try_from(beats).unwrap_or(usize::MAX)).max(1);
    let mut left = names.into_iter();
    for beat in 0.. {
        let turn: Vec<Name> = left.by_ref().take(size).collect();
        if turn.is_empty() {
            break;
        }
        tokio::time::sleep_until(began + whole / beats * beat).await;
        let asked = stream::iter(turn).map(|name| async move { (ask(ctx, &name).await, name) });
        let mut answers = std::pin::pin!(asked.buffer_unordered(AT_ONCE));
        while let Some((answer, name)) = answers.next().await {
            match answer {
                Ok(version) if seen.note(&name, version.as_deref()) == News::Changed => tell(ctx, &name),
                Ok(_) => {}
                Err(error) => tracing::debug!(namespace = name.0, %error, "a Secret can't be asked for"),
            }
        }
    }
    tokio::time::sleep_until(began + whole).await;
}

/// The Secrets that Runtimes refer to.
fn names(runtimes: &[Arc<Runtime>]) -> HashSet<Name> {
    let of = |runtime: &Arc<Runtime>| {
        let namespace = runtime.namespace().unwrap_or_default();
        references(runtime)
            .into_iter()
            .map(move |name| (namespace.clone(), name.to_owned()))
            .collect::<Vec<_>>()
    };
    runtimes.iter().flat_map(of).collect()
}

/// The Secrets that a Runtime refers to; none once it is deleted.
fn references(runtime: &Runtime) -> BTreeSet<&str> {
    let alive = runtime.metadata.deletion_timestamp.is_none();
    let sources = runtime.spec.env.iter().filter_map(|env| env.value_from.as_ref()).filter(|_| alive);
    sources.map(|source| source.secret_key_ref.name.as_str()).collect()
}

/// The Secret's version, if there is one.
async fn ask(ctx: &Context, name: &Name) -> kube::Result<Option<String>> {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &name.0);
    Ok(secrets.get_metadata_opt(&name.1).await?.and_then(|secret| secret.resource_version()))
}

/// Has those who refer to the Secret compare.
fn tell(ctx: &Context, (namespace, name): &Name) {
    for runtime in ctx.index.runtimes.in_namespace(namespace) {
        let reference = ObjectRef::<Runtime>::new(&runtime).within(namespace);
        if let Some(runtime) = ctx.stores.runtimes.get(&reference)
            && references(&runtime).contains(name.as_str())
        {
            compare(ctx, &runtime);
        }
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

    fn name(namespace: &str, name: &str) -> Name {
        (namespace.to_owned(), name.to_owned())
    }

    #[test]
    fn each_secret_is_asked_for_once_and_none_for_who_refers_to_none() {
        let all = [
            runtime("a", "one", &["keys", "keys", "more"]),
            runtime("a", "two", &["keys"]),
            runtime("b", "none", &[]),
        ];
        assert_eq!(names(&all), HashSet::from([name("a", "keys"), name("a", "more")]));
    }

    #[test]
    fn a_deleted_one_asks_for_nothing() {
        let mut gone = (*runtime("a", "one", &["keys"])).clone();
        gone.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        assert!(names(&[Arc::new(gone)]).is_empty());
    }

    #[test]
    fn what_is_seen_for_the_first_time_or_is_another_is_news() {
        use News::{Changed, Same};
        let (mut seen, keys) = (Seen::default(), name("a", "keys"));
        let course = [Some("1"), Some("1"), Some("2"), None, None, Some("2")];
        let news = course.map(|version| seen.note(&keys, version));
        assert_eq!(news, [Changed, Same, Changed, Changed, Same, Changed]);
        seen.retain(&HashSet::new());
        assert_eq!(seen.note(&keys, Some("2")), Changed, "it was forgotten");
    }
}
