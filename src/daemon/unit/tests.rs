use super::*;

#[test]
fn a_control_socket_is_named_by_a_path_or_a_url() {
    let unix = |path: &str| Ok(Control::Unix(PathBuf::from(path)));
    assert_eq!(Control::parse("/run/control.unit.sock"), unix("/run/control.unit.sock"));
    assert_eq!(Control::parse("unix:/tmp/a b.sock"), unix("/tmp/a b.sock"));
    assert_eq!(Control::parse("http://127.0.0.1:8499/"), Ok(Control::Tcp("127.0.0.1:8499".to_owned())));
    assert_eq!(Control::parse("http://[::1]:8499"), Ok(Control::Tcp("[::1]:8499".to_owned())));
    for text in ["/run/x.sock", "unix:/run/x.sock", "http://localhost:80"] {
        let control = Control::parse(text).unwrap();
        assert_eq!(Control::parse(&control.to_string()), Ok(control));
    }
}

#[test]
fn what_names_no_control_socket_is_refused_by_name() {
    assert_eq!(Control::parse(""), Err(NotAControl::Empty));
    assert_eq!(Control::parse("unix:"), Err(NotAControl::Empty));
    assert_eq!(Control::parse("https://localhost:80"), Err(NotAControl::Scheme));
    assert_eq!(Control::parse("http://localhost"), Err(NotAControl::Port));
    assert_eq!(Control::parse("http://localhost:0"), Err(NotAControl::Port));
    assert_eq!(Control::parse("http://:80"), Err(NotAControl::Host));
    assert_eq!(Control::parse("http://::1:80"), Err(NotAControl::Host));
    assert_eq!(Control::parse("http://user@host:80"), Err(NotAControl::Host));
    assert_eq!(Control::parse("http://host/x:80"), Err(NotAControl::Host));
}

#[test]
fn a_request_that_cannot_be_sent_is_told_from_one_that_was() {
    let unit = Unit::new(Control::Unix(PathBuf::from("/nonexistent/control.sock")));
    let refused = |path: &str| matches!(unit.request("GET", path, None), Err(Failure::Unreachable(_)));
    assert!(refused("/config"));
    assert!(refused("no slash"));
    let Err(Failure::Unreachable(why)) = unit.request("GET", &format!("/{}", "x".repeat(1024)), None) else {
        panic!("a head beyond 1024 bytes must not be sent")
    };
    assert!(why.contains("head"), "{why}");
}
