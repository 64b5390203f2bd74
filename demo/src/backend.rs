//! The API behind: knows nothing of agents, and answers with what it was told.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

/// The request's header that asks for another status.
pub const FAILS: &str = "x-demo-status";
/// The request's header that asks for an answer after so many milliseconds, at most five seconds.
pub const LASTS: &str = "x-demo-millis";
/// The request's header that says what the call costs.
pub const COSTS: &str = "x-demo-cost";
/// The response's header that says so.
pub const COST: &str = "x-request-cost";

/// The longest that an answer takes, whatever is asked for.
const LONGEST: Duration = Duration::from_secs(5);

/// An HTTP/1.1 server on a thread of its own; ends when dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// No port or no thread is to be had.
    pub fn start() -> anyhow::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("cannot open a port for the backend")?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("backend".to_owned()).spawn(move || {
            runtime.spawn(serve(listener));
            // Ends when told to and when whoever should tell is gone.
            drop(runtime.block_on(stopped));
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that breaks is its client's affair.
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo)),
        );
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = Bytes::from(describe(&request).to_string());
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // As whoever tries it out wants it to be.
    let asked = |name: &str| request.headers().get(name);
    if let Some(millis) = asked(LASTS).and_then(|value| value.to_str().ok()?.parse().ok()) {
        tokio::time::sleep(Duration::from_millis(millis).min(LONGEST)).await;
    }
    if let Some(status) =
        asked(FAILS).and_then(|value| StatusCode::from_bytes(value.as_bytes()).ok())
    {
        *response.status_mut() = status;
    }
    if let Some(cost) = asked(COSTS) {
        response.headers_mut().insert(COST, cost.clone());
    }
    Ok(response)
}

/// Every header in its order, copies too; what is no UTF-8 shows as replacement characters.
fn describe(request: &Request<Incoming>) -> Value {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    json!({
        "method": request.method().as_str(),
        "path": request.uri().to_string(),
        "headers": headers,
    })
}

#[cfg(test)]
mod tests {
    use super::Backend;
    use crate::client::Request;

    #[test]
    fn the_backend_tells_every_header_it_was_told() {
        let backend = Backend::start().unwrap();
        let response = Request::get("/a?b=c")
            .header("X_Odd", "1")
            .header("x_odd", b"\xff")
            .send(backend.address())
            .unwrap();
        assert_eq!(response.status, 200);
        let echo = response.echo().unwrap();
        assert_eq!((echo.method.as_str(), echo.path.as_str()), ("GET", "/a?b=c"));
        assert_eq!(echo.all("x_odd"), ["1", "\u{fffd}"]);
    }
}
