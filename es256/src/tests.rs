use p256::elliptic_curve::Generate;

use super::*;

struct Signer {
    secret: Scalar,
    key: VerifyingKey,
}

fn bytes(scalar: &Scalar) -> [u8; 32] {
    scalar.to_repr().into()
}

impl Signer {
    fn new() -> Self {
        let secret = Scalar::generate();
        let point = (ProjectivePoint::GENERATOR * secret).to_affine();
        let key = VerifyingKey::new(&point.x().into(), &point.y().into()).unwrap();
        Self { secret, key }
    }

    /// FIPS 186-5 §6.4.1.
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let nonce = Scalar::generate();
        let point = (ProjectivePoint::GENERATOR * nonce).to_affine();
        let r = <Scalar as Reduce<FieldBytes>>::reduce(&point.x());
        let digest: [u8; 32] = Sha256::digest(message).into();
        let z = <Scalar as Reduce<FieldBytes>>::reduce(&digest.into());
        let s = nonce.invert().unwrap() * (z + r * self.secret);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&bytes(&r));
        signature[32..].copy_from_slice(&bytes(&s));
        signature
    }
}

#[test]
fn tables_say_what_the_curve_says() {
    let point = (ProjectivePoint::GENERATOR * Scalar::generate()).to_affine();
    let mut multiples = Multiples::of(point.into());
    for _ in 0..WINDOWS {
        assert_eq!(multiples.times(&Scalar::ONE), None);
        multiples.grow();
    }
    let edges = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(63u64), Scalar::from(64u64)];
    for scalar in edges.into_iter().chain((0..100).map(|_| Scalar::generate())) {
        let expected = ProjectivePoint::from(point) * scalar;
        assert_eq!(multiples.times(&scalar), Some(expected), "{scalar:?}");
    }
}

#[test]
fn a_key_verifies_its_signatures_with_a_table_and_without_one() {
    // More than have tables.
    let signers: Vec<_> = (0..MAX_TABLES + 4).map(|_| Signer::new()).collect();
    for _ in 0..WINDOWS {
        for (signer, other) in signers.iter().zip(signers.iter().skip(1)) {
            let signature = signer.sign(b"message");
            assert!(signer.key.verify(b"message", &signature));
            assert!(!signer.key.verify(b"massage", &signature));
            assert!(!other.key.verify(b"message", &signature));
        }
    }
    let tables =
        || signers.iter().filter(|one| matches!(one.key.table.get(), Some(Some(_)))).count();
    assert_eq!(tables(), MAX_TABLES);
    drop(signers);
    let signer = Signer::new();
    for _ in 0..2 {
        assert!(signer.key.verify(b"message", &signer.sign(b"message")));
    }
    assert!(matches!(signer.key.table.get(), Some(Some(_))), "there is room again");
}

#[test]
fn a_signature_of_which_the_sum_is_nothing_is_refused() {
    // z / s + r / s times the secret is zero: r = -z / secret, whatever s.
    let signer = Signer::new();
    let digest: [u8; 32] = Sha256::digest(b"message").into();
    let z = <Scalar as Reduce<FieldBytes>>::reduce(&digest.into());
    let r = -(z * signer.secret.invert().unwrap());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&bytes(&r));
    signature[63] = 1;
    assert!(!signer.key.verify(b"message", &signature));
}

#[test]
fn a_point_off_the_curve_is_no_key() {
    assert!(VerifyingKey::new(&[1; 32], &[1; 32]).is_none());
    assert!(VerifyingKey::new(&[0; 32], &[0; 32]).is_none());
    assert!(VerifyingKey::new(&[0xff; 32], &[0xff; 32]).is_none());
}
