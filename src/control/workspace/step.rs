//! What a decision can be: look at something, do one thing, or leave it until later.

use jiff::SignedDuration;

use crate::api::workspace::Role;
use crate::control::runtime::facts::Refusal;

/// The next step for a Workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look at the `RoleBinding` of a role first.
    Look(Role),
    /// Do one thing.
    Do(Effect),
    /// Something is under way: come back.
    Wait(Waiting),
    /// Nothing is to be done.
    Rest(Rest),
}

/// One thing to do. Each can be repeated after "sent, unknown".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put our finalizer on the Workspace.
    AddFinalizer,
    /// Take our finalizer off.
    RemoveFinalizer,
    /// Claim a name.
    Claim(Name),
    /// Take over a claim that the platform confirmed, or a freed one.
    TakeOver(Name),
    /// Remove a freed claim of another type, so that the name can be claimed.
    Discard(Name),
    /// Give a name up.
    Release(Name),
    /// Give a role to its members, and to nobody else.
    Bind(Role),
    /// Remove the `RoleBinding` of a role: nobody is to hold it, or it binds another role.
    Unbind(Role),
}

/// One of the names that a Workspace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The namespace: a Workspace is its only one.
    Namespace,
    /// The subdomain.
    Subdomain,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The namespace's Runtimes and orders, to go.
    Dependents,
    /// The end of the namespace, which removes the Workspace too.
    Namespace,
    /// The pause after something went wrong.
    Retry(SignedDuration),
}

/// Where a Workspace rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It can be used.
    Active,
    /// The platform has suspended it.
    Suspended,
    /// It waits for a person.
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
        Effect::TakeOver(_) => "TakeOver",
        Effect::Discard(_) => "Discard",
        Effect::Release(_) => "Release",
        Effect::Bind(_) => "Bind",
        Effect::Unbind(_) => "Unbind",
    }
}
