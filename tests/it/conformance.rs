//! What an application that knows django-activity-stream 2.0 expects of an activity engine: the 80 cases of that
//! project's own test suite, restated as behaviour. K: holds for us as it is; D: we differ on purpose, and our rule is
//! asserted; N: belongs to Django or HTML. What stands first is asserted in the library; behind `HTTP:` stands the test
//! over HTTP, or why there is nothing to ask there.
//!
//! | case | kind | test, or why there is none |
//! |---|---|---|
//! | 1 | K | `actors_stream_is_what_they_did_as_sentences`; HTTP: `actors_streams_are_read_by_their_paths` |
//! | 2 | K | `actors_stream_leaves_out_what_others_did`; HTTP: `actors_streams_are_read_by_their_paths` |
//! | 3 | K | `follows_with_flags_are_told_by_their_own_verbs`; HTTP: `actors_streams_are_read_by_their_paths` |
//! | 4 | K | `actor_need_not_be_a_user`; HTTP: `actors_streams_are_read_by_their_paths` |
//! | 5 | K | `following_is_narrowed_by_type`; HTTP: `follows_are_listed_by_either_end` |
//! | 6 | K | `following_is_narrowed_by_flag`; HTTP: `follows_are_listed_by_either_end` |
//! | 7 | K | `followers_are_the_other_end`; HTTP: `follows_are_listed_by_either_end` |
//! | 8 | K | `followers_are_narrowed_by_flag`; HTTP: `follows_are_listed_by_either_end` |
//! | 9 | K | `feed_is_empty_after_the_last_unfollow`; HTTP: `feeds_are_read_by_their_paths` |
//! | 10 | K | `follow_of_somebody_with_accents_is_told_with_them`; HTTP: `following_twice_is_answered_with_the_same_edge` |
//! | 11 | K | `feed_is_what_the_followed_did`; HTTP: `feeds_are_read_by_their_paths` |
//! | 12 | K | `feed_is_narrowed_by_flag`; HTTP: `feeds_are_read_by_their_paths` |
//! | 13 | K | `feed_is_silent_about_the_deleted`; HTTP: `feeds_are_read_by_their_paths` |
//! | 14 | K | `action_keeps_actor_object_and_target`; HTTP: `action_that_is_sent_is_read_as_it_was_meant` |
//! | 15 | K | `following_twice_is_one_edge`; HTTP: `following_twice_is_answered_with_the_same_edge` |
//! | 16 | K | `following_of_several_types_is_their_union`; HTTP: `follows_are_listed_by_either_end` |
//! | 17 | K | `edges_of_the_deleted_go_in_both_directions`; HTTP: `feeds_are_read_by_their_paths` |
//! | 18 | D | `actions_outlive_their_objects` |
//! | 19 | K | `resource_is_counted_by_role`; HTTP: `other_streams_are_read_by_their_paths` |
//! | 20 | D | `hidden_action_leaves_every_public_stream` |
//! | 21 | N | pages: the link that follows |
//! | 22 | N | pages: the link that follows with a flag |
//! | 23 | N | pages: the link that follows in all roles |
//! | 24 | N | pages: the link that follows in all roles with a flag |
//! | 25 | N | pages: the link to an actor |
//! | 26 | N | pages: an action on a page; its sentence is case 1 |
//! | 27 | N | pages: a stream on a page; its sentences are case 1 |
//! | 28 | K | `type_stream_of_an_instances_type_is_narrowed_by_verb`; HTTP: `other_streams_are_read_by_their_paths` |
//! | 29 | K | `feed_is_narrowed_by_verb`; HTTP: `feeds_are_read_by_their_paths` |
//! | 30 | K | `is_following_asks_for_one_flag_or_any`; HTTP: `whether_somebody_follows_is_answered_with_an_object` |
//! | 31 | K | `is_following_asks_for_one_flag_or_any`; HTTP: `whether_somebody_follows_is_answered_with_an_object` |
//! | 32 | K | `is_following_asks_for_one_flag_or_any`; HTTP: `whether_somebody_follows_is_answered_with_an_object` |
//! | 33 | K | `is_following_asks_for_one_flag_or_any`; HTTP: `whether_somebody_follows_is_answered_with_an_object` |
//! | 34 | K | `stream_of_nothing_is_an_empty_page`; HTTP: `other_streams_are_read_by_their_paths` |
//! | 35 | K | `own_activity_is_in_the_feed_where_it_is_asked_for`; HTTP: `feeds_are_read_by_their_paths` |
//! | 36 | K | `verb_is_stored_untranslated`; HTTP: `action_that_is_sent_is_read_as_it_was_meant` |
//! | 37 | K | `second_start_changes_nothing`; HTTP: a server changes no schema |
//! | 38 | K | `tenants_stream_has_all_eleven_actions`, `edges_of_the_deleted_go_in_both_directions`; HTTP: `list_and_details_are_there_for_those_with_a_key` |
//! | 39 | N | HTTP: links instead of embedded resources |
//! | 40 | K | `detail_of_the_newest_is_the_first_of_the_list`; HTTP: `list_and_details_are_there_for_those_with_a_key` |
//! | 41 | K | `detail_of_the_newest_is_the_first_of_the_list`; HTTP: `list_and_details_are_there_for_those_with_a_key` |
//! | 42 | K | HTTP: `list_and_details_are_there_for_those_with_a_key` |
//! | 43 | K | HTTP: `resources_show_type_id_and_name_and_nothing_else` |
//! | 44 | N | HTTP: an endpoint of the application's own |
//! | 45 | K | `own_actions_are_the_actors_stream`; HTTP: `actors_streams_are_read_by_their_paths` |
//! | 46 | K | `type_stream_has_every_role`; HTTP: `other_streams_are_read_by_their_paths` |
//! | 47 | K | `target_stream_names_its_target`; HTTP: `other_streams_are_read_by_their_paths` |
//! | 48 | K | `action_keeps_actor_object_and_target`; HTTP: `action_that_is_sent_is_read_as_it_was_meant` |
//! | 49 | K | `any_stream_joins_the_roles_without_repeating`; HTTP: `other_streams_are_read_by_their_paths` |
//! | 50 | K | `feed_is_what_the_followed_did`; HTTP: `feeds_are_read_by_their_paths` |
//! | 51 | K | `sent_action_is_the_newest_and_its_actor_the_contexts`; HTTP: `action_that_is_sent_is_read_as_it_was_meant` |
//! | 52 | K | `anything_can_be_followed`; HTTP: `following_twice_is_answered_with_the_same_edge` |
//! | 53 | K | `is_following_asks_for_one_flag_or_any`; HTTP: `whether_somebody_follows_is_answered_with_an_object` |
//! | 54 | K | `own_followers_and_followed_are_listed`; HTTP: `follows_are_listed_by_either_end` |
//! | 55 | K | `own_followers_and_followed_are_listed`; HTTP: `follows_are_listed_by_either_end` |
//! | 56 | K | `own_activity_is_in_the_feed_where_it_is_asked_for`; HTTP: `feeds_are_documents_of_syndication` |
//! | 57 | K | `type_stream_has_every_role`; HTTP: `feeds_are_documents_of_syndication` |
//! | 58 | K | `any_stream_joins_the_roles_without_repeating`; HTTP: `feeds_are_documents_of_syndication` |
//! | 59 | K | `page_with_all_its_names_takes_one_query`; HTTP: a page is the engine's |
//! | 60 | N | pages: somebody's own stream |
//! | 61 | K | `following_is_told_and_unfollowing_is_idempotent`; HTTP: `following_and_unfollowing_have_their_statuses` |
//! | 62 | K | `following_is_told_and_unfollowing_is_idempotent`; HTTP: `following_and_unfollowing_have_their_statuses` |
//! | 63 | K | HTTP: `follows_are_listed_by_either_end` |
//! | 64 | K | HTTP: `follows_are_listed_by_either_end` |
//! | 65 | N | pages: a profile |
//! | 66 | K | `detail_of_an_action_is_that_action`; HTTP: `list_and_details_are_there_for_those_with_a_key` |
//! | 67 | K | HTTP: `actors_streams_are_read_by_their_paths` |
//! | 68 | K | HTTP: `other_streams_are_read_by_their_paths` |
//! | 69 | K | `type_stream_of_ten_or_five_takes_one_query`; HTTP: a page is the engine's |
//! | 70 | K | `type_stream_of_ten_or_five_takes_one_query`; HTTP: a page is the engine's |
//! | 71 | K | `application_composes_streams_of_its_own`; HTTP: `search_is_a_stream_of_ones_own` |
//! | 72 | K | `application_composes_streams_of_its_own`; HTTP: `search_is_a_stream_of_ones_own` |
//! | 73 | K | `strict_registry_refuses_what_it_does_not_know`; HTTP: types are the application's |
//! | 74 | K | `application_composes_streams_of_its_own`; HTTP: `search_is_a_stream_of_ones_own` |
//! | 75 | N | Django: the class of its users |
//! | 76 | K | `data_keeps_its_types`; HTTP: `action_that_is_sent_is_read_as_it_was_meant` |
//! | 77 | K | HTTP: `list_and_details_are_there_for_those_with_a_key` |
//! | 78 | K | HTTP: `resources_show_type_id_and_name_and_nothing_else` |
//! | 79 | K | `nested_module_registers_its_types`; HTTP: types are the application's |
//! | 80 | K | `verb_of_a_type_that_is_not_there_is_refused`; HTTP: types are the application's |

mod engine;
mod fixture;
mod follows;
#[cfg(feature = "server")]
mod http;
mod streams;

use crate::support::cases::{self, Case};

const SOURCES: [&str; 4] = [
    include_str!("conformance/engine.rs"),
    include_str!("conformance/follows.rs"),
    include_str!("conformance/http.rs"),
    include_str!("conformance/streams.rs"),
];

fn table() -> Vec<Case> {
    cases::table(include_str!("conformance.rs"))
}

#[test]
fn every_case_has_a_test_or_a_reason() {
    let table = table();
    let numbers: Vec<_> = table.iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
    let of = |kind: &str| table.iter().filter(|case| case.kind == kind).count();
    assert_eq!((of("K"), of("D"), of("N")), (66, 2, 12));
    let waits =
        |case: &Case| ["HTTP: ", "pages: ", "Django: "].iter().any(|it| case.text.contains(it));
    let bare = table.iter().filter(|case| case.named().is_empty() && !waits(case));
    assert_eq!(bare.map(|case| case.number).collect::<Vec<_>>(), [0; 0]);
}

#[test]
fn every_case_that_holds_says_where_it_is_over_http() {
    let table = table();
    let silent = table.iter().filter(|case| case.kind == "K" && !case.text.contains("HTTP: "));
    assert_eq!(silent.map(|case| case.number).collect::<Vec<_>>(), [0; 0]);
}

#[test]
fn table_and_tests_name_each_other() {
    cases::assert_named(&table(), &SOURCES);
}
