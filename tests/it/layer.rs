//! Contexts out of HTTP requests: a plain tower service, and axum on a real connection down to the log.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use axum::{Extension, Router};
use gesta::layer::{ContextLayer, ProxyHeader, USER_AGENT_LEN_MAX};
use gesta::{Context, NewAction, Receipt, ResourceRef, Store, StreamQuery, Tenant};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{check_log, database, page, public};

/// What a fictitious authentication puts into a request.
#[derive(Clone)]
struct User(&'static str);

fn layer() -> ContextLayer {
    ContextLayer::new(|request| {
        let User(id) = request.extensions.get::<User>()?;
        Some(ResourceRef::new("user", *id).ok()?.named(id.to_uppercase()))
    })
}

fn request(headers: &[(&str, &[u8])]) -> Request<Body> {
    let request = Request::builder().uri("/");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).expect("a request")
}

fn signed_in(user: &'static str) -> Request<Body> {
    let mut request = request(&[]);
    request.extensions_mut().insert(User(user));
    request
}

/// A service that answers with the actor of its context, and the request's id as it found it.
async fn whoami(request: Request<Body>) -> Result<Response<String>, Infallible> {
    let ctx = request.extensions().get::<Context>().expect("a context");
    let id = request.headers()["x-request-id"].to_str().expect("text");
    Ok(Response::new(format!("{} {id}", ctx.actor().resource)))
}

#[tokio::test]
async fn nobody_is_anonymous_and_never_whoever_came_before() {
    let mut service = layer().layer(service_fn(whoami));
    let mut seen = Vec::new();
    for request in [signed_in("ann"), request(&[]), signed_in("bob"), request(&[])] {
        let response =
            service.ready().await.expect("ready").call(request).await.expect("an answer");
        let body = response.body().clone();
        let (actor, id) = body.split_once(' ').expect("both");
        assert_eq!(response.headers()["x-request-id"], id, "inside and outside it is the same");
        seen.push((actor.to_owned(), id.to_owned()));
    }
    let actors: Vec<_> = seen.iter().map(|(actor, _)| actor.as_str()).collect();
    assert_eq!(actors, ["user:ann", "anonymous:anonymous", "user:bob", "anonymous:anonymous"]);
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 4, "each request has an id of its own");
}

#[tokio::test]
async fn request_id_comes_back_with_the_response() {
    let service = layer().layer(service_fn(whoami));
    let answer = async |headers: &[(&str, &[u8])]| {
        let response = service.clone().oneshot(request(headers)).await.expect("an answer");
        response.headers()["x-request-id"].to_str().expect("text").to_owned()
    };
    assert_eq!(answer(&[("x-request-id", b"7f3a")]).await, "7f3a");
    let hostile: &[u8] = b"x\xff</script>";
    for headers in
        [&[("x-request-id", hostile)][..], &[("x-request-id", b"a"), ("x-request-id", b"b")], &[]]
    {
        assert_eq!(answer(headers).await.len(), 36, "a UUID instead");
    }
}

#[tokio::test]
async fn application_adds_tenant_and_whom_it_is_done_for() {
    let layer = layer().refine(|ctx, request| {
        let tenant = request.uri.host().and_then(|host| Tenant::new(host).ok()).unwrap_or_default();
        ctx.tenant(tenant).on_behalf_of(&ResourceRef::new("user", "boss").expect("a user"))
    });
    let read = |request: Request<Body>| async move {
        let ctx = request.extensions().get::<Context>().cloned().expect("a context");
        Ok::<_, Infallible>(Response::new(ctx))
    };
    let mut request = signed_in("ann");
    *request.uri_mut() = "http://acme/".parse().expect("an URI");
    let response = layer.layer(service_fn(read)).oneshot(request).await.expect("an answer");
    let wanted = Context::new(&ResourceRef::new("user", "ann").expect("a user").named("ANN"))
        .tenant(Tenant::new("acme").expect("a tenant"))
        .on_behalf_of(&ResourceRef::new("user", "boss").expect("a user"));
    let id = response.headers()["x-request-id"].to_str().expect("text");
    assert_eq!(*response.body(), wanted.request_id(id));
}

/// Appends that something was pressed, as whoever the request says.
async fn press(State(store): State<Store>, Extension(ctx): Extension<Context>) -> StatusCode {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let receipt = store.append(&tx, NewAction::new("press", &ctx)).await.expect("appended");
    assert!(matches!(receipt, Receipt::Appended(_)));
    tx.commit().await.expect("committed");
    StatusCode::NO_CONTENT
}

/// An application behind axum, on a port of its own.
async fn serve(store: Store) -> SocketAddr {
    let layer = ContextLayer::new(|_| None)
        .peer(|request| Some(request.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()))
        .trusted_proxies(ProxyHeader::XForwardedFor, ["127.0.0.0/8".parse().expect("a network")]);
    let app = Router::new().route("/press", post(press)).layer(layer).with_state(store);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Sends bytes as they are, which no client library would, and gives the answer's head.
async fn send(address: SocketAddr, headers: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = b"POST /press HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n";
    stream.write_all(&[&head[..], headers, b"\r\n"].concat()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn hostile_requests_are_recorded_within_bounds() {
    let db = database().await;
    let store = db.store().await;
    let address = serve(store.clone()).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let recorded = async |headers: &[u8]| -> Value {
        let answer = send(address, headers).await;
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        let actions = page(&public(&store), StreamQuery::tenant().limit(1)).await;
        assert_eq!(actions[0].actor.resource.to_string(), "anonymous:anonymous");
        let context = actions[0].context.as_ref().expect("a context").value();
        let id = context["request_id"].as_str().expect("an id");
        assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{answer}");
        context
    };
    let headers = format!(
        "x-request-id: r1\r\nuser-agent: curl/8\r\ntraceparent: {trace}\r\n\
         x-forwarded-for: 203.0.113.9, 192.0.2.1\r\nforwarded: for=203.0.113.9\r\n"
    );
    let plain =
        json!({"request_id": "r1", "ip": "192.0.2.1", "user_agent": "curl/8", "trace": trace});
    assert_eq!(recorded(headers.as_bytes()).await, plain);
    let long = format!("user-agent: {}\r\n", "x".repeat(8192));
    let agent = recorded(long.as_bytes()).await["user_agent"].clone();
    assert_eq!(agent.as_str().map(str::len), Some(USER_AGENT_LEN_MAX));
    let garbage = b"user-agent: \xff\xfe\xc3(\r\ntraceparent: 00-\xff\r\nx-forwarded-for: \xff, 192.0.2.1\r\n";
    let context = recorded(garbage).await;
    assert_eq!(context["ip"], "192.0.2.1");
    assert_eq!(
        (&context["user_agent"], &context["trace"]),
        (&json!("\u{fffd}\u{fffd}\u{fffd}("), &Value::Null)
    );
    let list = format!("x-forwarded-for: {}192.0.2.1\r\n", "203.0.113.9, ".repeat(1000));
    assert_eq!(recorded(list.as_bytes()).await["ip"], "192.0.2.1");
    assert_eq!(recorded(b"").await["ip"], "127.0.0.1");
    check_log(&db).await;
}
