//! Requests in, and what became of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use wasmtime::Result;

use super::headers::{Field, HeaderMap};
use super::worker::{Stream, World};
use super::{Filter, Profile, Store, Worker};

/// A proxy with the filter in each of its workers.
pub struct Proxy {
    profile: Profile,
    filter: Filter,
    policy: Option<Vec<u8>>,
    world: Rc<RefCell<World>>,
    /// `None`: trapped, and not started again.
    workers: Vec<Option<Worker>>,
    /// Whether each worker took the policy.
    pub configured: bool,
    started: u64,
}

/// A request from a client.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    host: String,
    fields: Vec<Field>,
}

/// What became of a request, and what it cost.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What became of it.
    pub outcome: Outcome,
    /// Calls of the host's functions, by name.
    pub calls: BTreeMap<&'static str, u32>,
    /// Instructions that all callbacks of the request took.
    pub fuel: u64,
    /// Properties that were set, and that an access log could show.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// Why the VM trapped, if it did.
    pub trap: Option<String>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It reached the upstream.
    Upstream {
        /// With these headers.
        request: Vec<Field>,
        /// And the client got these, after the upstream's own.
        response: Vec<Field>,
    },
    /// The filter answered.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The headers the filter gave.
        headers: Vec<Field>,
        /// The body.
        body: String,
    },
    /// The proxy answered, for want of a working filter.
    ProxyError {
        /// The HTTP status.
        status: u16,
    },
    /// It waits, and nobody will wake it.
    Held,
}

impl Request {
    /// A request with no more headers than it must have.
    pub fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.into(), path.into());
        Self { method, path, host: "api.example".into(), fields: Vec::new() }
    }

    /// A `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    fn stream(&self, profile: Profile) -> Stream {
        let authority = profile.authority(&self.host);
        let mut fields: Vec<Field> = [
            (":authority", authority),
            (":path", &self.path),
            (":method", &self.method),
            (":scheme", "https"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
        fields.extend(self.fields.iter().cloned());
        let mut properties: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::from([
            (b"request\0path".to_vec(), self.path.clone().into()),
            (b"request\0method".to_vec(), self.method.clone().into()),
        ]);
        if profile == Profile::Nginx {
            properties.insert(b"ngx\0nginx_version".to_vec(), b"1.27.5".to_vec());
        }
        Stream {
            request: HeaderMap::new(profile, fields),
            response: None,
            properties,
            set_properties: BTreeMap::new(),
            reply: None,
        }
    }
}

impl Proxy {
    /// One worker with this workspace's filter and a policy.
    pub fn new(profile: Profile, policy: &str) -> Self {
        Self::start(profile, Some(policy.as_bytes()), 1)
    }

    /// Any number of workers; without a policy, they are never configured.
    pub fn start(profile: Profile, policy: Option<&[u8]>, workers: usize) -> Self {
        let world =
            World { now: 1_795_000_000_000_000_000, log: vec![], store: Store::new(profile) };
        let mut proxy = Self {
            profile,
            filter: Filter::this().clone(),
            policy: policy.map(<[u8]>::to_vec),
            world: Rc::new(RefCell::new(world)),
            workers: Vec::new(),
            configured: true,
            started: 0,
        };
        for _ in 0..workers {
            let worker = proxy.start_worker().expect("a filter that starts");
            proxy.workers.push(Some(worker));
        }
        proxy
    }

    fn start_worker(&mut self) -> Result<Worker> {
        self.started += 1;
        let mut worker = Worker::new(&self.filter, self.profile, &self.world, self.started)?;
        if let Some(policy) = &self.policy {
            self.configured &= worker.configure(policy)?;
        }
        Ok(worker)
    }

    /// Replaces the policy in all workers, while they run; whether they took it.
    pub fn reload(&mut self, policy: &str) -> bool {
        let mut taken = true;
        for worker in self.workers.iter_mut().flatten() {
            taken &= worker.reload(policy.as_bytes()).expect("a filter that does not trap");
        }
        if taken {
            self.policy = Some(policy.into());
        }
        taken
    }

    /// A worker, to be meddled with.
    pub fn worker(&mut self, index: usize) -> &mut Worker {
        self.workers.get_mut(index).and_then(Option::as_mut).expect("a living worker")
    }

    /// Sends a request to the first worker.
    pub fn request(&mut self, request: &Request) -> Exchange {
        self.request_on(0, request)
    }

    /// Sends a request to one of the workers.
    pub fn request_on(&mut self, index: usize, request: &Request) -> Exchange {
        let profile = self.profile;
        let stream = request.stream(profile);
        let unfiltered = stream.request.sent();
        let slot = self.workers.get_mut(index).expect("a worker of that number");
        let mut exchange = Exchange {
            outcome: broken(profile, &unfiltered),
            calls: BTreeMap::new(),
            fuel: 0,
            properties: BTreeMap::new(),
            trap: None,
        };
        let Some(worker) = slot else { return exchange };
        worker.vm().calls.clear();
        let outcome = handle(worker, stream, &mut exchange.fuel);
        exchange.calls.clone_from(&worker.vm().calls);
        if let Some(stream) = worker.vm().stream.take() {
            exchange.properties = stream.set_properties;
        }
        match outcome {
            Ok(outcome) => exchange.outcome = outcome,
            Err(trap) => {
                exchange.trap = Some(format!("{trap:?}"));
                *slot = None;
                if profile == Profile::Nginx {
                    let worker = self.start_worker().expect("a filter that starts");
                    if let Some(slot) = self.workers.get_mut(index) {
                        *slot = Some(worker);
                    }
                }
            }
        }
        exchange
    }

    /// Moves the clock on.
    pub fn advance(&mut self, seconds: u64) {
        self.world.borrow_mut().now += seconds * 1_000_000_000;
    }

    /// Sets the clock, in seconds since the Unix epoch.
    pub fn set_time(&mut self, seconds: u64) {
        self.world.borrow_mut().now = seconds * 1_000_000_000;
    }

    /// The log so far, each line with its level, and an empty log from now on.
    pub fn take_log(&mut self) -> Vec<(u32, String)> {
        std::mem::take(&mut self.world.borrow_mut().log)
    }

    /// Works on the store that all workers share.
    pub fn store<T>(&mut self, work: impl FnOnce(&mut Store) -> T) -> T {
        work(&mut self.world.borrow_mut().store)
    }
}

/// What a proxy does without a working filter.
fn broken(profile: Profile, unfiltered: &[Field]) -> Outcome {
    match profile {
        Profile::TrafficServer => {
            Outcome::Upstream { request: unfiltered.to_vec(), response: Vec::new() }
        }
        Profile::Nginx => Outcome::ProxyError { status: 500 },
        Profile::Envoy | Profile::ProxyWasmHost => Outcome::ProxyError { status: 503 },
    }
}

fn handle(worker: &mut Worker, stream: Stream, fuel: &mut u64) -> Result<Outcome> {
    let profile = worker.vm().profile;
    let context = worker.open_stream(stream)?;
    *fuel += worker.fuel()?;
    let goes_on = worker.request_headers(context)?;
    *fuel += worker.fuel()?;
    let Some(stream) = &mut worker.vm().stream else { return Ok(Outcome::Held) };
    let reply = stream.reply.take();
    if reply.is_none() && !goes_on {
        return Ok(Outcome::Held);
    }
    // The response's callback runs for the filter's own reply, too.
    let fields = match &reply {
        Some(reply) => reply.headers.clone(),
        None => vec![(b":status".to_vec(), b"200".to_vec())],
    };
    stream.response = Some(HeaderMap::new(profile, fields));
    worker.response_headers(context)?;
    *fuel += worker.fuel()?;
    let stream = worker.vm().stream.as_ref();
    let request = stream.map(|stream| stream.request.sent()).unwrap_or_default();
    let answer = stream.and_then(|stream| stream.response.as_ref());
    let answer = answer.map(HeaderMap::sent).unwrap_or_default();
    worker.close(context)?;
    *fuel += worker.fuel()?;
    Ok(match reply {
        None => Outcome::Upstream { request, response: answer },
        Some(reply) => Outcome::Reply {
            status: reply.status,
            headers: answer,
            body: String::from_utf8_lossy(&reply.body).into_owned(),
        },
    })
}

impl Exchange {
    /// The status that the client gets, 200 standing for the upstream's; `None` while it waits.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Upstream { .. } => Some(200),
            Outcome::Reply { status, .. } | Outcome::ProxyError { status } => Some(status),
            Outcome::Held => None,
        }
    }

    /// The values under a name that reached the upstream, in every spelling a backend may fold
    /// together; `None` when nothing did.
    pub fn upstream(&self, name: &str) -> Option<Vec<String>> {
        let Outcome::Upstream { request, .. } = &self.outcome else { return None };
        let fold = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase().replace('_', "-");
        let named = request.iter().filter(|(n, _)| fold(n) == fold(name.as_bytes()));
        Some(named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect())
    }
}
