//! How a replica ends, with controllers that misbehave in each way.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, sleep};

use super::replica::Replica;
use super::*;
use crate::serve::Phase;

fn well(parts: Parts) -> BoxFuture<'static, Result<(), BoxError>> {
    async move {
        parts.health.caches_filled();
        parts.stop.cancelled().await;
        sleep(Duration::from_secs(5)).await;
        Ok(())
    }
    .boxed()
}

fn deaf(parts: Parts) -> BoxFuture<'static, Result<(), BoxError>> {
    async move {
        parts.stop.cancelled().await;
        std::future::pending().await
    }
    .boxed()
}

fn early(_: Parts) -> BoxFuture<'static, Result<(), BoxError>> {
    async { Ok(()) }.boxed()
}

fn failing(_: Parts) -> BoxFuture<'static, Result<(), BoxError>> {
    async { Err("the watch is broken".into()) }.boxed()
}

fn panicking(_: Parts) -> BoxFuture<'static, Result<(), BoxError>> {
    async { panic!("out of bounds") }.boxed()
}

/// A replica whose API server doesn't matter.
fn replica(controllers: Controllers) -> Replica {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = "clusterID: demo\nfly: {organization: acme, tokenFile: /nowhere}\n";
    let kube = kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Replica {
        config: serde_saphyr::from_str(config).unwrap(),
        clients: clients::Clients { kube: kube.clone(), brief: kube.clone(), webhooks: kube },
        clock,
        metrics: Metrics::new(),
        health: Health::default(),
        controllers,
        stop: CancellationToken::new(),
    }
}

fn fly() -> fly_machines::Client {
    fly_machines::Client::builder(fly_machines::TokenSource::fixed("fm2_x".to_owned())).build().unwrap()
}

async fn end_of(replica: &Replica) -> Result<(), ProcessError> {
    replica.unopposed(fly()).await
}

#[tokio::test(start_paused = true)]
async fn asked_to_end_it_waits_for_what_runs() {
    let replica = replica(well);
    let (stop, health) = (replica.stop.clone(), replica.health.clone());
    let asked = async {
        sleep(Duration::from_mins(1)).await;
        assert!(health.phase().is_ready());
        stop.cancel();
        let asked = Instant::now();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(health.phase(), Phase::Stopping);
        asked
    };
    let (result, asked) = tokio::join!(end_of(&replica), asked);
    result.unwrap();
    assert_eq!(asked.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_is_cut_off_at_the_deadline() {
    let replica = replica(deaf);
    replica.stop.cancel();
    let began = Instant::now();
    end_of(&replica).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), u64::from(replica.config.timing.drain_seconds));
}

#[tokio::test(start_paused = true)]
async fn controllers_that_end_by_themselves_end_the_process_with_an_error() {
    for (controllers, cause) in
        [(early as Controllers, "not asked to"), (failing, "the watch is broken"), (panicking, "panic")]
    {
        let error = end_of(&replica(controllers)).await.unwrap_err();
        assert!(matches!(error, ProcessError::Controllers(_)), "{error}");
        assert!(error.to_string().contains(cause), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_ends_the_work_before_another_may_begin() {
    for (lost, longest) in [(Lost::Taken("two".into()), 0), (Lost::Expired("timeout".into()), 5)] {
        let replica = replica(deaf);
        let (work, work_stop) = replica.start(fly(), Leadership::unopposed());
        let began = Instant::now();
        let error = replica.supervise(work, work_stop.clone(), async { lost }).await.unwrap_err();
        assert!(matches!(error, ProcessError::Lost(_)), "{error}");
        assert_eq!(began.elapsed().as_secs(), longest);
        assert!(work_stop.is_cancelled());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_lost_while_draining_cuts_the_drain_short() {
    let replica = replica(deaf);
    replica.stop.cancel();
    let (work, work_stop) = replica.start(fly(), Leadership::unopposed());
    let lost = async {
        sleep(Duration::from_secs(2)).await;
        Lost::Taken("two".into())
    };
    let began = Instant::now();
    let error = replica.supervise(work, work_stop, lost).await.unwrap_err();
    assert!(matches!(error, ProcessError::Lost(_)), "{error}");
    assert_eq!(began.elapsed().as_secs(), 2);
}
