//! The removals of Presenters: they put people out of a call and not off a list for good, so that the end of the Room ends them too.

use super::context::Context;
use super::request::{failure_of, timed};
use crate::api::{Phase, Room, RoomOwned, RoomStatus};
use crate::cluster::delete_object;
use crate::domain::Failure;

/// Deletes the removals of Presenters, after a reconciliation that left the Room with this status, if that is over. The objects of others
/// stay theirs.
///
/// # Errors
/// With the first failure; the others are deleted all the same.
pub async fn end_removals(room: &Room, status: &RoomStatus, context: &Context) -> Result<(), Failure> {
    if status.phase != Phase::Expired {
        return Ok(());
    }
    let mut result = Ok(());
    for removal in context.removals.of(room).iter().filter(|removal| removal.is_of_presenters()) {
        let deleted = timed(delete_object(context.client.clone(), removal.as_ref())).await;
        result = result.and(deleted.map_err(|error| failure_of(&error)));
    }
    result
}
