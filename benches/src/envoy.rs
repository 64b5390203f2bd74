//! An Envoy with one worker: started, timed, stopped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use anyhow::{Context as _, bail};
use postern_demo::client::Request;
use postern_demo::{interrupt, repository};
use serde_json::Value;

use crate::case::{Case, PATH};
use crate::chain::{self, Chain};
use crate::cores::Cores;

/// How long it may take to answer; compiling the filter is most of it.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked whether it is ready.
const PAUSE: Duration = Duration::from_millis(2);
/// Where nobody listens.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How many of the log's last bytes an error shows.
const LOG_TAIL: usize = 2_000;

/// What Envoys are started from.
pub(crate) struct Kit {
    program: PathBuf,
    /// Postern.
    pub(crate) wasm: PathBuf,
    /// The filters of the chains that are called so.
    pub(crate) empty: PathBuf,
    pub(crate) calls: PathBuf,
    pub(crate) check: PathBuf,
    pub(crate) case: Case,
    /// What is asked of them.
    pub(crate) token: String,
    /// What the proxy is asked to check of that token.
    pub(crate) arguments: Vec<u8>,
    directory: PathBuf,
}

impl Kit {
    /// The Envoy at `ENVOY`, the filters at `POSTERN_WASM` and in `BENCH_FILTERS`, and a directory
    /// for this run, which is gone when this is dropped.
    ///
    /// # Errors
    ///
    /// One of the variables is not set, or the directory cannot be made.
    pub(crate) fn new(case: Case) -> anyhow::Result<Self> {
        let path = |name: &str| {
            let path = env::var_os(name).with_context(|| format!("{name} is not set: use make"))?;
            fs::canonicalize(&path).with_context(|| format!("{name} is `{}`", path.display()))
        };
        let (program, wasm) = (path("ENVOY")?, path("POSTERN_WASM")?);
        let filters = path("BENCH_FILTERS")?;
        let [empty, calls, check] =
            ["empty", "calls", "check"].map(|name| filters.join(format!("{name}_filter.wasm")));
        let name = format!("bench-{}-{}", process::id(), case.algorithm());
        let directory = repository().join(".run").join(name);
        fs::create_dir_all(&directory)?;
        let token = case.token()?;
        let arguments = case.check(&token)?;
        Ok(Self { program, wasm, empty, calls, check, case, token, arguments, directory })
    }
}

impl Kit {
    /// A file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// A running Envoy; ends when dropped.
pub(crate) struct Envoy {
    child: Child,
    files: PathBuf,
    /// Of each chain, in their order.
    listens: Vec<SocketAddr>,
    /// How long it took from the start to the first answer.
    pub(crate) ready_after: Duration,
}

impl Envoy {
    /// Starts one with this chain and waits until it answers the request that is measured.
    ///
    /// # Errors
    ///
    /// It ends, or does not allow the request in time, or lets one without a token through; the
    /// error shows its log.
    pub(crate) fn start(kit: &Kit, chain: Chain, cores: &Cores) -> anyhow::Result<Self> {
        Self::with(kit, &[chain], cores)
    }

    /// The same with several chains, each with a listener of its own.
    ///
    /// # Errors
    ///
    /// As with [`Envoy::start`].
    #[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
    pub(crate) fn with(kit: &Kit, chains: &[Chain], cores: &Cores) -> anyhow::Result<Self> {
        let name = chains.iter().map(|chain| chain.name()).collect::<Vec<_>>().join("-");
        let files = kit.directory.join(&name);
        fs::create_dir_all(&files)?;
        // What an earlier one left there is not this one's.
        drop(fs::remove_file(files.join("admin")));
        fs::write(files.join("bootstrap.json"), chain::bootstrap(chains, kit).to_string())?;

        let start = Instant::now();
        let mut envoy = Self {
            child: spawn(cores.server(&kit.program), &files)?,
            files,
            listens: Vec::new(),
            ready_after: Duration::ZERO,
        };
        let checked = envoy.settle(start, chains, &kit.token);
        match checked.and_then(|()| envoy.check(chains)) {
            Ok(()) => Ok(envoy),
            Err(error) => bail!("{name}: {error:#}\n{}", envoy.log_tail()),
        }
    }

    fn settle(&mut self, start: Instant, chains: &[Chain], token: &str) -> anyhow::Result<()> {
        let request = Request::get(PATH).bearer(token);
        loop {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended: {status}");
            }
            if let Some(listens) = self.listeners(chains) {
                for listen in &listens {
                    let status = request.send(*listen)?.status;
                    if status != 200 {
                        bail!("a request that must pass was answered with {status}");
                    }
                }
                self.listens = listens;
                self.ready_after = start.elapsed();
                return Ok(());
            }
            if start.elapsed() > STARTS_WITHIN {
                bail!("not ready within {} s", STARTS_WITHIN.as_secs());
            }
            thread::sleep(PAUSE);
        }
    }

    /// Where it listens, once it says that it is ready.
    fn listeners(&self, chains: &[Chain]) -> Option<Vec<SocketAddr>> {
        let admin = fs::read_to_string(self.files.join("admin")).ok()?.trim().parse().ok()?;
        let ask = |path: &str| {
            let answer = Request::get(path).send(admin).ok()?;
            String::from_utf8(answer.body).ok()
        };
        if !ask("/ready")?.contains("LIVE") {
            return None;
        }
        let listeners: Value = serde_json::from_str(&ask("/listeners?format=json")?).ok()?;
        let listeners = listeners.get("listener_statuses")?.as_array()?;
        let listen = |chain: &Chain| {
            let listener = listeners
                .iter()
                .find(|listener| listener.get("name").is_some_and(|name| name == chain.name()))?;
            let port = listener.pointer("/local_address/socket_address/port_value")?.as_u64()?;
            let port = u16::try_from(port).ok()?;
            (port > 0).then(|| SocketAddr::new(admin.ip(), port))
        };
        chains.iter().map(listen).collect()
    }

    fn check(&self, chains: &[Chain]) -> anyhow::Result<()> {
        for (chain, listen) in chains.iter().zip(&self.listens) {
            let expected = if chain.guards() { 401 } else { 200 };
            let status = Request::get(PATH).send(*listen)?.status;
            if status != expected {
                bail!(
                    "a request without a token to `{}` was answered with {status}, expected {expected}",
                    chain.name()
                );
            }
        }
        Ok(())
    }

    /// Where it takes requests for the first chain.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listens().first().copied().unwrap_or(NOWHERE)
    }

    /// Where it takes requests for each chain, in their order.
    pub(crate) fn listens(&self) -> &[SocketAddr] {
        &self.listens
    }

    /// The CPU time it has taken so far, in microseconds.
    ///
    /// # Errors
    ///
    /// The system does not tell: it is no Linux.
    pub(crate) fn cpu_micros(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/task", self.child.id());
        let mut nanos = 0.0;
        for task in fs::read_dir(&path).with_context(|| format!("cannot read `{path}`"))? {
            // Threads that end in between, as those that compile do, took no part in the load.
            let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let time = times.split_whitespace().next().and_then(|time| time.parse::<f64>().ok());
            nanos += time.with_context(|| format!("`{path}` is not as the kernel's docs say"))?;
        }
        if nanos <= 0.0 {
            bail!("the kernel does not tell how long threads run: no CONFIG_SCHED_INFO");
        }
        Ok(nanos / 1_000.0)
    }

    fn log_tail(&self) -> String {
        let log = fs::read(self.files.join("log")).unwrap_or_default();
        let tail = log.get(log.len().saturating_sub(LOG_TAIL)..).unwrap_or_default();
        String::from_utf8_lossy(tail).into_owned()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It holds nothing that would have to be put in order.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(mut command: Command, files: &Path) -> anyhow::Result<Child> {
    command
        .arg("--config-path")
        .arg(files.join("bootstrap.json"))
        .arg("--admin-address-path")
        .arg(files.join("admin"))
        .arg("--log-path")
        .arg(files.join("log"))
        .args(["--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start Envoy")
}
