//! The authorizations of an order, each of which is one name to be proved.

use std::collections::BTreeSet;

use instant_acme::{Authorizations, Error, Order};

use super::challenge::{Asked, Method, asked, is_open, name};
use super::error::AcmeError;
use super::http::Http;
use super::judge::{failure, is_bad_nonce};

/// Most names of an order.
const MOST: usize = 100;

/// The authorizations of an order; not of one that would have us ask without end.
fn of(order: &mut Order) -> Result<Authorizations<'_>, Error> {
    if order.state().authorizations.len() > MOST {
        return Err(Error::Str("fewer names to prove"));
    }
    Ok(order.authorizations())
}

/// What each authorization asks for, and the names that they are for.
pub(super) async fn read(order: &mut Order, method: Method) -> Result<(Vec<Asked>, Vec<String>), Error> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    let mut authorizations = of(order)?;
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        names.push(name(&authorization));
        found.push(asked(&mut authorization, method));
    }
    Ok((found, names))
}

/// The first cause that an authorization names.
pub(super) async fn cause(order: &mut Order) -> Result<Option<AcmeError>, Error> {
    let mut authorizations = of(order)?;
    while let Some(authorization) = authorizations.next().await {
        let authorization = authorization?;
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Ok(Some(failure(problem, &[name(&authorization)])));
        }
    }
    Ok(None)
}

/// Tells the authority of each proof that is there, and notes which were told.
pub(super) async fn tell_all(
    http: &Http,
    order: &mut Order,
    answered: &mut BTreeSet<String>,
    method: Method,
) -> Result<(), Error> {
    of(order)?;
    let all: Vec<String> = order.state().authorizations.iter().map(|one| one.url.clone()).collect();
    for id in all {
        if !answered.contains(&id) {
            tell(http, order, &id, method).await?;
            answered.insert(id);
        }
    }
    Ok(())
}

/// Tells the authority that the proof of one authorization is there. What it makes of it is seen when it is asked for
/// the order.
async fn tell(http: &Http, order: &mut Order, id: &str, method: Method) -> Result<(), Error> {
    let Err(error) = send(order, id, method).await else { return Ok(()) };
    let was_taken = http.head().is_some_and(|head| head.status < 300);
    if was_taken {
        return Ok(());
    }
    if matches!(error, Error::Api(_)) && !is_bad_nonce(&error) && !is_waited_for(order, id, method).await? {
        // It was told before, with the reply lost: some authorities refuse to hear it twice.
        return Ok(());
    }
    Err(error)
}

async fn send(order: &mut Order, id: &str, method: Method) -> Result<(), Error> {
    let mut authorizations = of(order)?;
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.url() == id && is_open(&authorization, method) {
            let Some(mut challenge) = authorization.challenge(method.kind()) else { return Ok(()) };
            return challenge.set_ready().await;
        }
    }
    Ok(())
}

/// Whether the authority, asked anew, still waits for the proof.
async fn is_waited_for(order: &mut Order, id: &str, method: Method) -> Result<bool, Error> {
    let mut authorizations = of(order)?;
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.url() == id {
            authorization.refresh().await?;
            return Ok(is_open(&authorization, method));
        }
    }
    Ok(false)
}
