//! The Internet that most tests share.

use std::net::IpAddr;
use std::time::Duration;

use moorage::domains::dns::{LookError, Lookout, Seen, Target};
use moorage::domains::name::Hostname;
use moorage::engine::config::DnsSettings;
use testbed::{Internet, RunningInternet, Software};
use tokio::sync::OnceCell;

/// Our own zone, which no server anywhere has: who asks about it fails.
pub const OURS: &str = "dom.moorage.test";

/// What a customer's zone holds. The same in zones of Knot, of BIND, and of both.
const CUSTOMER: &str = "
@ A 192.0.2.10
@ AAAA 2001:db8::10
@ CAA 0 issue \"ca.test\"
www CNAME a1b2c3.dom.moorage.test.
_moorage-challenge.www TXT \"first\" \" part\"
_moorage-challenge.www TXT \"another\"
_acme-challenge.www CNAME _acme-challenge.a1b2c3.dom.moorage.test.
deep CNAME DEEPER
deeper CNAME www.elsewhere.test.
cdn CNAME edge.elsewhere.test.
dangling CNAME gone.elsewhere.test.
lost CNAME www.nobody.test.
_moorage-challenge.lost TXT \"proof\"
_moorage-challenge.ring1 TXT \"proof\"
_moorage-challenge.step0 TXT \"proof\"
four A 192.0.2.4
six AAAA 2001:db8::6
both A 192.0.2.22
both A 192.0.2.21
both AAAA 2001:db8::21
text TXT \"no address\"
ring1 CNAME ring2
ring2 CNAME ring3
ring3 CNAME ring1
self CNAME self
step0 CNAME step1
step1 CNAME step2
step2 CNAME step3
step3 CNAME step4
step4 CNAME step5
step5 CNAME step6
step6 CNAME step7
step7 CNAME step8
step8 CNAME step9
step9 CNAME a1b2c3.dom.moorage.test.
*.wild CNAME d4e5f6.dom.moorage.test.
own.wild A 192.0.2.33
_moorage-challenge.wild TXT \"proof\"
*.addresses A 192.0.2.44
empty.node A 192.0.2.55
child NS ns3.servers.test.
_moorage-challenge.given NS ns3.servers.test.
given A 192.0.2.66
nocaa CAA 0 issue \";\"
nocaa CAA 128 future \"x\"
below.nocaa A 192.0.2.77
aliascaa CNAME caa.elsewhere.test.
plainalias CNAME www.elsewhere.test.
ourcaa CNAME a1b2c3.dom.moorage.test.
";

/// What two servers of one zone hold, of which one is behind.
const AHEAD: &str = "
www CNAME a1b2c3.dom.moorage.test.
new A 192.0.2.1
load A 192.0.2.1
load A 192.0.2.2
_moorage-challenge.load TXT \"new\"
";
const BEHIND: &str = "
www A 192.0.2.2
load A 192.0.2.2
load A 192.0.2.3
";

/// Zones with the customer's records: of each kind of server, and of both.
pub const ZONES: [&str; 3] = ["knot.test", "bind.test", "shop.test"];

static WORLD: OnceCell<RunningInternet> = OnceCell::const_new();

/// The Internet, once for all tests.
pub async fn world() -> &'static RunningInternet {
    WORLD.get_or_init(|| async { start().await.unwrap() }).await
}

async fn start() -> anyhow::Result<RunningInternet> {
    let child = "@ A 192.0.2.99\nwww CNAME c1c1c1.dom.moorage.test.\n_moorage-challenge.www TXT \"below\"";
    let given = "@ TXT \"given away\"";
    let elsewhere = "www CNAME e1e1e1.dom.moorage.test.
edge A 192.0.2.200
edge AAAA 2001:db8::200
caa CAA 0 issuewild \"wild-ca.test\"
";
    let mut below = Vec::new();
    for zone in ZONES {
        below.push((format!("child.{zone}"), child));
        below.push((format!("_moorage-challenge.given.{zone}"), given));
    }
    let below: Vec<(&str, &str)> = below.iter().map(|(zone, text)| (zone.as_str(), *text)).collect();
    Internet::new()?
        .server(Software::Knot, &[("knot.test", CUSTOMER), ("shop.test", CUSTOMER), ("split.test", AHEAD)])
        .server(
            Software::Bind,
            &[("bind.test", CUSTOMER), ("shop.test", CUSTOMER), ("elsewhere.test", elsewhere)],
        )
        .server(Software::Knot, &below)
        .server(Software::Knot, &[("split.test", BEHIND)])
        .start()
        .await
}

/// Settings to find servers in this Internet.
pub fn settings(internet: &RunningInternet) -> DnsSettings {
    DnsSettings {
        resolvers: vec![internet.resolver().to_string()],
        port: internet.port(),
        allowed_networks: vec!["127.0.0.0/8".into()],
    }
}

pub fn lookout(internet: &RunningInternet) -> Lookout {
    Lookout::new(&settings(internet), vec![OURS.to_owned()])
}

/// A look of which every part came to something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    pub chain: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub texts: Vec<String>,
    pub delegated: Option<String>,
    pub is_apex: bool,
    pub negative_ttl: Option<Duration>,
}

/// Looks at a host as the operator does.
pub async fn parts(lookout: &Lookout, host: &str) -> Result<Seen, LookError> {
    let host = Hostname::parse(host).unwrap();
    lookout.look(&host, &format!("_moorage-challenge.{}", host.bare())).await
}

/// The same, or the first thing that couldn't be found out.
pub async fn look(lookout: &Lookout, host: &str) -> Result<Whole, LookError> {
    let Seen { target, texts, delegated, negative_ttl } = parts(lookout, host).await?;
    let Target { chain, addresses, is_apex } = target?;
    Ok(Whole { chain, addresses, texts: texts?, delegated: delegated?, is_apex, negative_ttl })
}

/// What was seen of a host that can be looked at.
#[track_caller]
pub fn seen(result: Result<Whole, LookError>) -> Whole {
    result.unwrap_or_else(|error| panic!("{error}"))
}

pub fn addresses(all: &[&str]) -> Vec<IpAddr> {
    all.iter().map(|one| one.parse().unwrap()).collect()
}
