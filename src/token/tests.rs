//! The room as a whole: tokens forged here, verified there.

mod claims;
pub(super) mod forge;
mod header;
mod keys;
mod mutation;
mod profile;
mod time;
mod wycheproof;

use super::{Algorithm, Issuer, Issuers, Keys, Rejected, verify};
use crate::denial::Denial;
use crate::host::Timestamp;

#[test]
fn rfc7518_3_1_a_good_token_of_every_algorithm_is_verified() {
    for algorithm in Algorithm::ALL {
        let issuer = match algorithm {
            Algorithm::Hs256 => forge::symmetric_issuer(),
            _ => forge::issuer(),
        };
        let verified = forge::check(issuer, &forge::token(algorithm)).unwrap();
        assert_eq!(verified["sub"], "alice", "{algorithm}");
        assert_eq!(verified["client"], "support-bot", "{algorithm}");
    }
}

#[test]
fn rfc8725_3_8_a_key_of_one_issuer_verifies_no_token_of_another() {
    let ours = Issuer {
        keys: Keys::Inline(forge::keys(serde_json::json!([forge::public(Algorithm::EdDsa)]))),
        ..forge::issuer()
    };
    let other = Issuer { identifier: "https://other.example/".to_owned(), ..forge::issuer() };
    let issuers = Issuers::new(vec![ours, other]).unwrap();
    let now = Timestamp::from_secs(forge::NOW.cast_unsigned());

    // The other issuer's key, under the other's `kid`, over claims that name us.
    let rejected = verify(&forge::token(Algorithm::Es256), &issuers, now).unwrap_err();
    assert_eq!(rejected, Rejected::KeyUnknown);
    let (id, _) = issuers.find(forge::ISSUER).unwrap();
    assert_eq!(verify(&forge::token(Algorithm::EdDsa), &issuers, now).unwrap().issuer_id, id);
}

#[test]
fn rfc6750_3_1_a_caller_learns_the_kind_of_failure_and_no_more() {
    assert_eq!(Rejected::Expired.denial(), Denial::ExpiredToken);
    assert_eq!(Rejected::AudienceMismatch.denial(), Denial::WrongAudience);
    assert_eq!(Rejected::KeyUnknown.denial(), Denial::UnknownKey);
    assert_eq!(Rejected::SignatureInvalid.denial(), Denial::InvalidToken);
    assert_eq!(Rejected::CriticalHeader.denial(), Denial::InvalidToken);
}

#[test]
fn debug_shows_which_claims_there_are_and_not_what_they_say() {
    let issuers = Issuers::new(vec![forge::symmetric_issuer()]).unwrap();
    let now = Timestamp::from_secs(forge::NOW.cast_unsigned());
    let verified = verify(&forge::token(Algorithm::Hs256), &issuers, now).unwrap();
    let shown = format!("{:?}", verified.claims);
    assert!(shown.contains("scope") && !shown.contains("crm.read"), "{shown}");
}
