//! Contexts the filter was never told of, and several at once.

use postern_tests::fixture::{POLICY, allowed};
use postern_tests::wasm_host::{Profile, Proxy};

const PAUSE: u32 = 1;
const CONTINUE: u32 = 0;

#[test]
fn a_request_on_an_unknown_context_does_not_go_on() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    for context in [0_u32, 999, u32::MAX] {
        let action: u32 =
            proxy.worker(0).call("proxy_on_request_headers", (context, 3_u32, 1_u32)).unwrap();
        assert_eq!(action, PAUSE);
    }
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn a_stream_of_an_unknown_root_does_not_go_on() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let worker = proxy.worker(0);
    worker.call::<_, ()>("proxy_on_context_create", (70_u32, 999_u32)).unwrap();
    let action: u32 = worker.call("proxy_on_request_headers", (70_u32, 3_u32, 1_u32)).unwrap();
    assert_eq!(action, PAUSE);
}

#[test]
fn other_callbacks_on_an_unknown_context_do_nothing() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let worker = proxy.worker(0);
    let action: u32 = worker.call("proxy_on_response_headers", (999_u32, 3_u32, 1_u32)).unwrap();
    assert_eq!(action, CONTINUE);
    worker.call::<_, ()>("proxy_on_delete", 999_u32).unwrap();
    assert_eq!(worker.call::<_, u32>("proxy_on_configure", (999_u32, 10_u32)).unwrap(), 0);
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn a_context_that_is_created_twice_or_deleted_twice_is_none_the_worse() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let worker = proxy.worker(0);
    worker.call::<_, ()>("proxy_on_context_create", (1_u32, 0_u32)).unwrap();
    for _ in 0..2 {
        worker.call::<_, ()>("proxy_on_context_create", (50_u32, 1_u32)).unwrap();
    }
    for _ in 0..2 {
        worker.call::<_, ()>("proxy_on_delete", 50_u32).unwrap();
    }
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn once_its_root_is_gone_a_request_does_not_go_on() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    proxy.worker(0).call::<_, ()>("proxy_on_delete", 1_u32).unwrap();
    assert_eq!(proxy.request(&allowed()).status(), Some(503));
}

#[test]
fn memory_the_filter_cannot_give_is_a_null_pointer() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    for size in [64 * 1024 * 1024_u32, u32::MAX] {
        let address: u32 = proxy.worker(0).call("proxy_on_memory_allocate", size).unwrap();
        assert_eq!(address, 0);
    }
}

#[test]
fn memory_that_is_asked_for_and_never_used_is_neither_hoarded_nor_in_the_way() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    for _ in 0..1000 {
        let _: u32 = proxy.worker(0).call("proxy_on_memory_allocate", 1_000_000_u32).unwrap();
    }
    assert!(proxy.worker(0).memory_size() < 16 * 1024 * 1024);
    proxy.request(&allowed());
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}
