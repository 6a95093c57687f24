//! One order, kept between its steps so that each costs as few requests as can be.

use std::collections::BTreeSet;
use std::time::Duration;

use instant_acme::{Error, OrderStatus};

use super::account::Mark;
use super::authorizations::{cause, read, tell_all};
use super::challenge::{Asked, Challenge, Method};
use super::error::AcmeError;
use super::http::{Http, retried};
use super::judge::{Subject, failure, is_not_ready};

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its names have to be proved, or the proofs are being looked at.
    Pending,
    /// It waits for the certificate request.
    Ready,
    /// The authority is at it.
    Processing,
    /// The certificate is made.
    Valid,
    /// It failed, for this reason.
    Invalid(AcmeError),
}

/// An order of an account. After a crash it is taken up again by its address, for one request.
pub struct Order {
    http: Http,
    inner: instant_acme::Order,
    stage: Stage,
    pause: Option<Duration>,
    names: Vec<String>,
    asked: Option<(Method, Vec<Challenge>)>,
    answered: BTreeSet<String>,
    mark: Mark,
}

impl Order {
    pub(super) async fn new(http: Http, inner: instant_acme::Order, names: &[String], mark: Mark) -> Self {
        let (names, answered) = (names.to_vec(), BTreeSet::new());
        let mut order =
            Self { http, inner, stage: Stage::Pending, pause: None, names, asked: None, answered, mark };
        order.settle().await;
        order
    }

    /// The account, with the key, that it is asked for by.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Its address, to be stored.
    pub fn url(&self) -> &str {
        self.inner.url()
    }

    /// Where it stood when the authority was last asked.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The pause that the authority asked for when it last told where the order stands.
    pub fn pause(&self) -> Option<Duration> {
        self.pause
    }

    /// Requests that it took so far, since it was begun or taken up again.
    pub fn requests(&self) -> u32 {
        self.http.requests()
    }

    /// Whether the authority takes it as the renewal of a certificate, which is free from its limits.
    pub fn is_renewal(&mut self) -> bool {
        self.inner.state().replaces.is_some()
    }

    /// The proofs that are asked for and weren't given yet. Each authorization is read once.
    ///
    /// # Errors
    /// If the authority can't be asked, or takes no proof by this method.
    pub async fn challenges(&mut self, method: Method) -> Result<Vec<Challenge>, AcmeError> {
        if let Some((asked, challenges)) = &self.asked
            && *asked == method
        {
            return Ok(challenges.clone());
        }
        let mut challenges = Vec::new();
        for asked in self.read(method).await? {
            match asked {
                Asked::Proof(challenge) => challenges.push(challenge),
                Asked::Otherwise(name) => return Err(unproved(&name, method)),
                Asked::Nothing => {}
            }
        }
        self.asked = Some((method, challenges.clone()));
        Ok(challenges)
    }

    async fn read(&mut self, method: Method) -> Result<Vec<Asked>, AcmeError> {
        let order = &mut self.inner;
        let (found, names) = self.http.call(Subject::Order, retried!(read(order, method))).await?;
        self.names = names;
        Ok(found)
    }

    /// Tells the authority that the proofs are there. It may be repeated: what was told isn't told again.
    ///
    /// # Errors
    /// If it refuses or can't be asked.
    pub async fn answer(&mut self, method: Method) -> Result<(), AcmeError> {
        let (order, answered, http) = (&mut self.inner, &mut self.answered, &self.http);
        http.call(Subject::Order, retried!(tell_all(http, order, answered, method))).await?;
        self.asked = Some((method, Vec::new()));
        Ok(())
    }

    /// Asks where it stands: one request, and for an order that failed one more for each name until the cause is
    /// found.
    ///
    /// # Errors
    /// If the authority can't be asked, or knows nothing of it.
    pub async fn poll(&mut self) -> Result<&Stage, AcmeError> {
        let order = &mut self.inner;
        self.http.call(Subject::Order, retried!(refresh(order))).await?;
        self.settle().await;
        Ok(&self.stage)
    }

    /// Sends the certificate request.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked.
    pub async fn finalize(&mut self, request: &[u8]) -> Result<&Stage, AcmeError> {
        let order = &mut self.inner;
        self.http.call(Subject::Request, retried!(finalize(order, request))).await?;
        self.settle().await;
        Ok(&self.stage)
    }

    /// Fetches the chain, PEM.
    ///
    /// # Errors
    /// If the authority can't be asked, or has none yet.
    pub async fn download(&mut self) -> Result<String, AcmeError> {
        let not_yet = || AcmeError::unavailable("The certificate isn't made yet; it is tried again.");
        if self.stage != Stage::Valid {
            return Err(not_yet());
        }
        let order = &mut self.inner;
        let chain = self.http.call(Subject::Order, retried!(order.certificate())).await?;
        chain.ok_or_else(not_yet)
    }

    /// Takes over what the authority said last.
    async fn settle(&mut self) {
        self.pause = self.http.head().and_then(|head| head.retry_after);
        self.stage = match self.inner.state().status {
            OrderStatus::Pending => Stage::Pending,
            OrderStatus::Ready => Stage::Ready,
            OrderStatus::Processing => Stage::Processing,
            OrderStatus::Valid => Stage::Valid,
            OrderStatus::Invalid => Stage::Invalid(self.why().await),
        };
    }

    /// The first cause that the authority names. It may tell it with the order, or with the name that failed.
    async fn why(&mut self) -> AcmeError {
        let told = self.inner.state().error.clone();
        if let (Some(problem), [_]) = (&told, self.names.as_slice()) {
            return failure(problem, &self.names);
        }
        let order = &mut self.inner;
        let found = self.http.call(Subject::Order, retried!(cause(order)));
        match (found.await, told) {
            (Ok(Some(error)), _) => error,
            (_, Some(problem)) => failure(&problem, &self.names),
            _ => AcmeError::refused("The certificate authority gave the order up, and doesn't say why."),
        }
    }
}

async fn refresh(order: &mut instant_acme::Order) -> Result<(), Error> {
    order.refresh().await.map(drop)
}

async fn finalize(order: &mut instant_acme::Order, request: &[u8]) -> Result<(), Error> {
    match order.finalize_csr(request).await {
        // It may have been sent before, with the reply lost.
        Err(error) if is_not_ready(&error) => refresh(order).await,
        done => done,
    }
}

fn unproved(name: &str, method: Method) -> AcmeError {
    let remedy = match method {
        Method::Http if name.starts_with("*.") => "A wildcard is proved by DNS.",
        _ => "Prove it in another way, or use another authority.",
    };
    AcmeError::refused(format!(
        "The certificate authority takes no proof of {name} by {}. {remedy}",
        method.as_str()
    ))
}
