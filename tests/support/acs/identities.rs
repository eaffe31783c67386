//! Identities and their tokens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::identifiers::{random, uuid};
use super::moments::written;
use super::reply::Reply;
use super::request::Received;

/// The version of the Identity API.
pub const VERSION: &str = "2025-06-30";

/// The time that a rate is limited for.
const RATE_PERIOD: SignedDuration = SignedDuration::from_secs(30);

/// The identities of one resource.
pub struct Identities {
    resource: String,
    known: BTreeSet<String>,
    tokens: BTreeMap<String, Token>,
    /// Creations and issues, and how many there may be.
    made: Rate,
    /// Revocations and deletions, and how many there may be.
    ended: Rate,
}

struct Token {
    raw_id: String,
    expires_on: Timestamp,
    scopes: Vec<Scope>,
}

#[derive(Default)]
struct Rate {
    limit: Option<usize>,
    recent: VecDeque<Timestamp>,
}

impl Rate {
    /// Counts one more, or refuses it.
    fn count(&mut self, now: Timestamp) -> Result<(), Reply> {
        while self.recent.front().is_some_and(|then| now.duration_since(*then) >= RATE_PERIOD) {
            self.recent.pop_front();
        }
        if let (Some(limit), Some(first)) = (self.limit, self.recent.front())
            && self.recent.len() >= limit
        {
            let wait = (RATE_PERIOD - now.duration_since(*first)).as_secs() + 1;
            let refusal = Reply::refusal(429, "TooManyRequests", "The rate of requests is over its limit.");
            return Err(refusal.header("retry-after", &wait.to_string()));
        }
        self.recent.push_back(now);
        Ok(())
    }
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Serialize)]
enum Scope {
    #[serde(rename = "chat")]
    Chat,
    #[serde(rename = "voip")]
    Voip,
    #[serde(rename = "chat.join")]
    ChatJoin,
    #[serde(rename = "chat.join.limited")]
    ChatJoinLimited,
    #[serde(rename = "voip.join")]
    VoipJoin,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateIdentity {
    create_token_with_scopes: Option<Vec<Scope>>,
    expires_in_minutes: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IssueToken {
    scopes: Vec<Scope>,
    expires_in_minutes: Option<i64>,
}

impl Identities {
    /// Those of a new resource: none.
    pub fn new() -> Self {
        Self { resource: uuid(), known: BTreeSet::new(), tokens: BTreeMap::new(), made: Rate::default(), ended: Rate::default() }
    }

    /// Raw ids of those that exist.
    pub fn all(&self) -> Vec<String> {
        self.known.iter().cloned().collect()
    }

    /// Whether one exists.
    pub fn exists(&self, raw_id: &str) -> bool {
        self.known.contains(raw_id)
    }

    /// Limits the rates. The service lets half as many be ended as made.
    pub fn limit(&mut self, per_30_s: usize) {
        self.made.limit = Some(per_30_s.max(1));
        self.ended.limit = Some((per_30_s / 2).max(1));
    }

    /// Whose token this is, as long as it lets them call. That `voip.join` is enough for a room is unproven.
    pub fn bearer(&self, token: &str, now: Timestamp) -> Option<String> {
        let token = self.tokens.get(token).filter(|token| now < token.expires_on && token.scopes.contains(&Scope::Voip))?;
        Some(token.raw_id.clone())
    }

    /// `POST /identities`
    pub fn create(&mut self, request: &Received, now: Timestamp) -> Result<Reply, Reply> {
        let asked = if request.body.is_empty() { CreateIdentity::default() } else { request.json::<CreateIdentity>("application/json")? };
        let life = life(asked.expires_in_minutes)?;
        self.made.count(now)?;
        let raw_id = format!("8:acs:{}_{}", self.resource, uuid());
        self.known.insert(raw_id.clone());
        let mut answer = json!({"identity": {"id": raw_id}});
        if let Some(scopes) = asked.create_token_with_scopes.filter(|scopes| !scopes.is_empty()) {
            answer["accessToken"] = self.token(&raw_id, scopes, now + life);
        }
        Ok(Reply::json(201, answer))
    }

    /// `POST /identities/{id}/:issueAccessToken`
    pub fn issue(&mut self, raw_id: &str, request: &Received, now: Timestamp) -> Result<Reply, Reply> {
        let asked: IssueToken = request.json("application/json")?;
        if asked.scopes.is_empty() {
            return Err(invalid("scopes", "Invalid scopes - Scopes field is required."));
        }
        let life = life(asked.expires_in_minutes)?;
        self.find(raw_id)?;
        self.made.count(now)?;
        Ok(Reply::json(200, self.token(raw_id, asked.scopes, now + life)))
    }

    /// `POST /identities/{id}/:revokeAccessTokens`
    pub fn revoke(&mut self, raw_id: &str, now: Timestamp) -> Result<Reply, Reply> {
        self.find(raw_id)?;
        self.ended.count(now)?;
        self.tokens.retain(|_, token| token.raw_id != raw_id);
        Ok(Reply::no_content())
    }

    /// `DELETE /identities/{id}`
    pub fn delete(&mut self, raw_id: &str, now: Timestamp) -> Result<Reply, Reply> {
        let done = self.revoke(raw_id, now)?;
        self.known.remove(raw_id);
        Ok(done)
    }

    fn find(&self, raw_id: &str) -> Result<(), Reply> {
        if self.exists(raw_id) {
            Ok(())
        } else if raw_id.starts_with(&format!("8:acs:{}_", self.resource)) {
            Err(Reply::not_found())
        } else {
            Err(Reply::refusal(401, "IdentityNotOwned", "Provided identity doesn't belong to the resource."))
        }
    }

    /// A new token, in the form of the service's: a JWT, which only the service reads.
    fn token(&mut self, raw_id: &str, scopes: Vec<Scope>, expires_on: Timestamp) -> Value {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({"skypeid": raw_id.trim_start_matches("8:"), "scp": scopes, "exp": expires_on.as_second()});
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(random::<64>()));
        self.tokens.insert(token.clone(), Token { raw_id: raw_id.to_owned(), expires_on, scopes });
        json!({"token": token, "expiresOn": written(expires_on)})
    }
}

/// How long a token lives.
fn life(minutes: Option<i64>) -> Result<SignedDuration, Reply> {
    match minutes.unwrap_or(1440) {
        minutes @ 60..=1440 => Ok(SignedDuration::from_mins(minutes)),
        _ => Err(invalid("expiresInMinutes", "Invalid expiresInMinutes - It must be between 60 and 1440.")),
    }
}

fn invalid(target: &str, message: &str) -> Reply {
    Reply::json(400, json!({"error": {"code": "ValidationError", "message": message, "target": target}}))
}
