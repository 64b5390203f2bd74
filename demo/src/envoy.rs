//! An Envoy of our own: started, waited for, asked, stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use postern::policy::Policy;
use postern_cli::render::{self, Options};
use serde_json::Value;

use crate::client::Request;
use crate::clock::wait_for;

/// How long Envoy may take to be ready; compiling the filter is most of it.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// How long a file renamed over the policy may take to be noticed.
const RELOADS_WITHIN: Duration = Duration::from_secs(10);
/// How long Envoy may take to end when asked to.
const STOPS_WITHIN: Duration = Duration::from_secs(3);
/// How many of the log's last lines an error shows.
const LOG_TAIL: usize = 12;

/// What to start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The Envoy to run.
    pub program: PathBuf,
    /// The compiled filter.
    pub wasm: PathBuf,
    /// How many workers it has.
    pub workers: u32,
    /// What is otherwise in its bootstrap: what stands there once, and what is to.
    pub edits: Vec<(String, String)>,
    /// Where the configuration and the logs go; must be there.
    pub directory: PathBuf,
    /// The API behind.
    pub upstream: SocketAddr,
}

/// A running Envoy; ends when dropped.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    setup: Setup,
    admin: SocketAddr,
    listen: SocketAddr,
    ready_after: Duration,
}

impl Envoy {
    /// Starts it with `policy` and waits until it takes requests.
    ///
    /// # Errors
    ///
    /// It cannot be started, ends at once, is not ready in time or refuses the policy; the error
    /// shows its log.
    pub fn start(setup: Setup, policy: &Value) -> anyhow::Result<Self> {
        let any_port = SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), 0);
        let configuration = render::envoy(policy, &setup.options(any_port, policy)?);
        let bootstrap = setup.edit(configuration.bootstrap)?;
        fs::write(setup.directory.join("bootstrap.yaml"), bootstrap)?;
        fs::write(setup.filter_file(), configuration.filter)?;
        let mut envoy = Self {
            child: setup.spawn()?,
            setup,
            admin: any_port,
            listen: any_port,
            ready_after: Duration::ZERO,
        };
        match envoy.settle() {
            Ok(()) => Ok(envoy),
            Err(error) => bail!("{error:#}\n{}", envoy.log_tail()),
        }
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        let admin = self.setup.directory.join("admin");
        let (address, to_admin) = wait_for("Envoy's admin address", STARTS_WITHIN, || {
            self.check_alive()?;
            Ok(fs::read_to_string(&admin).ok().and_then(|text| text.trim().parse().ok()))
        })?;
        self.admin = address;
        let (listen, to_ready) = wait_for("Envoy to be ready", STARTS_WITHIN, || {
            self.check_alive()?;
            let is_ready = self.ask("/ready").is_ok_and(|answer| answer.contains("LIVE"));
            Ok(if is_ready { self.listener()? } else { None })
        })?;
        self.listen = listen;
        if self.updates()?.refused > 0 {
            bail!("Envoy refused the policy");
        }
        self.ready_after = to_admin.saturating_add(to_ready);
        Ok(())
    }

    fn check_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("Envoy ended: {status}");
        }
        Ok(())
    }

    fn listener(&self) -> anyhow::Result<Option<SocketAddr>> {
        let listeners: Value = serde_json::from_str(&self.ask("/listeners?format=json")?)?;
        let address = listeners.pointer("/listener_statuses/0/local_address/socket_address");
        let port = address.and_then(|address| address.get("port_value")?.as_u64());
        let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        Ok(port.map(|port| SocketAddr::new(self.admin.ip(), port)))
    }

    /// Where callers come in.
    pub const fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        usize::try_from(self.setup.workers).unwrap_or(usize::MAX)
    }

    /// Envoy's own interface.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// How long it took to be ready.
    pub const fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Puts `policy` in the place of the one that is there and waits for Envoy's verdict: whether
    /// it took it.
    ///
    /// # Errors
    ///
    /// The file cannot be written or Envoy says nothing in time.
    pub fn replace_policy(&self, policy: &Value) -> anyhow::Result<bool> {
        let before = self.updates()?;
        let configuration = render::envoy(policy, &self.setup.options(self.listen, policy)?);
        let staging = self.setup.directory.join("filter.new");
        fs::write(&staging, configuration.filter)?;
        // Envoy watches for a rename; a file written in place it does not notice.
        fs::rename(staging, self.setup.filter_file())?;
        let (taken, _) = wait_for("Envoy's verdict on the policy", RELOADS_WITHIN, || {
            let now = self.updates()?;
            Ok(match now {
                _ if now.taken > before.taken => Some(true),
                _ if now.refused > before.refused => Some(false),
                _ => None,
            })
        })?;
        Ok(taken)
    }

    fn updates(&self) -> anyhow::Result<Updates> {
        let text = self.ask("/stats?filter=extension_config_discovery")?;
        // `config_reload` counts refused ones too.
        let count = |name: &str| {
            let line = text.lines().find(|line| line.contains(name))?;
            line.rsplit_once(' ')?.1.parse().ok()
        };
        let counted = count("postern.update_success").zip(count("postern.config_fail"));
        let (taken, refused) = counted.context("Envoy does not count its policy updates")?;
        Ok(Updates { taken, refused })
    }

    /// The value of one of its own counters or gauges, if it has it.
    ///
    /// # Errors
    ///
    /// It cannot be asked.
    pub fn stat(&self, name: &str) -> anyhow::Result<Option<u64>> {
        let text = self.ask(&format!("/stats?filter={name}"))?;
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(lines.find(|(line, _)| line.ends_with(name)).and_then(|(_, value)| value.parse().ok()))
    }

    fn ask(&self, path: &str) -> anyhow::Result<String> {
        let response = Request::get(path).send(self.admin)?;
        if response.status != 200 {
            bail!("Envoy's admin answered `{path}` with {}", response.status);
        }
        Ok(String::from_utf8(response.body)?)
    }

    /// The lines of its access log so far, oldest first.
    ///
    /// # Errors
    ///
    /// There is no log, or a line of it is no JSON.
    pub fn access_log(&self) -> anyhow::Result<Vec<Value>> {
        let text = fs::read_to_string(self.setup.access_log()).context("no access log")?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Whether `text` is in its own log.
    ///
    /// # Errors
    ///
    /// There is no log.
    pub fn has_logged(&self, text: &str) -> anyhow::Result<bool> {
        Ok(fs::read_to_string(self.setup.log()).context("no log")?.contains(text))
    }

    /// The last lines of its own log.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.setup.log()).unwrap_or_default();
        let mut lines: Vec<_> = log.lines().rev().take(LOG_TAIL).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        drop(Request::new("POST", "/quitquitquit").send(self.admin));
        let ended =
            wait_for("Envoy to end", STOPS_WITHIN, || Ok(self.child.try_wait()?.map(|_| ())));
        if ended.is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// How many policies it was given since it started.
#[derive(Clone, Copy)]
struct Updates {
    taken: u64,
    refused: u64,
}

impl Setup {
    fn options(&self, listen: SocketAddr, policy: &Value) -> anyhow::Result<Options> {
        // What is no policy is for Envoy to refuse.
        let providers = match Policy::compile(policy) {
            Ok((policy, _)) => render::providers(&policy)?,
            Err(_) => Vec::new(),
        };
        Ok(Options {
            listen,
            admin: SocketAddr::new(listen.ip(), 0),
            upstream: render::Upstream {
                host: self.upstream.ip().to_string(),
                port: self.upstream.port(),
            },
            wasm: self.wasm.display().to_string(),
            filter_file: self.filter_file().display().to_string(),
            access_log: self.access_log().display().to_string(),
            providers,
            ..Options::default()
        })
    }

    fn edit(&self, bootstrap: String) -> anyhow::Result<String> {
        self.edits.iter().try_fold(bootstrap, |text, (from, to)| {
            if text.matches(from).count() != 1 {
                bail!("`{from}` does not stand in the bootstrap once");
            }
            Ok(text.replace(from, to))
        })
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        Command::new(&self.program)
            .arg("--config-path")
            .arg(self.directory.join("bootstrap.yaml"))
            .arg("--admin-address-path")
            .arg(self.directory.join("admin"))
            .arg("--log-path")
            .arg(self.log())
            .args(["--concurrency", &self.workers.to_string()])
            .args(["--log-level", "warning", "--component-log-level", "wasm:info"])
            .args(["--file-flush-interval-msec", "50"])
            .args(["--disable-hot-restart"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.program.display()))
    }

    fn filter_file(&self) -> PathBuf {
        self.directory.join("filter.yaml")
    }

    fn access_log(&self) -> PathBuf {
        self.directory.join("access.log")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("envoy.log")
    }
}

/// Whether Envoy would start in `directory` with the configuration at `bootstrap`, a path from
/// there.
///
/// # Errors
///
/// What Envoy says is wrong with it.
pub fn validate(program: &Path, directory: &Path, bootstrap: &str) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(["--mode", "validate", "--log-level", "error", "--config-path"])
        .arg(bootstrap)
        .current_dir(directory)
        .output()
        .with_context(|| format!("cannot start `{}`", program.display()))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
