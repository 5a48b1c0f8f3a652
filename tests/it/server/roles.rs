//! Roles over HTTP: who may change them, and that nobody gives what they do not have.

use axum::http::Method;
use gesta::access::{NewKey, ProxyTrust, Rights, Scope, Sight};
use gesta::role::{Giver, NewRole, RoleName, Roles};
use gesta::server::Settings;
use gesta::{Context, Outcome, Reader, StreamQuery, Tenant};
use serde_json::{Value, json};

use super::rig::{ADMIN, Answer, Rig, WRITER, make_administrator, make_key};
use crate::support::{TestDb, check_log, database, page, resource};

const PATH: &str = "/api/v1/roles";

/// A key that manages roles and reads, of somebody who has what the role `desk` has: `article.*` and `page.view`.
async fn manager(db: &TestDb) -> String {
    let roles = Roles::new(&db.unbound_store().await);
    let by = Giver::operator(&Context::new(&resource("user:operator")));
    let desk = RoleName::new("desk").expect("a name");
    let permissions = ["article.*", "page.view"].map(|text| text.parse().expect(text));
    roles.put(&by, &NewRole::new(desk.clone()).permissions(permissions)).await.expect("a role");
    roles.add_member(&by, &desk, &resource("user:mia")).await.expect("a member");
    let scopes = [Scope::RolesManage, Scope::KeysManage, Scope::ActionsRun, Scope::EventsRead];
    make_key(db, NewKey::new("mia", &resource("user:mia")).scopes(scopes)).await
}

async fn send(rig: &Rig, key: &str, method: Method, path: &str, body: Value) -> Answer {
    let key = rig.bearer(key);
    let headers = [
        ("authorization", key.as_str()),
        ("content-type", "application/json"),
        ("x-gesta-tenant", "default"),
    ];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    rig.send(method, &format!("{PATH}{path}"), &headers, body).await
}

async fn put(rig: &Rig, key: &str, path: &str, body: Value) -> Answer {
    send(rig, key, Method::PUT, path, body).await
}

async fn delete(rig: &Rig, key: &str, path: &str) -> Answer {
    send(rig, key, Method::DELETE, path, Value::Null).await
}

#[tokio::test]
async fn role_is_made_given_taken_and_removed() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mia = manager(&db).await;
    let editor =
        json!({"permissions": ["article.publish"], "about": "The desk", "reason": "OPS-7"});
    let made = put(&rig, &mia, "/night%20desk%2F1", editor.clone()).await;
    assert_eq!(made.code(), 201, "{made:?}");
    assert!(made.header("location").ends_with("/api/v1/roles/night%20desk%2F1"), "{made:?}");
    let role = made.json();
    assert_eq!((&role["name"], &role["changed_by"]), (&json!("night desk/1"), &json!("user:mia")));
    assert_eq!(put(&rig, &mia, "/night%20desk%2F1", editor).await.code(), 200);
    let other = json!({"permissions": ["article.view", "page.view"], "about": null});
    let changed = put(&rig, &mia, "/night%20desk%2F1", other).await.json();
    assert_eq!(changed["permissions"], json!(["article.view", "page.view"]));
    assert_eq!(changed["about"], "The desk");
    let read = send(&rig, &mia, Method::GET, "/night%20desk%2F1", Value::Null).await.json();
    assert_eq!(read, changed);
    let listed = rig.get_as(&mia, PATH).await.json();
    let names: Vec<_> =
        listed["items"].as_array().expect("roles").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["administrator", "desk", "night desk/1"]);

    let member = "/night%20desk%2F1/members/user/b%2Fob";
    let added = put(&rig, &mia, &format!("{member}?reason=joins"), Value::Null).await;
    assert_eq!(added.code(), 201, "{added:?}");
    assert!(added.header("location").ends_with(member), "{added:?}");
    assert_eq!(
        (&added.json()["id"], &added.json()["added_by"]),
        (&json!("b/ob"), &json!("user:mia"))
    );
    assert_eq!(put(&rig, &mia, member, Value::Null).await.code(), 200);
    assert_eq!(delete(&rig, &mia, member).await.code(), 204);
    delete(&rig, &mia, member).await.problem(404, "not-found");
    assert_eq!(delete(&rig, &mia, "/night%20desk%2F1?reason=over").await.code(), 204);
    for (method, path) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::GET, "/members"),
        (Method::PUT, "/members/user/x"),
    ] {
        let path = format!("/night%20desk%2F1{path}");
        send(&rig, &mia, method, &path, Value::Null).await.problem(404, "not-found");
    }

    let reader = Reader::new(&db.store().await, Tenant::default()).auditor();
    let role = gesta::ResourceRef::new("role", "night desk/1").expect("valid");
    let told = page(&reader, StreamQuery::any(&role)).await;
    let verbs: Vec<_> = told.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["role.remove", "role.drop", "role.add", "role.change", "role.create"]);
    assert!(told.iter().all(|action| action.actor.resource == resource("user:mia")));
    let reason = |n: usize| told[n].context.as_ref().expect("a context").value()["reason"].clone();
    assert_eq!((reason(0), reason(2), reason(4)), (json!("over"), json!("joins"), json!("OPS-7")));
    let context = told[4].context.as_ref().expect("a context").value();
    assert_eq!(context["request_id"], made.header("x-request-id"));
    check_log(&db).await;
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mia = manager(&db).await;
    let boss = json!({"permissions": ["page.*"]});
    assert_eq!(put(&rig, ADMIN, "/boss", boss).await.code(), 201);
    let more =
        put(&rig, &mia, "/new", json!({"permissions": ["article.view", "page.delete"]})).await;
    let more = more.problem(403, "exceeds-credential");
    assert_eq!(more["errors"][0]["pointer"], "/permissions");
    assert!(more["detail"].as_str().is_some_and(|text| text.contains("`page.delete`")), "{more}");
    for path in
        ["/boss/members/user/mia", "/boss/members/user/bob", "/administrator/members/user/mia"]
    {
        let problem = put(&rig, &mia, path, Value::Null).await.problem(403, "exceeds-credential");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("only be given")));
    }
    put(&rig, &mia, "/desk", json!({"permissions": ["*"]}))
        .await
        .problem(403, "exceeds-credential");
    assert_eq!(rig.get_as(&mia, &format!("{PATH}/boss/members")).await.json()["items"], json!([]));
    // A server that knows of a change acts by it at once.
    assert_eq!(put(&rig, ADMIN, "/boss/members/user/mia", Value::Null).await.code(), 201);
    assert_eq!(put(&rig, &mia, "/boss/members/user/bob", Value::Null).await.code(), 201);
    let store = rig.store.clone();
    rig.stop().await.expect("it ends");
    let reader = Reader::new(&store, Tenant::default()).auditor();
    let all = page(&reader, StreamQuery::actor(&resource("user:mia"))).await;
    let denied: Vec<_> = all.iter().filter(|action| action.outcome == Outcome::Denied).collect();
    assert_eq!(denied.len(), 5);
    let told: Vec<_> = denied.iter().map(|it| it.data.as_ref().expect("data").value()).collect();
    assert!(told.iter().all(|data| data["refused"] == "permission"), "{told:?}");
    assert!(told.iter().any(|data| data["permission"] == "page.delete"), "{told:?}");
    check_log(&db).await;
}

/// Rights belong to whom a key's requests are recorded as, so a key for somebody else may not be worth more.
#[tokio::test]
async fn nobody_makes_a_key_that_acts_as_somebody_with_more_rights() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mia = manager(&db).await;
    make_administrator(&db, "user:boss").await;
    assert_eq!(put(&rig, &mia, "/desk/members/user/bob", Value::Null).await.code(), 201);
    let make = async |actor: &str, scope: &str| {
        let body = json!({"name": "k", "scopes": [scope], "actor": actor}).to_string();
        rig.post_as(&mia, "/api/v1/keys", "application/json", body).await
    };
    for scope in ["actions:run", "roles:manage"] {
        let problem = make("user:boss", scope).await.problem(403, "exceeds-credential");
        assert_eq!(problem["errors"][0]["pointer"], "/actor", "{problem}");
        for actor in ["user:bob", "user:mia", "service:new"] {
            assert_eq!(make(actor, scope).await.code(), 201, "{actor} {scope}");
        }
    }
    // What does not act by roles is recorded as anybody's, as before.
    assert_eq!(make("user:boss", "events:read").await.code(), 201);
    // Whom a role was taken from has keys that are worth less, and gives less.
    assert_eq!(delete(&rig, ADMIN, "/desk/members/user/mia").await.code(), 204);
    make("user:bob", "actions:run").await.problem(403, "exceeds-credential");
}

#[tokio::test]
async fn roles_are_for_those_who_manage_them() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mia = manager(&db).await;
    let other =
        NewKey::new("other", &resource("user:mia")).tenant(Tenant::new("other").expect("a tenant"));
    let other = make_key(&db, other.scopes([Scope::RolesManage])).await;
    let body = json!({"permissions": []});
    let all = [
        (Method::GET, "", Value::Null),
        (Method::GET, "/desk", Value::Null),
        (Method::PUT, "/desk", body.clone()),
        (Method::DELETE, "/desk", Value::Null),
        (Method::GET, "/desk/members", Value::Null),
        (Method::PUT, "/desk/members/user/bob", Value::Null),
        (Method::DELETE, "/desk/members/user/mia", Value::Null),
    ];
    for (method, path, body) in all {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let nobody = rig.send(method.clone(), &format!("{PATH}{path}"), &[], text.clone()).await;
        nobody.problem(401, "unauthenticated");
        let wrong = send(&rig, WRITER, method.clone(), path, body.clone()).await;
        let wrong = wrong.problem(403, "missing-scope");
        assert!(wrong["detail"].as_str().is_some_and(|text| text.contains("roles:manage")));
        let elsewhere = send(&rig, &other, method.clone(), path, body.clone()).await;
        elsewhere.problem(403, "identity-mismatch");
        // Of its own tenant the other key changes what is there, which is nothing.
        let key = rig.bearer(&other);
        let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
        let own = rig.send(method.clone(), &format!("{PATH}{path}"), &headers, text.clone()).await;
        let wanted = match path {
            "" => 200,
            "/desk" if method == Method::PUT => 201,
            "/desk" if method == Method::DELETE => 204,
            _ => 404,
        };
        assert_eq!(own.code(), wanted, "{method} {path}: {own:?}");
        let admin = rig.bearer(ADMIN);
        let nowhere = [("authorization", admin.as_str()), ("content-type", "application/json")];
        let nowhere = rig.send(method, &format!("{PATH}{path}"), &nowhere, text).await;
        nowhere.problem(400, "tenant-missing");
    }
    let desk = rig.get_as(&mia, &format!("{PATH}/desk")).await.json();
    assert_eq!(desk["permissions"], json!(["article.*", "page.view"]), "it is as it was");
    let members = rig.get_as(&mia, &format!("{PATH}/desk/members")).await.json();
    assert_eq!(members["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_cannot_be_a_role_is_refused_where_it_is_wrong() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    for (given, pointer) in [
        (json!({}), "/permissions"),
        (json!({"permissions": null}), "/permissions"),
        (json!({"permissions": ["article.view", "article"]}), "/permissions/1"),
        (json!({"permissions": ["*.view"]}), "/permissions/0"),
        (json!({"permissions": ["a.\u{0}"]}), "/permissions/0"),
        (
            json!({"permissions": (0..101).map(|n| format!("a.w{n}")).collect::<Vec<_>>()}),
            "/permissions",
        ),
        (json!({"permissions": [], "about": "x".repeat(1025)}), "/about"),
        (json!({"permissions": [], "about": "a\nb"}), "/about"),
        (json!({"permissions": [], "reason": "\0"}), "/reason"),
        (json!({"permissions": [], "members": []}), "/members"),
    ] {
        let problem = put(&rig, ADMIN, "/x", given).await.problem(400, "invalid-body");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for path in ["/%00", "/a,b", "/%20", "/a%0Ab", &format!("/{}", "x".repeat(256)), "/%E2%80%AE"] {
        put(&rig, ADMIN, path, json!({"permissions": []})).await.problem(400, "malformed-request");
    }
    for path in ["/x/members/us%20er/1", "/x/members/user/%00"] {
        put(&rig, ADMIN, path, Value::Null).await.problem(400, "malformed-request");
    }
    let built_in = put(&rig, ADMIN, "/administrator", json!({"permissions": []})).await;
    built_in.problem(409, "built-in");
    delete(&rig, ADMIN, "/administrator").await.problem(409, "built-in");
    let problem = delete(&rig, ADMIN, "/x?reason=%00").await.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], "reason");
    let plain = rig.bearer(ADMIN);
    let headers = [
        ("authorization", plain.as_str()),
        ("x-gesta-tenant", "default"),
        ("content-type", "text/plain"),
    ];
    let form = rig.send(Method::PUT, &format!("{PATH}/x"), &headers, "{}").await;
    form.problem(415, "unsupported-media-type");
    assert_eq!(
        rig.get_as(&manager(&db).await, PATH).await.json()["items"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn members_are_walked_through_page_by_page() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mia = manager(&db).await;
    for n in 0..5 {
        let path = format!("/desk/members/user/%E2%80%A8{n}%26%3D");
        assert_eq!(put(&rig, &mia, &path, Value::Null).await.code(), 201);
    }
    let (mut next, mut all) = (Some(format!("{PATH}/desk/members?limit=2")), Vec::new());
    let mut pages = 0;
    while let Some(path) = next {
        let answer = rig.get_as(&mia, &path).await;
        let page = answer.json();
        assert_eq!(answer.header("link").contains("rel=\"next\""), page["next"].is_string());
        assert!(answer.header("link").contains(&format!("{path}>; rel=\"self\"")), "{path}");
        all.extend(page["items"].as_array().expect("members").iter().map(|it| it["id"].clone()));
        let url =
            page["next"].as_str().map(|url| url[url.find("/api").expect("a path")..].to_owned());
        next = url;
        pages += 1;
    }
    assert_eq!((all.len(), pages), (6, 3), "{all:?}");
    for query in ["limit=0", "limit=1000", "cursor=x", "after=user:1"] {
        let problem = rig.get_as(&mia, &format!("{PATH}/desk/members?{query}")).await;
        problem.problem(400, "invalid-parameter");
    }
    // A cursor is of one role.
    let first = rig.get_as(&mia, &format!("{PATH}/desk/members?limit=1")).await.json();
    let cursor =
        first["next"].as_str().and_then(|url| url.split("cursor=").nth(1)).expect("a cursor");
    let other = rig.get_as(&mia, &format!("{PATH}/administrator/members?cursor={cursor}")).await;
    other.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn everybody_is_told_what_they_may() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mia = manager(&db).await;
    let permissions =
        async |key: &str| rig.get_as(key, "/api/v1/whoami").await.json()["permissions"].clone();
    assert_eq!(permissions(&mia).await, json!(["article.*", "page.view"]));
    assert_eq!(permissions(WRITER).await, json!([]));
    assert_eq!(permissions(ADMIN).await, Value::Null, "in no tenant");
    put(&rig, ADMIN, "/desk", json!({"permissions": ["a.b"]})).await;
    assert_eq!(permissions(&mia).await, json!(["a.b"]), "at once");
    delete(&rig, ADMIN, "/desk").await;
    assert_eq!(permissions(&mia).await, json!([]));
}

/// The groups of a trusted proxy are roles where the operator says so, and for that request.
#[tokio::test]
async fn groups_of_a_proxy_are_roles_where_an_operator_says_so() {
    let db = database().await;
    let rights = Rights { scopes: vec![Scope::RolesManage], sight: Sight::Labels(Vec::new()) };
    let network = "127.0.0.0/8".parse().expect("a network");
    let trust = ProxyTrust::new([network], resource("user:1").kind).everybody(rights);
    let settings =
        |trust: ProxyTrust| Settings { proxy_identity: Some(trust), ..Settings::default() };
    let plain = Rig::start_with(&db, settings(trust.clone())).await;
    manager(&db).await;
    let may = async |rig: &Rig, groups: &str| {
        let headers = [("x-gesta-user", "ann"), ("x-gesta-groups", groups)];
        let who = rig.send(Method::GET, "/api/v1/whoami", &headers, "").await;
        who.json()["permissions"].clone()
    };
    assert_eq!(may(&plain, "desk,administrator").await, json!([]), "not unless it is said");
    let rig = Rig::start_with(&db, settings(trust.roles_of_groups())).await;
    assert_eq!(may(&rig, "other, desk").await, json!(["article.*", "page.view"]));
    assert_eq!(may(&rig, "Domain Users,desk\u{e9}, ,").await, json!([]));
    assert_eq!(may(&rig, "administrator").await, json!(["*"]));
    assert_eq!(may(&rig, "").await, json!([]), "of one request");
    let give = async |groups: &str| {
        let headers = [("x-gesta-user", "ann"), ("x-gesta-groups", groups)];
        rig.send(Method::PUT, &format!("{PATH}/desk/members/user/bob"), &headers, "").await
    };
    give("").await.problem(403, "exceeds-credential");
    assert_eq!(give("desk").await.code(), 201);
    // Twice, and from a stranger, it is refused.
    let twice =
        [("x-gesta-user", "ann"), ("x-gesta-groups", "desk"), ("x-gesta-groups", "administrator")];
    rig.send(Method::GET, "/api/v1/whoami", &twice, "").await.problem(401, "unauthenticated");
}
