use serde_json::json;

use super::*;

/// The draft's lists of 2²⁰ tokens (appendix C): bits, the list, and what is not valid in it.
const VECTORS: [(u8, &str, [u8; 11]); 2] = [
    (
        1,
        concat!(
            "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAA",
            "vhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAA",
            "AACAZC8L2AEb",
        ),
        [1; 11],
    ),
    (
        2,
        concat!(
            "eNrt2zENACEQAEEuoaBABP5VIO01fCjIHTMStt9ovGVIAAAAAABAbiEBAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAEB5WwIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAID0ugQAAAAAAAAAAAAAAAAAQG12SgAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAOCSIQEAAAAAAAAAAAAAAAAAAAAAAAD8ExIAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAwJEuAQAAAAAAAAAAAAAAAAAAAAAAAMB9SwIAAAAAAAAAAAAAAAAAAACoYUoA",
            "AAAAAAAAAAAAAEBqH81gAQw",
        ),
        [1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3],
    ),
];

/// The places in them that are not valid.
const PLACES: [u64; 11] =
    [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345];

fn list(bits: u64, lst: &str) -> Option<StatusList> {
    StatusList::of(&json!({ "bits": bits, "lst": lst, "exp": i64::MAX }))
}

#[test]
fn status_list_4_1_the_lists_of_the_appendix_say_what_it_says_of_every_token() {
    for (bits, lst, statuses) in VECTORS {
        let list = list(bits.into(), lst).unwrap();
        assert_eq!(list.len(), 1 << 20);
        for index in 0..1 << 20 {
            let at = PLACES.iter().position(|place| *place == index);
            let expected = at.map_or(0, |at| statuses[at]);
            assert_eq!(list.get(index), Some(expected), "{bits} {index}");
        }
        for index in [1 << 20, u64::from(u32::MAX), 1 << 33, u64::MAX] {
            assert_eq!(list.get(index), None, "{bits} {index}");
        }
    }
}

#[test]
fn status_list_4_the_examples_are_read_from_the_lowest_bit_on() {
    let statuses = |list: StatusList| {
        (0..)
            .map_while(|index| list.get(index))
            .map(|status| status.to_string())
            .collect::<String>()
    };
    assert_eq!(statuses(list(1, "eNrbuRgAAhcBXQ").unwrap()), "1001110111000101");
    assert_eq!(statuses(list(2, "eNo76fITAAPfAgc").unwrap()), "120301011233");
    // The same bytes, b9 a3, read by fours and as they are.
    assert_eq!(statuses(list(4, "eNrbuRgAAhcBXQ").unwrap()), "911310");
    assert_eq!(statuses(list(8, "eNrbuRgAAhcBXQ").unwrap()), "185163");
}

#[test]
fn what_is_no_list_is_none() {
    let good = "eNrbuRgAAhcBXQ";
    assert!(list(1, good).is_some());
    for (bits, lst) in [
        (0, good),
        (3, good),
        (16, good),
        (257, good),
        (1, ""),
        (1, "eNrbuRgAAhcBXQ="),
        (1, "eNrbuRgAAhcB"),
        (1, "eNrbuRgAAhcBXg"),
        (1, "bm90IHpsaWI"),
    ] {
        assert!(list(bits, lst).is_none(), "{bits} {lst}");
    }
    for value in [json!({}), json!([]), json!({ "bits": "1", "lst": good, "exp": 1 })] {
        assert!(StatusList::of(&value).is_none(), "{value}");
    }
}

#[test]
fn a_list_that_would_fill_the_memory_is_none() {
    let packed = |bytes: usize| {
        let bytes = vec![0; bytes];
        Base64UrlUnpadded::encode_string(&miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 9))
    };
    assert!(list(1, &packed(MAX_STATUS_BYTES)).is_some());
    assert!(list(1, &packed(MAX_STATUS_BYTES + 1)).is_none());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_trap(bytes: Vec<u8>, index: u64) {
        for head in [&b""[..], b"\x78\xda"] {
            let lst = Base64UrlUnpadded::encode_string(&[head, &bytes].concat());
            for bits in [1, 2, 4, 8] {
                let _ = list(bits, &lst).and_then(|list| list.get(index));
            }
        }
    }
}
