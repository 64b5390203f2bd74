//! A service of Envoy's rate limit protocol (`envoy.service.ratelimit.v3`) that counts in Redis, by the
//! crate `limitador`.
//!
//!     postern-demo-limits ADDRESS:PORT REDIS-URL DOMAIN [silent] NAME=UNITS/SECONDS...
//!
//! Each limit counts by the entry `key` of descriptors whose entry `limit` is its name. The address is
//! the first line of the output. `silent` is how Limitador is as it comes: it says yes or no, and nothing
//! of what is left.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::sync::Arc;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{
    Code, DescriptorStatus, RateLimit,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::google::protobuf::Duration;
use limitador::counter::Counter;
use limitador::limit::{Limit, Namespace};
use limitador::storage::AsyncStorage;
use limitador::storage::redis::AsyncRedisStorage;
use limitador::{AsyncRateLimiter, AsyncRateLimiterBuilder};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

struct Service {
    // Limitador looks and counts in two steps: one question at a time, for the limit to hold.
    limiter: Arc<Mutex<AsyncRateLimiter>>,
    is_silent: bool,
}

#[tonic::async_trait]
impl RateLimitService for Service {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let RateLimitRequest { domain, descriptors, hits_addend } = request.into_inner();
        let namespace = Namespace::from(domain.as_str());
        let mut answer = RateLimitResponse { overall_code: Code::Ok.into(), ..Default::default() };
        for descriptor in descriptors {
            let entries = descriptor.entries.into_iter();
            let values: HashMap<_, _> = entries.map(|entry| (entry.key, entry.value)).collect();
            let hits = i64::from(hits_addend.max(1));
            let limiter = self.limiter.lock().await;
            let checked =
                limiter.check_rate_limited_and_update(&namespace, &values, hits, true).await;
            drop(limiter);
            let checked = checked.map_err(|error| Status::unavailable(error.to_string()))?;
            let code = if checked.limited { Code::OverLimit } else { Code::Ok };
            if checked.limited {
                answer.overall_code = code.into();
            }
            if let (false, Some(counter)) = (self.is_silent, checked.counters.first()) {
                answer.statuses.push(status(code, counter, checked.limited, hits));
            }
        }
        Ok(Response::new(answer))
    }
}

/// What there is to tell of a bucket.
fn status(code: Code, counter: &Counter, is_limited: bool, hits: i64) -> DescriptorStatus {
    // Limitador says what would be left of it.
    let remaining = counter.remaining().unwrap_or_default();
    let remaining = if is_limited { remaining.saturating_add(hits) } else { remaining };
    let seconds =
        counter.expires_in().map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    DescriptorStatus {
        code: code.into(),
        current_limit: Some(RateLimit {
            requests_per_unit: u32::try_from(counter.max_value()).unwrap_or(u32::MAX),
            unit: Unit::Unknown.into(),
            ..Default::default()
        }),
        limit_remaining: u32::try_from(remaining.max(0)).unwrap_or(u32::MAX),
        duration_until_reset: seconds.map(|seconds| Duration { seconds, nanos: 0 }),
        ..Default::default()
    }
}

/// A limit from `NAME=UNITS/SECONDS`.
fn limit(domain: &str, text: &str) -> Option<Limit> {
    let (name, quota) = text.split_once('=')?;
    let (units, seconds) = quota.split_once('/')?;
    let (units, seconds) = (units.parse().ok()?, seconds.parse().ok()?);
    Some(Limit::new(domain, units, seconds, vec![format!("limit == '{name}'")], vec!["key"]))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).peekable();
    let usage =
        "usage: postern-demo-limits ADDRESS:PORT REDIS-URL DOMAIN [silent] NAME=UNITS/SECONDS...";
    let listen = arguments.next().ok_or(usage)?;
    let (redis, domain) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let is_silent = arguments.next_if(|word| word == "silent").is_some();
    let storage = AsyncRedisStorage::new(&redis).await?;
    let storage = AsyncStorage::with_counter_storage(Box::new(storage));
    let limiter = AsyncRateLimiterBuilder::new(storage).build();
    for text in arguments {
        limiter.add_limit(limit(&domain, &text).ok_or(usage)?);
    }
    let service = Service { limiter: Arc::new(Mutex::new(limiter)), is_silent };
    let listener = TcpListener::bind(&listen).await?;
    println!("{}", listener.local_addr()?);
    let server = Server::builder().add_service(RateLimitServiceServer::new(service));
    server.serve_with_incoming(TcpListenerStream::new(listener)).await?;
    Ok(())
}
