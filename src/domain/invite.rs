//! Invites: who somebody is, signed. A PASETO v4.public token, which any PASETO library can check with the public key.
//!
//! An invite says who, never what or when: role, window, suspension and generation are read from the live Room at every
//! use. Signing is deterministic, so the same person always gets the same link, after a crash or a restore too.

use std::collections::BTreeMap;

use ed25519_compact::{KeyPair, SecretKey, Seed};
use pasetors::Public;
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Keeps tokens that the same keys might sign for another purpose from passing as invites.
const PURPOSE: &[u8] = b"roomkeeper.io/invite/v1";
/// Keeps the decoy from passing as an invite, and its length, which is that of an ordinary one.
const DECOY_PURPOSE: &[u8] = b"roomkeeper.io/decoy/v1";
const DECOY_LENGTH: usize = 160;
/// Longest invite that is looked at, in bytes: names and key id at their longest take less than 1 KiB.
const MAX_LENGTH: usize = 2048;
/// Length of a key's fingerprint, in bytes.
const FINGERPRINT_LENGTH: usize = 16;
/// What entries of the Secret with the signing keys end in.
const KEY_SUFFIX: &str = ".pem";

/// Who an invite is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Invite {
    /// Namespace of the Room.
    #[serde(rename = "ns")]
    pub namespace: String,
    /// Name of the Room.
    pub room: String,
    /// What the Room's invites are bound to: `spec.id` or the UID.
    pub id: String,
    /// Name of the participant.
    #[serde(rename = "sub")]
    pub participant: String,
    /// Generation of the invite.
    #[serde(rename = "gen")]
    pub generation: i64,
    /// Of an invite that was verified, the [fingerprint](KeyRing::holds) of the key that signed it.
    #[serde(skip)]
    pub signed_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Footer {
    kid: String,
}

/// An invite that no key of this installation signed. Says nothing more, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invite is not valid")]
pub struct InvalidInvite;

/// Why signing keys cannot be used. Never quotes a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An entry is not an Ed25519 private key.
    #[error("entry {0} is not an Ed25519 private key in PEM (PKCS#8), as `openssl genpkey -algorithm ed25519` writes it")]
    NotAKey(String),
    /// No entry is a key.
    #[error("there is no entry that ends in .pem and is a key")]
    NoKeys,
    /// The library refused to sign.
    #[error("an invite could not be signed")]
    Signing,
}

/// The signing keys by id, which sort by age: the last one signs, all verify.
pub struct KeyRing {
    older: BTreeMap<String, Key>,
    newest_id: String,
    newest: Key,
    /// Whether a key was taken out of force since this process has started.
    has_lost_keys: bool,
    /// A token that no key takes for an invite, verified in place of what is no token at all.
    decoy: UntrustedToken<Public, V4>,
}

#[derive(Clone)]
struct Key {
    secret: AsymmetricSecretKey<V4>,
    public: AsymmetricPublicKey<V4>,
    /// Digest of the public half.
    fingerprint: String,
}

impl KeyRing {
    /// The keys in `entries`: each entry `<id>.pem` holds an Ed25519 private key. Ids sort by age, the last one signs. An entry that holds
    /// none is told besides, and does not keep the others from being used; where the keys of `before` have one of its id, that one stays.
    pub fn read<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        before: Option<&Self>,
    ) -> (Result<Self, KeyError>, Vec<KeyError>) {
        let (mut keys, mut unusable) = (BTreeMap::new(), Vec::new());
        for (name, pem) in entries {
            let Some(id) = name.strip_suffix(KEY_SUFFIX) else { continue };
            let key = Key::from_pem(pem);
            if key.is_none() {
                unusable.push(KeyError::NotAKey(name.to_owned()));
            }
            if let Some(key) = key.or_else(|| before?.key(id).cloned()) {
                keys.insert(id.to_owned(), key);
            }
        }
        let has_lost_keys = before.is_some_and(|before| {
            let lost = |key: &Key| !keys.values().any(|kept| kept.fingerprint == key.fingerprint);
            before.has_lost_keys || before.all().any(|(_, key)| lost(key))
        });
        (Self::new(keys, has_lost_keys), unusable)
    }

    fn new(mut keys: BTreeMap<String, Key>, has_lost_keys: bool) -> Result<Self, KeyError> {
        let (newest_id, newest) = keys.pop_last().ok_or(KeyError::NoKeys)?;
        let decoy = PublicToken::sign(&newest.secret, &[0; DECOY_LENGTH], None, Some(DECOY_PURPOSE)).ok();
        let decoy = decoy.and_then(|decoy| UntrustedToken::try_from(decoy.as_str()).ok()).ok_or(KeyError::Signing)?;
        Ok(Self { older: keys, newest_id, newest, has_lost_keys, decoy })
    }

    /// Whether two rings hold the same keys under the same ids.
    #[must_use]
    pub fn same_keys(&self, other: &Self) -> bool {
        let known = |(id, key): (&String, &Key)| (id.clone(), key.fingerprint.clone());
        self.all().map(known).eq(other.all().map(known))
    }

    /// Whether the key with this fingerprint is in force. Who came before fingerprints were recorded has none: that one is taken for a
    /// key in force for as long as none was lost.
    #[must_use]
    pub fn holds(&self, fingerprint: Option<&str>) -> bool {
        fingerprint.map_or(!self.has_lost_keys, |fingerprint| self.all().any(|(_, key)| key.fingerprint == fingerprint))
    }

    /// Id of the key that signs.
    #[must_use]
    pub fn signing_key_id(&self) -> &str {
        &self.newest_id
    }

    /// What tells the key that signs from all others, whatever their ids.
    #[must_use]
    pub fn signing_key_fingerprint(&self) -> &str {
        &self.newest.fingerprint
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Key)> {
        self.older.iter().chain([(&self.newest_id, &self.newest)])
    }

    fn key(&self, id: &str) -> Option<&Key> {
        if id == self.newest_id { Some(&self.newest) } else { self.older.get(id) }
    }

    /// The invite as token. The same invite gives the same token as long as the same key signs.
    pub fn sign(&self, invite: &Invite) -> Result<String, KeyError> {
        let message = serde_json::to_vec(invite).map_err(|_| KeyError::Signing)?;
        let footer = serde_json::to_vec(&Footer { kid: self.newest_id.clone() }).map_err(|_| KeyError::Signing)?;
        PublicToken::sign(&self.newest.secret, &message, Some(&footer), Some(PURPOSE)).map_err(|_| KeyError::Signing)
    }

    /// Who the token is for, if one of the keys signed it.
    ///
    /// Whatever is wrong with a token, telling so costs the time of one signature, so that time tells nothing.
    pub fn verify(&self, token: &str) -> Result<Invite, InvalidInvite> {
        let read = read(token);
        let key = read.as_ref().and_then(|(_, id)| self.key(id));
        let judged = read.as_ref().map_or(&self.decoy, |(token, _)| token);
        let verified = PublicToken::verify(&key.unwrap_or(&self.newest).public, judged, None, Some(PURPOSE));
        let verified = verified.map_err(|_| InvalidInvite)?;
        let signed_by = Some(key.ok_or(InvalidInvite)?.fingerprint.clone());
        let invite: Invite = serde_json::from_str(verified.payload()).map_err(|_| InvalidInvite)?;
        Ok(Invite { signed_by, ..invite })
    }
}

/// A token taken apart, with the id of the key that is said to have signed it.
fn read(token: &str) -> Option<(UntrustedToken<Public, V4>, String)> {
    let token = UntrustedToken::<Public, V4>::try_from(token).ok().filter(|_| token.len() <= MAX_LENGTH)?;
    let footer: Footer = serde_json::from_slice(token.untrusted_footer()).ok()?;
    Some((token, footer.kid))
}

impl Key {
    fn from_pem(pem: &[u8]) -> Option<Self> {
        let pair = KeyPair::from_seed(SecretKey::from_pem(std::str::from_utf8(pem).ok()?).ok()?.seed());
        let digest = Sha256::digest(pair.pk.as_ref());
        Some(Self {
            secret: AsymmetricSecretKey::from(pair.sk.as_ref()).ok()?,
            public: AsymmetricPublicKey::from(pair.pk.as_ref()).ok()?,
            fingerprint: digest.iter().take(FINGERPRINT_LENGTH).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
        })
    }
}

/// A new signing key as entry of the Secret: name and PEM. `id` should sort after all ids in use.
#[must_use]
pub fn generate_key(id: &str) -> (String, String) {
    (format!("{id}{KEY_SUFFIX}"), KeyPair::from_seed(Seed::generate()).sk.to_pem())
}

#[cfg(test)]
mod tests;
