//! Texts of positions, and which of two is the later one.

use proptest::prelude::*;

use super::*;

const ORIGIN: Origin =
    Origin { system: 7_710_313_359_880_477_238, timeline: 1, database: 16_388, table: 16_500 };

fn point(seq: i64, snapshot: &str) -> Point {
    let snapshot: Snapshot = snapshot.parse().expect("a snapshot");
    Point { origin: Some(ORIGIN), next: snapshot.xmax + 2, snapshot, seq, floor: seq - 2 }
}

fn inside(from: Point, until: Point, seq: i64) -> Position {
    Position { from: Arc::new(from), tick: Some(Unfinished { until: Arc::new(until), seq }) }
}

fn any_point() -> impl Strategy<Value = Point> {
    let running = prop::collection::btree_set(1u64..u64::MAX, 0..300);
    (running, 1u64..u64::MAX, 0..i64::MAX, 0u64..1000).prop_map(|(running, xmax, seq, more)| {
        let running = running.into_iter().filter(|&xid| xid < xmax).collect();
        let snapshot = Snapshot::new(xmax, running).expect("a snapshot");
        Point {
            origin: Some(ORIGIN),
            snapshot,
            next: xmax.saturating_add(more),
            seq,
            floor: seq / 2,
        }
    })
}

proptest! {
    #[test]
    fn text_round_trips(from in any_point(), until in any_point(), seq in 0..i64::MAX, whole: bool) {
        let position = if whole { from.into() } else { inside(from, until, seq) };
        let text = position.to_string();
        prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        prop_assert_eq!(text.parse::<Position>().expect("own text"), position);
    }

    #[test]
    fn changed_text_is_refused(from in any_point(), at: prop::sample::Index, with in "[A-Za-z0-9_-]") {
        let mut text = Position::from(from).to_string();
        let at = PREFIX.len() + at.index(text.len() - PREFIX.len());
        let old = text.clone();
        text.replace_range(at..=at, &with);
        prop_assert!(text == old || text.parse::<Position>().is_err());
        prop_assert!(old[..at].parse::<Position>().is_err());
    }

    #[test]
    fn garbage_is_refused_without_a_panic(text: String, bytes: Vec<u8>) {
        prop_assert!(text == START || text.parse::<Position>().is_err());
        let mut sealed = bytes.clone();
        sealed.extend(check(&bytes));
        // Whatever is read is written as the same text: no position has two.
        let text = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(sealed));
        if let Ok(position) = text.parse::<Position>() {
            prop_assert_eq!(position.to_string(), text);
        }
    }
}

#[test]
fn texts_are_short() {
    let idle = Position::from(point(120_000_000, "80000000:80000000:"));
    assert!(idle.to_string().len() <= 50, "{idle}");
    let busy = inside(
        point(120_000_003, "79999000:80000000:79999000,79999990"),
        point(120_000_030, "79999000:80000020:79999000,80000003"),
        120_000_020,
    );
    assert!(busy.to_string().len() <= 85, "{busy}");
    assert_eq!(Position::start().to_string(), "start");
}

#[test]
fn other_versions_are_told_from_garbage() {
    assert!(matches!("g2.abc".parse::<Position>(), Err(PositionError::Version { .. })));
    for text in ["", "g", "g.", "g1", "g1.", "g1.AAAA", "Start", "start ", "gx.abc"] {
        assert!(matches!(text.parse::<Position>(), Err(PositionError::Malformed { .. })), "{text}");
    }
}

/// The later one of each pair stands second.
#[test]
fn later_position_is_at_or_after_the_earlier_one() {
    let first = || point(12, "100:105:100,103");
    let second = || point(22, "100:110:100");
    let pairs = [
        (Position::start(), first().into()),
        (first().into(), second().into()),
        (first().into(), inside(first(), second(), 11)),
        (inside(first(), second(), 11), inside(first(), second(), 12)),
        (inside(first(), second(), 11), second().into()),
        (inside(first(), second(), 15), inside(second(), point(30, "120:120:"), 9)),
        // Made for a time: of what its snapshot sees only the beginning lies before it.
        (point(5, "100:110:100").into(), second().into()),
    ];
    for (earlier, later) in pairs {
        assert!(later.is_at_or_after(&earlier) && later.is_at_or_after(&later));
        assert!(!earlier.is_at_or_after(&later), "{earlier} {later}");
    }
}

#[test]
fn what_cannot_be_compared_is_neither_before_nor_after() {
    let first = || point(12, "100:105:100,103");
    let of_another = Point { origin: Some(Origin { timeline: 2, ..ORIGIN }), ..first() };
    let pairs = [
        (Position::from(first()), Position::from(of_another)),
        (Position::from(first()), Position::from(point(5, "100:110:100"))),
        (Position::from(point(22, "100:110:100")), Position::from(point(60, "104:104:"))),
        // Two readers whose ticks began at the same point and end at others.
        (inside(first(), point(22, "100:110:100"), 21), inside(first(), point(30, "120:120:"), 11)),
    ];
    for (a, b) in pairs {
        assert!(!a.is_at_or_after(&b) && !b.is_at_or_after(&a));
    }
}
