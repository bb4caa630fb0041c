//! `GET /openapi.json`: the routes that are on, as OpenAPI 3.1 describes them.

mod wire;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use utoipa::ToSchema;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, InfoBuilder, OneOfBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, ResponseBuilder, Schema,
};

use super::Daemon;
use crate::config::Serve;
use crate::serve::answer;

const JSON: &str = "application/json";
const LINES: &str = "application/jsonl";
const BYTES: &str = "application/octet-stream";
const PARTS: &str = "multipart/mixed";

/// The description.
pub async fn openapi(State(shared): Daemon) -> Response<Body> {
    let in_force = shared.now_in_force();
    answer::json(answer::line(&description(&in_force.settings)), None)
}

/// Describes what is on with these settings.
pub fn description(settings: &Serve) -> OpenApi {
    let mut paths = PathsBuilder::new();
    for (path, method, operation) in operations() {
        if super::is_on(path, settings) {
            paths = paths.path(path, PathItem::new(method, operation));
        }
    }
    let info = InfoBuilder::new()
        .title("sluice")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The daemon of sluice on its Unix socket. Every 4xx and 5xx is effect block.",
        ))
        .build();
    let mut schemas = Vec::new();
    add::<wire::Flow>(&mut schemas);
    add::<wire::Refusal>(&mut schemas);
    add::<wire::Classified>(&mut schemas);
    add::<wire::BatchLine>(&mut schemas);
    add::<wire::Decision>(&mut schemas);
    add::<wire::Reloaded>(&mut schemas);
    add::<wire::NotReloaded>(&mut schemas);
    add::<wire::Status>(&mut schemas);
    if settings.presidio {
        add::<wire::AnalyzeRequest>(&mut schemas);
        add::<wire::Entity>(&mut schemas);
    }
    if settings.litellm.is_some() {
        add::<wire::GuardrailRequest>(&mut schemas);
        add::<wire::GuardrailAnswer>(&mut schemas);
    }
    let components = ComponentsBuilder::new().schemas_from_iter(schemas);
    OpenApiBuilder::new()
        .info(info)
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// All routes, on or off.
fn operations() -> Vec<(&'static str, HttpMethod, OperationBuilder)> {
    use HttpMethod::{Get, Post};
    vec![
        ("/v1/classify", Post, classify()),
        ("/v1/decide", Post, decide()),
        ("/v1/stream", Post, stream()),
        ("/v1/stream", Get, duplex()),
        ("/v1/reload", Post, reload()),
        ("/healthz", Get, status("healthz", "Whether the process runs")),
        ("/readyz", Get, status("readyz", "Whether payloads are decided")),
        ("/metrics", Get, metrics()),
        ("/openapi.json", Get, this()),
        ("/analyze", Post, analyze()),
        ("/health", Get, health()),
        ("/recognizers", Get, names("recognizers", "Ids of all rules, under Presidio's path")),
        (
            "/supportedentities",
            Get,
            names("supportedentities", "Presidio's names of what is found"),
        ),
        ("/beta/litellm_basic_guardrail_api", Post, guardrail()),
    ]
}

fn classify() -> OperationBuilder {
    let format = ParameterBuilder::new()
        .name("format")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("What the payload is; else its first 4 KiB decide"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some([
            "text", "csv", "tsv", "markdown", "json", "ndjson", "utf-16le", "utf-16be", "opaque",
        ]))));
    operation("classify", "Label and findings of a payload; nothing is decided or recorded")
        .parameter(format)
        .request_body(Some(
            RequestBodyBuilder::new()
                .description(Some("A payload; as application/jsonl one {\"id\", \"text\"} a line"))
                .content(BYTES, any())
                .content(LINES, any())
                .build(),
        ))
        .response(
            "200",
            ResponseBuilder::new()
                .description("Label and findings, or one BatchLine a line")
                .content(JSON, content(of::<wire::Classified>()))
                .content(LINES, any()),
        )
}

fn decide() -> OperationBuilder {
    let body = RequestBodyBuilder::new()
        .description(Some(
            "The payload; or as multipart/form-data the parts `flow` and `payload`, in this order, \
             without the header",
        ))
        .content(BYTES, any());
    operation("decide", "Decides a payload and records the decision")
        .parameter(flow())
        .request_body(Some(body.build()))
        .response("200", decided())
}

fn stream() -> OperationBuilder {
    operation("stream", "Decides a payload while it arrives")
        .parameter(flow())
        .request_body(Some(RequestBodyBuilder::new().content(BYTES, any()).build()))
        .response("200", decided())
}

fn duplex() -> OperationBuilder {
    operation("duplex", "The same as a WebSocket")
        .response("101", ResponseBuilder::new().description("It goes on as a WebSocket"))
}

fn reload() -> OperationBuilder {
    operation("reload", "Reads rules and register anew; for root and the daemon's own user")
        .response("200", answered("What is in force now", of::<wire::Reloaded>()))
        .response("422", answered("Nothing has changed", of::<wire::NotReloaded>()))
}

fn status(id: &str, about: &str) -> OperationBuilder {
    operation(id, about).response("200", answered("It does", of::<wire::Status>()))
}

fn metrics() -> OperationBuilder {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = ResponseBuilder::new().description("OpenMetrics").content(kind, content(string()));
    operation("metrics", "Counters for Prometheus").response("200", text)
}

fn this() -> OperationBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    operation("openapi", "This description")
        .response("200", answered("OpenAPI 3.1", Schema::from(object)))
}

fn analyze() -> OperationBuilder {
    let each = || ArrayBuilder::new().items(of::<wire::Entity>());
    let lists = ArrayBuilder::new().items(each());
    // The empty list is both.
    let either = AnyOfBuilder::new().item(Schema::from(each())).item(Schema::from(lists));
    operation(
        "analyze",
        "Entities of texts, for Presidio's clients; nothing is decided or recorded",
    )
    .request_body(Some(asked(of::<wire::AnalyzeRequest>())))
    .response("200", answered("Entities of the text, or of each text", Schema::from(either)))
}

fn health() -> OperationBuilder {
    let kind = "text/plain; charset=utf-8";
    let text = ResponseBuilder::new().description("It is").content(kind, content(string()));
    operation("health", "Whether the analyzer is there, for Presidio's clients")
        .response("200", text)
}

fn names(id: &str, about: &str) -> OperationBuilder {
    let names =
        Schema::from(ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String)));
    operation(id, about).response("200", answered("Names", names))
}

fn guardrail() -> OperationBuilder {
    operation(
        "litellm_guardrail",
        "Decides and records every text, for LiteLLM's generic guardrail",
    )
    .request_body(Some(asked(of::<wire::GuardrailRequest>())))
    .response("200", answered("What to do", of::<wire::GuardrailAnswer>()))
}

/// An operation with what every one may answer.
fn operation(id: &str, about: &str) -> OperationBuilder {
    let refused = |about: &str| {
        let either = OneOfBuilder::new().item(of::<wire::Refusal>()).item(of::<wire::Decision>());
        ResponseBuilder::new()
            .description(about)
            .header("Sluice-Effect", HeaderBuilder::new().schema(Some(string())).build())
            .content(JSON, content(Schema::from(either)))
    };
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(about))
        .response("4XX", refused("Refused: block"))
        .response("5XX", refused("Not decided, or not in time: block"))
}

fn flow() -> ParameterBuilder {
    ParameterBuilder::new()
        .name("Sluice-Flow")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("The flow as JSON"))
        .content(JSON, content(of::<wire::Flow>()))
}

fn decided() -> ResponseBuilder {
    ResponseBuilder::new()
        .description("The decision; as multipart/mixed the parts `released` and `decision`")
        .header("Sluice-Effect", HeaderBuilder::new().schema(Some(string())).build())
        .content(JSON, content(of::<wire::Decision>()))
        .content(PARTS, any())
}

fn answered(about: &str, schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    ResponseBuilder::new().description(about).content(JSON, content(schema))
}

fn asked(schema: impl Into<RefOr<Schema>>) -> utoipa::openapi::request_body::RequestBody {
    RequestBodyBuilder::new().required(Some(Required::True)).content(JSON, content(schema)).build()
}

/// Adds the schema of a type, and those that it refers to.
fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

fn of<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

fn string() -> Schema {
    Schema::from(ObjectBuilder::new().schema_type(Type::String))
}

fn content(schema: impl Into<RefOr<Schema>>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

/// Any bytes.
fn any() -> utoipa::openapi::Content {
    utoipa::openapi::Content::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LiteLlm;

    fn paths(settings: &Serve) -> Vec<String> {
        description(settings).paths.paths.into_keys().collect()
    }

    #[test]
    fn every_route_that_is_on_is_described_and_no_other() {
        let source = include_str!("../routes.rs");
        let source = source.split("#[cfg(test)]").next().unwrap();
        let mut routes: Vec<&str> =
            source.split(".route(\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
        routes.sort_unstable();
        assert!(routes.len() >= 13, "{routes:?}");
        let litellm = LiteLlm {
            workflow: "w".to_owned(),
            destination: "d".to_owned(),
            response_destination: None,
            purpose: None,
            rewrite_responses: false,
        };
        let all = Serve { presidio: true, litellm: Some(litellm), ..Serve::default() };
        assert_eq!(paths(&all), routes);
        for route in &routes {
            assert_eq!(super::super::known(route), *route, "it has a name in metrics");
        }
        let own = paths(&Serve::default());
        assert!(!own.contains(&"/analyze".to_owned()) && own.contains(&"/v1/decide".to_owned()));
        assert_eq!(own.len() + 5, routes.len());
    }
}
