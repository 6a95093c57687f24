//! Stripe's objects: kept as they are shown, but for fields whose names begin with `_`.

use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::call::Call;
use crate::error::{Outcome, Refusal};
use crate::params::Params;
use crate::state::State;

/// The fields by which lists can be narrowed.
const FILTERS: [&str; 6] = ["status", "customer", "subscription", "payment_intent", "charge", "type"];

/// One object.
pub async fn show(Path(id): Path<String>, call: Call) -> Response {
    let kind = call.kind.clone();
    call.read(|state, params| state.view_of(&kind, &id, params))
}

/// A page of objects, the newest first.
pub async fn list(call: Call) -> Response {
    let kind = call.kind.clone();
    call.read(|state, params| state.list(&kind, params))
}

/// A product, under an id that the caller may choose.
pub async fn create_product(call: Call) -> Response {
    call.write(|state, params| {
        let name = params.get("name").ok_or_else(|| Refusal::invalid("Missing required param: name."))?;
        let id = params.get("id").map_or_else(|| state.id("prod_"), str::to_owned);
        if state.object(&id).is_some() {
            return Err(Refusal::coded("resource_already_exists", "Product already exists."));
        }
        let product =
            json!({"id": id, "object": "product", "name": name, "metadata": params.within("metadata")});
        state.put(product);
        state.view(&id, params)
    })
}

/// A visit to the customer's own page.
pub async fn create_portal(call: Call) -> Response {
    call.write(|state, params| {
        let customer = params.get("customer").unwrap_or_default().to_owned();
        state.of_kind("customer", &customer)?;
        let (id, url) = (state.id("bps_"), format!("{}/portal/{customer}", state.url));
        let return_url = params.get("return_url");
        state.put(json!({"id": id, "object": "billing_portal.session", "customer": customer, "url": url, "return_url": return_url, "livemode": false}));
        state.view(&id, params)
    })
}

impl State {
    /// A new id with this beginning.
    pub fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.ids.alphanumeric(24))
    }

    /// Stores an object.
    pub fn put(&mut self, mut object: Value) {
        self.stripe.made += 1;
        object["_made"] = self.stripe.made.into();
        if object["created"].is_null() {
            object["created"] = self.now().into();
        }
        let id = text(&object, "id").to_owned();
        self.stripe.objects.insert(id, object);
    }

    /// An object, with what isn't shown.
    pub fn object(&self, id: &str) -> Option<&Value> {
        self.stripe.objects.get(id)
    }

    /// An object of this kind.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn of_kind(&self, kind: &str, id: &str) -> Outcome<&Value> {
        self.object(id).filter(|object| object["object"] == kind).ok_or_else(|| Refusal::missing(kind, id))
    }

    /// Sets fields of an object.
    pub fn set(&mut self, id: &str, fields: &Value) {
        let (Some(object), Some(fields)) = (self.stripe.objects.get_mut(id), fields.as_object()) else {
            return;
        };
        for (name, value) in fields {
            object[name] = value.clone();
        }
    }

    /// All of a kind, the oldest first.
    pub fn all(&self, kind: &str) -> Vec<&Value> {
        let mut found: Vec<&Value> =
            self.stripe.objects.values().filter(|object| object["object"] == kind).collect();
        found.sort_by_key(|object| object["_made"].as_u64());
        found
    }

    /// An object of this kind as it is shown.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn view_of(&self, kind: &str, id: &str, params: &Params) -> Outcome {
        self.of_kind(kind, id)?;
        self.view(id, params)
    }

    /// An object as it is shown, with what the call wants in the place of ids.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn view(&self, id: &str, params: &Params) -> Outcome {
        let paths: Vec<&str> = params.all("expand[]").collect();
        self.shown(id, &paths).ok_or_else(|| Refusal::missing("object", id))
    }

    fn shown(&self, id: &str, paths: &[&str]) -> Option<Value> {
        let object = self.object(id)?;
        let mut shown = object.clone();
        shown.as_object_mut()?.retain(|name, _| !name.starts_with('_'));
        for path in paths {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            let deeper: &[&str] = if rest.is_empty() { &[] } else { &[rest] };
            if let Some(inner) = object[first].as_str().and_then(|id| self.shown(id, deeper)) {
                shown[first] = inner;
            } else if let Some(included) = object.get(format!("_{first}")) {
                shown[first] = included.clone();
            }
        }
        Some(shown)
    }

    fn list(&self, kind: &str, params: &Params) -> Outcome {
        let limit = params.get("limit").map_or(Some(10), |text| text.parse().ok());
        let limit = limit.filter(|limit| (1..=100).contains(limit));
        let limit: usize = limit.ok_or_else(|| Refusal::invalid("limit must be from 1 to 100"))?;
        let since = params.number("created[gte]").unwrap_or(i64::MIN);
        let fits = |object: &&&Value| {
            FILTERS.iter().all(|name| {
                let field = if *name == "subscription" && kind == "invoice" { "_subscription" } else { name };
                params.get(name).is_none_or(|wanted| object[field] == wanted)
            }) && object["created"].as_i64().unwrap_or(0) >= since
        };
        let all = self.all(kind);
        let found: Vec<&str> = all.iter().rev().filter(fits).map(|object| text(object, "id")).collect();
        let start = match params.get("starting_after") {
            None => 0,
            Some(after) => {
                1 + found.iter().position(|id| *id == after).ok_or_else(|| Refusal::missing(kind, after))?
            }
        };
        let rest = &found[start..];
        let paths: Vec<&str> = params.all("expand[]").filter_map(|path| path.strip_prefix("data.")).collect();
        let data: Vec<Value> = rest.iter().take(limit).filter_map(|id| self.shown(id, &paths)).collect();
        Ok(json!({"object": "list", "data": data, "has_more": rest.len() > limit}))
    }
}

/// A text within an object; empty if it isn't one.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}
