//! Looks at what a decision asks for.

use std::sync::Arc;

use fly_machines::types::IpKind;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use super::certificate::{Caa, CaaFact, Glance, Material, Shown};
use super::edge::{EdgeFact, Hosted};
use super::facts::{AddressFact, Asked, Facts};
use super::ownership::text_name;
use super::places::Place;
use super::sighting::sighted;
use super::step::Look;
use super::{key, ordered, store, trouble};
use crate::api::domain_record::DomainRecord;
use crate::api::{Runtime, reason};
use crate::control::context::Context;
use crate::control::runtime::facts::{Refusal, TroubleClass};
use crate::control::runtime::trouble::{Failure, Pace};
use crate::domains::certificate::Certificate;
use crate::domains::dns::{Sight, Text};
use crate::domains::name::Hostname;
use crate::engine::hash::share_of;

/// Shortest pause before another try where too many looks are under way; it is up to a second longer.
const CROWDED: SignedDuration = SignedDuration::from_millis(500);
/// Largest value of a Secret that is looked at, in bytes.
const LARGEST: usize = 512 * 1024;

/// Looks.
///
/// # Errors
/// If whoever is asked refuses or doesn't answer.
pub async fn look(ctx: &Context, now: Timestamp, facts: &mut Facts, what: Look) -> Result<(), Failure> {
    match what {
        Look::Proofs => proofs(ctx, facts).await,
        Look::Turn => {
            facts.known.turn = Some(ctx.domains.turn(now));
            Ok(())
        }
        Look::Dns => {
            dns(ctx, now, facts).await;
            Ok(())
        }
        Look::Runtime => runtime(ctx, now, facts).await,
        Look::Addresses => addresses(ctx, now, facts).await,
        Look::Edge => edge(ctx, now, facts).await,
        Look::Stored => stored(ctx, facts).await,
        Look::Material => material(ctx, now, facts).await,
        Look::Copy => {
            ordered::look_at_copy(ctx, now, facts).await;
            Ok(())
        }
        Look::Caa => caa(ctx, now, facts).await,
        Look::Renewal => ordered::renewal(ctx, now, facts).await,
        Look::Order => ordered::look(ctx, now, facts).await,
        Look::Shown => shown(ctx, now, facts).await,
    }
}

/// What has to be set in DNS: by this tenant, and by the one that holds the name.
async fn proofs(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let (Some(tenant), Ok(host)) = (&facts.cluster.tenant, &facts.host) else { return Ok(()) };
    let key = key::read(ctx).await?;
    facts.known.proofs = Some(key.proofs(tenant, host));
    let record = facts.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_deref());
    let other = record.map(|record: &DomainRecord| record.tenant_id.clone()).filter(|it| it != tenant);
    facts.known.rival = other.map(|other| (key.proofs(&other, host), other));
    Ok(())
}

/// A place for a look at the customer's name servers, or else it is noted when to try again.
fn place<'c>(ctx: &'c Context, now: Timestamp, facts: &mut Facts) -> Option<Place<'c>> {
    let place = ctx.domains.places.take(&facts.domain.namespace().unwrap_or_default());
    facts.known.crowded_until = if place.is_none() { now.checked_add(crowded(facts)).ok() } else { None };
    place
}

/// Another pause for each hostname: if all came back at once, few would find a place each time, and it would then be free.
fn crowded(facts: &Facts) -> SignedDuration {
    CROWDED + share_of(SignedDuration::from_secs(1), &facts.domain.uid().unwrap_or_default())
}

/// What the authoritative servers say. What they don't say is told in the status, and holds nothing else up.
async fn dns(ctx: &Context, now: Timestamp, facts: &mut Facts) {
    let Ok(host) = facts.host.clone() else { return };
    let Some(_place) = place(ctx, now, facts) else { return };
    let result = ctx.lookout.look(&host, &text_name(&host)).await;
    sighted(facts, now, result);
}

async fn runtime(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let api: Api<Runtime> = Api::namespaced(ctx.kube.clone(), &facts.domain.namespace().unwrap_or_default());
    let found = api.get_metadata_opt(&facts.domain.spec.runtime_ref.name).await?;
    // One that the cache doesn't have yet comes by the watch in a moment.
    facts.known.runtime_missing_since = Some(now).filter(|_| found.is_none());
    match found {
        None => Ok(()),
        Some(_) => Err(Failure {
            class: TroubleClass::Transient,
            reason: reason::PENDING,
            message: "The Runtime was made a moment ago.".into(),
            retry_after: None,
            pace: Pace::Soon,
        }),
    }
}

async fn addresses(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some(app) = facts.app().map(str::to_owned) else { return Ok(()) };
    let all = ctx.fly.addresses(&app).list().await?;
    let oldest = |kinds: &[IpKind]| {
        let of_kind = all.iter().filter(|address| kinds.contains(&address.kind()));
        of_kind.min_by_key(|address| (address.created_at, &address.ip)).map(|address| address.ip.clone())
    };
    // Others that somebody added lead here as well, and may go again.
    let public = [oldest(&[IpKind::V4, IpKind::SharedV4]), oldest(&[IpKind::V6])];
    let addresses = public.into_iter().flatten().collect();
    facts.known.addresses = Some(AddressFact { app, at: now, addresses });
    Ok(())
}

async fn edge(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Some(app), Ok(host)) = (facts.app().map(str::to_owned), &facts.host) else { return Ok(()) };
    let hostname = match ctx.fly.certificates(&app).get(host.as_str()).await {
        Ok(detail) => Some(Hosted::of(&detail, now)),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    facts.known.edge = Some(EdgeFact { app, at: now, count: 0, hostname });
    facts.known.edge_asked = Asked::No;
    Ok(())
}

async fn stored(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let Ok(host) = &facts.host else { return Ok(()) };
    facts.known.stored = Some(store::read(ctx, host).await?);
    Ok(())
}

/// The certificate in the Secret that is named, if it is one that can be used.
async fn material(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some(name) = facts.domain.spec.certificate.secret_ref.as_ref().map(|it| it.name.clone()) else {
        facts.known.material_asked = Asked::No;
        return Ok(());
    };
    let api: Api<Secret> = Api::namespaced(ctx.kube.clone(), &facts.domain.namespace().unwrap_or_default());
    let secret = api.get_opt(&name).await?;
    let found = match (&facts.host, secret) {
        (Ok(host), Some(secret)) => usable(now, host, &name, secret),
        _ => Err(Refusal::new(
            reason::SECRET_NOT_FOUND,
            format!("There is no Secret `{name}` in this namespace. Create it, of type kubernetes.io/tls."),
        )),
    };
    facts.known.material = Some(match found {
        Ok(certificate) => Material::Ready(Arc::new(certificate)),
        Err(refusal) => Material::Unfit(refusal),
    });
    facts.known.material_asked = Asked::No;
    Ok(())
}

fn usable(now: Timestamp, host: &Hostname, name: &str, secret: Secret) -> Result<Certificate, Refusal> {
    let unfit = |why: String| {
        Refusal::new(
            reason::CERTIFICATE_INVALID,
            format!(
                "The certificate in the Secret `{name}` can't be used: {why}. Put one in its place that can."
            ),
        )
    };
    if secret.type_.as_deref() != Some("kubernetes.io/tls") {
        return Err(unfit("the Secret isn't of type kubernetes.io/tls".into()));
    }
    let mut data = secret.data.unwrap_or_default();
    let mut text = |key: &str| {
        let bytes =
            data.remove(key).map(|bytes| bytes.0).ok_or_else(|| unfit(format!("it has no `{key}`")))?;
        if bytes.len() > LARGEST {
            return Err(unfit(format!("`{key}` is too large")));
        }
        String::from_utf8(bytes).map_err(|_| unfit(format!("`{key}` isn't PEM")))
    };
    let (chain, key) = (text("tls.crt")?, SecretString::from(text("tls.key")?));
    let certificate = Certificate::read(&chain, key).map_err(|error| unfit(error.to_string()))?;
    let names = [host.as_str().to_owned()];
    let checked = certificate.check(now, &names).and_then(|()| certificate.check_chain(now));
    checked.map_err(|error| unfit(error.to_string()))?;
    Ok(certificate)
}

/// Whether CAA records let the authority issue.
async fn caa(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Ok(host), Some(acme)) = (facts.host.clone(), &ctx.acme) else { return Ok(()) };
    let Some(place) = place(ctx, now, facts) else { return Ok(()) };
    let seen = ctx.lookout.caa(host.bare()).await;
    // Others may look at their servers while the authority is asked.
    drop(place);
    let verdict = match seen {
        Ok(records) => {
            let spec = &facts.domain.spec.certificate;
            match acme.forbidden(ctx, &host, spec, records.as_ref()).await {
                Ok(refusal) => refusal.map_or(Caa::Allows, Caa::Forbids),
                Err(error) => unseen(facts, Refusal::new(error.error.reason, error.error.message)),
            }
        }
        Err(error) => unseen(facts, trouble::refusal(&error)),
    };
    facts.known.caa = Some(CaaFact { at: now, verdict });
    Ok(())
}

fn unseen(facts: &Facts, why: Refusal) -> Caa {
    Caa::Unseen(why, unseen_before(facts).saturating_add(1))
}

/// By how many looks in a row they, or the authority's names, couldn't be seen.
fn unseen_before(facts: &Facts) -> u32 {
    match facts.known.caa.as_ref().map(|caa| &caa.verdict) {
        Some(Caa::Unseen(_, looks)) => *looks,
        _ => 0,
    }
}

/// Whether every server shows the texts that the authority wants.
async fn shown(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let texts = facts.known.stored.as_ref().map(|stored| stored.texts.clone()).unwrap_or_default();
    let looks = match &facts.known.shown {
        Shown::NotYet(glance) | Shown::Unseen(glance, _) => glance.looks.saturating_add(1),
        Shown::NotSet | Shown::Everywhere => 1,
    };
    facts.known.shown = looked_for(ctx, Glance { at: now, looks }, &texts).await;
    Ok(())
}

async fn looked_for(ctx: &Context, glance: Glance, texts: &[Text]) -> Shown {
    for text in texts {
        match ctx.lookout.shows(&text.name, &text.value).await {
            Ok(Sight::Everywhere) => {}
            Ok(Sight::NotAt(server)) => {
                tracing::debug!(server, "a text doesn't show yet");
                return Shown::NotYet(glance);
            }
            Err(error) => return Shown::Unseen(glance, trouble::refusal(&error)),
        }
    }
    Shown::Everywhere
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(2026, 2, 1);
        params
    }

    #[test]
    fn a_secret_s_chain_is_taken_in_its_order_and_while_all_of_it_is_valid() {
        let (key, root_key, between_key) =
            (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (root, between) = (authority("private root"), authority("between"));
        let top = root.self_signed(&root_key).unwrap().pem();
        let middle = between.signed_by(&between_key, &Issuer::new(root, root_key)).unwrap().pem();
        let leaf = CertificateParams::new(vec!["a.example.dev".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(between, between_key)).unwrap().pem();
        let host = Hostname::parse("a.example.dev").unwrap();
        let told = |chain: String, now: &str| {
            let data = [("tls.crt", chain), ("tls.key", key.serialize_pem())];
            let data: BTreeMap<_, _> = data
                .into_iter()
                .map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes())))
                .collect();
            let type_ = Some("kubernetes.io/tls".to_owned());
            let secret = Secret { data: Some(data), type_, ..Secret::default() };
            usable(now.parse().unwrap(), &host, "own", secret).map(drop).map_err(|refusal| refusal.message)
        };
        let now = "2026-01-15T00:00:00Z";
        for chain in [leaf.clone(), format!("{leaf}{middle}"), format!("{leaf}{middle}{top}")] {
            assert_eq!(told(chain, now), Ok(()));
        }
        let shuffled = told(format!("{leaf}{top}{middle}"), now).unwrap_err();
        assert!(
            shuffled.contains("certificate 1 of `tls.crt` isn't signed by the one after it"),
            "{shuffled}"
        );
        let late = told(format!("{leaf}{middle}"), "2026-02-02T00:00:00Z").unwrap_err();
        assert!(late.contains("`own`") && late.contains("isn't valid now"), "{late}");
    }
}
