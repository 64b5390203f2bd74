//! Requests in, exchanges out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wasmtime::Result;

use super::headers::{Field, HeaderMap};
use super::worker::{Call, Stream, World};
use super::{Exchange, Filter, Outcome, Profile, Request, Store, Worker};

/// The moment at which every proxy's clock starts, in seconds since the Unix epoch.
pub const START: u64 = 1_795_000_000;

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

impl Proxy {
    /// One worker with this workspace's filter and a policy.
    pub fn new(profile: Profile, policy: impl AsRef<[u8]>) -> Self {
        Self::start(profile, Some(policy.as_ref()), 1)
    }

    /// Any number of workers; without a policy, they are never configured.
    pub fn start(profile: Profile, policy: Option<&[u8]>, workers: usize) -> Self {
        Self::run(Filter::this(), profile, policy, workers)
    }

    /// One worker that is as fast as can be: no instructions are counted, and none are too many.
    pub fn uncounted(profile: Profile, policy: impl AsRef<[u8]>) -> Self {
        Self::run(Filter::uncounted(), profile, Some(policy.as_ref()), 1)
    }

    fn run(filter: &Filter, profile: Profile, policy: Option<&[u8]>, workers: usize) -> Self {
        let world = World {
            now: START * 1_000_000_000,
            log: vec![],
            store: Store::new(profile),
            upstreams: BTreeSet::from(["login".to_owned()]),
            calls: vec![],
            next_call: 0,
            gauges: BTreeMap::new(),
        };
        let mut proxy = Self {
            profile,
            filter: filter.clone(),
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
    pub fn reload(&mut self, policy: impl AsRef<[u8]>) -> bool {
        let policy = policy.as_ref();
        let mut taken = true;
        for worker in self.workers.iter_mut().flatten() {
            taken &= worker.reload(policy).expect("a filter that does not trap");
        }
        if taken {
            self.policy = Some(policy.to_vec());
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
        if matches!(outcome, Ok(Outcome::Held)) {
            worker.park();
        } else if let Some(stream) = worker.vm().stream.take() {
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

    /// Lets time pass, and ticks the workers; what became of requests that were held, with the
    /// milliseconds after which it did.
    pub fn pass(&mut self, millis: u64) -> Vec<(u64, Exchange)> {
        const STEP: u64 = 10;
        let mut woken = Vec::new();
        for step in 1..=millis / STEP {
            self.world.borrow_mut().now += STEP * 1_000_000;
            for worker in self.workers.iter_mut().flatten() {
                worker.tick().expect("a filter that does not trap");
            }
            woken.extend(self.take_woken().into_iter().map(|one| (step * STEP, one)));
        }
        woken
    }

    /// The filter's own requests that nobody has answered yet.
    pub fn calls(&self) -> Vec<Call> {
        self.world.borrow().calls.clone()
    }

    /// The only one of them.
    pub fn the_call(&self) -> Call {
        let [call] = &self.calls()[..] else { panic!("{:?}", self.calls()) };
        call.clone()
    }

    /// Answers one of them; what became of requests that were held. `None`: nobody answers.
    pub fn answer(&mut self, call: &Call, answer: Option<(u16, &[u8])>) -> Vec<Exchange> {
        self.world.borrow_mut().calls.retain(|open| open.id != call.id);
        for worker in self.workers.iter_mut().flatten() {
            if worker.vm().number == call.worker {
                worker.respond(call, answer).expect("a filter that does not trap");
            }
        }
        self.take_woken()
    }

    /// A server that the filter can send requests to is there from now on, or no more.
    pub fn upstream(&mut self, name: &str, is_there: bool) {
        let upstreams = &mut self.world.borrow_mut().upstreams;
        if is_there {
            upstreams.insert(name.to_owned())
        } else {
            upstreams.remove(name)
        };
    }

    /// The filter's gauges.
    pub fn gauges(&self) -> BTreeMap<String, u64> {
        self.world.borrow().gauges.clone()
    }

    /// A client goes away: its request ends, though it is held.
    pub fn hang_up(&mut self, index: usize) {
        let worker = self.worker(index);
        while let Some(context) = worker.vm().parked.keys().next().copied() {
            worker.close(context).expect("a filter that does not trap");
            worker.vm().stream = None;
        }
    }

    fn take_woken(&mut self) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        for worker in self.workers.iter_mut().flatten() {
            let parked = worker.vm().parked.iter();
            let woken = parked.filter(|(_, stream)| stream.resumed || stream.reply.is_some());
            let woken: Vec<_> = woken.map(|(context, _)| *context).collect();
            for context in woken {
                let stream = worker.vm().parked.remove(&context);
                worker.vm().stream = stream;
                worker.vm().context = context;
                let mut fuel = 0;
                let outcome = finish(worker, context, true, &mut fuel);
                let outcome = outcome.expect("a filter that does not trap");
                let properties = worker.vm().stream.take().map(|one| one.set_properties);
                exchanges.push(Exchange {
                    outcome,
                    calls: BTreeMap::new(),
                    fuel,
                    properties: properties.unwrap_or_default(),
                    trap: None,
                });
            }
        }
        exchanges
    }

    /// Moves the clock on.
    pub fn advance(&mut self, seconds: u64) {
        self.world.borrow_mut().now += seconds * 1_000_000_000;
    }

    /// What the clock says, in seconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        (self.world.borrow().now / 1_000_000_000).cast_signed()
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
    let context = worker.open_stream(stream)?;
    *fuel += worker.fuel()?;
    let goes_on = worker.request_headers(context)?;
    *fuel += worker.fuel()?;
    finish(worker, context, goes_on, fuel)
}

/// What the upstream answers: 200, and what it was asked to by headers that begin with `x-answer-`.
fn answered(request: &[Field]) -> Vec<Field> {
    let asked = request.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(b"x-answer-")?;
        Some((name.to_vec(), value.clone()))
    });
    let (status, fields): (Vec<_>, Vec<_>) = asked.partition(|(name, _)| name == b"status");
    let status = status.into_iter().next().map_or_else(|| b"200".to_vec(), |(_, status)| status);
    [vec![(b":status".to_vec(), status)], fields].concat()
}

/// What comes after the request is let go on or answered.
fn finish(worker: &mut Worker, context: u32, goes_on: bool, fuel: &mut u64) -> Result<Outcome> {
    let profile = worker.vm().profile;
    let Some(stream) = &mut worker.vm().stream else { return Ok(Outcome::Held) };
    let reply = stream.reply.take();
    if reply.is_none() && !goes_on {
        return Ok(Outcome::Held);
    }
    // The response's callback runs for the filter's own reply, too.
    let fields = match &reply {
        Some(reply) => reply.headers.clone(),
        None => answered(&stream.request.sent()),
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
