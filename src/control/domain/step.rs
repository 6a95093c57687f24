//! What a decision can be: look at something, do one thing, or leave it until later.

use jiff::{SignedDuration, Timestamp};

use super::certificate::Proof;
use crate::api::domain_record::{CertificateRecord, Contest, DomainRecord, OwnershipMethod};
use crate::control::runtime::facts::Refusal;
use crate::domains::acme::AcmeError;

/// The next step for a hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find something out.
    Look(Look),
    /// Do one thing.
    Do(Effect),
    /// Something is under way: come back.
    Wait(Waiting),
    /// Nothing is to be done.
    Rest(Rest),
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// What has to be set in DNS, by this tenant and by the one that holds the name.
    Proofs,
    /// When it is this hostname's turn to be looked at in DNS again.
    Turn,
    /// What the authoritative servers say.
    Dns,
    /// The Runtime: a cache alone proves no absence.
    Runtime,
    /// The app's public addresses.
    Addresses,
    /// The hostname at Fly.
    Edge,
    /// What the operator keeps for ordering.
    Stored,
    /// The certificate in the Secret that is named.
    Material,
    /// The copy of the ordered certificate in the namespace.
    Copy,
    /// Who may issue.
    Caa,
    /// Whether the authority wants the certificate renewed earlier.
    Renewal,
    /// The order under way.
    Order,
    /// Whether texts show at every server.
    Shown,
}

/// One thing to do. Each can be repeated after "sent, unknown".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Take our finalizer off.
    RemoveFinalizer,
    /// Make the claim on the name, which was proved.
    Claim(Box<DomainRecord>),
    /// Take over the claim of an earlier object of its name, which the platform confirmed.
    TakeOver,
    /// Take the name over from whoever gave it up or can't prove it any more.
    Reclaim(Box<DomainRecord>),
    /// Record that it is contested, or isn't any more.
    RecordContest(Option<Contest>),
    /// Record since when the record that proves it has been missing.
    RecordMissing(Timestamp),
    /// Record that a record proves it, and of which kind that is.
    RecordShown(OwnershipMethod),
    /// Record since when it has led elsewhere, or that it leads here again.
    RecordAstray(Option<Timestamp>),
    /// Record the app that it leads to from now on, before anything is done.
    RecordRoute(Option<String>),
    /// Give the name in the platform's zone these addresses.
    Publish {
        /// Its first label.
        label: String,
        /// The addresses.
        addresses: Vec<String>,
    },
    /// Remove the name with this first label from the platform's zone.
    Unpublish(String),
    /// Have Fly issue a certificate for it.
    RequestCertificate,
    /// Have Fly look at its records now.
    CheckHostname,
    /// Import the certificate at hand.
    Import,
    /// Take the imported certificate from the app, and keep the hostname.
    DropImport,
    /// Take Fly's own certificate from the app, and keep the hostname.
    DropIssued,
    /// Take the hostname with all its certificates from the app.
    Detach(String),
    /// Record addresses, certificate and since when it serves.
    RecordStanding(Box<Standing>),
    /// Count an order for a certificate, before it is placed.
    CountOrder,
    /// Place an order for a certificate, and store it.
    BeginOrder,
    /// Store what has to be shown, then show it.
    ShowProofs(Vec<Proof>),
    /// Tell the authority that it shows.
    Answer,
    /// Send the certificate request.
    Finalize,
    /// Fetch the certificate, and store it.
    Collect,
    /// Copy the certificate into the namespace's Secret.
    Copy,
    /// Give the order up, and record why it failed.
    Abandon(AcmeError),
    /// Take away what was shown.
    Clean,
    /// Remove what the operator keeps for ordering.
    DropStored,
    /// Give the name up. It is kept for its tenant for a while.
    Release,
}

/// What stands under a hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Addresses of the name in the platform's zone.
    pub addresses: Vec<String>,
    /// The certificate in service.
    pub certificate: Option<CertificateRecord>,
    /// Since when it serves.
    pub service_time: Option<Timestamp>,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Fly, to issue a certificate.
    Fly(SignedDuration),
    /// Texts, to show.
    Texts(SignedDuration),
    /// The certificate authority.
    Authority(SignedDuration),
    /// The time at which ordering goes on, and why not before.
    Order(Refusal, SignedDuration),
    /// The Runtime's app, to be made.
    Runtime,
    /// The end of the namespace, which removes the object too.
    Namespace,
    /// The pause after something went wrong.
    Retry(SignedDuration),
}

/// Where a hostname rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It serves.
    Active,
    /// A record has to be set.
    PendingDns,
    /// It waits for a person otherwise.
    Awaiting(Refusal),
    /// It can't be done as it stands; looked at again after a while.
    Refused(Refusal, SignedDuration),
    /// It is gone: nothing is left to do.
    Gone,
}

/// The effect in one word, for logs.
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::AddFinalizer => "AddFinalizer",
        Effect::RemoveFinalizer => "RemoveFinalizer",
        Effect::Claim(_) => "Claim",
        Effect::TakeOver => "TakeOver",
        Effect::Reclaim(_) => "Reclaim",
        Effect::RecordContest(_) => "RecordContest",
        Effect::RecordMissing(_) => "RecordMissing",
        Effect::RecordShown(_) => "RecordShown",
        Effect::RecordAstray(_) => "RecordAstray",
        Effect::RecordRoute(_) => "RecordRoute",
        Effect::Publish { .. } => "Publish",
        Effect::Unpublish(_) => "Unpublish",
        Effect::RequestCertificate => "RequestCertificate",
        Effect::CheckHostname => "CheckHostname",
        Effect::Import => "Import",
        Effect::DropImport => "DropImport",
        Effect::DropIssued => "DropIssued",
        Effect::Detach(_) => "Detach",
        Effect::RecordStanding(_) => "RecordStanding",
        Effect::CountOrder => "CountOrder",
        Effect::BeginOrder => "BeginOrder",
        Effect::ShowProofs(_) => "ShowProofs",
        Effect::Answer => "Answer",
        Effect::Finalize => "Finalize",
        Effect::Collect => "Collect",
        Effect::Copy => "Copy",
        Effect::Abandon(_) => "Abandon",
        Effect::Clean => "Clean",
        Effect::DropStored => "DropStored",
        Effect::Release => "Release",
    }
}
