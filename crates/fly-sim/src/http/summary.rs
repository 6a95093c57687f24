//! What there is, for assertions of tests.

use serde_json::{Value, json};

use crate::model::app::App;
use crate::model::certificate::Certificate;
use crate::model::machine::Machine;
use crate::model::volume::{Snapshot, Volume};

/// An app and everything in it, without any secret's value.
pub fn app(app: &App) -> Value {
    json!({
        "name": app.name,
        "org": app.org,
        "network": app.network,
        "machines": app.machines.values().map(machine).collect::<Vec<_>>(),
        "volumes": app.volumes.values().map(volume).collect::<Vec<_>>(),
        "secrets": app.secrets.values.keys().collect::<Vec<_>>(),
        "secretsVersion": app.secrets.version,
        "addresses": app.addresses.iter().map(|a| json!({ "ip": a.ip, "type": a.kind })).collect::<Vec<_>>(),
        "certificates": app.certificates.keys().collect::<Vec<_>>(),
        "hostnames": app.certificates.values().map(hostname).collect::<Vec<_>>(),
    })
}

fn hostname(certificate: &Certificate) -> Value {
    let custom = certificate.custom.as_ref();
    json!({
        "hostname": certificate.hostname,
        "acmeRequested": certificate.acme_requested,
        "custom": custom.map(|custom| json!({
            "fingerprint": custom.fingerprint,
            "expiresAt": custom.expires_at,
            "active": certificate.active_custom().is_some(),
        })),
        "fly": certificate.issued,
    })
}

fn machine(machine: &Machine) -> Value {
    json!({
        "id": machine.id,
        "name": machine.name,
        "state": machine.state,
        "region": machine.region,
        "host": machine.host,
        "version": machine.instance_id,
        "image": machine.config.parts().image,
        "digest": machine.image.digest,
        "metadata": machine.config.parts().metadata,
        "load": machine.load,
        "cordoned": machine.cordoned,
        "leased": machine.lease.is_some(),
    })
}

fn volume(volume: &Volume) -> Value {
    json!({
        "id": volume.id,
        "name": volume.name,
        "state": volume.state,
        "region": volume.region,
        "host": volume.host,
        "hold": volume.hold,
        "snapshots": volume.snapshots.iter().map(snapshot).collect::<Vec<_>>(),
        "content": volume.content,
    })
}

fn snapshot(snapshot: &Snapshot) -> Value {
    json!({
        "id": snapshot.id,
        "status": snapshot.status,
        "retentionDays": snapshot.retention_days,
        "content": snapshot.content,
    })
}
