//! What ids look like, and new ones.

/// As many random bytes as are asked for.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

/// A random UUID, or a number that is written like one.
pub fn uuid() -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(random()));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Whether a text is a UUID.
pub fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Whether a text is the raw id of a user of ACS: `8:acs:`, the UUID of a resource, and a number of this resource.
pub fn is_raw_id(text: &str) -> bool {
    let parts = text.strip_prefix("8:acs:").and_then(|rest| rest.split_once('_'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    parts.is_some_and(|(resource, number)| is_uuid(resource) && is_number(number))
}

/// A new id for a room. They have 16 or 17 digits, and those of the recordings begin with `99`.
pub fn room_id(is_long: bool) -> String {
    let number = u64::from_be_bytes(random());
    if is_long { format!("99{:015}", number % 10_u64.pow(15)) } else { format!("99{:014}", number % 10_u64.pow(14)) }
}

/// Whether a text may be the id of a room.
pub fn is_room_id(text: &str) -> bool {
    (16..=17).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
