//! A service that counts limits for all replicas: `demo/limits`, which is Limitador on a Redis of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, bail};

use crate::clock::wait_for;
use crate::lab::{Directory, path_from_env};

/// How long either may take to be ready.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// What the service calls the limits.
pub const DOMAIN: &str = "postern";

/// A running service and its Redis; both end when dropped.
#[derive(Debug)]
pub struct Limits {
    service: Option<Child>,
    redis: Child,
    program: PathBuf,
    arguments: Vec<String>,
    address: SocketAddr,
    // Dropped last: the socket is in it.
    directory: Directory,
}

/// Whether the service tells what is left, and when its windows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As envoyproxy/ratelimit does.
    Tells,
    /// As Limitador comes.
    Silent,
}

impl Limits {
    /// Starts them with the programs at `REDIS_SERVER` and `LIMIT_SERVICE`, and limits such as
    /// `agents.budget=600/3600`.
    ///
    /// # Errors
    ///
    /// One of the variables is not set, or a program is not ready in time.
    pub fn start(manner: Manner, limits: &[&str]) -> anyhow::Result<Self> {
        let program = path_from_env("LIMIT_SERVICE")?;
        // As it is: what the one program does that all of Redis are is told by the name it is called by.
        let server = env::var_os("REDIS_SERVER").map(PathBuf::from);
        let server = server.context("REDIS_SERVER is not set: use make")?;
        let directory = Directory::new()?;
        let socket = directory.path().join("redis.sock");
        let redis = Command::new(&server)
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{}`", server.display()))?;
        let silent = (manner == Manner::Silent).then_some("silent");
        let url = format!("redis+unix://{}", socket.display());
        let arguments = [url.as_str(), DOMAIN].into_iter().chain(silent);
        let arguments = arguments.chain(limits.iter().copied()).map(str::to_owned).collect();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut all = Self { service: None, redis, program, arguments, address, directory };
        wait_for("Redis", STARTS_WITHIN, || {
            if let Some(status) = all.redis.try_wait()? {
                bail!("Redis ended: {status}");
            }
            Ok(is_there(&socket).then_some(()))
        })?;
        all.resume()?;
        Ok(all)
    }

    /// Where the service is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the service; what is counted stays counted.
    pub fn end(&mut self) {
        if let Some(mut service) = self.service.take() {
            drop(service.kill());
            drop(service.wait());
        }
    }

    /// Starts the service again, where it was.
    ///
    /// # Errors
    ///
    /// It is not ready in time.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let mut service = Command::new(&self.program)
            .arg(self.address.to_string())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.program.display()))?;
        let output = service.stdout.take();
        self.service = Some(service);
        let mut line = String::new();
        // The line comes when it listens; without one, it has ended.
        BufReader::new(output.context("the service has no output")?).read_line(&mut line)?;
        self.address = line.trim().parse().context("the rate limit service does not start")?;
        Ok(())
    }

    /// Holds the service, or lets it go on: whoever asks it meanwhile waits.
    ///
    /// # Errors
    ///
    /// The system does not do so.
    pub fn hold(&self, is_held: bool) -> anyhow::Result<()> {
        let service = self.service.as_ref().context("the service has ended")?;
        let signal = if is_held { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &service.id().to_string()]).status()?;
        if !status.success() {
            bail!("kill {signal}: {status}");
        }
        Ok(())
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.end();
        drop(self.redis.kill());
        drop(self.redis.wait());
        drop(fs::remove_file(self.directory.path().join("redis.sock")));
    }
}

fn is_there(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}
