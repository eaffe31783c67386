//! The names that people choose for themselves or for a guest.

use super::denied::InvalidField;

/// The field that the name comes in.
const FIELD: &str = "displayName";
/// Longest name, in characters, as in manifests.
const LONGEST_NAME: usize = 128;

/// A name that others see: 1 to 128 characters, of which none hides and at least one is seen.
pub fn display_name(given: Option<&str>) -> Result<String, InvalidField> {
    let name = given.unwrap_or_default().trim();
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return Err(invalid(format!("has {length} characters; 1 to {LONGEST_NAME} are needed.")));
    }
    if let Some(wrong) = first_unseen(name) {
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

/// The first character that is not seen where it stands: with it one name could pass for another, or for none.
fn first_unseen(name: &str) -> Option<char> {
    let mut after_seen = false;
    name.chars().find(|&character| {
        if shapes_what_is_before(character) {
            return !after_seen;
        }
        let unseen = character.is_control() || is_ignorable(character) || is_blank(character);
        after_seen = !unseen && !character.is_whitespace();
        unseen
    })
}

/// Characters that are not seen themselves, but which words and emojis are made with: joiners and variation selectors.
fn shapes_what_is_before(character: char) -> bool {
    matches!(character, '\u{200c}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The property `Default_Ignorable_Code_Point` of Unicode 17, which holds what is not assigned yet, too; and the separators of lines and
/// the marks of annotations.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{2028}'..='\u{2029}' | '\u{fff9}'..='\u{fffb}'
    )
}

/// Letters and signs that are drawn as nothing, and no spaces by their property: the empty pattern of Braille, the empty head of a note,
/// and a filler.
fn is_blank(character: char) -> bool {
    matches!(character, '\u{2800}' | '\u{1d159}' | '\u{16fe4}')
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
    #[case("می‌خواهم", "می‌خواهم")]
    #[case("葛\u{e0100}城", "葛\u{e0100}城")]
    #[case("Ann\u{3000}Lee", "Ann\u{3000}Lee")]
    #[case("हिन्दी", "हिन्दी")]
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
            (Some("\u{3164}"), "U+3164"),
            (Some("\u{2800}\u{2800}"), "U+2800"),
            (Some("Ann\u{115f}"), "U+115F"),
            (Some("Ann\u{1160}"), "U+1160"),
            (Some("\u{ffa0}"), "U+FFA0"),
            (Some("A\u{34f}nn"), "U+034F"),
            (Some("Ann\u{17b4}"), "U+17B4"),
            (Some("Ann\u{1d159}"), "U+1D159"),
            (Some("Ann\u{e0fff}"), "U+E0FFF"),
            (Some("\u{200d}"), "U+200D"),
            (Some("\u{fe0f}Ann"), "U+FE0F"),
            (Some("Ann \u{200d}"), "U+200D"),
        ] {
            let refused = display_name(given).unwrap_err();
            assert_eq!(refused.field, "displayName", "{given:?}");
            assert!(refused.message.contains(named), "{given:?}: {refused}");
        }
        assert_eq!(display_name(Some(&"ü".repeat(128))).unwrap().chars().count(), 128);
    }
}
