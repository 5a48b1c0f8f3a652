//! What an application that knows django-activity-stream 2.0 expects of an activity engine: the 80 cases of that
//! project's own test suite, restated as behaviour. K: holds for us as it is; D: we differ on purpose, and our rule is
//! asserted; N: belongs to Django or HTML. A case with a test here is asserted as far as it needs neither HTTP nor a page;
//! the others say what they wait for.
//!
//! | case | kind | test, or why there is none |
//! |---|---|---|
//! | 1 | K | `actors_stream_is_what_they_did_as_sentences` |
//! | 2 | K | `actors_stream_leaves_out_what_others_did` |
//! | 3 | K | `follows_with_flags_are_told_by_their_own_verbs` |
//! | 4 | K | `actor_need_not_be_a_user` |
//! | 5 | K | `following_is_narrowed_by_type` |
//! | 6 | K | `following_is_narrowed_by_flag` |
//! | 7 | K | `followers_are_the_other_end` |
//! | 8 | K | `followers_are_narrowed_by_flag` |
//! | 9 | K | `feed_is_empty_after_the_last_unfollow` |
//! | 10 | K | `follow_of_somebody_with_accents_is_told_with_them` |
//! | 11 | K | `feed_is_what_the_followed_did` |
//! | 12 | K | `feed_is_narrowed_by_flag` |
//! | 13 | K | `feed_is_silent_about_the_deleted` |
//! | 14 | K | `action_keeps_actor_object_and_target` |
//! | 15 | K | `following_twice_is_one_edge` |
//! | 16 | K | `following_of_several_types_is_their_union` |
//! | 17 | K | `edges_of_the_deleted_go_in_both_directions` |
//! | 18 | D | `actions_outlive_their_objects` |
//! | 19 | K | `resource_is_counted_by_role` |
//! | 20 | D | `hidden_action_leaves_every_public_stream` |
//! | 21 | N | pages: the link that follows |
//! | 22 | N | pages: the link that follows with a flag |
//! | 23 | N | pages: the link that follows in all roles |
//! | 24 | N | pages: the link that follows in all roles with a flag |
//! | 25 | N | pages: the link to an actor |
//! | 26 | N | pages: an action on a page; its sentence is case 1 |
//! | 27 | N | pages: a stream on a page; its sentences are case 1 |
//! | 28 | K | `type_stream_of_an_instances_type_is_narrowed_by_verb` |
//! | 29 | K | `feed_is_narrowed_by_verb` |
//! | 30 | K | `is_following_asks_for_one_flag_or_any` |
//! | 31 | K | `is_following_asks_for_one_flag_or_any` |
//! | 32 | K | `is_following_asks_for_one_flag_or_any` |
//! | 33 | K | `is_following_asks_for_one_flag_or_any` |
//! | 34 | K | `stream_of_nothing_is_an_empty_page` |
//! | 35 | K | `own_activity_is_in_the_feed_where_it_is_asked_for` |
//! | 36 | K | `verb_is_stored_untranslated` |
//! | 37 | K | `second_start_changes_nothing` |
//! | 38 | K | `tenants_stream_has_all_eleven_actions`, `edges_of_the_deleted_go_in_both_directions`; HTTP: who may list them |
//! | 39 | N | HTTP: links instead of embedded resources |
//! | 40 | K | `detail_of_the_newest_is_the_first_of_the_list` |
//! | 41 | K | `detail_of_the_newest_is_the_first_of_the_list`; HTTP: the routes |
//! | 42 | K | HTTP: requests without credentials |
//! | 43 | K | HTTP: which fields of a resource are shown |
//! | 44 | N | HTTP: an endpoint of the application's own |
//! | 45 | K | `own_actions_are_the_actors_stream` |
//! | 46 | K | `type_stream_has_every_role` |
//! | 47 | K | `target_stream_names_its_target` |
//! | 48 | K | `action_keeps_actor_object_and_target` |
//! | 49 | K | `any_stream_joins_the_roles_without_repeating` |
//! | 50 | K | `feed_is_what_the_followed_did` |
//! | 51 | K | `sent_action_is_the_newest_and_its_actor_the_contexts`; HTTP: the status |
//! | 52 | K | `anything_can_be_followed`; HTTP: the status |
//! | 53 | K | `is_following_asks_for_one_flag_or_any`; HTTP: the answer's form |
//! | 54 | K | `own_followers_and_followed_are_listed` |
//! | 55 | K | `own_followers_and_followed_are_listed` |
//! | 56 | K | `own_activity_is_in_the_feed_where_it_is_asked_for`; HTTP: RSS, Atom and JSON of it |
//! | 57 | K | `type_stream_has_every_role`; HTTP: RSS, Atom and JSON of it |
//! | 58 | K | `any_stream_joins_the_roles_without_repeating`; HTTP: RSS, Atom and JSON of it |
//! | 59 | K | `page_with_all_its_names_takes_one_query` |
//! | 60 | N | pages: somebody's own stream |
//! | 61 | K | `following_is_told_and_unfollowing_is_idempotent`; HTTP: statuses and redirect |
//! | 62 | K | `following_is_told_and_unfollowing_is_idempotent`; HTTP: statuses and redirect |
//! | 63 | K | pages: the lists of case 5 and 7 |
//! | 64 | K | pages: the lists of case 6 and 8 |
//! | 65 | N | pages: a profile |
//! | 66 | K | `detail_of_an_action_is_that_action`; pages: the same on one |
//! | 67 | K | pages: the stream of case 2 |
//! | 68 | K | pages: the stream of case 57 |
//! | 69 | K | `type_stream_of_ten_or_five_takes_one_query` |
//! | 70 | K | `type_stream_of_ten_or_five_takes_one_query` |
//! | 71 | K | `application_composes_streams_of_its_own` |
//! | 72 | K | `application_composes_streams_of_its_own` |
//! | 73 | K | `strict_registry_refuses_what_it_does_not_know` |
//! | 74 | K | `application_composes_streams_of_its_own`; HTTP: JSON of it |
//! | 75 | N | Django: the class of its users |
//! | 76 | K | `data_keeps_its_types` |
//! | 77 | K | HTTP: the routes |
//! | 78 | K | HTTP: which fields of a resource are shown |
//! | 79 | K | `nested_module_registers_its_types` |
//! | 80 | K | `verb_of_a_type_that_is_not_there_is_refused` |

mod engine;
mod fixture;
mod follows;
mod streams;

const SOURCES: [&str; 3] = [
    include_str!("conformance/engine.rs"),
    include_str!("conformance/follows.rs"),
    include_str!("conformance/streams.rs"),
];

/// The doc comments and names of all tests of these cases.
fn tests() -> impl Iterator<Item = (Vec<usize>, &'static str)> {
    let blocks = SOURCES.into_iter().flat_map(|source| source.split("\n\n"));
    blocks.filter_map(|block| {
        let name = block.split_once("test]\n")?.1.split_once("fn ")?.1.split_once('(')?.0;
        let doc = block.lines().find_map(|line| line.strip_prefix("/// Case"))?;
        Some((numbers(doc), name))
    })
}

/// `s 30 to 33 and, without its endpoint, 53.`
fn numbers(doc: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> = Vec::new();
    let mut range = false;
    for word in doc.split([' ', ',', '.', ':']) {
        match word.parse() {
            Ok(last) if range => numbers.extend(numbers.last().expect("a first") + 1..=last),
            Ok(number) => numbers.push(number),
            Err(_) => {}
        }
        range = word == "to";
    }
    numbers
}

/// The table above: number, kind, and the tests that it names.
fn table() -> Vec<(usize, &'static str, Vec<&'static str>)> {
    let lines = include_str!("conformance.rs").lines();
    let rows = lines.filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let row = |row: &'static str| {
        let mut cells = row.splitn(3, " | ");
        let number = cells.next()?.parse().ok()?;
        let (kind, text) = (cells.next()?, cells.next()?);
        let waits = ["HTTP: ", "pages: ", "Django: "].iter().any(|reason| text.contains(reason));
        let named: Vec<_> = text.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || waits, "case {number} has neither a test nor a reason");
        Some((number, kind, named))
    };
    rows.filter_map(row).collect()
}

#[test]
fn every_case_has_a_test_or_a_reason() {
    let table = table();
    let numbers: Vec<_> = table.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
    let of = |kind: &str| table.iter().filter(|row| row.1 == kind).count();
    assert_eq!((of("K"), of("D"), of("N")), (66, 2, 12));
}

#[test]
fn table_and_tests_name_each_other() {
    let pairs = |mut pairs: Vec<(usize, &'static str)>| {
        pairs.sort_unstable();
        pairs
    };
    let told = table()
        .into_iter()
        .flat_map(|(number, _, named)| named.into_iter().map(move |n| (number, n)));
    let made =
        tests().flat_map(|(numbers, name)| numbers.into_iter().map(move |number| (number, name)));
    assert_eq!(pairs(told.collect()), pairs(made.collect()));
}
