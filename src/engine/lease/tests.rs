use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::time::{Instant, advance, sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::clock::Clock;

/// A store in memory with the API server's rule: a write names the version that it replaces.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    record: Option<Record>,
    version: u32,
    fault: Fault,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    Refuse,
    Hang,
    /// The write takes effect and its answer is lost, once.
    LoseAnswer,
}

impl Shelf {
    fn fault(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    fn holder(&self) -> Option<String> {
        self.0.lock().unwrap().record.clone()?.holder
    }

    async fn obstruct(&self) -> Result<(), StoreError> {
        let fault = self.0.lock().unwrap().fault;
        match fault {
            Fault::Refuse => {
                sleep(Duration::from_millis(700)).await;
                Err(StoreError::Failed("refused".into()))
            }
            Fault::Hang => std::future::pending().await,
            Fault::None | Fault::LoseAnswer => Ok(()),
        }
    }
}

impl LeaseStore for Shelf {
    async fn read(&self) -> Result<Option<Record>, StoreError> {
        self.obstruct().await?;
        Ok(self.0.lock().unwrap().record.clone())
    }

    async fn write(&self, record: &Record) -> Result<Record, StoreError> {
        self.obstruct().await?;
        let mut shared = self.0.lock().unwrap();
        if shared.record.as_ref().and_then(|kept| kept.version.clone()) != record.version {
            return Err(StoreError::Conflict);
        }
        shared.version += 1;
        let written = Record { version: Some(shared.version.to_string()), ..record.clone() };
        shared.record = Some(written.clone());
        if shared.fault == Fault::LoseAnswer {
            shared.fault = Fault::None;
            return Err(StoreError::Failed("the answer is lost".into()));
        }
        Ok(written)
    }
}

/// A wall clock that is years off and runs backwards: nothing may depend on it.
struct Backwards(AtomicU32);

impl Clock for Backwards {
    fn now(&self) -> jiff::Timestamp {
        let past = i64::from(self.0.fetch_add(1, Ordering::Relaxed));
        jiff::Timestamp::from_second(1_000_000_000 - past * 3600).unwrap()
    }
}

fn elector(shelf: &Shelf, identity: &str) -> Arc<Elector<Shelf>> {
    let wall = Arc::new(Backwards(AtomicU32::new(0)));
    Arc::new(Elector::new(shelf.clone(), identity.into(), Timings::default(), wall))
}

/// Holds the lease in a task, from an acquired one on.
async fn lead(
    elector: &Arc<Elector<Shelf>>,
) -> (CancellationToken, tokio::task::JoinHandle<Result<Held, Lost>>) {
    let held = elector.acquire(drop).await;
    let end = CancellationToken::new();
    let (elector, token) = (Arc::clone(elector), end.clone());
    (end, tokio::spawn(async move { elector.hold(held, token).await }))
}

#[tokio::test(start_paused = true)]
async fn one_leads_while_it_renews_and_the_other_waits() {
    let shelf = Shelf::default();
    let (one, two) = (elector(&shelf, "one"), elector(&shelf, "two"));
    let (_end, holding) = lead(&one).await;
    let waiting = tokio::spawn({
        let two = Arc::clone(&two);
        async move { two.acquire(drop).await }
    });
    sleep(Duration::from_mins(10)).await;
    assert!(!holding.is_finished() && !waiting.is_finished());
    assert!(one.leadership().is_current() && !two.leadership().is_current());
    assert_eq!(shelf.holder().as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_the_next_look() {
    let shelf = Shelf::default();
    let (one, two) = (elector(&shelf, "one"), elector(&shelf, "two"));
    let (end, holding) = lead(&one).await;
    end.cancel();
    one.release(holding.await.unwrap().unwrap()).await.unwrap();
    assert_eq!(shelf.holder(), None);
    assert!(!one.leadership().is_current());
    let began = Instant::now();
    two.acquire(drop).await;
    assert!(began.elapsed() <= Timings::default().retry);
    assert_eq!(shelf.0.lock().unwrap().record.as_ref().unwrap().transitions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_replaced_once_its_time_was_seen_to_pass() {
    let shelf = Shelf::default();
    elector(&shelf, "dead").acquire(drop).await;
    sleep(Duration::from_hours(1)).await;
    let began = Instant::now();
    elector(&shelf, "two").acquire(drop).await;
    let waited = began.elapsed();
    let Timings { lease, retry, .. } = Timings::default();
    assert!(waited > lease, "an old renewTime proves nothing to one who has just arrived: {waited:?}");
    assert!(waited <= lease + 2 * retry, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_holder_gives_up_before_another_can_take_over() {
    for fault in [Fault::Refuse, Fault::Hang] {
        let shelf = Shelf::default();
        let one = elector(&shelf, "one");
        let (_end, holding) = lead(&one).await;
        let renewed = Instant::now() + Duration::from_secs(30);
        sleep(Duration::from_millis(30_500)).await;
        shelf.fault(fault);
        assert!(matches!(holding.await.unwrap(), Err(Lost::Expired(_))));
        assert!(renewed.elapsed() <= Timings::default().renew_deadline, "{:?}", renewed.elapsed());
        assert!(!one.leadership().is_current());
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_nothing() {
    let shelf = Shelf::default();
    let one = elector(&shelf, "one");
    let (_end, holding) = lead(&one).await;
    shelf.fault(Fault::Refuse);
    sleep(Duration::from_secs(7)).await;
    shelf.fault(Fault::None);
    sleep(Duration::from_mins(1)).await;
    assert!(!holding.is_finished() && one.leadership().is_current());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_is_recognised() {
    let shelf = Shelf::default();
    let one = elector(&shelf, "one");
    let (_end, holding) = lead(&one).await;
    shelf.fault(Fault::LoseAnswer);
    sleep(Duration::from_mins(1)).await;
    assert!(shelf.0.lock().unwrap().fault == Fault::None, "it was lost");
    assert!(!holding.is_finished() && one.leadership().is_current());
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_was_taken_over_stops_at_its_next_renewal() {
    let shelf = Shelf::default();
    let one = elector(&shelf, "one");
    let (_end, holding) = lead(&one).await;
    {
        let mut shared = shelf.0.lock().unwrap();
        let stolen = shared.record.clone().unwrap();
        shared.record = Some(Record { holder: Some("thief".into()), version: Some("999".into()), ..stolen });
    }
    assert_eq!(holding.await.unwrap().unwrap_err(), Lost::Taken("thief".into()));
    assert!(!one.leadership().is_current());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_holder_knows_at_once_that_its_time_is_over() {
    let shelf = Shelf::default();
    let one = elector(&shelf, "one");
    let held = one.acquire(drop).await;
    assert!(one.leadership().is_current());
    advance(Timings::default().renew_deadline).await;
    assert!(!one.leadership().is_current(), "before any task of it has run");
    let lost = one.hold(held, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(lost, Lost::Expired(_)), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_who_see_a_free_lease_one_wins() {
    let shelf = Shelf::default();
    let (one, two) = (elector(&shelf, "one"), elector(&shelf, "two"));
    let both = async { tokio::join!(one.acquire(drop), two.acquire(drop)) };
    assert!(tokio::time::timeout(Duration::from_secs(5), both).await.is_err(), "both won");
    let current = [one, two].iter().filter(|elector| elector.leadership().is_current()).count();
    assert_eq!(current, 1);
}

#[tokio::test(start_paused = true)]
async fn a_removed_lease_is_a_lost_one() {
    let shelf = Shelf::default();
    let one = elector(&shelf, "one");
    let (_end, holding) = lead(&one).await;
    shelf.0.lock().unwrap().record = None;
    assert!(matches!(holding.await.unwrap(), Err(Lost::Taken(_))));
}

#[test]
fn a_lease_without_a_rival_is_always_current() {
    assert!(Leadership::unopposed().is_current());
}
