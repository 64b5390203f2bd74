//! What a person notices of an agent that calls far more often than it may.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use postern_cli::mint::Algorithm;

use crate::Effort;
use crate::case::{Case, PATH, Rules};
use crate::chain::Chain;
use crate::cores::Cores;
use crate::envoy::{Envoy, Kit};
use crate::figure::{Figures, Goal};

/// Calls of the agent in a second, and on how many connections.
const RATE: u32 = 20_000;
const CONNECTIONS: u32 = 16;

/// Between two calls of the person.
const PAUSE: Duration = Duration::from_millis(2);

/// How long one answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Measures what is wanted.
///
/// # Errors
///
/// An Envoy does not start, or does not answer.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    if !figures.wants_some("envoy_flood") {
        return Ok(());
    }
    let kit = Kit::new(Case::new(Algorithm::Es256)?)?;
    let guarded = Times::under(&kit, Chain::Postern(Rules::Narrow), effort)?;
    figures.add("envoy_flood_rps", guarded.calls_per_second, "1/s", Goal::None);
    figures.add("envoy_flood_success", guarded.success, "share", Goal::AtLeast(1.0));
    figures.add("envoy_flood_p99_ratio", guarded.ratio, "ratio", Goal::AtMost(1.5));
    let bare = Times::under(&kit, Chain::None, effort)?;
    figures.add("envoy_flood_rps_bare", bare.calls_per_second, "1/s", Goal::None);
    figures.add("envoy_flood_p99_ratio_bare", bare.ratio, "ratio", Goal::None);
    Ok(())
}

/// How it went for a person, with the agent and without.
struct Times {
    /// Calls of the agent.
    calls_per_second: f64,
    /// The share of the person's calls that were answered as they should be.
    success: f64,
    /// The time that 99 of 100 of them took at most with the agent, over that without.
    ratio: f64,
}

impl Times {
    /// At an Envoy with this chain.
    fn under(kit: &Kit, chain: Chain, effort: &Effort) -> anyhow::Result<Self> {
        let envoy = Envoy::start(kit, chain, &Cores::apart())?;
        let person = kit.case.person_token()?;
        let (mut quiet, mut flooded, mut failed, mut calls) = (Vec::new(), Vec::new(), 0_u32, 0);
        let mut seconds = 0.0;
        for number in 0..=effort.rounds {
            postern_demo::interrupt::check()?;
            let calm = visit(&envoy, &person, effort.round)?;
            let (under_flood, sent, took) = flood(&envoy, &kit.token, &person, effort.round)?;
            // The first round is not counted.
            if number > 0 {
                failed += calm.failed + under_flood.failed;
                quiet.extend(calm.micros);
                flooded.extend(under_flood.micros);
                (calls, seconds) = (calls + sent, seconds + took);
            }
        }
        let all = u32::try_from(flooded.len() + quiet.len())?.saturating_add(failed);
        let success = f64::from(all - failed) / f64::from(all);
        let (calm, stormy) = (percentile(quiet)?, percentile(flooded)?);
        eprintln!("bench: {chain:?}: p99 of a person {calm:.0} us, {stormy:.0} us under the flood");
        let calls_per_second = f64::from(calls) / seconds;
        Ok(Self { calls_per_second, success, ratio: stormy / calm })
    }
}

/// What a person had to wait for.
struct Visit {
    micros: Vec<f64>,
    failed: u32,
}

/// A person calls now and then, for so long.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn visit(envoy: &Envoy, token: &str, span: Duration) -> anyhow::Result<Visit> {
    let mut connection = Connection::open(envoy, token)?;
    let mut visit = Visit { micros: Vec::new(), failed: 0 };
    let start = Instant::now();
    while start.elapsed() < span {
        let asked = Instant::now();
        connection.send()?;
        if connection.hear()? == 200 {
            visit.micros.push(asked.elapsed().as_secs_f64() * 1e6);
        } else {
            visit.failed += 1;
        }
        thread::sleep(PAUSE);
    }
    Ok(visit)
}

/// The same while an agent calls all the time; how often it did, in how many seconds.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn flood(
    envoy: &Envoy,
    agent: &str,
    person: &str,
    span: Duration,
) -> anyhow::Result<(Visit, u32, f64)> {
    let (ends, sent) = (AtomicBool::new(false), AtomicU32::new(0));
    let pour = || -> anyhow::Result<()> {
        let connections = (0..CONNECTIONS).map(|_| Connection::open(envoy, agent));
        let mut connections: Vec<_> = connections.collect::<anyhow::Result<_>>()?;
        let (start, mut rounds) = (Instant::now(), 0_u32);
        while !ends.load(Ordering::Relaxed) {
            connections.iter_mut().try_for_each(Connection::send)?;
            for connection in &mut connections {
                let status = connection.hear()?;
                if ![200, 429].contains(&status) {
                    bail!("the agent was answered with {status}");
                }
            }
            rounds += 1;
            sent.fetch_add(CONNECTIONS, Ordering::Relaxed);
            let due = Duration::from_secs(1) * rounds * CONNECTIONS / RATE;
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
        Ok(())
    };
    thread::scope(|scope| {
        let start = Instant::now();
        let pouring = scope.spawn(pour);
        let visit = visit(envoy, person, span);
        ends.store(true, Ordering::Relaxed);
        let poured = pouring.join().map_err(|_| anyhow::anyhow!("the flood broke"))?;
        poured?;
        Ok((visit?, sent.load(Ordering::Relaxed), start.elapsed().as_secs_f64()))
    })
}

/// The value that one of a hundred is above.
fn percentile(mut values: Vec<f64>) -> anyhow::Result<f64> {
    values.sort_by(f64::total_cmp);
    let place = values.len().saturating_mul(99) / 100;
    values.get(place).copied().context("nothing was measured")
}

/// A connection that is kept, and the request that is sent on it.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(envoy: &Envoy, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(envoy.listen()).context("cannot connect to Envoy")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        let listen = envoy.listen();
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nhost: {listen}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        Ok(Self { stream, request: request.into_bytes(), buffer: vec![0; 8192] })
    }

    fn send(&mut self) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&self.request)?)
    }

    /// The status of the answer, all of which is read.
    fn hear(&mut self) -> anyhow::Result<u16> {
        let mut length = 0;
        loop {
            let rest = self.buffer.get_mut(length..).unwrap_or_default();
            match self.stream.read(rest)? {
                0 => bail!("Envoy hung up"),
                more => length += more,
            }
            let text = String::from_utf8_lossy(self.buffer.get(..length).unwrap_or_default());
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let size = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let size: usize = size.context("an answer without a length")?.trim().parse()?;
            if body.len() >= size {
                let status = head.get(9..12).context("an answer without a status")?;
                return Ok(status.parse()?);
            }
        }
    }
}
