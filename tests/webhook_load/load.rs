//! Sends at a steady rate, however long answers take, and keeps what came of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::requests::{Kind, Orders, Request, slow};
use crate::scene::Scene;
use crate::wire::{Answer, Connection};

/// Connections to each replica.
const CONNECTIONS: usize = 128;
/// How often the requests that are due are sent.
const TICK: Duration = Duration::from_millis(10);

/// Connections to one replica that nobody uses.
struct Pool {
    address: String,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

/// A run.
pub struct Load {
    pools: [Arc<Pool>; 2],
    rate: u64,
    slow: u64,
    lasts: Duration,
    run: u64,
    orders: Orders,
}

/// What came of one request.
struct Sent {
    kind: Kind,
    about: String,
    at: Timestamp,
    took: Duration,
    answer: Result<Answer, String>,
}

/// What came of all.
pub struct Report {
    sent: Vec<Sent>,
}

impl Load {
    /// So many requests a second, and beside them so many senders a second who are slow.
    pub fn new(scene: &Scene, (rate, slow): (u64, u64), lasts: Duration, run: u64) -> Self {
        let pools = scene.addresses().map(|address| {
            let (idle, places) = (Mutex::default(), Semaphore::new(CONNECTIONS));
            Arc::new(Pool { address, idle, places })
        });
        // Another beginning each time: numbers of payments and events are never those of an earlier test.
        Self { pools, rate, slow, lasts, run, orders: scene.orders().clone() }
    }

    pub async fn run(self) -> Report {
        let (began, mut ticks, mut tasks) = (Instant::now(), interval(TICK), JoinSet::new());
        let (mut number, mut slow_ones) = (0, 0);
        while began.elapsed() < self.lasts {
            ticks.tick().await;
            let late = u64::try_from(began.elapsed().as_millis()).unwrap() * self.slow / 1000;
            for next in slow_ones..late {
                tasks.spawn(dawdle(self.pools[(next % 2) as usize].address.clone()));
            }
            slow_ones = late;
            let due = u64::try_from(began.elapsed().as_millis()).unwrap() * self.rate / 1000;
            for next in number..due {
                let pool = Arc::clone(&self.pools[(next / 100 % 2) as usize]);
                tasks.spawn(send(pool, self.orders.request(self.run, next), Instant::now()));
            }
            number = due;
        }
        Report { sent: tasks.join_all().await }
    }
}

/// Somebody who sends a head and no more, over a connection of their own, and waits for what comes of it.
async fn dawdle(address: String) -> Sent {
    let (at, due, Request { kind, about, bytes }) = (Timestamp::now(), Instant::now(), slow());
    let answer = Connection::new(&address).send(&bytes).await.map_err(|error| format!("{error:#}"));
    Sent { kind, about, at, took: due.elapsed(), answer }
}

/// The time counts from when the request was due, its wait for a connection included.
async fn send(pool: Arc<Pool>, request: Request, due: Instant) -> Sent {
    let at = Timestamp::now();
    let _place = pool.places.acquire().await.unwrap();
    let idle = pool.idle.lock().await.pop();
    let mut connection = idle.unwrap_or_else(|| Connection::new(&pool.address));
    let answer = connection.send(&request.bytes).await.map_err(|error| format!("{error:#}"));
    pool.idle.lock().await.push(connection);
    let Request { kind, about, .. } = request;
    Sent { kind, about, at, took: due.elapsed(), answer }
}

impl Report {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.kind == kind)
    }

    /// Valid requests that weren't taken.
    pub fn lost(&self) -> Vec<String> {
        let payments = self.of(Kind::Payment).filter(|sent| !is(sent, 200, "SUCCESS"));
        let events = self.of(Kind::Event).filter(|sent| !is(sent, 200, ""));
        payments
            .chain(events)
            .map(|sent| format!("{:?} {}: {:?}", sent.kind, sent.about, sent.answer))
            .collect()
    }

    /// What others were told, beyond that they aren't taken. Whoever sends too much may find the door shut.
    pub fn told(&self) -> Vec<String> {
        let events = self.of(Kind::ForgedEvent).filter(|sent| !is(sent, 400, ""));
        let notices = self.of(Kind::ForgedNotice).filter(|sent| !is(sent, 400, "FAIL"));
        let large = self.of(Kind::Oversized).filter(|sent| sent.answer.is_ok() && !is(sent, 413, ""));
        let all = events.chain(notices).chain(large);
        all.map(|sent| format!("{:?}: {:?}", sent.kind, sent.answer)).collect()
    }

    /// Numbers of the payments that were answered `SUCCESS`.
    pub fn payments(&self) -> impl Iterator<Item = &String> {
        self.of(Kind::Payment).filter(|sent| is(sent, 200, "SUCCESS")).map(|sent| &sent.about)
    }

    /// When the last event about each order was sent.
    pub fn last_events(&self) -> BTreeMap<String, Timestamp> {
        let mut last = BTreeMap::new();
        for sent in self.of(Kind::Event) {
            let at = last.entry(sent.about.clone()).or_insert(sent.at);
            *at = sent.at.max(*at);
        }
        last
    }

    /// The time within which so many in a hundred were answered.
    pub fn percentile(&self, kind: Kind, percent: usize) -> Duration {
        let mut times: Vec<Duration> = self.of(kind).map(|sent| sent.took).collect();
        times.sort();
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).copied().unwrap_or_default()
    }

    /// For people.
    pub fn table(&self, rate: u64, lasts: Duration, before: [u64; 2], after: [u64; 2]) -> String {
        let mut lines =
            vec![format!("{rate} requests a second for {} s: {} sent", lasts.as_secs(), self.sent.len())];
        lines.push(format!("{:<14}{:>8}{:>10}{:>10}{:>10}", "", "sent", "median", "p99", "longest"));
        let kinds = [Kind::Payment, Kind::Event, Kind::ForgedEvent, Kind::ForgedNotice, Kind::Oversized];
        for kind in kinds.into_iter().chain([Kind::Slow]) {
            let time = |percent| format!("{} ms", self.percentile(kind, percent).as_millis());
            let count = self.of(kind).count();
            let name = format!("{kind:?}");
            lines.push(format!("{name:<14}{count:>8}{:>10}{:>10}{:>10}", time(50), time(99), time(100)));
        }
        let megabytes = |bytes: [u64; 2]| bytes.map(|bytes| bytes >> 20);
        let (before, after) = (megabytes(before), megabytes(after));
        lines.push(format!("memory of the two replicas in MiB: {before:?} before, {after:?} after"));
        lines.join("\n")
    }
}

fn is(sent: &Sent, status: u16, body: &str) -> bool {
    sent.answer.as_ref().is_ok_and(|answer| answer.status == status && answer.body == body)
}
