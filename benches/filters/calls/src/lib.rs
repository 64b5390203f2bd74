//! A filter that moves for each request what Postern moves for one that it allows, by the same calls
//! of the proxy, and decides nothing: nobody who tells the backend and the log as much is faster.
//!
//! Its configuration is four lines: how many records in the shared store it reads and writes, whether it
//! looks at the headers of responses, and the two fields that tell the caller of its limits, or nothing.

use std::cell::RefCell;
use std::ptr::null_mut;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Error);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// What the backend is told.
const IDENTITY: [(&str, &str); 10] = [
    ("x-postern-kind", "agent"),
    ("x-postern-agent", "support-bot"),
    ("x-postern-subject", "0d9c5b6e-6b0e-4f52-9c1e-2a54f2b3c7d1"),
    ("x-postern-organization", "acme"),
    ("x-postern-client", "support-bot"),
    ("x-postern-issuer", "https://login.crm.example/"),
    ("x-postern-token-id", "5a1e4a0e-8f0c-4f0e-9a55-1f2d3c4b5a69"),
    ("x-postern-roles", "editor,reader"),
    ("x-postern-policy-version", "bench-1"),
    ("x-postern-decision-id", "6a0c2f0e93a54c579d2b0d0e0c6f8f11"),
];

/// What the caller is told in.
const FIELDS: [&str; 2] = ["ratelimit-policy", "ratelimit"];

/// As long as a record.
const RECORD: [u8; 560] = [b'x'; 560];

/// About as long as what the store has of one principal: 30 bytes for one limit, 114 for five.
const STORED: [u8; 64] = [b'x'; 64];

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;

unsafe extern "C" {
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_set_property(path: *const u8, size: usize, value: *const u8, value_size: usize)
    -> u32;
}

/// What to do besides.
#[derive(Default)]
struct Rules {
    /// The keys of records that are read and written.
    keys: Vec<String>,
    /// Whether the headers of responses are read.
    heeds_response: bool,
    /// The fields of responses.
    fields: Vec<(&'static str, String)>,
}

impl Rules {
    fn read(configuration: &str) -> Self {
        let mut lines = configuration.lines();
        let mut number = || lines.next().and_then(|line| line.parse::<u32>().ok()).unwrap();
        let (trips, heeds_response) = (number(), number() == 1);
        let key = |place| format!("postern.meter.of-one-principal-{place:02}");
        let fields = FIELDS.into_iter().zip(lines.map(str::to_owned));
        let fields = fields.filter(|(_, value)| !value.is_empty()).collect();
        Self { keys: (0..trips).map(key).collect(), heeds_response, fields }
    }
}

#[derive(Default)]
struct Root {
    rules: Rc<Rules>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap();
        self.rules = Rc::new(Rules::read(str::from_utf8(&configuration).unwrap()));
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request(self.rules.clone())))
    }
}

thread_local! {
    /// The headers that are sent on, as they are written for the first request.
    static SENT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The header map as the proxy writes it: how many there are, how long each is, names and values.
fn headers(of: u32) -> Vec<u8> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both are places to write to, and what is written there came from the allocator.
    unsafe {
        assert_eq!(proxy_get_header_map_pairs(of, &mut data, &mut size), 0);
        Vec::from_raw_parts(data, size, size)
    }
}

/// The same headers but for the credential, and with those for the backend.
fn sent_on(map: &[u8]) -> Vec<u8> {
    let number = |at: usize| u32::from_le_bytes(map[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 4 + number(0) * 8;
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for header in 0..number(0) {
        let (name, value) = (number(4 + header * 8), number(8 + header * 8));
        let text = &map[at..at + name + value + 1];
        all.push((text[..name].to_vec(), text[name + 1..].to_vec()));
        at += name + value + 2;
    }
    all.retain(|(name, _)| name != b"authorization");
    all.extend(IDENTITY.map(|(name, value)| (name.into(), value.into())));
    let mut written = (all.len() as u32).to_le_bytes().to_vec();
    for text in all.iter().flat_map(|(name, value)| [name, value]) {
        written.extend((text.len() as u32).to_le_bytes());
    }
    for text in all.iter().flat_map(|(name, value)| [name, value]) {
        written.extend([text, &b"\0"[..]].concat());
    }
    written
}

struct Request(Rc<Rules>);

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let mut time = 0;
        let map = headers(REQUEST);
        for key in &self.0.keys {
            let (_, version) = self.get_shared_data(key);
            self.set_shared_data(key, Some(&STORED), version).unwrap();
        }
        SENT.with_borrow_mut(|sent| {
            if sent.is_empty() {
                *sent = sent_on(&map);
            }
            let path = "postern";
            // SAFETY: all that is pointed to is there until the calls are over.
            unsafe {
                assert_eq!(proxy_get_current_time_nanoseconds(&mut time), 0);
                assert_eq!(proxy_set_header_map_pairs(REQUEST, sent.as_ptr(), sent.len()), 0);
                let (record, size) = (RECORD.as_ptr(), RECORD.len());
                assert_eq!(proxy_set_property(path.as_ptr(), path.len(), record, size), 0);
            }
        });
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.0.heeds_response {
            assert!(!headers(RESPONSE).is_empty());
        }
        for (name, value) in &self.0.fields {
            let (name, size, length) = (name.as_ptr(), name.len(), value.len());
            // SAFETY: as above.
            let status =
                unsafe { proxy_add_header_map_value(RESPONSE, name, size, value.as_ptr(), length) };
            assert_eq!(status, 0);
        }
        Action::Continue
    }
}
