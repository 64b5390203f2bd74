//! Load: `wrk` for a while, on one Envoy.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::case::PATH;
use crate::cores::Cores;
use crate::envoy::Envoy;

/// Connections, each kept alive.
const CONNECTIONS: u32 = 16;

/// What requests bring along.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tokens<'a> {
    /// All the same one.
    One(&'a str),
    /// One after the other, as this script of [`in_turn`]'s says.
    InTurn(&'a Path),
}

/// Writes a script for `wrk` by which each request has the next of these tokens.
///
/// # Errors
///
/// The file cannot be written.
pub(crate) fn in_turn(tokens: &[String], script: PathBuf) -> anyhow::Result<PathBuf> {
    let quoted: Vec<_> = tokens.iter().map(|token| format!("{token:?}")).collect();
    let text = format!(
        "local requests, at = {{ {} }}, 0\n\
         function init()\n\
         \x20 for place, token in ipairs(requests) do\n\
         \x20   requests[place] = wrk.format(nil, nil, {{ Authorization = \"Bearer \" .. token }})\n\
         \x20 end\n\
         end\n\
         function request()\n\
         \x20 at = at % #requests + 1\n\
         \x20 return requests[at]\n\
         end\n",
        quoted.join(",\n")
    );
    fs::write(&script, text).with_context(|| format!("cannot write `{}`", script.display()))?;
    Ok(script)
}

/// What a round of load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rps: f64,
    /// What one request cost Envoy, in microseconds of CPU time.
    pub(crate) cpu_micros: f64,
}

/// What has to become of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Allow,
    Deny,
}

/// Loads `envoy` for so long.
///
/// # Errors
///
/// There is no `wrk`, or a request was not answered with 200.
pub(crate) fn run(
    envoy: &Envoy,
    tokens: Tokens<'_>,
    cores: &Cores,
    duration: Duration,
) -> anyhow::Result<Load> {
    answered(Answers::Allow, envoy, tokens, cores, duration)
}

/// The same where each request has to be answered so.
///
/// # Errors
///
/// There is no `wrk`, or a request was answered otherwise.
pub(crate) fn answered(
    expected: Answers,
    envoy: &Envoy,
    tokens: Tokens<'_>,
    cores: &Cores,
    duration: Duration,
) -> anyhow::Result<Load> {
    let before = envoy.cpu_micros()?;
    let mut wrk = cores.load("wrk");
    wrk.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", duration.as_secs())]);
    match tokens {
        Tokens::One(token) => wrk.args(["-H", &format!("Authorization: Bearer {token}")]),
        Tokens::InTurn(script) => wrk.arg("-s").arg(script),
    };
    let output = match wrk.arg(format!("http://{}{PATH}", envoy.listen())).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(MISSING),
        output => output.context("cannot start wrk")?,
    };
    let after = envoy.cpu_micros()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `taskset` says so when there is no such program.
    if output.status.code() == Some(127) {
        bail!(MISSING);
    }
    if !output.status.success() {
        bail!("wrk: {}", String::from_utf8_lossy(&output.stderr));
    }
    let (requests, rps) = read(&text, expected)?;
    Ok(Load { rps, cpu_micros: (after - before) / requests })
}

const MISSING: &str = "wrk is not installed: on Debian, `apt-get install wrk`";

/// How many requests there were, and how many in a second.
fn read(text: &str, expected: Answers) -> anyhow::Result<(f64, f64)> {
    let line = |begins: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(begins));
    if let Some(errors) = line("Socket errors: ") {
        bail!("not every request was answered: {errors}");
    }
    let requests = text.lines().find_map(|line| line.split_once(" requests in "));
    let rps = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let numbers = requests.zip(rps).context("wrk does not say how many requests there were")?;
    let ((requests, _), rps) = numbers;
    let (requests, rps): (f64, f64) = (requests.trim().parse()?, rps.trim().parse()?);
    if requests < 1.0 {
        bail!("no request was answered");
    }
    let denied: f64 = line("Non-2xx or 3xx responses: ").unwrap_or("0").trim().parse()?;
    match expected {
        Answers::Allow if denied > 0.0 => bail!("not every request was allowed: {denied} were not"),
        Answers::Deny if denied < requests => {
            bail!("not every request was denied: {denied} of {requests} were")
        }
        Answers::Allow | Answers::Deny => Ok((requests, rps)),
    }
}

/// Connections to one listener that are kept, for loads that are short.
pub(crate) struct Connections {
    streams: Vec<TcpStream>,
    request: Vec<u8>,
    /// What has come and is not read yet.
    buffer: Vec<u8>,
}

impl Connections {
    /// As many as `wrk` has, each to send the same request.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub(crate) fn open(listen: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let open = || {
            let stream = TcpStream::connect(listen)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
            Ok(stream)
        };
        let streams = (0..CONNECTIONS).map(|_| open()).collect::<std::io::Result<_>>();
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nhost: {listen}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let streams = streams.context("cannot connect to Envoy")?;
        Ok(Self { streams, request: request.into_bytes(), buffer: vec![0; 4096] })
    }

    /// What one request costs Envoy of `times` on each connection, in microseconds of CPU time.
    ///
    /// # Errors
    ///
    /// A request was not answered with 200.
    pub(crate) fn load(&mut self, envoy: &Envoy, times: u32) -> anyhow::Result<f64> {
        let before = envoy.cpu_micros()?;
        for _ in 0..times {
            for stream in &mut self.streams {
                stream.write_all(&self.request)?;
            }
            for stream in &mut self.streams {
                let mut length = 0;
                // Envoy's own answer, of a few bytes and known: it ends with the only line of its body.
                while !self.buffer.get(..length).unwrap_or_default().ends_with(b"\r\n\r\nok\n") {
                    let rest = self.buffer.get_mut(length..).unwrap_or_default();
                    match stream.read(rest)? {
                        0 => bail!("not every request was allowed"),
                        more => length += more,
                    }
                }
                let answer = self.buffer.get(..length).unwrap_or_default();
                if !answer.starts_with(b"HTTP/1.1 200 ") {
                    bail!("not every request was allowed");
                }
            }
        }
        let requests = f64::from(times) * f64::from(CONNECTIONS);
        Ok((envoy.cpu_micros()? - before) / requests)
    }
}

/// How long one answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::{Answers, read};

    const GOOD: &str = "Running 2s test @ http://127.0.0.1:18082/v1/contacts
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   763.61us  167.06us   5.64ms   92.87%
    Req/Sec    21.04k     0.97k   21.97k    85.71%
  43961 requests in 2.10s, 6.79MB read
Requests/sec:  20934.51
Transfer/sec:      3.23MB
";

    #[test]
    fn a_round_is_read_from_what_wrk_prints() {
        assert_eq!(read(GOOD, Answers::Allow).unwrap(), (43_961.0, 20_934.51));
    }

    #[test]
    fn a_round_with_a_request_that_is_answered_otherwise_does_not_count() {
        let denied = format!("  Non-2xx or 3xx responses: 1\n{GOOD}");
        let broken = format!("  Socket errors: connect 0, read 1, write 0, timeout 0\n{GOOD}");
        assert!(read(&denied, Answers::Allow).is_err());
        assert!(read(&denied, Answers::Deny).is_err());
        assert!(read(GOOD, Answers::Deny).is_err());
        assert!(read(&broken, Answers::Allow).is_err());
        assert!(read("", Answers::Allow).is_err());
        let all = format!("  Non-2xx or 3xx responses: 43961\n{GOOD}");
        assert!(read(&all, Answers::Deny).is_ok());
    }
}
