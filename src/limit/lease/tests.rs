use proptest::prelude::*;

use super::super::tests::{NOW, Shared, assert_within, key, limit};
use super::super::{BucketKey, Limit, Refused, take};
use super::*;
use crate::host::Timestamp;

const MILLI: u64 = 1_000_000;

fn spend(
    leases: &mut Leases,
    store: &Shared,
    now: u64,
    limit: &Limit,
    key: BucketKey,
    cost: u32,
) -> Result<u32, Refused> {
    let charges = [Charge { limit, key, cost, zone: 0 }];
    let usages = take(leases, store, Timestamp::from_nanos(now), charges.into_iter())?;
    Ok(usages.iter().next().unwrap().remaining)
}

#[test]
fn a_wide_bucket_is_asked_for_once_in_many_requests_and_told_as_if_it_were_each_time() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let wide = limit("agent", 0, "25600/s", 25_600);
    let left: Vec<_> =
        (0..101).map(|_| spend(&mut leases, &store, NOW, &wide, key("bot"), 1).unwrap()).collect();
    assert_eq!(store.calls(), (1, 1));
    assert!(left.iter().rev().copied().eq(25_600 - 101..25_600));
}

#[test]
fn a_narrow_bucket_is_charged_in_the_store_each_time() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let narrow = limit("agent", 0, "60/min", 511);
    (0..20).for_each(|_| assert!(spend(&mut leases, &store, NOW, &narrow, key("bot"), 1).is_ok()));
    assert_eq!(store.calls(), (20, 20));
}

#[test]
fn one_worker_admits_a_burst_to_the_last_unit_and_no_more() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let wide = limit("agent", 0, "1000/h", 1_000);
    let admitted =
        (0..2_000).filter(|_| spend(&mut leases, &store, NOW, &wide, key("bot"), 1).is_ok());
    assert_eq!(admitted.count(), 1_000);
}

#[test]
fn buckets_that_meet_at_one_place_lose_nothing_to_each_other() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let wide = limit("agent", 0, "1000/h", 1_000);
    let [a, b] = [1, 257].map(|tag| BucketKey { slot: 7, tag });
    let mut admitted = [0, 0];
    for _ in 0..2_000 {
        for (count, key) in admitted.iter_mut().zip([a, b]) {
            *count += u32::from(spend(&mut leases, &store, NOW, &wide, key, 1).is_ok());
        }
    }
    assert_eq!(admitted, [1_000, 1_000]);
}

#[test]
fn what_another_limit_refuses_is_not_spent_from_a_lease() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let (wide, narrow) = (limit("agent", 0, "25600/h", 25_600), limit("user", 1, "1/h", 1));
    let both = [
        Charge { limit: &wide, key: key("bot"), cost: 1, zone: 0 },
        Charge { limit: &narrow, key: key("ada"), cost: 1, zone: 0 },
    ];
    let now = Timestamp::from_nanos(NOW);
    assert!(take(&mut leases, &store, now, both.into_iter()).is_ok());
    (0..50).for_each(|_| assert!(take(&mut leases, &store, now, both.into_iter()).is_err()));
    assert_eq!(spend(&mut leases, &store, NOW, &wide, key("bot"), 1), Ok(25_598));
}

#[test]
fn what_was_not_spent_in_its_time_is_gone() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let wide = limit("agent", 0, "1000/s", 1_000);
    assert!(spend(&mut leases, &store, NOW, &wide, key("bot"), 1).is_ok());
    // By now the bucket is full again, without the units of the lease.
    let later = NOW + 1_000 * MILLI;
    let admitted =
        (0..2_000).filter(|_| spend(&mut leases, &store, later, &wide, key("bot"), 1).is_ok());
    assert_eq!(admitted.count(), 1_000);
}

#[test]
fn a_clock_that_went_back_finds_no_lease_from_what_is_now_the_far_future() {
    let (mut leases, store) = (Leases::default(), Shared::default());
    let wide = limit("agent", 0, "1000/s", 1_000);
    assert!(spend(&mut leases, &store, NOW, &wide, key("bot"), 1).is_ok());
    let earlier = NOW - 3_600_000 * MILLI;
    assert!(
        leases.find(&Charge { limit: &wide, key: key("bot"), cost: 1, zone: 0 }, earlier).is_none()
    );
    // The clock that the store was written by may be right: a full bucket is owed, no more.
    assert!(spend(&mut leases, &store, earlier, &wide, key("bot"), 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Workers that take ahead of need by clocks that are up to 0.4 s apart.
    #[test]
    fn no_sequence_of_workers_admits_more_than_rate_and_burst(
        burst in 512_u32..1_600,
        arrivals in prop::collection::vec(
            (0_usize..4, 0_u64..3, 0_u64..400, 1_u32..40, 0_usize..2), 1..600,
        ),
    ) {
        let store = Shared::default();
        let wide = limit("agent", 0, "700/s", burst);
        let mut workers: [Leases; 4] = Default::default();
        let keys = [key("a"), key("b")];
        let (mut clock, mut admitted) = (NOW, [Vec::new(), Vec::new()]);
        for (worker, pause, behind, cost, who) in arrivals {
            clock += pause * MILLI;
            // Each worker's clock is behind by a distance of its own.
            let now = clock - behind % 4 * 100 * MILLI;
            if spend(&mut workers[worker], &store, now, &wide, keys[who], cost).is_ok() {
                admitted[who].push((now, cost));
            }
        }
        for mut of_one in admitted {
            of_one.sort_unstable();
            assert_within(wide.written().parse().unwrap(), burst, &of_one);
        }
    }
}
