//! The names that people choose for themselves or for a guest.

use super::denied::InvalidField;

/// The field that the name comes in.
const FIELD: &str = "displayName";
/// Longest name, in characters, as in manifests.
const LONGEST_NAME: usize = 128;

/// A name that others see: 1 to 128 characters, all of them visible.
pub fn display_name(given: Option<&str>) -> Result<String, InvalidField> {
    let name = given.unwrap_or_default().trim();
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return Err(invalid(format!("has {length} characters; 1 to {LONGEST_NAME} are needed.")));
    }
    if let Some(wrong) = name.chars().find(|character| is_invisible(*character)) {
        let code = u32::from(wrong);
        return Err(invalid(format!("the character U+{code:04X} is not allowed, because it is not seen.")));
    }
    Ok(name.to_owned())
}

/// Refuses a name that somebody with an invite of their own has chosen.
pub fn no_display_name(given: Option<&str>) -> Result<(), InvalidField> {
    let refused = || invalid("is for shared links; the name of a personal invite is the Room's to give.".to_owned());
    given.map_or(Ok(()), |_| Err(refused()))
}

fn invalid(message: String) -> InvalidField {
    InvalidField { field: FIELD, message }
}

/// Characters that are not seen but change how the text around them looks: with them one name could pass for another.
fn is_invisible(character: char) -> bool {
    let formats = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    character.is_control() || formats
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Ann", "Ann")]
    #[case("  Dr. Zoë Müller ", "Dr. Zoë Müller")]
    #[case("علي", "علي")]
    #[case("👩‍⚕️", "👩‍⚕️")]
    fn a_name_of_any_language_is_taken(#[case] given: &str, #[case] taken: &str) {
        assert_eq!(display_name(Some(given)).unwrap(), taken);
    }

    #[test]
    fn a_name_that_is_missing_too_long_or_not_seen_is_refused_by_name_and_limit() {
        let long = "x".repeat(129);
        for (given, named) in [
            (None, "1 to 128"),
            (Some(""), "1 to 128"),
            (Some("   "), "1 to 128"),
            (Some(long.as_str()), "129 characters; 1 to 128"),
            (Some("a\u{202e}b"), "U+202E"),
            (Some("a\nb"), "U+000A"),
            (Some("\u{200b}"), "U+200B"),
            (Some("a\0"), "U+0000"),
        ] {
            let refused = display_name(given).unwrap_err();
            assert_eq!(refused.field, "displayName", "{given:?}");
            assert!(refused.message.contains(named), "{given:?}: {refused}");
        }
        assert_eq!(display_name(Some(&"ü".repeat(128))).unwrap().chars().count(), 128);
    }
}
