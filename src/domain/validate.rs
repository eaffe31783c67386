//! From manifest to [`ValidRoom`]. Past this stage nothing reads a spec but the teardown, as [`Observed`](super::Observed) says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::capabilities::BackendKind;
use super::rejection::Rejection;
use super::roster::Roster;
use super::valid_room::{InviteMetadata, Media, ValidRoom};
use super::window::{Window, later};
use crate::api::{
    DEFAULT_CLASS_ANNOTATION, DEFAULT_TTL_SECONDS, JoinPolicy, MAX_PARTICIPANTS, MAX_WINDOW, Provision, Reason, Room, RoomClass, RoomSpec,
};

/// What the invites of a Room are bound to; `None` before the API server has given it a UID.
#[must_use]
pub fn invite_id(room: &Room) -> Option<&str> {
    room.spec.id.as_deref().or(room.metadata.uid.as_deref())
}

/// The class that a Room uses: the one it names, the one it was accepted with, or the one annotated as default.
pub fn choose_class<'a>(room: &Room, classes: impl IntoIterator<Item = &'a RoomClass>) -> Result<&'a RoomClass, Rejection> {
    let mut classes = classes.into_iter();
    if let Some(name) = room.class_name() {
        return classes
            .find(|class| class.metadata.name.as_deref() == Some(name))
            .ok_or_else(|| Rejection::new(Reason::ClassNotFound, format!("spec.roomClassName: there is no RoomClass \"{name}\"")));
    }
    let mut defaults = classes.filter(|class| class.is_default());
    let class = defaults.next().ok_or_else(|| {
        Rejection::new(
            Reason::NoDefaultClass,
            format!("spec.roomClassName: is not set, and no RoomClass is annotated with {DEFAULT_CLASS_ANNOTATION}: \"true\""),
        )
    })?;
    match defaults.next() {
        None => Ok(class),
        Some(_) => Err(Rejection::new(
            Reason::SeveralDefaultClasses,
            format!("spec.roomClassName: is not set, and more than one RoomClass is annotated with {DEFAULT_CLASS_ANNOTATION}: \"true\""),
        )),
    }
}

/// Judges a Room with this roster by its class. What the API server already refuses is judged again, because rules of an older CRD may
/// have let it pass.
pub fn validate(room: &Room, roster: Arc<Roster>, class: &RoomClass) -> Result<ValidRoom, Rejection> {
    let missing = |field: &str| Rejection::new(Reason::InvalidSpec, format!("metadata.{field}: is missing"));
    let meta = &room.metadata;
    let name = meta.name.clone().ok_or_else(|| missing("name"))?;
    let uid = meta.uid.clone().ok_or_else(|| missing("uid"))?;
    let listed = room.spec.participants.len();
    if listed > limit_from(MAX_PARTICIPANTS) {
        let message = format!("spec.participants: {listed} people, at most {MAX_PARTICIPANTS} are allowed");
        return Err(Rejection::new(Reason::TooManyParticipants, message));
    }
    let backend = BackendKind::of(class);
    let (max_participants, provision) = (max_participants(room, class)?, provision(room, class));
    supported(room, class, max_participants, provision)?;
    Ok(ValidRoom {
        namespace: meta.namespace.clone().ok_or_else(|| missing("namespace"))?,
        invite_id: room.spec.id.clone().unwrap_or_else(|| uid.clone()),
        display_name: room.spec.display_name.clone().filter(|title| !title.is_empty()).unwrap_or_else(|| name.clone()),
        class: class.metadata.name.clone().unwrap_or_default(),
        backend,
        window: window(room, class)?,
        roster,
        max_participants,
        suspend: room.spec.suspend,
        pstn_dial_out: room.spec.pstn_dial_out_enabled,
        provision,
        close_when_empty_after: room.spec.session.as_ref().and_then(|session| positive(session.close_when_empty_after?)),
        ttl: ttl(room, class),
        media: Media::of(class),
        invite_metadata: invite_metadata(&room.spec),
        name,
        uid,
    })
}

/// Whether the media server of a class can do what a Room asks for.
fn supported(room: &Room, class: &RoomClass, max_participants: usize, provision: Provision) -> Result<(), Rejection> {
    let (backend, spec) = (BackendKind::of(class), &room.spec);
    let can = backend.capabilities();
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let unsupported = |what: &str| {
        let message = format!("{what}, which RoomClass \"{name}\" cannot do: its backend is {}", backend.name());
        Err(Rejection::new(Reason::Unsupported, message))
    };
    if spec.join_policy == Some(JoinPolicy::AnyoneWithLink) && !can.shared_links {
        return unsupported("spec.joinPolicy: AnyoneWithLink lets people in whom nobody has announced");
    }
    if provision == Provision::OnFirstJoin && !can.on_first_join {
        return unsupported("spec.session.provision: OnFirstJoin makes the session when somebody joins");
    }
    if spec.session.as_ref().is_some_and(|session| session.close_when_empty_after.is_some()) && !can.presence {
        return unsupported("spec.session.closeWhenEmptyAfter: needs to know who is in the call");
    }
    if spec.pstn_dial_out_enabled && !can.pstn_dial_out {
        return unsupported("spec.pstnDialOutEnabled: lets Presenters call telephones");
    }
    let people = spec.participants.len();
    if people > max_participants && !can.presence {
        let what = format!(
            "spec.maxParticipants: {max_participants} is less than the {people} people of spec.participants; that needs to know who is in the call"
        );
        return unsupported(&what);
    }
    Ok(())
}

fn window(room: &Room, class: &RoomClass) -> Result<Window, Rejection> {
    let created = room.metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |time| time.0);
    let limit = class.spec.limits.as_ref().and_then(|limits| limits.max_duration);
    let limit = limit.map_or(MAX_WINDOW, |limit| positive(limit).unwrap_or_default()).min(MAX_WINDOW);
    let RoomSpec { valid_from, valid_until, duration, .. } = &room.spec;
    let invalid = |message: String| Rejection::new(Reason::InvalidSpec, message);
    if valid_until.is_some() && duration.is_some() {
        return Err(invalid("spec.validUntil and spec.duration: at most one of the two may be set".to_owned()));
    }
    let length = match *duration {
        Some(duration) => positive(duration).ok_or_else(|| invalid(format!("spec.duration: {duration} must be more than 0")))?,
        None => limit,
    };
    let from = valid_from.as_ref().map(|time| time.0);
    let window = match (from, valid_until) {
        (Some(from), Some(until)) => Window { from, until: until.0 },
        // A Room that is created after its end has no window left, and is Expired from the start.
        (None, Some(until)) => Window { from: created.min(until.0), until: until.0 },
        (from, None) => {
            let from = from.unwrap_or(created);
            Window { from, until: later(from, length) }
        }
    };
    if from.is_some() && window.until <= window.from {
        let message = format!("spec.validUntil: {} must be after spec.validFrom, which is {}", window.until, window.from);
        return Err(invalid(message));
    }
    if window.until.duration_since(window.from).unsigned_abs() > limit {
        let field = if valid_until.is_some() { "validUntil" } else { "duration" };
        let message = format!(
            "spec.{field}: a window from {} to {} is longer than the {} that the class allows",
            window.from,
            window.until,
            as_kubernetes(limit)
        );
        return Err(Rejection::new(Reason::WindowTooLong, message));
    }
    Ok(window)
}

fn provision(room: &Room, class: &RoomClass) -> Provision {
    let of_class = || class.spec.session.as_ref().and_then(|session| session.provision);
    room.spec.session.as_ref().and_then(|session| session.provision).or_else(of_class).unwrap_or_default()
}

fn max_participants(room: &Room, class: &RoomClass) -> Result<usize, Rejection> {
    let limit = class.spec.limits.as_ref().and_then(|limits| limits.max_participants).unwrap_or(MAX_PARTICIPANTS).min(MAX_PARTICIPANTS);
    match room.spec.max_participants {
        Some(wanted) if wanted < 1 => {
            Err(Rejection::new(Reason::InvalidSpec, format!("spec.maxParticipants: {wanted} must be at least 1")))
        }
        Some(wanted) if wanted > limit => Err(Rejection::new(
            Reason::TooManyParticipants,
            format!("spec.maxParticipants: {wanted} is more than the {limit} that the class allows"),
        )),
        wanted => Ok(limit_from(wanted.unwrap_or(limit))),
    }
}

fn limit_from(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn positive(duration: kube::core::Duration) -> Option<Duration> {
    (duration > Duration::ZERO).then(|| duration.into())
}

/// A duration in the largest unit that Kubernetes' durations have for it.
fn as_kubernetes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Labels and annotations by which Argo CD, Flux and Helm track what they applied, and would create again if it were gone.
fn is_tracked(room: &Room) -> bool {
    let is_tracking = |key: &str| {
        let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
        ["argocd.argoproj.io", "meta.helm.sh"].contains(&prefix) || prefix.ends_with(".toolkit.fluxcd.io")
    };
    let labels = room.metadata.labels.iter().flat_map(BTreeMap::keys);
    labels.chain(room.metadata.annotations.iter().flat_map(BTreeMap::keys)).any(|key| is_tracking(key))
}

fn ttl(room: &Room, class: &RoomClass) -> Option<Duration> {
    own_ttl(room).or_else(|| {
        let of_class = || class.spec.ttl_seconds_after_expired.unwrap_or(DEFAULT_TTL_SECONDS);
        (!is_tracked(room)).then(|| seconds(of_class()))
    })
}

/// The TTL that the Room itself sets.
pub(super) fn own_ttl(room: &Room) -> Option<Duration> {
    room.spec.ttl_seconds_after_expired.map(seconds)
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

fn invite_metadata(spec: &RoomSpec) -> InviteMetadata {
    let metadata = spec.invite_template.as_ref().and_then(|template| template.metadata.clone()).unwrap_or_default();
    InviteMetadata { labels: metadata.labels, annotations: metadata.annotations }
}

#[cfg(test)]
mod tests;
