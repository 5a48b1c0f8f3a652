//! Somebody's rights cost their own roles, and a page of members its own rows, however many there are.

use gesta::Tenant;
use gesta::role::{RoleName, Roles};

use super::watch::{Plan, Watched, watched};
use crate::support::resource;

/// What a call does, and the plan of its last statement, which is told when its transaction has ended.
async fn plan<T>(db: &Watched, call: impl Future<Output = T>) -> (T, Plan) {
    let ended = async {
        let done = call.await;
        let client = db.store().client().await.expect("the one connection");
        client.batch_execute("SELECT 1").await.expect("an answer");
        done
    };
    let (done, mut plans) = db.plans(ended).await;
    (done, plans.pop().expect("a plan"))
}

#[tokio::test]
async fn rights_are_read_by_the_member_and_by_the_name_of_each_role() {
    let db = watched().await;
    for (who, groups, wanted) in [
        ("user:3", vec![], 1),
        ("user:3", vec!["role7".to_owned(), "none".to_owned()], 2),
        ("user:x", vec![], 0),
    ] {
        // Nothing is cached, and the statement is planned as it is for anybody in the end.
        for round in 0..8 {
            let roles = Roles::new(db.store());
            let (tenant, who) = (Tenant::default(), resource(who));
            let (rights, plan) = plan(&db, roles.rights(&tenant, &who, &groups)).await;
            assert!(rights.expect("rights").iter().count() >= wanted);
            assert_eq!(plan.scanned(), Vec::<String>::new(), "{round}: {plan}");
            assert!(plan.indexes().contains(&"role_member_of_idx"), "{round}: {plan}");
            plan.assert_buffers("the rights", 30);
        }
    }
}

#[tokio::test]
async fn page_of_members_costs_its_rows_wherever_it_is() {
    let db = watched().await;
    let roles = Roles::new(db.store());
    let tenant = Tenant::default();
    let role = RoleName::new("role1").expect("a name");
    let (mut last, mut count) = (None, 0);
    loop {
        let (page, plan) = plan(&db, roles.members(&tenant, &role, last.as_ref(), 500)).await;
        let page = page.expect("a page");
        assert_eq!((plan.indexes(), plan.sorts()), (vec!["role_member_pkey"], 0), "{plan}");
        plan.assert_buffers("a page of members", 600);
        count += page.len();
        let Some(end) = page.last() else { break };
        last = Some(end.member.clone());
    }
    assert!(count > 5_000, "{count}");
}
