//! The examples of RFC 9449, and what a token can be bound to.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::nonce::Age;
use super::*;
use crate::host::{Expected, HostError, Stored, Swap};
use crate::token::{Algorithm, Algorithms};

/// RFC 9449 §7.1, the example's token.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

/// RFC 9449 §7.1, the example's proof.
const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik\
    VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR\
    nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
    QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj\
    oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z\
    WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF\
    c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E\
    OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

/// RFC 9449 §6.1, the thumbprint of the example's key.
const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

/// When the example's proof was made.
const MADE: u64 = 1_562_262_618;

struct Once(std::cell::RefCell<Option<Stored>>);

impl Host for Once {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(MADE)
    }

    fn load(&self, _: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(self.0.borrow().clone())
    }

    fn swap(&self, _: &[u8], value: &[u8], _: Expected) -> Result<Swap, HostError> {
        self.0.replace(Some(Stored { value: value.to_vec(), version: 1 }));
        Ok(Swap::Done)
    }

    fn random(&self) -> Result<[u8; 16], HostError> {
        Ok([7; 16])
    }
}

fn host() -> Once {
    Once(std::cell::RefCell::default())
}

fn example(host: &Once, proof: &str, now: u64) -> Result<(), Unproven> {
    let checks = Checks {
        dpop: Some(Dpop {
            origin: Origin::parse("https://resource.example.org").unwrap(),
            algorithms: Algorithms::from_iter([Algorithm::Es256]),
            max_age: 60,
            nonce: false,
        }),
        mtls: None,
    };
    let path = NormalPath::parse(b"/protectedresource").unwrap();
    let request = Request {
        scheme: Scheme::Dpop,
        token: TOKEN.as_bytes(),
        method: b"GET",
        path: &path,
        evidence: Evidence { proof: Sole::One(proof.as_bytes()), ..Evidence::default() },
    };
    let binding = Some(Binding::Key(digest(THUMBPRINT).unwrap()));
    let nonces = (&Nonces::default(), &mut None);
    prove(&checks, binding, &request, nonces, host, Timestamp::from_secs(now))
}

#[test]
fn rfc9449_7_1_the_example_s_request_is_proven_once() {
    let host = host();
    assert_eq!(example(&host, PROOF, MADE), Ok(()));
    assert_eq!(example(&host, PROOF, MADE), Err(Unproven::Replayed));
    assert_eq!(example(&host, PROOF, MADE + 60), Err(Unproven::Replayed));
    assert_eq!(example(&host, PROOF, MADE + 61), Err(Unproven::CreatedTooEarly));
}

#[test]
fn rfc9449_4_3_check_6_every_changed_character_of_the_example_s_proof_is_noticed() {
    for place in 0..PROOF.len() {
        let mut changed = PROOF.as_bytes().to_vec();
        let byte = changed.get_mut(place).unwrap();
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(example(&host(), &changed, MADE).is_err(), "{place}");
    }
}

fn bound_to(confirmation: &Value) -> Result<Option<Binding>, Unproven> {
    let claims = json!({ "cnf": confirmation }).to_string();
    Binding::of(&Claims::parse(claims.as_bytes()).unwrap())
}

#[test]
fn rfc7800_3_1_a_confirmation_is_one_member_that_we_can_check_or_the_token_is_refused() {
    let digest = digest(THUMBPRINT).unwrap();
    assert_eq!(Binding::of(&Claims::default()), Ok(None));
    assert_eq!(bound_to(&json!({ "jkt": THUMBPRINT })), Ok(Some(Binding::Key(digest))));
    let certificate = bound_to(&json!({ "x5t#S256": THUMBPRINT }));
    assert_eq!(certificate, Ok(Some(Binding::Certificate(digest))));
    for unknown in [
        json!(null),
        json!("none"),
        json!([]),
        json!({}),
        json!({ "jkt": null }),
        json!({ "jkt": [THUMBPRINT] }),
        json!({ "jkt": "" }),
        json!({ "jkt": THUMBPRINT.split_at(42).0 }),
        json!({ "jkt": format!("{THUMBPRINT}=") }),
        json!({ "jkt": format!("{THUMBPRINT}AA") }),
        json!({ "jkt": THUMBPRINT.replace("4I", "4J") }),
        json!({ "JKT": THUMBPRINT }),
        json!({ "x5t": THUMBPRINT }),
        json!({ "kid": "a" }),
        json!({ "jwk": {} }),
        json!({ "jkt": THUMBPRINT, "x5t#S256": THUMBPRINT }),
        json!({ "jkt": THUMBPRINT, "kid": "a" }),
    ] {
        assert_eq!(bound_to(&unknown), Err(Unproven::ConfirmationUnknown), "{unknown}");
    }
}

#[test]
fn requirements_add_up_and_contradictory_ones_permit_nothing() {
    let (key, certificate) = (Binding::Key([0; 32]), Binding::Certificate([0; 32]));
    let permitted = |of: Bindings| [None, Some(key), Some(certificate)].map(|one| of.permits(one));
    assert_eq!(permitted(Bindings::ALL), [true, true, true]);
    assert_eq!(permitted(Bindings::BOUND), [false, true, true]);
    assert_eq!(permitted(Bindings::BOUND.and(Bindings::DPOP)), [false, true, false]);
    assert_eq!(permitted(Bindings::ALL.and(Bindings::MTLS)), [false, false, true]);
    assert_eq!(permitted(Bindings::DPOP.and(Bindings::MTLS)), [false, false, false]);
}

#[test]
fn rfc9449_8_a_nonce_is_good_for_its_span_and_the_next_one_on_every_worker() {
    let host = host();
    let at = |secs| Nonces::default().fresh(&host, Timestamp::from_secs(secs)).unwrap();
    let start = MADE.div_ceil(SLOT_SECS) * SLOT_SECS;
    let nonce = at(start).text();
    assert_eq!(nonce.len(), 32);
    for (offset, age) in [
        (0, Some(Age::Current)),
        (SLOT_SECS - 1, Some(Age::Current)),
        (SLOT_SECS, Some(Age::Previous)),
        (2 * SLOT_SECS - 1, Some(Age::Previous)),
        (2 * SLOT_SECS, None),
    ] {
        assert_eq!(at(start + offset).age(&nonce), age, "{offset}");
    }
    assert_eq!(at(start - 1).age(&nonce), None);
    for other in ["", "0", &nonce.to_uppercase(), &format!("{nonce}0"), &"0".repeat(32)] {
        assert_eq!(at(start).age(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_as_a_proof_is_refused_and_nothing_breaks(proof in any::<String>()) {
        prop_assert!(example(&host(), &proof, MADE).is_err());
    }
}
