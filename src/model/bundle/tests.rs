use super::*;

macro_rules! bundle {
    ($name:literal) => {
        include_str!(concat!(
            "../../../tests/fixtures/certificates/",
            $name,
            ".pem"
        ))
    };
}

fn block(label: &str, content: &str) -> String {
    format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
}

/// The text of the blocks with this word in their label.
fn blocks(text: &str, word: &str) -> String {
    let parts = text.split_inclusive("-----\n").collect::<Vec<_>>();
    let of_label = parts.chunks(2).filter(|pair| pair[0].contains(word));
    of_label.flatten().copied().collect()
}

fn kind(text: &str) -> (KeyKind, bool) {
    let bundle = check(text).unwrap_or_else(|error| panic!("{error}"));
    (bundle.key, bundle.is_matched)
}

#[test]
fn bundles_of_every_kind_and_form_are_taken_and_their_keys_seen_to_belong() {
    for text in [
        bundle!("rsa"),
        bundle!("rsa-pkcs1"),
        bundle!("key-last"),
        bundle!("text-before"),
        bundle!("crlf"),
        bundle!("leaf-only"),
    ] {
        assert_eq!(kind(text), (KeyKind::Rsa(2048), true));
    }
    assert_eq!(kind(bundle!("p256")), (KeyKind::P256, true));
    assert_eq!(kind(bundle!("p256-sec1")), (KeyKind::P256, true));
    assert_eq!(kind(bundle!("p256-compressed")), (KeyKind::P256, true));
    assert_eq!(kind(bundle!("p384")), (KeyKind::P384, true));
    assert_eq!(kind(bundle!("p521")), (KeyKind::P521, true));
    assert_eq!(kind(bundle!("ed25519")), (KeyKind::Ed25519, true));
    let bundle = check(bundle!("ed25519")).unwrap();
    assert_eq!(bundle.names, ["ed25519.example", "*.ed25519.example"]);
}

#[test]
fn of_a_key_without_its_public_half_nothing_is_claimed() {
    assert_eq!(kind(bundle!("p256-without-point")), (KeyKind::P256, false));
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_refused() {
    let wrong = |key, certificate| Err(BadBundle::WrongKey { key, certificate });
    assert_eq!(
        check(bundle!("wrong-key-rsa")),
        wrong(KeyKind::Rsa(2048), KeyKind::Rsa(2048))
    );
    assert_eq!(
        check(bundle!("wrong-key-p256")),
        wrong(KeyKind::P256, KeyKind::P256)
    );
    assert_eq!(
        check(bundle!("wrong-key-ed25519")),
        wrong(KeyKind::Ed25519, KeyKind::Ed25519)
    );
    assert_eq!(
        check(bundle!("wrong-kind")),
        wrong(KeyKind::P256, KeyKind::Rsa(2048))
    );
}

#[test]
fn a_chain_in_the_wrong_order_is_refused() {
    assert_eq!(check(bundle!("wrong-order")), Err(BadBundle::WrongOrder(1)));
    assert_eq!(check(bundle!("leaf-last")), Err(BadBundle::LeafNotFirst(3)));
    let chain = blocks(bundle!("rsa"), "CERTIFICATE");
    let root = chain.rfind("-----BEGIN").unwrap();
    let doubled = format!("{}{chain}{}", blocks(bundle!("rsa"), "KEY"), &chain[root..]);
    assert_eq!(check(&doubled).map(|_| ()), Ok(()), "a root issues itself");
}

#[test]
fn a_leaf_is_refused_outside_its_time_unless_the_clock_must_be_wrong() {
    const NOW: u64 = 1_800_000_000_000; // 2027-01-15
    let (expired, future, valid) = (
        check(bundle!("expired")).unwrap(),
        check(bundle!("future")).unwrap(),
        check(bundle!("p256")).unwrap(),
    );
    let now = CertificateTime::at(1_800_000_000_000);
    assert_eq!(valid.check_time(NOW), Ok(()));
    assert_eq!(
        expired.check_time(NOW),
        Err(BadBundle::Expired {
            until: expired.until,
            now
        })
    );
    assert_eq!(
        future.check_time(NOW),
        Err(BadBundle::NotYetValid {
            since: future.since,
            now
        })
    );
    for now in [0, 86_400_000, 1_600_000_000_000] {
        for bundle in [&expired, &future, &valid] {
            assert_eq!(bundle.check_time(now), Ok(()), "a clock that shows {now}");
        }
    }
    assert_eq!(expired.until.to_string(), "2021-01-01");
    let just_issued = u64::try_from(future.since.ms()).unwrap();
    assert_eq!(
        future.check_time(just_issued - 3_600_000),
        Ok(()),
        "an hour late"
    );
    let last = CertificateTime::at(i64::MAX);
    assert_eq!(
        valid.check_time(u64::MAX),
        Err(BadBundle::Expired {
            until: valid.until,
            now: last
        })
    );
    let words = expired.check_time(NOW).unwrap_err().to_string();
    assert!(
        words.starts_with("the certificate expired on 2021-01-01, and this host's clock shows 2027-01-15 08:00 UTC;"),
        "{words}"
    );
}

#[test]
fn what_is_no_bundle_says_what_is_wrong() {
    let (key, certificate) = (
        blocks(bundle!("rsa"), "KEY"),
        blocks(bundle!("leaf-only"), "CERTIFICATE"),
    );
    let old = block(
        "RSA PRIVATE KEY",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE",
    );
    for (text, expected) in [
        (" \n".to_owned(), BadBundle::Empty),
        ("hello".to_owned(), BadBundle::NotPem),
        (certificate.clone(), BadBundle::NoKey),
        (key.clone(), BadBundle::NoCertificate),
        (
            key.clone() + &block("CERTIFICATE REQUEST", "MIIB"),
            BadBundle::Label("CERTIFICATE REQUEST".to_owned()),
        ),
        (bundle!("two-keys").to_owned(), BadBundle::SeveralKeys),
        (bundle!("encrypted").to_owned(), BadBundle::Encrypted),
        (certificate.clone() + &old, BadBundle::Encrypted),
        (
            certificate.clone() + &key[..key.len() - 5],
            BadBundle::Unended,
        ),
        (
            certificate.clone() + &key.replace("END PRIVATE", "END RSA PRIVATE"),
            BadBundle::Unended,
        ),
        (
            format!("-----BEGIN CERTIFICATE-----\n{key}"),
            BadBundle::Unended,
        ),
        (
            certificate.clone() + &block("PRIVATE KEY", "not base64!"),
            BadBundle::UnreadableKey,
        ),
        (
            certificate.clone() + &block("PRIVATE KEY", "MIIE"),
            BadBundle::UnreadableKey,
        ),
        (
            certificate.clone() + &block("PRIVATE KEY", ""),
            BadBundle::UnreadableKey,
        ),
        (
            key.clone() + &certificate + &block("CERTIFICATE", "MIIB"),
            BadBundle::UnreadableCertificate(2),
        ),
    ] {
        assert_eq!(check(&text), Err(expected), "{text}");
    }
}

#[test]
fn no_message_holds_anything_of_a_key() {
    let secret = bundle!("wrong-key-p256").lines().nth(1).unwrap();
    let text = format!(
        "{:?} {}",
        check(bundle!("wrong-key-p256")),
        check(bundle!("wrong-key-p256")).unwrap_err()
    );
    assert!(
        !text.contains(secret) && text.contains("EC P-256"),
        "{text}"
    );
}
