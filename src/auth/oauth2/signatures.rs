//! Signatures, verified by ring: what TLS uses here too.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// Verifies, and signs nothing.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this process verify with ring.
pub(super) fn install() {
    // Whoever has done it before has done the same.
    let _ = RING.install_default();
}

struct Ring {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // A public key taken for a secret would be one that everybody knows.
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(Ring { algorithm: *algorithm, key: key.clone() }))
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(
        &self,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> std::result::Result<(), signature::Error> {
        let (key, bad) = (self.key.kind(), |_| signature::Error::new());
        match self.algorithm {
            Algorithm::HS256 => secret(hmac::HMAC_SHA256, key, message, signature),
            Algorithm::HS384 => secret(hmac::HMAC_SHA384, key, message, signature),
            Algorithm::HS512 => secret(hmac::HMAC_SHA512, key, message, signature),
            Algorithm::ES256 => public(&ECDSA_P256_SHA256_FIXED, key, message, signature),
            Algorithm::ES384 => public(&ECDSA_P384_SHA384_FIXED, key, message, signature),
            Algorithm::EdDSA => public(&ED25519, key, message, signature),
            Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256, key, message, signature),
            Algorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384, key, message, signature),
            Algorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512, key, message, signature),
            Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256, key, message, signature),
            Algorithm::PS384 => rsa(&RSA_PSS_2048_8192_SHA384, key, message, signature),
            Algorithm::PS512 => rsa(&RSA_PSS_2048_8192_SHA512, key, message, signature),
            // One that a later version of the library knows.
            _ => Err(ring::error::Unspecified),
        }
        .map_err(bad)
    }
}

type Verified = std::result::Result<(), ring::error::Unspecified>;

fn secret(
    algorithm: hmac::Algorithm,
    key: &DecodingKeyKind,
    message: &[u8],
    signature: &[u8],
) -> Verified {
    let DecodingKeyKind::SecretOrDer(secret) = key else { return Err(ring::error::Unspecified) };
    hmac::verify(&hmac::Key::new(algorithm, secret), message, signature)
}

fn public(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &DecodingKeyKind,
    message: &[u8],
    signature: &[u8],
) -> Verified {
    let DecodingKeyKind::SecretOrDer(key) = key else { return Err(ring::error::Unspecified) };
    UnparsedPublicKey::new(algorithm, key).verify(message, signature)
}

fn rsa(
    algorithm: &'static RsaParameters,
    key: &DecodingKeyKind,
    message: &[u8],
    signature: &[u8],
) -> Verified {
    match key {
        DecodingKeyKind::SecretOrDer(_) => public(algorithm, key, message, signature),
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            RsaPublicKeyComponents { n, e }.verify(algorithm, message, signature)
        }
    }
}
