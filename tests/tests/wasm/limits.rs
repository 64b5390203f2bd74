//! A burst admits what it says, over all workers, on every kind of store.

use postern_tests::fixture::{ISSUER, allowed, limited, signed, token};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request};
use serde_json::{Value, json};

const BURST: usize = 20;

/// Hosts whose store refuses when it is full; nginx's forgets.
const REFUSING: [Profile; 3] = [Profile::Envoy, Profile::TrafficServer, Profile::ProxyWasmHost];

fn policy() -> Value {
    let mut policy = limited("20/day");
    policy["agents"]["other-bot"] = json!({ "ceiling": "reader", "issuer": ISSUER });
    policy["limits"]["humans"] = json!([{ "per": "user", "rate": "2/day" }]);
    policy
}

fn start(profile: Profile) -> Proxy {
    Proxy::start(profile, Some(policy().to_string().as_bytes()), 2)
}

fn of(agent: &str) -> Request {
    let token = token().without("act").client(agent).actor(agent);
    Request::get("/v1/contacts").bearer(&signed(&token))
}

fn statuses(proxy: &mut Proxy, request: &Request, times: usize) -> Vec<u16> {
    (0..times).map(|n| proxy.request_on(n % 2, request).status().unwrap()).collect()
}

fn admitted(proxy: &mut Proxy, request: &Request, times: usize) -> usize {
    let statuses = statuses(proxy, request, times);
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[test]
fn two_workers_admit_exactly_the_burst_and_then_what_has_refilled() {
    for profile in Profile::ALL {
        let mut proxy = start(profile);
        assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST, "{profile:?}");
        proxy.advance(60);
        assert_eq!(admitted(&mut proxy, &allowed(), 2), 0, "{profile:?}");
        // One of 20 a day comes every 72 minutes, but the token lives for 5.
        let mut policy = policy();
        policy["limits"]["agents"][0] = json!({ "per": "agent", "rate": "60/min", "burst": 20 });
        let mut proxy = Proxy::start(profile, Some(policy.to_string().as_bytes()), 2);
        assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST, "{profile:?}");
        proxy.advance(3);
        assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), 3, "{profile:?}");
    }
}

#[test]
fn agents_and_users_do_not_share_a_bucket() {
    let human = token().without("act").client("web");
    let human = Request::get("/v1/contacts").bearer(&signed(&human));
    for profile in Profile::ALL {
        let mut proxy = start(profile);
        assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST, "{profile:?}");
        assert_eq!(admitted(&mut proxy, &of("other-bot"), 2 * BURST), BURST, "{profile:?}");
        assert_eq!(admitted(&mut proxy, &human, 4), 2, "{profile:?}");
    }
}

#[test]
fn a_new_token_is_no_new_bucket() {
    for profile in Profile::ALL {
        let mut proxy = start(profile);
        let requests: Vec<_> = (0..BURST + 5).map(|_| of("other-bot")).collect();
        let admitted: usize = requests.iter().map(|one| admitted(&mut proxy, one, 1)).sum();
        assert_eq!(admitted, BURST, "{profile:?}");
    }
}

#[test]
fn whoever_is_turned_away_is_told_when_to_come_again_and_nothing_is_forwarded() {
    for profile in Profile::ALL {
        let mut proxy = start(profile);
        let last = |proxy: &mut Proxy, times| -> Exchange {
            (0..times).map(|_| proxy.request(&allowed())).last().unwrap()
        };
        let before = last(&mut proxy, BURST);
        assert_eq!(before.answer("ratelimit").unwrap(), "\"agent\";r=0;t=4320", "{profile:?}");
        let exchange = last(&mut proxy, 1);
        assert_eq!(exchange.code().as_deref(), Some("rate_limited"), "{profile:?}");
        assert_eq!(exchange.answer("retry-after").unwrap(), "4320");
        assert_eq!(exchange.answer("ratelimit").unwrap(), "\"agent\";r=0;t=4320");
    }
}

#[test]
fn a_worker_that_always_loses_the_race_admits_nothing_beyond_the_burst() {
    for profile in Profile::ALL {
        let mut proxy = start(profile);
        let mut passed = 0;
        for _ in 0..2 * BURST {
            // Just before this worker's swap, another one's request is admitted.
            let before: Vec<_> = contents(&mut proxy);
            passed += admitted(&mut proxy, &allowed(), 1);
            let after: Vec<_> = contents(&mut proxy);
            proxy.store(|store| {
                for (key, value) in &before {
                    let (_, version) = store.get(key).unwrap();
                    assert_eq!(store.set(key, value, version), 0);
                }
                store.races.extend(after);
            });
            passed += admitted(&mut proxy, &allowed(), 1);
            proxy.store(|store| store.races.clear());
        }
        assert_eq!(passed, BURST, "{profile:?}");
    }
}

fn contents(proxy: &mut Proxy) -> Vec<(Vec<u8>, Vec<u8>)> {
    proxy.store(|store| {
        let keys: Vec<Vec<u8>> = store.keys().map(<[u8]>::to_vec).collect();
        keys.into_iter().map(|key| (key.clone(), store.get(&key).unwrap().0)).collect()
    })
}

#[test]
fn a_store_that_is_full_counts_on_for_whom_it_knows_and_denies_the_others() {
    for profile in REFUSING {
        let mut proxy = start(profile);
        assert_eq!(admitted(&mut proxy, &allowed(), 5), 5);
        proxy.store(|store| {
            store.capacity = store.capacity.min(4_096);
            let keys = store.keys().count();
            let full = (keys..store.capacity).all(|n| store.set(&n.to_le_bytes(), b"x", 0) == 0);
            assert!(full && store.set(b"one more", b"x", 0) != 0);
        });
        assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST - 5, "{profile:?}");
        for worker in 0..2 {
            let exchange = proxy.request_on(worker, &of("other-bot"));
            assert_eq!(exchange.status(), Some(503), "{profile:?}: {exchange:?}");
            assert_eq!(exchange.code().as_deref(), Some("not_ready"));
            assert_eq!(exchange.answer("retry-after").as_deref(), Some("1"));
        }
    }
}

#[test]
fn what_nginx_forgets_for_want_of_room_starts_afresh_and_only_that() {
    let mut proxy = start(Profile::Nginx);
    assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST);
    // Room for both: neither is forgotten.
    assert_eq!(admitted(&mut proxy, &of("other-bot"), 2 * BURST), BURST);
    assert_eq!(admitted(&mut proxy, &allowed(), 2), 0);
    // Room for one: whoever was used last stays, the other's bucket counts as a full one.
    proxy.store(|store| {
        store.capacity = 1;
        store.clear();
    });
    assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST);
    assert_eq!(admitted(&mut proxy, &allowed(), 2), 0);
    assert_eq!(admitted(&mut proxy, &of("other-bot"), 1), 1);
    assert_eq!(admitted(&mut proxy, &allowed(), 2 * BURST), BURST);
}

#[test]
fn a_bucket_that_holds_what_nobody_wrote_is_not_taken_for_a_full_one() {
    for profile in Profile::ALL {
        let mut proxy = start(profile);
        assert_eq!(admitted(&mut proxy, &allowed(), 1), 1);
        proxy.store(|store| {
            let keys: Vec<Vec<u8>> = store.keys().map(<[u8]>::to_vec).collect();
            for key in keys {
                let (_, version) = store.get(&key).unwrap();
                assert_eq!(store.set(&key, b"garbage", version), 0);
            }
        });
        assert_eq!(statuses(&mut proxy, &allowed(), 2), [503, 503], "{profile:?}");
    }
}
