//! STUB, dropped at merge: lets a request with `x-ok: 1` through, up to the policy's limit.

use crate::denial::Denial;
use crate::host::{Expected, Host, Swap};
use crate::policy::Policy;

/// STUB.
pub trait Witness {}
impl Witness for () {}

/// STUB.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
}

/// STUB.
#[derive(Debug)]
pub struct Request<'a> {
    /// STUB.
    pub method: &'a [u8],
    /// STUB.
    pub path: &'a [u8],
    /// STUB.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// STUB.
    pub strips_headers: bool,
}

/// STUB.
#[derive(Debug)]
pub struct Decision {
    /// STUB.
    pub answer: Answer,
    /// STUB.
    pub record: Record,
}

/// STUB.
#[derive(Debug)]
pub struct Record {
    /// STUB.
    pub line: String,
    /// STUB.
    pub to: Destinations,
}

/// STUB.
#[derive(Debug)]
pub struct Destinations {
    /// STUB.
    pub host_log: bool,
    /// STUB.
    pub access_log: bool,
}

/// STUB.
#[derive(Debug)]
pub enum Answer {
    /// STUB.
    Forward(Forward),
    /// STUB.
    Reply(Reply),
}

/// STUB.
#[derive(Debug)]
pub struct Forward {
    /// STUB.
    pub drop: Vec<usize>,
    /// STUB.
    pub add: Vec<(String, String)>,
    /// STUB.
    pub response: Vec<(&'static str, String)>,
}

/// STUB.
#[derive(Debug)]
pub struct Reply {
    /// STUB.
    pub status: u16,
    /// STUB.
    pub headers: Vec<(&'static str, String)>,
    /// STUB.
    pub body: String,
}

impl Engine {
    /// STUB.
    pub fn new(policy: Policy, _seed: [u8; 16]) -> Self {
        Self { policy }
    }

    /// STUB.
    pub fn decide(
        &self,
        request: &Request<'_>,
        host: &impl Host,
        _witness: &mut impl Witness,
    ) -> Decision {
        let answer = match self.walk(request, host) {
            Ok(forward) => Answer::Forward(forward),
            Err(denial) => Answer::Reply(Reply {
                status: denial.status(),
                headers: vec![("content-type", "application/problem+json".into())],
                body: format!(r#"{{"code":"{}"}}"#, denial.code()),
            }),
        };
        let line = match &answer {
            Answer::Forward(_) => r#"{"decision":"allow"}"#.into(),
            Answer::Reply(reply) => reply.body.clone(),
        };
        let to = Destinations { host_log: false, access_log: true };
        Decision { answer, record: Record { line, to } }
    }

    fn walk(&self, request: &Request<'_>, host: &impl Host) -> Result<Forward, Denial> {
        let mut drop = Vec::new();
        for (index, (name, _)) in request.headers.iter().enumerate() {
            if name.to_ascii_lowercase().replace_underscores().starts_with(b"x-agent-") {
                if !request.strips_headers {
                    return Err(Denial::InvalidRequest);
                }
                drop.push(index);
            }
        }
        if request.path.is_empty() || request.method.is_empty() {
            return Err(Denial::InvalidRequest);
        }
        if !request.headers.contains(&(b"x-ok", b"1")) {
            return Err(Denial::MissingToken);
        }
        let used = self.count(host)?;
        Ok(Forward {
            drop,
            add: vec![("x-agent-id".into(), "bot".into())],
            response: vec![("ratelimit", format!(r#""all";r={}"#, self.policy.limit - used))],
        })
    }

    fn count(&self, host: &impl Host) -> Result<u64, Denial> {
        for _ in 0..8 {
            let stored = host.load(b"count").map_err(|_| Denial::NotReady)?;
            let used = match &stored {
                None => 0,
                Some(stored) => {
                    u64::from_le_bytes(stored.value.as_slice().try_into().unwrap_or_default())
                }
            };
            if used >= self.policy.limit {
                return Err(Denial::RateLimited);
            }
            let used = used.saturating_add(1);
            let expected = stored.map_or(Expected::Absent, |s| Expected::Version(s.version));
            match host.swap(b"count", &used.to_le_bytes(), expected) {
                Ok(Swap::Done) => return Ok(used),
                Ok(Swap::Conflict) => {}
                Err(_) => return Err(Denial::NotReady),
            }
        }
        Err(Denial::NotReady)
    }
}

trait Fold {
    fn replace_underscores(self) -> Vec<u8>;
}

impl Fold for Vec<u8> {
    fn replace_underscores(mut self) -> Vec<u8> {
        self.iter_mut().filter(|byte| **byte == b'_').for_each(|byte| *byte = b'-');
        self
    }
}
