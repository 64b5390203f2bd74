//! What a limit promises, under contention, clock jumps and a damaged store.

mod memory;
mod stage;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::gcra::NANOS_PER_SEC;
use super::{
    BucketKey, Charge, Class, Leases, Ledger, Limit, Period, Quota, Rate, Receipt, Refused, SLOTS,
    Usages,
};
use crate::host::{Expected, Host, Timestamp};
use memory::Memory;
pub(super) use memory::Shared;
use stage::Stage;

pub(super) const NOW: u64 = 1_800_000_000 * NANOS_PER_SEC;
const MILLI: u64 = 1_000_000;

/// Asserts that what was admitted, in order of time, keeps to rate × time + burst over every
/// interval there is.
pub(super) fn assert_within(rate: Rate, burst: u32, admitted: &[(u64, u32)]) {
    let quota = u128::from(rate.quota().get());
    let period = u128::from(rate.period_secs().get()) * u128::from(NANOS_PER_SEC);
    for (skip, (start, _)) in admitted.iter().enumerate() {
        let mut units = 0;
        for (end, cost) in &admitted[skip..] {
            units += u128::from(*cost);
            let allowed = u128::from(end - start) * quota + u128::from(burst) * period;
            assert!(
                units * period <= allowed,
                "{units} units within {} ns at {rate} with a burst of {burst}",
                end - start
            );
        }
    }
}

pub(super) fn limit(name: &str, index: u8, rate: &str, burst: u32) -> Limit {
    let burst = NonZeroU32::new(burst).unwrap();
    Limit::new(name, Class::Agents, index, rate.parse().unwrap(), burst).unwrap()
}

fn quota(name: &str, index: u8, units: &str) -> Limit {
    Limit::quota(name, Class::Agents, index, units.parse().unwrap()).unwrap()
}

pub(super) fn key(name: &str) -> BucketKey {
    BucketKey::new(&["agent", "https://login.crm.example/", name])
}

/// What a worker is given that holds no leases yet.
fn take(host: &impl Host, now: Timestamp, charges: &[Charge<'_>]) -> Result<Usages, Refused> {
    super::take(&mut Leases::default(), host, now, charges.iter().copied())
}

fn one(host: &impl Host, now: u64, limit: &Limit, key: BucketKey) -> Result<u32, Refused> {
    let usages =
        take(host, Timestamp::from_nanos(now), &[Charge { limit, key, cost: 1, zone: 0 }])?;
    Ok(usages.iter().next().unwrap().remaining)
}

/// How many requests in a row are admitted.
fn drain(host: &impl Host, now: u64, limit: &Limit, key: BucketKey) -> usize {
    (0..10_000).take_while(|_| one(host, now, limit, key).is_ok()).count()
}

#[test]
fn a_burst_is_admitted_and_the_rest_told_when_to_come_back() {
    let store = Shared::default();
    let limit = limit("agent", 0, "60/min", 3);
    let bot = key("bot");
    assert_eq!([(); 3].map(|()| one(&store, NOW, &limit, bot).unwrap()), [2, 1, 0]);
    let Err(Refused::Exceeded { usage, retry_after }) = one(&store, NOW, &limit, bot) else {
        panic!("admitted beyond the burst");
    };
    assert!(usage.is_of(&limit));
    assert_eq!((usage.remaining, usage.until_more, retry_after), (0, NANOS_PER_SEC, 1));
    assert_eq!(one(&store, NOW + NANOS_PER_SEC, &limit, bot), Ok(0));
}

#[test]
fn principals_limits_and_classes_never_share_a_bucket() {
    let store = Shared::default();
    let agents = limit("agent", 0, "1/h", 1);
    let second = limit("agent", 1, "1/h", 1);
    let humans = Limit { class: Class::Humans, ..agents.clone() };
    for limit in [&agents, &second, &humans] {
        assert_eq!(drain(&store, NOW, limit, key("a")), 1);
        assert_eq!(drain(&store, NOW, limit, key("b")), 1);
    }
}

#[test]
fn one_limit_costs_one_load_and_one_swap_and_a_refusal_one_load() {
    let store = Shared::default();
    let limit = limit("agent", 0, "60/min", 1);
    assert!(one(&store, NOW, &limit, key("bot")).is_ok());
    assert_eq!(store.calls(), (1, 1));
    assert!(one(&store, NOW, &limit, key("bot")).is_err());
    assert_eq!(store.calls(), (2, 1));
}

/// The same limits, counted by the same.
fn together<const N: usize>(mut limits: [Limit; N]) -> [Limit; N] {
    let mut all: Vec<_> = limits.iter_mut().collect();
    Limit::put_together(&mut all, 1);
    limits
}

/// One call of a bot, of each limit.
fn each(limits: &[Limit]) -> Vec<Charge<'_>> {
    limits.iter().map(|limit| Charge { limit, key: key("bot"), cost: 1, zone: 0 }).collect()
}

#[test]
fn limits_that_count_by_the_same_cost_one_load_and_one_swap_for_all() {
    let store = Shared::default();
    let quota = quota("day", 1, "3/day");
    let limits = together([limit("rate", 0, "60/min", 9), quota, limit("loop", 2, "1/h", 2)]);
    let usages = take(&store, Timestamp::from_nanos(NOW), &each(&limits)).unwrap();
    assert_eq!(usages.iter().map(|usage| usage.remaining).collect::<Vec<_>>(), [8, 2, 1]);
    assert_eq!((store.calls(), store.keys()), ((1, 1), 1));
    assert!(take(&store, Timestamp::from_nanos(NOW), &each(&limits)).is_ok());
    let refused = take(&store, Timestamp::from_nanos(NOW), &each(&limits)).unwrap_err();
    let Refused::Exceeded { usage, .. } = refused else { panic!("{refused:?}") };
    assert!(usage.is_of(&limits[2]));
    assert_eq!(store.calls(), (3, 2));
    // Nothing was taken of the others.
    assert_eq!(drain(&store, NOW, &limits[0], key("bot")), 7);
    assert_eq!(drain(&store, NOW, &limits[1], key("bot")), 1);
    assert_eq!(drain(&store, NOW, &limits[0], key("other")), 9);
}

#[test]
fn a_rival_between_look_and_charge_is_seen_for_all_limits_of_a_record() {
    let limits = together([limit("rate", 0, "1/h", 5), limit("narrow", 1, "1/h", 1)]);
    let elsewhere = limit("organization", 1, "1/h", 5);
    let store = Shared::default();
    let rival = || assert!(one(&store, NOW, &limits[1], key("bot")).is_ok());
    // The fourth call is the swap of the second record.
    let host = memory::Interrupted::new(&store, 4, rival);
    let charge = Charge { limit: &elsewhere, key: key("acme"), cost: 1, zone: 0 };
    let charges = [vec![charge], each(&limits)].concat();
    let refused = take(&host, Timestamp::from_nanos(NOW), &charges).unwrap_err();
    assert!(matches!(refused, Refused::Exceeded { usage, .. } if usage.is_of(&limits[1])));
    assert_eq!(drain(&store, NOW, &elsewhere, key("acme")), 5, "given back");
    assert_eq!(drain(&store, NOW, &limits[0], key("bot")), 5, "never taken");
}

#[test]
fn a_limit_that_is_added_or_moved_leaves_the_others_as_they_are() {
    let store = Shared::default();
    let [rate] = together([limit("rate", 0, "1/h", 5)]);
    assert_eq!(drain(&store, NOW, &rate, key("bot")), 5);
    let [new, rate] = together([limit("new", 0, "1/h", 2), limit("rate", 1, "1/h", 5)]);
    assert_eq!(drain(&store, NOW, &rate, key("bot")), 0);
    assert_eq!(drain(&store, NOW, &new, key("bot")), 2);
    // One whose states mean something else is another, whatever it is called: calls under way are kept
    // by spans, and to read them by longer ones would be to forget them.
    let calls = |longest| {
        let most = NonZeroU32::new(2).unwrap();
        Limit::concurrent("calls", Class::Agents, 0, most, longest).unwrap()
    };
    let ([short], [long]) = (together([calls(30)]), together([calls(300)]));
    assert_eq!(drain(&store, NOW, &short, key("bot")), 2);
    assert_eq!(drain(&store, NOW, &long, key("bot")), 2);
    assert_eq!(drain(&store, NOW, &short, key("bot")), 0, "still under way");
    let [window] = together([quota("rate", 0, "4/day")]);
    assert_eq!(drain(&store, NOW, &window, key("bot")), 4);
}

#[test]
fn what_one_limit_refuses_no_limit_is_charged_for() {
    let store = Shared::default();
    let agent = limit("agent", 0, "1/h", 5);
    let organization = limit("organization", 1, "1/h", 2);
    let charges = [
        Charge { limit: &agent, key: key("bot"), cost: 1, zone: 0 },
        Charge { limit: &organization, key: key("acme"), cost: 1, zone: 0 },
    ];
    let admitted = (0..9).filter(|_| take(&store, Timestamp::from_nanos(NOW), &charges).is_ok());
    assert_eq!(admitted.count(), 2);
    assert_eq!(drain(&store, NOW, &agent, key("bot")), 3);
}

#[test]
fn a_limit_emptied_between_look_and_charge_gives_back_what_the_others_were_charged() {
    let agent = limit("agent", 0, "1/h", 5);
    let organization = limit("organization", 1, "1/h", 1);
    let store = Shared::default();
    let rival = || {
        assert!(one(&store, NOW, &organization, key("acme")).is_ok());
    };
    // The third call is the swap of the first charge: both buckets have been looked at.
    let host = memory::Interrupted::new(&store, 3, rival);
    let charges = [
        Charge { limit: &agent, key: key("bot"), cost: 1, zone: 0 },
        Charge { limit: &organization, key: key("acme"), cost: 1, zone: 0 },
    ];
    let refused = take(&host, Timestamp::from_nanos(NOW), &charges).unwrap_err();
    let Refused::Exceeded { usage, retry_after } = refused else { panic!("{refused:?}") };
    assert!(usage.is_of(&organization));
    assert_eq!(retry_after, 3_600);
    assert_eq!(drain(&store, NOW, &agent, key("bot")), 5);
}

#[test]
fn what_was_charged_is_not_given_back_once_part_of_it_has_been_refilled() {
    let agent = limit("agent", 0, "1/s", 2);
    let organization = limit("organization", 1, "1/h", 1);
    let charges = [
        Charge { limit: &agent, key: key("bot"), cost: 1, zone: 0 },
        Charge { limit: &organization, key: key("acme"), cost: 1, zone: 0 },
    ];
    let store = Shared::default();
    let half_past = NOW + 500 * MILLI;
    let rival = || {
        assert!(take(&store, Timestamp::from_nanos(half_past), &charges).is_ok());
    };
    // The fourth call is the swap of the second charge.
    let host = memory::Interrupted::new(&store, 4, rival);
    assert!(take(&host, Timestamp::from_nanos(NOW), &charges).is_err());
    let mut admitted = vec![(half_past, 1)];
    for now in [half_past, NOW + 1_000 * MILLI] {
        admitted.extend((0..drain(&store, now, &agent, key("bot"))).map(|_| (now, 1)));
    }
    assert_within(agent.written().parse().unwrap(), 2, &admitted);
}

#[test]
fn of_several_limits_that_refuse_the_longest_wait_is_told() {
    let store = Shared::default();
    let slow = limit("slow", 0, "1/h", 1);
    let fast = limit("fast", 1, "1/s", 1);
    for charges in [[&slow, &fast], [&fast, &slow]] {
        let charges = charges.map(|limit| Charge { limit, key: key("bot"), cost: 1, zone: 0 });
        let _ = take(&store, Timestamp::from_nanos(NOW), &charges);
        let refused = take(&store, Timestamp::from_nanos(NOW), &charges).unwrap_err();
        assert!(matches!(refused, Refused::Exceeded { retry_after: 3_600, .. }), "{refused:?}");
    }
}

#[test]
fn a_cost_above_the_burst_is_never_admitted_and_takes_nothing() {
    let store = Shared::default();
    let limit = limit("agent", 0, "60/min", 3);
    let charge = [Charge { limit: &limit, key: key("bot"), cost: 4, zone: 0 }];
    let refused = take(&store, Timestamp::from_nanos(NOW), &charge).unwrap_err();
    assert!(matches!(refused, Refused::Exceeded { retry_after: 3, .. }), "{refused:?}");
    assert_eq!(drain(&store, NOW, &limit, key("bot")), 3);
}

#[test]
fn more_charges_than_the_bound_are_not_silently_dropped() {
    let limit = limit("agent", 0, "60/min", 30);
    let charges =
        [Charge { limit: &limit, key: key("bot"), cost: 1, zone: 0 }; super::MAX_LIMITS + 1];
    let refused = take(&Shared::default(), Timestamp::from_nanos(NOW), &charges);
    assert_eq!(refused, Err(Refused::Unavailable));
}

#[test]
fn two_workers_that_both_find_no_bucket_admit_one_burst() {
    let limit = limit("agent", 0, "1/h", 3);
    let store = Shared::default();
    let rival = || assert!(one(&store, NOW, &limit, key("bot")).is_ok());
    let host = memory::Interrupted::new(&store, 2, rival);
    assert_eq!(one(&host, NOW, &limit, key("bot")), Ok(1));
    assert_eq!(drain(&store, NOW, &limit, key("bot")), 1);
}

#[test]
fn a_store_that_fails_or_never_lets_a_swap_through_admits_nothing() {
    let limit = limit("agent", 0, "1/h", 3);
    for broken in [memory::Broken::Load, memory::Broken::Swap, memory::Broken::Contended] {
        assert_eq!(one(&broken, NOW, &limit, key("bot")), Err(Refused::Unavailable));
    }
}

#[test]
fn after_the_clock_went_back_an_hour_nobody_waits_longer_than_one_bucket() {
    let store = Shared::default();
    let limit = limit("agent", 0, "60/min", 20);
    assert_eq!(drain(&store, NOW, &limit, key("bot")), 20);
    let back = NOW - 3_600 * NANOS_PER_SEC;
    let refused = one(&store, back, &limit, key("bot")).unwrap_err();
    assert!(matches!(refused, Refused::Exceeded { retry_after: 1, .. }), "{refused:?}");
    assert_eq!(one(&store, back + NANOS_PER_SEC, &limit, key("bot")), Ok(0));
    assert_eq!(drain(&store, back + 21 * NANOS_PER_SEC, &limit, key("bot")), 20);
}

#[test]
fn a_limit_that_was_tightened_blocks_for_no_longer_than_its_own_bucket() {
    let store = Shared::default();
    assert_eq!(drain(&store, NOW, &limit("agent", 0, "10/d", 10), key("bot")), 10);
    let tight = limit("agent", 0, "60/min", 10);
    assert!(one(&store, NOW, &tight, key("bot")).is_err());
    assert_eq!(drain(&store, NOW + 10 * NANOS_PER_SEC, &tight, key("bot")), 10);
}

#[test]
fn eight_threads_on_a_frozen_clock_admit_exactly_the_burst() {
    for burst in [1, 100, 1_000] {
        let limit = limit("agent", 0, "1/h", burst);
        let (store, admitted) = (Shared::default(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut leases = Leases::default();
                    let now = Timestamp::from_nanos(NOW);
                    let charges = [Charge { limit: &limit, key: key("bot"), cost: 1, zone: 0 }];
                    while admitted.load(Ordering::Relaxed) <= burst {
                        match super::take(&mut leases, &store, now, charges.into_iter()) {
                            Ok(_) => _ = admitted.fetch_add(1, Ordering::Relaxed),
                            Err(Refused::Unavailable) => std::thread::yield_now(),
                            Err(Refused::Exceeded { .. }) => break,
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), burst);
    }
}

#[test]
fn the_table_never_has_more_keys_than_slots() {
    let store = Shared::default();
    let limit = limit("agent", 0, "1/h", 1);
    for n in 0..2_000 {
        assert!(one(&store, NOW, &limit, key(&n.to_string())).is_ok(), "{n}");
    }
    assert!(store.keys() <= SLOTS);
}

proptest! {
    #[test]
    fn no_bytes_in_the_store_make_it_panic_and_no_malformed_ones_are_admitted(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            (1_u8..4, 0_usize..10).prop_flat_map(|(limits, entries)| {
                let limits = usize::from(limits);
                let column = prop::collection::vec(any::<u8>(), 13).prop_map(|mut column| {
                    column[4] = b"rqft"[usize::from(column[4] % 4)];
                    column
                });
                let columns = prop::collection::vec(column, limits);
                let states = prop::collection::vec(any::<u8>(), 8 * (limits + 1) * entries);
                (columns, states).prop_map(move |(columns, states)| {
                    [vec![limits as u8], columns.concat(), states].concat()
                })
            }),
        ],
    ) {
        let limit = limit("agent", 0, "1/h", 3);
        let store = Shared::default();
        let at = key("bot").owner(Class::Agents, 0).store_key();
        let _ = store.swap(&at, &bytes, Expected::Absent).unwrap();
        let limits = bytes.first().copied().map_or(0, usize::from);
        let entries = bytes.len().saturating_sub(1 + 13 * limits);
        let kinds = bytes.iter().skip(5).step_by(13).take(limits);
        let well_formed = (1..=32).contains(&limits)
            && kinds.into_iter().all(|kind| b"rqft".contains(kind))
            && entries.is_multiple_of(8 * (limits + 1))
            && (1..=8).contains(&(entries / (8 * (limits + 1))));
        let admitted = drain(&store, NOW, &limit, key("bot"));
        let most = if well_formed { 3 } else { 0 };
        prop_assert!(admitted <= most);
        prop_assert!(well_formed || store.load(&at).unwrap().unwrap().value == bytes);
    }

    #[test]
    fn backward_jumps_of_the_clock_never_admit_more_in_real_time(
        burst in 1_u32..6,
        steps in prop::collection::vec((0_u64..400, prop_oneof![
            8 => Just(0), 1 => 1_u64..1_500, 1 => 1_500_u64..4_000_000
        ]), 1..200),
    ) {
        let limit = limit("agent", 0, "5/s", burst);
        let store = Shared::default();
        let (mut real, mut back, mut admitted) = (NOW, 0, Vec::new());
        for (pause, jump) in steps {
            real += pause * MILLI;
            back += jump * MILLI;
            if one(&store, real - back, &limit, key("bot")).is_ok() {
                admitted.push((real, 1));
            }
        }
        assert_within(limit.written().parse().unwrap(), burst, &admitted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Three workers, each a list of requests: a moment, an agent and a cost. Their loads and swaps
    /// come in the order that `order` says.
    #[test]
    fn no_interleaving_of_workers_admits_more(
        workers in prop::collection::vec(
            prop::collection::vec((0_u64..900, 0_usize..2, 1_u32..3), 1..8),
            3,
        ),
        order in prop::collection::vec(0_usize..3, 0..120),
        bursts in (1_u32..6, 1_u32..6),
    ) {
        let agent = limit("agent", 0, "5/s", bursts.0);
        let organization = limit("organization", 1, "8/s", bursts.1);
        let keys = [key("a"), key("b")];
        let stage = Arc::new(Stage::new(Memory::default(), workers.len(), order));
        let mut admitted: Vec<(u64, usize, u32)> = std::thread::scope(|scope| {
            let running: Vec<_> = workers.iter().enumerate().map(|(id, requests)| {
                let (agent, organization, stage) = (&agent, &organization, &stage);
                scope.spawn(move || {
                    let worker = stage.worker(id);
                    requests.iter().filter_map(|&(offset, who, cost)| {
                        let now = NOW + offset * MILLI;
                        let charges = [
                            Charge { limit: agent, key: keys[who], cost, zone: 0 },
                            Charge { limit: organization, key: key("acme"), cost, zone: 0 },
                        ];
                        let taken = take(&worker, Timestamp::from_nanos(now), &charges);
                        taken.is_ok().then_some((now, who, cost))
                    }).collect::<Vec<_>>()
                })
            }).collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        admitted.sort_unstable();
        let of_all: Vec<_> = admitted.iter().map(|&(now, _, cost)| (now, cost)).collect();
        assert_within(organization.written().parse().unwrap(), bursts.1, &of_all);
        for agent_no in 0..keys.len() {
            let of_one = admitted.iter().filter(|(_, who, _)| *who == agent_no);
            let of_one: Vec<_> = of_one.map(|&(now, _, cost)| (now, cost)).collect();
            assert_within(agent.written().parse().unwrap(), bursts.0, &of_one);
        }
    }

    /// Three workers, each a list of calls that cost something: some of them fail, and are given back.
    #[test]
    fn no_interleaving_of_workers_and_refunds_overruns_a_quota(
        workers in prop::collection::vec(
            prop::collection::vec((1_u32..5, any::<bool>()), 1..8),
            3,
        ),
        order in prop::collection::vec(0_usize..3, 0..200),
        units in 1_u32..20,
    ) {
        let quota = Quota { units: NonZeroU32::new(units).unwrap(), period: Period::Day };
        let quota = Limit::quota("budget", Class::Agents, 0, quota).unwrap();
        let stage = Arc::new(Stage::new(Memory::default(), workers.len(), order));
        let now = Timestamp::from_nanos(NOW);
        let kept: u32 = std::thread::scope(|scope| {
            let running: Vec<_> = workers.iter().enumerate().map(|(id, calls)| {
                let (quota, stage) = (&quota, &stage);
                scope.spawn(move || {
                    let worker = stage.worker(id);
                    let kept = calls.iter().filter_map(|&(cost, fails)| {
                        let charge = Charge { limit: quota, key: key("bot"), cost, zone: 0 };
                        let usages = take(&worker, now, &[charge]).ok()?;
                        let receipt = Receipt::of(&charge, &usages.iter().next().unwrap(), now).unwrap();
                        if fails {
                            receipt.settle(&worker, &Ledger::default(), now, 0);
                        }
                        Some(if fails { 0 } else { cost })
                    });
                    kept.sum::<u32>()
                })
            }).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        prop_assert!(kept <= units, "{kept} of {units}");
        // What was given back is there again, and nothing besides.
        let store = Arc::into_inner(stage).unwrap().into_store();
        let charge = |cost| [Charge { limit: &quota, key: key("bot"), cost, zone: 0 }];
        if kept < units {
            prop_assert!(take(&store, now, &charge(units - kept)).is_ok());
        }
        prop_assert!(take(&store, now, &charge(1)).is_err());
    }
}
