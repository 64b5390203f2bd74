//! A caller that writes its request byte by byte: header names in any spelling, copies, raw bytes.
//! No well-behaved HTTP library would send what an attacker sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most headers an answer may have.
const MAX_HEADERS: usize = 64;
/// The longest answer, in bytes.
const MAX_RESPONSE: u64 = 1024 * 1024;

/// A request to be sent, once or often.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: String,
}

impl Request {
    /// `method` on `target`, written as they are.
    pub fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: Vec::new(), body: String::new() }
    }

    /// GET on `target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// POST on `target`, with these fields as a form.
    pub fn form(target: &str, fields: &[(&str, &str)]) -> Self {
        let request = Self { body: encode(fields), ..Self::new("POST", target) };
        request.header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// One more header, even if there is one of this name.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// One more `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// One more `Authorization: DPoP`, and the proof.
    #[must_use]
    pub fn dpop(self, token: &str, proof: &str) -> Self {
        self.header("Authorization", format!("DPoP {token}")).header("DPoP", proof)
    }

    /// Sends it on a connection of its own and reads the answer.
    ///
    /// # Errors
    ///
    /// No connection, no answer in time, or one that is no HTTP/1.1.
    pub fn send(&self, to: SocketAddr) -> anyhow::Result<Response> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        self.send_over(&mut stream, to)
    }

    /// The same on a connection to `to` that is there, such as one by TLS.
    ///
    /// # Errors
    ///
    /// No answer in time, or one that is no HTTP/1.1.
    pub fn send_over(
        &self,
        stream: &mut (impl Read + Write),
        to: SocketAddr,
    ) -> anyhow::Result<Response> {
        stream.write_all(&self.bytes(to))?;
        let mut answer = Vec::new();
        let (mut stream, mut part) = (stream.take(MAX_RESPONSE), [0; 4096]);
        // Not to the end: after an answer of its own Envoy waits a second for us to hang up.
        while !is_whole(&answer) {
            match stream.read(&mut part).context("the answer broke off")? {
                0 => break,
                count => answer.extend(part.iter().take(count)),
            }
        }
        Response::parse(&answer)
    }

    fn bytes(&self, to: SocketAddr) -> Vec<u8> {
        let length = match self.method.as_str() {
            "GET" => String::new(),
            _ => format!("Content-Length: {}\r\n", self.body.len()),
        };
        let (method, target) = (&self.method, &self.target);
        let mut text =
            format!("{method} {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{length}")
                .into_bytes();
        for (name, value) in &self.headers {
            text.extend([name, b": ".as_slice(), value, b"\r\n"].concat());
        }
        text.extend(b"\r\n");
        text.extend(self.body.as_bytes());
        text
    }
}

/// Whether an answer that says how long it is, is there to its end.
fn is_whole(answer: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(start)) = head.parse(answer) else { return false };
    let mut named = head.headers.iter();
    let length = named.find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| str::from_utf8(header.value).ok()?.parse().ok());
    length.is_some_and(|length: usize| answer.len().saturating_sub(start) >= length)
}

/// Fields as in a query or a form.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let escaped = text.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        });
        escaped.collect::<String>()
    };
    let field = |(name, value): &(&str, &str)| format!("{}={}", escape(name), escape(value));
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Every header in its order, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    fn parse(answer: &[u8]) -> anyhow::Result<Self> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(answer)? else {
            bail!("the answer broke off within its headers");
        };
        let headers: Vec<_> = head
            .headers
            .iter()
            .map(|header| {
                (
                    header.name.to_ascii_lowercase(),
                    String::from_utf8_lossy(header.value).into_owned(),
                )
            })
            .collect();
        let body = answer.get(length..).unwrap_or_default();
        let is_chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        Ok(Self {
            status: head.code.context("the answer has no status")?,
            headers,
            body: if is_chunked { dechunk(body)? } else { body.to_vec() },
        })
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// All headers of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.headers.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The `code` of a denial (RFC 9457 members).
    pub fn code(&self) -> Option<String> {
        if self.header("content-type") != Some("application/problem+json") {
            return None;
        }
        let problem: Value = serde_json::from_slice(&self.body).ok()?;
        problem.get("code")?.as_str().map(str::to_owned)
    }

    /// What the backend said it was told; nothing if the answer is not the backend's.
    pub fn echo(&self) -> Option<Echo> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let headers = body.get("headers")?.as_array()?.iter().filter_map(|header| {
            let text = |index| header.get(index).and_then(Value::as_str).map(str::to_owned);
            text(0).zip(text(1))
        });
        Some(Echo {
            method: body.get("method")?.as_str()?.to_owned(),
            path: body.get("path")?.as_str()?.to_owned(),
            headers: headers.collect(),
        })
    }
}

/// A body out of its chunks (RFC 9112 §7.1), trailers left out.
fn dechunk(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = httparse::parse_chunk_size(rest).ok().context("a chunk has no size")?;
        let httparse::Status::Complete((start, length)) = size else {
            bail!("the answer broke off within its body");
        };
        if length == 0 {
            return Ok(body);
        }
        let end = start.saturating_add(usize::try_from(length)?);
        body.extend(rest.get(start..end).context("the answer broke off within a chunk")?);
        rest = rest.get(end.saturating_add(b"\r\n".len())..).unwrap_or_default();
    }
}

/// A request as the backend saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Every header in its order, the names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Echo {
    /// All values under this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, encode, is_whole};

    #[test]
    fn nothing_in_a_field_can_end_it() {
        let fields = [("scope", "a b"), ("resource", "https://x/?a=b&c"), ("ü", "")];
        assert_eq!(encode(&fields), "scope=a%20b&resource=https%3A%2F%2Fx%2F%3Fa%3Db%26c&%C3%BC=");
    }

    #[test]
    fn a_denial_is_known_by_its_media_type_and_its_code() {
        let denial = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n\r\n{\"code\":\"no_route\"}";
        let response = Response::parse(denial).unwrap();
        assert_eq!((response.status, response.code()), (403, Some("no_route".to_owned())));
        assert_eq!(response.echo(), None);
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(Response::parse(whole.as_bytes()).unwrap().body, b"abcde");
        for broken in ["", "3\r\nab", "3\r\nabc\r\n", "x"] {
            assert!(Response::parse(format!("{head}{broken}").as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_answer_ends_where_it_says_and_otherwise_with_the_connection() {
        let answer = |length: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{length}\r\n{body}");
        for (length, body, whole) in [
            ("Content-Length: 3\r\n", "ab", false),
            ("Content-Length: 3\r\n", "abc", true),
            ("content-length: 0\r\n", "", true),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", false),
            ("", "abc", false),
        ] {
            assert_eq!(is_whole(answer(length, body).as_bytes()), whole, "{length}{body}");
        }
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn half_an_answer_is_an_error() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\nContent-").is_err());
        assert!(Response::parse(b"").is_err());
    }
}
