//! Load: `wrk` for a while, on one Envoy.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::case::PATH;
use crate::cores::Cores;
use crate::envoy::Envoy;

/// Connections, each kept alive.
const CONNECTIONS: u32 = 16;

/// What a round of load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rps: f64,
    /// What one request cost Envoy, in microseconds of CPU time.
    pub(crate) cpu_micros: f64,
}

/// Loads `envoy` for so long.
///
/// # Errors
///
/// There is no `wrk`, or a request was not answered with 200.
pub(crate) fn run(
    envoy: &Envoy,
    token: &str,
    cores: &Cores,
    duration: Duration,
) -> anyhow::Result<Load> {
    let before = envoy.cpu_micros()?;
    let output = cores
        .load("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", duration.as_secs())])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .arg(format!("http://{}{PATH}", envoy.listen()))
        .output();
    let output = match output {
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
    let (requests, rps) = read(&text)?;
    Ok(Load { rps, cpu_micros: (after - before) / requests })
}

const MISSING: &str = "wrk is not installed: on Debian, `apt-get install wrk`";

/// How many requests there were, and how many in a second.
fn read(text: &str) -> anyhow::Result<(f64, f64)> {
    let wrong = text.lines().find(|line| {
        let line = line.trim_start();
        line.starts_with("Non-2xx") || line.starts_with("Socket errors")
    });
    if let Some(line) = wrong {
        bail!("not every request was allowed: {}", line.trim());
    }
    let requests = text.lines().find_map(|line| line.split_once(" requests in "));
    let rps = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let numbers = requests.zip(rps).context("wrk does not say how many requests there were")?;
    let ((requests, _), rps) = numbers;
    let (requests, rps): (f64, f64) = (requests.trim().parse()?, rps.trim().parse()?);
    if requests < 1.0 {
        bail!("no request was answered");
    }
    Ok((requests, rps))
}

#[cfg(test)]
mod tests {
    use super::read;

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
        assert_eq!(read(GOOD).unwrap(), (43_961.0, 20_934.51));
    }

    #[test]
    fn a_round_with_a_denied_request_does_not_count() {
        let denied = format!("  Non-2xx or 3xx responses: 1\n{GOOD}");
        let broken = format!("  Socket errors: connect 0, read 1, write 0, timeout 0\n{GOOD}");
        assert!(read(&denied).is_err());
        assert!(read(&broken).is_err());
        assert!(read("").is_err());
    }
}
