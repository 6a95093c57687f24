//! What goes over the wire: requests and answers of the API.
//!
//! Answers are read with tolerance: unknown fields are ignored (or kept, in a Machine's config), `null` counts as
//! absent, and enumerations have an `Other` variant for values that this version doesn't know.

#[macro_use]
mod open_enum;
mod address;
mod app;
mod certificate;
mod check;
mod config;
mod duration;
mod event;
mod exec;
mod guest;
mod lease;
mod machine;
mod machine_request;
mod org;
mod platform;
mod secret;
mod service;
mod token;
mod volume;
pub(crate) mod wire;

#[cfg(test)]
mod certificate_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tolerance_tests;

pub use address::{AssignIp, IpAssignment, IpKind, IpNetwork};
pub use app::{App, AppDeletion, AppOrganization, CreateApp, CreatedApp};
pub use certificate::{
    AcmeChallenge, CertificateDetail, CertificateEntry, CertificateSource, CertificateStatus,
    CertificateSummary, CertificateValidation, CertificateValidationError, CustomCertificate, DnsRecords,
    DnsRequirements, IssuedCertificate, Ownership,
};
pub use check::{Check, CheckHeader, CheckKind, CheckResult, CheckStatus, CheckType};
pub use config::{File, Init, MachineConfig, Mount, Restart, RestartPolicy, StopConfig};
pub use duration::WireDuration;
pub use event::{EventRequest, ExitEvent, MachineEvent};
pub use exec::{Exec, ExecAnswer, ListenSocket, Process};
pub use guest::{CpuKind, Guest};
pub use lease::{AcquireLease, Lease, LeaseNonce};
pub use machine::{HostStatus, ImageRef, Machine, MachineState, MachineVersion};
pub use machine_request::{
    CreateMachine, Launch, ListMachines, MachineDeletion, MetadataPatch, Placement, RestartMachine, Started,
    StopMachine, UpdateMachine, WaitFor, WaitOutcome, Waited,
};
pub use org::{OrgMachine, OrgMachineConfig, OrgMachinesPage, OrgQuery, OrgVolume, OrgVolumesPage};
pub use platform::{PlacementQuery, Region, RegionRoom, Regions};
pub use secret::{AppSecret, SecretsAnswer, SetSecret};
pub use service::{Autostop, Concurrency, ConcurrencyKind, PortHandler, Protocol, Service, ServicePort};
pub use token::{TokenInfo, TokensAnswer};
pub use volume::{CreateVolume, ExtendedVolume, Snapshot, UpdateVolume, Volume, VolumeState};

pub(crate) use address::IpList;
pub(crate) use app::AppsPage;
pub(crate) use certificate::CertificatesPage;
pub(crate) use lease::LeaseAnswer;
pub(crate) use platform::PlacementsAnswer;
pub(crate) use secret::{SecretValues, SecretsWire};
pub(crate) use token::DeployTokenAnswer;

/// Fields that this version doesn't model, kept so that they survive a read and update.
pub type Extra = serde_json::Map<String, serde_json::Value>;
