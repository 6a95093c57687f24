//! What the public edge asks: which app a hostname is, and a Machine that takes a request.

use super::boot::run_of;
use super::state::{Key, State};
use crate::driver::Launch;
use crate::model::address::AddressKind;
use crate::model::app::App;
use crate::model::certificate::Certificate;
use crate::model::config::{Service, ServicePort};
use crate::model::machine::{Machine, MachineState, Replace};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this running Machine's internal port; the request counts as load already.
    To(Key, u16),
    /// Nowhere yet: this Machine is on its way up.
    Wait(Key),
    /// To `https://`.
    RedirectToHttps,
    /// No app, no address, or no service on this port.
    NoService,
    /// No Machine that runs or may be started.
    NoCandidate(String),
}

impl State {
    /// The app that a hostname belongs to, whether by its own name or since it was added there.
    ///
    /// Of several apps it is the one that visitors come to by what DNS said last, else one that it is proved for, else
    /// the one that had it first; an exact name before a wildcard.
    pub fn app_of_host(&self, hostname: &str) -> Option<&str> {
        let own = hostname.strip_suffix(".fly.dev").and_then(|name| self.apps.get(name));
        let holders = self.holders(hostname);
        let best = holders.iter().map(|(_, certificate)| standing(certificate)).max();
        let chosen = holders.iter().find(|(_, certificate)| Some(standing(certificate)) == best);
        own.or_else(|| chosen.map(|(app, _)| *app)).map(|app| app.name.as_str())
    }

    /// The certificate that a visitor of an app's hostname is shown: the exact name's before a wildcard's.
    pub fn certificate_of(&self, app: &str, hostname: &str) -> Option<&Certificate> {
        let holders = self.holders(hostname).into_iter();
        let mut active =
            holders.filter(|(holder, certificate)| holder.name == app && certificate.is_active());
        active.next().map(|(_, certificate)| certificate)
    }

    /// Who has added a hostname, or the wildcard that it is under.
    fn holders(&self, hostname: &str) -> Vec<(&App, &Certificate)> {
        let wildcard = hostname.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let names = [Some(hostname), wildcard.as_deref()];
        let added = names.into_iter().flatten().flat_map(|name| {
            let apps = self.hostnames.get(name).into_iter().flatten();
            apps.filter_map(move |app| self.apps.get(app).map(|app| (app, name)))
        });
        added.filter_map(|(app, name)| Some((app, app.certificates.get(name)?))).collect()
    }

    /// Decides where a request goes, starting a Machine where autostart says so.
    pub fn route(&mut self, hostname: &str, port: u16) -> Route {
        let Some(app) = self.app_of_host(hostname).and_then(|name| self.apps.get(name)) else {
            return Route::NoService;
        };
        let served: Vec<(&Machine, &Service, &ServicePort)> =
            app.living().filter_map(|machine| serves(machine, port)).collect();
        let Some((_, _, public)) = served.first().filter(|_| app.is_public()) else {
            return Route::NoService;
        };
        if public.force_https && port != 443 {
            return Route::RedirectToHttps;
        }
        let key = |machine: &Machine| Key { app: app.name.clone(), id: machine.id.clone() };
        let running = served.iter().filter(|(machine, ..)| machine.state == MachineState::Started);
        let least = running.min_by_key(|(machine, ..)| machine.load).copied();
        let rising = served.iter().find(|(machine, ..)| is_rising(machine)).map(|(machine, ..)| key(machine));
        let asleep = served.iter().find(|(machine, service, _)| may_wake(machine, service));
        let asleep = asleep.map(|(machine, ..)| key(machine));
        if let Some((machine, service, _)) = least {
            let (to, internal) = (key(machine), service.internal_port);
            // Above the limit another one is started, for the requests that follow.
            if machine.load >= service.concurrency.soft() && rising.is_none() && asleep.is_some() {
                self.wake(asleep);
            }
            self.request_started(&to);
            return Route::To(to, internal);
        }
        rising.map_or_else(|| self.wake(asleep), Route::Wait)
    }

    fn wake(&mut self, asleep: Option<Key>) -> Route {
        let Some(key) = asleep else {
            return Route::NoCandidate("no running machine, and none that may be started".to_owned());
        };
        match self.start(&key) {
            Ok(_) => Route::Wait(key),
            Err(refusal) => Route::NoCandidate(refusal.to_string()),
        }
    }

    /// A request is on its way to a Machine: it counts as load.
    pub fn request_started(&mut self, key: &Key) {
        let now = self.now;
        if let Some(machine) = self.machine_in_memory(key) {
            machine.load += 1;
            machine.active_at = now;
        }
    }

    /// A request, or the connection that came of it, has ended.
    pub fn request_ended(&mut self, key: &Key) {
        let now = self.now;
        if let Some(machine) = self.machine_in_memory(key) {
            machine.load = machine.load.saturating_sub(1);
            machine.active_at = now;
        }
    }

    fn machine_in_memory(&mut self, key: &Key) -> Option<&mut Machine> {
        self.apps.get_mut(&key.app)?.machines.get_mut(&key.id)
    }

    /// What runs in a Machine, for drivers that make it up when asked.
    pub fn launch_spec(&self, key: &Key) -> Option<Launch> {
        let (app, machine) = (self.apps.get(&key.app)?, self.machine(key)?);
        let mount = machine.config.parts().mounts.first();
        Some(Launch {
            run: run_of(key, machine),
            region: machine.region.clone(),
            version: machine.instance_id.clone(),
            private_ip: machine.private_ip.clone(),
            image: machine.config.parts().image.clone(),
            config: machine.config.raw().clone(),
            secrets: app.secrets.values.iter().map(|(name, s)| (name.clone(), s.value.clone())).collect(),
            volume: mount.map(|mount| (mount.volume.clone(), mount.path.clone())),
        })
    }

    /// The app's own public address, IPv6 first.
    pub fn public_address(&self, app: &str) -> Option<&str> {
        let addresses = &self.apps.get(app)?.addresses;
        let of = |kind| addresses.iter().find(move |address| address.kind == kind);
        let found =
            of(AddressKind::V6).or_else(|| of(AddressKind::V4)).or_else(|| of(AddressKind::SharedV4))?;
        Some(&found.ip)
    }
}

/// How much speaks for an app that a hostname was added to.
fn standing(certificate: &Certificate) -> u8 {
    let seen = certificate.validation;
    match () {
        () if seen.leads_here() => 2,
        () if seen.dns_configured || seen.ownership_txt_configured || certificate.is_active() => 1,
        () => 0,
    }
}

fn serves(machine: &Machine, port: u16) -> Option<(&Machine, &Service, &ServicePort)> {
    if machine.cordoned {
        return None;
    }
    machine.config.parts().services.iter().find_map(|service| {
        service.ports.iter().find(|public| public.covers(port)).map(|public| (machine, service, public))
    })
}

fn is_rising(machine: &Machine) -> bool {
    let replacing = machine.replace != Replace::Idle && machine.after == crate::model::machine::After::Start;
    let restarting = matches!(machine.state, MachineState::Starting | MachineState::Restarting);
    replacing || restarting
}

fn may_wake(machine: &Machine, service: &Service) -> bool {
    let asleep = matches!(machine.state, MachineState::Stopped | MachineState::Suspended);
    asleep && service.autostart.unwrap_or(false)
}
