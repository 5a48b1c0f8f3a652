//! What people who know the actions of Django's admin expect of actions on selected objects: 68 cases. K: holds for us as
//! it is; D: we differ on purpose, and our rule is asserted; N: belongs to Python or HTML.
//!
//! | case | kind | test, or why there is none |
//! |---|---|---|
//! | 1 | D | `definition_is_the_types_own_or_a_site_wide_one_by_its_name`, `name_of_nothing_is_refused_with_those_that_there_are` |
//! | 2 | K | `name_is_unique_in_its_type`, `label_that_was_not_given_is_the_name_in_words` |
//! | 3 | K | `label_of_lists_is_the_label_of_one_unless_it_is_given` |
//! | 4 | K | `labels_have_the_types_names_in_them`, `placeholder_that_does_not_exist_is_refused` |
//! | 5 | K | `definition_is_offered_at_the_places_that_it_names` |
//! | 6 | K | `definition_of_which_only_name_and_operation_are_said_is_offered_in_lists_to_all` |
//! | 7 | K | `offer_tells_all_that_documents_need` |
//! | 8 | K | `every_type_has_delete_and_export_without_a_word` |
//! | 9 | K | `site_wide_definition_is_offered_for_every_type` |
//! | 10 | K | `disabled_definition_is_offered_nowhere`, `name_of_nothing_is_refused_with_those_that_there_are` |
//! | 11 | K | `type_enables_again_what_is_disabled` |
//! | 12 | K | `disabled_definition_is_still_known_by_its_name` |
//! | 13 | K | `definition_of_a_type_takes_the_place_of_a_site_wide_one` |
//! | 14 | K | `site_wide_definitions_come_first_then_the_types_own_as_they_were_listed` |
//! | 15 | K | `nothing_can_be_run_on_a_type_that_wants_none` |
//! | 16 | K | `program_filters_what_is_offered_for_each_request` |
//! | 17 | K | `any_of_the_permissions_allows` |
//! | 18 | K | `every_type_has_four_words_and_those_that_it_adds` |
//! | 19 | K | `lists_and_runs_go_by_one_rule` |
//! | 20 | K | `run_does_it_to_each_object_and_tells_what_became_of_it` |
//! | 21 | K | `definition_without_permissions_is_offered_to_those_who_may_only_view` |
//! | 22 | K | `run_does_it_to_each_object_and_tells_what_became_of_it` |
//! | 23 | K | `ids_select_rows_by_the_text_of_their_key_in_the_order_of_keys` |
//! | 24 | K | `select_across_takes_the_filter_and_drops_ids_outside_of_it` |
//! | 25 | K | `nothing_selected_is_a_refusal_that_changes_nothing` |
//! | 26 | K | `ids_that_are_not_there_are_dropped_and_counted` |
//! | 27 | N | pages: several action bars on a page |
//! | 28 | N | pages: an edit of the list beside an action |
//! | 29 | D | `run_in_the_foreground_has_ended_when_it_is_answered_and_says_what_became_of_each`, `file_of_a_run_is_downloaded_by_whoever_ran_it` |
//! | 30 | D | `what_selects_nothing_or_says_too_much_is_refused` |
//! | 31 | K | `download_is_a_stream_of_small_parts` |
//! | 32 | K | `run_does_it_to_each_object_and_tells_what_became_of_it` |
//! | 33 | D | `action_that_is_not_permitted_is_answered_as_one_that_does_not_exist` |
//! | 34 | N | pages: popups, and lists without a bar |
//! | 35 | K | `message_has_one_of_five_levels` |
//! | 36 | N | pages: a message is shown once; ours stay with the run |
//! | 37 | K | `text_goes_by_the_count` |
//! | 38 | K | `every_type_has_delete_and_export_without_a_word` |
//! | 39 | D | `consequences_are_counted_by_table_through_all_levels`, `deletion_is_planned_confirmed_and_done_as_far_as_it_may_be` |
//! | 40 | D | `consequences_are_counted_by_table_through_all_levels` |
//! | 41 | D | `types_that_may_not_be_deleted_do_not_go_with_others`, `deletion_is_planned_confirmed_and_done_as_far_as_it_may_be` |
//! | 42 | D | `what_references_forbid_fails_by_itself`, `deletion_is_planned_confirmed_and_done_as_far_as_it_may_be` |
//! | 43 | D | `deleted_rows_are_recorded_with_what_they_were_in_one_insert`, `rows_that_go_with_an_object_are_recorded_whatever_table_they_are_in`, `deletion_is_planned_confirmed_and_done_as_far_as_it_may_be` |
//! | 44 | K | `deleted_rows_are_recorded_with_what_they_were_in_one_insert`, `actions_of_a_piece_are_one_insert` |
//! | 45 | D | `triggers_of_a_tracked_table_record_the_deletion_and_nothing_else_does`, `type_whose_model_is_to_be_asked_has_a_deletion_of_its_own` |
//! | 46 | D | `consequences_are_counted_by_table_through_all_levels` |
//! | 47 | D | `plan_of_a_deletion_has_its_consequences`: what has no type is told by its table; templates are about pages |
//! | 48 | K | `every_type_has_delete_and_export_without_a_word` |
//! | 49 | K | `definition_is_offered_at_the_places_that_it_names` |
//! | 50 | D | `what_is_for_single_objects_is_run_on_one` |
//! | 51 | N | pages: a form that is saved beside an action |
//! | 52 | N | pages: where one is afterwards |
//! | 53 | N | pages: where the bar is |
//! | 54 | N | pages: the counter |
//! | 55 | N | pages: checkboxes |
//! | 56 | N | pages: selecting all |
//! | 57 | N | pages: ranges |
//! | 58 | N | pages: warnings |
//! | 59 | K | `input_is_told_checked_and_masked` |
//! | 60 | D | `streams_show_what_was_done_and_what_was_not` |
//! | 61 | K | `actions_of_a_piece_are_one_insert` |
//! | 62 | D | `streams_show_what_was_done_and_what_was_not` |
//! | 63 | D | `streams_show_what_was_done_and_what_was_not` |
//! | 64 | D | `streams_show_what_was_done_and_what_was_not` |
//! | 65 | D | `streams_show_what_was_done_and_what_was_not` |
//! | 66 | K | `streams_show_what_was_done_and_what_was_not` |
//! | 67 | K | `permission_that_nobody_can_be_given_is_refused` |
//! | 68 | K | `name_is_unique_in_its_type` |

mod definitions;
mod fixture;
mod inputs;
mod registry;
mod rights;

use crate::support::cases::{self, Case};

const SOURCES: [&str; 14] = [
    include_str!("bulk/definitions.rs"),
    include_str!("bulk/inputs.rs"),
    include_str!("bulk/registry.rs"),
    include_str!("bulk/rights.rs"),
    include_str!("actions/delete.rs"),
    include_str!("actions/file.rs"),
    include_str!("actions/over_http.rs"),
    include_str!("actions/run.rs"),
    include_str!("run/pieces.rs"),
    include_str!("run/select.rs"),
    include_str!("run/start.rs"),
    include_str!("server/runs/denied.rs"),
    include_str!("server/runs/selections.rs"),
    include_str!("server/runs/starts.rs"),
];

fn table() -> Vec<Case> {
    cases::table(include_str!("bulk.rs"))
}

#[test]
fn every_case_has_a_test_or_a_reason() {
    let table = table();
    let numbers: Vec<_> = table.iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=68).collect::<Vec<_>>());
    for case in table {
        let is_tested = !case.named().is_empty();
        let has_reason = case.text.split_once(": ").is_some_and(|(_, reason)| !reason.is_empty());
        match case.kind {
            "K" | "D" => assert!(is_tested, "case {}", case.number),
            "N" => assert!(!is_tested && has_reason, "case {}", case.number),
            kind => panic!("case {} is {kind}", case.number),
        }
    }
}

#[test]
fn table_and_tests_name_each_other() {
    cases::assert_named(&table(), &SOURCES);
}
