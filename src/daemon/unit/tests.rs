use super::*;

#[test]
fn a_control_socket_is_named_by_a_path_or_a_url() {
    let unix = |path: &str| Ok(Control::Unix(PathBuf::from(path)));
    assert_eq!(
        Control::parse("/run/control.unit.sock"),
        unix("/run/control.unit.sock")
    );
    assert_eq!(Control::parse("unix:/tmp/a b.sock"), unix("/tmp/a b.sock"));
    assert_eq!(
        Control::parse("http://127.0.0.1:8499/"),
        Ok(Control::Tcp("127.0.0.1:8499".to_owned()))
    );
    assert_eq!(
        Control::parse("http://[::1]:8499"),
        Ok(Control::Tcp("[::1]:8499".to_owned()))
    );
    for text in ["/run/x.sock", "unix:/run/x.sock", "http://localhost:80"] {
        let control = Control::parse(text).unwrap();
        assert_eq!(Control::parse(&control.to_string()), Ok(control));
    }
}

#[test]
fn what_names_no_control_socket_is_refused_by_name() {
    assert_eq!(Control::parse(""), Err(NotAControl::Empty));
    assert_eq!(Control::parse("unix:"), Err(NotAControl::Empty));
    assert_eq!(
        Control::parse("https://localhost:80"),
        Err(NotAControl::Scheme)
    );
    assert_eq!(Control::parse("http://localhost"), Err(NotAControl::Port));
    assert_eq!(Control::parse("http://localhost:0"), Err(NotAControl::Port));
    assert_eq!(Control::parse("http://:80"), Err(NotAControl::Host));
    assert_eq!(Control::parse("http://::1:80"), Err(NotAControl::Host));
    assert_eq!(
        Control::parse("http://user@host:80"),
        Err(NotAControl::Host)
    );
    assert_eq!(Control::parse("http://host/x:80"), Err(NotAControl::Host));
}

#[test]
fn a_request_that_cannot_be_sent_is_told_from_one_that_was() {
    let unit = Unit::new(Control::Unix(PathBuf::from("/nonexistent/control.sock")));
    let refused = |path: &str| {
        matches!(
            unit.request("GET", path, None),
            Err(RequestFailure::Unreachable(_))
        )
    };
    assert!(refused("/config"));
    assert!(refused("no slash"));
    let Err(RequestFailure::Unreachable(why)) =
        unit.request("GET", &format!("/{}", "x".repeat(1024)), None)
    else {
        panic!("a head beyond 1024 bytes must not be sent")
    };
    assert!(why.contains("head"), "{why}");
}

#[test]
fn of_the_usual_places_the_first_is_taken_where_somebody_answers() {
    let place = |name: &str| {
        std::env::temp_dir().join(format!("starling-usual-{}-{name}", std::process::id()))
    };
    let (left, first, second) = (place("left"), place("first"), place("second"));
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    let texts = [&left, &first, &second].map(|path| path.to_str().unwrap());
    assert_eq!(
        first_answering(&texts),
        None,
        "what a crash left is no server"
    );
    let _second = std::os::unix::net::UnixListener::bind(&second).unwrap();
    assert_eq!(first_answering(&texts), Some(second.clone()));
    // A server that stands still has a queue that is full before long, and whoever connects then
    // waits.
    let silent = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    silent
        .bind(&socket2::SockAddr::unix(&first).unwrap())
        .unwrap();
    silent.listen(0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&first).unwrap();
    assert_eq!(first_answering(&texts), Some(first.clone()));
    [left, first, second]
        .iter()
        .for_each(|path| std::fs::remove_file(path).unwrap());
}
