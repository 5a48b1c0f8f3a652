//! Subjects of hostile texts.

use super::*;
use proptest::prelude::*;

fn subjects() -> Subjects {
    Subjects::default()
}

fn object_filter(id: &str) -> Filter {
    let object = ResourceRef::new("issue", id).expect("an id");
    subjects().filter(Tree::Public).tenant(&Tenant::default()).object(&object).verb("close")
}

fn id_of(subject: &str) -> Id {
    subjects().parse(subject).expect("one of ours").object_id
}

/// What breaks subjects, among everything else.
fn text(len: impl Into<proptest::sample::SizeRange>) -> impl Strategy<Value = String> {
    let special = "[.*> %~=\u{1}\r\n\t/é👍\u{202e}aZ0_-]";
    proptest::collection::vec(prop_oneof![special.prop_map(String::from), "[^\\x00]"], len)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn texts_survive_and_two_never_share_a_subject(
        tenant in "[a-z.*> é]{1,20}", verb in text(1..40), id in text(1..300), other in text(1..300)
    ) {
        prop_assume!(verb.len() <= 255);
        let tenant = Tenant::new(tenant).expect("a tenant");
        let filter = |id: &str| object_filter(id).tenant(&tenant).verb(&verb).to_string();
        let subject = filter(&id);
        prop_assert!(subject.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte)));
        prop_assert!(subject.split('.').all(|token| !token.is_empty()));
        let parts = subjects().parse(&subject).expect("one of ours");
        prop_assert_eq!((parts.tenant.as_str(), &parts.verb), (tenant.as_str(), &verb));
        match parts.object_id {
            Id::Text(found) => prop_assert_eq!(&found, &id),
            Id::Hash(hash) => prop_assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(&id))),
            Id::Nothing => prop_assert!(false),
        }
        prop_assert_eq!(filter(&other) == subject, id == other);
    }

    #[test]
    fn subject_that_is_read_is_the_one_that_is_written(id in text(1..30)) {
        // Any token that is accepted is the escaped form of what it is read as.
        if let Some(found) = unescape(&id) {
            let mut again = String::new();
            escape(&mut again, &found).expect("a string");
            prop_assert_eq!(again, id);
        }
    }
}

#[test]
fn any_255_bytes_stay_readable_and_longer_ids_are_hashed() {
    assert_eq!(id_of(&object_filter(&"👍".repeat(63)).to_string()), Id::Text("👍".repeat(63)));
    let long = ".".repeat(2048);
    let subject = object_filter(&long).to_string();
    assert!(subject.len() < 200, "{subject}");
    assert_eq!(id_of(&subject), Id::Hash(Sha256::digest(&long).into()));
    // An id that looks like the hash of another is escaped.
    let imitation = subject.rsplit('.').next().expect("an id");
    assert_eq!(id_of(&object_filter(imitation).to_string()), Id::Text(imitation.to_owned()));
    assert_eq!(id_of(&object_filter("~").to_string()), Id::Text("~".to_owned()));
}

#[test]
fn longest_subject_fits_into_a_line_of_the_protocol() {
    let prefix: Prefix = "p".repeat(PREFIX_LEN_MAX).parse().expect("a prefix");
    let tenant = Tenant::new(" ".repeat(63)).expect("a tenant");
    let object = ResourceRef::new(&".".repeat(63), "é".repeat(170)).expect("an object");
    let filter = Subjects::new(prefix).filter(Tree::Private).tenant(&tenant).object(&object);
    let longest = filter.verb(&" ".repeat(255)).to_string();
    assert_eq!(longest.rsplit('.').next().map(str::len), Some(1020));
    assert!(longest.len() + 4 <= 2304, "{}", longest.len());
}

#[test]
fn lanes_are_those_that_are_written_down() {
    let lane = |tenant: &str, object: &str| {
        let object = object.parse().ok();
        Lane::of(&Tenant::new(tenant).expect("a tenant"), object.as_ref()).to_string()
    };
    // printf 'acme\000issue\0007.0' | sha256sum | cut -c64
    let lanes =
        [("acme", "issue:7.0"), ("acme", "issue:70"), ("default", "user:ann"), ("acme", "")];
    assert_eq!(lanes.map(|(tenant, object)| lane(tenant, object)), ["e", "5", "9", "9"]);
}

#[test]
fn filters_name_what_they_narrow() {
    let all = subjects().filter(Tree::Public);
    let acme = Tenant::new("a.b").expect("a tenant");
    let kind = "pull-request".parse().expect("a type");
    for (filter, wanted) in [
        (all.clone().tenant(&acme), "act.v1.a%2Eb.*.*.*.*"),
        (all.clone().object_type(&kind), "act.v1.*.*.pull-request.*.*"),
        (all.clone().verb("booked a concert"), "act.v1.*.*.*.booked%20a%20concert.*"),
        (all.clone().lane(Lane(10)), "act.v1.*.a.*.*.*"),
        (subjects().filter(Tree::Private), "act.v1p.*.*.*.*.*"),
    ] {
        assert_eq!(filter.to_string(), wanted);
    }
}

#[test]
fn what_is_no_subject_of_ours_is_refused() {
    for (subject, wanted) in [
        ("other.v1.a.0.b.c.d", "not of the form act.v1.TENANT"),
        ("act.v2.a.0.b.c.d", "not of the form"),
        ("act.v1.a.0.b.c", "not of the form"),
        ("act.v1.a.0.b.c.d.e", "not of the form"),
        ("act.v1.a.g.b.c.d", "not of the form"),
        ("act.v1.a.0.b.c.%2e", "object id"),
        ("act.v1.a.0.b.c.%61", "object id"),
        ("act.v1.a.0.b.c.~abc", "object id"),
        ("act.v1.a.0.b.%FF.d", "verb"),
        ("act.v1.~.0.b.c.d", "tenant"),
    ] {
        let error = subjects().parse(subject).expect_err(subject).to_string();
        assert!(error.contains(wanted), "{subject}: {error}");
    }
    for prefix in ["", "a..b", ".a", "$JS", "a b", "a.*", "a.>"] {
        assert!(prefix.parse::<Prefix>().is_err(), "{prefix}");
    }
}
