//! What a client's certificate says about it.

use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A client's certificate, in the texts that RabbitMQ has for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject, such as `CN=client,O=Warren`.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// From when to when it is valid.
    pub validity: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// The first alternative name: a host, an address of mail, or a URI.
    pub alternative_name: Option<String>,
}

impl PeerCertificate {
    /// Reads a certificate. `None`: it is none, which TLS would have refused.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let common_name = subject.iter_common_name().next().and_then(value);
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.into_iter().flat_map(|names| &names.value.general_names);
        let alternative_name = names.filter_map(alternative).next();
        let validity = certificate.validity();
        Some(Self {
            subject: distinguished_name(subject),
            issuer: distinguished_name(certificate.issuer()),
            validity: format!("{} - {}", day(validity.not_before), day(validity.not_after)),
            common_name,
            alternative_name,
        })
    }
}

/// When a certificate expires: in seconds since 1970, and in words.
pub(super) fn expiry(der: &[u8]) -> Option<(i64, String)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let end = certificate.validity().not_after;
    Some((end.timestamp(), day(end)))
}

/// As `2026-11-22T12:00:00Z`.
fn day(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let month = u8::from(time.month());
    let (hour, minute, second) = time.to_hms();
    format!("{}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", time.year(), time.day())
}

fn alternative(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::IPAddress(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

/// The last part first, as RFC 4514 and RabbitMQ have it.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts = name.iter_rdn().map(|parts| {
        let parts = parts.iter().map(|part| {
            let value = value(part).unwrap_or_default();
            format!("{}={}", attribute(part.attr_type()), escaped(&value))
        });
        parts.collect::<Vec<_>>().join("+")
    });
    let mut parts: Vec<String> = parts.collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(oid: &Oid<'_>) -> String {
    oid2abbrev(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned)
}

fn value(part: &AttributeTypeAndValue<'_>) -> Option<String> {
    part.as_str().ok().map(str::to_owned)
}

fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for (at, each) in value.char_indices() {
        let outside = at == 0 || at + each.len_utf8() == value.len();
        if ",+\"\\<>;".contains(each) || (outside && each == ' ') || (at == 0 && each == '#') {
            escaped.push('\\');
        }
        escaped.push(each);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_name_is_escaped() {
        assert_eq!(escaped(" a, b+c "), "\\ a\\, b\\+c\\ ");
        assert_eq!(escaped("#1#"), "\\#1#");
        assert_eq!(escaped(""), "");
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        assert_eq!(PeerCertificate::read(b""), None);
        assert_eq!(PeerCertificate::read(&[0x30; 64]), None);
    }
}
