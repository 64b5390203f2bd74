//! What shared limits promise, over services that count in different ways, lost and late answers, and
//! workers that end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::host::{Expected, HostError, Stored, Swap};
use crate::limit::tests::{NOW, key};
use crate::protobuf::{Wire, put_bytes, put_number};

const MILLI: u64 = 1_000_000;
const WINDOW: u64 = 60 * SECOND;

fn limit(units: u32, share: Share) -> Limit {
    let rate = format!("{units}/min").parse().unwrap();
    let burst = NonZeroU32::new(units).unwrap();
    Limit::new("all", Class::Agents, 0, rate, burst).unwrap().shared(share).unwrap()
}

fn share(on_failure: OnFailure, overdraft: u32) -> Share {
    Share { on_failure, overdraft }
}

/// One worker of a replica: its ledger, and what it has sent.
struct Lessee {
    ledger: Ledger,
    now: Cell<u64>,
    sent: RefCell<Vec<(u32, Vec<u8>)>>,
    calls: Cell<u32>,
    sends: Cell<bool>,
}

impl Lessee {
    fn new(limit: &Limit) -> Self {
        let service = Service {
            url: "http://127.0.0.1:8081".parse().unwrap(),
            cluster: "limits".to_owned(),
            domain: "postern".to_owned(),
            timeout_millis: 1_000,
        };
        Self {
            ledger: Ledger::new(Some(service), [limit]),
            now: Cell::new(NOW),
            sent: RefCell::default(),
            calls: Cell::default(),
            sends: Cell::new(true),
        }
    }

    /// Whether a call is admitted; what it makes the worker ask is sent.
    fn call(&self, limit: &Limit, cost: u32, now: u64) -> Result<(), Refused> {
        self.now.set(now);
        let charge = Charge { limit, key: key("bot"), cost, zone: 0 };
        let now = Timestamp::from_nanos(now);
        let checked = self.ledger.check([charge].into_iter(), now);
        if checked.is_ok() {
            self.ledger.spend([charge].into_iter(), now, &mut Usages::default());
        }
        self.ledger.send(self);
        checked
    }

    fn take_sent(&self) -> Vec<(u32, Vec<u8>)> {
        self.sent.take()
    }

    /// Hands over an answer; what it makes the worker ask is sent.
    fn hear(&self, call: u32, body: &[u8], now: u64) -> Option<News> {
        let response = Response {
            status: Some(200),
            length: body.len(),
            body,
            grpc_status: Some(0),
            ..Response::default()
        };
        self.respond(call, &response, now)
    }

    fn respond(&self, call: u32, response: &Response<'_>, now: u64) -> Option<News> {
        self.now.set(now);
        let news = self.ledger.answered(call, response, Timestamp::from_nanos(now));
        self.ledger.send(self);
        news
    }
}

impl Host for Lessee {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.now.get())
    }

    fn load(&self, _: &[u8]) -> Result<Option<Stored>, HostError> {
        Err(HostError)
    }

    fn swap(&self, _: &[u8], _: &[u8], _: Expected) -> Result<Swap, HostError> {
        Err(HostError)
    }

    fn fetch(&self, fetch: &Fetch<'_>) -> Result<u32, HostError> {
        let Content::Message(message) = fetch.content else { return Err(HostError) };
        if !self.sends.get() {
            return Err(HostError);
        }
        let call = self.calls.get();
        self.calls.set(call + 1);
        self.sent.borrow_mut().push((call, message.to_vec()));
        Ok(call)
    }
}

/// How a service counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// As envoyproxy/ratelimit: windows of the clock, what is refused counts too, and all is told.
    OfTheClock,
    /// As Limitador: windows from the first call, what is refused does not count, and nothing is told.
    Silent,
    /// As Limitador with headers: the same, and all is told in headers.
    InHeaders,
}

struct Server {
    units: u32,
    counting: Counting,
    /// The end of the window, and what is used in it.
    window: (u64, u32),
}

impl Server {
    fn new(units: u32, counting: Counting) -> Self {
        Self { units, counting, window: (0, 0) }
    }

    /// The end of the window at hand.
    fn end(&self, now: u64) -> u64 {
        match self.counting {
            _ if self.window.0 > now => self.window.0,
            Counting::OfTheClock => (now / WINDOW + 1) * WINDOW,
            Counting::Silent | Counting::InHeaders => now + WINDOW,
        }
    }

    fn answer(&mut self, question: &[u8], now: u64) -> Vec<u8> {
        let hits = hits(question);
        let end = self.end(now);
        let used = if self.window.0 == end { self.window.1 } else { 0 };
        let is_granted = used.saturating_add(hits) <= self.units;
        let counts = is_granted || self.counting == Counting::OfTheClock;
        let used = if counts { used.saturating_add(hits) } else { used };
        self.window = (end, used);
        let (left, reset) = (self.units.saturating_sub(used), (end - now) / SECOND);

        let mut message = Vec::new();
        put_number(&mut message, 1, if is_granted { 1 } else { 2 });
        match self.counting {
            Counting::OfTheClock => {
                let (mut status, mut limit, mut until) = (Vec::new(), Vec::new(), Vec::new());
                put_number(&mut limit, 1, self.units.into());
                put_number(&mut until, 1, reset);
                put_bytes(&mut status, 2, &limit);
                put_number(&mut status, 3, left.into());
                put_bytes(&mut status, 4, &until);
                put_bytes(&mut message, 2, &status);
            }
            Counting::Silent => {}
            Counting::InHeaders => {
                for (name, value) in
                    [("X-RateLimit-Remaining", u64::from(left)), ("X-RateLimit-Reset", reset)]
                {
                    let mut header = Vec::new();
                    put_bytes(&mut header, 1, name.as_bytes());
                    put_bytes(&mut header, 2, value.to_string().as_bytes());
                    put_bytes(&mut message, 3, &header);
                }
            }
        }
        framed(&message)
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// How many units a question is for.
fn hits(question: &[u8]) -> u32 {
    let mut wire = Wire::new(question.get(5..).unwrap());
    let mut hits = 1;
    while let Some((id, field)) = wire.field().ok().flatten() {
        if id == 3 {
            hits = u32::try_from(field.varint().ok().unwrap()).unwrap();
        }
    }
    hits
}

#[derive(Clone, Debug)]
enum Event {
    /// A worker is called, at this cost.
    Call(usize, u32),
    /// An answer comes to a worker, or is lost.
    Answer { to: usize, is_lost: bool },
    /// Time passes, in milliseconds.
    Wait(u64),
    /// A worker ends, and another takes its place.
    End(usize),
}

fn events(workers: usize) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (0..workers, 1_u32..4).prop_map(|(worker, cost)| Event::Call(worker, cost)),
        8 => (0..workers, prop::bool::weighted(0.1))
            .prop_map(|(to, is_lost)| Event::Answer { to, is_lost }),
        3 => (1_u64..9_000).prop_map(Event::Wait),
        1 => (0..workers).prop_map(Event::End),
    ];
    prop::collection::vec(event, 1..500)
}

proptest! {
    #[test]
    fn in_a_window_no_more_is_admitted_than_the_limit_and_the_overdrafts(
        units in 1_u32..200,
        overdraft in 0_u32..4,
        counting in prop_oneof![
            Just(Counting::OfTheClock), Just(Counting::Silent), Just(Counting::InHeaders)
        ],
        is_late in any::<bool>(),
        events in events(3),
    ) {
        const WORKERS: u32 = 3;
        let limit = limit(units, share(OnFailure::Closed, overdraft));
        let mut workers: Vec<_> = (0..WORKERS).map(|_| Lessee::new(&limit)).collect();
        let mut server = Server::new(units, counting);
        // Under way to each worker: answered when asked, or when the answer comes.
        let mut waiting: Vec<Vec<(u32, Vec<u8>)>> = vec![Vec::new(); workers.len()];
        let (mut now, mut ended) = (NOW, 0);
        let mut admitted: HashMap<u64, u32> = HashMap::new();
        for event in events {
            match event {
                // What costs more than there ever is, a proxy's own count refuses.
                Event::Call(_, cost) if cost > units => {}
                Event::Call(worker, cost) => {
                    if workers[worker].call(&limit, cost, now).is_ok() {
                        *admitted.entry(server.end(now)).or_default() += cost;
                    }
                }
                Event::Answer { to, is_lost } => {
                    if !waiting[to].is_empty() {
                        let (call, message) = waiting[to].remove(0);
                        let answer =
                            if is_late { server.answer(&message, now) } else { message };
                        if !is_lost {
                            workers[to].hear(call, &answer, now);
                        }
                    }
                }
                Event::Wait(millis) => now += millis * MILLI,
                Event::End(worker) => {
                    workers[worker] = Lessee::new(&limit);
                    waiting[worker].clear();
                    ended += 1;
                }
            }
            for (worker, waiting) in workers.iter().zip(&mut waiting) {
                for (call, question) in worker.take_sent() {
                    let kept = if is_late { question } else { server.answer(&question, now) };
                    waiting.push((call, kept));
                }
            }
        }
        // A worker that took another's place has an overdraft of its own.
        let overdrafts = (WORKERS + ended) * overdraft;
        // What lapses when nobody says is held in such amounts: an overdraft, or the dearest call.
        let unsaid = if counting == Counting::Silent { (WORKERS + ended) * overdraft.max(3) } else { 0 };
        // Windows of which the service heard first when they had begun for callers.
        let unheard = if counting == Counting::OfTheClock { 0 } else { overdrafts };
        for (end, admitted) in admitted {
            prop_assert!(
                admitted <= units + overdrafts + unsaid + unheard,
                "{} of {} in the window until {}", admitted, units, end
            );
        }
    }
}

/// Has workers called as often as they can be for a while, in turn and answered at once; how many calls
/// each window admits.
fn flood(units: u32, overdraft: u32, counting: Counting, windows: u64) -> Vec<u32> {
    const WORKERS: usize = 6;
    let limit = limit(units, share(OnFailure::Closed, overdraft));
    let workers: Vec<_> = (0..WORKERS).map(|_| Lessee::new(&limit)).collect();
    let mut server = Server::new(units, counting);
    let mut admitted: HashMap<u64, u32> = HashMap::new();
    let step = WINDOW / 6_000;
    let start = NOW / WINDOW * WINDOW;
    for at in 0..windows * 6_000 {
        let now = start + at * step;
        let worker = &workers[usize::try_from(at).unwrap() % WORKERS];
        if worker.call(&limit, 1, now).is_ok() {
            *admitted.entry((now - start) / WINDOW).or_default() += 1;
        }
        for (call, question) in worker.take_sent() {
            let answer = server.answer(&question, now);
            worker.hear(call, &answer, now + MILLI);
        }
    }
    let mut admitted: Vec<_> = admitted.into_iter().collect();
    admitted.sort_unstable();
    admitted.into_iter().map(|(_, admitted)| admitted).collect()
}

#[test]
fn six_workers_under_a_flood_admit_the_limit_and_at_most_a_hundredth_more() {
    for counting in [Counting::OfTheClock, Counting::InHeaders, Counting::Silent] {
        let admitted = flood(1_200, 2, counting, 3);
        assert_eq!(admitted.len(), 3);
        for admitted in admitted {
            assert!((1_080..=1_212).contains(&admitted), "{counting:?}: {admitted}");
        }
    }
}

#[test]
fn who_is_alone_gets_all_of_the_limit() {
    let limit = limit(100, share(OnFailure::Closed, 1));
    let (worker, mut server) = (Lessee::new(&limit), Server::new(100, Counting::OfTheClock));
    let start = NOW / WINDOW * WINDOW;
    let mut admitted = 0;
    for at in 0..1_000 {
        let now = start + at * 50 * MILLI;
        admitted += u32::from(worker.call(&limit, 1, now).is_ok());
        for (call, question) in worker.take_sent() {
            let answer = server.answer(&question, now);
            worker.hear(call, &answer, now);
        }
    }
    assert_eq!(admitted, 100);
}

#[test]
fn the_service_is_not_asked_once_it_said_that_nothing_is_left() {
    let limit = limit(2, share(OnFailure::Closed, 1));
    let (worker, mut server) = (Lessee::new(&limit), Server::new(2, Counting::OfTheClock));
    let start = NOW / WINDOW * WINDOW;
    let mut asked = 0;
    for at in 0..1_000 {
        let outcome = worker.call(&limit, 1, start + at * MILLI);
        if at > 10 {
            let Err(Refused::Exceeded { usage, retry_after }) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!((usage.remaining, retry_after), (0, 60 - at / 1_000));
        }
        for (call, question) in worker.take_sent() {
            asked += 1;
            let answer = server.answer(&question, start + at * MILLI);
            worker.hear(call, &answer, start + at * MILLI);
        }
    }
    assert!(asked <= 4, "{asked}");
}

#[test]
fn while_the_service_does_not_answer_a_worker_denies_or_counts_for_itself() {
    for (on_failure, expected) in
        [(OnFailure::Closed, Err(Refused::Unavailable)), (OnFailure::Local, Ok(()))]
    {
        let limit = limit(100, share(on_failure, 2));
        let worker = Lessee::new(&limit);
        let mut news = Vec::new();
        for at in 0..10 {
            let now = NOW + at * 100 * MILLI;
            let _ = worker.call(&limit, 1, now);
            for (call, _) in worker.take_sent() {
                news.extend(worker.respond(call, &Response::default(), now));
            }
        }
        let told: Vec<_> = news.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "the service that counts shared limits failed: no answer",
                "the service that counts shared limits failed: no answer; it is not asked for 1000 ms",
            ]
        );
        let then = NOW + SECOND;
        assert_eq!(worker.call(&limit, 1, then), expected, "{on_failure:?}");

        // It comes back by itself.
        let mut server = Server::new(100, Counting::OfTheClock);
        let _ = worker.call(&limit, 1, then + 2 * SECOND);
        let sent = worker.take_sent();
        let (call, question) = sent.first().unwrap();
        let answer = server.answer(question, then + 2 * SECOND);
        assert_eq!(worker.hear(*call, &answer, then + 2 * SECOND), Some(News::Recovered));
        assert_eq!(worker.call(&limit, 1, then + 2 * SECOND), Ok(()));
    }
}

#[test]
fn what_is_no_answer_grants_nothing() {
    let yes = framed(&[0x08, 1]);
    let good = Response {
        status: Some(200),
        length: yes.len(),
        body: &yes,
        grpc_status: Some(0),
        ..Response::default()
    };
    assert_eq!(protocol::answer(&good), Ok(Ok(account::Word::default())));
    let body = |body: &'static [u8]| Response { length: body.len(), body, ..good };
    for (response, failure) in [
        (Response::default(), Failure::NoAnswer),
        (Response { status: Some(503), ..good }, Failure::Status(503)),
        (Response { grpc_status: None, ..good }, Failure::NotGrpc),
        (Response { grpc_status: Some(14), ..good }, Failure::Grpc(14)),
        (Response { length: 100_000, ..good }, Failure::TooLong),
        (body(b""), Failure::NotGrpc),
        (body(b"\x01\0\0\0\x02\x08\x01"), Failure::NotGrpc),
        (body(b"\0\0\0\0\x03\x08\x01"), Failure::NotGrpc),
        // Neither yes nor no: code 0, none at all, another.
        (body(b"\0\0\0\0\x02\x08\0"), Failure::NotUnderstood),
        (body(b"\0\0\0\0\0"), Failure::NotUnderstood),
        (body(b"\0\0\0\0\x02\x08\x03"), Failure::NotUnderstood),
        (body(b"\0\0\0\0\x02\x0a\x09"), Failure::NotUnderstood),
    ] {
        assert_eq!(protocol::answer(&response), Err(failure), "{response:?}");
    }
}

#[test]
fn a_dear_call_is_admitted_once_so_much_was_granted() {
    let limit = limit(1_000, share(OnFailure::Closed, 1));
    let (worker, mut server) = (Lessee::new(&limit), Server::new(1_000, Counting::OfTheClock));
    let outcome = worker.call(&limit, 500, NOW);
    assert!(matches!(outcome, Err(Refused::Exceeded { retry_after: 1, .. })), "{outcome:?}");
    let sent = worker.take_sent();
    let (call, question) = sent.first().unwrap();
    worker.hear(*call, &server.answer(question, NOW), NOW + MILLI);
    assert_eq!(worker.call(&limit, 500, NOW + SECOND), Ok(()));
}

#[test]
fn what_was_spent_in_one_window_is_not_given_back_to_the_next() {
    let limit = limit(100, share(OnFailure::Closed, 1));
    let (worker, mut server) = (Lessee::new(&limit), Server::new(100, Counting::OfTheClock));
    let start = NOW / WINDOW * WINDOW;
    let units = || {
        let state = worker.ledger.state.borrow();
        state.accounts.values().map(|account| account.left(worker.now.get())).next().flatten()
    };
    let lease = |server: &mut Server, now| {
        let _ = worker.call(&limit, 1, now);
        for (call, question) in worker.take_sent() {
            worker.hear(call, &server.answer(&question, now), now);
        }
    };
    lease(&mut server, start);
    let bucket = (Class::Agents, 0, key("bot"));
    let next = start + WINDOW;
    for (spent, settled, is_given_back) in
        [(start + SECOND, start + 2 * SECOND, true), (start + SECOND, next + SECOND, false)]
    {
        lease(&mut server, settled);
        let before = units().unwrap();
        worker.ledger.settle(bucket, (5, spent), 0, settled);
        assert_eq!(units().unwrap() - before, if is_given_back { 5 } else { 0 });
    }
}

#[test]
fn a_clock_that_goes_back_closes_nothing_for_long_and_what_never_fits_is_not_asked_for() {
    let limit = limit(2, share(OnFailure::Closed, 1));
    let (worker, mut server) = (Lessee::new(&limit), Server::new(2, Counting::OfTheClock));
    // A month too early.
    let wrong = NOW + 30 * 86_400 * SECOND;
    for at in 0..4 {
        let _ = worker.call(&limit, 1, wrong + at);
        for (call, question) in worker.take_sent() {
            worker.hear(call, &server.answer(&question, wrong + at), wrong + at);
        }
    }
    assert!(matches!(worker.call(&limit, 1, wrong + 9), Err(Refused::Exceeded { .. })));
    assert_eq!(worker.call(&limit, 1, NOW), Ok(()));

    let worker = Lessee::new(&limit);
    let charge = Charge { limit: &limit, key: key("bot"), cost: u32::MAX, zone: 0 };
    let checked = worker.ledger.check([charge].into_iter(), Timestamp::from_nanos(NOW));
    assert_eq!(checked, Ok(()), "the proxy's own count refuses it");
    worker.ledger.send(&worker);
    assert!(worker.take_sent().is_empty());
}

#[test]
fn a_hundred_thousand_callers_leave_no_more_accounts_than_there_may_be() {
    let limit = limit(100, share(OnFailure::Local, 1));
    let worker = Lessee::new(&limit);
    for caller in 0..100_000_u32 {
        let charge = Charge { limit: &limit, key: key(&caller.to_string()), cost: 1, zone: 0 };
        let now = Timestamp::from_nanos(NOW + u64::from(caller) * MILLI);
        if worker.ledger.check([charge].into_iter(), now).is_ok() {
            worker.ledger.spend([charge].into_iter(), now, &mut Usages::default());
        }
        worker.now.set(now.as_nanos());
        worker.ledger.send(&worker);
    }
    assert!(worker.ledger.state.borrow().accounts.len() <= MAX_ACCOUNTS);
    assert!(worker.ledger.state.borrow().asked.len() <= MAX_QUESTIONS);
}
