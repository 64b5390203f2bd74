//! A server that publishes an identity provider's keys, as long as it is told to.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 16 * 1024;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it does with whoever asks.
#[derive(Clone, Debug)]
pub enum Mood {
    /// Hangs up without a word.
    Down,
    /// Takes the request and never says anything.
    Silent,
    /// Answers with this status and this body.
    Says(u16, String),
    /// The same, after a while.
    SaysSlowly(Duration, u16, String),
}

/// An HTTP/1.1 server on a thread of its own; ends when dropped.
#[derive(Debug)]
pub struct KeyServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    asked: AtomicU32,
    ends: AtomicBool,
    /// Connections that are kept and never answered.
    silent: Mutex<Vec<TcpStream>>,
}

impl KeyServer {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// No port or no thread is to be had.
    pub fn start(mood: Mood) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context("cannot open a port for the key server")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            mood: Mutex::new(mood),
            asked: AtomicU32::default(),
            ends: AtomicBool::default(),
            silent: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let serve = move || {
            for stream in listener.incoming().flatten() {
                if served.ends.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&served);
                // A connection that breaks is its client's affair.
                thread::spawn(move || drop(shared.handle(stream)));
            }
        };
        let thread = thread::Builder::new().name("key server".to_owned()).spawn(serve)?;
        Ok(Self { shared, address, thread: Some(thread) })
    }

    /// Where its keys are.
    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    /// Does something else from now on.
    pub fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// How often it was asked.
    pub fn asked(&self) -> u32 {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // Wakes the thread up, so that it sees that it is to end.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn handle(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let (mut request, mut part) = (Vec::<u8>::new(), [0; 1024]);
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let count = stream.read(&mut part)?;
            if count == 0 || request.len() > MAX_REQUEST {
                return Ok(());
            }
            request.extend(part.iter().take(count));
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (status, body) = match mood {
            Mood::Down => return Ok(()),
            Mood::Silent => {
                self.silent.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
                return Ok(());
            }
            Mood::Says(status, body) => (status, body),
            Mood::SaysSlowly(after, status, body) => {
                thread::sleep(after);
                (status, body)
            }
        };
        let head = format!(
            "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        Ok(())
    }
}
