//! Workers share one store and nothing else.

use postern_tests::fixture::{THRICE, allowed};
use postern_tests::wasm_host::{Profile, Proxy};

#[test]
fn a_limit_holds_over_all_workers_on_every_host() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, Some(THRICE.as_bytes()), 2);
        let statuses: Vec<_> =
            (0..6).map(|n| proxy.request_on(n % 2, &allowed()).status().unwrap()).collect();
        assert_eq!(statuses, [200, 200, 200, 429, 429, 429], "{profile:?}");
    }
}

#[test]
fn the_first_of_two_writers_of_a_new_key_is_not_overwritten() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*THRICE);
        assert_eq!(proxy.request(&allowed()).status(), Some(200));
        // Another worker's first request gets there while ours is about to.
        proxy.store(|store| {
            let keys: Vec<Vec<u8>> = store.keys().map(<[u8]>::to_vec).collect();
            assert!(!keys.is_empty());
            for key in keys {
                let (value, _) = store.get(&key).unwrap();
                store.races.insert(key, value);
            }
            store.clear();
        });
        let statuses: Vec<_> =
            (0..3).map(|_| proxy.request(&allowed()).status().unwrap()).collect();
        assert_eq!(statuses, [200, 200, 429], "{profile:?}");
    }
}

#[test]
fn a_key_that_was_emptied_counts_as_absent() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*THRICE);
        assert_eq!(proxy.request(&allowed()).status(), Some(200));
        let emptied = proxy.store(|store| {
            let keys: Vec<Vec<u8>> = store.keys().map(<[u8]>::to_vec).collect();
            for key in &keys {
                let (_, version) = store.get(key).unwrap();
                assert_eq!(store.set(key, b"", version), 0);
            }
            keys.len()
        });
        assert!(emptied > 0);
        assert_eq!(proxy.request(&allowed()).status(), Some(200), "{profile:?}");
    }
}

#[test]
fn a_full_store_denies_or_forgets_and_never_traps() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*THRICE);
        proxy.store(|store| store.capacity = 0);
        let exchange = proxy.request(&allowed());
        assert_eq!(exchange.trap, None);
        if profile != Profile::Nginx {
            assert_eq!(exchange.status(), Some(503), "{profile:?}");
        }
    }
}
