//! Limits of Azure Communication Services Rooms, which hold for all classes.

/// Longest window of a Room: six months, counted as 180 days.
pub const MAX_WINDOW: std::time::Duration = std::time::Duration::from_hours(180 * 24);
/// Most people in one call.
pub const MAX_PARTICIPANTS: i32 = 350;
