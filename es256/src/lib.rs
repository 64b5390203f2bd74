//! Verification of ES256 (RFC 7518 §3.4), ECDSA over P-256 with SHA-256 (FIPS 186-5 §6.4.2), where a
//! proxy checks no signatures: four times as fast as without the tables that are kept of each key.
//!
//! The curve's arithmetic is the crate `p256`'s; ours are the tables. A public key and what it
//! verifies are no secrets, so nothing here takes constant time.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use p256::elliptic_curve::ff::PrimeField;
use p256::elliptic_curve::ops::{MulVartime, Reduce};
use p256::elliptic_curve::point::{AffineCoordinates, BatchNormalize};
use p256::elliptic_curve::subtle::CtOption;
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};

/// Bits of a scalar that one addition sees to.
const WIDTH: usize = 6;

/// How often they go into a scalar.
const WINDOWS: usize = 256_usize.div_ceil(WIDTH);

/// Multiples of a point for each of them, without the zeroth.
const MULTIPLES: usize = (1 << WIDTH) - 1;

/// Keys that have tables at a time, of 200 KB each; further ones take twice as long.
pub const MAX_TABLES: usize = 16;

static TABLES: AtomicUsize = AtomicUsize::new(0);

static GENERATOR: Mutex<Multiples> = Mutex::new(Multiples::of(ProjectivePoint::GENERATOR));

/// A point on the curve and, once it has verified something, its multiples.
pub struct VerifyingKey {
    point: AffinePoint,
    has_verified: AtomicBool,
    table: OnceLock<Option<Table>>,
}

impl VerifyingKey {
    /// The point with these coordinates, big-endian, if it is on the curve.
    pub fn new(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let point = AffinePoint::from_coordinates(&(*x).into(), &(*y).into());
        Some(Self::of(Option::from(point)?))
    }

    const fn of(point: AffinePoint) -> Self {
        Self { point, has_verified: AtomicBool::new(false), table: OnceLock::new() }
    }

    /// Whether `signature`, two numbers, is the key's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.check(message, signature).unwrap_or(false)
    }

    fn check(&self, message: &[u8], signature: &[u8; 64]) -> Option<bool> {
        let (r, s) = signature.split_at(32);
        let (r, s) = (number(r)?, number(s)?);
        let digest: [u8; 32] = Sha256::digest(message).into();
        let z = <Scalar as Reduce<FieldBytes>>::reduce(&digest.into());
        let inverse: Scalar = Option::from(s.invert_vartime())?;
        let sum = times(&GENERATOR, &ProjectivePoint::GENERATOR, &(z * inverse))
            + self.times(&(r * inverse));
        if sum == ProjectivePoint::IDENTITY {
            return None;
        }
        let x = <Scalar as Reduce<FieldBytes>>::reduce(&sum.to_affine().x());
        Some(x == r)
    }

    fn times(&self, scalar: &Scalar) -> ProjectivePoint {
        let point = self.point.into();
        // A key that comes with its signature is used once, and would not be worth a table.
        let is_first = !self.has_verified.swap(true, Ordering::Relaxed);
        let table = || self.table.get_or_init(|| Table::of(point)).as_ref();
        match if is_first { None } else { table() } {
            Some(Table(multiples)) => times(multiples, &point, scalar),
            None => point.mul_vartime(scalar),
        }
    }
}

impl Clone for VerifyingKey {
    /// Without the table.
    fn clone(&self) -> Self {
        Self::of(self.point)
    }
}

/// One of [`MAX_TABLES`].
struct Table(Mutex<Multiples>);

impl Table {
    fn of(point: ProjectivePoint) -> Option<Self> {
        let taken = TABLES.fetch_add(1, Ordering::Relaxed);
        if taken >= MAX_TABLES {
            TABLES.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(Mutex::new(Multiples::of(point))))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        TABLES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `point` times `scalar`: by its multiples, once they are all there.
fn times(
    multiples: &Mutex<Multiples>,
    point: &ProjectivePoint,
    scalar: &Scalar,
) -> ProjectivePoint {
    let known = multiples.try_lock().ok().and_then(|mut multiples| {
        multiples.grow();
        multiples.times(scalar)
    });
    known.unwrap_or_else(|| point.mul_vartime(scalar))
}

/// For each window, a point times all that can stand there.
///
/// They are worked out little by little, for all at once would hold up one request for long, and
/// some proxies would end it.
struct Multiples {
    rows: Vec<[AffinePoint; MULTIPLES]>,
    /// The point times what one stands for in the next window.
    next: ProjectivePoint,
}

impl Multiples {
    const fn of(point: ProjectivePoint) -> Self {
        Self { rows: Vec::new(), next: point }
    }

    /// Works out those of one more window.
    fn grow(&mut self) {
        if self.rows.len() < WINDOWS {
            let base = std::mem::replace(&mut self.next, ProjectivePoint::IDENTITY);
            let row: [_; MULTIPLES] = std::array::from_fn(|_| {
                self.next += base;
                self.next
            });
            self.next += base;
            self.rows.push(ProjectivePoint::batch_normalize_vartime(&row));
        }
    }

    /// The point times `scalar`, if all that it takes is there.
    fn times(&self, scalar: &Scalar) -> Option<ProjectivePoint> {
        if self.rows.len() < WINDOWS {
            return None;
        }
        // Little-endian, and two zeros that the last window may look at.
        let mut bytes = [0; 34];
        for (to, from) in bytes.iter_mut().zip(scalar.to_repr().iter().rev()) {
            *to = *from;
        }
        let mut sum = ProjectivePoint::IDENTITY;
        for (at, row) in (0..).step_by(WIDTH).zip(&self.rows) {
            let Some([low, high]) = bytes.get(at / 8..).and_then(<[u8]>::first_chunk) else {
                break;
            };
            let digit = usize::from(u16::from_le_bytes([*low, *high]) >> (at % 8)) & MULTIPLES;
            if let Some(multiple) = digit.checked_sub(1).and_then(|place| row.get(place)) {
                sum += multiple;
            }
        }
        Some(sum)
    }
}

/// A number from 1 to below the order.
fn number(bytes: &[u8]) -> Option<Scalar> {
    let bytes: [u8; 32] = bytes.try_into().ok()?;
    let scalar: CtOption<Scalar> = Scalar::from_repr(bytes.into());
    Option::from(scalar).filter(|scalar| *scalar != Scalar::ZERO)
}
