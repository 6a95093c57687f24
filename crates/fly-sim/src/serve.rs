//! Serving: from the command line to a listening simulator, and its end.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service as _;

use crate::cli::{ClockKind, DriverKind, Serve};
use crate::clock::{Clock, ManualClock, RealClock};
use crate::driver::instant::Instant;
use crate::driver::process::Process;
use crate::driver::{Driver, Report, light};
use crate::edge::{Authority, Edge, EdgeOptions};
use crate::http::pipeline::Cut;
use crate::http::router;
use crate::ledger::Ledger;
use crate::model::host::{REGIONS, is_region};
use crate::persist::{Saved, Store};
use crate::public::Public;
use crate::settings::Settings;
use crate::tokens::{Grant, Tokens};
use crate::world::recover::Origin;
use crate::world::{Sim, State};

/// What changed is written to disk so often.
const SAVE: Duration = Duration::from_millis(250);

type Reports = tokio::sync::mpsc::UnboundedReceiver<Report>;

/// A simulator that listens.
pub struct Server {
    /// Its state.
    pub sim: Arc<Sim>,
    /// Where the API listens.
    pub api: SocketAddr,
    /// The public edge, if there is one.
    pub edge: Option<Edge>,
    tasks: JoinSet<()>,
    /// Holds what there is to hold when nothing is kept; removed at the end.
    _temporary: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts to serve on the current runtime.
    pub async fn start(options: &Serve) -> anyhow::Result<Self> {
        let (store, saved, ledger) = open(options.state_dir.as_deref())?;
        let temporary = if options.state_dir.is_none() { Some(tempfile::tempdir()?) } else { None };
        let own = temporary.as_ref().map(|folder| folder.path().to_owned());
        let folder = options.state_dir.clone().or(own).context("there is a folder in either case")?;
        let folder = std::path::absolute(folder)?;
        let (driver, reports) = driver(options, &folder)?;
        let clock: Arc<dyn Clock> = match options.clock {
            ClockKind::Real => Arc::new(RealClock),
            ClockKind::Manual => Arc::new(ManualClock::new(saved.world.now.max(RealClock.now()))),
        };
        let origin = origin(options, clock.now(), Arc::clone(&driver))?;
        let sim = Sim::new(clock, driver, State::recover(origin, saved, ledger), store);
        sim.save().context("the state can't be written")?;
        let listener = TcpListener::bind(options.listen).await.context("the API can't listen")?;
        let api = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        let timekeeper = Arc::clone(&sim);
        tasks.spawn(async move { timekeeper.keep_time().await });
        let reported = Arc::clone(&sim);
        tasks.spawn(async move { reported.take_reports(reports).await });
        let looking = Arc::clone(&sim);
        tasks.spawn(async move { looking.keep_looking().await });
        tasks.spawn(accept(listener, router(&sim)));
        let edge = edge(options, &folder, &sim).await?;
        Ok(Self { sim, api, edge, tasks, _temporary: temporary })
    }

    /// What the ready file says.
    pub fn ready(&self) -> serde_json::Value {
        let mut ready = serde_json::json!({ "api": format!("http://{}", self.api) });
        if let Some(edge) = &self.edge {
            ready["edge"] = edge.https().to_string().into();
            ready["edgeHTTP"] = edge.http().to_string().into();
            ready["edgeCA"] = edge.ca_path().display().to_string().into();
        }
        ready
    }

    /// Serves until the future ends, then ends every Machine's program and writes what isn't written.
    pub async fn run_until(mut self, end: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut end = std::pin::pin!(end);
        let mut tick = tokio::time::interval(SAVE);
        loop {
            tokio::select! {
                () = &mut end => break,
                _ = tick.tick() => self.save()?,
            }
        }
        self.edge = None;
        self.tasks.abort_all();
        self.sim.driver.shutdown().await;
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        self.sim.save().context("the state can't be written")
    }
}

fn open(folder: Option<&Path>) -> anyhow::Result<(Option<Store>, Saved, Ledger)> {
    let Some(folder) = folder else { return Ok((None, Saved::default(), Ledger::new(Vec::new()))) };
    let (store, saved, ledger) =
        Store::open(folder).with_context(|| format!("the state in {} can't be read", folder.display()))?;
    Ok((Some(store), saved, ledger))
}

fn driver(options: &Serve, scratch: &Path) -> anyhow::Result<(Arc<dyn Driver>, Reports)> {
    let (reporter, reports) = tokio::sync::mpsc::unbounded_channel();
    if options.driver == DriverKind::Instant {
        return Ok((Arc::new(Instant::answering(light::respond)), reports));
    }
    let images = options.images.as_deref().context("--driver process needs --images")?;
    let own = std::env::current_exe().context("the own program isn't known")?;
    let init_program = options.init_program.clone().unwrap_or(own);
    let process = Process::new(images, scratch, init_program, reporter).map_err(anyhow::Error::msg)?;
    Ok((Arc::new(process), reports))
}

async fn edge(options: &Serve, folder: &Path, sim: &Arc<Sim>) -> anyhow::Result<Option<Edge>> {
    let Some(https) = options.edge_listen else { return Ok(None) };
    let defaults = EdgeOptions::default();
    let http = options.edge_http_listen.unwrap_or(defaults.http);
    let authority =
        Authority::in_folder(&folder.join("edge")).context("the edge's authority can't be made")?;
    let public = Arc::new(Public::new(Arc::clone(sim)));
    let started = Edge::start(EdgeOptions { https, http, ..defaults }, authority, public).await;
    started.map(Some).context("the edge can't listen")
}

fn origin(options: &Serve, now: i64, driver: Arc<dyn Driver>) -> anyhow::Result<Origin> {
    let settings = Settings {
        delays: options.profile.delays(),
        latency_ms: options.latency_ms,
        consistency_lag_ms: options.consistency_lag_ms,
        rate_limits: options.rate_limits,
        resolver: options.resolver,
        ..Settings::default()
    };
    Ok(Origin {
        now,
        seed: options.seed,
        orgs: options.org.clone(),
        regions: regions(&options.regions)?,
        tokens: tokens(options)?,
        settings,
        driver,
    })
}

fn regions(asked: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if let Some(unknown) = asked.iter().find(|code| !is_region(code)) {
        anyhow::bail!("there is no region '{unknown}'");
    }
    let known = |code: &String| REGIONS.iter().find(|region| region.code == code).map(|region| region.code);
    let chosen: Vec<&'static str> = asked.iter().filter_map(known).collect();
    Ok(if chosen.is_empty() { REGIONS.iter().map(|region| region.code).collect() } else { chosen })
}

fn tokens(options: &Serve) -> anyhow::Result<Tokens> {
    let first = options.org.first().context("at least one organisation is needed")?;
    let mut given = options.token.clone();
    if let Some(file) = &options.token_file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
        given.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if given.is_empty() {
        return Ok(Tokens::open(first));
    }
    let mut tokens = Tokens::default();
    for token in given {
        let named = token.split_once('=').filter(|(org, _)| options.org.iter().any(|known| known == org));
        let (org, token) = named.unwrap_or((first, &token));
        tokens.add(token, Grant { org: org.to_owned(), app: None });
    }
    Ok(tokens)
}

/// Answers connections for ever. An answer marked with [`Cut`] closes its connection instead.
pub async fn accept(listener: TcpListener, router: axum::Router) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, router.clone()));
            }
            // Out of descriptors, as a rule: others will close theirs.
            Err(error) => {
                tracing::warn!(%error, "a connection couldn't be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: axum::Router) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection is already gone");
    }
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move {
            let Ok(response) = router.call(request.map(axum::body::Body::new)).await;
            // An error here makes hyper close the connection without an answer.
            match response.extensions().get::<Cut>() {
                Some(Cut) => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                None => Ok(response),
            }
        }
    });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
